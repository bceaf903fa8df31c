use std::sync::Arc;

use async_trait::async_trait;
use record_callback_core::Result;
use record_callback_http::{
    AccessKey, CredentialSource, Env, EnvCredentials, KeyVariables, Miss, SourceContext,
};

use super::env::{BARE_TOKEN, variables};

/// The variables of the vendor's command line whose names are anybody's.
const VARIABLES: &[KeyVariables] = &[variables("ACCESS_KEY_ID", "ACCESS_KEY_SECRET", BARE_TOKEN)];

/// A key in variables that may be another program's: asked last, and half of one is none.
#[derive(Debug)]
pub(super) struct BareEnvironment(EnvCredentials<Arc<dyn Env>>);

impl BareEnvironment {
    pub(super) fn new(context: &SourceContext) -> Self {
        Self(EnvCredentials::new(Arc::clone(&context.env), VARIABLES))
    }
}

#[async_trait]
impl CredentialSource for BareEnvironment {
    fn name(&self) -> String {
        "bare environment".into()
    }

    async fn find(&self) -> Result<Arc<AccessKey>, Miss> {
        self.0.find().await.map_err(|miss| match miss {
            Miss::Failed(error) | Miss::Refused(error) => Miss::NotConfigured(error.message().to_owned()),
            absent @ Miss::NotConfigured(_) => absent,
        })
    }
}
