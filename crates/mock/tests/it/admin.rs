//! The admin port.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use record_callback_mock::{
    AliyunConfig, Fault, FaultKind, HuaweicloudConfig, MockAdmin, MockAliyun, MockAliyunBuilder,
    MockHuaweicloud,
};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::client::{ALIYUN_TIME, Aliyun, Reply, clock, http};
use crate::receiver::Receiver;

struct Mocks {
    aliyun: MockAliyun,
    huaweicloud: MockHuaweicloud,
    admin: MockAdmin,
}

impl Mocks {
    async fn start() -> Self {
        Self::with(MockAliyun::builder()).await
    }

    async fn with(aliyun: MockAliyunBuilder) -> Self {
        let aliyun = aliyun.start().await.unwrap();
        let huaweicloud = MockHuaweicloud::builder().start().await.unwrap();
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let admin = MockAdmin::start(any, &aliyun, &huaweicloud).await.unwrap();
        Self { aliyun, huaweicloud, admin }
    }

    async fn send(&self, method: Method, path: &str, body: Value) -> Reply {
        let request = http().request(method, format!("{}{path}", self.admin.endpoint()));
        Reply::to(request.body(body.to_string())).await
    }
}

#[tokio::test]
async fn faults_are_added_shown_and_forgotten() {
    let mocks = Mocks::start().await;
    let fault = json!({"fault": "status", "status": 503, "retry_after": "7", "times": 2});
    let more = json!([{"fault": "reset", "when": "after", "operation": "AddLiveRecordNotifyConfig"}]);
    for body in [fault, more] {
        assert_eq!(mocks.send(Method::POST, "/aliyun/faults", body).await.status, 204);
    }
    let kind = FaultKind::Status { status: 503, retry_after: Some("7".to_owned()) };
    let reset = Fault::new(FaultKind::Reset).after().operation("AddLiveRecordNotifyConfig");
    assert_eq!(mocks.aliyun.faults().to_come(), [Fault::new(kind).times(2), reset]);
    let shown = mocks.send(Method::GET, "/aliyun/faults", Value::Null).await;
    assert_eq!(shown.json[0]["status"], 503);
    assert_eq!(http().get(mocks.aliyun.endpoint()).send().await.unwrap().status(), 503);
    assert_eq!(mocks.send(Method::DELETE, "/aliyun/faults", Value::Null).await.status, 204);
    assert!(mocks.aliyun.faults().to_come().is_empty());
    let requests = mocks.send(Method::GET, "/aliyun/requests", Value::Null).await;
    let expected = json!({
        "method": "GET", "path": "/", "operation": null, "status": 503, "code": null, "fault": "status",
    });
    assert_eq!(requests.json, json!([expected]));
    let counts = mocks.send(Method::GET, "/aliyun", Value::Null).await;
    assert_eq!(counts.json, json!({"requests": 1, "struck": 1}));
}

#[tokio::test]
async fn the_services_that_give_out_keys_fail_apart_from_the_clouds_and_share_their_time() {
    let mocks = Mocks::start().await;
    let (aliyun, huaweicloud) = (&mocks.aliyun, &mocks.huaweicloud);
    let services = [
        ("aliyun-sts", aliyun.sts_endpoint(), aliyun.sts_faults()),
        ("aliyun-metadata", aliyun.metadata_endpoint(), aliyun.metadata_faults()),
        ("huaweicloud-metadata", huaweicloud.metadata_endpoint(), huaweicloud.metadata_faults()),
    ];
    for (name, endpoint, faults) in services {
        let fault = json!({"fault": "page", "status": 502});
        assert_eq!(mocks.send(Method::POST, &format!("/{name}/faults"), fault).await.status, 204);
        assert_eq!(faults.to_come().len(), 1);
        assert_eq!(http().get(endpoint).send().await.unwrap().status(), 502);
        let counts = mocks.send(Method::GET, &format!("/{name}"), Value::Null).await;
        assert_eq!(counts.json, json!({"requests": 1, "struck": 1}), "{name}");
        let refused = json!({"refused": true});
        assert_eq!(mocks.send(Method::PUT, &format!("/{name}/connections"), refused).await.status, 204);
        assert!(http().get(endpoint).send().await.unwrap_err().is_connect(), "{name}");
    }
    let ahead = json!({"ahead_seconds": 3600});
    assert_eq!(mocks.send(Method::PUT, "/aliyun-metadata/clock", ahead).await.status, 204);
    assert!(aliyun.clock().now().duration_since(huaweicloud.clock().now()).as_secs() >= 3590);
    assert!(aliyun.requests().is_empty() && huaweicloud.requests().is_empty());
}

#[tokio::test]
async fn unsafe_hosts_are_set_where_they_matter() {
    let mocks = Mocks::with(MockAliyun::builder().clock(clock(ALIYUN_TIME))).await;
    let hosts = json!(["cb.example.com"]);
    assert_eq!(mocks.send(Method::PUT, "/aliyun/unsafe-hosts", hosts.clone()).await.status, 204);
    let url = ("NotifyUrl", "https://cb.example.com/n");
    let caller = Aliyun::new(&mocks.aliyun);
    let refused = caller.rpc("AddLiveRecordNotifyConfig", &[("DomainName", "live.example.com"), url]).await;
    assert_eq!(refused.outcome(), (400, "InvalidNotifyUrl.Unsafe"));
    assert_eq!(mocks.send(Method::PUT, "/huaweicloud/unsafe-hosts", hosts).await.status, 404);
}

#[tokio::test]
async fn what_is_not_understood_changes_nothing_and_says_why() {
    let mocks = Mocks::start().await;
    for (body, problem) in [
        (json!({"fault": "explode"}), "unknown variant `explode`"),
        (json!({"fault": "reset", "opration": "Add"}), "unknown field `opration`"),
        (json!({"fault": "status", "status": 42}), "status 42 is not 200 to 599"),
        (json!([{"fault": "reset"}, {"fault": "reset", "rate": 2}]), "rate 2 is not 0 to 1"),
        (json!("reset"), "invalid type"),
        (json!({"fault": "large", "bytes": 1_000_000_000_000_u64}), "bytes are more than 67108864"),
    ] {
        let reply = mocks.send(Method::POST, "/huaweicloud/faults", body).await;
        assert_eq!(reply.status, 400);
        assert!(reply.at("/error").contains(problem), "{}", reply.text);
        assert!(mocks.huaweicloud.faults().to_come().is_empty());
    }
    let reply = mocks.send(Method::GET, "/tencent/faults", Value::Null).await;
    let known = "there is no cloud `tencent`: there are aliyun, aliyun-metadata, aliyun-sts, \
                 huaweicloud, huaweicloud-iam, huaweicloud-metadata";
    assert_eq!((reply.status, reply.at("/error")), (404, known));
    assert_eq!(mocks.send(Method::DELETE, "/aliyun/tokens", Value::Null).await.status, 404);
    let reply = mocks.send(Method::PUT, "/aliyun/clock", json!({"ahead": 1})).await;
    assert_eq!(reply.status, 400);
}

#[tokio::test]
async fn events_are_sent_as_configured_and_logged() {
    let mocks = Mocks::start().await;
    let event =
        || json!({"domain": "live.example.com", "app": "app", "stream": "stream", "uri": "app/1.flv"});
    let send = |cloud: &str, body: Value| {
        let path = format!("/{cloud}/events");
        let mocks = &mocks;
        async move { mocks.send(Method::POST, &path, body).await.json }
    };
    let nothing = |outcome: &str| json!({"outcome": outcome, "attempts": 0, "acknowledged": false});
    assert_eq!(send("aliyun", event()).await, nothing("no_config"));

    let receiver = Receiver::start().await;
    mocks.aliyun.put_config(AliyunConfig::new("live.example.com", receiver.url("/n")));
    let mut started = event();
    started["event"] = json!("record_started");
    assert_eq!(send("aliyun", started).await, nothing("not_subscribed"));
    let delivered = json!({"outcome": "delivered", "attempts": 1, "acknowledged": true});
    assert_eq!(send("aliyun", event()).await, delivered);

    let config = HuaweicloudConfig {
        notify_callback_url: Some(receiver.url("/n")),
        ..HuaweicloudConfig::new("push.example.com", "*")
    };
    mocks.huaweicloud.put_config(config);
    let complete =
        json!({"event_type": "RECORD_FILE_COMPLETE", "publish_domain": "push.example.com", "app": "live"});
    assert_eq!(send("huaweicloud", complete).await, delivered);
    assert_eq!(send("huaweicloud-iam", event()).await["error"], "there is no event of `huaweicloud-iam`");
}

#[tokio::test]
async fn time_connections_and_tokens_are_in_its_hands() {
    let mocks = Mocks::start().await;
    let before = mocks.aliyun.clock().now();
    let ahead = json!({"ahead_seconds": 3600});
    assert_eq!(mocks.send(Method::PUT, "/aliyun/clock", ahead).await.status, 204);
    assert!(mocks.aliyun.clock().now().duration_since(before).as_secs() >= 3600);

    let refused = |refused: bool| json!({ "refused": refused });
    assert_eq!(mocks.send(Method::PUT, "/huaweicloud/connections", refused(true)).await.status, 204);
    assert!(http().get(mocks.huaweicloud.endpoint()).send().await.unwrap_err().is_connect());
    assert_eq!(mocks.send(Method::PUT, "/huaweicloud/connections", refused(false)).await.status, 204);
    assert_eq!(http().get(mocks.huaweicloud.endpoint()).send().await.unwrap().status(), 404);

    let token = mocks.huaweicloud.issue_token();
    let with_token = || {
        let url = format!(
            "{}/v1/{}/record/callbacks",
            mocks.huaweicloud.endpoint(),
            mocks.huaweicloud.project_id()
        );
        Reply::to(http().get(url).header("x-auth-token", &token))
    };
    assert_eq!(with_token().await.status, 200);
    assert_eq!(mocks.send(Method::DELETE, "/huaweicloud-iam/tokens", Value::Null).await.status, 204);
    assert_eq!(with_token().await.outcome(), (401, "APIGW.0307"));
    // A request that never ends does not hold it up.
    let admin = mocks.admin.endpoint().trim_start_matches("http://").to_owned();
    let mut half = TcpStream::connect(admin).await.unwrap();
    half.write_all(b"POST /aliyun/faults HTTP/1.1\r\ncontent-length: 10\r\n\r\n{").await.unwrap();
    timeout(Duration::from_secs(30), mocks.admin.shutdown()).await.unwrap();
}
