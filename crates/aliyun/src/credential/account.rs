//! The account that credentials are of, from the token service.

use std::sync::Arc;

use record_callback_core::{AccountId, Error, ErrorKind, Result};
use record_callback_http::{
    AccessKey, CredentialProvider, Endpoint, KnownAccount, SourceContext, account_retry, of_credentials,
};

use super::sts::{self, Sts, StsChoice};

/// The end of the hosts of the vendor's services.
const VENDOR_HOSTS: &str = ".aliyuncs.com";
/// The beginning of those of Live, inside a VPC.
const LIVE_IN_VPC: &str = "live-vpc";

/// The account behind one client.
#[derive(Debug)]
pub(crate) struct Account {
    context: SourceContext,
    known: KnownAccount<Arc<AccessKey>>,
}

impl Account {
    pub(crate) fn new(context: SourceContext) -> Self {
        let context = SourceContext { retry: account_retry(&context.retry), ..context };
        Self { context, known: KnownAccount::default() }
    }

    /// The account of what `source` has, where calls of Live go to `live`.
    pub(crate) async fn of(&self, source: &dyn CredentialProvider, live: &Endpoint) -> Result<AccountId> {
        // Whatever became of it, it says nothing about a config.
        let key = source.access_key().await.map_err(of_credentials)?;
        let is_same = |known: &Arc<AccessKey>| known.is_same_identity(&key);
        let ask = async || {
            let sts = Sts::new(&self.context, &choice(&self.context, live)?)?;
            sts.account_of(source).await
        };
        self.known.get(is_same, ask).await.map_err(of_credentials)
    }
}

/// The token service that goes with an endpoint of Live: of its region, else of the environment's, else the one for all.
///
/// A key is for the vendor, and for whom a user sends it to: with an endpoint that is not the vendor's, nobody knows which
/// token service would be the one to ask.
fn choice(context: &SourceContext, live: &Endpoint) -> Result<StsChoice> {
    if [sts::ENDPOINT, sts::HOST].iter().any(|variable| context.var(variable).is_some()) {
        return Ok(StsChoice::default());
    }
    let host = live.url().host_str().and_then(|host| host.strip_suffix(VENDOR_HOSTS));
    let Some((service, region)) = host.map(|host| host.split_once('.').unwrap_or((host, ""))) else {
        let problem = format!(
            "it is not known who to ask for the account: {} is not an address of the vendor, and {} is not set",
            live.authority(),
            sts::ENDPOINT
        );
        return Err(Error::new(ErrorKind::Unavailable, problem));
    };
    let region = (!region.is_empty()).then(|| region.to_owned());
    // Inside a VPC there may be no other way.
    let vpc = (service == LIVE_IN_VPC).then_some(true);
    Ok(StsChoice { endpoint: None, region, vpc })
}

#[cfg(test)]
mod tests {
    use record_callback_http::FixedEnv;

    use super::*;

    fn asked(live: &str, variables: &[(&str, &str)]) -> Result<String> {
        let env = Arc::new(variables.iter().copied().collect::<FixedEnv>());
        let context = SourceContext { env, ..SourceContext::default() };
        let choice = choice(&context, &Endpoint::parse("endpoint", live, false).unwrap())?;
        Ok(Sts::new(&context, &choice)?.endpoint.authority().to_owned())
    }

    #[test]
    fn the_token_service_is_that_of_lives_endpoint() {
        let region = ("ALIBABA_CLOUD_STS_REGION", "cn-beijing");
        for (live, variables, expected) in [
            ("live.aliyuncs.com", &[][..], "sts.aliyuncs.com"),
            ("live.aliyuncs.com", &[region], "sts.cn-beijing.aliyuncs.com"),
            ("live.ap-southeast-1.aliyuncs.com", &[region], "sts.ap-southeast-1.aliyuncs.com"),
            ("live-vpc.cn-shanghai.aliyuncs.com", &[], "sts-vpc.cn-shanghai.aliyuncs.com"),
            ("live.example.com", &[(sts::ENDPOINT, "sts.example.com")], "sts.example.com"),
        ] {
            assert_eq!(asked(live, variables).unwrap(), expected, "{live}");
        }
    }

    #[test]
    fn no_key_is_shown_to_a_host_nobody_named() {
        for live in
            ["live.example.com", "https://127.0.0.1:1", "aliyuncs.com.example.com", "evilaliyuncs.com"]
        {
            let error = asked(live, &[]).unwrap_err();
            assert!(error.message().contains("RECORD_CALLBACK_ALIYUN_STS_ENDPOINT is not set"), "{error}");
        }
    }
}
