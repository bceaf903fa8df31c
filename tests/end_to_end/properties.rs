//! Whatever a request says, the mocks' verifiers agree with its signature and understand what was meant.

use std::fmt::Debug;
use std::time::Duration;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::test_runner::{TestCaseError, TestCaseResult, TestRunner};
use record_callback::Timestamp;
use record_callback::aliyun::{
    AliyunClient, DeliveryStatus, HttpMethod, NotifyRecordsQuery, RecordNotifyConfig, Signature,
    UserDomainsQuery,
};
use record_callback::http::{AccessKey, Quotas, RetryPolicy, StaticCredentials};
use record_callback::huaweicloud::{HuaweicloudClient, ListQuery, RecordCallbackConfigRequest};
use record_callback::{
    CallbackSigning, CallbackUrl, DomainName, Error, ErrorKind, EventKind, Fidelity, ReadBack,
    RecordCallbackConfig, RecordCallbackProviderExt, SigningKey,
};
use record_callback_mock::{HuaweicloudConfig, MockAliyun, MockHuaweicloud};
use record_callback_tests::Cloud;
use tokio::runtime::{Builder, Runtime};

const KEY: (&str, &str) = ("LTAIexample", "a-secret");
const TEMPORARY: (&str, &str, &str) = ("STS.example", "a-temporary-secret", "CAIS+security/token==");

/// Runs `property` on `cases` values; a failure is shrunk and reported with its value.
fn check<S>(cases: u32, strategy: &S, property: impl Fn(S::Value) -> TestCaseResult)
where
    S: Strategy<Value: Debug>,
{
    let config = ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() };
    if let Err(failure) = TestRunner::new(config).run(strategy, property) {
        panic!("{failure}");
    }
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

fn once() -> RetryPolicy {
    RetryPolicy::none().deadline(Duration::from_secs(30))
}

/// Any text at all: control characters, non-characters, everything HTTP gives a meaning.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        vec(any::<char>(), 0..24).prop_map(String::from_iter),
        "[ -~]{0,40}",
        "[-_.~ %+*&=?#/:;@!$'()\\[\\],\"\\\\|<>{}^`录é😀\\n\\r\\t]{0,24}",
        "(%[0-9A-Fa-f]{2}|\\.|/|%){0,8}",
    ]
}

fn maybe_text() -> impl Strategy<Value = Option<String>> {
    option::weighted(0.8, text())
}

/// A URL that both clouds take, with any path and query that has no whitespace.
fn url() -> impl Strategy<Value = String> {
    let wanted = |c: &char| !c.is_whitespace() && !c.is_control();
    let tail = move || text().prop_map(move |text| text.chars().filter(wanted).collect::<String>());
    (prop_oneof![Just("http"), Just("https")], tail(), option::of(tail())).prop_map(
        |(scheme, path, query)| {
            let query = query.map(|query| format!("?{query}")).unwrap_or_default();
            format!("{scheme}://cb.example.com/{path}{query}")
        },
    )
}

/// What a header can carry, without white space around it.
fn header_text() -> impl Strategy<Value = String> {
    "[!-~]([ -~]{0,60}[!-~])?"
}

/// Fails when the cloud did not answer, or did not believe who was asking.
fn believed<T>(result: Result<T, Error>) -> Result<Option<T>, TestCaseError> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) => {
            prop_assert!(error.code().is_some(), "not answered: {error}");
            prop_assert_ne!(error.kind(), ErrorKind::Unauthenticated, "{}", error);
            // What the mock does not model it says in a code of its own.
            let is_known = error.kind() != ErrorKind::Protocol || error.code() == Some("NotModelledByMock");
            prop_assert!(is_known, "{}", error);
            Ok(None)
        }
    }
}

fn credentials(temporary: bool) -> StaticCredentials {
    StaticCredentials::new(if temporary {
        AccessKey::new(TEMPORARY.0, TEMPORARY.1).with_security_token(TEMPORARY.2)
    } else {
        AccessKey::new(KEY.0, KEY.1)
    })
}

fn aliyun_client(mock: &MockAliyun, way: Way, credentials: StaticCredentials) -> AliyunClient {
    AliyunClient::builder()
        .endpoint(mock.endpoint())
        .signature(way.signature)
        .method(way.method)
        .credentials(credentials)
        .quotas(Quotas::unlimited())
        .retry(once())
        .build()
        .unwrap()
}

/// One of Aliyun's ways to send a signed request.
#[derive(Debug, Clone, Copy)]
struct Way {
    signature: Signature,
    method: HttpMethod,
}

impl Way {
    fn any() -> impl Strategy<Value = Self> {
        let signature = prop_oneof![Just(Signature::Rpc), Just(Signature::Acs3)];
        let method = prop_oneof![Just(HttpMethod::Get), Just(HttpMethod::Post)];
        (signature, method).prop_map(|(signature, method)| Self { signature, method })
    }
}

/// A mock of Aliyun and the clients of all ways, shared by all cases of a test.
struct Aliyun {
    runtime: Runtime,
    mock: MockAliyun,
    clients: Vec<AliyunClient>,
}

impl Aliyun {
    fn start() -> Self {
        let runtime = runtime();
        let builder = MockAliyun::builder().access_key(KEY.0, KEY.1).temporary_access_key(
            TEMPORARY.0,
            TEMPORARY.1,
            TEMPORARY.2,
        );
        let mock = runtime.block_on(builder.start()).unwrap();
        let mut clients = Vec::new();
        for signature in [Signature::Rpc, Signature::Acs3] {
            for method in [HttpMethod::Get, HttpMethod::Post] {
                let way = Way { signature, method };
                clients
                    .extend([false, true].map(|temporary| aliyun_client(&mock, way, credentials(temporary))));
            }
        }
        Self { runtime, mock, clients }
    }

    fn client() -> impl Strategy<Value = usize> {
        0..8_usize
    }
}

prop_compose! {
    fn user_domains()(
        texts in vec(maybe_text(), 6),
        page_number in any::<Option<u32>>(),
        page_size in any::<Option<u32>>(),
        tags in vec((text(), text()), 0..12),
    ) -> UserDomainsQuery {
        let mut texts = texts.into_iter();
        let mut next = || texts.next().flatten();
        UserDomainsQuery {
            domain_name: next(),
            domain_search_type: next(),
            domain_status: next(),
            live_domain_type: next(),
            region_name: next(),
            resource_group_id: next(),
            page_number,
            page_size,
            tags,
        }
    }
}

prop_compose! {
    fn notify_records()(
        domain_name in text(),
        times in [0..4_000_000_000_i64, 0..4_000_000_000_i64],
        status in option::of(prop_oneof![Just(DeliveryStatus::Success), Just(DeliveryStatus::Failed)]),
        texts in vec(maybe_text(), 4),
        page_number in any::<Option<u32>>(),
        page_size in any::<Option<u32>>(),
    ) -> NotifyRecordsQuery {
        let [start_time, end_time] = times.map(|seconds| Timestamp::from_second(seconds).unwrap());
        let mut texts = texts.into_iter();
        let mut next = || texts.next().flatten();
        NotifyRecordsQuery {
            domain_name,
            start_time,
            end_time,
            page_number,
            page_size,
            app_name: next(),
            stream_name: next(),
            status,
            region_id: next(),
            storage_type: next(),
        }
    }
}

prop_compose! {
    fn notify_config()(
        domain_name in text(),
        notify_url in option::weighted(0.9, prop_oneof![text(), url()]),
        on_demand_url in option::of(prop_oneof![text(), url()]),
        need_status_notify in any::<Option<bool>>(),
        notify_req_auth in any::<Option<bool>>(),
        key in option::of(prop_oneof![text(), "[A-Za-z0-9]{16,32}"]),
    ) -> RecordNotifyConfig {
        RecordNotifyConfig {
            domain_name,
            notify_url,
            on_demand_url,
            need_status_notify,
            notify_req_auth,
            notify_auth_key: key.map(Into::into),
        }
    }
}

#[test]
fn aliyun_believes_every_signed_listing() {
    let cloud = Aliyun::start();
    let listings = (Aliyun::client(), user_domains(), notify_records());
    check(128, &listings, |(client, domains, records)| {
        let client = &cloud.clients[client];
        cloud.runtime.block_on(async {
            believed(client.describe_live_user_domains(&domains).await)?;
            believed(client.describe_live_record_notify_records(&records).await)?;
            Ok(())
        })
    });
}

#[test]
fn aliyun_believes_every_signed_write() {
    let cloud = Aliyun::start();
    check(128, &(Aliyun::client(), notify_config()), |(client, config)| {
        let client = &cloud.clients[client];
        cloud.runtime.block_on(async {
            believed(client.add_live_record_notify_config(&config).await)?;
            believed(client.update_live_record_notify_config(&config).await)?;
            believed(client.describe_live_record_notify_config(&config.domain_name).await)?;
            believed(client.delete_live_record_notify_config(&config.domain_name).await)?;
            Ok(())
        })
    });
}

#[test]
fn aliyun_stores_and_shows_exactly_what_was_sent() {
    let cloud = Aliyun::start();
    let config = (text(), url(), option::of(url()), "[A-Za-z0-9]{16,32}");
    check(128, &(Aliyun::client(), config), |(client, (domain, notify_url, on_demand_url, key))| {
        prop_assume!(!domain.is_empty());
        let config = RecordNotifyConfig {
            domain_name: domain.clone(),
            notify_url: Some(notify_url.clone()),
            on_demand_url: on_demand_url.clone(),
            notify_req_auth: Some(true),
            notify_auth_key: Some(key.clone().into()),
            ..RecordNotifyConfig::default()
        };
        let client = &cloud.clients[client];
        cloud.mock.remove_config(&domain);
        let shown = cloud.runtime.block_on(async {
            client.add_live_record_notify_config(&config).await?;
            client.describe_live_record_notify_config(&domain).await
        });
        prop_assert!(shown.is_ok(), "{shown:?}");
        let stored = cloud.mock.config(&domain).unwrap();
        prop_assert_eq!(&stored.notify_url, &notify_url);
        prop_assert_eq!(&stored.on_demand_url, &on_demand_url);
        prop_assert_eq!(stored.notify_auth_key, Some(key));
        let shown = shown.unwrap();
        prop_assert_eq!(shown.domain_name, domain);
        prop_assert_eq!(shown.notify_url, Some(notify_url));
        prop_assert_eq!(shown.on_demand_url.filter(|url| !url.is_empty()), on_demand_url);
        Ok(())
    });
}

prop_compose! {
    /// An access key of any secret, permanent or temporary.
    fn access_key()(
        id in "[!-+\\--~]{1,40}",
        secret in text(),
        token in option::of(header_text()),
    ) -> (String, String, Option<String>) {
        (id, secret.trim().to_owned(), token)
    }
}

fn given((id, secret, token): &(String, String, Option<String>)) -> StaticCredentials {
    let key = AccessKey::new(id, secret);
    StaticCredentials::new(match token {
        Some(token) => key.with_security_token(token),
        None => key,
    })
}

/// A mock's keys are set before it starts, so here every case has a mock of its own.
#[test]
fn aliyun_believes_every_access_key() {
    let runtime = runtime();
    check(64, &(Way::any(), access_key(), text()), |(way, key, keyword)| {
        let (id, secret, token) = key.clone();
        let builder = match token {
            Some(token) => MockAliyun::builder().temporary_access_key(id, secret, token),
            None => MockAliyun::builder().access_key(id, secret),
        };
        runtime.block_on(async {
            let mock = builder.start().await.unwrap();
            let client = aliyun_client(&mock, way, given(&key));
            let query = UserDomainsQuery { domain_name: Some(keyword), ..UserDomainsQuery::default() };
            let listed = client.describe_live_user_domains(&query).await;
            prop_assert!(listed.is_ok(), "{listed:?}");
            Ok(())
        })
    });
}

/// A mock of Huawei Cloud and a client of each way to authorise, shared by all cases of a test.
struct Huaweicloud {
    runtime: Runtime,
    mock: MockHuaweicloud,
    clients: [HuaweicloudClient; 3],
}

impl Huaweicloud {
    fn start() -> Self {
        let runtime = runtime();
        let builder = MockHuaweicloud::builder().access_key(KEY.0, KEY.1).temporary_access_key(
            TEMPORARY.0,
            TEMPORARY.1,
            TEMPORARY.2,
        );
        let mock = runtime.block_on(builder.start()).unwrap();
        let client = || {
            HuaweicloudClient::builder()
                .endpoint(mock.endpoint())
                .project_id(mock.project_id())
                .quotas(Quotas::unlimited())
                .retry(once())
        };
        let clients = [
            client().credentials(credentials(false)).build().unwrap(),
            client().credentials(credentials(true)).build().unwrap(),
            client().token(mock.issue_token()).build().unwrap(),
        ];
        Self { runtime, mock, clients }
    }

    fn client() -> impl Strategy<Value = usize> {
        0..3_usize
    }
}

prop_compose! {
    fn list_query()(
        publish_domain in maybe_text(),
        app in maybe_text(),
        offset in any::<Option<u32>>(),
        limit in any::<Option<u32>>(),
    ) -> ListQuery {
        ListQuery { publish_domain, app, offset, limit }
    }
}

prop_compose! {
    fn callback_request()(
        publish_domain in text(),
        app in text(),
        notify_callback_url in option::weighted(0.9, prop_oneof![text(), url()]),
        notify_event_subscription in option::of(vec(text(), 0..4)),
        on_demand_callback_url in option::of(prop_oneof![text(), url()]),
        sign_type in maybe_text(),
        key in option::of(prop_oneof![text(), "[A-Za-z0-9]{32,64}"]),
    ) -> RecordCallbackConfigRequest {
        RecordCallbackConfigRequest {
            publish_domain,
            app,
            notify_callback_url,
            notify_event_subscription,
            on_demand_callback_url,
            sign_type,
            key: key.map(Into::into),
        }
    }
}

/// Ids that a path can carry as a segment of its own.
fn id() -> impl Strategy<Value = String> {
    let segment = |id: &String| !matches!(id.as_str(), "" | "." | "..");
    prop_oneof![
        text(),
        prop::sample::select(vec![
            "%2F", "/", "a/", "/a", "a//b", "*", " ", "...", "%2e", "%2E%2E", "a/..", "录", "?a", "#a", "\\"
        ])
        .prop_map(str::to_owned),
    ]
    .prop_filter("a segment", segment)
}

#[test]
fn huaweicloud_believes_every_signed_listing_and_write() {
    let cloud = Huaweicloud::start();
    check(128, &(Huaweicloud::client(), list_query(), callback_request()), |(client, query, config)| {
        let client = &cloud.clients[client];
        cloud.runtime.block_on(async {
            believed(client.list_record_callback_configs(&query).await)?;
            believed(client.create_record_callback_config(&config).await)?;
            Ok(())
        })
    });
}

#[test]
fn huaweicloud_finds_the_config_of_every_id() {
    let cloud = Huaweicloud::start();
    check(192, &(Huaweicloud::client(), id(), callback_request()), |(client, id, config)| {
        let client = &cloud.clients[client];
        let stored =
            HuaweicloudConfig { id: id.clone(), ..HuaweicloudConfig::new("push.example.com", "live") };
        cloud.mock.put_config(stored);
        cloud.runtime.block_on(async {
            let shown = believed(client.show_record_callback_config(&id).await)?;
            let shown = shown.and_then(|shown| shown.id);
            prop_assert_eq!(shown.as_deref(), Some(id.as_str()));
            believed(client.update_record_callback_config(&id, &config).await)?;
            let deleted = believed(client.delete_record_callback_config(&id).await)?;
            prop_assert!(deleted.is_some());
            prop_assert_eq!(cloud.mock.remove_config(&id), None);
            Ok(())
        })
    });
}

/// No path can carry these as a segment: an URL drops them, and the request would be for something else.
#[test]
fn huaweicloud_never_asks_for_something_else_than_the_id() {
    let cloud = Huaweicloud::start();
    let config = RecordCallbackConfigRequest {
        publish_domain: "push.example.com".into(),
        app: "live".into(),
        notify_callback_url: Some("http://cb.example.com".into()),
        notify_event_subscription: None,
        on_demand_callback_url: None,
        sign_type: None,
        key: None,
    };
    for client in &cloud.clients {
        for id in ["", ".", ".."] {
            cloud.runtime.block_on(async {
                let errors = [
                    client.show_record_callback_config(id).await.map(drop).unwrap_err(),
                    client.update_record_callback_config(id, &config).await.map(drop).unwrap_err(),
                    client.delete_record_callback_config(id).await.unwrap_err(),
                ];
                for error in errors {
                    assert_eq!(error.kind(), ErrorKind::InvalidConfig, "{id:?}: {error}");
                }
            });
        }
    }
    let paths: Vec<_> = cloud.mock.requests().iter().map(|request| request.path().to_owned()).collect();
    assert_eq!(paths, [""; 0]);
}

#[test]
fn huaweicloud_stores_and_shows_exactly_what_was_sent() {
    let cloud = Huaweicloud::start();
    let config = (text(), text(), url(), option::of(url()));
    check(128, &(Huaweicloud::client(), config), |(client, (domain, app, notify_url, on_demand_url))| {
        prop_assume!(!domain.is_empty() && !app.is_empty());
        let config = RecordCallbackConfigRequest {
            publish_domain: domain.clone(),
            app: app.clone(),
            notify_callback_url: Some(notify_url.clone()),
            notify_event_subscription: None,
            on_demand_callback_url: on_demand_url.clone(),
            sign_type: None,
            key: None,
        };
        let client = &cloud.clients[client];
        if let Some(earlier) = cloud.mock.config(&domain, &app) {
            cloud.mock.remove_config(&earlier.id);
        }
        let query = ListQuery {
            publish_domain: Some(domain.clone()),
            app: Some(app.clone()),
            ..ListQuery::default()
        };
        let (created, listed) = cloud.runtime.block_on(async {
            let created = client.create_record_callback_config(&config).await.unwrap();
            (created, client.list_record_callback_configs(&query).await.unwrap())
        });
        let listed = listed.into_configs();
        let [shown] = listed.as_slice() else {
            return Err(TestCaseError::fail(format!("{} are listed", listed.len())));
        };
        prop_assert_eq!(&shown.id, &created.id);
        prop_assert_eq!(&shown.publish_domain, &Some(domain.clone()));
        prop_assert_eq!(&shown.app, &Some(app.clone()));
        prop_assert_eq!(&shown.notify_callback_url, &Some(notify_url));
        prop_assert_eq!(&shown.on_demand_callback_url, &on_demand_url);
        prop_assert!(cloud.mock.config(&domain, &app).is_some());
        Ok(())
    });
}

/// A mock's keys are set before it starts, so here every case has a mock of its own.
#[test]
fn huaweicloud_believes_every_access_key() {
    let runtime = runtime();
    check(64, &(access_key(), text()), |(key, app)| {
        let (id, secret, token) = key.clone();
        let builder = match token {
            Some(token) => MockHuaweicloud::builder().temporary_access_key(id, secret, token),
            None => MockHuaweicloud::builder().access_key(id, secret),
        };
        runtime.block_on(async {
            let mock = builder.start().await.unwrap();
            let client = HuaweicloudClient::builder()
                .endpoint(mock.endpoint())
                .project_id(mock.project_id())
                .credentials(given(&key))
                .quotas(Quotas::unlimited())
                .retry(once())
                .build()
                .unwrap();
            believed(
                client
                    .list_record_callback_configs(&ListQuery { app: Some(app), ..ListQuery::default() })
                    .await,
            )?;
            Ok(())
        })
    });
}

prop_compose! {
    fn neutral_config()(
        domain in "[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?\\.[a-z]{2,10}",
        notify_url in url(),
        on_demand_url in option::of(url()),
        started in any::<bool>(),
        key in option::of("[A-Za-z0-9]{32}"),
    ) -> RecordCallbackConfig {
        let mut events = vec![EventKind::FileCompleted];
        events.extend(started.then_some(EventKind::RecordingFailed));
        let signing = key.map(|key| CallbackSigning::Md5(SigningKey::new(key).unwrap()));
        let builder = RecordCallbackConfig::builder(domain, notify_url)
            .events(events)
            .signing(signing.unwrap_or_default());
        match on_demand_url {
            Some(url) => builder.on_demand_url(url),
            None => builder,
        }
        .build()
        .unwrap()
    }
}

#[test]
fn what_is_ensured_is_shown_on_every_cloud() {
    let runtime = runtime();
    let no_domains: [DomainName; 0] = [];
    let clouds: Vec<_> = Cloud::ALL.map(|cloud| runtime.block_on(cloud.start(&no_domains))).into();
    let read_once = ReadBack::new(record_callback::http::TokioTimer).reads(1);
    check(64, &neutral_config(), |config| {
        for cloud in &clouds {
            let ensured = cloud.provider.ensure(&config, Fidelity::Widen, &read_once);
            let ensured = runtime.block_on(ensured);
            prop_assert!(ensured.is_ok(), "{:?}: {:?}", cloud.provider.vendor(), ensured);
            let stored = ensured.unwrap().stored;
            prop_assert_eq!(stored.notify_url.as_deref(), Some(config.notify_url().as_str()));
            prop_assert_eq!(stored.on_demand_url.as_deref(), config.on_demand_url().map(CallbackUrl::as_str));
            prop_assert_eq!(&stored.key, &config.key());
        }
        Ok(())
    });
}
