use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use record_callback_core::{
    AppSelector, Applied, CallbackKey, CallbackSigning, Capabilities, DifferenceKind, DomainName, ErrorKind,
    Fidelity, OnDemandSupport, ReadBack, RecordCallbackConfig, RecordCallbackConfigBuilder,
    RecordCallbackProvider, StoredCallback, Timer,
};

use crate::failure::{Failure, check};
use crate::harness::Harness;
use crate::wishes;

/// The app that configs without one of their own are for.
pub(crate) const ANY: &str = "*";

/// What one behaviour works with: the provider, two empty domains, and steps that
/// wait until a write shows before they return.
pub(crate) struct Bench<'a> {
    pub(crate) provider: Arc<dyn RecordCallbackProvider>,
    /// The domain a behaviour uses when it needs only one.
    pub(crate) domain: DomainName,
    pub(crate) other_domain: DomainName,
    pub(crate) harness: &'a dyn Harness,
    /// The keys of all configs built here, to be deleted afterwards even if listing is broken.
    built: Mutex<BTreeSet<CallbackKey>>,
}

impl<'a> Bench<'a> {
    /// Sets up on the harness's domains, unless there is something on them already.
    pub(crate) async fn new(
        harness: &'a dyn Harness,
        provider: Arc<dyn RecordCallbackProvider>,
    ) -> Result<Self, Failure> {
        let [domain, other_domain] = harness.domains();
        check!(domain != other_domain, "the harness gave `{domain}` twice; two domains are needed");
        let capabilities = provider.capabilities();
        check!(
            !wishes::all_events(capabilities).is_empty(),
            "the capabilities say that no event is ever delivered"
        );
        let [shortest, longest] = wishes::key_lengths(capabilities);
        check!(
            capabilities.signing.schemes.is_empty() || shortest <= longest,
            "the capabilities allow no key that the model allows"
        );
        for domain in [&domain, &other_domain] {
            let found = provider.list(Some(domain)).await?.len();
            check!(found == 0, "`{domain}` has {found} configs; the suite only works on domains without any");
        }
        Ok(Self { provider, domain, other_domain, harness, built: Mutex::default() })
    }

    pub(crate) fn capabilities(&self) -> &Capabilities {
        self.provider.capabilities()
    }

    pub(crate) fn key(&self, app: &str) -> CallbackKey {
        CallbackKey::new(self.domain.clone(), AppSelector::reported(app))
    }

    /// Starts a config with few events and nothing else, which any provider takes as it is.
    pub(crate) fn draft(&self, app: &str, path: &str) -> RecordCallbackConfigBuilder {
        self.draft_on(&self.domain, app, path)
    }

    fn draft_on(&self, domain: &DomainName, app: &str, path: &str) -> RecordCallbackConfigBuilder {
        RecordCallbackConfig::builder(domain.as_str(), format!("https://cb.example.com/{path}"))
            .app(app)
            .events(wishes::few_events(self.capabilities()).iter().cloned())
    }

    /// Starts a config with every field set, as far as the provider takes it as it is.
    pub(crate) fn full_draft(&self, app: &str, path: &str) -> Result<RecordCallbackConfigBuilder, Failure> {
        let draft = self
            .draft(app, path)
            .events(wishes::all_events(self.capabilities()).iter().cloned())
            .signing(wishes::signing(self.capabilities(), 'a')?);
        Ok(match self.capabilities().on_demand_url {
            OnDemandSupport::Documented => draft.on_demand_url(format!("https://od.example.com/{path}")),
            OnDemandSupport::Undocumented | OnDemandSupport::Unsupported => draft,
        })
    }

    /// Starts a config that asks for everything the model has; what the vendor lacks is lost,
    /// nothing is widened.
    pub(crate) fn greedy_draft(&self, app: &str, path: &str) -> Result<RecordCallbackConfigBuilder, Failure> {
        let capabilities = self.capabilities();
        let deliverable = wishes::all_events(capabilities);
        let mut draft = self
            .full_draft(app, path)?
            .events(deliverable.iter().cloned().chain(wishes::lost_event(capabilities)));
        if let Some(scheme) = wishes::missing_scheme(capabilities) {
            draft = draft.signing(CallbackSigning::with(scheme, wishes::key(capabilities, 'a')?));
        }
        if capabilities.on_demand_url == OnDemandSupport::Unsupported {
            draft = draft.on_demand_url(format!("https://od.example.com/{path}"));
        }
        Ok(draft)
    }

    /// Builds the config, and sees to it that it is deleted in the end.
    pub(crate) fn build(&self, draft: RecordCallbackConfigBuilder) -> Result<RecordCallbackConfig, Failure> {
        let config = draft.build()?;
        self.built.lock().unwrap_or_else(PoisonError::into_inner).insert(config.key());
        Ok(config)
    }

    /// Builds a config of few events and nothing else.
    pub(crate) fn plain(&self, app: &str, path: &str) -> Result<RecordCallbackConfig, Failure> {
        self.build(self.draft(app, path))
    }

    /// As [`plain`](Self::plain), for every app of the other domain.
    pub(crate) fn plain_elsewhere(&self, path: &str) -> Result<RecordCallbackConfig, Failure> {
        self.build(self.draft_on(&self.other_domain, ANY, path))
    }

    /// Creates `config`, and waits until it shows exactly as it is.
    pub(crate) async fn create(&self, config: &RecordCallbackConfig) -> Result<Applied, Failure> {
        let applied = self.provider.create(config, Fidelity::Exact).await?;
        self.shows(config).await?;
        Ok(applied)
    }

    /// Updates to `config`, and waits until it shows exactly as it is.
    pub(crate) async fn update(&self, config: &RecordCallbackConfig) -> Result<Applied, Failure> {
        let applied = self.provider.update(config, Fidelity::Exact).await?;
        self.shows(config).await?;
        Ok(applied)
    }

    /// Deletes, and waits until it is gone.
    pub(crate) async fn delete(&self, key: &CallbackKey) -> Result<(), Failure> {
        self.provider.delete(key).await?;
        self.gone(key).await
    }

    /// Reads until `wanted` shows.
    pub(crate) async fn shows(&self, wanted: &RecordCallbackConfig) -> Result<StoredCallback, Failure> {
        let key = wanted.key();
        let mut rounds = self.read_back().rounds();
        loop {
            let seen = self.provider.get(&key).await?;
            let problem = match seen {
                None => "there is none".to_owned(),
                Some(stored) => match mismatch(&stored, wanted) {
                    None => return Ok(stored),
                    Some(problem) => problem,
                },
            };
            check!(rounds.another().await, "the config of {key}: {problem}");
        }
    }

    /// Reads until there is no config of `key`.
    pub(crate) async fn gone(&self, key: &CallbackKey) -> Result<(), Failure> {
        let mut rounds = self.read_back().rounds();
        while self.provider.get(key).await?.is_some() {
            check!(rounds.another().await, "expected no config of {key}, found one");
        }
        Ok(())
    }

    /// As [`shows`](Self::shows), and again a little later: a wrong write may be slow to show.
    pub(crate) async fn still_shows(&self, wanted: &RecordCallbackConfig) -> Result<(), Failure> {
        self.shows(wanted).await?;
        self.harness.timer().sleep(self.harness.first_pause()).await;
        self.shows(wanted).await.map(drop)
    }

    /// As [`gone`](Self::gone), and again a little later: a wrong write may be slow to show.
    pub(crate) async fn still_absent(&self, key: &CallbackKey) -> Result<(), Failure> {
        self.gone(key).await?;
        self.harness.timer().sleep(self.harness.first_pause()).await;
        self.gone(key).await
    }

    /// Lists until there is each of `wanted` once, and no other config of the two domains.
    pub(crate) async fn lists(
        &self,
        domain: Option<&DomainName>,
        wanted: &[&RecordCallbackConfig],
    ) -> Result<Vec<StoredCallback>, Failure> {
        let mut rounds = self.read_back().rounds();
        loop {
            let mut listed = self.provider.list(domain).await?;
            if domain.is_none() {
                // An account may have other domains, with configs that are none of our business.
                listed.retain(|stored| [&self.domain, &self.other_domain].contains(&&stored.key.domain));
            }
            let Some(problem) = list_mismatch(&listed, wanted) else { return Ok(listed) };
            let scope = domain.map_or("all domains".into(), ToString::to_string);
            check!(rounds.another().await, "the list of {scope}: {problem}");
        }
    }

    /// For the provider's own reading back.
    pub(crate) fn read_back(&self) -> ReadBack {
        ReadBack::new(SharedTimer(self.harness.timer()))
            .reads(self.harness.reads())
            .first_pause(self.harness.first_pause())
    }

    /// Deletes everything on the two domains; all of it is ours, for they were empty before.
    pub(crate) async fn clean_up(&self) -> Result<(), Failure> {
        let mut keys = self.built.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for domain in [&self.domain, &self.other_domain] {
            // If listing fails, what was built can be deleted all the same.
            let listed = self.provider.list(Some(domain)).await.unwrap_or_default();
            keys.extend(listed.into_iter().map(|stored| stored.key));
        }
        for key in keys {
            match self.provider.delete(&key).await {
                Err(error) if !matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Unsupported) => {
                    return Err(Failure::new(format!("{key} could not be cleaned up: {error}")));
                }
                _ => {}
            }
        }
        for domain in [&self.domain, &self.other_domain] {
            self.lists(Some(domain), &[]).await?;
        }
        Ok(())
    }
}

/// How `stored` is not `wanted`, as far as the cloud shows it.
fn mismatch(stored: &StoredCallback, wanted: &RecordCallbackConfig) -> Option<String> {
    if stored.key != wanted.key() {
        return Some(format!("found that of {}", stored.key));
    }
    let mut differences = stored.differences(wanted);
    differences.retain(|difference| difference.kind == DifferenceKind::Changed);
    let list = differences.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
    (!list.is_empty()).then_some(list)
}

/// How `listed` is not exactly `wanted`, in any order.
fn list_mismatch(listed: &[StoredCallback], wanted: &[&RecordCallbackConfig]) -> Option<String> {
    let mut found: Vec<_> = listed.iter().map(|stored| stored.key.clone()).collect();
    let mut expected: Vec<_> = wanted.iter().map(|config| config.key()).collect();
    found.sort();
    expected.sort();
    if found != expected {
        let names =
            |keys: &[CallbackKey]| keys.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        return Some(format!("expected [{}], found [{}]", names(&expected), names(&found)));
    }
    wanted.iter().find_map(|config| {
        let stored = listed.iter().find(|stored| stored.key == config.key())?;
        mismatch(stored, config).map(|problem| format!("{}: {problem}", stored.key))
    })
}

/// Lets a [`ReadBack`] wait on the harness's timer.
#[derive(Debug)]
struct SharedTimer(Arc<dyn Timer>);

#[async_trait]
impl Timer for SharedTimer {
    async fn sleep(&self, pause: Duration) {
        self.0.sleep(pause).await;
    }
}
