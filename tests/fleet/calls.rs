//! The calls a plan makes, counted by the mock clouds.

use record_callback::http::{AccessKey, Quotas, StaticCredentials};
use record_callback::huaweicloud::{HuaweicloudClient, HuaweicloudProvider};
use record_callback_mock::{HuaweicloudConfig, MockHuaweicloud};

use crate::support::{Fleet, clouds, manifest};

const CALLBACKS: usize = 1_000;

#[tokio::test]
async fn a_plan_of_a_thousand_callbacks_takes_ten_lists_and_no_read() {
    let mock = MockHuaweicloud::builder().start().await.expect("the mock starts");
    for number in 0..CALLBACKS {
        let mut config = HuaweicloudConfig::new(format!("d{number}.example.com"), "*");
        config.notify_callback_url = Some(format!("https://cb.example.com/there/{number}"));
        mock.put_config(config);
    }
    let key = AccessKey::new(mock.access_key(), mock.secret_key());
    let client = HuaweicloudClient::builder()
        .endpoint(mock.endpoint())
        .project_id(mock.project_id())
        .credentials(StaticCredentials::new(key))
        .quotas(Quotas::unlimited())
        .build()
        .expect("the options are right");
    let fleet = Fleet::new(manifest(CALLBACKS, None, "there"));
    let plan = fleet.plan(&clouds(HuaweicloudProvider::new(client))).await;
    assert!(plan.is_clean() && plan.steps.len() == CALLBACKS, "{:?}", plan.counts());
    let operations: Vec<_> =
        mock.requests().iter().map(|request| request.operation().map(str::to_owned)).collect();
    assert_eq!(operations.len(), CALLBACKS.div_ceil(100), "{operations:?}");
    println!("{} calls for {CALLBACKS} callbacks", operations.len());
}
