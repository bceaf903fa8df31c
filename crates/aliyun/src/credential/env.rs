//! Keys from the environment.

use std::sync::Arc;

use async_trait::async_trait;
use record_callback_core::Result;
use record_callback_http::{
    AccessKey, CredentialSource, Env, EnvCredentials, KeyVariables, Miss, Refusal, SourceContext, warn_once,
};

use super::assumed::ROLE;
use super::cli_profile::check_profile;
use super::oidc::ROLE_ARN;

pub(super) const fn variables(
    id: &'static str,
    secret: &'static str,
    security_token: &'static str,
) -> KeyVariables {
    KeyVariables { id, secret, security_token, project_ids: &[] }
}

/// The variables of the vendor's SDKs, then those of its older SDKs, its command line and its Terraform provider.
/// `ALIYUN_SECURITY_TOKEN` is by analogy: the old SDK has no variable for it (UNVERIFIED).
pub(super) const VARIABLES: &[KeyVariables] = &[
    variables(
        "ALIBABA_CLOUD_ACCESS_KEY_ID",
        "ALIBABA_CLOUD_ACCESS_KEY_SECRET",
        "ALIBABA_CLOUD_SECURITY_TOKEN",
    ),
    variables("ALIYUN_ACCESS_KEY_ID", "ALIYUN_ACCESS_KEY_SECRET", "ALIYUN_SECURITY_TOKEN"),
    variables("ALIBABACLOUD_ACCESS_KEY_ID", "ALIBABACLOUD_ACCESS_KEY_SECRET", "ALIBABACLOUD_SECURITY_TOKEN"),
    variables("ALICLOUD_ACCESS_KEY_ID", "ALICLOUD_ACCESS_KEY_SECRET", "ALICLOUD_SECURITY_TOKEN"),
    variables("ALICLOUD_ACCESS_KEY", "ALICLOUD_SECRET_KEY", "ALICLOUD_SECURITY_TOKEN"),
];

/// Keys whose ids begin so are temporary.
const TEMPORARY: &str = "STS.";
/// The variable in which the vendor's `acs-sso` puts their token, whatever the names of id and secret.
pub(super) const BARE_TOKEN: &str = "SECURITY_TOKEN";

/// A role needs a token service to ask, which a bare environment is not enough for.
const REFUSALS: &[Refusal] = &[Refusal {
    variables: &[ROLE],
    advice: "Terraform assumes this role, and so does `source = \"environment\"`; `from_env` has no way to",
}];

/// The access key in the environment: `ALIBABA_CLOUD_ACCESS_KEY_ID`, `ALIBABA_CLOUD_ACCESS_KEY_SECRET` and, for
/// temporary keys, `ALIBABA_CLOUD_SECURITY_TOKEN`.
///
/// If neither id nor secret is set, the same with `ALIYUN_`, `ALIBABACLOUD_` and `ALICLOUD_` in place of
/// `ALIBABA_CLOUD_`, and `ALICLOUD_ACCESS_KEY` with `ALICLOUD_SECRET_KEY`. No key is put together from two of these
/// sets. The command line's bare `ACCESS_KEY_ID` is not read: its name is anybody's.
/// [`default_chain`](super::default_chain) looks at it last. With `ALICLOUD_ASSUME_ROLE_ARN`, it fails: the caller is
/// to be a role, see [`environment`](super::environment).
pub fn from_env<E: Env>(env: E) -> EnvCredentials<E> {
    EnvCredentials::new(env, VARIABLES).refusing(REFUSALS)
}

/// The environment as a source of the chain, or alone.
#[derive(Debug)]
pub(super) struct Environment {
    given: EnvCredentials<Arc<dyn Env>>,
    context: SourceContext,
    /// Profiles are no choice, then.
    is_alone: bool,
}

impl Environment {
    pub(super) fn new(context: SourceContext, is_alone: bool) -> Self {
        Self { given: EnvCredentials::new(Arc::clone(&context.env), VARIABLES), context, is_alone }
    }

    /// Says where variables beside the key choose somebody else.
    fn check_choice(&self, key: &AccessKey) -> Result<(), Miss> {
        let origin = key.origin().unwrap_or_default();
        if !self.is_alone {
            check_profile(&self.context, origin)?;
        }
        if self.context.var(ROLE).is_none()
            && let Some(name) = ROLE_ARN.iter().find(|name| self.context.var(name).is_some())
        {
            warn_once(&format!(
                "the role in {name} is not assumed, for {origin} gives a key, as in the vendor's SDKs"
            ));
        }
        Ok(())
    }
}

#[async_trait]
impl CredentialSource for Environment {
    fn name(&self) -> String {
        self.given.name()
    }

    async fn find(&self) -> Result<Arc<AccessKey>, Miss> {
        let key = self.given.find().await?;
        self.check_choice(&key)?;
        if key.id().starts_with(TEMPORARY)
            && key.expose_security_token().is_none()
            && let Some(token) = self.context.var(BARE_TOKEN)
        {
            return Ok(Arc::new(AccessKey::clone(&key).with_security_token(token)));
        }
        Ok(key)
    }
}
