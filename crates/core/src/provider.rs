use std::fmt;

use async_trait::async_trait;
use serde::Serialize;

use crate::account::AccountId;
use crate::capability::Capabilities;
use crate::config::{CallbackKey, ConfigId, RecordCallbackConfig};
use crate::domain::DomainName;
use crate::error::{Field, Result};
use crate::fidelity::{Deviation, Fidelity};
use crate::stored::StoredCallback;

/// The name of a vendor as configs spell it, such as `aliyun`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct Vendor(&'static str);

impl Vendor {
    /// Names a vendor: lower case, no spaces.
    pub const fn new(name: &'static str) -> Self {
        Self(name)
    }

    /// The name.
    pub fn as_str(self) -> &'static str {
        self.0
    }
}

impl fmt::Display for Vendor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// What a write did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// The config's id, where the vendor has ids.
    pub id: Option<ConfigId>,
    /// What the cloud was asked to store.
    pub effective: RecordCallbackConfig,
    /// How that differs from what the caller asked.
    pub deviations: Vec<Deviation>,
    /// Fields the cloud does not show, so that nobody can tell whether they took effect. Where keys are hidden,
    /// [`Field::SigningKey`] is here whenever a key was written or an earlier one may have stayed.
    pub unconfirmed: Vec<Field>,
}

/// One cloud's recording-callback configs.
///
/// This is the contract implementors write; callers will like
/// [`RecordCallbackProviderExt`](crate::RecordCallbackProviderExt). Every method refuses bad or inexpressible input before any call
/// ([`ErrorKind::InvalidConfig`](crate::ErrorKind::InvalidConfig), [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported)), and dropping its future leaves nothing
/// half done on this side. Errors name the vendor and the domain, and neither they nor `Debug` show a
/// secret. The sentences below are the names of the tests in
/// `record-callback-contract`; a provider that passes them may be used wherever
/// ours are.
#[async_trait]
pub trait RecordCallbackProvider: fmt::Debug + Send + Sync + 'static {
    /// The vendor's name.
    fn vendor(&self) -> Vendor;

    /// What the vendor can express. Never changes during the provider's life.
    fn capabilities(&self) -> &Capabilities;

    /// The account that the credentials belong to, as the vendor says when it is asked.
    ///
    /// Configs of another account look like configs that are not there. Compare before a config is taken for gone.
    ///
    /// # Contract
    /// - `None` where the vendor has no way to tell.
    /// - An account that could not be learnt is an error, never `None` and never a guess.
    /// - The same account each time while the credentials are of it: users, roles and sessions of one account are alike.
    /// - Credentials of another account give another one.
    /// - Changes nothing in the cloud.
    async fn account(&self) -> Result<Option<AccountId>>;

    /// Reads the config of exactly this domain and app.
    ///
    /// # Contract
    /// - A missing config is `None`, not an error.
    /// - A domain the account lacks is `DomainNotFound`, here and in every other call: nobody can tell what the account that
    ///   has it has configured. Where a cloud answers it like a missing config, its list of domains is asked, if it has one
    ///   and the caller may.
    /// - A domain in another spelling is the same domain, and the cloud is asked in its own.
    /// - A named app does not fall back to `*`, nor `*` to a named app.
    /// - Needs [`Capabilities::named_apps`] for a named app, else `Unsupported`.
    async fn get(&self, key: &CallbackKey) -> Result<Option<StoredCallback>>;

    /// Reads every config, or every config of one domain.
    ///
    /// # Contract
    /// - All pages are read; each config is there once.
    /// - A domain without configs gives an empty list.
    /// - The order is not specified.
    async fn list(&self, domain: Option<&DomainName>) -> Result<Vec<StoredCallback>>;

    /// Creates a config.
    ///
    /// # Contract
    /// - Never replaces: a config of this domain and app is `AlreadyExists`, and stays as it was.
    /// - Deviations `fidelity` does not accept are `Unsupported`, and nothing is created.
    /// - An answer that was lost is settled by reading back: never created twice, and no error
    ///   when the wanted config is there.
    async fn create(&self, config: &RecordCallbackConfig, fidelity: Fidelity) -> Result<Applied>;

    /// Replaces a config with all its fields.
    ///
    /// # Contract
    /// - A missing config is `NotFound`, and nothing is created.
    /// - Fields the new config does not set are cleared, not kept.
    /// - Idempotent: the same update twice ends in the same config.
    /// - Other configs of the domain stay as they were.
    async fn update(&self, config: &RecordCallbackConfig, fidelity: Fidelity) -> Result<Applied>;

    /// Deletes the config of exactly this domain and app.
    ///
    /// # Contract
    /// - A missing config is `NotFound`; but not when an earlier attempt of this very call, whose
    ///   answer was lost, may have deleted it.
    /// - Other configs of the domain stay as they were.
    async fn delete(&self, key: &CallbackKey) -> Result<()>;
}
