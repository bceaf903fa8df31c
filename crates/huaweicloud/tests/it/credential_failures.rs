//! What is said of credentials that are set up wrongly; and what never is.

use record_callback_core::{CallbackKey, DomainName, ErrorKind, RecordCallbackProvider};
use record_callback_http::{CredentialProvider, FixedEnv, Miss};
use record_callback_huaweicloud::{HuaweicloudClient, HuaweicloudProvider, Login};
use record_callback_mock::{Fault, FaultKind};

use crate::credential_world::{FILE, STS, World};

const OIDC: usize = 0;
const ENVIRONMENT: usize = 1;
const PROFILE: usize = 2;
const POD: usize = 4;

/// What a source of the chain says, and whether it takes itself for configured.
async fn said(world: &World, source: usize) -> (String, bool) {
    match world.chain().examine().await.swap_remove(source).result.unwrap().unwrap_err() {
        Miss::NotConfigured(what) => (what, false),
        Miss::Failed(error) | Miss::Refused(error) => (error.message().to_owned(), true),
    }
}

#[tokio::test]
async fn variables_that_are_missing_or_wrong_are_named() {
    for (source, variables, problem, is_configured) in [
        (
            OIDC,
            &[("HUAWEICLOUD_OIDC_PROVIDER_URN", "p"), ("HUAWEICLOUD_OIDC_ID_TOKEN", "t")][..],
            "HUAWEICLOUD_OIDC_AGENCY_URN is not set, though HUAWEICLOUD_OIDC_PROVIDER_URN is",
            false,
        ),
        (
            OIDC,
            &[("HUAWEICLOUD_OIDC_PROVIDER_URN", "p"), ("HUAWEICLOUD_OIDC_AGENCY_URN", "a")],
            "HUAWEICLOUD_OIDC_ID_TOKEN or HUAWEICLOUD_OIDC_TOKEN_FILE is not set, though HUAWEICLOUD_OIDC_PROVIDER_URN is",
            false,
        ),
        (
            OIDC,
            &[("HUAWEICLOUD_OIDC_TOKEN_FILE", "/t")],
            "HUAWEICLOUD_OIDC_PROVIDER_URN is not set, though HUAWEICLOUD_OIDC_ID_TOKEN or HUAWEICLOUD_OIDC_TOKEN_FILE is",
            false,
        ),
        (
            ENVIRONMENT,
            &[("HUAWEICLOUD_SDK_IDP_ID", "i")],
            "HUAWEICLOUD_SDK_ID_TOKEN_FILE is not set, though HUAWEICLOUD_SDK_IDP_ID is",
            true,
        ),
        (
            ENVIRONMENT,
            &[("HUAWEICLOUD_SDK_ID_TOKEN_FILE", "/t")],
            "HUAWEICLOUD_SDK_IDP_ID is not set, though HUAWEICLOUD_SDK_ID_TOKEN_FILE is",
            true,
        ),
        (ENVIRONMENT, &[("HW_ACCESS_KEY", "a")], "HW_SECRET_KEY is not set, though HW_ACCESS_KEY is", true),
        (
            POD,
            &[("HC_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1/")],
            "HC_CONTAINER_AUTHORIZATION_TOKEN_FILE is not set, though HC_CONTAINER_CREDENTIALS_FULL_URI is",
            false,
        ),
        (
            POD,
            &[("HC_CONTAINER_AUTHORIZATION_TOKEN_FILE", "/t")],
            "HC_CONTAINER_CREDENTIALS_FULL_URI is not set, though HC_CONTAINER_AUTHORIZATION_TOKEN_FILE is",
            false,
        ),
    ] {
        let mut world = World::start().await;
        for (name, value) in variables {
            world.set(name, *value);
        }
        assert_eq!(said(&world, source).await, (problem.to_owned(), is_configured));
    }
}

#[tokio::test]
async fn a_duration_that_is_none_and_an_address_in_clear_are_refused_before_anybody_is_asked() {
    for (name, value, problem) in [
        ("HUAWEICLOUD_OIDC_DURATION_SECONDS", "1h", "HUAWEICLOUD_OIDC_DURATION_SECONDS: is not a number"),
        ("HUAWEICLOUD_OIDC_DURATION_SECONDS", "899", "HUAWEICLOUD_OIDC_DURATION_SECONDS: is out of range"),
        ("HUAWEICLOUD_OIDC_DURATION_SECONDS", "43201", "HUAWEICLOUD_OIDC_DURATION_SECONDS: is out of range"),
        (STS, "http://sts.example.com", "HUAWEICLOUD_SDK_STS_ENDPOINT: is plain http to `sts.example.com`"),
    ] {
        let mut world = World::start().await.with_oidc();
        world.set(name, value);
        let error = world.key().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidConfig);
        assert!(error.message().contains(problem), "{error}");
        assert!(world.cloud.iam_requests().is_empty());
    }
}

#[tokio::test]
async fn a_mistake_in_a_file_is_named_by_file_line_and_field() {
    let world = World::start().await;
    let file = world.place(".huaweicloud/credentials");
    for (text, problem) in [
        (
            "[global]\nak = a\nsk = s3cr3t",
            ": expected a section [basic]: [global] is for services without regions",
        ),
        ("", ": expected a section [basic]"),
        ("s3cr3t", " line 1: expected `[section]` or `name = value`"),
        ("[basic]\nak = a\nak = s3cr3t", " line 3: expected each name once in a section"),
        ("\n[basic]\nak = a\nsk =", " line 2: [basic] has `ak`, expected `sk` too"),
        ("[basic]\nsk = s3cr3t", " line 1: [basic] has `sk`, expected `ak` too"),
        ("[basic]\nidp_id = i", " line 1: [basic] has `idp_id`, expected `id_token_file` too"),
        ("[basic]\nid_token_file = /t", " line 1: [basic] has `id_token_file`, expected `idp_id` too"),
        ("[basic]\nproject_id = p", " line 1: [basic] has no key, expected `ak` and `sk`, or"),
        (
            "[basic]\nidp_id = i\nid_token_file = /t\niam_endpoint = http://iam.example.com",
            " line 1: [basic] iam_endpoint: is plain http to `iam.example.com`",
        ),
        (
            "[basic]\nidp_id = i\nid_token_file = /nowhere/t",
            " line 1: [basic] id_token_file: /nowhere/t is not there",
        ),
    ] {
        world.write(".huaweicloud/credentials", text);
        let (what, is_configured) = said(&world, PROFILE).await;
        assert!(what.starts_with(&format!("{file}{problem}")) && is_configured, "{text}: {what}");
        assert!(!what.contains("s3cr3t"), "{what}");
    }
}

#[tokio::test]
async fn a_file_that_a_variable_names_has_to_be_there_and_have_something_in_it() {
    let mut world = World::start().await.with_oidc().with_idp().with_pod();
    let nowhere = world.place("nowhere");
    world.set(FILE, nowhere.clone());
    for name in ["oidc", "idp", "pod"] {
        world.write(name, " \n");
    }
    let [oidc, idp, pod] = ["oidc", "idp", "pod"].map(|name| world.place(name));
    for (source, problem) in [
        (OIDC, format!("{oidc}: expected a token, and it is empty (HUAWEICLOUD_OIDC_TOKEN_FILE)")),
        (ENVIRONMENT, format!("{idp}: expected a token, and it is empty (HUAWEICLOUD_SDK_ID_TOKEN_FILE)")),
        (PROFILE, format!("HUAWEICLOUD_SDK_CREDENTIALS_FILE: {nowhere} is not there")),
        (POD, format!("{pod}: expected a token, and it is empty (HC_CONTAINER_AUTHORIZATION_TOKEN_FILE)")),
    ] {
        if source == POD {
            // A file that is named ends the search.
            world.unset(FILE);
        }
        assert_eq!(said(&world, source).await, (problem, true));
    }
    std::fs::remove_file(world.path("oidc")).unwrap();
    let problem = format!("HUAWEICLOUD_OIDC_TOKEN_FILE: {} is not there", world.place("oidc"));
    assert_eq!(said(&world, OIDC).await, (problem, true));
}

#[tokio::test]
async fn a_pods_address_in_another_network_is_refused_and_never_shown() {
    let mut world = World::start().await.with_pod();
    world.set("HC_CONTAINER_CREDENTIALS_FULL_URI", "http://canary.example.com/canary?canary");
    let (what, _) = said(&world, POD).await;
    assert!(
        what.starts_with("HC_CONTAINER_CREDENTIALS_FULL_URI: is plain http to another network"),
        "{what}"
    );
    assert!(!what.contains("canary"), "{what}");
}

#[tokio::test]
async fn no_secret_is_ever_said() {
    const CANARY: &str = "c4nary";
    let mut world = World::start().await.with_oidc().with_idp().with_pod();
    for name in ["oidc", "idp", "pod"] {
        world.write(name, &format!("{CANARY}-{name}"));
    }
    world.write_profile(&format!("sk = {CANARY}-sk\nsecurity_token = {CANARY}-token"));
    world
        .set("HC_CONTAINER_CREDENTIALS_FULL_URI", format!("{}?{CANARY}-uri", world.cloud.pod_identity_uri()));
    let kinds = [
        FaultKind::Denied,
        FaultKind::Page { status: 502 },
        FaultKind::Redirect { status: 302, location: format!("http://{CANARY}.example.com") },
        FaultKind::Garble,
        FaultKind::Truncate,
        FaultKind::Reset,
    ];
    for kind in [None].into_iter().chain(kinds.map(Some)) {
        for faults in [world.cloud.iam_faults(), world.cloud.metadata_faults()] {
            faults.clear();
            if let Some(kind) = kind.clone() {
                faults.add(Fault::new(kind).until_cleared());
            }
        }
        let chain = world.chain();
        let error = chain.access_key().await.unwrap_err();
        let reports = chain.examine().await;
        let client = world.client();
        let shown = format!("{error} {error:?} {reports:?} {chain:?} {client:?} {:?}", world.chain());
        assert!(!shown.contains(CANARY), "{kind:?}: {shown}");
    }
    // Unless it is wrong, it is sent.
    let asked = world.cloud.iam_requests();
    assert!(asked.iter().any(|request| String::from_utf8_lossy(request.body()).contains(CANARY)));
}

#[tokio::test]
async fn answers_that_are_no_keys_are_not_understood() {
    let world = World::start().await.with_oidc();
    world.cloud.iam_faults().add(Fault::new(FaultKind::Page { status: 200 }).until_cleared());
    let error = world.key().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Protocol);
    assert!(error.message().contains("instead of a temporary key as JSON"), "{error}");
}

/// What STS or IAM does not find is not the config that was asked for.
#[tokio::test]
async fn what_is_not_found_on_the_way_to_a_key_is_no_missing_config() {
    let mut world = World::start().await.with_oidc();
    world.set("HUAWEICLOUD_OIDC_AGENCY_URN", "iam::0:agency:of-nobody");
    let by_agency = world.client();

    let login = Login::new(world.cloud.iam_account(), world.cloud.iam_user(), world.cloud.iam_password());
    let elsewhere = HuaweicloudClient::builder()
        .env(FixedEnv::default())
        .endpoint(world.cloud.endpoint())
        .iam_endpoint(world.cloud.iam_endpoint())
        .login(login)
        .project_id("0123456789abcdef")
        .build()
        .unwrap();

    let domain = DomainName::new("push.example.com").unwrap();
    for client in [by_agency, elsewhere] {
        let provider = HuaweicloudProvider::new(client);
        let key = CallbackKey::any_app(domain.clone());
        for result in [
            provider.get(&key).await.map(drop),
            provider.list(Some(&domain)).await.map(drop),
            provider.delete(&key).await,
        ] {
            let error = result.unwrap_err();
            assert_eq!((error.kind(), error.status()), (ErrorKind::Unauthenticated, None), "{error}");
            assert!(error.to_string().contains("status 404"), "{error}");
        }
    }
    assert!(world.cloud.requests().is_empty());
}
