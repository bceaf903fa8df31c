//! Deletes what callbacks leave behind, if it is still theirs.

use futures_util::{FutureExt, TryFutureExt};
use record_callback_core::{Error, ErrorKind};

use super::Stage;
use super::run::{Halt, Run, Step, Task, at};
use crate::observe::{Observed, Sight};
use crate::plan::{End, Left, Retirement};
use crate::slot::Slot;

impl Run<'_> {
    pub(super) async fn retire(&self, task: Task) -> (Task, Step<()>) {
        let mut result = Ok(());
        for retirement in &task.retire {
            result = self.retire_one(&task, retirement).await;
            if result.is_err() {
                break;
            }
        }
        (task, result)
    }

    /// Reads what is to be deleted once more: since the plan was made somebody may have changed or replaced it.
    pub(super) async fn look_again(&self, tasks: Vec<Task>) -> Vec<Task> {
        let slots = tasks.iter().flat_map(|task| {
            let deleted = task.retire.iter().filter(|one| one.end == End::Delete && !self.stays(task, one));
            deleted.map(|one| one.slot.clone())
        });
        let slots: Vec<Slot> = slots.collect();
        if slots.is_empty() || self.stopped() {
            return tasks;
        }
        let mut observed = self.clouds.observe(slots.iter().cloned()).await;
        self.clouds.confirm_missing(&mut observed, &slots).await;
        let looked = tasks.into_iter().filter_map(|mut task| {
            let result = self.judge_again(&mut task, &observed);
            self.unless_failed(task, result.map_err(at(Stage::Retire)))
        });
        looked.collect()
    }

    fn judge_again(&self, task: &mut Task, observed: &Observed) -> Result<(), Error> {
        for i in 0..task.retire.len() {
            let stays = self.stays(task, &task.retire[i]);
            let retirement = &mut task.retire[i];
            if retirement.end != End::Delete || stays {
                continue;
            }
            let left = match observed.sight(&retirement.slot) {
                Sight::Unreadable(error) => {
                    let message = format!("whether its old config is still ours cannot be read: {error}");
                    return Err(Error::new(error.kind(), message));
                }
                Sight::Nothing => Some(Left::Gone),
                Sight::UnknownProvider => None,
                Sight::Config(stored) => self.owned(&task.name, &retirement.slot).and_then(|owned| {
                    retirement.changed = owned.changed(&self.ledger.state().salt, stored);
                    owned.abandoned(stored, &retirement.changed)
                }),
            };
            if left.is_some() {
                (retirement.end, retirement.left) = (End::Forget, left);
                retirement.unplanned = true;
            }
        }
        Ok(())
    }

    async fn retire_one(&self, task: &Task, retirement: &Retirement) -> Step<()> {
        let slot = &retirement.slot;
        if self.stays(task, retirement) {
            return self.note_kept(&task.name, slot).await.map_err(at(Stage::Retire));
        }
        if retirement.end == End::Forget {
            return Ok(());
        }
        let provider = self.provider_of(slot).map_err(at(Stage::Retire))?;
        match self.pass(provider.delete(&slot.key).map_ok(|()| None).boxed()).await {
            None => Err(Halt::Stopped),
            Some(Err(error)) if error.kind() != ErrorKind::NotFound => Err(at(Stage::Retire)(error)),
            Some(_) => Ok(()),
        }
    }
}
