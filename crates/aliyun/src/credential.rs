//! Where access keys come from.

use record_callback_http::{Env, EnvCredentials};

const ID: &str = "ALIBABA_CLOUD_ACCESS_KEY_ID";
const SECRET: &str = "ALIBABA_CLOUD_ACCESS_KEY_SECRET";
const SECURITY_TOKEN: &str = "ALIBABA_CLOUD_SECURITY_TOKEN";

/// The access key in `ALIBABA_CLOUD_ACCESS_KEY_ID`, `ALIBABA_CLOUD_ACCESS_KEY_SECRET` and, for temporary
/// keys, `ALIBABA_CLOUD_SECURITY_TOKEN`.
pub fn from_env<E: Env>(env: E) -> EnvCredentials<E> {
    EnvCredentials::new(env, ID, SECRET, SECURITY_TOKEN)
}
