//! The account that credentials are of: from STS, from IAM, or from the token itself.

use record_callback_core::{AccountId, Error, ErrorKind, Result};
use record_callback_http::header::HeaderName;
use record_callback_http::{
    Answer, Body, Endpoint, KnownAccount, Method, Pipeline, Secrets, SourceContext, Used, account_retry,
    of_credentials, sensitive,
};
use secrecy::ExposeSecret;
use serde::de::DeserializeOwned;

use super::oidc::{DEFAULT_STS, STS_ENDPOINT};
use super::{Credential, Credentials, IAM_ENDPOINT, Token};
use crate::client::{Unsigned, read};
use crate::iam::{Iam, call};
use crate::sign::canonical_query;
use crate::wire::credential::{CALLER_IDENTITY, CALLER_IDENTITY_PATH, CallerIdentity};
use crate::wire::{self, Domains, Owner, Project, Projects, TokenAnswer, header};

/// The end of the hosts of the vendor's services.
pub(super) const VENDOR_HOSTS: &str = ".myhuaweicloud.com";
/// Regions with an STS endpoint, by the official SDKs. Any of them may be asked (page `usermanual-iam5/iam_01_1237`).
const STS: [&str; 12] = [
    "af-south-1",
    "ap-southeast-1",
    "ap-southeast-2",
    "ap-southeast-3",
    "ap-southeast-4",
    "cn-east-3",
    "cn-north-4",
    "cn-south-1",
    "cn-southwest-2",
    "la-south-2",
    "sa-brazil-1",
    "tr-west-1",
];

/// The account behind one client.
#[derive(Debug)]
pub(crate) struct Account {
    context: SourceContext,
    /// The address of STS; `None` where nobody knows it.
    sts: Result<String, String>,
    /// `None` where IAM is the vendor's and calls of Live go elsewhere.
    iam: Option<Iam>,
    /// The region whose projects tell the account.
    region: Option<String>,
    known: KnownAccount<Credential>,
}

impl Account {
    /// The account behind a client whose calls of Live go to `live`. `is_iam_named` says that somebody chose `iam`.
    ///
    /// A key is for the vendor, and for whom a user sends it to: with an endpoint that is not the vendor's, services are
    /// asked only at addresses that somebody named.
    pub(crate) fn new(
        context: SourceContext,
        live: &Endpoint,
        iam: &Iam,
        is_iam_named: bool,
        region: Option<String>,
    ) -> Self {
        let context = SourceContext { retry: account_retry(&context.retry), ..context };
        let is_iam_named = is_iam_named || context.var(IAM_ENDPOINT).is_some();
        let sts = sts_address(&context, live);
        let iam = (is_iam_named || is_vendors(live)).then(|| Iam {
            pipeline: iam.pipeline.with_retry(context.retry.clone()),
            endpoint: iam.endpoint.clone(),
        });
        Self { context, sts, iam, region, known: KnownAccount::default() }
    }

    /// The account of `credentials`.
    pub(crate) async fn of(&self, credentials: &Credentials) -> Result<AccountId> {
        // Whatever became of it, it says nothing about a config.
        let now = credentials.current().await.map_err(of_credentials)?;
        let ask = async || match &now {
            Credential::Token(token) => Ok((now.clone(), self.of_token(token, credentials).await?)),
            Credential::AccessKey(_) => self.of_key(credentials).await,
        };
        let account = self.known.get(|known| known.is_same_identity(&now), ask).await;
        account.map_err(|error| of_credentials(now.explain(error)))
    }

    async fn of_token(&self, token: &Token, credentials: &Credentials) -> Result<AccountId> {
        if let Some(account) = &token.account {
            return Ok(account.clone());
        }
        let Some(iam) = &self.iam else { return Err(nobody(&format!("{IAM_ENDPOINT} is not set"))) };
        let request = get(wire::TOKENS_PATH, wire::TOKENS_QUERY.into());
        let sign = || async {
            let mut signed = request.signed(&iam.endpoint, &credentials.current().await?, iam.now())?;
            let value = sensitive(token.value.expose_secret())?;
            signed.request.headers_mut().insert(HeaderName::from_static(header::SUBJECT_TOKEN), value);
            Ok(signed)
        };
        let TokenAnswer { token } =
            iam.pipeline.send(call(wire::VALIDATE_TOKEN, |_| false), sign, read).await?;
        one(wire::VALIDATE_TOKEN, token.account())
    }

    /// STS is made for it. Where it does not tell, IAM may: it has the account of every project.
    async fn of_key(&self, credentials: &Credentials) -> Result<(Credential, AccountId)> {
        let first = match self.ask_sts(credentials).await {
            Ok(found) => return Ok(found),
            Err(error) => error,
        };
        let Some(iam) = &self.iam else { return Err(first) };
        match self.ask_for_domains(iam, credentials).await {
            Ok(found) => return Ok(found),
            // Nobody is there.
            Err(error) if error.status().is_none() && error.kind() != ErrorKind::Protocol => {
                return Err(first.with_advice(&format!("nor does IAM tell: {}", error.message())));
            }
            Err(_) => {}
        }
        let last = self.ask_for_projects(iam, credentials).await;
        last.map_err(|error| first.with_advice(&format!("nor does IAM tell: {}", error.message())))
    }

    async fn ask_sts(&self, credentials: &Credentials) -> Result<(Credential, AccountId)> {
        let address = self.sts.as_ref().map_err(|problem| nobody(problem))?;
        let endpoint = Endpoint::parse(STS_ENDPOINT, address, false)?;
        let pipeline = self.context.pipeline(&endpoint)?;
        let request = get(CALLER_IDENTITY_PATH, String::new());
        let (credential, CallerIdentity { account_id }) =
            ask(CALLER_IDENTITY, (&pipeline, &endpoint), &request, credentials).await?;
        Ok((credential, account_id))
    }

    async fn ask_for_domains(&self, iam: &Iam, credentials: &Credentials) -> Result<(Credential, AccountId)> {
        let request = get(wire::DOMAINS_PATH, String::new());
        let (credential, Domains { domains }) =
            ask(wire::LIST_DOMAINS, (&iam.pipeline, &iam.endpoint), &request, credentials).await?;
        match domains.as_slice() {
            [Owner { id }] => Ok((credential, one(wire::LIST_DOMAINS, Some(id))?)),
            _ => Err(no_account(wire::LIST_DOMAINS)),
        }
    }

    /// Projects of the region, where there is one, else all of them.
    async fn ask_for_projects(
        &self,
        iam: &Iam,
        credentials: &Credentials,
    ) -> Result<(Credential, AccountId)> {
        let query = self.region.as_deref().map(|region| canonical_query(&mut [("name", region)]));
        let request = get(wire::PROJECTS_PATH, query.unwrap_or_default());
        let (credential, Projects { projects }) =
            ask(wire::LIST_PROJECTS, (&iam.pipeline, &iam.endpoint), &request, credentials).await?;
        let mut owners = projects.iter().map(|Project { domain_id, .. }| domain_id.as_deref());
        let owner = owners.next().flatten();
        let owner = owner.filter(|owner| owners.all(|other| other == Some(owner)));
        Ok((credential, one(wire::LIST_PROJECTS, owner)?))
    }
}

/// The answer of a service, and the credential it was asked with.
async fn ask<T: DeserializeOwned>(
    operation: &'static str,
    (pipeline, endpoint): (&Pipeline, &Endpoint),
    request: &Unsigned<'_>,
    credentials: &Credentials,
) -> Result<(Credential, T)> {
    let used = Used::default();
    let sign = || async {
        let credential = credentials.current().await?;
        let signed = request.signed(endpoint, &credential, pipeline.now());
        used.set(credential);
        signed
    };
    let classify = |answer: &Answer| {
        let found = read(answer)?;
        // Signed before it was answered.
        let credential = used.get().ok_or_else(|| answer.not_understood("an answer to a request"))?;
        Ok((credential, found))
    };
    let call = call(operation, credentials.time_refused());
    let send = || pipeline.send(call, sign, classify);
    let replaced = |refused| async move { credentials.replaces(&refused).await };
    used.send(send, replaced).await
}

/// Neither project nor account go with it: the key alone says who asks.
fn get(path: &str, query: String) -> Unsigned<'static> {
    let (path, body, secrets) = (path.to_owned(), Body::default(), Secrets::default());
    Unsigned { method: Method::GET, path, query, body, project_id: None, secrets }
}

fn one(operation: &'static str, id: Option<&str>) -> Result<AccountId> {
    id.and_then(|id| AccountId::new(id).ok()).ok_or_else(|| no_account(operation))
}

fn no_account(operation: &'static str) -> Error {
    Error::new(ErrorKind::Protocol, "the answer does not tell one account").with_operation(operation)
}

fn nobody(problem: &str) -> Error {
    Error::new(ErrorKind::Unavailable, format!("it is not known who to ask for the account: {problem}"))
}

fn is_vendors(live: &Endpoint) -> bool {
    live.url().host_str().is_some_and(|host| host.ends_with(VENDOR_HOSTS))
}

/// The address of STS: that of the environment, else of Live's region, else of a region that has one.
fn sts_address(context: &SourceContext, live: &Endpoint) -> Result<String, String> {
    if let Some(address) = context.var(STS_ENDPOINT) {
        return Ok(address);
    }
    if !is_vendors(live) {
        let live = live.authority();
        return Err(format!("{live} is not an address of the vendor, and {STS_ENDPOINT} is not set"));
    }
    let host = live.url().host_str().unwrap_or_default();
    let region = STS.into_iter().find(|region| host.split('.').nth(1) == Some(region));
    Ok(region.map_or_else(|| DEFAULT_STS.to_owned(), |region| format!("https://sts.{region}{VENDOR_HOSTS}")))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use record_callback_http::FixedEnv;

    use super::*;

    fn asked(live: &str, variables: &[(&str, &str)]) -> Result<String, String> {
        let env = Arc::new(variables.iter().copied().collect::<FixedEnv>());
        let context = SourceContext { env, ..SourceContext::default() };
        sts_address(&context, &Endpoint::parse("endpoint", live, false).unwrap())
    }

    #[test]
    fn sts_is_that_of_lives_region_where_it_has_one() {
        for (live, variables, expected) in [
            ("live.cn-east-3.myhuaweicloud.com", &[][..], "https://sts.cn-east-3.myhuaweicloud.com"),
            ("live.cn-north-1.myhuaweicloud.com", &[], DEFAULT_STS),
            ("live.myhuaweicloud.com", &[], DEFAULT_STS),
            ("live.cn-east-3.myhuaweicloud.com", &[(STS_ENDPOINT, "sts.example.com")], "sts.example.com"),
            ("live.example.com", &[(STS_ENDPOINT, "sts.example.com")], "sts.example.com"),
        ] {
            assert_eq!(asked(live, variables).unwrap(), expected, "{live}");
        }
    }

    #[test]
    fn no_key_is_shown_to_a_host_nobody_named() {
        for live in ["live.example.com", "https://127.0.0.1:1", "myhuaweicloud.com.example.com"] {
            let problem = asked(live, &[]).unwrap_err();
            assert!(problem.contains("HUAWEICLOUD_SDK_STS_ENDPOINT is not set"), "{problem}");
        }
    }
}
