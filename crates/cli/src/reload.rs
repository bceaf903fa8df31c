//! Sources, keys and certificates that change while a receiver runs.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::future::pending;
use std::hash::{BuildHasher, RandomState};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{io, mem};

use record_callback::receiver::{Receiver, Tls};
use record_callback::{Error, InvalidConfig};
use tokio::task::spawn_blocking;
use tokio::time::{MissedTickBehavior, interval};
use tracing::{info, warn};

use crate::receiver_file::{ReceiverFile, TlsConfig};

/// The time between two looks at the files. A change is taken once it is the same twice, as they may be half written.
const INTERVAL: Duration = Duration::from_secs(1);
/// None of the files is longer.
const LONGEST: u64 = 16 * 1024 * 1024;

/// A receiver's file, and whatever changes with it while the receiver runs: on each change, and on SIGHUP.
pub(crate) struct Reload {
    path: PathBuf,
    /// The command line's, which wins over the file's.
    addr: Option<SocketAddr>,
    /// The file that the receiver began with.
    started: ReceiverFile,
    /// The file that it goes on with.
    applied: ReceiverFile,
    watch: Watch,
    sources: Refusals,
    certificate: Refusals,
}

impl Reload {
    /// Reads the file at `path`.
    pub(crate) fn read(path: &Path, addr: Option<SocketAddr>) -> Result<Self, InvalidConfig> {
        // Before it is read: what changes meanwhile is a change.
        let mut watch = Watch::of(path);
        let started = read(path, addr)?;
        watch.set_files(files(path, &started));
        Ok(Self {
            path: path.to_owned(),
            addr,
            applied: started.clone(),
            started,
            watch,
            sources: Refusals::default(),
            certificate: Refusals::default(),
        })
    }

    /// The file that the receiver begins with.
    pub(crate) fn file(&self) -> &ReceiverFile {
        &self.started
    }

    /// Has `receiver` and `tls` go on with what is in the files now. Never ends.
    pub(crate) async fn run(mut self, receiver: Receiver, tls: Option<Tls>, mut hangup: Hangup) {
        let mut ticks = interval(INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let is_asked = tokio::select! {
                _ = ticks.tick() => false,
                () = hangup.wait() => true,
            };
            let (receiver, tls) = (receiver.clone(), tls.clone());
            // A file may be on a disk that does not answer.
            let looking = spawn_blocking(move || {
                self.look(is_asked, &receiver, tls.as_ref());
                self
            });
            match looking.await {
                Ok(reload) => self = reload,
                Err(error) => {
                    warn!(%error, "changes of files are not noticed any more");
                    return pending().await;
                }
            }
        }
    }

    fn look(&mut self, is_asked: bool, receiver: &Receiver, tls: Option<&Tls>) {
        let is_changed = self.watch.is_changed();
        if is_asked {
            self.watch.take();
            self.sources = Refusals::default();
            self.certificate = Refusals::default();
        } else if !is_changed {
            return;
        }
        let taken = self.take_file(receiver, tls.is_some());
        self.sources.tell("the sources and keys from before stay", taken.as_ref().err());
        if let (Some(config), Some(tls)) = (&self.applied.tls, tls) {
            let taken = config.replace(tls);
            self.certificate.tell("the certificate from before stays", taken.as_ref().err());
        }
    }

    /// Takes the file with its sources and keys: all of it or nothing.
    fn take_file(&mut self, receiver: &Receiver, has_tls: bool) -> Result<(), Error> {
        let new = read(&self.path, self.addr)?;
        // Also of a file that is refused: what it lacks may come yet.
        self.watch.set_files(files(&self.path, &new));
        let sources = new.sources()?;
        if has_tls && new.tls != self.applied.tls {
            new.tls.as_ref().map(TlsConfig::tls).transpose()?;
        }
        receiver.replace_sources(sources)?;
        let fixed = self.started.fixed_changes(&new);
        if !fixed.is_empty() {
            warn!("{}: restart needed for: {}", self.path.display(), fixed.join(", "));
        }
        self.applied = new;
        info!("{}: sources and keys are read again", self.path.display());
        Ok(())
    }
}

fn read(path: &Path, addr: Option<SocketAddr>) -> Result<ReceiverFile, InvalidConfig> {
    let mut file = ReceiverFile::read(path)?;
    file.addr = addr.unwrap_or(file.addr);
    Ok(file)
}

fn files(path: &Path, file: &ReceiverFile) -> Vec<PathBuf> {
    let mut files = file.files();
    files.push(path.to_owned());
    files
}

/// Refusals of one kind, of which the same one is told once.
#[derive(Default)]
struct Refusals(Option<String>);

impl Refusals {
    fn tell<E: Display>(&mut self, consequence: &str, error: Option<&E>) {
        let problem = error.map(ToString::to_string);
        if let Some(problem) = &problem
            && self.0.as_ref() != Some(problem)
        {
            warn!("not reloaded, {consequence}: {problem}");
        }
        self.0 = problem;
    }
}

/// The content of each file, by a hash that tells nobody anything; `None` for what cannot be read.
type Seen = BTreeMap<PathBuf, Option<u64>>;

/// Notices that files change.
struct Watch {
    hasher: RandomState,
    seen: Seen,
    /// The state seen last, if it was another.
    next: Option<Seen>,
}

impl Watch {
    fn of(path: &Path) -> Self {
        let mut watch = Self { hasher: RandomState::new(), seen: Seen::new(), next: None };
        watch.set_files(vec![path.to_owned()]);
        watch
    }

    /// Tells whether there is a change that was there the last time, too. It is told once.
    fn is_changed(&mut self) -> bool {
        let now: Seen = self.seen.keys().map(|path| (path.clone(), self.hash(path))).collect();
        if now == self.seen {
            self.next = None;
            return false;
        }
        let is_settled = self.next.as_ref() == Some(&now);
        self.next = Some(now);
        if is_settled {
            self.take();
        }
        is_settled
    }

    /// Takes for known what was seen last.
    fn take(&mut self) {
        if let Some(seen) = self.next.take() {
            self.seen = seen;
        }
    }

    /// Sets the files to watch. The state seen of files that stay is kept.
    fn set_files(&mut self, files: Vec<PathBuf>) {
        let before = mem::take(&mut self.seen);
        let known = |path: &PathBuf| before.get(path).copied();
        let seen = files.into_iter().map(|path| (known(&path).unwrap_or_else(|| self.hash(&path)), path));
        self.seen = seen.map(|(hash, path)| (path, hash)).collect();
        self.next = None;
    }

    fn hash(&self, path: &Path) -> Option<u64> {
        record_callback_durable::read(path, LONGEST).ok().map(|content| self.hasher.hash_one(content))
    }
}

/// SIGHUP, heard from before the ready line on.
pub(crate) struct Hangup {
    #[cfg(unix)]
    signal: tokio::signal::unix::Signal,
}

impl Hangup {
    #[cfg(unix)]
    pub(crate) fn listen() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { signal: signal(SignalKind::hangup())? })
    }

    #[cfg(unix)]
    async fn wait(&mut self) {
        if self.signal.recv().await.is_none() {
            pending::<()>().await;
        }
    }

    #[cfg(not(unix))]
    pub(crate) fn listen() -> io::Result<Self> {
        Ok(Self {})
    }

    #[cfg(not(unix))]
    async fn wait(&mut self) {
        pending().await
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_change_is_taken_once_it_is_the_same_twice() {
        let directory = tempfile::tempdir().unwrap();
        let [config, key] = ["config", "key"].map(|name| directory.path().join(name));
        fs::write(&config, "a").unwrap();
        let mut watch = Watch::of(&config);
        assert!(!watch.is_changed() && !watch.is_changed());
        fs::write(&config, "half").unwrap();
        assert!(!watch.is_changed());
        fs::write(&config, "whole").unwrap();
        assert!(!watch.is_changed());
        assert!(watch.is_changed());
        assert!(!watch.is_changed());
        // What is as before is no change.
        fs::write(&config, "other").unwrap();
        assert!(!watch.is_changed());
        fs::write(&config, "whole").unwrap();
        assert!(!watch.is_changed() && !watch.is_changed());
        // A file that is not there yet, and one that changes while the files are other ones.
        fs::write(&config, "with a key").unwrap();
        watch.set_files(vec![config.clone(), key.clone()]);
        fs::write(&key, "key").unwrap();
        assert!(!watch.is_changed() && watch.is_changed() && !watch.is_changed());
        fs::remove_file(&key).unwrap();
        assert!(!watch.is_changed() && watch.is_changed() && !watch.is_changed());
    }

    #[test]
    fn a_change_that_was_asked_for_is_not_taken_again() {
        let directory = tempfile::tempdir().unwrap();
        let config = directory.path().join("config");
        fs::write(&config, "a").unwrap();
        let mut watch = Watch::of(&config);
        fs::write(&config, "b").unwrap();
        assert!(!watch.is_changed());
        watch.take();
        assert!(!watch.is_changed() && !watch.is_changed());
    }
}
