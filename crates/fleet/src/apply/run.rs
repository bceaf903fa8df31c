use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use futures_util::future::{Either, join_all, select};
use futures_util::{FutureExt, StreamExt, TryFutureExt, stream};
use record_callback_core::{Applied, ConfigId, Error, ErrorKind, Fidelity, RecordCallbackProvider};

use super::verify::{Expected, Verified};
use super::{ApplyOptions, Failure, Fate, Outcome, Progress, Report, Stage, Writing};
use crate::name::Name;
use crate::observe::Clouds;
use crate::plan::{Action, Change, End, Plan, Retirement, Write};
use crate::slot::Slot;
use crate::state::{Ledger, OwnedConfig, Standing};

/// Carries out `plan`.
///
/// Each callback goes the same way: note what will be written, write it, note that it was written, read it back, and only
/// then retire what it leaves behind. Failures of one do not stop the others. At the end the state of `ledger` says
/// what is ours; save it.
pub async fn apply(
    plan: Plan,
    clouds: &Clouds,
    ledger: &Ledger<'_>,
    options: &ApplyOptions,
    progress: &dyn Progress,
) -> Report {
    let run = Run {
        clouds,
        ledger,
        options,
        progress,
        failures: AtomicUsize::new(0),
        journal_error: Mutex::default(),
        outcomes: Mutex::default(),
    };
    run.all(plan).await;
    let mut outcomes = run.outcomes.into_inner().unwrap_or_else(PoisonError::into_inner);
    outcomes.sort_unstable_by(|one, other| one.name.cmp(&other.name));
    let journal_error = run.journal_error.into_inner().unwrap_or_else(PoisonError::into_inner);
    Report { outcomes, journal_error }
}

/// Callbacks that go ahead of the others where many are verified together.
const FIRST_WAVE: usize = 8;

/// One run of [`apply`].
pub(super) struct Run<'a> {
    pub(super) clouds: &'a Clouds,
    pub(super) ledger: &'a Ledger<'a>,
    pub(super) options: &'a ApplyOptions,
    progress: &'a dyn Progress,
    failures: AtomicUsize,
    journal_error: Mutex<Option<io::Error>>,
    outcomes: Mutex<Vec<Outcome>>,
}

/// A change or a removal under way.
pub(super) struct Task {
    pub(super) name: Name,
    action: &'static str,
    change: Option<Box<Change>>,
    pub(super) retire: Vec<Retirement>,
    /// The write of its config in this run.
    wrote: Write,
}

/// The reason why a task does not go on.
pub(super) enum Halt {
    Failed(Failure),
    /// It was to stop before anything of this stage was done.
    Stopped,
}

pub(super) type Step<T> = Result<T, Halt>;

pub(super) fn at(stage: Stage) -> impl Fn(Error) -> Halt {
    move |error| Halt::Failed(Failure { stage, error })
}

impl Run<'_> {
    async fn all(&self, plan: Plan) {
        let (mut changes, mut removals) = (Vec::new(), Vec::new());
        for step in plan.steps {
            let (action, mut change) = match step.action {
                Action::Keep(_) => continue,
                Action::Blocked(blocked) => {
                    let fate = Fate::Blocked { reason: blocked.reason, hint: blocked.hint };
                    self.end(Task::new(step.name, "blocked", None, Vec::new()), fate);
                    continue;
                }
                Action::Delete(removal) => {
                    removals.push(Task::new(step.name, "delete", None, removal.retire));
                    continue;
                }
                Action::Forget(removal) => {
                    removals.push(Task::new(step.name, "forget", None, removal.retire));
                    continue;
                }
                Action::Create(change) => ("create", change),
                Action::Update(change) => ("update", change),
                Action::Replace(change) => ("replace", change),
            };
            let retire = std::mem::take(&mut change.retire);
            changes.push(Task::new(step.name, action, Some(change), retire));
        }
        self.in_order(changes).await;
        // What is not declared any more goes last: nothing waits for it.
        self.providers(removals).await;
    }

    /// Runs tasks that wait for nobody, then those that waited for these, and so on.
    async fn in_order(&self, mut tasks: Vec<Task>) {
        while !tasks.is_empty() {
            let pending: BTreeSet<Name> = tasks.iter().map(|task| task.name.clone()).collect();
            let waits = |task: &Task| task.after().is_some_and(|name| pending.contains(name));
            let (mut waiting, ready): (Vec<_>, Vec<_>) = tasks.into_iter().partition(waits);
            let (ready, mut stuck): (Vec<_>, Vec<_>) =
                ready.into_iter().partition(|task| task.after().is_none_or(|name| self.is_done(name)));
            if ready.is_empty() && stuck.is_empty() {
                // Each waits for another: a plan has no such circles, and no run may go on forever.
                stuck = std::mem::take(&mut waiting);
            }
            for task in stuck {
                let reason = "its place still belongs to another callback, which could not move away";
                let hint = "see why that one could not, and run again";
                let fate = Fate::Blocked { reason: reason.to_owned(), hint: hint.to_owned() };
                self.end(task, fate);
            }
            self.providers(ready).await;
            tasks = waiting;
        }
    }

    async fn providers(&self, tasks: Vec<Task>) {
        let mut by_provider: BTreeMap<Name, Vec<Task>> = BTreeMap::new();
        for task in tasks {
            by_provider.entry(task.provider()).or_default().push(task);
        }
        join_all(by_provider.into_iter().map(|(provider, tasks)| self.provider(provider, tasks))).await;
    }

    /// Where one list shows many configs, many are written before they are verified together: reading them one by one would
    /// take as much of the quota as writing them. The first few go ahead, so that what is wrong with all shows early.
    async fn provider(&self, provider: Name, mut tasks: Vec<Task>) {
        if self.clouds.lists(&provider) {
            let rest = tasks.split_off(FIRST_WAVE.min(tasks.len()));
            self.wave(tasks).await;
            self.wave(rest).await;
        } else {
            let waves = tasks.into_iter().map(|task| self.wave(vec![task]));
            let parallel = self.clouds.in_parallel();
            stream::iter(waves).buffer_unordered(parallel).for_each(|()| std::future::ready(())).await;
        }
    }

    async fn wave(&self, tasks: Vec<Task>) {
        let written = self.each(tasks, |task| self.write(task)).await;
        let verified = self.verified(written).await;
        // Who leaves nothing behind is done, even if no more is to be begun.
        let (moving, done): (Vec<_>, Vec<_>) = verified.into_iter().partition(|task| !task.retire.is_empty());
        self.gone(done).await;
        let confirmed = self.each(moving, |task| self.confirm(task)).await;
        let confirmed = self.look_again(confirmed).await;
        let retired = self.each(confirmed, |task| self.retire(task)).await;
        self.gone(retired).await;
    }

    /// Takes `tasks` through a stage, in parallel; those that come through it go on.
    async fn each<F: Future<Output = (Task, Step<()>)>>(
        &self,
        tasks: Vec<Task>,
        work: impl Fn(Task) -> F,
    ) -> Vec<Task> {
        let tasks = tasks.into_iter().map(|task| async {
            if self.stopped() {
                self.end(task, Fate::Unfinished);
                return None;
            }
            let (task, result) = work(task).await;
            self.unless_failed(task, result)
        });
        let through = stream::iter(tasks).buffer_unordered(self.clouds.in_parallel());
        through.filter_map(std::future::ready).collect().await
    }

    pub(super) fn unless_failed(&self, task: Task, result: Step<()>) -> Option<Task> {
        match result {
            Ok(()) => Some(task),
            Err(Halt::Stopped) => {
                self.end(task, Fate::Unfinished);
                None
            }
            Err(Halt::Failed(failure)) => {
                self.failures.fetch_add(1, Ordering::Relaxed);
                self.end(task, Fate::Failed(failure));
                None
            }
        }
    }

    async fn write(&self, mut task: Task) -> (Task, Step<()>) {
        let result = match &task.change {
            None => Ok(()),
            Some(change) => match self.write_change(&task.name, change).await {
                Ok(true) => {
                    task.wrote = change.write;
                    Ok(())
                }
                Ok(false) => Err(Halt::Stopped),
                Err(error) => Err(at(Stage::Write)(error)),
            },
        };
        (task, result)
    }

    /// Writes a config, noted before and after; `false` if it was to stop before.
    async fn write_change(&self, name: &Name, change: &Change) -> Result<bool, Error> {
        let provider = self.provider_of(&change.slot)?;
        let (config, fidelity) = (&change.wanted.config, change.wanted.fidelity);
        let holder = change.taken_from.as_ref().unwrap_or(name);
        let before = self.owned(holder, change.renamed_from.as_ref().unwrap_or(&change.slot));
        let before = before.map(|before| OwnedConfig { slot: change.slot.clone(), ..before });
        let written = self.ledger.state().salt.of_config(&change.effective);
        // The id of a config that is gone would make the new one somebody else's.
        let known = before.as_ref().filter(|_| change.write != Write::Create);
        let owned = |standing, id: Option<ConfigId>| OwnedConfig {
            slot: change.slot.clone(),
            id: id.or_else(|| known?.id.clone()).or_else(|| change.id.clone()),
            standing,
            written,
            earlier: known
                .filter(|_| standing == Standing::Updating)
                .map_or_else(Vec::new, OwnedConfig::candidates),
            protect: change.wanted.protect,
            ignored: Vec::new(),
        };
        let applied = match change.write {
            Write::Nothing => {
                // It is as wanted; whose it is and how it stands may not be noted yet.
                if let Some(before) = before.clone() {
                    let OwnedConfig { id, ignored, .. } = before;
                    let current = OwnedConfig { ignored, ..owned(Standing::Current, id) };
                    self.note(name, change, current).await?;
                }
                return Ok(true);
            }
            Write::Create => {
                self.note(name, change, owned(Standing::Creating, None)).await?;
                self.pass(provider.create(config, fidelity).map_ok(Some).boxed()).await
            }
            Write::Update => {
                self.note(name, change, owned(Standing::Updating, None)).await?;
                self.pass(provider.update(config, fidelity).map_ok(Some).boxed()).await
            }
        };
        match applied {
            None => self.unnote(name, change, before).await.map(|()| false),
            Some(Ok(applied)) => {
                let id = applied.and_then(|applied| applied.id);
                self.note(name, change, owned(Standing::Current, id)).await.map(|()| true)
            }
            Some(Err(error)) => {
                // What may have happened stays noted as begun; what certainly has not does not.
                if !error.maybe_applied() {
                    self.unnote(name, change, before).await?;
                }
                Err(error)
            }
        }
    }

    pub(super) async fn pass(&self, write: Writing<'_>) -> Option<Result<Option<Applied>, Error>> {
        match &self.options.gate {
            Some(gate) => gate.pass(write).await,
            None => Some(write.await),
        }
    }

    async fn verified(&self, tasks: Vec<Task>) -> Vec<Task> {
        let expected = tasks.iter().filter_map(|task| {
            let change = task.change.as_ref()?;
            // A cloud cannot ignore what was not written: what differs then, somebody else changed.
            let untouched = change.write == Write::Nothing
                && self.owned(&task.name, &change.slot).is_none_or(|owned| owned.ignored.is_empty());
            let fidelity = if untouched { Fidelity::Exact } else { change.wanted.fidelity };
            Some((change.slot.clone(), Expected::Config(&change.effective, fidelity)))
        });
        let mut results = self.verify(expected.collect()).await;
        let mut through = Vec::new();
        for task in tasks {
            let result = match task.change.as_ref().and_then(|change| results.remove(&change.slot)) {
                None => Ok(()),
                Some(Verified::Not(error)) => Err(error),
                Some(Verified::AsExpected(ignored)) if ignored.is_empty() => Ok(()),
                Some(Verified::AsExpected(ignored)) => {
                    let fields = ignored.into_iter().map(|difference| difference.field).collect();
                    match &task.change {
                        Some(change) => self.note_ignored(&task.name, change, fields).await,
                        None => Ok(()),
                    }
                }
            };
            let result = result.map_err(at(Stage::Verify));
            through.extend(self.unless_failed(task, result));
        }
        through
    }

    async fn confirm(&self, task: Task) -> (Task, Step<()>) {
        let result = self.confirm_move(&task).await;
        (task, result.map_err(at(Stage::Confirm)))
    }

    async fn confirm_move(&self, task: &Task) -> Result<(), Error> {
        let (Some(confirmation), Some(change)) = (&self.options.confirmation, &task.change) else {
            return Ok(());
        };
        let from: Vec<Slot> =
            task.retire.iter().filter(|one| leaves(&one.slot, change)).map(|one| one.slot.clone()).collect();
        if from.is_empty() {
            return Ok(());
        }
        let stop = &self.options.stop;
        let confirmed = std::pin::pin!(confirmation.confirm(&task.name, &from, &change.slot));
        let stopped = std::pin::pin!(stop.wait());
        let refuse = |problem| Err(Error::new(ErrorKind::NotApplied, format!("not confirmed: {problem}")));
        match select(confirmed, stopped).await {
            Either::Left((Ok(()), _)) => Ok(()),
            Either::Left((Err(problem), _)) => refuse(problem),
            Either::Right(_) => refuse("interrupted".to_owned()),
        }
    }

    /// Verifies that what was deleted is gone, notes it, and ends the tasks.
    async fn gone(&self, tasks: Vec<Task>) {
        let gone = |task: &Task| -> Vec<Slot> {
            let gone = task.retire.iter().filter(|retirement| !self.stays(task, retirement));
            gone.map(|retirement| retirement.slot.clone()).collect()
        };
        let deleted = tasks.iter().flat_map(|task| {
            let deleted = task.retire.iter().filter(|retirement| retirement.end == End::Delete);
            deleted.filter(|one| !self.stays(task, one)).map(|one| (one.slot.clone(), Expected::Nothing))
        });
        let mut results = self.verify(deleted.collect()).await;
        let parallel = self.clouds.in_parallel();
        let ends = tasks.into_iter().map(|task| {
            let slots = gone(&task);
            let shown = slots.iter().find_map(|slot| match results.remove(slot) {
                Some(Verified::Not(error)) => Some(error),
                _ => None,
            });
            async move {
                let result = match shown {
                    Some(error) => Err(error),
                    None => self.forget(&task.name, slots).await,
                };
                let result = result.map_err(at(Stage::Retire));
                if let Some(task) = self.unless_failed(task, result) {
                    self.end(task, Fate::Done);
                }
            }
        });
        let ends: Vec<_> = ends.collect();
        stream::iter(ends).buffer_unordered(parallel).for_each(|()| std::future::ready(())).await;
    }

    /// Whether a config is left there beside the new one. What is only to be forgotten may be somebody else's.
    pub(super) fn stays(&self, task: &Task, retirement: &Retirement) -> bool {
        let leaves = |change: &Change| leaves(&retirement.slot, change);
        self.options.keep_source
            && retirement.end == End::Delete
            && task.change.as_deref().is_some_and(leaves)
    }

    pub(super) fn stopped(&self) -> bool {
        let failures = self.failures.load(Ordering::Relaxed);
        self.options.stop.is_set()
            || self.journal_error().is_some()
            || self.options.max_failures.is_some_and(|most| failures >= most.max(1))
    }

    fn journal_error(&self) -> MutexGuard<'_, Option<io::Error>> {
        self.journal_error.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the run: what cannot be noted is not done.
    pub(super) fn broken(&self, error: io::Error) {
        self.journal_error().get_or_insert(error);
    }

    fn end(&self, task: Task, fate: Fate) {
        let Task { name, mut action, wrote, retire, .. } = task;
        if action == "delete" && retire.iter().all(|one| one.end == End::Forget) {
            action = "forget";
        }
        let left = retire.into_iter().filter(Retirement::abandons).collect();
        self.progress.ended(&name, action, &fate);
        let mut outcomes = self.outcomes.lock().unwrap_or_else(PoisonError::into_inner);
        outcomes.push(Outcome { name, action, fate, wrote, left });
    }

    fn is_done(&self, name: &Name) -> bool {
        let outcomes = self.outcomes.lock().unwrap_or_else(PoisonError::into_inner);
        outcomes.iter().any(|outcome| outcome.name == *name && matches!(outcome.fate, Fate::Done))
    }

    pub(super) fn provider_of(&self, slot: &Slot) -> Result<&dyn RecordCallbackProvider, Error> {
        self.clouds.get(&slot.provider).ok_or_else(|| {
            Error::new(ErrorKind::InvalidConfig, format!("provider `{}` is not connected", slot.provider))
        })
    }
}

impl Task {
    fn new(name: Name, action: &'static str, change: Option<Box<Change>>, retire: Vec<Retirement>) -> Self {
        Self { name, action, change, retire, wrote: Write::Nothing }
    }

    fn after(&self) -> Option<&Name> {
        self.change.as_ref()?.after.as_ref()
    }

    /// The provider whose quota most of it takes.
    fn provider(&self) -> Name {
        let slot = self.change.as_ref().map(|change| &change.slot);
        let slot = slot.or_else(|| self.retire.first().map(|retirement| &retirement.slot));
        slot.map_or_else(|| self.name.clone(), |slot| slot.provider.clone())
    }
}

/// Whether `slot` is on another provider than the one the callback moves to.
fn leaves(slot: &Slot, change: &Change) -> bool {
    slot.provider != change.slot.provider
}
