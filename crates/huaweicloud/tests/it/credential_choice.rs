//! Variables by which tools of the vendor choose who calls: followed, or refused by name; never somebody else without a word.

use record_callback_core::ErrorKind;
use record_callback_http::{CredentialProvider, FixedEnv, Miss};
use record_callback_huaweicloud::from_env;

use crate::credential_world::{FILE, PROJECT, World, list};

const SDK: [&str; 2] = ["HUAWEICLOUD_SDK_AK", "HUAWEICLOUD_SDK_SK"];
const TERRAFORM: [&str; 2] = ["HW_ACCESS_KEY", "HW_SECRET_KEY"];
const SECOND: [&str; 2] = ["OS_ACCESS_KEY", "OS_SECRET_KEY"];

const CHOICES: [&str; 8] = [
    "HW_ASSUME_ROLE_AGENCY_NAME",
    "HW_ASSUME_ROLE_DOMAIN_NAME",
    "HW_ASSUME_ROLE_DOMAIN_ID",
    "HW_ASSUME_ROLE_IDP_ID",
    "OS_AGENCY_NAME",
    "OS_AGENCY_DOMAIN_NAME",
    "HW_PROFILE",
    "HW_SHARED_CONFIG_FILE",
];

/// The variables of a login.
fn with_login(world: &mut World, [user, password, account]: [&str; 3]) {
    let cloud = &world.cloud;
    let values = [cloud.iam_user(), cloud.iam_password(), cloud.iam_account()].map(str::to_owned);
    for (name, value) in [user, password, account].into_iter().zip(values) {
        world.set(name, value);
    }
}

#[tokio::test]
async fn variables_of_another_caller_are_refused_by_name() {
    for name in CHOICES {
        for world in [
            World::start().await.with_key(TERRAFORM),
            World::start().await.with_key(SDK).with_profile(),
            World::start().await.with_oidc().with_key(SDK),
            World::start().await.with_idp(),
            World::start().await.with_profile(),
            World::start().await.with_metadata().with_pod(),
        ] {
            let mut world = world;
            let project = world.cloud.project_id().to_owned();
            world.set(name, "another").set("HW_PROJECT_ID", project);
            with_login(&mut world, ["HW_USER_NAME", "HW_USER_PASSWORD", "HW_DOMAIN_NAME"]);
            for client in [world.client(), world.builder().environment().build().unwrap()] {
                let error = list(&client).await.unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Unauthenticated);
                assert!(error.message().contains(&format!("{name} is set: Terraform ")), "{error}");
            }
            assert!(world.cloud.requests().is_empty() && world.cloud.iam_requests().is_empty(), "{name}");
            // Empty is not set.
            world.set(name, " ");
            list(&world.client()).await.unwrap();
        }
        let env = FixedEnv::from_iter([(TERRAFORM[0], "a"), (TERRAFORM[1], "s3cr3t"), (name, "x")]);
        let error = from_env(env).access_key().await.unwrap_err();
        assert!(error.message().starts_with(name), "{error}");
    }
}

#[tokio::test]
async fn an_explicit_key_is_nobodys_choice_but_the_configs() {
    let mut world = World::start().await;
    for name in CHOICES.into_iter().chain(["HW_AUTH_TOKEN"]) {
        world.set(name, "another");
    }
    let key = from_env(FixedEnv::from_iter([
        (SDK[0], world.cloud.access_key().to_owned()),
        (SDK[1], world.cloud.secret_key().to_owned()),
    ]));
    let project = world.cloud.project_id().to_owned();
    list(&world.builder().credentials(key).project_id(project).build().unwrap()).await.unwrap();
}

#[tokio::test]
async fn a_token_of_the_environment_is_sent_instead_of_its_key() {
    for name in ["HW_AUTH_TOKEN", "OS_AUTH_TOKEN"] {
        let mut world = World::start().await.with_key(TERRAFORM).with_profile();
        let (token, project) = (world.cloud.issue_token(), world.cloud.project_id().to_owned());
        world.unset(PROJECT).set("HW_PROJECT_ID", project).set(name, token.clone());
        for client in [world.client(), world.builder().environment().build().unwrap()] {
            list(&client).await.unwrap();
            let sent = world.cloud.requests().pop().unwrap();
            assert_eq!(sent.header("x-auth-token"), Some(token.as_str()), "{name}");
        }
    }
    // The SDKs know of no token.
    let mut world = World::start().await.with_key(SDK);
    world.set("HW_AUTH_TOKEN", "t");
    let error = list(&world.client()).await.unwrap_err();
    assert!(error.message().contains("HW_AUTH_TOKEN is set: "), "{error}");
}

#[tokio::test]
async fn a_login_of_the_environment_is_used_where_it_has_no_key() {
    for names in [
        ["HW_USER_NAME", "HW_USER_PASSWORD", "HW_DOMAIN_NAME"],
        ["OS_USERNAME", "OS_PASSWORD", "OS_USER_DOMAIN_NAME"],
    ] {
        let mut world = World::start().await.with_profile();
        with_login(&mut world, names);
        let project = world.cloud.project_id().to_owned();
        world.set("HW_PROJECT_ID", project);
        list(&world.client()).await.unwrap();
        let asked = world.cloud.iam_requests();
        assert_eq!((asked.len(), asked[0].path()), (1, "/v3/auth/tokens"));
        // A key comes before it.
        let world = world.with_key(TERRAFORM);
        list(&world.client()).await.unwrap();
        assert_eq!(world.cloud.iam_requests().len(), 1);
    }
    // Another cloud's password is not sent to this one.
    let mut world = World::start().await.with_profile();
    with_login(&mut world, ["OS_USERNAME", "OS_PASSWORD", "OS_USER_DOMAIN_NAME"]);
    world.set("OS_AUTH_URL", "https://keystone.example.com/v3");
    list(&world.client()).await.unwrap();
    assert!(world.cloud.iam_requests().is_empty());
    // Half a login chooses somebody, too.
    let mut world = World::start().await.with_profile();
    world.set("HW_USER_PASSWORD", "s3cr3t");
    let error = list(&world.client()).await.unwrap_err();
    assert!(error.message().contains("HW_USER_PASSWORD is set: it is for a login by password"), "{error}");
    assert!(!error.to_string().contains("s3cr3t"), "{error}");
}

#[tokio::test]
async fn second_names_of_keys_and_projects_are_read() {
    let mut world = World::start().await.with_key(SECOND);
    let project = world.cloud.project_id().to_owned();
    world.unset(PROJECT).set("OS_TENANT_ID", project.clone());
    let key = world.key().await.unwrap();
    assert_eq!(
        (key.origin(), key.project_id()),
        (Some("environment variable OS_ACCESS_KEY"), Some(project.as_str()))
    );
    // Another cloud's are not.
    world.set("OS_AUTH_URL", "https://keystone.example.com/v3");
    assert!(world.key().await.is_err());
    world.set("OS_AGENCY_NAME", "another clouds");
    let world = world.with_key(TERRAFORM);
    assert_eq!(world.key().await.unwrap().project_id(), None);
    for name in ["HW_PROJECT_NAME", "OS_PROJECT_NAME"] {
        let mut world = World::start().await.with_key(TERRAFORM);
        let region = world.cloud.region().to_owned();
        world.unset(PROJECT).set(name, region);
        list(&world.client()).await.unwrap();
        assert_eq!(world.cloud.iam_requests()[0].path(), "/v3/projects");
    }
}

#[tokio::test]
async fn file_values_that_tools_read_differently_are_refused() {
    let world = World::start().await.with_metadata();
    let (ak, sk) = (world.cloud.access_key().to_owned(), world.cloud.secret_key().to_owned());
    let file = world.place(".huaweicloud/credentials");
    for (line, fields) in [
        (3, format!("ak = \"{ak}\"\nsk = \"{sk}\"")),
        (3, format!("ak = {ak} # mine\nsk = {sk}")),
        (4, format!("ak = {ak}\nsk = '{sk}'")),
        (4, format!("ak = {ak}\r\nsk = {sk};mine")),
        (5, format!("ak = {ak}\nsk = {sk}\nsecurity_token = 50%")),
        (5, format!("ak = {ak}\nsk = {sk}\nidp_id = a\\")),
    ] {
        world.write_profile(&fields);
        let reports = world.chain().examine().await;
        let Some(Err(Miss::Refused(error))) = &reports[2].result else { panic!("{reports:?}") };
        let said = error.message();
        assert!(said.starts_with(&format!("{file} line {line}: `")) && !said.contains(&sk), "{said}");
        assert!(said.contains("which the vendor's SDKs read differently"), "{said}");
        // The agency of the instance does not stand in.
        assert!(world.key().await.is_err());
    }
    world.write(".huaweicloud/credentials", &format!("\u{feff}[basic]\r\nAK={ak}\r\nSk: {sk}\r\n# mine\r\n"));
    assert_eq!(world.key().await.unwrap().id(), ak);
}

#[tokio::test]
async fn a_named_file_that_cannot_be_used_is_refused() {
    let mut world = World::start().await.with_metadata();
    for text in ["{\"current\": \"x\"}", "[basic]\nak = a", "[global]", "s3cr3t"] {
        let path = world.write("named", text).display().to_string();
        world.set(FILE, path.clone());
        let refusal = world.refusal().await;
        assert!(refusal.contains(&path) && !refusal.contains("s3cr3t"), "{refusal}");
    }
    world.set(FILE, world.place("nowhere"));
    assert!(world.refusal().await.contains("HUAWEICLOUD_SDK_CREDENTIALS_FILE: "));
    world.unset(FILE);
    assert!(world.key().await.unwrap().origin().unwrap().starts_with("ECS metadata"));
}

#[cfg(unix)]
#[tokio::test]
async fn pipes_are_refused_and_not_waited_for() {
    let mut world = World::start().await.with_pod();
    let pipe = world.place("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    for name in [FILE, "HC_CONTAINER_AUTHORIZATION_TOKEN_FILE"] {
        world.set(name, pipe.clone());
        let refusal = world.refusal().await;
        assert!(refusal.contains("not a regular file)"), "{name}: {refusal}");
        world.unset(name);
    }
}
