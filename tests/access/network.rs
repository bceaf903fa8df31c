//! The vendors' own addresses, by way of a proxy that leads them to the mocks, with certificates of the test's own.

use std::error::Error as _;
use std::fmt::Write as _;
use std::iter::successors;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use record_callback::aliyun::{AliyunClient, AliyunClientBuilder, AliyunProvider, Signature};
use record_callback::http::{AccessKey, FixedEnv, Quotas, RetryPolicy, StaticCredentials};
use record_callback::huaweicloud::{HuaweicloudClient, HuaweicloudClientBuilder, HuaweicloudProvider};
use record_callback::{
    Error, ErrorKind, Fidelity, ProviderConfig, RecordCallbackConfig, RecordCallbackProvider, Result,
};
use record_callback_mock::{MockAliyun, MockHuaweicloud, ReceivedRequest};
use record_callback_tests::{Authority, TlsFront, TunnelProxy};
use tempfile::TempDir;

const ALIYUN: &str = "live.aliyuncs.com";
const HUAWEICLOUD: &str = "live.cn-north-4.myhuaweicloud.com";
const IAM: &str = "iam.cn-north-4.myhuaweicloud.com";
const REGION: &str = "cn-north-4";
const PASSWORD: &str = "pa55w0rd";
/// `user` and the password, as a proxy is told.
const AUTHORIZATION: &str = "Basic dXNlcjpwYTU1dzByZA==";

/// An authority, and its certificate in a file.
struct Trust {
    authority: Authority,
    directory: TempDir,
}

impl Trust {
    fn new() -> Self {
        let (authority, directory) = (Authority::new(), tempfile::tempdir().unwrap());
        std::fs::write(directory.path().join("ca.pem"), authority.pem()).unwrap();
        Self { authority, directory }
    }

    fn bundle(&self) -> PathBuf {
        self.directory.path().join("ca.pem")
    }
}

/// Aliyun under `host`, as far as the proxy leads.
struct Aliyun {
    mock: MockAliyun,
    front: TlsFront,
    host: String,
}

impl Aliyun {
    async fn start(trust: &Trust, host: &str) -> Self {
        let mock = MockAliyun::builder().start().await.unwrap();
        let front = trust.authority.front(host, mock.endpoint()).await;
        Self { mock, front, host: format!("{host}:443") }
    }

    fn routes(&self) -> [(&str, SocketAddr); 1] {
        [(&self.host, self.front.address())]
    }

    fn client(&self, variables: &[(&str, &str)]) -> AliyunClientBuilder {
        let key = AccessKey::new(self.mock.access_key_id(), self.mock.access_key_secret());
        AliyunClient::builder()
            .env(variables.iter().copied().collect::<FixedEnv>())
            .credentials(StaticCredentials::new(key))
            .quotas(Quotas::unlimited())
            .retry(RetryPolicy::none())
    }
}

/// Huawei Cloud in Beijing, as far as the proxy leads.
struct Huaweicloud {
    mock: MockHuaweicloud,
    live: TlsFront,
    iam: TlsFront,
}

impl Huaweicloud {
    async fn start(trust: &Trust) -> Self {
        let mock = MockHuaweicloud::builder().region(REGION).start().await.unwrap();
        let live = trust.authority.front(HUAWEICLOUD, mock.endpoint()).await;
        let iam = trust.authority.front(IAM, mock.iam_endpoint()).await;
        Self { mock, live, iam }
    }

    fn routes(&self) -> [(&'static str, SocketAddr); 2] {
        [
            ("live.cn-north-4.myhuaweicloud.com:443", self.live.address()),
            ("iam.cn-north-4.myhuaweicloud.com:443", self.iam.address()),
        ]
    }

    fn client(&self, variables: &[(&str, &str)]) -> HuaweicloudClientBuilder {
        let key = AccessKey::new(self.mock.access_key(), self.mock.secret_key());
        HuaweicloudClient::builder()
            .env(variables.iter().copied().collect::<FixedEnv>())
            .credentials(StaticCredentials::new(key))
            .quotas(Quotas::unlimited())
            .retry(RetryPolicy::none())
    }
}

fn aliyun(builder: AliyunClientBuilder) -> AliyunProvider {
    AliyunProvider::new(builder.build().unwrap())
}

fn huaweicloud(builder: HuaweicloudClientBuilder) -> HuaweicloudProvider {
    HuaweicloudProvider::new(builder.build().unwrap())
}

fn config() -> RecordCallbackConfig {
    RecordCallbackConfig::builder("live.example.com", "https://cb.example.com/recorded").build().unwrap()
}

/// Everything a provider does, once.
async fn round_trip(provider: &dyn RecordCallbackProvider) -> Result<()> {
    let config = config();
    provider.create(&config, Fidelity::Exact).await?;
    let found = provider.get(&config.key()).await?.expect("it was created");
    assert_eq!(found.notify_url.as_deref(), Some("https://cb.example.com/recorded"));
    assert_eq!(provider.list(None).await?.len(), 1);
    provider.update(&config, Fidelity::Exact).await?;
    provider.delete(&config.key()).await?;
    assert!(provider.get(&config.key()).await?.is_none());
    Ok(())
}

async fn refusal(provider: &dyn RecordCallbackProvider) -> Error {
    let error = provider.get(&config().key()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert!(!error.maybe_applied());
    let shown = whole(&error);
    for secret in [PASSWORD, AUTHORIZATION, "Signature=", "://"] {
        assert!(!shown.contains(secret), "{secret} in {shown}");
    }
    error
}

/// The error with all its causes, in words and as `Debug` shows it.
fn whole(error: &Error) -> String {
    let mut shown = format!("{error} {error:?}");
    for cause in successors(error.source(), |&cause| cause.source()) {
        write!(shown, " {cause} {cause:?}").unwrap();
    }
    shown
}

fn assert_hosts(requests: &[ReceivedRequest], host: &str) {
    assert!(!requests.is_empty());
    for request in requests {
        assert_eq!(request.header("host"), Some(host), "{request:?}");
    }
}

#[tokio::test]
async fn aliyuns_own_address_is_reached_by_way_of_a_proxy() {
    let trust = Trust::new();
    for signature in [Signature::Rpc, Signature::Acs3] {
        let cloud = Aliyun::start(&trust, ALIYUN).await;
        let proxy = TunnelProxy::start(cloud.routes()).await;
        let variables = [("HTTPS_PROXY", format!("http://{}", proxy.authority()))];
        let variables = variables.each_ref().map(|(name, value)| (*name, value.as_str()));
        let client = cloud.client(&variables).signature(signature).ca_bundle(trust.bundle());
        round_trip(&aliyun(client)).await.unwrap();
        assert_hosts(&cloud.mock.requests(), ALIYUN);
        assert!(proxy.targets().iter().all(|target| *target == cloud.host), "{:?}", proxy.targets());
    }
}

#[tokio::test]
async fn a_region_in_a_variable_leads_to_its_own_address() {
    let trust = Trust::new();
    let host = "live.ap-southeast-1.aliyuncs.com";
    let cloud = Aliyun::start(&trust, host).await;
    let proxy = TunnelProxy::start(cloud.routes()).await;
    let proxy = proxy.authority();
    let variables = [("ALICLOUD_REGION", "ap-southeast-1"), ("ALL_PROXY", &proxy)];
    round_trip(&aliyun(cloud.client(&variables).ca_bundle(trust.bundle()))).await.unwrap();
    assert_hosts(&cloud.mock.requests(), host);
}

#[tokio::test]
async fn inside_a_vpc_the_regions_address_is_another() {
    let trust = Trust::new();
    let host = "live-vpc.us-east-1.aliyuncs.com";
    let cloud = Aliyun::start(&trust, host).await;
    let proxy = TunnelProxy::start(cloud.routes()).await;
    let client = cloud.client(&[("https_proxy", &proxy.authority())]).region("us-east-1").vpc(true);
    round_trip(&aliyun(client.ca_bundle(trust.bundle()))).await.unwrap();
    assert_hosts(&cloud.mock.requests(), host);
}

#[tokio::test]
async fn a_region_of_huaweicloud_leads_to_live_and_to_iam() {
    let trust = Trust::new();
    for by_variable in [false, true] {
        let cloud = Huaweicloud::start(&trust).await;
        let proxy = TunnelProxy::start(cloud.routes()).await;
        let authority = proxy.authority();
        let client = if by_variable {
            cloud.client(&[("HTTPS_PROXY", &authority), ("HW_REGION_NAME", REGION)])
        } else {
            cloud.client(&[("HTTPS_PROXY", &authority)]).region(REGION)
        };
        round_trip(&huaweicloud(client.ca_bundle(trust.bundle()))).await.unwrap();
        assert_hosts(&cloud.mock.requests(), HUAWEICLOUD);
        // It says what the region's project is.
        assert_hosts(&cloud.mock.iam_requests(), IAM);
        let mut targets = proxy.targets();
        targets.sort();
        targets.dedup();
        assert_eq!(targets, [format!("{IAM}:443"), format!("{HUAWEICLOUD}:443")]);
    }
}

#[tokio::test]
async fn a_regions_endpoint_of_the_users_own_is_reached() {
    let trust = Trust::new();
    let cloud = Huaweicloud::start(&trust).await;
    let host = "live.mars-1.example.com";
    let front = trust.authority.front(host, cloud.mock.endpoint()).await;
    let target = format!("{host}:443");
    let proxy = TunnelProxy::start([(target.as_str(), front.address())]).await;
    let authority = proxy.authority();
    let file = trust.directory.path().join("regions.yaml");
    std::fs::write(&file, format!("live:\n  - id: mars-1\n    endpoint: {host}\n")).unwrap();
    let by_file = [("HTTPS_PROXY", authority.as_str()), ("HUAWEICLOUD_SDK_REGIONS_FILE", path(&file))];
    let list = format!("https://{host},https://live.mars-2.example.com");
    let by_variable = [by_file[0], ("HUAWEICLOUD_SDK_REGION_LIVE_MARS_1", list.as_str())];
    for variables in [by_file, by_variable] {
        let client = cloud.client(&variables).region("mars-1").project_id(cloud.mock.project_id());
        round_trip(&huaweicloud(client.ca_bundle(trust.bundle()))).await.unwrap();
    }
    assert_hosts(&cloud.mock.requests(), host);
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[tokio::test]
async fn a_certificate_of_an_unknown_authority_is_told() {
    let trust = Trust::new();
    let (one, other) = (Aliyun::start(&trust, ALIYUN).await, Huaweicloud::start(&trust).await);
    let proxy = TunnelProxy::start(one.routes().into_iter().chain(other.routes())).await;
    let authority = proxy.authority();
    let variables = [("HTTPS_PROXY", authority.as_str())];
    let stranger = Trust::new();
    for (provider, host) in [
        (Box::new(aliyun(one.client(&variables))) as Box<dyn RecordCallbackProvider>, ALIYUN),
        (Box::new(aliyun(one.client(&variables).ca_bundle(stranger.bundle()))), ALIYUN),
        // IAM is first, for the project.
        (Box::new(huaweicloud(other.client(&variables).region(REGION))), IAM),
        (
            Box::new(huaweicloud(
                other.client(&variables).region(REGION).project_id(other.mock.project_id()),
            )),
            HUAWEICLOUD,
        ),
    ] {
        let error = refusal(&*provider).await;
        let expected =
            format!("the certificate of `{host}` is not trusted: neither this system nor the CA bundle");
        let shown = whole(&error);
        assert!(shown.contains(&expected) && shown.contains("(ca_bundle)"), "{shown}");
        assert_eq!(error.kind().hint(), "check the network and the endpoint, then try again");
    }
    assert!(one.mock.requests().is_empty() && other.mock.requests().is_empty());
}

#[tokio::test]
async fn a_certificate_that_has_ended_or_is_anothers_is_told() {
    let trust = Trust::new();
    let cloud = Aliyun::start(&trust, ALIYUN).await;
    let ended = trust.authority.front_until(ALIYUN, cloud.mock.endpoint(), 2001).await;
    let anothers = trust.authority.front("live.example.com", cloud.mock.endpoint()).await;
    for (front, problem) in
        [(ended, "it has ended, by this machine's clock"), (anothers, "it is for another host")]
    {
        let proxy = TunnelProxy::start([(cloud.host.as_str(), front.address())]).await;
        let client = cloud.client(&[("HTTPS_PROXY", &proxy.authority())]).ca_bundle(trust.bundle());
        let error = refusal(&aliyun(client)).await;
        assert_eq!(error.message(), format!("the certificate of `{ALIYUN}` is not trusted: {problem}"));
    }
    assert!(cloud.mock.requests().is_empty());
}

#[tokio::test]
async fn a_proxy_is_told_who_asks_and_nobody_else_is() {
    let trust = Trust::new();
    let (one, other) = (Aliyun::start(&trust, ALIYUN).await, Huaweicloud::start(&trust).await);
    let routes = one.routes().into_iter().chain(other.routes());
    let proxy = TunnelProxy::for_user(Some(AUTHORIZATION), routes).await;
    let address = format!("http://user:{PASSWORD}@{}", proxy.authority());
    let variables = [("HTTPS_PROXY", address.as_str())];
    let providers: [Box<dyn RecordCallbackProvider>; 2] = [
        Box::new(aliyun(one.client(&variables).ca_bundle(trust.bundle()))),
        Box::new(huaweicloud(other.client(&variables).region(REGION).ca_bundle(trust.bundle()))),
    ];
    for provider in providers {
        round_trip(&*provider).await.unwrap();
        let shown = format!("{provider:?} {provider:#?}");
        assert!(!shown.contains(PASSWORD) && !shown.contains(AUTHORIZATION), "{shown}");
    }
    assert!(proxy.asked().iter().all(|asked| asked.authorization.as_deref() == Some(AUTHORIZATION)));
    let mut requests = one.mock.requests();
    requests.extend(other.mock.requests());
    requests.extend(other.mock.iam_requests());
    assert!(requests.iter().all(|request| request.header("proxy-authorization").is_none()));
}

#[tokio::test]
async fn a_proxy_may_have_a_certificate_of_its_own() {
    let trust = Trust::new();
    let cloud = Aliyun::start(&trust, ALIYUN).await;
    let proxy = TunnelProxy::for_user(Some(AUTHORIZATION), cloud.routes()).await;
    let front = trust.authority.front("127.0.0.1", &proxy.authority()).await;
    let address = format!("https://user:{PASSWORD}@{}", front.address());
    let client = || cloud.client(&[("HTTPS_PROXY", &address)]);
    round_trip(&aliyun(client().ca_bundle(trust.bundle()))).await.unwrap();
    let asked = proxy.asked().len();
    let error = refusal(&aliyun(client())).await;
    let expected =
        format!("the certificate of `{ALIYUN}` or of the proxy `{}` is not trusted", front.address());
    assert!(error.message().starts_with(&expected), "{error}");
    assert_eq!(proxy.asked().len(), asked);
}

#[tokio::test]
async fn a_proxy_that_lets_nobody_through_is_told() {
    let trust = Trust::new();
    let (one, other) = (Aliyun::start(&trust, ALIYUN).await, Huaweicloud::start(&trust).await);
    let proxy = TunnelProxy::for_user(Some(AUTHORIZATION), one.routes()).await;
    let authority = proxy.authority();
    let wrong = format!("user:{PASSWORD}!@{authority}");
    let right = format!("user:{PASSWORD}@{authority}");
    for (address, problem) in [
        (authority.as_str(), "asks for a user and a password (407): put user:password@ before its host"),
        (&wrong, "does not accept the user and password in its variable (407)"),
    ] {
        let variables = [("HTTPS_PROXY", address)];
        let expected = format!("the proxy `{authority}` {problem}");
        let error = refusal(&aliyun(one.client(&variables))).await;
        assert_eq!(error.message(), expected);
        let error = refusal(&huaweicloud(other.client(&variables).region(REGION))).await;
        assert!(whole(&error).contains(&expected), "{error}");
    }
    // Where the proxy knows no way.
    let client = other.client(&[("HTTPS_PROXY", &right)]).region(REGION).project_id("p");
    let error = refusal(&huaweicloud(client)).await;
    assert_eq!(error.message(), format!("the proxy `{authority}` refuses to connect to `{HUAWEICLOUD}`"));
}

/// The address of this machine that is no loopback, and needs no name.
#[cfg(unix)]
const HERE: &str = "0.0.0.0";

#[cfg(unix)]
#[tokio::test]
async fn no_proxy_leaves_the_proxy_out_host_by_host() {
    let trust = Trust::new();
    let (one, other) = (Aliyun::start(&trust, HERE).await, Huaweicloud::start(&trust).await);
    let proxy = TunnelProxy::start(other.routes()).await;
    let authority = proxy.authority();
    let direct = [("HTTPS_PROXY", authority.as_str()), ("NO_PROXY", "example.com, 0.0.0.0/8")];
    let endpoint = format!("https://{HERE}:{}", one.front.address().port());
    let client = || one.client(&direct).endpoint(&endpoint).ca_bundle(trust.bundle());
    round_trip(&aliyun(client())).await.unwrap();
    assert!(proxy.asked().is_empty());
    let error = refusal(&aliyun(client().env(FixedEnv::from_iter([direct[0]])))).await;
    assert_eq!(error.message(), format!("the proxy `{authority}` refuses to connect to `{HERE}`"));

    // IAM is near, and Live is not.
    let iam = trust.authority.front(HERE, other.mock.iam_endpoint()).await;
    let client = other.client(&direct).region(REGION).ca_bundle(trust.bundle());
    let client = client.iam_endpoint(format!("https://{HERE}:{}", iam.address().port()));
    let before = proxy.asked().len();
    round_trip(&huaweicloud(client)).await.unwrap();
    assert!(!other.mock.iam_requests().is_empty());
    let targets = proxy.targets();
    assert!(targets[before..].iter().all(|target| *target == format!("{HUAWEICLOUD}:443")), "{targets:?}");
}

#[tokio::test]
async fn loopback_is_never_asked_of_a_proxy() {
    let trust = Trust::new();
    let (one, other) = (Aliyun::start(&trust, ALIYUN).await, Huaweicloud::start(&trust).await);
    let proxy = TunnelProxy::start([]).await;
    let authority = proxy.authority();
    let variables = ["ALL_PROXY", "HTTP_PROXY", "http_proxy"].map(|name| (name, authority.as_str()));
    round_trip(&aliyun(one.client(&variables).endpoint(one.mock.endpoint()))).await.unwrap();
    let client = other.client(&variables).endpoint(other.mock.endpoint());
    let client = client.iam_endpoint(other.mock.iam_endpoint()).region(REGION);
    round_trip(&huaweicloud(client)).await.unwrap();
    assert!(proxy.asked().is_empty());
}

#[tokio::test]
async fn a_bundle_is_of_the_settings_or_of_aliyuns_variable() {
    let trust = Trust::new();
    let (one, other) = (Aliyun::start(&trust, ALIYUN).await, Huaweicloud::start(&trust).await);
    let proxy = TunnelProxy::start(one.routes().into_iter().chain(other.routes())).await;
    let authority = proxy.authority();
    let bundle = trust.bundle();
    let env = FixedEnv::from_iter([
        ("HTTPS_PROXY", authority.as_str()),
        ("ALIBABA_CLOUD_CA_BUNDLE", path(&bundle)),
        ("ALIBABA_CLOUD_ACCESS_KEY_ID", one.mock.access_key_id()),
        ("ALIBABA_CLOUD_ACCESS_KEY_SECRET", one.mock.access_key_secret()),
    ]);
    let config: ProviderConfig = toml::from_str("vendor = 'aliyun'").unwrap();
    round_trip(&*config.connect_in(env).unwrap()).await.unwrap();

    let settings = format!(
        "ca_bundle = 'ca.pem'\nregion = '{REGION}'\nvendor = 'huaweicloud'\n\
         credentials = {{ source = 'access_key', id = '{}', secret = '{}' }}",
        other.mock.access_key(),
        other.mock.secret_key(),
    );
    let mut config: ProviderConfig = toml::from_str(&settings).unwrap();
    config.resolve_paths(trust.directory.path());
    let env = FixedEnv::from_iter([("HTTPS_PROXY", authority.as_str())]);
    round_trip(&*config.connect_in(env).unwrap()).await.unwrap();
}

/// `record-callback` in an environment with this proxy and the mock's key.
#[cfg(unix)]
async fn run(cloud: &Aliyun, proxy: &str, directory: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = record_callback_tests::command();
    command.args(arguments).current_dir(directory).env("HTTPS_PROXY", proxy);
    command.env("ALIBABA_CLOUD_ACCESS_KEY_ID", cloud.mock.access_key_id());
    command.env("ALIBABA_CLOUD_ACCESS_KEY_SECRET", cloud.mock.access_key_secret());
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let shown = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap()).concat();
    assert!(!shown.contains(PASSWORD), "{shown}");
    (output.status.code(), shown)
}

#[cfg(unix)]
#[tokio::test]
async fn the_program_reaches_the_cloud_by_way_of_a_proxy() {
    let trust = Trust::new();
    let cloud = Aliyun::start(&trust, ALIYUN).await;
    let proxy = TunnelProxy::for_user(Some(AUTHORIZATION), cloud.routes()).await;
    let address = format!("http://user:{PASSWORD}@{}", proxy.authority());
    let list = ["list", "--vendor", "aliyun"];
    let elsewhere = tempfile::tempdir().unwrap();

    let (code, shown) = run(&cloud, &address, elsewhere.path(), &list).await;
    assert_eq!(code, Some(1), "{shown}");
    assert!(shown.contains(&format!("the certificate of `{ALIYUN}` is not trusted")), "{shown}");
    assert!(shown.contains("hint: check the network and the endpoint"), "{shown}");

    let bundle = trust.bundle();
    let trusting = [&list[..], &["--ca-bundle", path(&bundle)]].concat();
    let (code, shown) = run(&cloud, &address, elsewhere.path(), &trusting).await;
    assert_eq!(code, Some(0), "{shown}");

    // In a manifest, paths are relative to where it is.
    let manifest = trust.directory.path().join("fleet.toml");
    let text = "[providers.ali]\nvendor = 'aliyun'\nca_bundle = 'ca.pem'\n\n[[callbacks]]\nname = 'one'\n\
                provider = 'ali'\ndomain = 'live.example.com'\nnotify_url = 'https://cb.example.com/recorded'\n";
    std::fs::write(&manifest, text).unwrap();
    let plan = ["plan", "--manifest", path(&manifest)];
    let (code, shown) = run(&cloud, &address, elsewhere.path(), &plan).await;
    assert_eq!(code, Some(0), "{shown}");
    assert_hosts(&cloud.mock.requests(), ALIYUN);
}

#[cfg(unix)]
#[tokio::test]
async fn the_program_goes_inside_a_vpc_when_told_so() {
    let trust = Trust::new();
    let host = "live-vpc.cn-shanghai.aliyuncs.com";
    let cloud = Aliyun::start(&trust, host).await;
    let proxy = TunnelProxy::start(cloud.routes()).await;
    let bundle = trust.bundle();
    let inside =
        ["list", "--vendor", "aliyun", "--region", "cn-shanghai", "--vpc", "--ca-bundle", path(&bundle)];
    let (code, shown) = run(&cloud, &proxy.authority(), trust.directory.path(), &inside).await;
    assert_eq!(code, Some(0), "{shown}");
    assert_hosts(&cloud.mock.requests(), host);
}
