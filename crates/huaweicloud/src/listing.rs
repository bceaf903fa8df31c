//! All pages of a list, whatever order the cloud lists in and whatever its offsets count.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use record_callback_core::{ConfigId, Error, ErrorKind, Result, StoredCallback};

use crate::translate::PAGE_SIZE;

/// Largest offset of a list.
const MAX_OFFSET: u32 = 4096;
/// How often all pages are asked for, at most.
const MAX_PASSES: u32 = 16;
/// The most pages of a pass: four times as many as the offsets allow, should the cloud give fewer configs on a page
/// than it is asked for.
const MAX_PAGES: u32 = 4 * (MAX_OFFSET / PAGE_SIZE + 2);
/// The most pages that are asked for, in all passes together.
const MAX_REQUESTS: u32 = 4 * MAX_PAGES;
/// How often all pages may show nothing new, in the order of the time before, until the list is given up.
const MAX_FRUITLESS: u32 = 2;

/// Asks for page after page until as many configs were seen as the cloud says there are.
///
/// The order of a list is not documented, so two pages may show the same config and none another: pages are asked
/// for again. Whether offsets count configs or, as in the document of 2021, pages is UNVERIFIED: configs first,
/// pages once a page shows nothing new before the end.
///
/// A config that goes meanwhile moves the others forward, one of them past the next page, and counts among those seen:
/// whenever the cloud says another number than before, nothing was seen.
#[derive(Debug)]
pub(crate) struct Listing {
    configs: Vec<StoredCallback>,
    ids: HashSet<ConfigId>,
    total: Option<u32>,
    counting: Counting,
    /// What is learnt about offsets.
    counts_pages: Option<bool>,
    tried_pages: bool,
    /// Pages and configs of this pass.
    page: u32,
    position: u32,
    /// Configs on the first page of this pass.
    first: u32,
    /// Configs seen before this pass.
    seen_before: usize,
    /// What this pass and the one before it showed, in order.
    order: DefaultHasher,
    last_order: Option<u64>,
    passes: u32,
    requests: u32,
    fruitless: u32,
    /// The number changed, and nothing was asked for since.
    restarted: bool,
    done: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Counting {
    Configs,
    Pages,
}

impl Listing {
    /// A list with nothing seen yet. `counts_pages`: whether offsets were found to count pages.
    pub(crate) fn new(counts_pages: bool) -> Self {
        Self {
            configs: Vec::new(),
            ids: HashSet::new(),
            total: None,
            counting: if counts_pages { Counting::Pages } else { Counting::Configs },
            counts_pages: None,
            tried_pages: false,
            page: 0,
            position: 0,
            first: 0,
            seen_before: 0,
            order: DefaultHasher::new(),
            last_order: None,
            passes: 0,
            requests: 0,
            fruitless: 0,
            restarted: false,
            done: false,
        }
    }

    /// Offset and limit of the page to ask for; `None` when there is no more to ask for.
    pub(crate) fn next(&self) -> Result<Option<(u32, u32)>> {
        if self.done {
            return Ok(None);
        }
        if self.restarted && self.passes >= MAX_PASSES {
            let message = "the number of configs changed again and again while the cloud listed them";
            return Err(Error::new(ErrorKind::Unavailable, message));
        }
        let is_endless =
            (self.counting == Counting::Configs && self.page >= MAX_PAGES) || self.requests >= MAX_REQUESTS;
        if is_endless || self.fruitless >= MAX_FRUITLESS || self.passes >= MAX_PASSES {
            let (seen, total) = (self.ids.len(), self.total.unwrap_or_default());
            let message = format!("the cloud listed only {seen} of {total} configs");
            return Err(Error::new(ErrorKind::Unavailable, message));
        }
        let offset = match self.counting {
            Counting::Configs => self.position,
            Counting::Pages => self.page,
        };
        if offset > MAX_OFFSET {
            let message = format!(
                "there are more configs than the first {}, which are all the cloud lists; list domain by domain",
                self.position
            );
            return Err(Error::new(ErrorKind::Unsupported, message));
        }
        Ok(Some((offset, PAGE_SIZE)))
    }

    /// Takes the page that was asked for, and returns what of it is new.
    pub(crate) fn take(
        &mut self,
        page: impl Iterator<Item = StoredCallback>,
        total: Option<u32>,
    ) -> &[StoredCallback] {
        self.restarted = false;
        self.requests += 1;
        if self.total.zip(total).is_some_and(|(before, now)| before != now) {
            // A first page shows the list as it is now.
            let is_first = self.page == 0;
            self.start_over(total);
            if !is_first {
                self.passes += 1;
                self.restarted = true;
                return &[];
            }
        }
        let before = self.configs.len();
        let mut length = 0;
        for config in page {
            length += 1;
            config.id.hash(&mut self.order);
            if config.id.as_ref().is_none_or(|id| self.ids.insert(id.clone())) {
                self.configs.push(config);
            }
        }
        self.total = total;
        self.proceed(length, u32::try_from(self.configs.len() - before).unwrap_or(u32::MAX));
        &self.configs[before..]
    }

    /// What was learnt about offsets: whether they count pages.
    pub(crate) fn counts_pages(&self) -> Option<bool> {
        self.counts_pages
    }

    /// What was seen.
    pub(crate) fn into_configs(self) -> Vec<StoredCallback> {
        self.configs
    }

    fn start_over(&mut self, total: Option<u32>) {
        let Self { counting, counts_pages, passes, requests, .. } = *self;
        *self = Self { total, counts_pages, passes, requests, ..Self::new(counting == Counting::Pages) };
    }

    fn proceed(&mut self, length: u32, new: u32) {
        // Further pages that show only new configs: if offsets counted configs, the second would repeat the first.
        if self.counting == Counting::Pages && self.page > 0 && length > 0 && new == length {
            self.counts_pages = Some(true);
        }
        if self.page == 0 {
            self.first = length;
        }
        self.page += 1;
        self.position += length;
        // Without an id on every config, nobody can tell which were seen.
        let identified = self.ids.len() == self.configs.len();
        let Some(total) = self.total.filter(|_| identified) else {
            let end = self.total.map_or(length < PAGE_SIZE, |total| self.position >= total);
            self.done = length == 0 || end;
            return;
        };
        if self.ids.len() >= total as usize {
            self.done = true;
            return;
        }
        let stalled = new == 0 && self.page > 1;
        if stalled && self.counting == Counting::Configs && (length == 0 || !self.tried_pages) {
            // The first page is the same either way.
            (self.counting, self.tried_pages) = (Counting::Pages, true);
            (self.page, self.position) = (1, self.first);
        } else if length == 0
            || self.position >= total
            || (stalled && self.counting == Counting::Pages && self.counts_pages != Some(true))
        {
            self.end_pass();
        }
    }

    fn end_pass(&mut self) {
        self.passes += 1;
        let order = Some(std::mem::take(&mut self.order).finish());
        // In another order, another pass may well show more.
        let same = order == self.last_order;
        self.last_order = order;
        let fruitful = self.configs.len() > self.seen_before;
        self.fruitless = if fruitful || !same { 0 } else { self.fruitless + 1 };
        if self.counting == Counting::Pages && self.counts_pages != Some(true) {
            // Learnt wrongly, or the cloud has changed.
            self.counting = Counting::Configs;
            self.counts_pages = Some(false);
        }
        (self.page, self.position, self.seen_before) = (0, 0, self.configs.len());
    }
}

#[cfg(test)]
mod tests {
    use record_callback_core::{AppSelector, CallbackKey, DomainName, EventSet, StoredKey, StoredSigning};

    use super::*;

    fn config(id: usize) -> StoredCallback {
        StoredCallback {
            key: CallbackKey::new(DomainName::reported("push.example.com"), AppSelector::Any),
            id: Some(ConfigId::new(id.to_string())),
            notify_url: None,
            on_demand_url: None,
            events: EventSet::default(),
            signing: StoredSigning { scheme: None, key: StoredKey::Hidden },
            created_at: None,
            updated_at: None,
        }
    }

    /// Lists to the end. `answer` gets the number of the request and its offset, and gives ids and a total.
    fn list(
        counts_pages: bool,
        answer: impl Fn(usize, usize) -> (Vec<usize>, Option<u32>),
    ) -> (Result<usize>, Vec<u32>, Option<bool>) {
        let mut listing = Listing::new(counts_pages);
        let mut offsets = Vec::new();
        let result = loop {
            match listing.next() {
                Ok(Some((offset, _))) => {
                    let (ids, total) = answer(offsets.len(), offset as usize);
                    offsets.push(offset);
                    listing.take(ids.into_iter().map(config), total);
                }
                Ok(None) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        let learnt = listing.counts_pages();
        let count = listing.into_configs().len();
        (result.map(|()| count), offsets, learnt)
    }

    fn slice(all: &[usize], from: usize) -> Vec<usize> {
        all.iter().copied().skip(from).take(100).collect()
    }

    /// A cloud with `count` configs that counts configs, in an order of each request's own.
    fn counting(
        count: usize,
        order: impl Fn(usize, &mut Vec<usize>),
    ) -> impl Fn(usize, usize) -> (Vec<usize>, Option<u32>) {
        move |request, offset| {
            let mut all: Vec<_> = (0..count).collect();
            order(request, &mut all);
            (slice(&all, offset), Some(count.try_into().unwrap()))
        }
    }

    #[test]
    fn a_stable_list_is_read_once() {
        for (count, expected) in
            [(0, &[0][..]), (1, &[0]), (100, &[0]), (101, &[0, 100]), (250, &[0, 100, 200])]
        {
            let (result, offsets, learnt) = list(false, counting(count, |_, _| {}));
            assert_eq!((result.unwrap(), offsets.as_slice(), learnt), (count, expected, None), "{count}");
        }
    }

    #[test]
    fn an_endless_list_ends() {
        for total in [Some(u32::MAX), None] {
            // A full page each time, or one config; in the second case the offsets never come to their end.
            let (result, offsets, _) = list(false, |_, offset| ((offset..offset + 100).collect(), total));
            assert_eq!(result.unwrap_err().kind(), ErrorKind::Unsupported);
            assert_eq!(offsets.len(), 41);
        }
        let (result, offsets, _) = list(false, |_, offset| (vec![offset], Some(u32::MAX)));
        assert_eq!(result.unwrap_err().message(), "the cloud listed only 168 of 4294967295 configs");
        assert_eq!(offsets.len(), 168);
        // Each time another config where it lists nothing new otherwise, so that pages are counted.
        let (result, offsets, _) =
            list(true, |request, _| ((0..100).map(|i| request * 100 + i).collect(), Some(u32::MAX)));
        assert_eq!(result.unwrap_err().kind(), ErrorKind::Unavailable);
        assert_eq!(offsets.len(), 672);
    }

    #[test]
    fn an_unstable_list_is_read_until_all_were_seen() {
        for count in [101, 110, 199, 250, 1000] {
            for seed in 0..20 {
                let shuffle = |request: usize, all: &mut Vec<usize>| {
                    all.sort_by_cached_key(|id| {
                        let mut hasher = DefaultHasher::new();
                        (seed, request, id).hash(&mut hasher);
                        hasher.finish()
                    });
                };
                let (result, offsets, learnt) = list(false, counting(count, shuffle));
                assert_eq!(result.unwrap(), count, "{count} {seed} {offsets:?}");
                assert_ne!(learnt, Some(true), "{count} {seed} {offsets:?}");
            }
        }
    }

    #[test]
    fn pages_are_counted_once_counting_configs_shows_nothing_new() {
        let answer = |_: usize, offset: usize| {
            let all: Vec<_> = (0..250).collect();
            (slice(&all, offset * 100), Some(250))
        };
        let (result, offsets, learnt) = list(false, answer);
        assert_eq!((result.unwrap(), offsets, learnt), (250, vec![0, 100, 1, 2], Some(true)));
        let (result, offsets, learnt) = list(true, answer);
        assert_eq!((result.unwrap(), offsets, learnt), (250, vec![0, 1, 2], Some(true)));
        // Out of range may mean the first or the last page.
        let last =
            |_: usize, offset: usize| (slice(&(0..250).collect::<Vec<_>>(), offset.min(2) * 100), Some(250));
        let (result, offsets, learnt) = list(false, last);
        assert_eq!((result.unwrap(), offsets, learnt), (250, vec![0, 100, 150, 1], Some(true)));
    }

    #[test]
    fn what_was_learnt_wrongly_is_forgotten() {
        let (result, offsets, learnt) = list(true, counting(250, |_, _| {}));
        assert_eq!((result.unwrap(), learnt), (250, Some(false)), "{offsets:?}");
    }

    #[test]
    fn a_config_that_comes_or_goes_meanwhile_neither_loops_nor_fails() {
        // The newest first, and one more after the first page.
        let (result, offsets, _) = list(false, |request, offset| {
            let all: Vec<_> =
                if request == 0 { (0..200).collect() } else { std::iter::once(999).chain(0..200).collect() };
            (slice(&all, offset), Some(all.len().try_into().unwrap()))
        });
        assert_eq!(result.unwrap(), 201);
        assert_eq!(offsets, [0, 100, 0, 100, 200]);
        let (result, offsets, _) = list(false, |request, offset| {
            let all: Vec<_> = if request == 0 { (0..200).collect() } else { (0..150).collect() };
            (slice(&all, offset), Some(all.len().try_into().unwrap()))
        });
        assert_eq!((result.unwrap(), offsets), (150, vec![0, 100, 0, 100]));
    }

    #[test]
    fn none_vanishes_when_another_goes_between_two_pages() {
        for counts_pages in [false, true] {
            // After any of the pages, the oldest goes.
            for gone_after in 1..=3 {
                let answer = |request: usize, offset: usize| {
                    let all: Vec<_> = (usize::from(request >= gone_after)..250).collect();
                    let from = if counts_pages { offset * 100 } else { offset };
                    (slice(&all, from), Some(all.len().try_into().unwrap()))
                };
                let (result, offsets, _) = list(counts_pages, answer);
                // After the last, nobody notices.
                let expected = if gone_after == 3 { 250 } else { 249 };
                assert_eq!(result.unwrap(), expected, "{counts_pages} {gone_after} {offsets:?}");
                assert_eq!(offsets.len(), [5, 6, 3][gone_after - 1], "{counts_pages} {offsets:?}");
            }
        }
    }

    #[test]
    fn a_total_that_never_stays_the_same_is_an_error() {
        let (result, offsets, _) = list(false, |request, offset| {
            (slice(&(0..250).collect::<Vec<_>>(), offset), Some(250 + u32::try_from(request).unwrap()))
        });
        let error = result.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert!(error.message().starts_with("the number of configs changed again and again"), "{error}");
        assert!(offsets.len() <= 40, "{offsets:?}");
    }

    #[test]
    fn a_total_that_is_never_reached_is_an_error_after_a_few_passes() {
        let (result, offsets, learnt) =
            list(false, |_, offset| (slice(&(0..150).collect::<Vec<_>>(), offset), Some(160)));
        let error = result.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert_eq!(error.message(), "the cloud listed only 150 of 160 configs");
        assert!(offsets.len() <= 20, "{offsets:?}");
        assert_ne!(learnt, Some(true));
        // It shrinks after a pass without anything new.
        let (result, ..) = list(false, |request, offset| {
            (slice(&(0..150).collect::<Vec<_>>(), offset), Some(if request < 6 { 160 } else { 150 }))
        });
        assert_eq!(result.unwrap(), 150);
        let (result, ..) = list(false, |_, _| (Vec::new(), Some(1)));
        assert_eq!(result.unwrap_err().kind(), ErrorKind::Unavailable);
    }

    #[test]
    fn without_a_total_the_first_short_page_is_the_last() {
        let answer = |_: usize, offset: usize| (slice(&(0..250).collect::<Vec<_>>(), offset), None);
        let (result, offsets, _) = list(false, answer);
        assert_eq!((result.unwrap(), offsets), (250, vec![0, 100, 200]));
    }

    #[test]
    fn more_than_offsets_reach_is_unsupported() {
        let (result, offsets, _) = list(false, counting(5000, |_, _| {}));
        let error = result.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(error.message().starts_with("there are more configs than the first 4100,"), "{error}");
        assert_eq!(offsets.last(), Some(&4000));
    }
}
