//! The domains of the account, under whichever names the cloud has them.

use std::collections::BTreeSet;

use record_callback_core::{DomainName, Error, ErrorKind, Result};

use crate::provider::{AliyunProvider, of_vendor};
use crate::wire::{self, FULL_MATCH, STREAMING, UserDomainsQuery};

/// Largest page of `DescribeLiveUserDomains`.
pub(crate) const PAGE_SIZE: u32 = 50;
/// The most often that all pages are asked for.
const MAX_PASSES: u32 = 16;
/// The most pages that are asked for, in all passes together: 100 000 domains, where an account has 20 unless the
/// vendor allows it more.
const MAX_PAGES: u32 = 2_000;

impl AliyunProvider {
    /// Runs `action` with the name by which the cloud knows `domain`. `DomainNotFound` if it knows none.
    ///
    /// The documents do not say whether names are compared letter by letter, nor whether a domain that is not in the account is
    /// answered like one without a config: the list of domains decides, where it may be read.
    pub(crate) async fn in_its_spelling<T, F>(
        &self,
        domain: &DomainName,
        action: impl Fn(String) -> F,
    ) -> Result<T>
    where
        F: Future<Output = Result<T>>,
    {
        let mut missed = of_vendor(Error::new(ErrorKind::NotFound, "there is no config"));
        let (mut has, mut maybe_applied, mut tried) = (None, false, Vec::new());
        for is_looked_up in [false, true] {
            if is_looked_up {
                let unseen = |error: Error| error.with_maybe_applied_if(maybe_applied);
                has = self.has(domain).await.map_err(unseen)?;
            }
            for name in self.spellings.of(domain) {
                if tried.contains(&name) {
                    continue;
                }
                tried.push(name.clone());
                match action(name).await.map_err(|error| error.with_maybe_applied_if(maybe_applied)) {
                    Err(error) if is_missing(&error) => {
                        maybe_applied |= error.maybe_applied();
                        missed = error;
                    }
                    result => return result,
                }
            }
        }
        Err(if has == Some(false) { not_of_the_account(missed) } else { missed })
    }

    /// Tells if the account has this streaming domain; `None` if it cannot be told. Learns how it is spelled.
    async fn has(&self, domain: &DomainName) -> Result<Option<bool>> {
        let listed = self.spellings.listed(domain, self.streaming_domains()).await?;
        if listed != Some(false) {
            return Ok(listed);
        }
        // It may be newer than the list.
        let query = UserDomainsQuery {
            live_domain_type: Some(STREAMING.into()),
            domain_name: Some(domain.to_string()),
            domain_search_type: Some(FULL_MATCH.into()),
            ..UserDomainsQuery::default()
        };
        let page = self.client.describe_live_user_domains(&query).await?;
        if !page.lists() {
            return Ok(None);
        }
        let mut found = page.domains().iter().map(|found| DomainName::reported(&found.domain_name));
        let Some(found) = found.find(|found| found == domain) else { return Ok(Some(false)) };
        self.spellings.learn(&found);
        self.spellings.found(&found).await;
        Ok(Some(true))
    }

    /// The streaming domains of the account, as it spells them.
    pub(crate) async fn streaming_domains(&self) -> Result<Vec<DomainName>> {
        let mut pages_left = MAX_PAGES;
        for _ in 0..MAX_PASSES {
            if let Some(names) = self.streaming_domains_unless_they_change(&mut pages_left).await? {
                return Ok(names.iter().map(|name| DomainName::reported(name)).collect());
            }
        }
        Err(unlisted("the number of domains changed again and again while the cloud listed them"))
    }

    /// All pages; `None` if the number of domains changed: one that goes moves another past the next page.
    async fn streaming_domains_unless_they_change(
        &self,
        pages_left: &mut u32,
    ) -> Result<Option<BTreeSet<String>>> {
        let mut names = BTreeSet::new();
        let mut first_total = None;
        let mut query = UserDomainsQuery {
            live_domain_type: Some(STREAMING.into()),
            page_size: Some(PAGE_SIZE),
            ..UserDomainsQuery::default()
        };
        for page in 1.. {
            *pages_left = pages_left.checked_sub(1).ok_or_else(|| {
                unlisted(format!("the cloud listed page after page of domains, {MAX_PAGES} without an end"))
            })?;
            query.page_number = Some(page);
            let page = self.client.describe_live_user_domains(&query).await?;
            if !page.lists() {
                let error = Error::new(ErrorKind::Protocol, "the answer lists no domains");
                return Err(of_vendor(error).with_operation(wire::USER_DOMAINS));
            }
            let before = names.len();
            names.extend(page.domains().iter().map(|domain| domain.domain_name.clone()));
            let Some(total) = page.total_count else {
                // A page beyond the last may repeat it.
                if names.len() == before {
                    break;
                }
                continue;
            };
            if *first_total.get_or_insert(total) != total {
                return Ok(None);
            }
            if names.len() >= total as usize {
                break;
            }
            if names.len() == before {
                let seen = names.len();
                return Err(unlisted(format!("the cloud listed only {seen} of {total} domains")));
            }
        }
        Ok(Some(names))
    }
}

/// Returns true if the cloud says that the config is not there, or the domain.
pub(crate) fn is_missing(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::DomainNotFound)
}

/// The error for what is missing with the whole domain.
fn not_of_the_account(missed: Error) -> Error {
    match missed.kind() {
        ErrorKind::DomainNotFound => missed,
        _ => missed
            .with_kind(ErrorKind::DomainNotFound)
            .with_advice("the domain is not among the account's streaming domains"),
    }
}

fn unlisted(message: impl Into<String>) -> Error {
    of_vendor(Error::new(ErrorKind::Unavailable, message)).with_operation(wire::USER_DOMAINS)
}
