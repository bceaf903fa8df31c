//! Whose the clouds of a fleet are: what is gone in one account may be there in another.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use futures_util::future::join_all;
use record_callback_core::{AccountId, Error};

use crate::name::Name;
use crate::observe::{Clouds, Observed, Sight};
use crate::state::{Record, State};

/// The accounts that the credentials of a fleet's providers belong to, as far as they could be learnt.
#[derive(Debug, Clone, Default)]
pub struct Accounts {
    known: BTreeMap<Name, AccountId>,
    /// Without an error where the vendor has no way to tell.
    unknown: BTreeMap<Name, Option<Arc<Error>>>,
}

impl Clouds {
    /// Asks every provider whose its credentials are, all at once.
    ///
    /// Do so before anything is planned, and refuse [other accounts](State::other_accounts): what is ours looks gone to
    /// them. Providers keep the answer, so that asking again costs nothing while their credentials stay.
    pub async fn accounts(&self) -> Accounts {
        let asked = self.iter().map(|(name, provider)| {
            let name = name.clone();
            async move { (name, provider.account().await) }
        });
        let mut accounts = Accounts::default();
        for (name, answer) in join_all(asked).await {
            match answer {
                Ok(Some(account)) => drop(accounts.known.insert(name, account)),
                Ok(None) => drop(accounts.unknown.insert(name, None)),
                Err(error) => drop(accounts.unknown.insert(name, Some(Arc::new(error)))),
            }
        }
        accounts
    }
}

impl Accounts {
    /// The account behind a provider, if it is known.
    pub fn get(&self, provider: &Name) -> Option<&AccountId> {
        self.known.get(provider)
    }

    /// The providers whose account is not known, and why; without an error the vendor has no way to tell.
    pub fn unknown(&self) -> impl Iterator<Item = (&Name, Option<&Error>)> {
        self.unknown.iter().map(|(name, error)| (name, error.as_deref()))
    }
}

impl FromIterator<(Name, AccountId)> for Accounts {
    fn from_iter<I: IntoIterator<Item = (Name, AccountId)>>(known: I) -> Self {
        Self { known: known.into_iter().collect(), unknown: BTreeMap::new() }
    }
}

/// A provider whose credentials are of another account than the one that the state is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OtherAccount {
    /// The provider.
    pub provider: Name,
    /// The account that the state notes.
    pub expected: AccountId,
    /// The account of the credentials.
    pub actual: AccountId,
}

impl fmt::Display for OtherAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { provider, expected, actual } = self;
        write!(f, "provider `{provider}`: expected account {expected}, these keys are of {actual}")
    }
}

impl State {
    /// The providers whose credentials are of another account in `now` than the state notes. With them nothing may be
    /// planned, and nothing may be written.
    ///
    /// An account that is not known is not another one.
    pub fn other_accounts(&self, now: &Accounts) -> Vec<OtherAccount> {
        let other = |(provider, expected): (&Name, &AccountId)| {
            let actual = now.get(provider).filter(|actual| *actual != expected)?;
            let (provider, expected, actual) = (provider.clone(), expected.clone(), actual.clone());
            Some(OtherAccount { provider, expected, actual })
        };
        self.accounts.iter().filter_map(other).collect()
    }

    /// The records of `now` to note before the first write.
    ///
    /// If `observed` shows none of the configs that the state has at a provider, nobody can say that they are of this
    /// account, and it is left out.
    pub fn new_accounts<'a>(&self, now: &'a Accounts, observed: &Observed) -> Vec<Record> {
        let is_new = |(provider, account): &(&'a Name, &'a AccountId)| {
            self.accounts.get(*provider) != Some(*account) && !self.is_nowhere(provider, observed)
        };
        let record = |(provider, account): (&Name, &AccountId)| Record::Account {
            provider: provider.clone(),
            account: account.clone(),
        };
        now.known.iter().filter(is_new).map(record).collect()
    }

    /// Returns true if a config is ours at `provider`.
    pub fn owns_at(&self, provider: &Name) -> bool {
        self.configs().any(|(_, config)| config.slot.provider == *provider)
    }

    /// Returns true if there are configs of ours at a provider, and it shows none of them.
    fn is_nowhere(&self, provider: &Name, observed: &Observed) -> bool {
        let mut ours = self.configs().map(|(_, config)| config).filter(|one| one.slot.provider == *provider);
        self.owns_at(provider) && ours.all(|one| !matches!(observed.sight(&one.slot), Sight::Config(_)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(id: &str) -> AccountId {
        AccountId::new(id).unwrap()
    }

    fn accounts(of: &[(&str, &str)]) -> Accounts {
        of.iter().map(|(name, id)| (Name::new(name).unwrap(), account(id))).collect()
    }

    #[test]
    fn only_a_known_account_that_differs_is_another() {
        let mut state = State::empty().unwrap();
        for record in state.new_accounts(&accounts(&[("ali", "1234"), ("hw", "aa")]), &Observed::default()) {
            state.take(record);
        }
        assert_eq!(state.accounts.len(), 2);
        assert_eq!(state.other_accounts(&accounts(&[("ali", "1234")])), []);
        assert_eq!(state.other_accounts(&accounts(&[("ali", "1234"), ("new", "5678")])), []);
        let others = state.other_accounts(&accounts(&[("ali", "5678"), ("hw", "aa")]));
        let told: Vec<_> = others.iter().map(ToString::to_string).collect();
        assert_eq!(told, ["provider `ali`: expected account 1234, these keys are of 5678"]);
    }

    #[test]
    fn what_is_noted_is_not_noted_again() {
        let mut state = State::empty().unwrap();
        let now = accounts(&[("ali", "1234")]);
        state.take(state.new_accounts(&now, &Observed::default()).remove(0));
        assert_eq!(state.new_accounts(&now, &Observed::default()), []);
    }
}
