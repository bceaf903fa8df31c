//! Where access keys and tokens come from.

mod account;
mod env;
mod federated;
mod given;
mod login;
mod metadata;
mod oidc;
mod pod;
mod profile;
mod recognise;
mod temporary;
mod token_file;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use jiff::SignedDuration;
use record_callback_core::{AccountId, Error, ErrorKind, InvalidConfig, Result};
use record_callback_http::{
    AccessKey, CredentialChain, CredentialProvider, Endpoint, Refusable, SourceContext, replaces,
};
use secrecy::SecretString;

use self::env::Environment;
use self::metadata::Metadata;
use self::oidc::Oidc;
use self::pod::Pod;
use self::profile::Profile;
use crate::error;

pub(crate) use self::account::Account;
pub use self::env::from_env;
pub(crate) use self::given::{Given, are_openstack_names_ours, given};
pub use self::login::Login;
pub(crate) use self::login::LoginTokens;
pub use self::recognise::looks_like_aliyun_key;
pub(crate) use self::temporary::issued;

/// Another address of IAM.
pub(crate) const IAM_ENDPOINT: &str = "HUAWEICLOUD_SDK_IAM_ENDPOINT";
/// The project that goes with keys whose source names none of its own.
const PROJECT_ID: &str = "HUAWEICLOUD_SDK_PROJECT_ID";

/// How long before their end tokens and temporary keys are renewed, as the vendor's SDKs do.
const RENEW_BEFORE: SignedDuration = SignedDuration::from_mins(40);

/// The project by name, which is the region's where none is said.
const PROJECT_NAMES: [&str; 2] = ["HW_PROJECT_NAME", "OS_PROJECT_NAME"];

/// The first thing to do if nothing is set up.
const ADVICE: &str = "set HUAWEICLOUD_SDK_AK and HUAWEICLOUD_SDK_SK, or write `ak` and `sk` into section [basic] of ~/.huaweicloud/credentials";

/// The vendor's default chain; `iam` is where tokens of identity providers are exchanged for keys.
///
/// In the order of the vendor's SDKs:
///
/// 1. an agency by OIDC: `HUAWEICLOUD_OIDC_PROVIDER_URN`, `HUAWEICLOUD_OIDC_AGENCY_URN`, and
///    `HUAWEICLOUD_OIDC_ID_TOKEN` or `HUAWEICLOUD_OIDC_TOKEN_FILE`; if need be `HUAWEICLOUD_OIDC_SESSION_NAME`,
///    `HUAWEICLOUD_OIDC_DURATION_SECONDS` (900–43200, default 3600), `HUAWEICLOUD_OIDC_POLICY`,
///    `HUAWEICLOUD_OIDC_POLICY_IDS`; from STS at `HUAWEICLOUD_SDK_STS_ENDPOINT`, by default that of `cn-north-4`;
/// 2. the environment: `HUAWEICLOUD_SDK_IDP_ID` with `HUAWEICLOUD_SDK_ID_TOKEN_FILE`, else the variables of [`from_env`];
/// 3. section `[basic]` of the file `HUAWEICLOUD_SDK_CREDENTIALS_FILE` names, by default `~/.huaweicloud/credentials`:
///    `ak`, `sk`, `security_token`, `project_id`, `iam_endpoint`, `idp_id`, `id_token_file`;
/// 4. the agency of the ECS instance this runs on, from its metadata;
/// 5. pod identity: `HC_CONTAINER_CREDENTIALS_FULL_URI` and `HC_CONTAINER_AUTHORIZATION_TOKEN_FILE`.
///
/// Variables by which the vendor's Terraform provider takes another caller than the key beside them end the search by name:
/// see [`from_env`]. So do a file that `HUAWEICLOUD_SDK_CREDENTIALS_FILE` names and that cannot be used, and a value of a file
/// that the vendor's tools read differently (quotes, `#`, `;`, `%`).
///
/// A source that fails hides none behind it: in the vendor's SDKs, metadata that cannot be reached hide pod identity.
///
/// `HUAWEICLOUD_SDK_PROJECT_ID` goes with keys from 1, 2, 4 and 5; the SDKs read it for 1 and 2 only and ask IAM
/// otherwise. Keys from a file go with the file's `project_id` only, as in the SDKs: another variable's project may be
/// another account's. A file's `iam_endpoint` is where its token is exchanged; projects are asked from `iam`.
pub fn default_chain(context: &SourceContext, iam: &Endpoint) -> CredentialChain {
    CredentialChain::advising(
        vec![
            Box::new(Oidc::new(context.clone())),
            Box::new(Environment::new(context.clone(), iam.clone())),
            Box::new(Profile::new(context.clone(), iam.clone())),
            Box::new(Metadata::new(context.clone())),
            Box::new(Pod::new(context.clone())),
        ],
        ADVICE,
    )
}

/// 2 of the [`default_chain`] and nothing else.
pub fn environment(context: &SourceContext, iam: &Endpoint) -> CredentialChain {
    CredentialChain::new(vec![Box::new(Environment::new(context.clone(), iam.clone()))])
}

/// The name of the project that the environment chooses.
pub(crate) fn project_name(context: &SourceContext) -> Option<String> {
    let [name, second] = PROJECT_NAMES;
    context
        .var(name)
        .or_else(|| are_openstack_names_ours(&context.env).then(|| context.var(second)).flatten())
}

/// What one request is authorised with.
#[derive(Debug, Clone)]
pub(crate) enum Credential {
    AccessKey(Arc<AccessKey>),
    Token(Arc<Token>),
}

impl Credential {
    /// Whose it is, to tell one holder from another: temporary keys change their id and keep their source.
    pub(crate) fn holder(&self) -> String {
        match self {
            Self::AccessKey(key) if key.expires_at().is_some() => key.origin().unwrap_or_default().to_owned(),
            Self::AccessKey(key) => key.id().to_owned(),
            Self::Token(_) => String::new(),
        }
    }

    /// Returns true if `other` is of the same identity.
    fn is_same_identity(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::AccessKey(one), Self::AccessKey(other)) => one.is_same_identity(other),
            (Self::Token(one), Self::Token(other)) => Arc::ptr_eq(one, other),
            _ => false,
        }
    }

    /// The project it is for, as far as is known.
    pub(crate) fn project_id(&self) -> Option<&str> {
        match self {
            Self::AccessKey(key) => key.project_id(),
            Self::Token(token) => token.project_id.as_deref(),
        }
    }

    /// Adds to the refusal of a request signed with it what may be the reason.
    pub(crate) fn explain(&self, error: Error) -> Error {
        match self {
            Self::AccessKey(key)
                if error.kind() == ErrorKind::Unauthenticated && looks_like_aliyun_key(key.id()) =>
            {
                error.with_advice("by its looks, the access key is one of Aliyun")
            }
            _ => error,
        }
    }
}

/// An IAM token.
#[derive(Debug)]
pub(crate) struct Token {
    pub(crate) value: SecretString,
    /// The project the token is for, as far as IAM said.
    pub(crate) project_id: Option<String>,
    /// Whose project, as far as IAM said.
    pub(crate) account: Option<AccountId>,
    refused: AtomicBool,
}

impl Token {
    /// A token of which no more is known.
    pub(crate) fn new(value: SecretString) -> Self {
        Self { value, project_id: None, account: None, refused: AtomicBool::new(false) }
    }

    /// Says what IAM said of it.
    pub(crate) fn of(self, project_id: Option<String>, account: Option<AccountId>) -> Self {
        Self { project_id, account, ..self }
    }
}

impl Refusable for Token {
    fn refuse(&self) {
        self.refused.store(true, Ordering::Relaxed);
    }

    fn is_refused(&self) -> bool {
        self.refused.load(Ordering::Relaxed)
    }
}

/// Where the credential of each request comes from.
#[derive(Debug)]
pub(crate) enum Credentials {
    AccessKey(Arc<dyn CredentialProvider>),
    Token(Arc<Token>),
    Login(Box<LoginTokens>),
}

impl Credentials {
    /// The credential to use now.
    pub(crate) async fn current(&self) -> Result<Credential> {
        Ok(match self {
            Self::AccessKey(provider) => Credential::AccessKey(provider.access_key().await?),
            Self::Token(token) => Credential::Token(Arc::clone(token)),
            Self::Login(tokens) => Credential::Token(tokens.current().await?),
        })
    }

    /// Which errors may mean that a request's time is wrong: with a token, it has none.
    pub(crate) fn time_refused(&self) -> fn(&Error) -> bool {
        match self {
            Self::AccessKey(_) => error::time_refused,
            Self::Token(_) | Self::Login(_) => |_| false,
        }
    }

    /// Whether another can be had for one that was refused.
    pub(crate) async fn replaces(&self, refused: &Credential) -> bool {
        match (self, refused) {
            (Self::Login(_), Credential::Token(token)) => {
                token.refuse();
                true
            }
            (Self::AccessKey(provider), Credential::AccessKey(key)) => replaces(&**provider, key).await,
            _ => false,
        }
    }
}

/// A project by id, or by the name of its region.
#[derive(Debug, Clone)]
pub(crate) enum ProjectRef {
    Id(String),
    Region(String),
}

const PROJECT_RULE: &str = "letters and digits, as the vendor's console shows it; or give a region";

/// Checks a project's id, which goes into paths.
pub(crate) fn check_project_id(id: &str) -> Result<(), InvalidConfig> {
    if id.is_empty() || !id.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return Err(InvalidConfig::new("project_id", "is not a project's id", PROJECT_RULE));
    }
    Ok(())
}

pub(crate) fn no_project() -> InvalidConfig {
    InvalidConfig::new("project_id", "is not given, and neither is a region", PROJECT_RULE)
}
