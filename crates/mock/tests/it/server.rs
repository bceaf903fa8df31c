//! What both mocks share: listening, counting, recording, stopping.

use std::{collections::HashSet, net::SocketAddr, time::Duration};

use record_callback_mock::{AliyunConfig, HuaweicloudConfig, MockAliyun, MockHuaweicloud};
use tokio::{net::TcpStream, task::yield_now, time::timeout};

use crate::client::{Aliyun, Huaweicloud, Reply, http};

fn addr(endpoint: &str) -> SocketAddr {
    endpoint.trim_start_matches("http://").parse().unwrap()
}

async fn wait_until_refused(addr: SocketAddr) {
    let refused = async {
        while TcpStream::connect(addr).await.is_ok() {
            yield_now().await;
        }
    };
    timeout(Duration::from_secs(10), refused).await.unwrap();
}

#[tokio::test]
async fn mocks_listen_on_loopback_ports_of_their_own() {
    let (one, two) =
        (MockAliyun::builder().start().await.unwrap(), MockAliyun::builder().start().await.unwrap());
    let huaweicloud = MockHuaweicloud::builder().start().await.unwrap();
    let addrs = [
        one.endpoint(),
        one.sts_endpoint(),
        one.metadata_endpoint(),
        two.endpoint(),
        huaweicloud.endpoint(),
        huaweicloud.iam_endpoint(),
        huaweicloud.metadata_endpoint(),
    ]
    .map(addr);
    assert!(addrs.iter().all(|addr| addr.ip().is_loopback()));
    let ports: HashSet<u16> = addrs.iter().map(SocketAddr::port).collect();
    assert_eq!(ports.len(), 7);
}

#[tokio::test]
async fn a_taken_port_is_an_error() {
    let mock = MockAliyun::builder().start().await.unwrap();
    assert!(MockAliyun::builder().addr(addr(mock.endpoint())).start().await.is_err());
    assert!(MockAliyun::builder().sts_addr(addr(mock.endpoint())).start().await.is_err());
    assert!(MockAliyun::builder().metadata_addr(addr(mock.endpoint())).start().await.is_err());
    assert!(MockHuaweicloud::builder().iam_addr(addr(mock.endpoint())).start().await.is_err());
    assert!(MockHuaweicloud::builder().metadata_addr(addr(mock.endpoint())).start().await.is_err());
}

#[tokio::test]
async fn dropping_frees_the_ports() {
    let aliyun = MockAliyun::builder().start().await.unwrap();
    let huaweicloud = MockHuaweicloud::builder().start().await.unwrap();
    let addrs = [
        aliyun.endpoint(),
        aliyun.sts_endpoint(),
        aliyun.metadata_endpoint(),
        huaweicloud.endpoint(),
        huaweicloud.iam_endpoint(),
        huaweicloud.metadata_endpoint(),
    ]
    .map(addr);
    drop((aliyun, huaweicloud));
    for addr in addrs {
        wait_until_refused(addr).await;
        drop(MockAliyun::builder().addr(addr).start().await.unwrap());
    }
}

#[tokio::test]
async fn shutdown_waits_until_the_port_is_free_and_closes_idle_connections() {
    let mock = MockAliyun::builder().start().await.unwrap();
    let addr = addr(mock.endpoint());
    let (client, idle) = (http(), TcpStream::connect(addr).await.unwrap());
    Reply::to(client.get(mock.endpoint())).await;
    let others = [mock.sts_endpoint(), mock.metadata_endpoint()].map(self::addr);
    mock.shutdown().await;
    for addr in [&[addr][..], &others].concat() {
        assert!(TcpStream::connect(addr).await.is_err(), "{addr}");
    }
    drop((client, idle));
}

#[tokio::test]
async fn connections_and_requests_are_counted() {
    let mock = MockHuaweicloud::builder().start().await.unwrap();
    let client = http();
    for path in ["/a", "/b?c=%2A"] {
        Reply::to(client.post(format!("{}{path}", mock.endpoint())).header("X-Test", "1").body("hello"))
            .await;
    }
    assert_eq!(mock.connections(), 1, "kept alive");
    assert_eq!(mock.iam_connections(), 0);
    let requests = mock.requests();
    assert_eq!(requests.len(), 2);
    let second = &requests[1];
    assert_eq!((second.method(), second.path(), second.query()), ("POST", "/b", "c=%2A"));
    assert_eq!((second.header("x-test"), second.body()), (Some("1"), b"hello".as_slice()));
    assert_eq!(second.headers().get("x-test").unwrap(), "1");
    assert_eq!((second.operation(), second.status(), second.code()), (None, 404, Some("APIGW.0101")));
    assert!(mock.iam_requests().is_empty());
}

#[tokio::test]
async fn a_body_over_a_mebibyte_is_refused_and_recorded() {
    let mock = MockAliyun::builder().start().await.unwrap();
    let reply = Reply::to(http().post(mock.endpoint()).body(vec![b'x'; 1024 * 1024 + 1])).await;
    assert_eq!(reply.status, 413);
    assert_eq!(mock.requests()[0].status(), 413);
}

#[tokio::test]
async fn debug_shows_no_secrets() {
    let secret = "TOPSECRET0123456789abcdefghijklm";
    let clock = crate::client::clock(crate::client::ALIYUN_TIME);
    let builder =
        MockAliyun::builder().access_key("id", secret).temporary_access_key("STS.id", secret, secret);
    let mut printed = vec![format!("{builder:?}")];
    let mock = builder.clock(clock).start().await.unwrap();
    let mut config = AliyunConfig::new("live.example.com", "http://cb.example.com");
    config.notify_auth_key = Some(secret.to_owned());
    mock.put_config(config);
    let parameters = [("DomainName", "d"), ("NotifyUrl", "http://n"), ("NotifyAuthKey", secret)];
    let _ = Aliyun::new(&mock).rpc("AddLiveRecordNotifyConfig", &parameters).await;
    printed.push(format!("{mock:?} {:?} {:?}", mock.configs(), mock.requests()));

    let builder = MockHuaweicloud::builder()
        .access_key("ak", secret)
        .temporary_access_key("tmp", secret, secret)
        .user("account", "user", secret);
    printed.push(format!("{builder:?}"));
    let mock = builder.start().await.unwrap();
    let mut config = HuaweicloudConfig::new("push.example.com", "*");
    config.key = Some(secret.to_owned());
    mock.put_config(config);
    let mut caller = Huaweicloud::new(&mock);
    caller.headers.push(("X-Auth-Token", secret.to_owned()));
    let _ = caller.create(&serde_json::json!({ "key": secret })).await;
    let _ = caller.get(&format!("?app={secret}")).await;
    printed.push(format!("{mock:?} {:?} {:?}", mock.configs(), mock.requests()));

    let printed = printed.join("\n");
    for shown in
        ["AddLiveRecordNotifyConfig", "live.example.com", "CreateRecordCallbackConfig", "push.example.com"]
    {
        assert!(printed.contains(shown), "{shown}");
    }
    assert!(!printed.contains(secret), "{printed}");
}

#[tokio::test]
async fn debug_shows_nothing_of_what_sources_of_keys_give_and_take() {
    let clock = crate::client::clock(crate::client::ALIYUN_TIME);
    let aliyun = MockAliyun::builder().clock(clock).start().await.unwrap();
    let huaweicloud = MockHuaweicloud::builder().start().await.unwrap();
    let mut secrets = vec![aliyun.issue_oidc_token(), huaweicloud.issue_id_token()];
    let uri = Reply::to(http().get(aliyun.credentials_uri())).await;
    secrets.extend(["/AccessKeySecret", "/SecurityToken"].map(|at| uri.at(at).to_owned()));
    let token = ("OIDCToken", secrets[0].as_str());
    let sts = Aliyun { endpoint: aliyun.sts_endpoint(), ..Aliyun::new(&aliyun) };
    assert_eq!(sts.rpc("AssumeRoleWithOIDC", &[("Version", "2015-04-01"), token]).await.status, 400);
    let pod = huaweicloud.issue_pod_token();
    let request = http().post(huaweicloud.pod_identity_uri()).header("Authorization", &pod).body("{}");
    let answer = Reply::to(request).await;
    secrets.extend([pod, answer.at("/credentials/securityToken").to_owned()]);

    let printed = format!("{aliyun:?} {:?} {:?}", aliyun.sts_requests(), aliyun.metadata_requests());
    let printed = format!("{printed} {huaweicloud:?} {:?}", huaweicloud.metadata_requests());
    for shown in ["AssumeRoleWithOIDC", "GetUriCredentials", "GetPodCredentials"] {
        assert!(printed.contains(shown), "{shown}");
    }
    for secret in secrets {
        assert!(secret.len() >= 32 && !printed.contains(&secret), "{printed}");
    }
}
