//! The agency that a user of an OIDC provider may assume, from STS.

use std::sync::Arc;

use async_trait::async_trait;
use record_callback_core::{Error, InvalidConfig, Result};
use record_callback_http::{
    AccessKey, CredentialSource, Endpoint, Lease, Method, Miss, Renewed, Secrets, SourceContext,
};
use secrecy::{ExposeSecret, SecretString};

use super::env::check_choice;
use super::temporary::{Label, issued};
use super::token_file::TokenFile;
use super::{PROJECT_ID, RENEW_BEFORE};
use crate::client::Unsigned;
use crate::iam::call;
use crate::wire::credential::{self as wire, AssumeAgency};

const PROVIDER_URN: &str = "HUAWEICLOUD_OIDC_PROVIDER_URN";
const AGENCY_URN: &str = "HUAWEICLOUD_OIDC_AGENCY_URN";
const ID_TOKEN: &str = "HUAWEICLOUD_OIDC_ID_TOKEN";
const TOKEN_FILE: &str = "HUAWEICLOUD_OIDC_TOKEN_FILE";
/// Those without which there is no agency.
pub(super) const NAMES: [&str; 4] = [PROVIDER_URN, AGENCY_URN, ID_TOKEN, TOKEN_FILE];
const SESSION_NAME: &str = "HUAWEICLOUD_OIDC_SESSION_NAME";
const DURATION_SECONDS: &str = "HUAWEICLOUD_OIDC_DURATION_SECONDS";
const POLICY: &str = "HUAWEICLOUD_OIDC_POLICY";
const POLICY_IDS: &str = "HUAWEICLOUD_OIDC_POLICY_IDS";
pub(super) const STS_ENDPOINT: &str = "HUAWEICLOUD_SDK_STS_ENDPOINT";

pub(super) const DEFAULT_STS: &str = "https://sts.cn-north-4.myhuaweicloud.com";
const DEFAULT_SESSION_NAME: &str = "oidc-sts-session";
const DEFAULT_SECONDS: u32 = 3600;

/// An agency by OIDC as a source of the chain.
#[derive(Debug)]
pub(super) struct Oidc {
    context: SourceContext,
    key: Renewed<AccessKey>,
}

/// What the variables say.
struct Assumption {
    provider_urn: String,
    agency_urn: String,
    id_token: IdToken,
    session_name: String,
    seconds: u32,
    policy: Option<String>,
    policy_ids: Vec<String>,
    sts: Endpoint,
    label: Label,
}

enum IdToken {
    Given(SecretString),
    /// Read anew for each key.
    In(TokenFile),
}

impl Oidc {
    pub(super) fn new(context: SourceContext) -> Self {
        let key = Renewed::new(Arc::clone(&context.clock), RENEW_BEFORE);
        Self { context, key }
    }

    fn assumption(&self) -> Result<Assumption, Miss> {
        let var = |name| self.context.var(name);
        // A token that is given wins over a file.
        let id_token = var(ID_TOKEN).map(|token| IdToken::Given(token.into()));
        let in_file =
            |path: String| IdToken::In(TokenFile { path: path.into(), named_by: TOKEN_FILE.into() });
        let id_token = id_token.or_else(|| var(TOKEN_FILE).map(in_file));
        let (provider_urn, agency_urn, id_token) = match (var(PROVIDER_URN), var(AGENCY_URN), id_token) {
            (Some(provider_urn), Some(agency_urn), Some(id_token)) => (provider_urn, agency_urn, id_token),
            (provider_urn, agency_urn, id_token) => {
                let token = format!("{ID_TOKEN} or {TOKEN_FILE}");
                return Err(Miss::NotConfigured(missing(&[
                    (PROVIDER_URN, provider_urn.is_some()),
                    (AGENCY_URN, agency_urn.is_some()),
                    (&token, id_token.is_some()),
                ])));
            }
        };
        let ids = var(POLICY_IDS).unwrap_or_default();
        let ids = ids.split(',').map(str::trim).filter(|id| !id.is_empty());
        Ok(Assumption {
            seconds: seconds(var(DURATION_SECONDS).as_deref()).map_err(Error::from)?,
            session_name: var(SESSION_NAME).unwrap_or_else(|| DEFAULT_SESSION_NAME.to_owned()),
            policy: var(POLICY),
            policy_ids: ids.map(ToOwned::to_owned).collect(),
            sts: self.context.endpoint(STS_ENDPOINT, DEFAULT_STS).map_err(Error::from)?,
            label: Label {
                origin: format!("agency {} by OIDC", agency_urn.escape_debug()),
                project_id: var(PROJECT_ID),
            },
            provider_urn,
            agency_urn,
            id_token,
        })
    }
}

/// What of `parts` is not set, though others are.
fn missing(parts: &[(&str, bool)]) -> String {
    let names = |set| parts.iter().filter(move |(_, is_set)| *is_set == set).map(|(name, _)| *name);
    let missing = names(false).next().unwrap_or_default();
    match names(true).next() {
        Some(set) => format!("{missing} is not set, though {set} is"),
        None => format!("{missing} is not set"),
    }
}

/// How long a key is asked for.
fn seconds(text: Option<&str>) -> Result<u32, InvalidConfig> {
    let Some(text) = text else { return Ok(DEFAULT_SECONDS) };
    let refuse = |problem| InvalidConfig::new(DURATION_SECONDS, problem, "900 to 43200, in seconds");
    let seconds = text.parse().map_err(|_| refuse("is not a number"))?;
    if (900..=43_200).contains(&seconds) { Ok(seconds) } else { Err(refuse("is out of range")) }
}

impl Assumption {
    /// A new key: `POST /v5/agencies/assume-with-oidc`.
    async fn fetch(&self, context: &SourceContext) -> Result<Lease<AccessKey>> {
        let id_token = match &self.id_token {
            IdToken::Given(token) => token.clone(),
            IdToken::In(file) => file.read().await?,
        };
        let asked = AssumeAgency {
            provider_urn: &self.provider_urn,
            agency_urn: &self.agency_urn,
            session_name: &self.session_name,
            id_token: &id_token,
            seconds: self.seconds,
            policy: self.policy.as_deref(),
            policy_ids: &self.policy_ids,
        };
        let mut secrets = Secrets::default();
        secrets.add(Some(id_token.expose_secret()));
        let request = Unsigned {
            method: Method::POST,
            path: wire::ASSUME_AGENCY_PATH.into(),
            query: String::new(),
            body: asked.request().into(),
            project_id: None,
            secrets,
        };
        let prepare = || async { Ok(request.open(&self.sts)) };
        let pipeline = context.pipeline(&self.sts)?;
        Ok(self.label.on(pipeline.send(call(wire::ASSUME_AGENCY, |_| false), prepare, issued).await?))
    }
}

#[async_trait]
impl CredentialSource for Oidc {
    fn name(&self) -> String {
        "OIDC agency".into()
    }

    async fn find(&self) -> Result<Arc<AccessKey>, Miss> {
        let assumption = self.assumption()?;
        check_choice(&self.context)?;
        Ok(self.key.get(|| assumption.fetch(&self.context)).await?)
    }
}
