//! Tokens and projects of Huawei Cloud: obtained once, renewed in time, asked again when refused.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use record_callback::http::{AccessKey, Clock as ClientClock, Quotas, StaticCredentials};
use record_callback::huaweicloud::{HuaweicloudClient, HuaweicloudClientBuilder, ListQuery, Login};
use record_callback::{ErrorKind, Result};
use record_callback_mock::{Clock, Fault, FaultKind, MockHuaweicloud};

/// The mock's clock, as the client's.
#[derive(Debug)]
struct Shared(Clock);

impl ClientClock for Shared {
    fn now(&self) -> Timestamp {
        self.0.now()
    }
}

fn midnight() -> Clock {
    Clock::fixed("2026-01-02T00:00:00Z".parse().unwrap())
}

fn client(cloud: &MockHuaweicloud, clock: &Clock) -> HuaweicloudClientBuilder {
    HuaweicloudClient::builder()
        .endpoint(cloud.endpoint())
        .iam_endpoint(cloud.iam_endpoint())
        .region(cloud.region())
        .clock(Shared(clock.clone()))
        .quotas(Quotas::unlimited())
}

fn login(cloud: &MockHuaweicloud) -> Login {
    Login::new(cloud.iam_account(), cloud.iam_user(), cloud.iam_password())
}

async fn list(client: &HuaweicloudClient) -> Result<u32> {
    client
        .list_record_callback_configs(&ListQuery::default())
        .await
        .map(|page| page.total.unwrap_or_default())
}

fn issued(cloud: &MockHuaweicloud) -> usize {
    cloud.iam_requests().iter().filter(|request| request.method() == "POST").count()
}

#[tokio::test]
async fn many_calls_at_once_obtain_one_token_and_ask_for_no_project() {
    let clock = midnight();
    let cloud = MockHuaweicloud::builder().clock(clock.clone()).start().await.unwrap();
    let client = client(&cloud, &clock).login(login(&cloud)).build().unwrap();
    let calls: Vec<_> = (0..64)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move { list(&client).await })
        })
        .collect();
    for call in calls {
        assert_eq!(call.await.unwrap().unwrap(), 0);
    }
    assert_eq!(cloud.requests().len(), 64);
    assert_eq!(cloud.iam_requests().len(), 1, "the token's answer says the project");
}

#[tokio::test]
async fn a_token_is_renewed_before_it_expires() {
    let clock = midnight();
    let cloud = MockHuaweicloud::builder().clock(clock.clone()).start().await.unwrap();
    let client = client(&cloud, &clock).login(login(&cloud)).build().unwrap();
    list(&client).await.unwrap();
    clock.advance(SignedDuration::from_mins(24 * 60 - 41));
    list(&client).await.unwrap();
    assert_eq!(issued(&cloud), 1);
    clock.advance(SignedDuration::from_mins(2));
    list(&client).await.unwrap();
    assert_eq!(issued(&cloud), 2, "39 minutes before its end");
    assert!(cloud.requests().iter().all(|request| request.status() == 200));
}

#[tokio::test]
async fn a_refused_token_is_renewed_once() {
    let clock = midnight();
    let cloud = MockHuaweicloud::builder().clock(clock.clone()).start().await.unwrap();
    let client = client(&cloud, &clock).login(login(&cloud)).build().unwrap();
    list(&client).await.unwrap();
    cloud.revoke_tokens();
    list(&client).await.unwrap();
    assert_eq!(issued(&cloud), 2);
    let statuses: Vec<_> =
        cloud.requests().iter().map(record_callback_mock::ReceivedRequest::status).collect();
    assert_eq!(statuses, [200, 401, 200]);
}

#[tokio::test]
async fn a_token_refused_again_is_an_error() {
    let clock = midnight();
    let cloud = MockHuaweicloud::builder().clock(clock.clone()).start().await.unwrap();
    cloud.faults().add(Fault::new(FaultKind::TokenExpired).until_cleared());
    let client = client(&cloud, &clock).login(login(&cloud)).project_id(cloud.project_id()).build().unwrap();
    let error = list(&client).await.unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::Unauthenticated, Some("APIGW.0307")));
    assert_eq!((cloud.requests().len(), issued(&cloud)), (2, 2));
}

#[tokio::test]
async fn a_token_that_has_ended_already_is_not_used() {
    let clock = midnight();
    let cloud =
        MockHuaweicloud::builder().clock(clock.clone()).token_lifetime(Duration::ZERO).start().await.unwrap();
    let client = client(&cloud, &clock).login(login(&cloud)).project_id(cloud.project_id()).build().unwrap();
    let error = list(&client).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthenticated);
    assert!(error.message().starts_with("was given a credential that ended at "), "{error}");
    assert!(cloud.requests().is_empty());
}

#[tokio::test]
async fn a_given_token_is_used_as_it_is_and_never_renewed() {
    let clock = midnight();
    let cloud = MockHuaweicloud::builder().clock(clock.clone()).start().await.unwrap();
    let client = client(&cloud, &clock).token(cloud.issue_token()).build().unwrap();
    list(&client).await.unwrap();
    let projects = cloud.iam_requests().len();
    assert_eq!(projects, 1, "the region's project is asked once");
    cloud.revoke_tokens();
    let error = list(&client).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthenticated);
    assert_eq!(cloud.iam_requests().len(), projects);
}

#[tokio::test]
async fn a_wrong_password_is_said_by_iam_and_not_tried_again() {
    let clock = midnight();
    let cloud = MockHuaweicloud::builder().clock(clock.clone()).start().await.unwrap();
    let wrong = Login::new(cloud.iam_account(), cloud.iam_user(), "wrong-password");
    let client = client(&cloud, &clock).login(wrong).build().unwrap();
    let error = list(&client).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthenticated);
    assert!(error.to_string().contains("KeystoneCreateUserTokenByPassword"), "{error}");
    assert_eq!((cloud.requests().len(), issued(&cloud)), (0, 1));
    assert!(list(&client).await.is_err());
    assert_eq!(issued(&cloud), 2, "a failure is not remembered");
}

#[tokio::test]
async fn many_calls_at_once_send_a_wrong_password_once() {
    let clock = midnight();
    let cloud = MockHuaweicloud::builder().clock(clock.clone()).start().await.unwrap();
    let wrong = Login::new(cloud.iam_account(), cloud.iam_user(), "wrong-password");
    let client = client(&cloud, &clock).login(wrong).project_id(cloud.project_id()).build().unwrap();
    let calls = (0..64).map(|_| list(&client));
    let results = futures_util::future::join_all(calls).await;
    assert!(results.into_iter().all(|result| result.unwrap_err().kind() == ErrorKind::Unauthenticated));
    assert_eq!(issued(&cloud), 1);
}

#[tokio::test]
async fn the_project_is_asked_once_and_must_be_one() {
    let clock = midnight();
    let cloud = MockHuaweicloud::builder().clock(clock.clone()).start().await.unwrap();
    let key = StaticCredentials::new(AccessKey::new(cloud.access_key(), cloud.secret_key()));
    let found = client(&cloud, &clock).credentials(key.clone()).build().unwrap();
    for _ in 0..3 {
        list(&found).await.unwrap();
    }
    assert_eq!(cloud.iam_requests().len(), 1);

    let none = client(&cloud, &clock).region("cn-north-1").credentials(key).build().unwrap();
    let error = list(&none).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidConfig);
    assert!(error.to_string().contains("the account has 0 projects named `cn-north-1`"), "{error}");
}
