//! The vendor's chain: its order, and that nothing hides what is behind it.

use record_callback_core::ErrorKind;
use record_callback_http::{CredentialProvider, Miss, SourceReport};
use record_callback_mock::MockHuaweicloud;

use crate::credential_world::{METADATA, PROJECT, STS, World, list, nobody};

const SDK: [&str; 2] = ["HUAWEICLOUD_SDK_AK", "HUAWEICLOUD_SDK_SK"];
const TERRAFORM: [&str; 2] = ["HW_ACCESS_KEY", "HW_SECRET_KEY"];

#[tokio::test]
async fn the_first_that_is_set_up_in_the_vendors_order_is_used() {
    let mut world = World::start().await.with_oidc().with_idp().with_key(SDK).with_key(TERRAFORM);
    world = world.with_profile().with_metadata().with_pod();
    world.set("HW_PROJECT_ID", world.cloud.project_id().to_owned());
    let file = world.place(".huaweicloud/credentials");
    let metadata = world.cloud.metadata_endpoint().trim_start_matches("http://").to_owned();
    for (removed, origin) in [
        (&[][..], format!("agency {} by OIDC", world.cloud.agency_urn())),
        (&["HUAWEICLOUD_OIDC_"], "environment variable HUAWEICLOUD_SDK_IDP_ID".to_owned()),
        (&["HUAWEICLOUD_SDK_ID"], "environment variable HUAWEICLOUD_SDK_AK".to_owned()),
        (&SDK, "environment variable HW_ACCESS_KEY".to_owned()),
        (&["HW_"], format!("{file} line 2: [basic]")),
        (&["HOME", "USERPROFILE"], format!("ECS metadata of {metadata}")),
        (&[METADATA], "pod identity (environment variable HC_CONTAINER_CREDENTIALS_FULL_URI)".to_owned()),
    ] {
        for prefix in removed {
            world.unset(prefix);
        }
        if removed == [METADATA] {
            world.set(METADATA, nobody().await);
        }
        let key = world.key().await.unwrap();
        assert_eq!(key.origin(), Some(origin.as_str()), "without {removed:?}");
        assert_eq!(key.project_id(), Some(world.cloud.project_id()), "without {removed:?}");
        list(&world.client()).await.unwrap();
    }
    world.unset("HC_CONTAINER_");
    let said = world.chain().examine().await;
    let names: Vec<_> = said.iter().map(|report| report.name.as_str()).collect();
    assert_eq!(names, ["OIDC agency", "environment", "credentials file", "ECS metadata", "pod identity"]);
    assert!(said.iter().all(|report| matches!(report.result, Some(Err(Miss::NotConfigured(_))))), "{said:?}");
    let error = world.key().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthenticated);
    let shown = error.message();
    assert!(shown.starts_with("no credentials were found: set HUAWEICLOUD_SDK_AK and "), "{shown}");
    assert!(shown.len() < 250, "{shown}");
    let said = said.iter().map(|SourceReport { name, result }| match result {
        Some(Err(miss)) => format!("{name}: {miss}"),
        other => panic!("{other:?}"),
    });
    let said = said.collect::<Vec<_>>().join("; ");
    for problem in [
        "OIDC agency: HUAWEICLOUD_OIDC_PROVIDER_URN is not set",
        "environment: none of HUAWEICLOUD_SDK_AK, HW_ACCESS_KEY, OS_ACCESS_KEY is set",
        "credentials file: HUAWEICLOUD_SDK_CREDENTIALS_FILE is not set, and there is no home directory",
        "ECS metadata: no metadata service of Huawei Cloud answers at 127.0.0.1:",
        "pod identity: HC_CONTAINER_CREDENTIALS_FULL_URI is not set",
    ] {
        assert!(said.contains(problem), "{problem}: {said}");
    }
}

#[tokio::test]
async fn metadata_that_cannot_be_reached_or_have_no_keys_hide_no_pod_identity() {
    let unreachable = World::start().await.with_pod();
    let without = World::start_as(MockHuaweicloud::builder().without_agency()).await;
    let without = without.with_metadata().with_pod();
    for world in [unreachable, without] {
        assert!(world.key().await.unwrap().origin().unwrap().starts_with("pod identity"));
        list(&world.client()).await.unwrap();
    }
}

#[tokio::test]
async fn an_sts_that_cannot_be_reached_hides_no_environment() {
    let mut world = World::start().await.with_oidc().with_key(SDK);
    world.set(STS, nobody().await);
    assert_eq!(world.key().await.unwrap().origin(), Some("environment variable HUAWEICLOUD_SDK_AK"));
    list(&world.client()).await.unwrap();
    // Alone, it may be there later.
    world.unset("HUAWEICLOUD_SDK_A").unset("HUAWEICLOUD_SDK_SK");
    let error = world.key().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert!(error.message().contains("AssumeAgencyWithOIDC: no connection"), "{error}");
}

#[tokio::test]
async fn where_no_source_names_a_project_the_regions_is_asked_for_with_the_key_found() {
    for world in [World::start().await.with_metadata(), World::start().await.with_pod()] {
        let mut world = world;
        world.unset(PROJECT);
        list(&world.builder().region(world.cloud.region()).build().unwrap()).await.unwrap();
        assert_eq!(world.cloud.iam_requests()[0].path(), "/v3/projects");
        let error = list(&world.client()).await.unwrap_err();
        assert!(error.message().starts_with("project_id: is not given"), "{error}");
    }
}

#[tokio::test]
async fn a_refused_key_that_looks_like_one_of_aliyun_is_said_to() {
    let mut world = World::start().await.with_key(SDK);
    for (id, looks) in [("LTAI5tAbCdEfGhIjKlMnOpQr", true), ("AKEXAMPLE00000000001", false)] {
        world.set(SDK[0], id);
        let by_region = world.builder().region(world.cloud.region()).env(without_project(&world)).build();
        for client in [world.client(), by_region.unwrap()] {
            let error = list(&client).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unauthenticated);
            let says = error.message().ends_with("by its looks, the access key is one of Aliyun");
            assert_eq!(says, looks, "{error}");
        }
    }
}

fn without_project(world: &World) -> record_callback_http::FixedEnv {
    world.variables.clone().into_iter().filter(|(name, _)| name != PROJECT).collect()
}
