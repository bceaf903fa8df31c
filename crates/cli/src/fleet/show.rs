//! Plans and reports as text, with colours that [`anstream`] takes away where nobody sees them.

use std::error::Error as StdError;

use anstyle::{AnsiColor, Style};
use record_callback::DeviationKind;
use record_callback::fleet::{
    Action, Change, End, Fate, Kept, Left, Name, OpenSwitch, Plan, Reason, Removal, Report, Retirement, Step,
    Tally, Write,
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
        // The report says why.
        Fate::Failed(failure) => format!("{RED}failed{RED:#}  {name}: {}", failure.stage),
        Fate::Blocked { .. } => format!("{RED}blocked{RED:#}  {name}"),
        Fate::Unfinished => format!("{YELLOW}unfinished{YELLOW:#}  {name}"),
    }
}

/// What did not go as planned and why, then how much did; and what to do `next` if not all did.
pub(crate) fn report(report: &Report, next: &str) -> String {
    let mut text = String::new();
    let mut unfinished = Vec::new();
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
            Fate::Blocked { .. } if outcome.action == "blocked" => {}
            Fate::Blocked { reason, hint } => {
                line(&mut text, &format!("{RED}blocked{RED:#} {BOLD}{name}{BOLD:#}"));
                field(&mut text, "reason", reason);
                field(&mut text, "hint", hint);
            }
            Fate::Unfinished => unfinished.push(&outcome.name),
        }
    }
    if !unfinished.is_empty() {
        line(&mut text, &format!("{YELLOW}unfinished{YELLOW:#} {}", names(&unfinished)));
    }
    // The plan has told of the others.
    for (name, left) in report.left().filter(|(_, left)| left.is_unplanned()) {
        line(&mut text, &format!("{YELLOW}left{YELLOW:#} {BOLD}{name}{BOLD:#}"));
        retired(&mut text, "config", left);
    }
    if !text.is_empty() {
        text.push('\n');
    }
    line(&mut text, &tally(report.tally()));
    if !report.is_done() {
        line(&mut text, &format!("Next: {}.", visible(next)));
    }
    text
}

/// The number of callbacks by what was done with them; rare ends only where there are any.
fn tally(tally: Tally) -> String {
    let Tally { created, updated, replaced, deleted, forgotten, failed, blocked, unfinished } = tally;
    let some = |count: usize, what: &str| if count > 0 { format!(", {count} {what}") } else { String::new() };
    format!(
        "Applied: {created} created, {updated} updated, {replaced} replaced, {deleted} deleted{}, {failed} failed, \
         {unfinished} unfinished{}.",
        some(forgotten, "forgotten"),
        some(blocked, "blocked"),
    )
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
        Action::Forget(_) => (YELLOW, "-", "forget"),
        Action::Blocked(_) => (RED, "!", "blocked"),
    };
    let place = match &step.action {
        Action::Keep(_) => None,
        Action::Create(change) | Action::Update(change) | Action::Replace(change) => Some(&change.slot),
        Action::Delete(removal) | Action::Forget(removal) => match removal.retire.as_slice() {
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
        Action::Delete(removal) | Action::Forget(removal) => removed(text, removal),
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
    if let Some(protect) = change.protect {
        field(text, "protect", if protect { "from now on it is never deleted" } else { "not any more" });
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
    if let Some(first) = removal.retire.first() {
        field(text, "reason", &reason(&first.reason));
    }
    match removal.retire.as_slice() {
        // The head has said where it is, and that it goes.
        [one @ Retirement { end: End::Delete, .. }] => shows(text, one),
        all => {
            for retirement in all {
                retired(text, "config", retirement);
            }
        }
    }
}

fn retired(text: &mut String, label: &str, retirement: &Retirement) {
    let Retirement { slot, end, left, changed, .. } = retirement;
    let fields = || changed.iter().map(|field| field.as_str()).collect::<Vec<_>>().join(", ");
    let why = match (end, left) {
        (End::Delete, _) => String::new(),
        (End::Forget, None | Some(Left::Gone)) => ": it is not there any more".to_owned(),
        (End::Forget, Some(Left::Replaced)) => ": replaced by somebody else since; theirs stays".to_owned(),
        (End::Forget, Some(Left::Changed)) => {
            format!(": changed by somebody else since ({}); it stays there", fields())
        }
        (End::Forget, Some(Left::NotWritten)) => {
            format!(": not what an interrupted run was to write there ({}); it stays there", fields())
        }
        (End::Forget, Some(Left::TakenOver)) => ": another manifest took it over; it stays there".to_owned(),
        (End::Forget, Some(Left::Renamed { to })) => format!(": the same config as {to}"),
    };
    let verb = if *end == End::Delete { "delete" } else { "forget" };
    let moved = match &retirement.reason {
        Reason::Moved { .. } if *end == End::Delete => format!(": {}", reason(&retirement.reason)),
        _ => String::new(),
    };
    field(text, label, &format!("{verb} {slot}{why}{moved}"));
    shows(text, retirement);
}

/// Shows what goes, or stays, so that it can be recognised.
fn shows(text: &mut String, retirement: &Retirement) {
    for shown in &retirement.shows {
        field(text, &format!("  {}", shown.field.as_str()), &shown.now);
    }
    if retirement.end == End::Delete && !retirement.changed.is_empty() {
        let fields = retirement.changed.iter().map(|field| field.as_str()).collect::<Vec<_>>().join(", ");
        field(
            text,
            "  note",
            &format!("changed by somebody else since ({fields}); by its id it is still ours"),
        );
    }
}

fn reason(reason: &Reason) -> String {
    match reason {
        Reason::NotDeclared => "no longer declared".to_owned(),
        Reason::Destroyed => "everything is to go".to_owned(),
        Reason::Moved { to } => format!("moved to {to}"),
    }
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
    let left =
        plan.retirements().filter(|(_, one)| one.abandons() && one.left != Some(Left::TakenOver)).count();
    if left > 0 {
        let configs = if left == 1 { "1 config stays".to_owned() } else { format!("{left} configs stay") };
        line(
            text,
            &format!("Note: {configs} in the clouds and will be nobody's: somebody else wrote there since."),
        );
    }
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
