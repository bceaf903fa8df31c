use std::sync::Arc;

use async_trait::async_trait;
use record_callback_core::{Error, Result};
use record_callback_http::{AccessKey, CredentialSource, Miss, SourceContext};

use super::derived::Derived;
use super::issued::{Issued, of_credentials};
use super::role::{AssumeRoleWithOidc, Role};
use super::sts::Sts;

pub(super) const ROLE_ARN: &str = "ALIBABA_CLOUD_ROLE_ARN";
pub(super) const PROVIDER_ARN: &str = "ALIBABA_CLOUD_OIDC_PROVIDER_ARN";
pub(super) const TOKEN_FILE: &str = "ALIBABA_CLOUD_OIDC_TOKEN_FILE";

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
        let names = [ROLE_ARN, PROVIDER_ARN, TOKEN_FILE];
        let [Some(role_arn), Some(provider_arn), Some(token_file)] = names.map(|name| self.context.var(name))
        else {
            let missing: Vec<_> = names.into_iter().filter(|name| self.context.var(name).is_none()).collect();
            let verb = if missing.len() == 1 { "is" } else { "are" };
            return Err(Miss::NotConfigured(format!("{} {verb} not set", missing.join(", "))));
        };
        let issued = self.derived.get::<Error>(&[&role_arn, &provider_arn, &token_file], || {
            let context = &self.context;
            let origin = format!("environment variable {TOKEN_FILE}, role {}", role_arn.escape_debug());
            let sts = Sts::new(context, None, None).map_err(|error| of_credentials(&origin, error))?;
            let role = Role::new(context, role_arn.clone());
            let (provider_arn, token_file) = (provider_arn.clone(), token_file.clone());
            let issuer = AssumeRoleWithOidc { sts, role, provider_arn, token_file };
            Ok(Arc::new(Issued::new(Arc::clone(&context.clock), origin, issuer)))
        })?;
        issued.find().await
    }
}
