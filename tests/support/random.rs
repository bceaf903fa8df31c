//! Numbers that can be had again: `SplitMix64`.

use std::hash::{BuildHasher, RandomState};

use record_callback::http::{Env, OsEnv};

/// Repeats a run, as far as its randomness is ours.
const SEED: &str = "RECORD_CALLBACK_KILL_SEED";

/// A generator for tests that hit at random moments.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// A new one, which says how to have it again; tests show that when they fail.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "each is another one")]
    pub fn new() -> Self {
        let given = OsEnv.var(SEED).map(|seed| seed.parse().expect("a number"));
        let seed = given.unwrap_or_else(|| RandomState::new().hash_one(0));
        println!("{SEED}={seed}");
        Self(seed)
    }

    /// One that goes its own way.
    #[must_use]
    pub fn fork(&mut self) -> Self {
        Self(self.next())
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        let end = u64::try_from(end).expect("64 bits");
        usize::try_from(self.next() % end).expect("less than a usize")
    }

    /// One time in `times`.
    pub fn one_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }
}
