use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use record_callback_core::{DomainName, Error, ErrorKind, Result};
use tokio::time::Instant;

use crate::retry::is_transient;

/// The time for which a list of names is believed. Whoever adds a domain in another spelling meanwhile is noticed after
/// that.
const BELIEVED: Duration = Duration::from_secs(300);

/// The spellings of domain names in a cloud, as far as it has shown any.
///
/// A cloud may store names in another form than the [canonical](DomainName) one, such as `PUSH.Example.com`, and compare them
/// letter by letter. What it has shown in another form is asked for in that form. For a name that is not found in canonical
/// form, all names are [listed](Self::listed), once in 5 minutes.
#[derive(Debug, Default)]
pub struct Spellings {
    /// Of names that were shown in another form than the canonical one: all forms.
    seen: Mutex<HashMap<DomainName, BTreeSet<String>>>,
    /// Held while names are listed, so that many who miss one at a time cause one list.
    looked: tokio::sync::Mutex<Option<Look>>,
}

#[derive(Debug)]
struct Look {
    at: Instant,
    /// `None` if the cloud does not list them, or not to us.
    names: Option<HashSet<DomainName>>,
}

impl Spellings {
    /// The forms to ask for `domain` in, at least one. A name that has only been shown in canonical form, or never, has that
    /// one, whichever another cloud uses; else the canonical form is first if it has been shown, too.
    pub fn of(&self, domain: &DomainName) -> Vec<String> {
        let seen = self.seen();
        let Some(forms) = seen.get(domain) else { return vec![domain.as_str().to_owned()] };
        let canonical = |form: &&String| form.as_str() == domain.as_str();
        let (first, others): (Vec<_>, Vec<_>) = forms.iter().partition(canonical);
        first.into_iter().chain(others).cloned().collect()
    }

    /// The form to write a config of `domain` in.
    pub fn best(&self, domain: &DomainName) -> String {
        self.of(domain).swap_remove(0)
    }

    /// Remembers the form of a name the cloud shows.
    pub fn learn(&self, shown: &DomainName) {
        let mut seen = self.seen();
        if let Some(forms) = seen.get_mut(shown) {
            forms.insert(shown.spelling().to_owned());
        } else if shown.spelling() != shown.as_str() {
            seen.insert(shown.clone(), BTreeSet::from([shown.spelling().to_owned()]));
        }
    }

    /// Tells if `domain` is among the names `list` gives; `None` if it cannot be told.
    ///
    /// `list` is awaited if there was none in the last 5 minutes. What the cloud lists in no case, or not to us, is not asked
    /// for again either.
    ///
    /// # Errors
    /// Those of `list` after which another try may tell.
    pub async fn listed(
        &self,
        domain: &DomainName,
        list: impl Future<Output = Result<Vec<DomainName>>>,
    ) -> Result<Option<bool>> {
        let mut looked = self.looked.lock().await;
        let look = match looked.take().filter(|look| look.at.elapsed() < BELIEVED) {
            Some(look) => look,
            None => match list.await {
                Ok(names) => self.look(names),
                Err(error) if may_tell_later(&error) => return Err(error),
                Err(_) => Look { at: Instant::now(), names: None },
            },
        };
        let names = looked.insert(look).names.as_ref();
        Ok(names.map(|names| names.contains(domain)))
    }

    /// Remembers all names there are, just listed.
    pub async fn learn_all(&self, names: Vec<DomainName>) {
        let look = self.look(names);
        *self.looked.lock().await = Some(look);
    }

    /// Remembers that there is `domain`, whatever the last list said.
    pub async fn found(&self, domain: &DomainName) {
        if let Some(names) = self.looked.lock().await.as_mut().and_then(|look| look.names.as_mut()) {
            names.insert(domain.clone());
        }
    }

    fn look(&self, names: Vec<DomainName>) -> Look {
        let mut sorted = names;
        // Those in canonical form last: they count if there is another form.
        sorted.sort_by_key(|name| name.spelling() == name.as_str());
        for name in &sorted {
            self.learn(name);
        }
        Look { at: Instant::now(), names: Some(sorted.into_iter().collect()) }
    }

    fn seen(&self) -> MutexGuard<'_, HashMap<DomainName, BTreeSet<String>>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells if another try may end differently. What is not allowed, or not offered, stays so.
fn may_tell_later(error: &Error) -> bool {
    is_transient(error) || error.kind() == ErrorKind::Unauthenticated
}
