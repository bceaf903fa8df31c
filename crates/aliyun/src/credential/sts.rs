use std::sync::Arc;

use percent_encoding::percent_decode_str;
use record_callback_core::{AccountId, InvalidConfig, Result};
use record_callback_http::header::{ACCEPT, CONTENT_TYPE, HeaderValue};
use record_callback_http::{
    AccessKey, Answer, Call, CredentialProvider, Endpoint, Lease, Method, Nonce, Pipeline, Request, Safety,
    Secrets, Signed, SourceContext, Used, UuidNonce, encode, replaces,
};

use super::recognise::looks_like_huaweicloud_key;
use crate::VENDOR;
use crate::error;
use crate::sign::rpc;
use crate::wire::credential::{
    self as wire, ASSUME_ROLE, ASSUME_ROLE_WITH_OIDC, AssumedRole, CALLER_IDENTITY, CallerIdentity,
};
use crate::wire::{Params, rpc_params, seconds};

pub(crate) const ENDPOINT: &str = "RECORD_CALLBACK_ALIYUN_STS_ENDPOINT";
const REGION: &str = "ALIBABA_CLOUD_STS_REGION";
const VPC: &str = "ALIBABA_CLOUD_VPC_ENDPOINT_ENABLED";
/// The variable of the vendor's command line, for every region.
pub(super) const HOST: &str = "ALIBABA_CLOUD_STS_ENDPOINT";

/// The service to be asked, as a profile has it.
#[derive(Debug, Default)]
pub(super) struct StsChoice {
    /// Its host, or address.
    pub(super) endpoint: Option<String>,
    pub(super) region: Option<String>,
    pub(super) vpc: Option<bool>,
}

/// The vendor's token service.
#[derive(Debug)]
pub(crate) struct Sts {
    pipeline: Pipeline,
    pub(super) endpoint: Endpoint,
}

impl Sts {
    /// The service that is chosen by its host, else by its region; by the profile, else by the environment; else the one for
    /// all. A host in the environment wins over a profile's region, as in the vendor's command line.
    pub(super) fn new(context: &SourceContext, choice: &StsChoice) -> Result<Self> {
        let host = match &choice.endpoint {
            Some(host) => Some(("sts_endpoint", host.clone())),
            None => context.var(HOST).map(|host| (HOST, host)),
        };
        let endpoint = match (context.var(ENDPOINT), host) {
            (Some(address), _) => Endpoint::parse(ENDPOINT, &address, false)?,
            (None, Some((field, host))) if host.contains("://") => Endpoint::parse(field, &host, false)?,
            (None, Some((field, host))) => Endpoint::parse(field, &format!("https://{host}"), false)?,
            (None, None) => Endpoint::parse("sts_region", &address(context, choice)?, false)?,
        };
        let pipeline = context.pipeline(&endpoint)?;
        Ok(Self { pipeline, endpoint })
    }

    /// `AssumeRole`, signed with what `source` has.
    pub(super) async fn assume_role(
        &self,
        params: &Params<'_>,
        external_id: Option<&str>,
        source: &Arc<dyn CredentialProvider>,
    ) -> Result<Lease<AccessKey>> {
        // Asked before the call: that the source fails is no failure of this one.
        let key = source.access_key().await?;
        let foreign = looks_like_huaweicloud_key(key.id());
        let sign = || async {
            let mut signed = self.signed(ASSUME_ROLE, params, &key);
            signed.secrets.add(external_id);
            Ok(signed)
        };
        self.pipeline.send(call(ASSUME_ROLE), sign, |answer| read(answer, foreign)).await
    }

    /// `GetCallerIdentity`: the account of what `source` has, and the key it was asked with.
    pub(super) async fn account_of(
        &self,
        source: &dyn CredentialProvider,
    ) -> Result<(Arc<AccessKey>, AccountId)> {
        let used: Used<Arc<AccessKey>> = Used::default();
        let sign = || async {
            let key = source.access_key().await?;
            let signed = self.signed(CALLER_IDENTITY, &Params::default(), &key);
            used.set(key);
            Ok(signed)
        };
        let classify = |answer: &Answer| {
            if !answer.status.is_success() {
                let foreign = used.get().is_some_and(|key| looks_like_huaweicloud_key(key.id()));
                return Err(error::classify_for(answer, foreign));
            }
            let identity: CallerIdentity = answer.json()?;
            // Signed before it was answered.
            let key = used.get().ok_or_else(|| answer.not_understood("an answer to a request"))?;
            Ok((key, identity.account_id))
        };
        let send = || self.pipeline.send(call(CALLER_IDENTITY), sign, classify);
        let replaced = |refused: Arc<AccessKey>| async move { replaces(source, &refused).await };
        used.send(send, replaced).await
    }

    /// A request of `action`, signed for now.
    fn signed(&self, action: &str, params: &Params<'_>, key: &AccessKey) -> Signed {
        let (timestamp, nonce) = (seconds(self.pipeline.now()), UuidNonce.nonce());
        let token = key.expose_security_token();
        let mut secrets = Secrets::default();
        secrets.add(token);
        let mut pairs = params.pairs();
        pairs.extend(rpc_params((action, wire::STS_VERSION), key.id(), token, &timestamp, &nonce));
        let query = rpc::signed_query(Method::GET.as_str(), &mut pairs, key.expose_secret());
        let signature = query.rsplit('=').next().map(|text| percent_decode_str(text).decode_utf8_lossy());
        secrets.add(signature.as_deref());
        Signed { request: self.request(Method::GET, &query), secrets }
    }

    /// `AssumeRoleWithOIDC`, which the token alone speaks for. It goes into the body: addresses end up in logs.
    pub(super) async fn assume_role_with_oidc(
        &self,
        params: &Params<'_>,
        token: &str,
    ) -> Result<Lease<AccessKey>> {
        let body = form(&params.pairs());
        let sign = || async {
            let (timestamp, nonce) = (seconds(self.pipeline.now()), UuidNonce.nonce());
            let query = form(&wire::unsigned_params(ASSUME_ROLE_WITH_OIDC, &timestamp, &nonce));
            let mut request = self.request(Method::POST, &query);
            let form = HeaderValue::from_static("application/x-www-form-urlencoded");
            request.headers_mut().insert(CONTENT_TYPE, form);
            *request.body_mut() = Some(body.clone().into());
            let mut secrets = Secrets::default();
            secrets.add(Some(token));
            Ok(Signed { request, secrets })
        };
        self.pipeline.send(call(ASSUME_ROLE_WITH_OIDC), sign, |answer| read(answer, false)).await
    }

    fn request(&self, method: Method, query: &str) -> Request {
        let mut url = self.endpoint.url().clone();
        url.set_query(Some(query));
        let mut request = Request::new(method, url);
        request.headers_mut().insert(ACCEPT, HeaderValue::from_static("application/json"));
        request
    }
}

/// The service's address; see `help.aliyun.com/document_detail/371859`.
fn address(context: &SourceContext, choice: &StsChoice) -> Result<String> {
    let Some(region) = choice.region.clone().or_else(|| context.var(REGION)) else {
        return Ok("https://sts.aliyuncs.com".to_owned());
    };
    let is_name = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if !is_name(&region) {
        let problem = format!("`{}` is not a region", region.escape_debug());
        let rule = "a region such as cn-hangzhou: letters, digits and `-`";
        return Err(InvalidConfig::new("sts_region", problem, rule).into());
    }
    let service = if choice.vpc.unwrap_or_else(|| context.is_true(VPC)) { "sts-vpc" } else { "sts" };
    Ok(format!("https://{service}.{region}.aliyuncs.com"))
}

fn call(operation: &'static str) -> Call<'static> {
    let time_refused = error::time_refused;
    // Issuing a session twice does no harm.
    let safety = Safety::Repeatable;
    Call { vendor: VENDOR, operation, quota: operation, domain: None, safety, time_refused }
}

fn form(pairs: &[(&str, &str)]) -> String {
    let pairs: Vec<_> =
        pairs.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
    pairs.join("&")
}

fn read(answer: &Answer, foreign: bool) -> Result<Lease<AccessKey>> {
    if !answer.status.is_success() {
        return Err(error::classify_for(answer, foreign));
    }
    let assumed: AssumedRole = answer.json()?;
    let (value, expires_at) = assumed.credentials.key();
    Ok(Lease { value, expires_at: Some(expires_at), issued_at: answer.date() })
}

#[cfg(test)]
mod tests {
    use record_callback_http::FixedEnv;

    use super::*;

    fn context(variables: &[(&str, &str)]) -> SourceContext {
        let env = Arc::new(variables.iter().copied().collect::<FixedEnv>());
        SourceContext { env, ..SourceContext::default() }
    }

    #[test]
    fn the_profile_then_the_environment_chooses_the_service() {
        let (none, region): (&[_], &[_]) = (&[], &[(REGION, "cn-beijing")]);
        let vpc = [(REGION, "cn-beijing"), (VPC, "True")];
        for (variables, region, vpc, expected) in [
            (none, None, None, "sts.aliyuncs.com"),
            (none, None, Some(true), "sts.aliyuncs.com"),
            (none, Some("eu-central-1"), None, "sts.eu-central-1.aliyuncs.com"),
            (none, Some("eu-central-1"), Some(true), "sts-vpc.eu-central-1.aliyuncs.com"),
            (region, None, None, "sts.cn-beijing.aliyuncs.com"),
            (region, Some("eu-central-1"), None, "sts.eu-central-1.aliyuncs.com"),
            (&vpc, None, None, "sts-vpc.cn-beijing.aliyuncs.com"),
            (&vpc, None, Some(false), "sts.cn-beijing.aliyuncs.com"),
            (&[(ENDPOINT, "http://127.0.0.1:1")], Some("eu-central-1"), None, "127.0.0.1:1"),
        ] {
            let choice = StsChoice { endpoint: None, region: region.map(str::to_owned), vpc };
            let sts = Sts::new(&context(variables), &choice).unwrap();
            assert_eq!(sts.endpoint.authority(), expected, "{variables:?} {region:?} {vpc:?}");
        }
    }

    #[test]
    fn a_host_of_the_profile_or_the_environment_wins_over_regions() {
        let in_env = [(HOST, "sts.example.com/"), (REGION, "cn-beijing")];
        for (variables, host, expected) in [
            (&in_env[..], None, Ok("sts.example.com")),
            (&in_env, Some("https://sts.other.example.com"), Ok("sts.other.example.com")),
            (&in_env[1..], Some("http://127.0.0.1:1"), Ok("127.0.0.1:1")),
            (&[(HOST, "http://sts.example.com")], None, Err("ALIBABA_CLOUD_STS_ENDPOINT: is plain http")),
            (&[], Some("http://sts.example.com"), Err("sts_endpoint: is plain http")),
        ] {
            let region = Some("eu-central-1".to_owned());
            let choice = StsChoice { endpoint: host.map(str::to_owned), region, vpc: None };
            let found = Sts::new(&context(variables), &choice);
            match expected {
                Ok(host) => assert_eq!(found.unwrap().endpoint.authority(), host),
                Err(said) => {
                    let error = found.unwrap_err().to_string();
                    assert!(error.starts_with(said), "{error}");
                }
            }
        }
    }

    #[test]
    fn what_is_no_region_or_no_endpoint_is_refused_by_name() {
        for region in ["evil.example.com/", "a@b", "a#", "\u{1b}[2J"] {
            let choice = StsChoice { region: Some(region.to_owned()), ..StsChoice::default() };
            let error = Sts::new(&context(&[]), &choice).unwrap_err().to_string();
            assert!(error.starts_with("sts_region: `") && !error.contains('\u{1b}'), "{error}");
        }
        let refused = context(&[(ENDPOINT, "http://sts.example.com")]);
        let error = Sts::new(&refused, &StsChoice::default()).unwrap_err();
        assert!(
            error.to_string().starts_with("RECORD_CALLBACK_ALIYUN_STS_ENDPOINT: is plain http"),
            "{error}"
        );
    }
}
