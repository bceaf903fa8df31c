use record_callback_core::ErrorKind;
use record_callback_mock::{Fault, FaultKind, Imds};

use super::*;

const V1_DISABLED: &str = "ALIBABA_CLOUD_IMDSV1_DISABLED";
const ROLE: &str = "ALIBABA_CLOUD_ECS_METADATA";

/// The methods and paths the metadata service was asked for.
fn asked(machine: &Machine) -> Vec<String> {
    let shown = |request: &ReceivedRequest| {
        let path = request.path().replace("/latest/meta-data/ram/security-credentials/", "…/");
        format!("{} {path}", request.method())
    };
    machine.cloud.metadata_requests().iter().map(shown).collect()
}

#[tokio::test]
async fn both_versions_of_the_service_give_the_roles_key() {
    const TOKEN: &str = "PUT /latest/api/token";
    for imds in [Imds::V1AndV2, Imds::V2Only, Imds::V1Only] {
        let mut machine = Machine::with(|cloud| cloud.imds(imds)).await;
        assert_eq!(machine.origin().await.unwrap(), "ECS metadata");
        assert_eq!(asked(&machine), [TOKEN, "GET …/", "GET …/mock-ecs-role"], "{imds:?}");
        let with_token = machine.cloud.metadata_requests()[2].header("x-aliyun-ecs-metadata-token").is_some();
        assert_eq!(with_token, imds != Imds::V1Only);
        // Nobody asks for the role that is named.
        machine.set(ROLE, "mock-ecs-role");
        assert_eq!(machine.origin().await.unwrap(), "ECS metadata, role mock-ecs-role");
        assert_eq!(asked(&machine)[3..], [TOKEN, "GET …/mock-ecs-role"], "{imds:?}");
    }
}

#[tokio::test]
async fn without_tokens_the_first_version_is_used_unless_it_is_disabled() {
    let mut machine = Machine::with(|cloud| cloud.imds(Imds::V1Only)).await;
    machine.set(V1_DISABLED, "true");
    let shown = machine.shown(&machine.origin().await.unwrap_err());
    assert!(shown.contains("ECS metadata: ECS metadata: aliyun metadata token: answered 404"), "{shown}");
    assert_eq!(asked(&machine), ["PUT /latest/api/token"]);

    let mut machine = Machine::new().await;
    machine.set(V1_DISABLED, "true");
    machine.origin().await.unwrap();
}

#[tokio::test]
async fn where_nobody_answers_or_there_is_no_role_nothing_was_set_up() {
    for (role, v1_disabled) in
        [(None, "false"), (None, "true"), (Some("a-role"), "false"), (Some("a-role"), "true")]
    {
        let mut machine = Machine::new().await;
        machine.cloud.refuse_metadata_connections().await.unwrap();
        machine.set(V1_DISABLED, v1_disabled);
        if let Some(role) = role {
            machine.set(ROLE, role);
        }
        let shown = machine.said().await;
        let said = match role {
            None => "ECS metadata: no ECS metadata service answers at 127.0.0.1:",
            Some(_) => "ECS metadata: ECS metadata, role a-role: aliyun metadata ",
        };
        assert!(shown.contains(said), "{shown}");
    }
    let machine = Machine::with(MockAliyunBuilder::without_ecs_role).await;
    let shown = machine.said().await;
    assert!(shown.contains("knows no role of this instance"), "{shown}");
}

#[tokio::test]
async fn a_service_that_gave_a_key_before_has_failed_when_it_is_silent() {
    let mut machine = Machine::new().await;
    machine.write_profiles(&[("p", r#""mode":"EcsRamRole""#)]);
    // By name it counts all the same.
    machine.set("ALIBABA_CLOUD_CLI_PROFILE_DISABLED", "true");
    let (chain, by_name) = (default_chain(&machine.context()), profile(&machine.context(), "p"));
    chain.access_key().await.unwrap();
    by_name.access_key().await.unwrap();
    machine.cloud.refuse_metadata_connections().await.unwrap();
    machine.pass(24 * 60);
    for (result, origin) in
        [(chain.access_key().await, "ECS metadata"), (by_name.access_key().await, "(EcsRamRole)")]
    {
        let error = result.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
        assert!(machine.shown(&error).contains(&format!("{origin}: aliyun metadata ")), "{error}");
    }
}

#[tokio::test]
async fn an_answer_that_is_no_key_is_told_by_its_status() {
    let mut machine = Machine::new().await;
    machine.set(ROLE, "mock-ecs-role");
    for (fault, said) in [
        (FaultKind::Status { status: 500, retry_after: None }, "metadata key: answered 500"),
        (FaultKind::Garble, "metadata key: answered 200 with"),
        (FaultKind::Denied, "metadata key: answered 403"),
    ] {
        machine.cloud.metadata_faults().add(Fault::new(fault).operation("GetMetadataRoleCredentials"));
        let shown = machine.shown(&machine.origin().await.unwrap_err());
        assert!(shown.contains(said), "{said}: {shown}");
    }
    machine.origin().await.unwrap();
}

#[tokio::test]
async fn an_endpoint_in_plain_http_has_to_be_this_machine() {
    let mut machine = Machine::new().await;
    machine.set("RECORD_CALLBACK_ALIYUN_METADATA_ENDPOINT", "http://metadata.example.com");
    let shown = machine.shown(&machine.origin().await.unwrap_err());
    assert!(shown.contains("RECORD_CALLBACK_ALIYUN_METADATA_ENDPOINT: is plain http"), "{shown}");
}

#[tokio::test]
async fn a_service_that_stays_silent_is_given_a_second_a_try() {
    let machine = Machine::new().await;
    machine.cloud.metadata_faults().add(Fault::new(FaultKind::Stall).until_cleared());
    let chain = default_chain(&machine.context());
    tokio::time::pause();
    let before = tokio::time::Instant::now();
    chain.access_key().await.unwrap_err();
    // One for the token, one for the role.
    assert_eq!(before.elapsed().as_secs(), 2);
}
