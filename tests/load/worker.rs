use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use record_callback::{
    CallbackKey, Error, ErrorKind, Fidelity, RecordCallbackConfig, RecordCallbackProvider,
};
use tokio::time::timeout;

/// No call may take so long: each has a deadline of 30 s.
const STUCK: Duration = Duration::from_secs(90);

/// What calls ended like.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    calls: u64,
    done: u64,
    failed: BTreeMap<String, u64>,
}

impl Counts {
    pub(crate) fn add(&mut self, other: &Self) {
        self.calls += other.calls;
        self.done += other.done;
        for (kind, count) in &other.failed {
            *self.failed.entry(kind.clone()).or_default() += count;
        }
    }

    pub(crate) fn line(&self, elapsed: Duration, requests: u64, struck: u64) -> String {
        let Self { calls, done, failed } = self;
        let rate = calls / elapsed.as_secs().max(1);
        let per_mille = struck * 1_000 / requests.max(1);
        format!(
            "{calls} calls, {rate} a second: {done} done, failed {failed:?}; {requests} requests, {struck} ({per_mille} per mille) with a fault"
        )
    }

    /// Every call is done or failed, took at least a request, and there were about as many faults as scripted.
    pub(crate) fn problem(&self, requests: u64, struck: u64) -> Option<String> {
        let ended = self.done + self.failed.values().sum::<u64>();
        if ended != self.calls || requests < self.calls {
            return Some(format!("{} calls, {ended} ended, {requests} requests", self.calls));
        }
        // 50 per mille are scripted; of a few hundred requests already, this far off is no chance.
        let expected = 20..90;
        (!expected.contains(&(struck * 1_000 / requests)))
            .then(|| format!("{struck} of {requests} requests had a fault"))
    }

    async fn call<T>(&mut self, call: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        self.calls += 1;
        let result = timeout(STUCK, call).await.expect("a call is stuck");
        match &result {
            Ok(_) => self.done += 1,
            Err(error) => *self.failed.entry(error.kind().to_string()).or_default() += 1,
        }
        result
    }
}

/// What a worker leaves.
pub(crate) struct Ended {
    pub(crate) counts: Counts,
    /// Domain and callback URL of what it believes to be in the cloud.
    pub(crate) left: Option<(String, String)>,
}

/// Creates, reads, changes and deletes the config of a domain of its own as long as `running`, and checks each time that
/// the cloud has what the calls before said.
pub(crate) async fn worker(
    number: usize,
    cloud: &'static str,
    provider: Arc<dyn RecordCallbackProvider>,
    running: Arc<AtomicBool>,
) -> Ended {
    let mut counts = Counts::default();
    let mut left = None;
    let domain = format!("load-{number}.example.com");
    for turn in 0_u64.. {
        if !running.load(Ordering::Relaxed) {
            break;
        }
        let config = |step: &str| {
            RecordCallbackConfig::builder(&*domain, format!("https://cb.example.com/{turn}/{step}"))
                .build()
                .expect("all of it is right")
        };
        let (created, updated) = (config("created"), config("updated"));
        let key = created.key();
        let there = counts.call(provider.create(&created, Fidelity::Exact)).await;
        settle(&mut counts, &*provider, &there.map(drop), &key, Some(&created), &mut left, cloud).await;
        let there = counts.call(provider.update(&updated, Fidelity::Exact)).await;
        settle(&mut counts, &*provider, &there.map(drop), &key, Some(&updated), &mut left, cloud).await;
        // Every other worker leaves its last config where it is.
        if number.is_multiple_of(2) || running.load(Ordering::Relaxed) {
            let gone = counts.call(provider.delete(&key)).await;
            settle(&mut counts, &*provider, &gone, &key, None, &mut left, cloud).await;
        }
    }
    Ended { counts, left: left.map(|url| (domain, url)) }
}

/// Reads what is there: what a call that is done said, or what a failed one may have left.
async fn settle(
    counts: &mut Counts,
    provider: &dyn RecordCallbackProvider,
    result: &Result<(), Error>,
    key: &CallbackKey,
    wanted: Option<&RecordCallbackConfig>,
    left: &mut Option<String>,
    cloud: &str,
) {
    let wanted = wanted.map(|config| config.notify_url().as_str().to_owned());
    // A cloud with faults may fail a read, too: the next one tells.
    let found = loop {
        if let Ok(found) = counts.call(provider.get(key)).await {
            break found.and_then(|stored| stored.notify_url);
        }
    };
    let fine = match result {
        Ok(()) => found == wanted,
        Err(error) if error.maybe_applied() => found == wanted || found == *left,
        // What an earlier failure left makes a create or an update fail for a good reason.
        Err(error) => {
            found == *left || matches!(error.kind(), ErrorKind::AlreadyExists | ErrorKind::NotFound)
        }
    };
    assert!(fine, "{cloud} {key}: {result:?}, expected {wanted:?} or {left:?}, found {found:?}");
    *left = found;
}
