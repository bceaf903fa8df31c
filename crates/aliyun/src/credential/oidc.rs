use std::sync::Arc;

use async_trait::async_trait;
use record_callback_core::{Error, Result};
use record_callback_http::{AccessKey, CredentialSource, Miss, SourceContext};

use super::agreed::agreed;
use super::cli_profile::check_profile;
use super::derived::Derived;
use super::issued::{Issued, of_credentials};
use super::role::{AssumeRoleWithOidc, OidcToken, Role};
use super::sts::{Sts, StsChoice};

/// By the SDKs' names first.
pub(super) const ROLE_ARN: &[&str] = &["ALIBABA_CLOUD_ROLE_ARN", "ALIBABACLOUD_ROLE_ARN"];
pub(super) const PROVIDER_ARN: &[&str] =
    &["ALIBABA_CLOUD_OIDC_PROVIDER_ARN", "ALIBABACLOUD_OIDC_PROVIDER_ARN"];
pub(super) const TOKEN_FILE: &[&str] = &["ALIBABA_CLOUD_OIDC_TOKEN_FILE", "ALIBABACLOUD_OIDC_TOKEN_FILE"];
/// The token itself, which only the vendor's Terraform provider reads.
const TOKEN: &str = "ALIBABA_CLOUD_OIDC_TOKEN";

/// The role the environment names, by an OIDC token: what a pod of the vendor's Kubernetes has.
#[derive(Debug)]
pub(super) struct OidcSource {
    context: SourceContext,
    derived: Derived<Arc<Issued>>,
}

impl OidcSource {
    pub(super) fn new(context: SourceContext) -> Self {
        Self { context, derived: Derived::default() }
    }
}

#[async_trait]
impl CredentialSource for OidcSource {
    fn name(&self) -> String {
        "OIDC role".into()
    }

    async fn find(&self) -> Result<Arc<AccessKey>, Miss> {
        let said = |names| agreed(&self.context, names).map_err(Miss::Refused);
        let (role_arn, provider_arn) = (said(ROLE_ARN)?, said(PROVIDER_ARN)?);
        let token = match said(TOKEN_FILE)? {
            Some((name, path)) => Some((name, path.clone(), OidcToken::In(path.into()))),
            None => {
                self.context.var(TOKEN).map(|token| (TOKEN, token.clone(), OidcToken::Given(token.into())))
            }
        };
        let (Some((_, role_arn)), Some((_, provider_arn)), Some((token_name, token_text, token))) =
            (&role_arn, &provider_arn, token.as_ref())
        else {
            let names = [(ROLE_ARN, role_arn.is_none()), (PROVIDER_ARN, provider_arn.is_none())];
            let names = names.into_iter().chain([(TOKEN_FILE, token.is_none())]);
            let missing: Vec<_> = names
                .filter(|(_, is_missing)| *is_missing)
                .filter_map(|(names, _)| names.first().copied())
                .collect();
            let verb = if missing.len() == 1 { "is" } else { "are" };
            return Err(Miss::NotConfigured(format!("{} {verb} not set", missing.join(", "))));
        };
        check_profile(&self.context, &format!("environment variable {token_name}"))?;
        let issued = self.derived.get::<Error>(&[role_arn, provider_arn, token_text], || {
            let context = &self.context;
            let origin = format!("environment variable {token_name}, role {}", role_arn.escape_debug());
            let sts = Sts::new(context, &StsChoice::default());
            let sts = sts.map_err(|error| of_credentials(&origin, error))?;
            let role = Role::new(context, role_arn.clone());
            let issuer =
                AssumeRoleWithOidc { sts, role, provider_arn: provider_arn.clone(), token: token.clone() };
            Ok(Arc::new(Issued::new(Arc::clone(&context.clock), origin, issuer)))
        })?;
        issued.find().await
    }
}
