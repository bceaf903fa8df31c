//! The role that the environment has every key assume.

use std::sync::Arc;

use async_trait::async_trait;
use record_callback_core::{Error, ErrorKind, Result};
use record_callback_http::{
    AccessKey, CredentialProvider, CredentialSource, Miss, SourceContext, StaticCredentials,
};

use super::derived::Derived;
use super::issued::{Issued, of_credentials};
use super::role::{AssumeRole, Role, SECONDS};
use super::sts::{Sts, StsChoice};

pub(super) const ROLE: &str = "ALICLOUD_ASSUME_ROLE_ARN";
const SESSION_NAME: &str = "ALICLOUD_ASSUME_ROLE_SESSION_NAME";
const DURATION: &str = "ALICLOUD_ASSUME_ROLE_SESSION_EXPIRATION";

/// A source whose key assumes the role in `ALICLOUD_ASSUME_ROLE_ARN`, if that is set.
///
/// So does the vendor's Terraform provider, with the key of whichever source it has, where it is told to assume a role.
#[derive(Debug)]
pub(super) struct Assumed {
    source: Box<dyn CredentialSource>,
    context: SourceContext,
    derived: Derived<Arc<Issued>>,
}

impl Assumed {
    pub(super) fn new(context: &SourceContext, source: impl CredentialSource) -> Self {
        Self { source: Box::new(source), context: context.clone(), derived: Derived::default() }
    }

    fn issued(&self, key: &AccessKey, arn: &str) -> Result<Arc<Issued>> {
        let [session_name, duration] = [SESSION_NAME, DURATION].map(|name| self.context.var(name));
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let settings = [
            arn.to_owned(),
            text(&session_name),
            text(&duration),
            key.id().to_owned(),
            key.expose_secret().to_owned(),
            key.expose_security_token().unwrap_or_default().to_owned(),
        ];
        self.derived.get(&settings, || {
            let base = key.origin().unwrap_or_default();
            let origin = format!("environment variable {ROLE}, role {}, by {base}", arn.escape_debug());
            let sts = Sts::new(&self.context, &StsChoice::default());
            let sts = sts.map_err(|error| of_credentials(&origin, error))?;
            let role = Role::new(&self.context, arn.to_owned())
                .session_name(session_name)
                .seconds(duration.as_deref().map(seconds).transpose()?);
            let source: Arc<dyn CredentialProvider> = Arc::new(StaticCredentials::new(key.clone()));
            let issuer = AssumeRole { sts, role, external_id: None, source };
            Ok(Arc::new(Issued::new(Arc::clone(&self.context.clock), origin, issuer)))
        })
    }
}

fn seconds(text: &str) -> Result<u32> {
    text.parse().ok().filter(|seconds| SECONDS.contains(seconds)).ok_or_else(|| {
        let (from, to) = SECONDS.into_inner();
        let problem = format!("{DURATION} is no number of seconds from {from} to {to}");
        Error::new(ErrorKind::Unauthenticated, problem)
    })
}

#[async_trait]
impl CredentialSource for Assumed {
    fn name(&self) -> String {
        self.source.name()
    }

    async fn find(&self) -> Result<Arc<AccessKey>, Miss> {
        let key = self.source.find().await?;
        let Some(arn) = self.context.var(ROLE) else { return Ok(key) };
        // Neither the key itself nor another source's is who was asked for.
        let issued = self.issued(&key, &arn).map_err(Miss::Refused)?;
        issued.access_key().await.map_err(Miss::Refused)
    }
}
