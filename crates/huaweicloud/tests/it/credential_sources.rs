//! What each source asks and how it takes the answers.

use std::io;

use record_callback_core::ErrorKind;
use record_callback_http::{CredentialProvider, Miss};
use record_callback_mock::{Fault, FaultKind, MetadataTokens, MockHuaweicloud, ReceivedRequest};

use crate::credential_world::{FILE, PROJECT, World, brief, list};

fn json(request: &ReceivedRequest) -> serde_json::Value {
    serde_json::from_slice(request.body()).unwrap()
}

#[tokio::test]
async fn an_agency_is_assumed_as_the_variables_say() {
    let mut world = World::start().await.with_oidc();
    let expected = serde_json::json!({
        "provider_urn": world.cloud.oidc_provider_urn(),
        "agency_urn": world.cloud.agency_urn(),
        "agency_session_name": "oidc-sts-session",
        "id_token": std::fs::read_to_string(world.path("oidc")).unwrap().trim(),
        "duration_seconds": 3600,
    });
    let key = world.key().await.unwrap();
    assert_eq!(json(&world.cloud.iam_requests()[0]), expected);
    assert_eq!(key.expires_at().unwrap().to_string(), "2026-01-02T04:04:05Z");

    let given = world.cloud.issue_id_token();
    world
        .set("HUAWEICLOUD_OIDC_ID_TOKEN", given.clone())
        .set("HUAWEICLOUD_OIDC_SESSION_NAME", "ci")
        .set("HUAWEICLOUD_OIDC_DURATION_SECONDS", " 900 ")
        .set("HUAWEICLOUD_OIDC_POLICY", "{}")
        .set("HUAWEICLOUD_OIDC_POLICY_IDS", "a, b,,");
    list(&world.client()).await.unwrap();
    let asked = json(&world.cloud.iam_requests()[1]);
    assert_eq!(asked["id_token"], given);
    assert_eq!(asked["agency_session_name"], "ci");
    assert_eq!(asked["duration_seconds"], 900);
    assert_eq!((&asked["policy"], &asked["policy_ids"]), (&"{}".into(), &serde_json::json!(["a", "b"])));
}

#[tokio::test]
async fn a_token_of_an_identity_provider_is_exchanged_for_a_key_of_six_hours() {
    let from_file = World::start().await;
    from_file.write("idp", &from_file.cloud.issue_id_token());
    let fields = format!("idp_id = {}\nid_token_file = {}", from_file.cloud.idp_id(), from_file.place("idp"));
    // The provider wins over a key.
    from_file.write_profile(&format!("{fields}\nak = a\nsk = b"));
    for world in [World::start().await.with_idp(), from_file] {
        let key = world.key().await.unwrap();
        assert_eq!(key.expires_at().unwrap().to_string(), "2026-01-02T09:04:05Z");
        let asked = world.cloud.iam_requests();
        assert_eq!(brief(&asked), ["POST tokens 201", "POST securitytokens 201"]);
        assert_eq!(asked[0].header("x-idp-id"), Some(world.cloud.idp_id()));
        let token = std::fs::read_to_string(world.path("idp")).unwrap();
        assert_eq!(json(&asked[0])["auth"]["id_token"]["id"], token.trim());
        list(&world.client()).await.unwrap();
    }
}

#[tokio::test]
async fn a_file_may_name_its_own_iam_and_has_its_own_project() {
    let mut world = World::start().await;
    let other = MockHuaweicloud::builder().clock(world.cloud.clock().clone()).start().await.unwrap();
    world.write("idp", &other.issue_id_token());
    let fields = format!(
        "iam_endpoint = {}\nidp_id = {}\nid_token_file = {}",
        other.iam_endpoint(),
        other.idp_id(),
        world.place("idp")
    );
    let path = world.write("elsewhere/credentials", &format!("[basic]\n{fields}\n"));
    world.set(FILE, path.to_str().unwrap());
    let key = world.key().await.unwrap();
    assert_eq!((other.iam_requests().len(), world.cloud.iam_requests().len()), (2, 0));
    // The variable's project may be another account's.
    assert!(world.variables.contains_key(PROJECT));
    assert_eq!(key.project_id(), None);
}

#[tokio::test]
async fn a_file_may_have_a_temporary_key() {
    let world = World::start().await;
    let key = world.cloud.issue_temporary_access_key();
    let fields = format!("ak = {}\nsk = {}\nsecurity_token = {}", key.id, key.secret, key.security_token);
    world.write_profile(&fields);
    list(&world.client()).await.unwrap();
}

#[tokio::test]
async fn metadata_are_asked_with_a_token_where_they_have_tokens() {
    for (tokens, asked) in [
        (MetadataTokens::Required, ["PUT token 200", "GET securitykey 200"]),
        (MetadataTokens::Optional, ["PUT token 200", "GET securitykey 200"]),
        (MetadataTokens::Unsupported, ["PUT token 404", "GET securitykey 200"]),
    ] {
        let world = World::start_as(MockHuaweicloud::builder().metadata_tokens(tokens)).await.with_metadata();
        list(&world.client()).await.unwrap();
        assert_eq!(brief(&world.cloud.metadata_requests()), asked, "{tokens:?}");
    }
    for status in [405, 503] {
        let world = World::start().await.with_metadata();
        let none = FaultKind::Status { status, retry_after: None };
        world.cloud.metadata_faults().add(Fault::new(none));
        list(&world.client()).await.unwrap();
    }
}

#[tokio::test]
async fn a_metadata_token_that_is_refused_is_replaced_once() {
    let world = World::start_as(MockHuaweicloud::builder().metadata_tokens(MetadataTokens::Required)).await;
    let world = world.with_metadata();
    let refused = || Fault::new(FaultKind::TokenExpired).operation("GetSecurityKey");
    world.cloud.metadata_faults().add(refused());
    list(&world.client()).await.unwrap();
    let twice = ["PUT token 200", "GET securitykey 401", "PUT token 200", "GET securitykey 200"];
    assert_eq!(brief(&world.cloud.metadata_requests()), twice);
    world.cloud.metadata_faults().add(refused().until_cleared());
    let refusal = world.refusal().await;
    assert!(refusal.contains("the metadata service refused two tokens of its own"), "{refusal}");
    assert_eq!(world.cloud.metadata_requests().len(), 8);
}

#[tokio::test]
async fn an_instance_without_an_agency_is_not_configured_and_told_what_to_do() {
    let world = World::start_as(MockHuaweicloud::builder().without_agency()).await.with_metadata();
    let said = &world.chain().examine().await[3];
    let Some(Err(Miss::NotConfigured(what))) = &said.result else { panic!("{said:?}") };
    assert!(what.contains("has no agency: create one"), "{what}");
    // It is no matter of the token.
    assert_eq!(brief(&world.cloud.metadata_requests()), ["PUT token 200", "GET securitykey 401"]);
}

#[tokio::test]
async fn other_clouds_metadata_are_not_configured_and_broken_ones_a_failure() {
    for (operation, status, expected) in [
        ("CreateMetadataToken", 403, None),
        ("CreateMetadataToken", 400, None),
        ("CreateMetadataToken", 500, Some(ErrorKind::Unavailable)),
        ("GetSecurityKey", 404, None),
        ("GetSecurityKey", 500, Some(ErrorKind::Unavailable)),
    ] {
        let world = World::start().await.with_metadata();
        let fault = Fault::new(FaultKind::Status { status, retry_after: None }).operation(operation);
        world.cloud.metadata_faults().add(fault.until_cleared());
        let said = &world.chain().examine().await[3];
        match (&said.result, expected) {
            (Some(Err(Miss::NotConfigured(what))), None) => {
                let expected =
                    if status == 404 { "has no keys" } else { "no metadata service of Huawei Cloud" };
                assert!(what.contains(expected), "{what}");
            }
            (Some(Err(Miss::Failed(error))), Some(kind)) => assert_eq!(error.kind(), kind, "{error}"),
            _ => panic!("{status}: {said:?}"),
        }
    }
}

#[tokio::test]
async fn a_pod_shows_its_token_and_asks_nothing_more() {
    let world = World::start().await.with_pod();
    list(&world.client()).await.unwrap();
    let asked = &world.cloud.metadata_requests()[0];
    let token = std::fs::read_to_string(world.path("pod")).unwrap();
    assert_eq!(asked.header("authorization"), Some(token.trim()));
    assert_eq!((asked.method(), asked.body()), ("POST", &b"{}"[..]));
}

#[tokio::test]
async fn what_is_written_anew_is_used_at_once() -> io::Result<()> {
    let world = World::start().await.with_profile();
    let client = world.client();
    list(&client).await.unwrap();
    world.cloud.put_access_key("AKROTATED00000000001", "n3wSecret");
    world.cloud.remove_access_key(world.cloud.access_key());
    assert_eq!(list(&client).await.unwrap_err().kind(), ErrorKind::Unauthenticated);
    world.write_profile("ak = AKROTATED00000000001\nsk = n3wSecret");
    list(&client).await.unwrap();
    // A file that is gone takes its key along.
    std::fs::remove_file(world.path(".huaweicloud/credentials"))?;
    let error = list(&client).await.unwrap_err();
    assert!(error.message().contains("credentials is not there; set HUAWEICLOUD_SDK_AK"), "{error}");
    Ok(())
}
