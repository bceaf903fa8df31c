//! Keys from the environment: given there, or for the token of an identity provider named there.

use std::sync::Arc;

use async_trait::async_trait;
use record_callback_core::{Error, ErrorKind, Result};
use record_callback_http::{
    AccessKey, CredentialSource, Endpoint, Env, EnvCredentials, KeyVariables, Miss, Renewed, SourceContext,
};

use super::federated::Federated;
use super::temporary::Label;
use super::token_file::TokenFile;
use super::{PROJECT_ID, RENEW_BEFORE};

/// The variables of the vendor's SDKs, then those of its Terraform provider, which its command line tools read too.
const VARIABLES: &[KeyVariables] = &[
    KeyVariables {
        id: "HUAWEICLOUD_SDK_AK",
        secret: "HUAWEICLOUD_SDK_SK",
        security_token: "HUAWEICLOUD_SDK_SECURITY_TOKEN",
        project_id: Some(PROJECT_ID),
    },
    KeyVariables {
        id: "HW_ACCESS_KEY",
        secret: "HW_SECRET_KEY",
        security_token: "HW_SECURITY_TOKEN",
        project_id: Some("HW_PROJECT_ID"),
    },
];
const IDP_ID: &str = "HUAWEICLOUD_SDK_IDP_ID";
const ID_TOKEN_FILE: &str = "HUAWEICLOUD_SDK_ID_TOKEN_FILE";

/// The access key in `HUAWEICLOUD_SDK_AK`, `HUAWEICLOUD_SDK_SK`, for temporary keys `HUAWEICLOUD_SDK_SECURITY_TOKEN`, and
/// its project in `HUAWEICLOUD_SDK_PROJECT_ID`; else the one in `HW_ACCESS_KEY`, `HW_SECRET_KEY`, `HW_SECURITY_TOKEN` and
/// `HW_PROJECT_ID`.
pub fn from_env<E: Env>(env: E) -> EnvCredentials<E> {
    EnvCredentials::new(env, VARIABLES)
}

/// The environment as a source of the chain.
#[derive(Debug)]
pub(super) struct Environment {
    given: EnvCredentials<Arc<dyn Env>>,
    context: SourceContext,
    iam: Endpoint,
    exchanged: Renewed<AccessKey>,
}

impl Environment {
    pub(super) fn new(context: SourceContext, iam: Endpoint) -> Self {
        let given = from_env(Arc::clone(&context.env));
        let exchanged = Renewed::new(Arc::clone(&context.clock), RENEW_BEFORE);
        Self { given, context, iam, exchanged }
    }
}

#[async_trait]
impl CredentialSource for Environment {
    fn name(&self) -> String {
        self.given.name()
    }

    /// An identity provider wins over a key.
    async fn find(&self) -> Result<Arc<AccessKey>, Miss> {
        let (set, missing) = match (self.context.var(IDP_ID), self.context.var(ID_TOKEN_FILE)) {
            (Some(idp_id), Some(path)) => {
                let user = Federated {
                    idp_id,
                    id_token: TokenFile { path: path.into(), named_by: ID_TOKEN_FILE.into() },
                    iam: self.iam.clone(),
                    label: Label {
                        origin: format!("environment variable {IDP_ID}"),
                        project_id: self.context.var(PROJECT_ID),
                    },
                };
                return Ok(self.exchanged.get(|| user.fetch(&self.context)).await?);
            }
            (None, None) => return self.given.find().await,
            (Some(_), None) => (IDP_ID, ID_TOKEN_FILE),
            (None, Some(_)) => (ID_TOKEN_FILE, IDP_ID),
        };
        match self.given.find().await {
            Err(Miss::NotConfigured(_)) => {
                let problem = format!("{missing} is not set, though {set} is");
                Err(Error::new(ErrorKind::Unauthenticated, problem).into())
            }
            found => found,
        }
    }
}
