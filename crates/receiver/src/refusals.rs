//! Tells of refused deliveries, on a thread of its own: no delivery waits for it.

use std::collections::HashMap;
use std::mem;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use record_callback_core::text::one_line;
use record_callback_core::{Change, Explanation};
use tracing::warn;

use crate::delivery_log::AnsweredDelivery;
use crate::explain::explain_for;
use crate::receiver::Routes;
use crate::refused_delivery::RefusedDelivery;
use crate::refused_log::RefusedLog;

/// For so long alike refusals are told of once, and only some of them are kept.
const WINDOW: Duration = Duration::from_secs(60);
/// The most that are kept of one source and reason in a window: a flood does not push out what is rare.
const MAX_ALIKE: u32 = 64;
/// The most that wait to be kept.
const QUEUE: usize = 256;
const TICK: Duration = Duration::from_secs(1);
/// Told by the receiver itself, with the cause.
const TOLD: [&str; 4] = ["full", "unavailable", "closed", "not_understood"];

/// The source, if there is one, and the reason.
type Kind = (Option<Arc<str>>, &'static str);

pub(crate) struct Refusals {
    tallies: Arc<Mutex<Tallies>>,
    worker: Mutex<Worker>,
}

enum Worker {
    /// Nothing was refused yet.
    Waiting(Option<RefusedLog>),
    Running {
        queue: SyncSender<Noted>,
        thread: JoinHandle<()>,
    },
    Ended,
}

struct Noted {
    kind: Kind,
    delivery: RefusedDelivery,
    /// The sources as they were.
    routes: Arc<Routes>,
}

#[derive(Default)]
struct Tallies {
    of: HashMap<Kind, Tally>,
    /// Those for which the queue had no room.
    dropped: u64,
    dropped_told: Option<Instant>,
}

struct Tally {
    began: Instant,
    /// The number of those kept in this window.
    kept: u32,
    /// The number of those not told of.
    untold: u64,
    told: Option<(Instant, String)>,
}

impl Refusals {
    pub(crate) fn new(log: Option<RefusedLog>) -> Self {
        Self { tallies: Arc::default(), worker: Mutex::new(Worker::Waiting(log)) }
    }

    /// Takes note of a delivery that was refused. Never waits.
    pub(crate) fn note(
        &self,
        source: Option<&Arc<str>>,
        delivery: &AnsweredDelivery<'_>,
        routes: &Arc<Routes>,
    ) {
        let Some(reason) = delivery.reason else { return };
        let kind = (source.cloned(), reason);
        if !lock(&self.tallies).is_kept(&kind) {
            return;
        }
        let noted = Noted { kind, delivery: RefusedDelivery::of(delivery), routes: Arc::clone(routes) };
        let mut worker = self.worker.lock().unwrap_or_else(PoisonError::into_inner);
        if let Worker::Waiting(log) = &mut *worker {
            *worker = start(log.take(), &self.tallies);
        }
        let is_noted = match &*worker {
            Worker::Running { queue, .. } => match queue.try_send(noted) {
                Ok(()) => true,
                Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => false,
            },
            _ => false,
        };
        drop(worker);
        if !is_noted {
            lock(&self.tallies).dropped += 1;
        }
    }

    /// Writes down what is noted, and ends. What is refused later is not noted.
    pub(crate) fn end(&self) {
        let worker =
            mem::replace(&mut *self.worker.lock().unwrap_or_else(PoisonError::into_inner), Worker::Ended);
        if let Worker::Running { queue, thread } = worker {
            drop(queue);
            if thread.join().is_err() {
                warn!("the log of refused deliveries broke off");
            }
        }
    }
}

impl Drop for Refusals {
    fn drop(&mut self) {
        self.end();
    }
}

fn lock(tallies: &Mutex<Tallies>) -> MutexGuard<'_, Tallies> {
    tallies.lock().unwrap_or_else(PoisonError::into_inner)
}

fn start(log: Option<RefusedLog>, tallies: &Arc<Mutex<Tallies>>) -> Worker {
    let (queue, noted) = sync_channel(QUEUE);
    let tallies = Arc::clone(tallies);
    // The caller's subscriber, which may be its thread's own.
    let subscriber = tracing::dispatcher::get_default(Clone::clone);
    let work = move || tracing::dispatcher::with_default(&subscriber, || work(log, &noted, &tallies));
    match thread::Builder::new().name("refused deliveries".to_owned()).spawn(work) {
        Ok(thread) => Worker::Running { queue, thread },
        Err(error) => {
            warn!(%error, "refused deliveries are not told of: there is no thread for it");
            Worker::Ended
        }
    }
}

fn work(mut log: Option<RefusedLog>, noted: &Receiver<Noted>, tallies: &Mutex<Tallies>) {
    let mut is_failing = false;
    loop {
        let next = noted.recv_timeout(TICK);
        if let Ok(noted) = &next {
            if let Some(log) = &mut log {
                let added = log.add(&noted.delivery);
                if let Err(error) = &added
                    && !is_failing
                {
                    warn!(%error, "the log of refused deliveries cannot be written");
                }
                is_failing = added.is_err();
            }
            if !TOLD.contains(&noted.kind.1) && lock(tallies).is_due(&noted.kind) {
                // The guesses are computed without the lock.
                let line = line(noted);
                let others = lock(tallies).tell(&noted.kind, line.clone());
                let others = if others > 1 { format!(" ({} more alike)", others - 1) } else { String::new() };
                warn!("{line}{others} (request {})", one_line(&noted.delivery.id));
            }
        }
        let end = matches!(next, Err(RecvTimeoutError::Disconnected));
        let (lines, dropped) = lock(tallies).overdue(end);
        for line in lines {
            warn!("{line}");
        }
        if let Some(dropped) = dropped {
            warn!("{dropped} refused deliveries came too fast to be logged; they are counted in /metrics");
        }
        if end {
            return;
        }
    }
}

impl Tallies {
    /// Counts one, and tells if it is to be kept.
    fn is_kept(&mut self, kind: &Kind) -> bool {
        let now = Instant::now();
        let new = || Tally { began: now, kept: 0, untold: 0, told: None };
        let tally = self.of.entry(kind.clone()).or_insert_with(new);
        if now.duration_since(tally.began) >= WINDOW {
            (tally.began, tally.kept) = (now, 0);
        }
        tally.untold += 1;
        tally.kept += 1;
        tally.kept <= MAX_ALIKE
    }

    fn is_due(&self, kind: &Kind) -> bool {
        self.of
            .get(kind)
            .is_some_and(|tally| tally.told.as_ref().is_none_or(|(at, _)| at.elapsed() >= WINDOW))
    }

    /// Takes note that `line` is told now, and gives how many it stands for.
    fn tell(&mut self, kind: &Kind, line: String) -> u64 {
        let Some(tally) = self.of.get_mut(kind) else { return 0 };
        tally.told = Some((Instant::now(), line));
        mem::take(&mut tally.untold)
    }

    /// Lines for what was counted since it was last told of, a minute ago or, in the end, at all.
    fn overdue(&mut self, is_end: bool) -> (Vec<String>, Option<u64>) {
        let mut lines = Vec::new();
        for tally in self.of.values_mut() {
            if let Some((at, line)) = &mut tally.told
                && tally.untold > 0
                && (is_end || at.elapsed() >= WINDOW)
            {
                lines.push(format!("{line} (the same {} times more)", mem::take(&mut tally.untold)));
                *at = Instant::now();
            }
        }
        let is_due = is_end || self.dropped_told.is_none_or(|at| at.elapsed() >= WINDOW);
        let dropped = (self.dropped > 0 && is_due).then(|| mem::take(&mut self.dropped));
        if dropped.is_some() {
            self.dropped_told = Some(Instant::now());
        }
        (lines, dropped)
    }
}

/// The status, the source, what is wrong, and what would have been right.
fn line(noted: &Noted) -> String {
    let RefusedDelivery { status, path, reason, problem, .. } = &noted.delivery;
    let name = noted.kind.0.as_deref();
    let Some(route) = name.and_then(|name| noted.routes.values().find(|route| *route.source.name == *name))
    else {
        return format!("{status} no source has the path {}", one_line(path));
    };
    let source = &route.source;
    let sources = noted.routes.values().map(|route| &route.source);
    let explained = ["not_signed", "bad_signature", "stale", "malformed"].contains(&&**reason)
        && noted.delivery.method == "POST";
    let explanation = if explained {
        noted.delivery.replayed(|delivery| explain_for(source, sources, delivery, &[]))
    } else {
        Explanation::default()
    };
    let what = match &**reason {
        "not_signed" => "not signed".to_owned(),
        "bad_signature" => "no key fits".to_owned(),
        "too_large" => "the body is too long".to_owned(),
        "too_slow" => "the body did not come in time".to_owned(),
        "broken" => "the body broke off".to_owned(),
        "method" => format!("{} is not served here", one_line(&noted.delivery.method)),
        _ if problem.is_empty() => reason.clone(),
        _ => one_line(problem).into_owned(),
    };
    let guess = explanation.one_change.first().map(|change| format!("; {}", told(change)));
    format!("{status} {}: {what}{}", source.name(), guess.unwrap_or_default())
}

/// A guess and what to do.
fn told(change: &Change) -> String {
    format!("{}: {}", one_line(&change.to_string()), change.advice())
}
