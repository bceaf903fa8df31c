//! Where access keys come from.

use std::sync::Arc;

use record_callback_http::{CredentialChain, Env, EnvCredentials, KeyVariables, SourceContext};

/// The variables of the vendor's SDKs, then those of its older SDKs and of its command line.
const VARIABLES: &[KeyVariables] = &[KeyVariables {
    id: "ALIBABA_CLOUD_ACCESS_KEY_ID",
    secret: "ALIBABA_CLOUD_ACCESS_KEY_SECRET",
    security_token: "ALIBABA_CLOUD_SECURITY_TOKEN",
    project_id: None,
}];

/// The access key in `ALIBABA_CLOUD_ACCESS_KEY_ID`, `ALIBABA_CLOUD_ACCESS_KEY_SECRET` and, for temporary
/// keys, `ALIBABA_CLOUD_SECURITY_TOKEN`.
pub fn from_env<E: Env>(env: E) -> EnvCredentials<E> {
    EnvCredentials::new(env, VARIABLES)
}

/// The vendor's default chain.
pub fn default_chain(context: &SourceContext) -> CredentialChain {
    CredentialChain::new(vec![Box::new(from_env(Arc::clone(&context.env)))])
}
