use std::fmt;
use std::fs;
use std::time::Duration;

use tokio::time::{Instant, sleep};

/// Below it, growth is what allocators do when they warm up.
const NOISE: u64 = 8 * 1024;
/// Shorter runs are too short to tell growth from warming up.
const LONG_ENOUGH: Duration = Duration::from_secs(60);

/// Resident memory over the run, in KiB.
pub(crate) struct Memory {
    time: Duration,
    samples: Vec<u64>,
}

impl Memory {
    /// Looks once a second until `time` is over.
    pub(crate) async fn watch(time: Duration) -> Self {
        let end = Instant::now() + time;
        let mut samples = vec![resident()];
        while Instant::now() < end {
            sleep(Duration::from_secs(1).min(end - Instant::now())).await;
            samples.push(resident());
        }
        Self { time, samples }
    }

    /// The most in each quarter.
    fn quarters(&self) -> Vec<u64> {
        let length = self.samples.len().div_ceil(4).max(1);
        self.samples.chunks(length).map(|samples| samples.iter().copied().max().unwrap_or_default()).collect()
    }

    /// The last quarter needs no more than the second, in which everything is warm.
    pub(crate) fn problem(&self) -> Option<String> {
        let quarters = self.quarters();
        let (Some(warm), Some(last)) = (quarters.get(1), quarters.last()) else { return None };
        let grows = *last > warm + NOISE && self.time >= LONG_ENOUGH;
        grows.then(|| format!("memory grows: {self}"))
    }
}

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let quarters: Vec<_> =
            self.quarters().iter().map(|kib| format!("{}.{}", kib / 1024, kib % 1024 * 10 / 1024)).collect();
        write!(f, "resident memory by quarters, MiB: {}", quarters.join(", "))
    }
}

/// This process's resident memory in KiB.
fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse().unwrap_or_default()
}
