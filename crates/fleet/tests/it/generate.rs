//! What cases are made of.

use proptest::prelude::*;

use crate::wishes::{KEYS, PROVIDERS, Wish};
use crate::world::Fault;

#[derive(Debug, Clone)]
pub(crate) struct Case {
    /// How many reads a write takes to show.
    pub(crate) lag: u32,
    pub(crate) parallel: usize,
    pub(crate) wishes: Vec<Wish>,
    pub(crate) rounds: Vec<Round>,
}

/// A manifest and what happens while it is applied.
#[derive(Debug, Clone)]
pub(crate) struct Round {
    pub(crate) edits: Vec<Edit>,
    pub(crate) outside: Vec<Outside>,
    pub(crate) runs: Vec<Run>,
    /// Whether it is applied without faults before the next manifest comes.
    pub(crate) settles: bool,
}

/// A plan and its apply, which may die.
#[derive(Debug, Clone, Default)]
pub(crate) struct Run {
    pub(crate) seed: u64,
    pub(crate) faults: Vec<(u64, Fault)>,
    /// Happens when the plan is made and not yet carried out.
    pub(crate) between: Option<Outside>,
    /// Calls before which somebody changes a config.
    pub(crate) meddling: Vec<u64>,
    pub(crate) keep_source: bool,
    pub(crate) drop_kept: bool,
    pub(crate) stops_at_first_failure: bool,
    /// The provider whose keys are those of another account, for this run.
    pub(crate) exchanged: Option<usize>,
}

/// Wishes are meant by their place in the list, whichever is there.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Edit {
    Add(Wish),
    Remove(usize),
    Rename(usize, usize),
    Provider(usize, usize),
    /// The place of the second goes to the first.
    Exchange(usize, usize),
    /// The first gets the place of the second, which goes to this domain and app.
    Push(usize, usize, usize, usize),
    Move(usize, usize, usize),
    Content(usize, Wish),
    ChangeKeys,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Outside {
    Delete(usize),
    EditUrl(usize),
    /// Somebody creates a config of their own, if there is none.
    Create {
        provider: usize,
        domain: usize,
        app: usize,
    },
    /// The same where a callback is to be.
    InTheWay(usize),
    /// The same, as the callback wants it, but for the signing key.
    AsWanted(usize, bool),
}

fn wish() -> impl Strategy<Value = Wish> {
    let place = (0..4_usize, 0..PROVIDERS.len(), 0..3_usize, prop_oneof![3 => Just(0), 1 => 1..3_usize]);
    let key = prop_oneof![10 => 0..KEYS.len() - 1, 1 => Just(KEYS.len() - 1)];
    let signing = prop::option::weighted(0.6, (0..2_usize, key));
    let content = (0..3_usize, 0..3_usize, prop::bool::weighted(0.2), signing, prop::bool::weighted(0.15));
    (place, content).prop_map(|((name, provider, domain, app), (url, events, on_demand, signing, exact))| {
        Wish { name, provider, domain, app, url, events, on_demand, signing, exact }
    })
}

fn edit() -> impl Strategy<Value = Edit> {
    let i = || 0..6_usize;
    prop_oneof![
        2 => wish().prop_map(Edit::Add),
        2 => i().prop_map(Edit::Remove),
        1 => (i(), 0..5_usize).prop_map(|(i, name)| Edit::Rename(i, name)),
        4 => (i(), 0..PROVIDERS.len()).prop_map(|(i, provider)| Edit::Provider(i, provider)),
        1 => (i(), i()).prop_map(|(i, j)| Edit::Exchange(i, j)),
        3 => (i(), i(), 0..3_usize, 0..3_usize).prop_map(|(i, j, domain, app)| Edit::Push(i, j, domain, app)),
        2 => (i(), 0..3_usize, 0..3_usize).prop_map(|(i, domain, app)| Edit::Move(i, domain, app)),
        2 => (i(), wish()).prop_map(|(i, wish)| Edit::Content(i, wish)),
        3 => Just(Edit::ChangeKeys),
    ]
}

fn outside() -> impl Strategy<Value = Outside> {
    let as_wanted = (0..8_usize, prop::bool::ANY).prop_map(|(i, right_key)| Outside::AsWanted(i, right_key));
    prop_oneof![4 => between(), 1 => as_wanted]
}

/// Not a config as wanted: who dies creating one cannot tell that it is not its own.
fn between() -> impl Strategy<Value = Outside> {
    let i = || 0..8_usize;
    prop_oneof![
        i().prop_map(Outside::Delete),
        i().prop_map(Outside::EditUrl),
        (0..PROVIDERS.len(), 0..3_usize, 0..3_usize).prop_map(|(provider, domain, app)| Outside::Create {
            provider,
            domain,
            app
        }),
        i().prop_map(Outside::InTheWay),
    ]
}

fn run() -> impl Strategy<Value = Run> {
    use Fault::{CrashAfter, CrashBefore, FailAfter, FailBefore, Ignored};
    let fault = prop::sample::select(vec![FailBefore, FailAfter, Ignored, CrashBefore, CrashAfter]);
    let faults = prop::collection::vec((prop_oneof![1..8_u64, 1..24_u64], fault), 0..4);
    let rarely = || prop::bool::weighted(0.2);
    let options = (prop::option::weighted(0.2, between()), rarely(), rarely(), rarely());
    let meddling = prop_oneof![1 => Just(Vec::new()), 1 => prop::collection::vec(1..24_u64, 1..8)];
    let exchanged = prop::option::weighted(0.15, 0..PROVIDERS.len());
    (any::<u64>(), faults, meddling, options, exchanged).prop_map(
        |(seed, faults, meddling, options, exchanged)| {
            let (between, keep_source, drop_kept, stops_at_first_failure) = options;
            Run { seed, faults, between, meddling, keep_source, drop_kept, stops_at_first_failure, exchanged }
        },
    )
}

fn round() -> impl Strategy<Value = Round> {
    let edits = prop::collection::vec(edit(), 0..4);
    let outside = prop_oneof![2 => Just(Vec::new()), 1 => prop::collection::vec(outside(), 1..3)];
    let runs = prop::collection::vec(run(), 0..3);
    (edits, outside, runs, prop::bool::ANY).prop_map(|(edits, outside, runs, settles)| Round {
        edits,
        outside,
        runs,
        settles,
    })
}

pub(crate) fn case() -> impl Strategy<Value = Case> {
    let wishes = prop::collection::vec(wish(), 1..7);
    (0..3_u32, 1..4_usize, wishes, prop::collection::vec(round(), 1..5))
        .prop_map(|(lag, parallel, wishes, rounds)| Case { lag, parallel, wishes, rounds })
}

impl Edit {
    pub(crate) fn carry_out(self, wishes: &mut Vec<Wish>) {
        let count = wishes.len();
        if let Self::Add(wish) = self {
            return wishes.push(wish);
        } else if count == 0 {
            return;
        }
        match self {
            Self::Remove(i) => drop(wishes.remove(i % count)),
            Self::Rename(i, name) => wishes[i % count].name = name,
            Self::Provider(i, provider) => wishes[i % count].provider = provider,
            Self::Exchange(i, j) => {
                let (one, other) = (wishes[i % count], wishes[j % count]);
                wishes[i % count].settle_at(&other);
                wishes[j % count].settle_at(&one);
            }
            Self::Push(i, j, domain, app) => {
                let place = wishes[j % count];
                wishes[i % count].settle_at(&place);
                wishes[j % count] = Wish { domain, app, ..place };
            }
            Self::Move(i, domain, app) => wishes[i % count] = Wish { domain, app, ..wishes[i % count] },
            Self::Content(i, content) => {
                let Wish { name, provider, domain, app, .. } = wishes[i % count];
                wishes[i % count] = Wish { name, provider, domain, app, ..content };
            }
            Self::Add(_) | Self::ChangeKeys => {}
        }
    }
}

impl Wish {
    fn settle_at(&mut self, other: &Self) {
        (self.provider, self.domain, self.app) = (other.provider, other.domain, other.app);
    }
}
