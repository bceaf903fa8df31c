//! Plans and reports as text, with colours that [`anstream`] takes away where nobody sees them.

use std::error::Error as StdError;

use anstyle::{AnsiColor, Style};
use record_callback::DeviationKind;
use record_callback::fleet::{
    Action, Change, End, Fate, Kept, Name, OpenSwitch, Plan, Removal, Report, Retirement, Step, Write,
};

pub(crate) use crate::output::escaped as visible;

/// What can be done about an open switch.
pub(crate) const SWITCH_HINT: &str = "`switch --resume` goes on with it, `switch --rollback` undoes it";

const GREEN: Style = AnsiColor::Green.on_default();
const YELLOW: Style = AnsiColor::Yellow.on_default();
const RED: Style = AnsiColor::Red.on_default();
const CYAN: Style = AnsiColor::Cyan.on_default();
const BOLD: Style = Style::new().bold();

/// Longer names do not push what is right of them away from the others.
const MAX_NAME_WIDTH: usize = 32;
/// So many names are listed in one line.
const MAX_NAMES: usize = 10;

/// A block for each callback that is not left alone, then how many there are of which kind.
pub(crate) fn plan(plan: &Plan) -> String {
    let touched = || plan.steps.iter().filter(|step| !matches!(step.action, Action::Keep(_)));
    let width = touched().map(|step| visible(&step.name).chars().count()).max().unwrap_or(0);
    let mut text = String::new();
    for step in touched() {
        block(&mut text, step, width.min(MAX_NAME_WIDTH));
    }
    if !text.is_empty() {
        text.push('\n');
    }
    let counts = plan.counts();
    if plan.is_clean() {
        let verb = if counts.keep == 1 { "is" } else { "are" };
        line(&mut text, &format!("Nothing to do: {} {verb} as declared.", callbacks(counts.keep)));
        kept(&mut text, plan);
    } else {
        kept(&mut text, plan);
        line(&mut text, &format!("Plan: {counts}."));
    }
    text
}

/// That a switch is open.
pub(crate) fn open_switch(switch: &OpenSwitch) -> String {
    format!("a switch of {} to `{}` is open", callbacks(switch.callbacks.len()), visible(&switch.to))
}

/// What became of one callback, in a line.
pub(crate) fn fate(name: &Name, fate: &Fate) -> String {
    let name = visible(name);
    match fate {
        Fate::Done => format!("{GREEN}done{GREEN:#}  {name}"),
        Fate::Failed(failure) => {
            format!("{RED}failed{RED:#}  {name}: {}: {}", failure.stage, visible(&failure.error.to_string()))
        }
        Fate::Blocked { reason, .. } => format!("{RED}blocked{RED:#}  {name}: {}", visible(reason)),
        Fate::Unfinished => format!("{YELLOW}unfinished{YELLOW:#}  {name}"),
    }
}

/// What did not go as planned and why, then how much did; and what to do `next` if not all did.
pub(crate) fn report(report: &Report, next: &str) -> String {
    let mut text = String::new();
    let (mut blocked, mut unfinished) = (Vec::new(), Vec::new());
    for outcome in &report.outcomes {
        let name = visible(&outcome.name);
        match &outcome.fate {
            Fate::Done => {}
            Fate::Failed(failure) => {
                line(&mut text, &format!("{RED}failed{RED:#} {BOLD}{name}{BOLD:#}"));
                field(&mut text, &failure.stage.to_string(), &failure.error.to_string());
                let mut source = failure.error.source();
                while let Some(cause) = source {
                    field(&mut text, "because", &cause.to_string());
                    source = cause.source();
                }
                field(&mut text, "hint", failure.hint());
            }
            // The plan has said why.
            Fate::Blocked { .. } if outcome.action == "blocked" => blocked.push(&outcome.name),
            Fate::Blocked { reason, hint } => {
                line(&mut text, &format!("{RED}blocked{RED:#} {BOLD}{name}{BOLD:#}"));
                field(&mut text, "reason", reason);
                field(&mut text, "hint", hint);
            }
            Fate::Unfinished => unfinished.push(&outcome.name),
        }
    }
    if !blocked.is_empty() {
        line(&mut text, &format!("{RED}blocked{RED:#} {}: see the plan", names(&blocked)));
    }
    if !unfinished.is_empty() {
        line(&mut text, &format!("{YELLOW}unfinished{YELLOW:#} {}", names(&unfinished)));
    }
    if !text.is_empty() {
        text.push('\n');
    }
    let done = |action| {
        let done =
            report.outcomes.iter().filter(|one| one.action == action && matches!(one.fate, Fate::Done));
        done.count()
    };
    let (created, updated, replaced) = (done("create"), done("update"), done("replace"));
    let (deleted, failed, unfinished) = (done("delete"), report.failed(), report.unfinished());
    line(
        &mut text,
        &format!(
            "Applied: {created} created, {updated} updated, {replaced} replaced, {deleted} deleted, \
             {failed} failed, {unfinished} unfinished."
        ),
    );
    if !report.is_done() {
        line(&mut text, &format!("Next: {}.", visible(next)));
    }
    text
}

/// The first few of `names`, and how many more there are.
pub(crate) fn names(names: &[&Name]) -> String {
    let first = names.iter().take(MAX_NAMES).map(|name| visible(*name)).collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(MAX_NAMES) {
        0 => first,
        more => format!("{first} and {more} more"),
    }
}

/// So many callbacks.
pub(crate) fn callbacks(count: usize) -> String {
    if count == 1 { "1 callback".to_owned() } else { format!("{count} callbacks") }
}

fn block(text: &mut String, step: &Step, width: usize) {
    let (style, sign, verb) = match &step.action {
        Action::Keep(_) => return,
        Action::Create(_) => (GREEN, "+", "create"),
        Action::Update(_) => (YELLOW, "~", "update"),
        Action::Replace(_) => (CYAN, "+/-", "replace"),
        Action::Delete(_) => (RED, "-", "delete"),
        Action::Blocked(_) => (RED, "!", "blocked"),
    };
    let place = match &step.action {
        Action::Keep(_) => None,
        Action::Create(change) | Action::Update(change) | Action::Replace(change) => Some(&change.slot),
        Action::Delete(removal) => match removal.retire.as_slice() {
            [one] => Some(&one.slot),
            _ => None,
        },
        Action::Blocked(blocked) => blocked.slot.as_ref(),
    };
    let place = place.map(|slot| visible(&slot.to_string())).unwrap_or_default();
    let name = visible(&step.name);
    let head = format!("{style}{sign:>3} {verb:<7}{style:#} {BOLD}{name:<width$}{BOLD:#}  {place}");
    line(text, head.trim_end());
    match &step.action {
        Action::Keep(_) => {}
        Action::Create(change) | Action::Update(change) | Action::Replace(change) => fields(text, change),
        Action::Delete(removal) => removed(text, removal),
        Action::Blocked(blocked) => {
            field(text, "reason", &blocked.reason);
            field(text, "hint", &blocked.hint);
        }
    }
}

fn fields(text: &mut String, change: &Change) {
    for one in &change.fields {
        let mut value = match &one.from {
            // Queries are not shown.
            Some(from) if *from == one.to => format!("{from} changes in its query"),
            Some(from) => format!("{from} -> {}", one.to),
            None => one.to.clone(),
        };
        if change.unseen.contains(&one.field) {
            value.push_str(" (cannot be read back)");
        }
        field(text, one.field.as_str(), &value);
    }
    let unseen = change.unseen.iter().filter(|unseen| change.fields.iter().all(|one| one.field != **unseen));
    for unseen in unseen {
        field(text, unseen.as_str(), "cannot be read back");
    }
    for deviation in &change.deviations {
        let kind = match deviation.kind {
            DeviationKind::Widened => "widened",
            DeviationKind::Dropped => "dropped",
        };
        let (asked, gets) = (&deviation.requested, &deviation.effective);
        field(text, kind, &format!("{}: asked for {asked}, gets {gets}", deviation.field));
    }
    if change.write == Write::Nothing && change.retire.is_empty() {
        field(text, "state", "the config is there already, only the note of it is corrected");
    }
    if let Some(place) = &change.renamed_from {
        field(text, "is", &format!("the config in {place}: two names of one provider"));
    }
    if let Some(name) = &change.taken_from {
        field(text, "takes over", &format!("the config of `{name}`"));
    }
    if let Some(name) = &change.after {
        field(text, "after", &format!("`{name}` has moved away"));
    }
    for retirement in &change.retire {
        retired(text, "then", retirement);
    }
}

fn removed(text: &mut String, removal: &Removal) {
    match removal.retire.as_slice() {
        // The head has said it.
        [Retirement { end: End::Delete, .. }] => {}
        all => {
            for retirement in all {
                retired(text, "config", retirement);
            }
        }
    }
}

fn retired(text: &mut String, label: &str, retirement: &Retirement) {
    let slot = &retirement.slot;
    let end = match retirement.end {
        End::Delete => format!("delete {slot}"),
        End::Forget => format!("forget {slot}: it is gone, or not ours any more"),
    };
    field(text, label, &end);
}

/// What is to be known of the callbacks that are left alone.
fn kept(text: &mut String, plan: &Plan) {
    let count = |which: fn(&Kept) -> bool| {
        let kept = plan.steps.iter().filter(|step| matches!(&step.action, Action::Keep(kept) if which(kept)));
        kept.count()
    };
    let notes = [
        (count(|kept| kept.key_unseen), "whose signing key the cloud hides: it cannot be read back"),
        (
            count(|kept| kept.not_owned),
            "as declared, but not ours: never deleted unless taken over with `import`",
        ),
        (count(|kept| kept.source_kept), "with the source of an earlier switch kept beside it"),
    ];
    for (count, note) in notes.into_iter().filter(|(count, _)| *count > 0) {
        line(text, &format!("Note: {} {note}.", callbacks(count)));
    }
}

/// A line of a block. What came from a cloud cannot move the cursor.
fn field(text: &mut String, label: &str, value: &str) {
    line(text, &format!("      {label:<13}  {}", visible(value)));
}

fn line(text: &mut String, line: &str) {
    text.push_str(line);
    text.push('\n');
}
