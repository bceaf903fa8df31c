//! Where access keys come from: everything the vendor's SDKs, command line and Terraform provider look at.
//!
//! Each source reads its settings whenever it is asked and keeps what it was issued until shortly before the end.

mod account;
mod agreed;
mod assumed;
mod bare;
mod cached;
mod cli_profile;
mod derived;
mod env;
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

use record_callback_http::{CredentialChain, SourceContext};

pub(crate) use self::account::Account;
pub use self::cli_profile::CliProfileCredentials;
pub use self::env::from_env;
pub use self::recognise::looks_like_huaweicloud_key;

use self::assumed::Assumed;
use self::bare::BareEnvironment;
use self::env::Environment;
use self::ini_profile::IniProfile;
use self::metadata::MetadataSource;
use self::oidc::OidcSource;
use self::uri::UriSource;

/// The first thing to do if nothing is set up.
const ADVICE: &str =
    "set ALIBABA_CLOUD_ACCESS_KEY_ID and ALIBABA_CLOUD_ACCESS_KEY_SECRET, or run `aliyun configure`";

/// The vendor's default chain, in the order of its SDKs.
///
/// 1. The environment; see [`from_env`]. A key whose id begins with `STS.` and has no token in its own variables has that of
///    `SECURITY_TOKEN`, as the vendor's `acs-sso` writes them. With `ALIBABACLOUD_PROFILE`, which only the command line reads
///    and goes by, a key beside it is refused.
/// 2. A role by OIDC: `ALIBABA_CLOUD_ROLE_ARN`, `ALIBABA_CLOUD_OIDC_PROVIDER_ARN`, and `ALIBABA_CLOUD_OIDC_TOKEN_FILE` or the
///    token itself in `ALIBABA_CLOUD_OIDC_TOKEN`.
/// 3. The command line's `~/.aliyun/config.json`, or the file `ALIBABA_CLOUD_CONFIG_FILE` names, unless
///    `ALIBABA_CLOUD_CLI_PROFILE_DISABLED` is `true` or `ALIBABA_CLOUD_IGNORE_PROFILE` is `TRUE`: the profile
///    `ALIBABA_CLOUD_PROFILE` names, else the current one; see [`profile`].
/// 4. The INI file `ALIBABA_CLOUD_CREDENTIALS_FILE` names, else `~/.alibabacloud/credentials.ini`, else
///    `~/.alibabacloud/credentials`: the section `ALIBABA_CLOUD_PROFILE` names, else `default`.
/// 5. The role of the ECS instance, unless `ALIBABA_CLOUD_ECS_METADATA_DISABLED` is `true`; `ALIBABA_CLOUD_ECS_METADATA`
///    names the role, `ALIBABA_CLOUD_IMDSV1_DISABLED` forbids the first version of the metadata service.
/// 6. What `ALIBABA_CLOUD_CREDENTIALS_URI` gives; with `http`, it is asked without a proxy, and given 10 seconds.
/// 7. The command line's `ACCESS_KEY_ID`, `ACCESS_KEY_SECRET` and `SECURITY_TOKEN`. They may be another program's, so they
///    come last, and half a key there counts as none.
///
/// Other tools of the vendor have the same variables with `ALIBABACLOUD_` or `ALICLOUD_` in front (`ALICLOUD_ECS_ROLE_NAME`,
/// `ALICLOUD_SHARED_CREDENTIALS_FILE` for the command line's file). Where two of one meaning differ, the search ends in an
/// error that names them; so it does where a profile or a file that a variable names cannot be used.
///
/// With `ALICLOUD_ASSUME_ROLE_ARN` (`ALICLOUD_ASSUME_ROLE_SESSION_NAME`, `ALICLOUD_ASSUME_ROLE_SESSION_EXPIRATION`), the key
/// that is found assumes that role, as in the vendor's Terraform provider.
///
/// Roles are assumed at the token service `ALIBABA_CLOUD_STS_ENDPOINT` names, else of `ALIBABA_CLOUD_STS_REGION` (inside a VPC
/// with `ALIBABA_CLOUD_VPC_ENDPOINT_ENABLED=true`), by default `sts.aliyuncs.com`, as sessions of an hour named
/// `ALIBABA_CLOUD_ROLE_SESSION_NAME` or `record-callback`, renewed a quarter of an hour before their end. What a profile of
/// either file does not say of its role is taken from the variables of 2 and 5.
pub fn default_chain(context: &SourceContext) -> CredentialChain {
    CredentialChain::advising(
        vec![
            Box::new(Assumed::new(context, Environment::new(context.clone(), false))),
            Box::new(Assumed::new(context, OidcSource::new(context.clone()))),
            Box::new(Assumed::new(context, CliProfileCredentials::chosen_by_environment(context.clone()))),
            Box::new(Assumed::new(context, IniProfile::new(context.clone()))),
            Box::new(Assumed::new(context, MetadataSource::new(context.clone()))),
            Box::new(Assumed::new(context, UriSource::new(context.clone()))),
            Box::new(Assumed::new(context, BareEnvironment::new(context))),
        ],
        ADVICE,
    )
}

/// The access key in the environment and nothing else: see [`from_env`], and 1 of [`default_chain`]. With
/// `ALICLOUD_ASSUME_ROLE_ARN`, the role it assumes; profiles do not matter.
pub fn environment(context: &SourceContext) -> CredentialChain {
    CredentialChain::new(vec![Box::new(Assumed::new(context, Environment::new(context.clone(), true)))])
}

/// The profile `name` of the command line's `~/.aliyun/config.json`, whatever the environment says about profiles.
///
/// Modes: `AK`, `StsToken`, `RamRoleArn`, `ChainableRamRoleArn`, `EcsRamRole`, `OIDC`, `External`, `CredentialsURI`; of
/// `CloudSSO` and `OAuth` the keys a login left there, until they end. The file is read anew each time, so that a change of
/// the profile counts at once. Other profiles may be as they like.
///
/// The program of `External` is run only if nobody but this user and root may write the file or put another in its place. It
/// has a minute, no standard input, and of the environment the vendor's variables, those of proxies, and what programs are
/// found, put files and speak a language by. With `ALIBABA_CLOUD_DISABLE_EXTERNAL_PROCESS` neither it nor a credentials URI of
/// a profile is asked.
///
/// As in the vendor's Python SDK, what the profile does not say is taken from `ALIBABA_CLOUD_ROLE_ARN`,
/// `ALIBABA_CLOUD_OIDC_PROVIDER_ARN` and `ALIBABA_CLOUD_OIDC_TOKEN_FILE`, and in mode `EcsRamRole` the role from
/// `ALIBABA_CLOUD_ECS_METADATA`; with `ALIBABA_CLOUD_ECS_METADATA_DISABLED=true` that mode fails.
pub fn profile(context: &SourceContext, name: &str) -> CliProfileCredentials {
    CliProfileCredentials::named(context.clone(), name)
}
