//! Keys from the environment: given there, or for the token of an identity provider named there.

use std::sync::Arc;

use async_trait::async_trait;
use record_callback_core::{Error, ErrorKind, Result};
use record_callback_http::{
    AccessKey, CredentialSource, Endpoint, Env, EnvCredentials, KeyVariables, Miss, Refusal, Renewed,
    SourceContext,
};

use super::federated::Federated;
use super::given::{PASSWORD, TOKEN, are_openstack_names_ours};
use super::temporary::Label;
use super::token_file::TokenFile;
use super::{PROJECT_ID, RENEW_BEFORE};

/// The variables of the vendor's SDKs.
const SDK: KeyVariables = KeyVariables {
    id: "HUAWEICLOUD_SDK_AK",
    secret: "HUAWEICLOUD_SDK_SK",
    security_token: "HUAWEICLOUD_SDK_SECURITY_TOKEN",
    project_ids: &[PROJECT_ID],
};
/// Those of its Terraform provider, which its command line tools read too.
const TERRAFORM: KeyVariables = KeyVariables {
    id: "HW_ACCESS_KEY",
    secret: "HW_SECRET_KEY",
    security_token: "HW_SECURITY_TOKEN",
    project_ids: &["HW_PROJECT_ID"],
};
/// Their second names, of which there is none for the token.
const OPENSTACK: KeyVariables = KeyVariables {
    id: "OS_ACCESS_KEY",
    secret: "OS_SECRET_KEY",
    security_token: TERRAFORM.security_token,
    project_ids: &["HW_PROJECT_ID", "OS_PROJECT_ID", "OS_TENANT_ID"],
};

/// The variables a key may be in, in their order.
pub(super) fn variables(env: &dyn Env) -> &'static [KeyVariables] {
    const ALL: &[KeyVariables] =
        &[SDK, KeyVariables { project_ids: OPENSTACK.project_ids, ..TERRAFORM }, OPENSTACK];
    if are_openstack_names_ours(env) { ALL } else { &[SDK, TERRAFORM] }
}

const IDP_ID: &str = "HUAWEICLOUD_SDK_IDP_ID";
const ID_TOKEN_FILE: &str = "HUAWEICLOUD_SDK_ID_TOKEN_FILE";

/// The variables by which Terraform takes another caller than the key beside them.
const AGENCY: Refusal = Refusal {
    variables: &["HW_ASSUME_ROLE_AGENCY_NAME", "HW_ASSUME_ROLE_DOMAIN_NAME", "HW_ASSUME_ROLE_DOMAIN_ID"],
    advice: "Terraform assumes an agency of another account by it, which is not done here; unset it, and give a key of \
             that account, or an agency by HUAWEICLOUD_OIDC_AGENCY_URN",
};
const AGENCY_BY_OIDC: Refusal = Refusal {
    variables: &["HW_ASSUME_ROLE_IDP_ID"],
    advice: "Terraform assumes an agency by it, which is not done here; unset it, and name provider, agency and token by \
             HUAWEICLOUD_OIDC_PROVIDER_URN, HUAWEICLOUD_OIDC_AGENCY_URN and HUAWEICLOUD_OIDC_TOKEN_FILE",
};
const KOOCLI: Refusal = Refusal {
    variables: &["HW_PROFILE", "HW_SHARED_CONFIG_FILE"],
    advice: "Terraform takes the caller from the file of KooCLI by it, which is not read here; unset it, and give the key \
             of that profile in HW_ACCESS_KEY and HW_SECRET_KEY",
};
const OPENSTACK_AGENCY: Refusal = Refusal {
    variables: &["OS_AGENCY_NAME", "OS_AGENCY_DOMAIN_NAME", "OS_DELEGATED_PROJECT"],
    advice: "Terraform assumes an agency of another account by it, which is not done here; unset it, and give a key of \
             that account",
};
/// A token, which is no key.
const A_TOKEN: Refusal = Refusal {
    variables: &[TOKEN],
    advice: "Terraform sends this token whatever keys there are, and the SDKs do not know it; unset it, or the variables \
             of the SDKs (HUAWEICLOUD_SDK_, HUAWEICLOUD_OIDC_)",
};

/// The choices of a caller that no source can follow, a token among them.
fn refusals(env: &dyn Env) -> &'static [Refusal] {
    const ALL: &[Refusal] = &[AGENCY, AGENCY_BY_OIDC, KOOCLI, A_TOKEN, OPENSTACK_AGENCY];
    if are_openstack_names_ours(env) { ALL } else { &ALL[..4] }
}

/// A login, for where there is no key.
const LOGIN: &[Refusal] = &[Refusal {
    variables: &[PASSWORD],
    advice: "it is for a login by password, which needs HW_USER_NAME and HW_DOMAIN_NAME besides",
}];

/// Refuses where the environment has a choice of caller that no source can follow.
pub(super) fn check_choice(context: &SourceContext) -> Result<(), Miss> {
    Refusal::check(&context.env, refusals(&context.env))
}

/// The same, where a token can be sent.
pub(super) fn check_choice_besides_token(context: &SourceContext) -> Result<(), Miss> {
    let refusals = refusals(&context.env).iter().filter(|refusal| refusal.variables != A_TOKEN.variables);
    Refusal::check(&context.env, refusals)
}

/// Returns true if there are variables that only the SDKs read.
pub(super) fn names_sdk_caller(context: &SourceContext) -> bool {
    let names = [SDK.id, SDK.secret, IDP_ID, ID_TOKEN_FILE];
    names.into_iter().chain(super::oidc::NAMES).any(|name| context.var(name).is_some())
}

/// The access key in `HUAWEICLOUD_SDK_AK`, `HUAWEICLOUD_SDK_SK`, for temporary keys `HUAWEICLOUD_SDK_SECURITY_TOKEN`, and
/// its project in `HUAWEICLOUD_SDK_PROJECT_ID`; else the one in `HW_ACCESS_KEY`, `HW_SECRET_KEY`, `HW_SECURITY_TOKEN` and
/// `HW_PROJECT_ID`; else in `OS_ACCESS_KEY` and `OS_SECRET_KEY`, unless `OS_AUTH_URL` is another cloud's.
///
/// It fails where variables of Terraform choose another caller: an agency (`HW_ASSUME_ROLE_AGENCY_NAME`,
/// `HW_ASSUME_ROLE_IDP_ID`, `OS_AGENCY_NAME`), a profile of the vendor's command line (`HW_PROFILE`, `HW_SHARED_CONFIG_FILE`), or a token
/// (`HW_AUTH_TOKEN`), which [`HuaweicloudClientBuilder::environment`](crate::HuaweicloudClientBuilder::environment) sends.
pub fn from_env<E: Env>(env: E) -> EnvCredentials<E> {
    let (variables, refusals) = (variables(&env), refusals(&env));
    EnvCredentials::new(env, variables).refusing(refusals)
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
        check_choice(&self.context)?;
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
            (None, None) => {
                let found = self.given.find().await;
                if let Err(Miss::NotConfigured(_)) = found {
                    Refusal::check(&self.context.env, LOGIN)?;
                }
                return found;
            }
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
