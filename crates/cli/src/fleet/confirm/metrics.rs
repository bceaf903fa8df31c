//! Confirmed by an event that a receiver kept since.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use record_callback::fleet::{Confirmation, Name, Slot};
use record_callback::{Error, ErrorKind, InvalidConfig};
use reqwest::{Client, Response, Url};
use tokio::sync::Mutex;
use tokio::time::{sleep, timeout};

use crate::failure::Failure;

const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_secs(1);
const MAX_BODY: usize = 4 * 1024 * 1024;
/// Events that were verified and kept, by source.
const COUNTER: &str = "record_callback_events_total";

/// Confirmed once the receiver has kept a new event of one source.
pub(super) struct NewEvent {
    client: Client,
    url: Url,
    source: String,
    limit: Duration,
    /// Locked by the one who asks; the others wait for what that one sees.
    seen: Mutex<Seen>,
}

/// What the receiver has said so far.
struct Seen {
    baseline: f64,
    last: f64,
    new_event: bool,
}

impl NewEvent {
    /// Events from now on count.
    pub(super) async fn after_now(url: &str, source: &str, limit: Duration) -> Result<Self, Failure> {
        let refuse =
            |problem: &str| InvalidConfig::new("--confirm-url", problem, "the URL of a receiver's /metrics");
        let url: Url = url.parse().map_err(|_| refuse("is not a URL"))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(refuse("is not an HTTP URL").into());
        }
        let client = Client::builder().timeout(REQUEST_TIMEOUT).no_proxy().build();
        let client = client.map_err(|_| refuse("cannot be asked: no HTTP client could be set up"))?;
        let seen = Mutex::new(Seen { baseline: 0.0, last: 0.0, new_event: false });
        let this = Self { client, url, source: source.to_owned(), limit, seen };
        let problem = |problem| Error::new(ErrorKind::Unavailable, format!("--confirm-url: {problem}"));
        let Some(now) = this.count().await.map_err(problem)? else {
            let problem = format!("`{source}`: the receiver counts no events of a source called so");
            return Err(
                InvalidConfig::new("--confirm-source", problem, "the name of one of its sources").into()
            );
        };
        *this.seen.lock().await = Seen { baseline: now, last: now, new_event: false };
        Ok(this)
    }

    /// Returns when there is a new event.
    async fn new_event(&self, problem: &Mutex<Option<String>>) {
        let mut seen = self.seen.lock().await;
        while !seen.new_event {
            match self.count().await {
                Ok(Some(count)) => {
                    seen.take(count);
                    *problem.lock().await = None;
                }
                // As at the beginning of a receiver that starts again.
                Ok(None) => {}
                Err(error) => *problem.lock().await = Some(error),
            }
            if !seen.new_event {
                sleep(PAUSE).await;
            }
        }
    }

    /// How many events of the source the receiver counts; `None` where it does not know the source.
    async fn count(&self) -> Result<Option<f64>, String> {
        // Without the URL, as errors have it.
        let failed = |error: reqwest::Error| -> &'static str {
            if error.is_timeout() {
                "no answer in time"
            } else if error.is_connect() {
                "no connection"
            } else {
                "the connection broke"
            }
        };
        let response = self.client.get(self.url.clone()).send().await.map_err(failed)?;
        if !response.status().is_success() {
            return Err(format!("answered with {}", response.status()));
        }
        let body = body(response).await.map_err(failed)?.ok_or("answered with more than 4 MiB")?;
        Ok(counter(&String::from_utf8_lossy(&body), COUNTER, ("source", &self.source)))
    }
}

#[async_trait]
impl Confirmation for NewEvent {
    async fn confirm(&self, _: &Name, _: &[Slot], _: &Slot) -> Result<(), String> {
        let problem = Mutex::default();
        if timeout(self.limit, self.new_event(&problem)).await.is_ok() {
            return Ok(());
        }
        let because =
            problem.into_inner().map(|problem| format!("; its metrics: {problem}")).unwrap_or_default();
        let (source, seconds) = (&self.source, self.limit.as_secs());
        Err(format!("the receiver had no new event of source `{source}` within {seconds} s{because}"))
    }
}

/// Without the URL: its query may hold a secret.
impl fmt::Debug for NewEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewEvent").field("source", &self.source).finish_non_exhaustive()
    }
}

impl Seen {
    fn take(&mut self, count: f64) {
        if count < self.last {
            // It was started again, and counts from 0.
            self.baseline = 0.0;
        }
        self.last = count;
        self.new_event |= count > self.baseline;
    }
}

/// The body; `None` if it is too long.
async fn body(mut response: Response) -> Result<Option<Vec<u8>>, reqwest::Error> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > MAX_BODY {
            return Ok(None);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Some(body))
}

/// The value of the counter `name` that has this label, whatever others it has, in the text of `/metrics`.
fn counter(text: &str, name: &str, label: (&str, &str)) -> Option<f64> {
    text.lines().find_map(|line| {
        let (labels, rest) = labels(line.strip_prefix(name)?.strip_prefix('{')?)?;
        let is_it = labels.iter().any(|(name, value)| (*name, value.as_str()) == label);
        // Behind the value there may be a timestamp or an exemplar.
        is_it.then(|| rest.split_whitespace().next()?.parse().ok()).flatten()
    })
}

/// The labels of a sample, and what is behind them.
fn labels(text: &str) -> Option<(Vec<(&str, String)>, &str)> {
    let (mut labels, mut rest) = (Vec::new(), text);
    loop {
        rest = rest.trim_start_matches([',', ' ']);
        if let Some(behind) = rest.strip_prefix('}') {
            return Some((labels, behind));
        }
        let (name, quoted) = rest.split_once("=\"")?;
        let (mut value, mut characters) = (String::new(), quoted.char_indices());
        let end = loop {
            match characters.next()? {
                (end, '"') => break end,
                (_, '\\') => value.push(match characters.next()?.1 {
                    'n' => '\n',
                    escaped => escaped,
                }),
                (_, character) => value.push(character),
            }
        };
        labels.push((name.trim(), value));
        rest = quoted.get(end + 1..)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const METRICS: &str = "\
# HELP record_callback_events Events verified and kept, duplicates left out.
# TYPE record_callback_events counter
record_callback_events_total{source=\"push\"} 7
record_callback_events_total{zone=\"a,b}\",source=\"live\\\"1\\\\\"} 12.5 1760000000 # {trace=\"x\"} 1
record_callback_events_total{zone=\"b\", source=\"spaced\", } 1e3
record_callback_events_totals{source=\"other\"} 1
record_callback_events_total 99
record_callback_events_total{source=\"broken} 1
record_callback_refused_total{source=\"refused\",reason=\"signature\"} 3
# EOF
";

    #[test]
    fn a_counter_is_found_by_its_label() {
        let count = |source| counter(METRICS, COUNTER, ("source", source));
        assert_eq!(count("push"), Some(7.0));
        assert_eq!(count("live\"1\\"), Some(12.5));
        assert_eq!(count("spaced"), Some(1000.0));
        assert_eq!(counter(METRICS, COUNTER, ("zone", "a,b}")), Some(12.5));
        for unknown in ["pus", "other", "refused", "broken", ""] {
            assert_eq!(count(unknown), None, "{unknown}");
        }
    }

    #[test]
    fn what_is_new_counts_also_after_a_restart() {
        let begin = |now| Seen { baseline: now, last: now, new_event: false };
        let confirmed = |now, counts: &[f64]| {
            let mut seen = begin(now);
            for count in counts {
                seen.take(*count);
            }
            seen.new_event
        };
        assert!(!confirmed(5.0, &[5.0, 5.0]));
        assert!(confirmed(5.0, &[5.0, 6.0]));
        assert!(!confirmed(5.0, &[0.0, 0.0]));
        assert!(confirmed(5.0, &[0.0, 1.0]));
        assert!(confirmed(5.0, &[3.0]), "it was started again, and had 3 since");
        assert!(!confirmed(0.0, &[0.0]));
    }
}
