//! What the clouds show of a fleet, read in as few calls as they allow.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use futures_util::{StreamExt, stream};
use record_callback_core::{
    CallbackKey, Capabilities, DomainName, Error, ErrorKind, RecordCallbackProvider, StoredCallback,
    StoredKey, Vendor,
};

use crate::name::Name;
use crate::slot::Slot;

/// So few domains are always asked one by one: a list of all may bring an account's many other configs.
const FEW_DOMAINS: usize = 8;

/// The clouds of a fleet: a connected provider for each name in the manifest.
#[derive(Debug)]
pub struct Clouds {
    clouds: BTreeMap<Name, Cloud>,
    parallel: usize,
}

#[derive(Debug)]
struct Cloud {
    provider: Arc<dyn RecordCallbackProvider>,
    /// How many configs the last list of all had: what the next one will cost.
    listed: AtomicUsize,
    /// Whether it said that it has more configs than it lists.
    too_many: AtomicBool,
}

impl Clouds {
    /// Calls that are under way at a time, for each provider: enough to use up a quota of 50 calls a second when each
    /// takes half a second.
    pub const PARALLEL: usize = 32;

    /// Fleet operations on these providers.
    pub fn new(providers: BTreeMap<Name, Arc<dyn RecordCallbackProvider>>) -> Self {
        let cloud =
            |provider| Cloud { provider, listed: AtomicUsize::new(0), too_many: AtomicBool::new(false) };
        let clouds = providers.into_iter().map(|(name, provider)| (name, cloud(provider))).collect();
        Self { clouds, parallel: Self::PARALLEL }
    }

    /// Sets how many calls may be under way at a time, for each provider; at least one.
    ///
    /// A call waits for its turn in the quota, so with very many the last of them may miss its deadline.
    #[must_use]
    pub fn parallel(mut self, parallel: usize) -> Self {
        self.parallel = parallel.max(1);
        self
    }

    pub(crate) fn in_parallel(&self) -> usize {
        self.parallel
    }

    /// The provider of this name.
    pub fn get(&self, name: &Name) -> Option<&dyn RecordCallbackProvider> {
        self.clouds.get(name).map(|cloud| &*cloud.provider)
    }

    /// Names and providers.
    pub fn iter(&self) -> impl Iterator<Item = (&Name, &dyn RecordCallbackProvider)> {
        self.clouds.iter().map(|(name, cloud)| (name, &*cloud.provider))
    }

    /// Reads what is in `slots`: by lists where a provider has them and they take fewer calls, else one by one.
    ///
    /// Slots that cannot be read are noted as such; all else is read. A list of all says nothing of domains that the account
    /// lacks: of what is ours, [`confirm_missing`](Self::confirm_missing) before it is called gone.
    pub async fn observe(&self, slots: impl IntoIterator<Item = Slot>) -> Observed {
        let mut asked: BTreeMap<Name, Vec<CallbackKey>> = BTreeMap::new();
        for slot in slots {
            asked.entry(slot.provider).or_default().push(slot.key);
        }
        let views = asked.into_iter().filter_map(|(name, mut keys)| {
            keys.sort_unstable();
            keys.dedup();
            let cloud = self.clouds.get(&name)?;
            Some(async move { (name, cloud.view(keys, self.parallel).await) })
        });
        let views = stream::iter(views).buffer_unordered(self.clouds.len().max(1)).collect::<Vec<_>>().await;
        let mut observed = Observed { views: views.into_iter().collect() };
        for (name, cloud) in &self.clouds {
            let unread = || View::unread(&*cloud.provider);
            observed.views.entry(name.clone()).or_insert_with(unread);
        }
        observed
    }

    /// Asks one by one for those of the `owned` slots that were read by a list of all and are not in it.
    ///
    /// The list of another account, or of one that a domain has left, lacks them too: there they are unreadable, not
    /// gone. Makes no call while everything is there.
    pub async fn confirm_missing<'a>(
        &self,
        observed: &mut Observed,
        owned: impl IntoIterator<Item = &'a Slot>,
    ) {
        let mut missing: BTreeMap<Name, Vec<CallbackKey>> = BTreeMap::new();
        for slot in owned {
            if observed.views.get(&slot.provider).is_some_and(|view| view.only_unlisted(&slot.key)) {
                missing.entry(slot.provider.clone()).or_default().push(slot.key.clone());
            }
        }
        let asked = missing.into_iter().filter_map(|(name, mut keys)| {
            keys.sort_unstable();
            keys.dedup();
            let (cloud, mut view) = (self.clouds.get(&name)?, observed.views.get(&name)?.clone());
            Some(async move {
                cloud.one_by_one(&keys, self.parallel, &mut view).await;
                view.sort();
                (name, view)
            })
        });
        let asked: Vec<_> = asked.collect();
        let asked = stream::iter(asked).buffer_unordered(self.clouds.len().max(1)).collect::<Vec<_>>().await;
        observed.views.extend(asked);
    }

    /// Whether configs are better verified many at a time than one by one.
    pub(crate) fn lists(&self, name: &Name) -> bool {
        self.get(name).is_some_and(|provider| provider.capabilities().list_page.is_some())
    }
}

impl Cloud {
    async fn view(&self, keys: Vec<CallbackKey>, parallel: usize) -> View {
        let mut view = View::unread(&*self.provider);
        let domains: BTreeSet<&DomainName> = keys.iter().map(|key| &key.domain).collect();
        let lists = self.provider.capabilities().list_page.filter(|_| !self.too_many.load(Ordering::Relaxed));
        let pages = lists.map(|page| {
            let configs = self.listed.load(Ordering::Relaxed).max(keys.len());
            configs.div_ceil(page.max(1) as usize)
        });
        match pages {
            Some(pages) if domains.len() > FEW_DOMAINS && pages < domains.len() => {
                match self.provider.list(None).await {
                    Ok(all) => {
                        self.listed.store(all.len(), Ordering::Relaxed);
                        let asked: HashSet<&CallbackKey> = keys.iter().collect();
                        view.found = all;
                        view.found.retain(|stored| asked.contains(&stored.key));
                        view.sort();
                        view.listed = keys;
                        return view;
                    }
                    // More configs than the cloud lists at once: domain by domain they are all there.
                    Err(error) if error.kind() == ErrorKind::Unsupported => {
                        self.too_many.store(true, Ordering::Relaxed);
                    }
                    Err(error) => {
                        view.failed_as_a_whole = Some(Arc::new(error));
                        return view;
                    }
                }
                let domains = domains.into_iter().cloned().collect();
                self.by_domain(domains, &keys, parallel, &mut view).await;
            }
            // Several apps of a domain come in one call.
            Some(_) if domains.len() < keys.len() => {
                let domains = domains.into_iter().cloned().collect();
                self.by_domain(domains, &keys, parallel, &mut view).await;
            }
            _ => self.one_by_one(&keys, parallel, &mut view).await,
        }
        view.sort();
        view
    }

    async fn by_domain(
        &self,
        domains: Vec<DomainName>,
        keys: &[CallbackKey],
        parallel: usize,
        view: &mut View,
    ) {
        let reads = domains.into_iter().map(|domain| async move {
            let read = self.provider.list(Some(&domain)).await;
            (domain, read)
        });
        let mut reads = stream::iter(reads).buffer_unordered(parallel);
        while let Some((domain, read)) = reads.next().await {
            match read {
                Ok(configs) => view
                    .found
                    .extend(configs.into_iter().filter(|stored| keys.binary_search(&stored.key).is_ok())),
                Err(error) => drop(view.failed.insert(domain, Arc::new(error))),
            }
        }
    }

    async fn one_by_one(&self, keys: &[CallbackKey], parallel: usize, view: &mut View) {
        // By index: a closure that borrows what it is given makes a future that only its caller's thread can run.
        let reads = (0..keys.len()).map(|i| async move {
            let key = &keys[i];
            // What a provider has no place for is not there.
            match self.provider.capabilities().check_key(key) {
                Ok(()) => (key, self.provider.get(key).await),
                Err(_) => (key, Ok(None)),
            }
        });
        let mut reads = stream::iter(reads).buffer_unordered(parallel);
        while let Some((key, read)) = reads.next().await {
            match read {
                Ok(stored) => view.found.extend(stored),
                Err(error) => drop(view.failed.insert(key.domain.clone(), Arc::new(error))),
            }
        }
    }
}

/// What the clouds showed.
#[derive(Debug, Clone, Default)]
pub struct Observed {
    views: BTreeMap<Name, View>,
}

/// What one provider showed.
#[derive(Debug, Clone)]
pub(crate) struct View {
    pub(crate) vendor: Vendor,
    pub(crate) capabilities: Capabilities,
    /// By key.
    found: Vec<StoredCallback>,
    /// Keys that were looked for in a list of all, in order.
    listed: Vec<CallbackKey>,
    /// Domains that could not be read.
    failed: BTreeMap<DomainName, Arc<Error>>,
    failed_as_a_whole: Option<Arc<Error>>,
}

/// What is in a slot.
#[derive(Debug, Clone)]
pub enum Sight<'a> {
    /// A config.
    Config(&'a StoredCallback),
    /// Nothing.
    Nothing,
    /// It could not be read.
    Unreadable(&'a Error),
    /// The provider is not one of the manifest's.
    UnknownProvider,
}

impl View {
    fn unread(provider: &dyn RecordCallbackProvider) -> Self {
        Self {
            vendor: provider.vendor(),
            capabilities: provider.capabilities().clone(),
            found: Vec::new(),
            listed: Vec::new(),
            failed: BTreeMap::new(),
            failed_as_a_whole: None,
        }
    }

    /// Returns true if nothing but a list of all says that nothing is there.
    fn only_unlisted(&self, key: &CallbackKey) -> bool {
        self.listed.binary_search(key).is_ok()
            && self.found.binary_search_by(|stored| stored.key.cmp(key)).is_err()
    }

    fn sort(&mut self) {
        self.found.sort_unstable_by(|one, other| one.key.cmp(&other.key));
    }
}

impl Observed {
    /// What is in `slot`; of those that were asked for.
    pub fn sight(&self, slot: &Slot) -> Sight<'_> {
        let Some(view) = self.views.get(&slot.provider) else { return Sight::UnknownProvider };
        let failed = view.failed_as_a_whole.as_ref().or_else(|| view.failed.get(&slot.key.domain));
        if let Some(error) = failed {
            return Sight::Unreadable(error);
        }
        match view.found.binary_search_by(|stored| stored.key.cmp(&slot.key)) {
            Ok(place) => view.found.get(place).map_or(Sight::Nothing, Sight::Config),
            Err(_) => Sight::Nothing,
        }
    }

    /// The content of `slot`, with its secrets, to be compared by a digest and never shown.
    pub(crate) fn comparable(&self, slot: &Slot) -> String {
        let shown = match self.sight(slot) {
            Sight::Nothing => "nothing".to_owned(),
            Sight::UnknownProvider => "unknown".to_owned(),
            Sight::Unreadable(error) => format!("unreadable: {}", error.kind()),
            Sight::Config(stored) => {
                let key = match &stored.signing.key {
                    StoredKey::Known(key) => key.expose(),
                    StoredKey::Hidden => "hidden",
                    StoredKey::NotSet => "none",
                };
                let StoredCallback { id, notify_url, on_demand_url, events, signing, .. } = stored;
                format!("{id:?} {notify_url:?} {on_demand_url:?} {events} {:?} {key}", signing.scheme)
            }
        };
        format!("{slot}: {shown}")
    }

    pub(crate) fn view(&self, provider: &Name) -> Option<&View> {
        self.views.get(provider)
    }
}
