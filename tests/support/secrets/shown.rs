//! Collects whatever could be shown, the log included.

use std::collections::{BTreeMap, HashSet};
use std::error::Error as StdError;
use std::fmt::Debug;
use std::io::{self, Write};
use std::sync::{Arc, LazyLock, Mutex};

use record_callback::{Error, RecordCallbackConfig, StoredCallback};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::format::FmtSpan;

use super::Secrets;

/// What could be shown, and what shows it.
#[derive(Default)]
pub struct Shown(pub HashSet<(String, String)>);

impl Shown {
    pub fn text(&mut self, what: &str, text: impl Into<String>) {
        self.0.insert((what.to_owned(), text.into()));
    }

    pub fn debug(&mut self, what: &str, value: &(impl Debug + ?Sized)) {
        self.text(what, format!("{value:?}"));
        self.text(what, format!("{value:#?}"));
    }

    pub fn error(&mut self, what: &str, error: &(dyn StdError + 'static)) {
        let mut next = Some(error);
        while let Some(error) = next {
            self.text(what, error.to_string());
            self.debug(what, error);
            next = error.source();
        }
    }

    pub fn result<T: Debug>(&mut self, what: &str, result: Result<T, Error>) -> Option<T> {
        self.debug(what, &result);
        match result {
            Ok(value) => Some(value),
            Err(error) => {
                self.error(what, &error);
                self.debug(what, error.deviations());
                self.debug(what, error.differences());
                for deviation in error.deviations() {
                    self.text(what, deviation.to_string());
                }
                for difference in error.differences() {
                    self.text(what, difference.to_string());
                }
                None
            }
        }
    }

    pub fn stored(&mut self, what: &str, stored: &StoredCallback, wanted: &RecordCallbackConfig) {
        self.text(what, serde_json::to_string(stored).unwrap());
        self.text(what, toml::to_string(stored).unwrap());
        self.debug(what, &stored.to_builder(None));
        let differences = stored.differences(wanted);
        self.debug(what, &differences);
        for difference in &differences {
            self.text(what, difference.to_string());
        }
    }

    /// What shows which secret, with one example each.
    #[must_use]
    pub fn leaks(&self, secrets: &Secrets) -> Vec<String> {
        let leaks: BTreeMap<_, _> = self
            .0
            .iter()
            .filter_map(|(what, text)| {
                let (whose, form, around) = secrets.find(text)?;
                Some(((what, whose, form), around))
            })
            .collect();
        let line = |((what, whose, form), around)| format!("{what} shows the {whose} {form}: {around}");
        leaks.into_iter().map(line).collect()
    }

    pub fn assert_hides(&self, secrets: &Secrets) {
        assert!(!self.0.is_empty());
        let leaks = self.leaks(secrets);
        let first: Vec<_> = leaks.iter().take(40).map(String::as_str).collect();
        assert!(leaks.is_empty(), "{} leaks:\n{}", leaks.len(), first.join("\n"));
    }
}

#[derive(Clone, Default)]
pub struct Log(pub Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Makes every log line of this process reach the subscriber of its thread.
///
/// While there is at most one subscriber in the process, a line that is first reached on a thread without one is
/// switched off for all threads. Two that stay keep `tracing` from that shortcut; what was switched off before is asked
/// again.
fn log_everything() {
    static STAY: LazyLock<[tracing::Dispatch; 2]> = LazyLock::new(|| {
        let stays =
            || tracing_subscriber::fmt().with_max_level(LevelFilter::TRACE).with_writer(io::sink).finish();
        [tracing::Dispatch::new(stays()), tracing::Dispatch::new(stays())]
    });
    LazyLock::force(&STAY);
    tracing::callsite::rebuild_interest_cache();
}

/// Runs `scenario`, in which clouds are called, and adds all that anybody logged meanwhile, servers included.
pub fn watched(secrets: Secrets, scenario: impl AsyncFnOnce(&mut Shown, &mut Secrets)) {
    watched_with(&["record_callback_http::", "operation="], secrets, scenario);
}

/// Runs `scenario`, in which every one of `expected` is logged, and adds all that anybody logged meanwhile.
pub fn watched_with(
    expected: &[&str],
    mut secrets: Secrets,
    scenario: impl AsyncFnOnce(&mut Shown, &mut Secrets),
) {
    let mut shown = Shown::default();
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(LevelFilter::TRACE)
        .with_span_events(FmtSpan::CLOSE)
        .without_time()
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    log_everything();
    tracing::subscriber::with_default(subscriber, || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(scenario(&mut shown, &mut secrets));
    });
    let bytes = log.0.lock().unwrap();
    let log = str::from_utf8(&bytes).unwrap();
    for text in expected {
        assert!(log.contains(text), "nothing was logged with {text}");
    }
    for line in log.lines() {
        shown.text("the log", line);
    }
    shown.assert_hides(&secrets);
}
