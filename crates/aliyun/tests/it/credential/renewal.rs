use futures_util::future::join_all;
use record_callback_core::ErrorKind;
use record_callback_mock::{Fault, FaultKind};

use super::*;

/// A machine whose current profile assumes a role for an hour.
async fn with_role() -> Machine {
    let machine = Machine::new().await;
    let role = machine.cloud.role_arn();
    machine
        .write_profiles(&[("p", &format!(r#""mode":"RamRoleArn",{},"ram_role_arn":"{role}""#, own_key()))]);
    machine
}

async fn id(credentials: &impl CredentialProvider) -> String {
    credentials.access_key().await.unwrap().id().to_owned()
}

#[tokio::test]
async fn a_session_is_renewed_a_quarter_of_an_hour_before_its_end() {
    let machine = with_role().await;
    let chain = default_chain(&machine.context());
    let first = id(&chain).await;
    for (pass, expected) in [(44, 1), (1, 2), (44, 2), (1, 3)] {
        machine.pass(pass);
        let now = id(&chain).await;
        assert_eq!((machine.sts().len(), now == first), (expected, expected == 1));
        machine.call(chain.clone()).await.unwrap();
    }
}

#[tokio::test]
async fn a_client_outlives_its_sessions() {
    let mut machine = Machine::new().await;
    machine.with_oidc();
    let from_metadata = Machine::new().await;
    for machine in [machine, from_metadata] {
        let client = machine.client(default_chain(&machine.context()));
        for _ in 0..20 {
            client.describe_live_record_notify_config(DOMAIN).await.unwrap();
            machine.pass(50);
        }
    }
}

#[tokio::test]
async fn fifty_callers_make_one_call_of_sts() {
    let machine = with_role().await;
    let chain = default_chain(&machine.context());
    let ids = join_all((0..50).map(|_| id(&chain))).await;
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    assert_eq!(machine.sts().len(), 1);
}

#[tokio::test]
async fn a_session_is_used_to_its_end_while_sts_fails() {
    let machine = with_role().await;
    let credentials = profile(&machine.context(), "p");
    let first = id(&credentials).await;
    machine.cloud.sts_faults().add(Fault::new(FaultKind::Unavailable).until_cleared());
    machine.pass(59);
    assert_eq!(id(&credentials).await, first);
    machine.pass(1);
    let error = credentials.access_key().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    let said = format!("the role {} was not given: aliyun AssumeRole: ", machine.cloud.role_arn());
    assert!(machine.shown(&error).contains(&said), "{error}");
    machine.cloud.sts_faults().clear();
    assert_ne!(id(&credentials).await, first);
    machine.call(credentials).await.unwrap();
}

#[tokio::test]
async fn a_clock_that_is_off_by_a_day_makes_no_difference() {
    for days in [-1, 1] {
        let mut machine = with_role().await;
        machine.ahead = SignedDuration::from_hours(24 * days);
        let chain = default_chain(&machine.context());
        let client = machine.client(chain.clone());
        for (pass, renewals) in [(0, 1), (44, 1), (1, 2)] {
            machine.pass(pass);
            client.describe_live_record_notify_config(DOMAIN).await.unwrap();
            // The first of all was refused for its time.
            assert_eq!(machine.sts().len(), renewals + 1, "{days} after {pass}");
        }
    }
}

#[tokio::test]
async fn a_chained_role_asks_its_sources_own_cache() {
    let machine = Machine::new().await;
    let role = format!(r#""ram_role_arn":"{}""#, machine.cloud.role_arn());
    let base = format!(r#""mode":"RamRoleArn",{},{role},"expired_seconds":7200"#, own_key());
    let chained = format!(r#""mode":"ChainableRamRoleArn","source_profile":"base",{role}"#);
    machine.write_profiles(&[("chained", &chained), ("base", &base)]);
    let chain = default_chain(&machine.context());
    // Minutes, and how many calls the source made of all.
    for (pass, by_source, of_all) in [(0, 1, 2), (45, 1, 3), (45, 1, 4), (45, 2, 6)] {
        machine.pass(pass);
        machine.call(chain.clone()).await.unwrap();
        let made = machine.sts();
        let with_own_key = made.iter().filter(|(_, by)| by == KEY_ID).count();
        assert_eq!((with_own_key, made.len()), (by_source, of_all), "after {pass}");
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_program_that_says_no_end_is_asked_again_after_five_minutes() {
    let machine = Machine::new().await;
    let script = format!("echo x >> \"$0\"; echo '{{{}}}'", own_key());
    let script = machine.write("script", script);
    let asked = machine.home.path().join("asked");
    let command = format!("sh -c '. {}' {}", script.display(), asked.display());
    machine.write_profiles(&[("p", &format!(r#""mode":"External","process_command":"{command}""#))]);
    let chain = default_chain(&machine.context());
    for (pass, times) in [(0, 1), (4, 1), (1, 2)] {
        machine.pass(pass);
        assert_eq!(id(&chain).await, KEY_ID);
        assert_eq!(std::fs::read_to_string(&asked).unwrap().lines().count(), times, "after {pass}");
    }
}

#[tokio::test]
async fn a_session_that_was_taken_away_is_replaced_and_the_call_sent_again() {
    let machine = with_role().await;
    let chain = default_chain(&machine.context());
    let client = machine.client(chain.clone());
    let describe = async || client.describe_live_record_notify_config(DOMAIN).await.map(drop);
    describe().await.unwrap();
    let first = id(&chain).await;
    assert!(machine.cloud.remove_access_key(&first));
    describe().await.unwrap();
    assert_ne!(id(&chain).await, first);
    assert_eq!(machine.sts().len(), 2);

    // What nobody issued for a time has no other.
    let key = AccessKey::new("LTAIofNobody", "s3cr3t");
    let client = machine.client(StaticCredentials::new(key));
    let before = machine.cloud.requests().len();
    let error = client.describe_live_record_notify_config(DOMAIN).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthenticated);
    assert_eq!(machine.cloud.requests().len() - before, 1);
}

#[tokio::test]
async fn a_page_is_no_metadata_token_and_no_role() {
    let machine = Machine::new().await;
    let page = Fault::new(FaultKind::Page { status: 200 });
    machine.cloud.metadata_faults().add(page.until_cleared());
    assert!(machine.origin().await.is_err());
    let asked: Vec<_> = machine.cloud.metadata_requests().iter().map(|one| one.path().to_owned()).collect();
    assert!(asked.iter().all(|path| !path.contains('%')), "{asked:?}");
}
