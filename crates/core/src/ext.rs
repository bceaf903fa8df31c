use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde::Serialize;

use crate::app::{AppName, AppSelector};
use crate::config::{CallbackKey, RecordCallbackConfig};
use crate::domain::DomainName;
use crate::error::{Error, ErrorKind, Field, Result};
use crate::fidelity::{Deviation, Fidelity};
use crate::provider::{Applied, RecordCallbackProvider, Vendor};
use crate::stored::{DifferenceKind, StoredCallback};

/// Waits, on whatever runtime the caller uses.
#[async_trait]
pub trait Timer: fmt::Debug + Send + Sync + 'static {
    /// Returns after `pause`.
    async fn sleep(&self, pause: Duration);
}

/// How often, and how far apart, to read back until a write shows.
///
/// The pause doubles after each read. Default: 6 reads, first pause 200 ms,
/// so at most 6.2 s of waiting.
#[derive(Debug, Clone)]
pub struct ReadBack {
    timer: Arc<dyn Timer>,
    reads: u32,
    first_pause: Duration,
}

impl ReadBack {
    /// Reads back with the default pauses, waiting on `timer`.
    pub fn new(timer: impl Timer) -> Self {
        Self { timer: Arc::new(timer), reads: 6, first_pause: Duration::from_millis(200) }
    }

    /// Sets how often to read, at least once.
    #[must_use]
    pub fn reads(mut self, reads: u32) -> Self {
        self.reads = reads.max(1);
        self
    }

    /// Sets the first pause.
    #[must_use]
    pub fn first_pause(mut self, pause: Duration) -> Self {
        self.first_pause = pause;
        self
    }

    /// The waits between the reads, for a loop of one's own: read, and while that does not show what is
    /// expected and there is [another](Rounds::another) read, read again.
    pub fn rounds(&self) -> Rounds {
        Rounds { timer: Arc::clone(&self.timer), left: self.reads - 1, pause: self.first_pause }
    }
}

/// The reads that are left of a [`ReadBack`].
#[derive(Debug)]
pub struct Rounds {
    timer: Arc<dyn Timer>,
    left: u32,
    pause: Duration,
}

impl Rounds {
    /// Waits for the next read; false when there is none.
    pub async fn another(&mut self) -> bool {
        if self.left == 0 {
            return false;
        }
        self.left -= 1;
        self.timer.sleep(self.pause).await;
        self.pause = self.pause.saturating_mul(2);
        true
    }
}

/// Whether a put created or replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PutAction {
    /// There was no config before.
    Created,
    /// There was one, and it was replaced.
    Replaced,
}

/// What [`put`](RecordCallbackProviderExt::put) did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PutReport {
    /// Whether a config was created or replaced.
    pub action: PutAction,
    /// What was written.
    pub applied: Applied,
}

/// What [`ensure`](RecordCallbackProviderExt::ensure) found after writing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ensured {
    /// Whether a config was created or replaced.
    pub action: PutAction,
    /// The config as the cloud shows it now.
    pub stored: StoredCallback,
    /// How it differs from what was asked: what the vendor cannot do, and, with
    /// [`Fidelity::BestEffort`], what the cloud ignored.
    pub deviations: Vec<Deviation>,
    /// Fields the cloud does not show, so that nobody can tell whether they took effect.
    pub unconfirmed: Vec<Field>,
}

/// What callers of a provider want to say; implemented for every [`RecordCallbackProvider`].
#[async_trait]
pub trait RecordCallbackProviderExt {
    /// Creates the config, or replaces the one that is there. Idempotent.
    async fn put(&self, config: &RecordCallbackConfig, fidelity: Fidelity) -> Result<PutReport>;

    /// Puts the config, then reads it back until it shows.
    ///
    /// # Errors
    /// [`ErrorKind::NotApplied`], with [`Error::differences`], when the cloud accepted the write but
    /// never shows part of it. With [`Fidelity::BestEffort`] that part is a dropped deviation instead.
    async fn ensure(
        &self,
        config: &RecordCallbackConfig,
        fidelity: Fidelity,
        read_back: &ReadBack,
    ) -> Result<Ensured>;

    /// Deletes the config if it is there, then reads until it is gone. Says whether it was there.
    ///
    /// # Errors
    /// [`ErrorKind::NotApplied`] when it is still there after the last read.
    async fn ensure_absent(&self, key: &CallbackKey, read_back: &ReadBack) -> Result<bool>;

    /// Reads the config that governs streams of `app`: its own if it has one, else the one for `*`.
    /// The two are never merged.
    async fn resolve(&self, domain: &DomainName, app: &AppName) -> Result<Option<StoredCallback>>;
}

#[async_trait]
impl<P: RecordCallbackProvider + ?Sized> RecordCallbackProviderExt for P {
    async fn put(&self, config: &RecordCallbackConfig, fidelity: Fidelity) -> Result<PutReport> {
        let replaced = |applied| PutReport { action: PutAction::Replaced, applied };
        let created = |applied| PutReport { action: PutAction::Created, applied };
        // What the vendor cannot do is refused without a call.
        self.capabilities().fit(config, fidelity).map_err(|error| error.with_vendor(self.vendor()))?;
        // Somebody else may create or delete in between, and reads may lag behind writes.
        if self.get(&config.key()).await?.is_some() {
            match self.update(config, fidelity).await {
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    self.create(config, fidelity).await.map(created)
                }
                result => result.map(replaced),
            }
        } else {
            match self.create(config, fidelity).await {
                Err(exists) if exists.kind() == ErrorKind::AlreadyExists => {
                    match self.update(config, fidelity).await {
                        // Another config is in the way, not an older one of the same domain and app.
                        Err(error) if error.kind() == ErrorKind::NotFound => Err(exists),
                        result => result.map(replaced),
                    }
                }
                result => result.map(created),
            }
        }
    }

    async fn ensure(
        &self,
        config: &RecordCallbackConfig,
        fidelity: Fidelity,
        read_back: &ReadBack,
    ) -> Result<Ensured> {
        let PutReport { action, applied } = self.put(config, fidelity).await?;
        let Applied { effective, mut deviations, unconfirmed, .. } = applied;
        let not_applied = |message: String, differences| {
            Err(not_applied(self.vendor(), config.domain(), message).with_differences(differences))
        };
        let key = config.key();
        let mut rounds = read_back.rounds();
        loop {
            let seen = self.get(&key).await.map_err(Error::with_maybe_applied)?;
            let ignored = seen.as_ref().map(|stored| stored.changes(&effective));
            if ignored.as_ref().is_none_or(|fields| !fields.is_empty()) && rounds.another().await {
                continue;
            }
            let Some((stored, ignored)) = seen.zip(ignored) else {
                return not_applied("written, but the cloud does not show it".into(), Vec::new());
            };
            if !ignored.is_empty() && fidelity != Fidelity::BestEffort {
                let list = ignored.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
                return not_applied(format!("written, but the cloud shows {list}"), ignored);
            }
            for deviation in ignored.into_iter().map(Deviation::ignored) {
                // The write may have found it out already.
                if !deviations.contains(&deviation) {
                    deviations.push(deviation);
                }
            }
            let unconfirmed = hidden(&stored, &effective, &unconfirmed);
            return Ok(Ensured { action, stored, deviations, unconfirmed });
        }
    }

    async fn ensure_absent(&self, key: &CallbackKey, read_back: &ReadBack) -> Result<bool> {
        let existed = match self.delete(key).await {
            Ok(()) => true,
            Err(error) if error.kind() == ErrorKind::NotFound => false,
            Err(error) => return Err(error),
        };
        let mut rounds = read_back.rounds();
        while self.get(key).await.map_err(Error::with_maybe_applied)?.is_some() {
            if !rounds.another().await {
                let message = "deleted, but the cloud still shows it".into();
                return Err(not_applied(self.vendor(), &key.domain, message));
            }
        }
        Ok(existed)
    }

    async fn resolve(&self, domain: &DomainName, app: &AppName) -> Result<Option<StoredCallback>> {
        if self.capabilities().named_apps {
            let own = CallbackKey::new(domain.clone(), AppSelector::Named(app.clone()));
            if let Some(stored) = self.get(&own).await? {
                return Ok(Some(stored));
            }
        }
        self.get(&CallbackKey::any_app(domain.clone())).await
    }
}

fn not_applied(vendor: Vendor, domain: &DomainName, message: String) -> Error {
    // Accepted, and perhaps done in part.
    Error::new(ErrorKind::NotApplied, message)
        .with_vendor(vendor)
        .with_domain(domain.as_str())
        .with_maybe_applied()
}

/// The fields the cloud does not show although something was or may have been written to them.
fn hidden(stored: &StoredCallback, wanted: &RecordCallbackConfig, expected: &[Field]) -> Vec<Field> {
    let differences = stored.differences(wanted).into_iter();
    let unseen = differences.filter(|difference| difference.kind == DifferenceKind::CannotBeReadBack);
    let fields = unseen.map(|difference| difference.field);
    fields.filter(|field| expected.contains(field) || wanted.signing.key().is_some()).collect()
}
