//! How long keys are kept, by the cloud's clock.

use std::time::Duration;

use futures_util::future::join_all;
use jiff::SignedDuration;
use record_callback_core::ErrorKind;
use record_callback_http::CredentialProvider;
use record_callback_huaweicloud::Login;
use record_callback_mock::{Fault, FaultKind, MockHuaweicloud, ReceivedRequest};

use crate::credential_world::{World, list};

/// A world for each source that asks somebody for keys, all of which end after an hour, and what one fetch asks.
async fn fetching() -> [(World, &'static str, usize); 4] {
    let hour = || MockHuaweicloud::builder().session_lifetime(Duration::from_secs(3600));
    [
        (World::start_as(hour()).await.with_oidc(), "OIDC", 1),
        (World::start_as(hour()).await.with_idp(), "provider", 2),
        (World::start_as(hour()).await.with_metadata(), "metadata", 2),
        (World::start_as(hour()).await.with_pod(), "pod", 1),
    ]
}

fn asked(world: &World) -> usize {
    world.cloud.iam_requests().len() + world.cloud.metadata_requests().len()
}

fn break_down(world: &World) {
    for faults in [world.cloud.iam_faults(), world.cloud.metadata_faults()] {
        faults.add(Fault::new(FaultKind::Unavailable).until_cleared());
    }
}

fn repair(world: &World) {
    world.cloud.iam_faults().clear();
    world.cloud.metadata_faults().clear();
}

/// How long a key of the source is good, and for how long it is used: 40 minutes less, but not less than two thirds.
fn minutes(source: &str) -> (i64, i64) {
    if source == "provider" { (360, 320) } else { (60, 40) }
}

#[tokio::test]
async fn a_key_is_fetched_once_for_all_and_renewed_before_its_end() {
    for (world, source, fetch) in fetching().await {
        let client = world.client();
        let all = join_all((0..50).map(|_| list(&client))).await;
        assert!(all.into_iter().all(|result| result.is_ok()), "{source}");
        assert_eq!(asked(&world), fetch, "{source}");
        let (_, used) = minutes(source);
        for (pass, fetches) in [(used - 1, 1), (1, 2), (used - 1, 2), (1, 3)] {
            world.pass(pass);
            list(&client).await.unwrap();
            assert_eq!(asked(&world), fetch * fetches, "{source}");
        }
    }
}

#[tokio::test]
async fn the_old_key_is_used_to_its_end_while_there_is_no_new_one() {
    for (world, source, _) in fetching().await {
        let chain = world.chain();
        let first = chain.access_key().await.unwrap();
        let (good, used) = minutes(source);
        world.pass(used);
        break_down(&world);
        assert_eq!(chain.access_key().await.unwrap().id(), first.id(), "{source}");
        world.pass(good - used - 1);
        assert_eq!(chain.access_key().await.unwrap().id(), first.id(), "{source}");
        world.pass(1);
        let error = chain.access_key().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{source}: {error}");
        repair(&world);
        assert_ne!(chain.access_key().await.unwrap().id(), first.id(), "{source}");
    }
}

#[tokio::test]
async fn metadata_that_gave_a_key_and_are_gone_are_a_failure_that_may_pass() {
    let world = World::start().await.with_metadata();
    let chain = world.chain();
    chain.access_key().await.unwrap();
    world.cloud.refuse_metadata_connections().await.unwrap();
    world.pass(24 * 60);
    assert_eq!(chain.access_key().await.unwrap_err().kind(), ErrorKind::Unavailable);
}

#[tokio::test]
async fn each_fetch_reads_the_token_there_is_then() {
    for (world, source, _) in fetching().await {
        let (name, new) = match source {
            "OIDC" => ("oidc", world.cloud.issue_id_token()),
            "provider" => ("idp", world.cloud.issue_id_token()),
            "pod" => ("pod", world.cloud.issue_pod_token()),
            _ => continue,
        };
        let chain = world.chain();
        chain.access_key().await.unwrap();
        let old = std::fs::read_to_string(world.path(name)).unwrap();
        world.write(name, &new);
        chain.access_key().await.unwrap();
        world.pass(minutes(source).1);
        chain.access_key().await.unwrap();
        let requests = [world.cloud.iam_requests(), world.cloud.metadata_requests()].concat();
        let shown = |token: &str| {
            let is_shown = |request: &&ReceivedRequest| {
                String::from_utf8_lossy(request.body()).contains(token)
                    || request.header("authorization") == Some(token)
            };
            requests.iter().filter(is_shown).count()
        };
        assert_eq!((shown(old.trim()), shown(&new)), (1, 1), "{source}");
    }
}

#[tokio::test]
async fn a_key_exchanged_for_a_file_is_kept_until_the_file_names_another_user() {
    let world = World::start().await;
    let name = |file: &str, comment: &str| {
        let token = world.write(file, &world.cloud.issue_id_token());
        let (idp, token) = (world.cloud.idp_id(), token.display());
        world.write_profile(&format!("{comment}\nidp_id = {idp}\nid_token_file = {token}"));
    };
    let chain = world.chain();
    for (file, comment, asked) in [("a", "", 2), ("a", "", 2), ("a", "# the same", 2), ("b", "", 4)] {
        name(file, comment);
        chain.access_key().await.unwrap();
        assert_eq!(world.cloud.iam_requests().len(), asked, "{file}{comment}");
    }
}

#[tokio::test]
async fn a_wrong_clock_makes_no_difference_to_keys() {
    for hours in [-24, 24] {
        for (mut world, source, fetch) in fetching().await {
            world.ahead = SignedDuration::from_hours(hours);
            let client = world.client();
            list(&client).await.unwrap();
            list(&client).await.unwrap();
            assert_eq!(asked(&world), fetch, "{source}, {hours}");
        }
    }
}

#[tokio::test]
async fn a_login_with_a_wrong_clock_is_made_once() {
    for hours in [-24, 24] {
        let mut world = World::start().await;
        world.ahead = SignedDuration::from_hours(hours);
        let cloud = &world.cloud;
        let login = Login::new(cloud.iam_account(), cloud.iam_user(), cloud.iam_password());
        let client = world.builder().project_id(cloud.project_id()).login(login).build().unwrap();
        for _ in 0..3 {
            list(&client).await.unwrap();
        }
        assert_eq!(cloud.iam_requests().len(), 1, "{hours}");
        world.pass(24 * 60 - 40);
        list(&client).await.unwrap();
        assert_eq!(world.cloud.iam_requests().len(), 2, "{hours}");
    }
}

#[tokio::test]
async fn a_key_that_was_taken_away_is_replaced_and_the_call_sent_again() {
    for (world, source, fetch) in fetching().await {
        let chain = world.chain();
        let client = world.builder().credentials(chain.clone()).build().unwrap();
        list(&client).await.unwrap();
        let first = chain.access_key().await.unwrap();
        assert!(world.cloud.remove_access_key(first.id()), "{source}");
        let result = list(&client).await;
        let second = chain.access_key().await.unwrap();
        let statuses: Vec<_> = world.cloud.requests().iter().map(ReceivedRequest::status).collect();
        if second.id() == first.id() {
            // The machine's services give the same one for a while: it is not tried again.
            assert_eq!((result.unwrap_err().kind(), statuses), (ErrorKind::Unauthenticated, vec![200, 401]));
        } else {
            result.unwrap();
            assert_eq!(statuses, [200, 401, 200], "{source}");
            assert_eq!(asked(&world), 2 * fetch, "{source}");
        }
    }
}

/// Another key may be another account's, whose project of the region is another.
#[tokio::test]
async fn the_project_of_a_region_is_asked_for_each_holder_of_keys() {
    let other = ("OTHERACCOUNTSKEY0001", "s3cr3t-of-the-other");
    let cloud = MockHuaweicloud::builder().access_key("FIRSTACCOUNTSKEY0001", "s3cr3t-of-the-first");
    let mut world = World::start_as(cloud.access_key(other.0, other.1)).await;
    world.unset("HUAWEICLOUD_SDK_PROJECT_ID");
    world.write(".huaweicloud/credentials", "[basic]\nak = FIRSTACCOUNTSKEY0001\nsk = s3cr3t-of-the-first\n");
    let client = world.builder().region(world.cloud.region()).build().unwrap();
    for asked in [1, 1] {
        list(&client).await.unwrap();
        assert_eq!(world.cloud.iam_requests().len(), asked);
    }
    world.write(".huaweicloud/credentials", &format!("[basic]\nak = {}\nsk = {}\n", other.0, other.1));
    for asked in [2, 2] {
        list(&client).await.unwrap();
        assert_eq!(world.cloud.iam_requests().len(), asked);
    }
}

/// Temporary keys change their ids and stay the same holder's.
#[tokio::test]
async fn the_project_of_a_region_is_not_asked_for_each_temporary_key() {
    let mut world = World::start().await.with_oidc();
    world.unset("HUAWEICLOUD_SDK_PROJECT_ID");
    let client = world.builder().region(world.cloud.region()).build().unwrap();
    for asked in [2, 3, 4] {
        list(&client).await.unwrap();
        assert_eq!(world.cloud.iam_requests().len(), asked, "a key each hour, the project once");
        world.pass(60);
    }
}
