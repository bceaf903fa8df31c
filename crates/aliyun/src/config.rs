//! Endpoint, region, options and the client's builder.

use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use record_callback_core::{InvalidConfig, Result};
use record_callback_http::{
    Clock, CredentialProvider, Endpoint, Env, Method, Network, Nonce, OsEnv, Pipeline, Quota, Quotas,
    RetryPolicy, SourceContext, SystemClock, UuidNonce,
};
use serde::Deserialize;

use crate::client::AliyunClient;
use crate::credential;
use crate::region::{self, DEFAULT_ENDPOINT, Region};
use crate::wire::{self, BooleanStyle};

/// The variable of the vendor's older SDKs for certificates.
const CA_BUNDLE: &str = "ALIBABA_CLOUD_CA_BUNDLE";

/// Which of the vendor's two signatures requests carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Signature {
    /// HMAC-SHA1 in the query, signature version 1.0.
    #[default]
    Rpc,
    /// ACS3-HMAC-SHA256 in the `Authorization` header.
    Acs3,
}

/// The HTTP method of every request; parameters are in the query either way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum HttpMethod {
    /// As the official SDKs do.
    #[default]
    Post,
    /// For gateways that allow nothing else.
    Get,
}

impl From<HttpMethod> for Method {
    fn from(method: HttpMethod) -> Self {
        match method {
            HttpMethod::Post => Self::POST,
            HttpMethod::Get => Self::GET,
        }
    }
}

/// The documented quotas of an account: 30 writes, 50 reads of a config and 100 of the others, each second
/// and operation by operation. The limiters have the operations' names.
pub fn default_quotas() -> Quotas {
    let per_second = |calls| Quota::per_second(NonZeroU32::new(calls).unwrap_or(NonZeroU32::MIN));
    Quotas::new([
        (wire::ADD, per_second(30)),
        (wire::UPDATE, per_second(30)),
        (wire::DELETE, per_second(30)),
        (wire::DESCRIBE, per_second(50)),
        (wire::USER_DOMAINS, per_second(100)),
        (wire::NOTIFY_RECORDS, per_second(100)),
    ])
}

/// The quotas of an account that may make `calls` of every operation each second.
pub fn quotas(calls: NonZeroU32) -> Quotas {
    let operations =
        [wire::ADD, wire::UPDATE, wire::DELETE, wire::DESCRIBE, wire::USER_DOMAINS, wire::NOTIFY_RECORDS];
    Quotas::new(operations.map(|operation| (operation, Quota::per_second(calls))))
}

/// Collects the options of an [`AliyunClient`]; [`build`](Self::build) judges them.
#[derive(Debug)]
#[must_use]
pub struct AliyunClientBuilder {
    endpoint: Option<String>,
    region: Option<String>,
    vpc: bool,
    allow_http: bool,
    signature: Signature,
    method: HttpMethod,
    booleans: BooleanStyle,
    auth: Auth,
    env: Arc<dyn Env>,
    ca_bundle: Option<PathBuf>,
    quotas: Quotas,
    retry: RetryPolicy,
    clock: Arc<dyn Clock>,
    nonce: Arc<dyn Nonce>,
}

/// Where the access key comes from.
#[derive(Debug)]
enum Auth {
    /// The vendor's chain.
    Chain,
    Environment,
    Profile(String),
    Given(Arc<dyn CredentialProvider>),
}

impl Default for AliyunClientBuilder {
    fn default() -> Self {
        Self {
            endpoint: None,
            region: None,
            vpc: false,
            allow_http: false,
            signature: Signature::default(),
            method: HttpMethod::default(),
            booleans: BooleanStyle::default(),
            auth: Auth::Chain,
            env: Arc::new(OsEnv),
            ca_bundle: None,
            quotas: default_quotas(),
            retry: RetryPolicy::default(),
            clock: Arc::new(SystemClock),
            nonce: Arc::new(UuidNonce),
        }
    }
}

impl AliyunClientBuilder {
    /// The API's address; wins over the region, and over being inside a VPC. Default: the region's, else
    /// `https://live.aliyuncs.com`.
    ///
    /// The command line's `ALIBABA_CLOUD_ENDPOINT` is not read: it is of one product, mostly another than Live.
    pub fn endpoint(mut self, endpoint: impl Into<String>) -> Self {
        self.endpoint = Some(endpoint.into());
        self
    }

    /// The region, which chooses the endpoint. Default: the first that is set of `ALIBABA_CLOUD_REGION_ID`,
    /// `ALIBABACLOUD_REGION_ID`, `ALICLOUD_REGION_ID` and `ALICLOUD_REGION`, unless there is an endpoint.
    ///
    /// Known are those of the mainland (`cn-…`), `ap-southeast-1` and `eu-central-1`, and inside a VPC `cn-shanghai`,
    /// `ap-southeast-1`, `us-east-1` and `me-central-1`. Any other is refused here; for those, set the endpoint. From a
    /// variable, which may be about other products, any other leads to the default endpoint, as in the vendor's SDK
    /// (UNVERIFIED whether it serves them); refused are a slip in a mainland region, and any other inside a VPC. The command line's `REGION_ID` and `REGION` are not read: their names are
    /// anybody's.
    pub fn region(mut self, region: impl Into<String>) -> Self {
        self.region = Some(region.into());
        self
    }

    /// Takes the endpoint inside a VPC of the region (`live-vpc.<region>.aliyuncs.com`). Default: no.
    ///
    /// `ALIBABA_CLOUD_VPC_ENDPOINT_ENABLED` says nothing about it: to the vendor's SDKs it is about the endpoint of STS, and
    /// credentials go by it here, too.
    pub fn vpc(mut self, vpc: bool) -> Self {
        self.vpc = vpc;
        self
    }

    /// Allows a plain HTTP endpoint that is not loopback. Default: no.
    pub fn allow_http(mut self, allow: bool) -> Self {
        self.allow_http = allow;
        self
    }

    /// The signature. Default: [`Signature::Rpc`].
    pub fn signature(mut self, signature: Signature) -> Self {
        self.signature = signature;
        self
    }

    /// The HTTP method. Default: [`HttpMethod::Post`].
    pub fn method(mut self, method: HttpMethod) -> Self {
        self.method = method;
        self
    }

    /// How booleans are written. Default: [`BooleanStyle::TrueFalse`].
    pub fn booleans(mut self, style: BooleanStyle) -> Self {
        self.booleans = style;
        self
    }

    /// Where the access key comes from. Default: [the vendor's chain](credential::default_chain).
    pub fn credentials(mut self, credentials: impl CredentialProvider) -> Self {
        self.auth = Auth::Given(Arc::new(credentials));
        self
    }

    /// Takes the access key from the environment and nowhere else; see [`environment`](credential::environment).
    pub fn environment(mut self) -> Self {
        self.auth = Auth::Environment;
        self
    }

    /// Takes the access key from one profile of the vendor's command line, `~/.aliyun/config.json`.
    pub fn profile(mut self, name: impl Into<String>) -> Self {
        self.auth = Auth::Profile(name.into());
        self
    }

    /// Takes the access key from where `other` has it: whoever issues keys is asked once for both.
    pub fn credentials_of(mut self, other: &AliyunClient) -> Self {
        self.auth = Auth::Given(Arc::clone(&other.credentials));
        self
    }

    /// The environment that defaults are read from. Default: this process's.
    pub fn env(mut self, env: impl Env) -> Self {
        self.env = Arc::new(env);
        self
    }

    /// A PEM file of certificates to trust besides the system's. Default: the file `ALIBABA_CLOUD_CA_BUNDLE` names, as
    /// the vendor's older SDKs have it, but there those of the system count no more.
    pub fn ca_bundle(mut self, path: impl Into<PathBuf>) -> Self {
        self.ca_bundle = Some(path.into());
        self
    }

    /// The account's quotas. Default: [`default_quotas`]. Give clients of one account clones of one value.
    pub fn quotas(mut self, quotas: Quotas) -> Self {
        self.quotas = quotas;
        self
    }

    /// How often and how long a call is tried.
    pub fn retry(mut self, retry: RetryPolicy) -> Self {
        self.retry = retry;
        self
    }

    /// The clock requests are signed by.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Where nonces come from.
    pub fn nonce(mut self, nonce: impl Nonce) -> Self {
        self.nonce = Arc::new(nonce);
        self
    }

    /// Checks the options.
    pub fn build(self) -> Result<AliyunClient> {
        let endpoint = self.chosen_endpoint()?;
        let network = self.network()?;
        let context = || {
            let (env, clock) = (Arc::clone(&self.env), Arc::clone(&self.clock));
            SourceContext { env, clock, network: network.clone(), retry: self.retry.clone() }
        };
        let credentials: Arc<dyn CredentialProvider> = match &self.auth {
            Auth::Chain => Arc::new(credential::default_chain(&context())),
            Auth::Environment => Arc::new(credential::environment(&context())),
            Auth::Profile(name) => Arc::new(credential::profile(&context(), name)),
            Auth::Given(provider) => Arc::clone(provider),
        };
        let account = Arc::new(credential::Account::new(context()));
        let pipeline = Pipeline::new(&endpoint, &network, self.quotas, self.retry, self.clock)?;
        Ok(AliyunClient {
            pipeline,
            endpoint,
            credentials,
            account,
            nonce: self.nonce,
            signature: self.signature,
            method: self.method.into(),
            booleans: self.booleans,
        })
    }

    /// Where calls will go, by options and environment.
    pub fn chosen_endpoint(&self) -> Result<Endpoint> {
        Ok(Endpoint::parse("endpoint", self.address()?, self.allow_http)?)
    }

    fn address(&self) -> Result<&str, InvalidConfig> {
        if let Some(endpoint) = &self.endpoint {
            return Ok(endpoint);
        }
        if let Some(id) = self.region.clone() {
            return Region { id, field: "region" }.endpoint(self.vpc);
        }
        match Region::endpoint_from_env(&self.env, self.vpc) {
            Some(endpoint) => endpoint,
            None if self.vpc => Err(region::no_region()),
            None => Ok(DEFAULT_ENDPOINT),
        }
    }

    fn network(&self) -> Result<Network> {
        let network = Network::from_env(&self.env);
        if let Some(path) = &self.ca_bundle {
            return network.with_ca_bundle("ca_bundle", path);
        }
        let variable = self.env.var(CA_BUNDLE);
        match variable.as_deref().map(str::trim).filter(|path| !path.is_empty()) {
            Some(path) => network.with_ca_bundle(CA_BUNDLE, Path::new(path)),
            None => Ok(network),
        }
    }
}

#[cfg(test)]
mod tests {
    use record_callback_http::FixedEnv;

    use super::*;

    fn builder() -> AliyunClientBuilder {
        AliyunClientBuilder::default().env(FixedEnv::default())
    }

    fn authority(builder: AliyunClientBuilder) -> Result<String, String> {
        let client = builder.build().map_err(|error| error.to_string())?;
        Ok(client.endpoint.authority().to_owned())
    }

    #[test]
    fn the_endpoint_comes_from_itself_the_region_or_the_default() {
        assert_eq!(authority(builder()).unwrap(), "live.aliyuncs.com");
        assert_eq!(authority(builder().region("cn-shanghai")).unwrap(), "live.aliyuncs.com");
        assert_eq!(authority(builder().region("eu-central-1")).unwrap(), "live.eu-central-1.aliyuncs.com");
        let both = builder().region("mars-1").vpc(true).endpoint("http://127.0.0.1:9");
        assert_eq!(authority(both).unwrap(), "127.0.0.1:9");
        let error = authority(builder().region("mars-1")).unwrap_err();
        assert!(
            error.contains("region: `mars-1` is not a known region (rule: one of the mainland"),
            "{error}"
        );
        assert!(authority(builder().endpoint("http://live.example.com")).is_err());
        assert!(authority(builder().endpoint("http://live.example.com").allow_http(true)).is_ok());
    }

    #[test]
    fn a_region_of_the_environment_counts_where_nothing_else_is_said() {
        let with = |region| builder().env(FixedEnv::from_iter([("ALICLOUD_REGION", region)]));
        assert_eq!(authority(with("ap-southeast-1")).unwrap(), "live.ap-southeast-1.aliyuncs.com");
        assert_eq!(authority(with("ap-southeast-1").region("cn-beijing")).unwrap(), "live.aliyuncs.com");
        assert_eq!(authority(with("mars-1").endpoint("live.example.com")).unwrap(), "live.example.com");
        // It may be about other products.
        for region in ["us-west-1", "us-east-1", "mars-1"] {
            assert_eq!(authority(with(region)).unwrap(), "live.aliyuncs.com", "{region}");
            assert!(authority(with("cn-beijing").region(region)).is_err(), "{region}");
        }
        for region in ["us-west-1", "cn-beijing"] {
            let error = authority(with(region).vpc(true)).unwrap_err();
            assert!(error.contains(&format!("ALICLOUD_REGION: `{region}` is not ")), "{error}");
        }
    }

    #[test]
    fn what_is_for_other_products_or_services_does_not_choose_the_endpoint() {
        let env = FixedEnv::from_iter([
            ("ALIBABA_CLOUD_ENDPOINT", "oss-cn-hangzhou.aliyuncs.com"),
            ("ALIBABA_CLOUD_VPC_ENDPOINT_ENABLED", "true"),
            ("REGION", "mars-1"),
        ]);
        assert_eq!(authority(builder().env(env).region("cn-shanghai")).unwrap(), "live.aliyuncs.com");
    }

    #[test]
    fn inside_a_vpc_the_region_has_another_endpoint() {
        let inside = || builder().vpc(true);
        assert_eq!(authority(inside().region("us-east-1")).unwrap(), "live-vpc.us-east-1.aliyuncs.com");
        let env = FixedEnv::from_iter([("ALIBABA_CLOUD_REGION_ID", "cn-shanghai")]);
        assert_eq!(authority(inside().env(env)).unwrap(), "live-vpc.cn-shanghai.aliyuncs.com");
        let error = authority(inside()).unwrap_err();
        assert!(error.contains("vpc: is set, and neither a region nor an endpoint is"), "{error}");
    }

    #[test]
    fn a_ca_bundle_is_of_the_option_or_the_variable() {
        let env = || FixedEnv::from_iter([("ALIBABA_CLOUD_CA_BUNDLE", "/nowhere/variable.pem")]);
        let error = authority(builder().env(env())).unwrap_err();
        assert!(error.contains("ALIBABA_CLOUD_CA_BUNDLE: /nowhere/variable.pem cannot be read"), "{error}");
        let error = authority(builder().env(env()).ca_bundle("/nowhere/option.pem")).unwrap_err();
        assert!(error.contains("ca_bundle: /nowhere/option.pem cannot be read"), "{error}");
    }
}
