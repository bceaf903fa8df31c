//! Endpoint, region, project, options and the client's builder.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::Arc;

use record_callback_core::{InvalidConfig, Result};
use record_callback_http::{
    Clock, CredentialProvider, Endpoint, Env, Network, OsEnv, Pipeline, Quota, Quotas, RetryPolicy,
    SourceContext, SystemClock,
};
use secrecy::SecretString;

use crate::client::HuaweicloudClient;
use crate::credential::{self, Credentials, Login, LoginTokens, ProjectRef, Token};
use crate::iam::Iam;
use crate::region::{self, DEFAULT_IAM, Region};

/// The limiter all operations share.
pub(crate) const QUOTA: &str = "record/callbacks";

/// The documented quota: 300 requests a minute for all recording-callback operations of a user together. The one
/// limiter is named `record/callbacks`.
pub fn default_quotas() -> Quotas {
    quotas(NonZeroU32::new(300).unwrap_or(NonZeroU32::MIN))
}

/// The quota of a user who may make `calls` of all operations together each minute.
pub fn quotas(calls: NonZeroU32) -> Quotas {
    Quotas::new([(QUOTA, Quota::per_minute(calls))])
}

/// Collects the options of a [`HuaweicloudClient`]; [`build`](Self::build) judges them.
#[derive(Debug)]
#[must_use]
pub struct HuaweicloudClientBuilder {
    endpoint: Option<String>,
    iam_endpoint: Option<String>,
    region: Option<String>,
    project_id: Option<String>,
    allow_http: bool,
    auth: Auth,
    env: Arc<dyn Env>,
    ca_bundle: Option<PathBuf>,
    quotas: Quotas,
    retry: RetryPolicy,
    clock: Arc<dyn Clock>,
}

/// The way of authorising requests that was chosen.
#[derive(Debug)]
enum Auth {
    /// The vendor's chain.
    Chain,
    AccessKey(Arc<dyn CredentialProvider>),
    Token(SecretString),
    Login(Login),
}

impl Default for HuaweicloudClientBuilder {
    fn default() -> Self {
        Self {
            endpoint: None,
            iam_endpoint: None,
            region: None,
            project_id: None,
            allow_http: false,
            auth: Auth::Chain,
            env: Arc::new(OsEnv),
            ca_bundle: None,
            quotas: default_quotas(),
            retry: RetryPolicy::default(),
            clock: Arc::new(SystemClock),
        }
    }
}

impl HuaweicloudClientBuilder {
    /// The API's address; wins over the region's.
    ///
    /// A region's is the first of `HUAWEICLOUD_SDK_REGION_LIVE_<REGION>` (as in `..._LIVE_CN_NORTH_4`), the file
    /// `HUAWEICLOUD_SDK_REGIONS_FILE` names or else `~/.huaweicloud/regions.yaml`, and
    /// `https://live.<region>.myhuaweicloud.com` if the region is known. Where variable or file list several endpoints, the
    /// vendor's SDKs go on to the next when one cannot be reached; here the first is used.
    pub fn endpoint(mut self, endpoint: impl Into<String>) -> Self {
        self.endpoint = Some(endpoint.into());
        self
    }

    /// The address of IAM. Default: `HUAWEICLOUD_SDK_IAM_ENDPOINT`, else the region's if it has one of its own, else
    /// `https://iam.myhuaweicloud.com`.
    pub fn iam_endpoint(mut self, endpoint: impl Into<String>) -> Self {
        self.iam_endpoint = Some(endpoint.into());
        self
    }

    /// The region, which chooses the endpoints and, when no project is given, the project of its name. Default:
    /// `HW_REGION_NAME`, unless there is an endpoint.
    ///
    /// Known are `cn-north-1`, `cn-north-4`, `cn-east-3` and `ap-southeast-1` to `-3`; others need an endpoint, which a
    /// variable or a file may have.
    pub fn region(mut self, region: impl Into<String>) -> Self {
        self.region = Some(region.into());
        self
    }

    /// The project's id. Default: the one that goes with the access key (`HUAWEICLOUD_SDK_PROJECT_ID` in the environment,
    /// `project_id` in a file), else the region's, asked from IAM once.
    pub fn project_id(mut self, id: impl Into<String>) -> Self {
        self.project_id = Some(id.into());
        self
    }

    /// Allows plain HTTP endpoints that are not loopback. Default: no.
    pub fn allow_http(mut self, allow: bool) -> Self {
        self.allow_http = allow;
        self
    }

    /// Signs requests with access keys. Default: [the vendor's chain](credential::default_chain).
    pub fn credentials(mut self, credentials: impl CredentialProvider) -> Self {
        self.auth = Auth::AccessKey(Arc::new(credentials));
        self
    }

    /// Takes the access key from where `other` has it: whoever issues keys is asked once for both. Tokens are for one
    /// project, and not shared.
    pub fn credentials_of(mut self, other: &HuaweicloudClient) -> Self {
        if let Credentials::AccessKey(provider) = other.credentials() {
            self.auth = Auth::AccessKey(Arc::clone(provider));
        }
        self
    }

    /// Sends this token (`X-Auth-Token`) instead of signing. It must be for the project, and is not renewed.
    pub fn token(mut self, token: impl Into<SecretString>) -> Self {
        self.auth = Auth::Token(token.into());
        self
    }

    /// Obtains tokens from IAM by password, and renews them.
    pub fn login(mut self, login: Login) -> Self {
        self.auth = Auth::Login(login);
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

    /// Checks the options.
    pub fn build(self) -> Result<HuaweicloudClient> {
        let network = Network::from_env(&self.env);
        let network = match &self.ca_bundle {
            Some(path) => network.with_ca_bundle("ca_bundle", path)?,
            None => network,
        };
        let context = self.context(network);
        let region = self.chosen_region(&context);
        let endpoint = self.live(&context, region.as_ref())?;
        let project = self.project(region.as_ref())?;
        let iam_endpoint = self.iam(&context, region.as_ref())?;
        let pipeline_to = |endpoint: &Endpoint, quotas| {
            let (retry, clock) = (context.retry.clone(), Arc::clone(&context.clock));
            Pipeline::new(endpoint, &context.network, quotas, retry, clock)
        };
        let pipeline = pipeline_to(&endpoint, self.quotas)?;
        let iam_pipeline = if context.network.reaches_alike(&endpoint, &iam_endpoint)? {
            pipeline.with_quotas(Quotas::unlimited())
        } else {
            pipeline_to(&iam_endpoint, Quotas::unlimited())?
        };
        let iam = Iam { pipeline: iam_pipeline, endpoint: iam_endpoint };
        let named_region = region.as_ref().map(|region| region.id.clone());
        let is_iam_named = self.iam_endpoint.is_some();
        let account = credential::Account::new(context.clone(), &endpoint, &iam, is_iam_named, named_region);
        let credentials = match self.auth {
            Auth::Chain => {
                Credentials::AccessKey(Arc::new(credential::default_chain(&context, &iam.endpoint)))
            }
            Auth::AccessKey(provider) => Credentials::AccessKey(provider),
            Auth::Token(value) => Credentials::Token(Arc::new(Token::new(value))),
            Auth::Login(login) => {
                let tokens = LoginTokens::new(
                    iam.clone(),
                    login,
                    project.clone().ok_or_else(credential::no_project)?,
                    self.clock,
                );
                Credentials::Login(Box::new(tokens))
            }
        };
        Ok(HuaweicloudClient::new(pipeline, endpoint, iam, credentials, project, account))
    }

    /// Where calls of Live will go, by options and environment.
    pub fn chosen_endpoint(&self) -> Result<Endpoint> {
        let context = self.context(Network::default());
        self.live(&context, self.chosen_region(&context).as_ref())
    }

    fn context(&self, network: Network) -> SourceContext {
        let (env, clock) = (Arc::clone(&self.env), Arc::clone(&self.clock));
        SourceContext { env, clock, network, retry: self.retry.clone() }
    }

    fn live(&self, context: &SourceContext, region: Option<&Region>) -> Result<Endpoint> {
        match (&self.endpoint, region) {
            (Some(endpoint), _) => Ok(Endpoint::parse("endpoint", endpoint, self.allow_http)?),
            (None, Some(region)) => region.live(context, self.allow_http),
            (None, None) => Err(region::no_endpoint().into()),
        }
    }

    /// The region that was given; that of the environment only where nothing else says where to go.
    fn chosen_region(&self, context: &SourceContext) -> Option<Region> {
        match &self.region {
            Some(id) => Some(Region { id: id.clone(), field: "region" }),
            None if self.endpoint.is_some() => None,
            None => Region::from_env(context),
        }
    }

    fn iam(&self, context: &SourceContext, region: Option<&Region>) -> Result<Endpoint, InvalidConfig> {
        if let Some(endpoint) = &self.iam_endpoint {
            return Endpoint::parse("iam_endpoint", endpoint, self.allow_http);
        }
        if let Some(endpoint) = context.var(credential::IAM_ENDPOINT) {
            return Endpoint::parse(credential::IAM_ENDPOINT, &endpoint, self.allow_http);
        }
        let address = region.map_or_else(|| DEFAULT_IAM.to_owned(), Region::iam);
        Endpoint::parse("iam_endpoint", &address, self.allow_http)
    }

    /// `None` where the source of the key has to say it.
    fn project(&self, region: Option<&Region>) -> Result<Option<ProjectRef>, InvalidConfig> {
        match (&self.project_id, region) {
            (Some(id), _) => credential::check_project_id(id).map(|()| Some(ProjectRef::Id(id.clone()))),
            (None, Some(region)) => Ok(Some(ProjectRef::Region(region.id.clone()))),
            (None, None) if matches!(self.auth, Auth::Chain | Auth::AccessKey(_)) => Ok(None),
            (None, None) => Err(credential::no_project()),
        }
    }
}

#[cfg(test)]
mod tests {
    use record_callback_http::FixedEnv;

    use super::*;

    fn builder() -> HuaweicloudClientBuilder {
        HuaweicloudClientBuilder::default().env(FixedEnv::default())
    }

    fn refusal(builder: HuaweicloudClientBuilder) -> String {
        builder.build().unwrap_err().to_string()
    }

    #[test]
    fn a_region_gives_every_address() {
        let client = builder().region("cn-north-4").build().unwrap();
        assert_eq!(
            client.endpoints(),
            ("live.cn-north-4.myhuaweicloud.com", "iam.cn-north-4.myhuaweicloud.com")
        );
        let env = FixedEnv::from_iter([("HUAWEICLOUD_SDK_IAM_ENDPOINT", "https://iam.example.com")]);
        let client = builder().env(env).region("cn-north-4").build().unwrap();
        assert_eq!(client.endpoints().1, "iam.example.com");
        // The region may be another service's, and need not be known to IAM.
        let client = builder().region("mars-1").endpoint("live.example.com").build().unwrap();
        assert_eq!(client.endpoints(), ("live.example.com", "iam.myhuaweicloud.com"));
    }

    #[test]
    fn a_region_of_the_environment_counts_where_nothing_else_is_said() {
        let with = |region| builder().env(FixedEnv::from_iter([("HW_REGION_NAME", region)]));
        let client = with("cn-east-3").build().unwrap();
        assert_eq!(
            client.endpoints(),
            ("live.cn-east-3.myhuaweicloud.com", "iam.cn-east-3.myhuaweicloud.com")
        );
        let client = with("cn-east-3").region("cn-north-4").build().unwrap();
        assert_eq!(client.endpoints().0, "live.cn-north-4.myhuaweicloud.com");
        let client = with("mars-1").endpoint("live.example.com").build().unwrap();
        assert_eq!(client.endpoints(), ("live.example.com", "iam.myhuaweicloud.com"));
        let unknown = refusal(with("mars-1"));
        assert!(unknown.starts_with("HW_REGION_NAME: `mars-1` is not a known region"), "{unknown}");
    }

    #[test]
    fn what_is_missing_or_unknown_is_named() {
        assert!(refusal(builder()).starts_with("endpoint: is not given"));
        let token = builder().endpoint("http://127.0.0.1:9").token("t");
        assert!(refusal(token).starts_with("project_id: is not given"));
        let unknown = refusal(builder().region("mars-1"));
        assert!(unknown.contains("`mars-1` is not a known region (rule: one of cn-north-4,"), "{unknown}");
        let odd = refusal(builder().region("cn-north-4").project_id("../x"));
        assert!(odd.starts_with("project_id: is not a project's id"), "{odd}");
        let plain = refusal(builder().region("cn-north-4").iam_endpoint("http://iam.example.com"));
        assert!(plain.starts_with("iam_endpoint: is plain http"), "{plain}");
        let env = FixedEnv::from_iter([("HUAWEICLOUD_SDK_IAM_ENDPOINT", "http://iam.example.com")]);
        let plain = refusal(builder().env(env).region("cn-north-4"));
        assert!(plain.starts_with("HUAWEICLOUD_SDK_IAM_ENDPOINT: is plain http"), "{plain}");
    }
}
