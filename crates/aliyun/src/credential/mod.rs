//! Where access keys come from: everything the vendor's SDKs, command line and Terraform provider look at.
//!
//! Each source reads its settings whenever it is asked and keeps what it was issued until shortly before the end.

mod account;
mod bare;
mod cli_profile;
mod derived;
mod external;
mod ini_profile;
mod issued;
mod metadata;
mod oidc;
mod place;
mod recognise;
mod role;
mod sts;
mod uri;

use std::sync::Arc;

use record_callback_http::{CredentialChain, Env, EnvCredentials, KeyVariables, SourceContext};

pub(crate) use self::account::Account;
pub use self::cli_profile::CliProfileCredentials;
pub use self::recognise::looks_like_huaweicloud_key;

use self::bare::BareEnvironment;
use self::ini_profile::IniProfile;
use self::metadata::MetadataSource;
use self::oidc::OidcSource;
use self::uri::UriSource;

const fn variables(id: &'static str, secret: &'static str, security_token: &'static str) -> KeyVariables {
    KeyVariables { id, secret, security_token, project_id: None }
}

/// The variables of the vendor's SDKs, then those of its older SDKs, its command line and its Terraform provider.
/// `ALIYUN_SECURITY_TOKEN` is by analogy: the old SDK has no variable for it (UNVERIFIED).
const VARIABLES: &[KeyVariables] = &[
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

/// The access key in the environment: `ALIBABA_CLOUD_ACCESS_KEY_ID`, `ALIBABA_CLOUD_ACCESS_KEY_SECRET` and, for
/// temporary keys, `ALIBABA_CLOUD_SECURITY_TOKEN`.
///
/// Where neither id nor secret is set, the same with `ALIYUN_`, `ALIBABACLOUD_` and `ALICLOUD_` in place of
/// `ALIBABA_CLOUD_`, and `ALICLOUD_ACCESS_KEY` with `ALICLOUD_SECRET_KEY`. No key is put together from two of these sets.
/// The command line's bare `ACCESS_KEY_ID` is not read: its name is anybody's. [`default_chain`] looks at it last.
pub fn from_env<E: Env>(env: E) -> EnvCredentials<E> {
    EnvCredentials::new(env, VARIABLES)
}

/// The vendor's default chain, in the order of its SDKs.
///
/// 1. The environment; see [`from_env`].
/// 2. A role by OIDC: `ALIBABA_CLOUD_ROLE_ARN`, `ALIBABA_CLOUD_OIDC_PROVIDER_ARN`, `ALIBABA_CLOUD_OIDC_TOKEN_FILE`.
/// 3. The command line's `~/.aliyun/config.json`, unless `ALIBABA_CLOUD_CLI_PROFILE_DISABLED` is `true`: the profile
///    `ALIBABA_CLOUD_PROFILE` names, else the current one; see [`profile`].
/// 4. The INI file `ALIBABA_CLOUD_CREDENTIALS_FILE` names, else `~/.alibabacloud/credentials.ini`, else
///    `~/.alibabacloud/credentials`: the section `ALIBABA_CLOUD_PROFILE` names, else `default`.
/// 5. The role of the ECS instance, unless `ALIBABA_CLOUD_ECS_METADATA_DISABLED` is `true`; `ALIBABA_CLOUD_ECS_METADATA`
///    names the role, `ALIBABA_CLOUD_IMDSV1_DISABLED` forbids the first version of the metadata service.
/// 6. What `ALIBABA_CLOUD_CREDENTIALS_URI` gives; with `http`, it is asked without a proxy, and given 10 seconds.
/// 7. The command line's `ACCESS_KEY_ID`, `ACCESS_KEY_SECRET` and `SECURITY_TOKEN`. They may be another program's, so they
///    come last, and half a key there counts as none.
///
/// Roles are assumed at the token service of `ALIBABA_CLOUD_STS_REGION` (inside a VPC with
/// `ALIBABA_CLOUD_VPC_ENDPOINT_ENABLED=true`), by default `sts.aliyuncs.com`, as sessions of an hour named
/// `ALIBABA_CLOUD_ROLE_SESSION_NAME` or `record-callback`, renewed a quarter of an hour before their end. What a profile of
/// either file does not say of its role is taken from the variables of 2 and 5.
pub fn default_chain(context: &SourceContext) -> CredentialChain {
    CredentialChain::new(vec![
        Box::new(from_env(Arc::clone(&context.env))),
        Box::new(OidcSource::new(context.clone())),
        Box::new(CliProfileCredentials::chosen_by_environment(context.clone())),
        Box::new(IniProfile::new(context.clone())),
        Box::new(MetadataSource::new(context.clone())),
        Box::new(UriSource::new(context.clone())),
        Box::new(BareEnvironment::new(context)),
    ])
}

/// The profile `name` of the command line's `~/.aliyun/config.json`, whatever the environment says about profiles.
///
/// Modes: `AK`, `StsToken`, `RamRoleArn`, `ChainableRamRoleArn`, `EcsRamRole`, `OIDC`, `External`, `CredentialsURI`. The
/// file is read anew each time, so that a change of the profile counts at once. Other profiles may be as they like.
///
/// As in the vendor's Python SDK, what the profile does not say is taken from `ALIBABA_CLOUD_ROLE_ARN`,
/// `ALIBABA_CLOUD_OIDC_PROVIDER_ARN` and `ALIBABA_CLOUD_OIDC_TOKEN_FILE`, and in mode `EcsRamRole` the role from
/// `ALIBABA_CLOUD_ECS_METADATA`; with `ALIBABA_CLOUD_ECS_METADATA_DISABLED=true` that mode fails.
pub fn profile(context: &SourceContext, name: &str) -> CliProfileCredentials {
    CliProfileCredentials::named(context.clone(), name)
}
