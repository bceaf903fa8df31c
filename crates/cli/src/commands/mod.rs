//! One file a command.

pub(crate) mod apply;
pub(crate) mod delete;
pub(crate) mod demo;
pub(crate) mod destroy;
pub(crate) mod doctor;
pub(crate) mod drift;
pub(crate) mod events;
pub(crate) mod explain;
pub(crate) mod get;
pub(crate) mod import;
pub(crate) mod list;
pub(crate) mod mock;
pub(crate) mod plan;
pub(crate) mod policy;
pub(crate) mod put;
pub(crate) mod receive;
pub(crate) mod refused;
pub(crate) mod schema;
pub(crate) mod status;
pub(crate) mod switch;
pub(crate) mod trigger;

use std::sync::Arc;

use record_callback::aliyun::Signature;
use record_callback::http::{OsEnv, named_variable};
use record_callback::{
    AliyunConfig, CallbackKey, CredentialsConfig, Error, ErrorKind, HuaweicloudConfig, InvalidConfig,
    ProviderConfig, RecordCallbackProvider, SigningKey, StoredCallback,
};

use secrecy::ExposeSecret;

use crate::args::{CloudArguments, KeyArguments, SignatureName, VendorName, WayArguments};
use crate::failure::Failure;
use crate::output;

impl CloudArguments {
    /// The provider that was asked for, with the vendor's own credentials.
    fn connect(self) -> Result<Arc<dyn RecordCallbackProvider>, Failure> {
        Ok(config(self.vendor, self.way)?.connect()?)
    }
}

/// The way to a cloud, if it is one of this vendor's.
fn config(vendor: VendorName, way: WayArguments) -> Result<ProviderConfig, Failure> {
    let WayArguments { endpoint, region, vpc, project_id, iam_endpoint, signature, allow_http, ca_bundle } =
        way;
    let foreign = |option: &'static str| {
        Err(InvalidConfig::new(option, "is given", "an option of the other vendor only").into())
    };
    Ok(match vendor {
        VendorName::Aliyun if project_id.is_some() => return foreign("--project-id"),
        VendorName::Aliyun if iam_endpoint.is_some() => return foreign("--iam-endpoint"),
        VendorName::Huaweicloud if signature.is_some() => return foreign("--signature"),
        VendorName::Huaweicloud if vpc => return foreign("--vpc"),
        VendorName::Aliyun => ProviderConfig::Aliyun(AliyunConfig {
            endpoint,
            region,
            vpc,
            allow_http,
            ca_bundle,
            calls_per_second: None,
            signature: match signature {
                Some(SignatureName::Acs3) => Signature::Acs3,
                Some(SignatureName::Rpc) | None => Signature::Rpc,
            },
            credentials: CredentialsConfig::default(),
        }),
        VendorName::Huaweicloud => ProviderConfig::Huaweicloud(HuaweicloudConfig {
            endpoint,
            iam_endpoint,
            region,
            project_id,
            allow_http,
            ca_bundle,
            calls_per_minute: None,
            credentials: CredentialsConfig::default(),
        }),
    })
}

impl From<KeyArguments> for CallbackKey {
    fn from(key: KeyArguments) -> Self {
        Self::new(key.domain, key.app)
    }
}

/// The config of exactly this domain and app; an error if there is none.
async fn existing(
    provider: &dyn RecordCallbackProvider,
    key: &CallbackKey,
) -> Result<StoredCallback, Failure> {
    let stored = provider.get(key).await?;
    stored.ok_or_else(|| {
        let error = Error::new(ErrorKind::NotFound, format!("there is no config for {key}"));
        error.with_vendor(provider.vendor()).into()
    })
}

/// Refuses to go on if the config is not as it was shown any more.
async fn check_unchanged(
    provider: &dyn RecordCallbackProvider,
    key: &CallbackKey,
    shown: Option<&StoredCallback>,
) -> Result<(), Failure> {
    if provider.get(key).await?.as_ref() == shown {
        return Ok(());
    }
    Err(Failure::Refused {
        problem: format!("{} was changed by somebody else since it was shown", output::escaped(key)),
        hint: "run it again to see what is there now; nothing was changed here".to_owned(),
    })
}

/// The signing key in the environment variable that `--key-env` names.
fn signing_key(variable: &str) -> Result<SigningKey, Error> {
    Ok(SigningKey::new(named_variable(&OsEnv, "--key-env", variable)?.expose_secret())?)
}
