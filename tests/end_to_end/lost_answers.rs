//! The cloud did it, and its answer was lost.

use record_callback::{Fidelity, RecordCallbackConfig};
use record_callback_mock::{Fault, FaultKind, ReceivedRequest};
use record_callback_tests::{Cloud, Mock, MockCloud};

const URL: &str = "https://cb.example.com/recorded";

fn config(url: &str) -> RecordCallbackConfig {
    RecordCallbackConfig::builder("live.example.com", url).build().unwrap()
}

async fn start(cloud: Cloud) -> MockCloud {
    cloud.start(&[config(URL).domain().clone()]).await
}

/// The answered requests whose operation begins with one of `names`, which are both vendors' words.
fn of(cloud: &MockCloud, names: [&str; 2]) -> Vec<ReceivedRequest> {
    let begins =
        |operation: Option<&str>| names.iter().any(|name| operation.is_some_and(|o| o.starts_with(name)));
    cloud.mock.requests().into_iter().filter(|request| begins(request.operation())).collect()
}

#[tokio::test]
async fn a_create_is_settled_by_reading_back_and_sent_once() {
    for way in Cloud::ALL {
        let cloud = start(way).await;
        cloud.wire.lose_next_answer();
        cloud.provider.create(&config(URL), Fidelity::Exact).await.unwrap();
        assert_eq!(cloud.wire.lost(), 1, "{way:?}");
        assert_eq!(of(&cloud, ["Add", "Create"]).len(), 1, "{way:?}");
        let found = cloud.provider.get(&config(URL).key()).await.unwrap().unwrap();
        assert_eq!(found.notify_url.as_deref(), Some(URL));
    }
}

#[tokio::test]
async fn an_update_is_sent_again_with_a_fresh_signature() {
    for way in Cloud::ALL {
        let cloud = start(way).await;
        cloud.provider.create(&config(URL), Fidelity::Exact).await.unwrap();
        let changed = config("https://cb.example.com/changed");
        // Reads come before the write on one vendor and not on the other: lose each answer once.
        for _ in 0..2 {
            cloud.wire.lose_next_answer();
            cloud.provider.update(&changed, Fidelity::Exact).await.unwrap();
        }
        assert_eq!(cloud.wire.lost(), 2, "{way:?}");
        let found = cloud.provider.get(&changed.key()).await.unwrap().unwrap();
        assert_eq!(found.notify_url.as_deref(), Some("https://cb.example.com/changed"));
        if let Mock::Aliyun(mock) = &cloud.mock {
            let refused: Vec<_> = mock.requests().into_iter().filter(|r| r.code().is_some()).collect();
            assert!(refused.is_empty(), "a replayed nonce would be refused: {refused:?}");
        }
    }
}

#[tokio::test]
async fn a_delete_that_happened_is_done() {
    for way in Cloud::ALL {
        let cloud = start(way).await;
        cloud.provider.create(&config(URL), Fidelity::Exact).await.unwrap();
        // Not the answer of the look-up that may come first.
        let operation = match &cloud.mock {
            Mock::Aliyun(_) => "DeleteLiveRecordNotifyConfig",
            Mock::Huaweicloud(_) => "DeleteRecordCallbackConfig",
        };
        cloud.mock.faults().add(Fault::new(FaultKind::Reset).after().operation(operation));
        cloud.provider.delete(&config(URL).key()).await.unwrap();
        assert_eq!(cloud.mock.faults().struck(), 1, "{way:?}");
        let deletes: Vec<_> = of(&cloud, ["Delete", "Delete"]).iter().map(ReceivedRequest::status).collect();
        assert_eq!(deletes.len(), 2, "{way:?}: {deletes:?}");
        assert_eq!(deletes[1], 404, "{way:?}: the second found nothing, and that is what was wanted");
        assert!(cloud.provider.get(&config(URL).key()).await.unwrap().is_none());
    }
}
