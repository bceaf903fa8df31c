//! Every fault, in every operation, of both vendors: what goes wrong, and how the call has to end.

mod rig;
mod troubles;

use std::fmt;
use std::time::{Duration, Instant};

use record_callback::{CallbackKey, DomainName, Error, Fidelity, RecordCallbackConfig, StoredCallback};

use record_callback_mock::ReceivedRequest;

use self::rig::Running;
pub use rig::{Way, canaries};

pub use troubles::{Cause, Ends, Trouble, troubles};

/// The operations of a provider, and Aliyun's delivery log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Operation {
    Get,
    List,
    ListAll,
    Create,
    Update,
    Delete,
    Log,
}

impl Operation {
    const ALL: [Self; 7] =
        [Self::Get, Self::List, Self::ListAll, Self::Create, Self::Update, Self::Delete, Self::Log];

    fn is_write(self) -> bool {
        matches!(self, Self::Create | Self::Update | Self::Delete)
    }
}

/// How long a trouble lasts, and where it strikes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Lasts {
    /// One exchange.
    Once,
    /// One exchange, and not before the write itself.
    OnceInWrite,
    /// All exchanges.
    On,
    /// All exchanges of the write itself; reads are fine.
    OnInWrite,
}

/// One field of the matrix.
#[derive(Debug, Clone)]
pub struct Cell {
    pub way: Way,
    pub operation: Operation,
    pub trouble: Trouble,
    pub lasts: Lasts,
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {:?}: {} ({:?})", self.way, self.operation, self.trouble.name, self.lasts)
    }
}

/// All fields.
#[must_use]
pub fn cells() -> Vec<Cell> {
    let mut cells = Vec::new();
    for trouble in troubles() {
        for way in trouble.ways {
            let has_log = way.vendor() == "aliyun";
            for operation in Operation::ALL.into_iter().filter(|one| has_log || *one != Operation::Log) {
                let lasts = match (trouble.cause.is_scripted(), operation.is_write()) {
                    _ if matches!(trouble.cause, Cause::Iam(_)) => &[Lasts::Once, Lasts::On][..],
                    (false, _) => &[Lasts::On],
                    (true, false) => &[Lasts::Once, Lasts::On],
                    (true, true) => &[Lasts::Once, Lasts::OnceInWrite, Lasts::On, Lasts::OnInWrite],
                };
                let cell =
                    |lasts: &Lasts| Cell { way: *way, operation, trouble: trouble.clone(), lasts: *lasts };
                cells.extend(lasts.iter().map(cell));
            }
        }
    }
    cells
}

/// How a call in trouble ended.
#[derive(Debug)]
pub struct Ended {
    pub result: Result<(), Error>,
    pub elapsed: Duration,
    /// What the mock of the Live API received.
    pub received: Vec<ReceivedRequest>,
    /// What provider, mock and requests show of themselves.
    pub debug: String,
}

pub(crate) const DOMAIN: &str = "live.example.com";
/// What no call may take, on however slow a machine: each has a deadline, of at most 30 s.
const NEVER: Duration = Duration::from_secs(120);

/// The config that is there before, or is to be created.
pub(crate) fn before() -> RecordCallbackConfig {
    rig::config("before", rig::BEFORE)
}

/// What an update makes of it.
pub(crate) fn after() -> RecordCallbackConfig {
    rig::config("after", rig::AFTER)
}

impl Cell {
    /// Runs the call and checks all that can be said of it.
    ///
    /// # Errors
    /// What is wrong with how it ended.
    pub async fn run(&self) -> Result<Ended, String> {
        let rig = Running::prepare(self).await;
        let began = Instant::now();
        let result = tokio::time::timeout(NEVER, self.call(&rig)).await;
        let elapsed = began.elapsed();
        rig.restore().await;
        let Ok(result) = result else { return Err(format!("no end after {NEVER:?}")) };
        self.check(&rig, &result)?;
        let received = rig.mock.requests();
        let debug = format!("{:?} {:?} {received:?}", rig.provider, rig.mock);
        Ok(Ended { result, elapsed, received, debug })
    }

    async fn call(&self, rig: &Running) -> Result<(), Error> {
        let (provider, key) = (&rig.provider, before().key());
        let domain = DomainName::new(DOMAIN)?;
        match self.operation {
            Operation::Get => {
                let found = provider.get(&key).await?;
                assert!(found.is_some_and(|found| shows(&found, &before())), "{self}: another config");
                Ok(())
            }
            Operation::List | Operation::ListAll => {
                let domain = (self.operation == Operation::List).then_some(&domain);
                let found = provider.list(domain).await?;
                assert!(matches!(&found[..], [found] if shows(found, &before())), "{self}: another list");
                Ok(())
            }
            Operation::Create => provider.create(&before(), Fidelity::Exact).await.map(drop),
            Operation::Update => provider.update(&after(), Fidelity::Exact).await.map(drop),
            Operation::Delete => provider.delete(&key).await,
            Operation::Log => {
                let log = rig.log().await?;
                assert_eq!(log.records().len(), 0, "{self}: nothing was delivered");
                Ok(())
            }
        }
    }

    fn check(&self, rig: &Running, result: &Result<(), Error>) -> Result<(), String> {
        if rig.is_elsewhere() {
            return Err("the redirect was followed".to_owned());
        }
        let stored = rig.stored();
        if stored.len() > 1 {
            return Err(format!("created more than once: {} configs", stored.len()));
        }
        let is = |config: Option<RecordCallbackConfig>| match (&config, stored.first()) {
            (None, None) => true,
            (Some(config), Some(stored)) => stored == config.notify_url().as_str(),
            _ => false,
        };
        if let (Cause::Iam(_), Err(error)) = (&self.trouble.cause, result)
            && error.maybe_applied()
        {
            return Err(format!("the call was never made, and may be applied: {error}"));
        }
        let (unchanged, wanted) = match self.operation {
            Operation::Get | Operation::List | Operation::ListAll | Operation::Log => {
                (is(Some(before())), is(Some(before())))
            }
            Operation::Create => (is(None), is(Some(before()))),
            Operation::Update => (is(Some(before())), is(Some(after()))),
            Operation::Delete => (is(Some(before())), is(None)),
        };
        match result {
            Ok(()) if !wanted => return Err("it says done, and the cloud has something else".to_owned()),
            Err(error) if !error.maybe_applied() && !unchanged => {
                return Err(format!("it says that nothing was changed, and something was: {error}"));
            }
            Err(error) if !unchanged && !wanted => return Err(format!("half done: {error}")),
            _ => {}
        }
        if let Err(error) = result {
            self.check_text(error)?;
        }
        let allowed = self.trouble.ends(self);
        // The look through the account before a create may meet IAM's trouble instead of the create.
        let spared = self.is_create() && matches!(self.trouble.cause, Cause::Iam(_));
        let fine = match result {
            Ok(()) => spared || allowed.contains(&Ends::Done),
            Err(error) => allowed.contains(&Ends::Fails(error.kind())),
        };
        let ended =
            result.as_ref().map_or_else(|error| format!("{}: {error}", error.kind()), |()| "done".into());
        if fine { Ok(()) } else { Err(format!("expected {allowed:?}, found {ended}")) }
    }

    /// Whoever gets it has to know what failed, and where.
    fn check_text(&self, error: &Error) -> Result<(), String> {
        let text = error.to_string();
        let names = [self.way.vendor(), if self.operation == Operation::ListAll { "" } else { DOMAIN }];
        let missing = names.iter().find(|name| !text.contains(*name));
        match missing {
            Some(name) => Err(format!("the error does not name `{name}`: {text}")),
            None if text.contains('\n') => Err(format!("the error has more than a line: {text}")),
            None if error.operation().is_none() => Err(format!("the error names no operation: {text}")),
            None => Ok(()),
        }
    }

    pub(crate) fn is_create(&self) -> bool {
        self.operation == Operation::Create
    }
}

fn shows(found: &StoredCallback, config: &RecordCallbackConfig) -> bool {
    found.key == CallbackKey::any_app(config.domain().clone())
        && found.notify_url.as_deref() == Some(config.notify_url().as_str())
}
