//! Endpoint, region, options and the client's builder.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::Arc;

use record_callback_core::{InvalidConfig, Result};
use record_callback_http::{
    Clock, CredentialProvider, Endpoint, Env, Method, Network, Nonce, OsEnv, Pipeline, Quota, Quotas,
    RetryPolicy, SourceContext, SystemClock, UuidNonce,
};
use serde::Deserialize;

use crate::client::AliyunClient;
use crate::credential;
use crate::wire::{self, BooleanStyle};

/// Where mainland regions, and callers that name none, are served.
const DEFAULT_ENDPOINT: &str = "https://live.aliyuncs.com";
/// Regions with an endpoint of their own by the documents; the official Python SDK sends
/// them to the default one, so which is better is UNVERIFIED.
const OWN_ENDPOINT: [(&str, &str); 2] = [
    ("ap-southeast-1", "https://live.ap-southeast-1.aliyuncs.com"),
    ("eu-central-1", "https://live.eu-central-1.aliyuncs.com"),
];
const MAINLAND: &str = "cn-";

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
    allow_http: bool,
    signature: Signature,
    method: HttpMethod,
    booleans: BooleanStyle,
    credentials: Option<Arc<dyn CredentialProvider>>,
    env: Arc<dyn Env>,
    ca_bundle: Option<PathBuf>,
    quotas: Quotas,
    retry: RetryPolicy,
    clock: Arc<dyn Clock>,
    nonce: Arc<dyn Nonce>,
}

impl Default for AliyunClientBuilder {
    fn default() -> Self {
        Self {
            endpoint: None,
            region: None,
            allow_http: false,
            signature: Signature::default(),
            method: HttpMethod::default(),
            booleans: BooleanStyle::default(),
            credentials: None,
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
    /// The API's address; wins over the region. Default: `https://live.aliyuncs.com`.
    pub fn endpoint(mut self, endpoint: impl Into<String>) -> Self {
        self.endpoint = Some(endpoint.into());
        self
    }

    /// The region, which chooses the endpoint.
    pub fn region(mut self, region: impl Into<String>) -> Self {
        self.region = Some(region.into());
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
        self.credentials = Some(Arc::new(credentials));
        self
    }

    /// The environment that defaults are read from. Default: this process's.
    pub fn env(mut self, env: impl Env) -> Self {
        self.env = Arc::new(env);
        self
    }

    /// A PEM file of certificates to trust besides the system's.
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
        let address = match (&self.endpoint, &self.region) {
            (Some(endpoint), _) => endpoint,
            (None, Some(region)) => endpoint_of(region)?,
            (None, None) => DEFAULT_ENDPOINT,
        };
        let endpoint = Endpoint::parse("endpoint", address, self.allow_http)?;
        let network = Network::from_env(&self.env)?;
        let network = match &self.ca_bundle {
            Some(path) => network.with_ca_bundle("ca_bundle", path)?,
            None => network,
        };
        let credentials = self.credentials.unwrap_or_else(|| {
            let (clock, retry) = (Arc::clone(&self.clock), self.retry.clone());
            let context = SourceContext { env: self.env, clock, network: network.clone(), retry };
            Arc::new(credential::default_chain(&context))
        });
        let pipeline = Pipeline::new(&endpoint, &network, self.quotas, self.retry, self.clock)?;
        Ok(AliyunClient {
            pipeline,
            endpoint,
            credentials,
            nonce: self.nonce,
            signature: self.signature,
            method: self.method.into(),
            booleans: self.booleans,
        })
    }
}

fn endpoint_of(region: &str) -> Result<&'static str, InvalidConfig> {
    if let Some((_, endpoint)) = OWN_ENDPOINT.iter().find(|(name, _)| *name == region) {
        return Ok(endpoint);
    }
    if region.starts_with(MAINLAND) {
        return Ok(DEFAULT_ENDPOINT);
    }
    let own = OWN_ENDPOINT.map(|(name, _)| name).join(", ");
    let problem = format!("`{}` is not a known region", region.escape_debug());
    Err(InvalidConfig::new("region", problem, format!("cn-*, {own}; or set the endpoint")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_endpoint_comes_from_itself_the_region_or_the_default() {
        let authority =
            |builder: AliyunClientBuilder| builder.build().map(|c| c.endpoint.authority().to_owned());
        let builder = AliyunClientBuilder::default;
        assert_eq!(authority(builder()).unwrap(), "live.aliyuncs.com");
        assert_eq!(authority(builder().region("cn-shanghai")).unwrap(), "live.aliyuncs.com");
        assert_eq!(authority(builder().region("eu-central-1")).unwrap(), "live.eu-central-1.aliyuncs.com");
        let both = builder().region("mars-1").endpoint("http://127.0.0.1:9");
        assert_eq!(authority(both).unwrap(), "127.0.0.1:9");
        let error = authority(builder().region("mars-1")).unwrap_err().to_string();
        assert!(
            error.contains("region: `mars-1` is not a known region (rule: cn-*, ap-southeast-1"),
            "{error}"
        );
        assert!(authority(builder().endpoint("http://live.example.com")).is_err());
        assert!(authority(builder().endpoint("http://live.example.com").allow_http(true)).is_ok());
    }
}
