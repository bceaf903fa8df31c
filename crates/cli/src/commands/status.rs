//! `record-callback status`

use record_callback::ConfigId;
use record_callback::fleet::{Manifest, Name, OpenSwitch, Slot, Standing, State};
use serde::Serialize;

use crate::args::fleet::StatusArguments;
use crate::failure::Failure;
use crate::fleet::{Fleet, show};
use crate::output;

#[derive(Serialize)]
struct Status {
    configs: Vec<Row>,
    switch: Option<OpenSwitch>,
}

/// A config that is ours, or is to be.
#[derive(Serialize)]
struct Row {
    name: Name,
    #[serde(flatten)]
    slot: Option<Slot>,
    id: Option<ConfigId>,
    /// `None` where nothing was written yet.
    standing: Option<Standing>,
    /// True if it is never deleted.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    protect: bool,
    declared: Declared,
}

/// What the manifest says of a callback with a config.
#[derive(Serialize, Clone, Copy, PartialEq)]
#[serde(rename_all = "snake_case")]
enum Declared {
    /// It belongs there.
    Here,
    /// It belongs elsewhere.
    Elsewhere,
    /// Nothing.
    No,
}

pub(crate) fn run(arguments: &StatusArguments) -> Result<(), Failure> {
    let fleet = Fleet::load(&arguments.fleet)?;
    let state = fleet.read_state()?;
    let status = Status { configs: rows(&fleet.manifest, &state), switch: state.switch };
    Ok(output::print(arguments.output.output, &status, text)?)
}

/// By callback; the place it is to have first.
fn rows(manifest: &Manifest, state: &State) -> Vec<Row> {
    let mut names: Vec<&Name> = manifest.callbacks().keys().chain(state.entries.keys()).collect();
    names.sort_unstable();
    names.dedup();
    let mut rows = Vec::new();
    for name in names {
        let callback = manifest.callbacks().get(name);
        let wanted = callback.and_then(|callback| manifest.slot_of(callback));
        let configs = state.configs_of(name);
        if callback.is_some() && !configs.iter().any(|config| Some(&config.slot) == wanted.as_ref()) {
            let slot = wanted.clone();
            let (name, declared) = (name.clone(), Declared::Here);
            rows.push(Row { name, slot, id: None, standing: None, protect: false, declared });
        }
        let owned = configs.iter().map(|config| Row {
            name: name.clone(),
            slot: Some(config.slot.clone()),
            id: config.id.clone(),
            standing: Some(config.standing),
            protect: config.protect,
            declared: match (&wanted, callback) {
                (_, None) => Declared::No,
                (Some(slot), _) if *slot == config.slot => Declared::Here,
                _ => Declared::Elsewhere,
            },
        });
        let mut owned: Vec<_> = owned.collect();
        owned.sort_by(|one, other| {
            let key = |row: &Row| (row.declared != Declared::Here, row.slot.clone());
            key(one).cmp(&key(other))
        });
        rows.extend(owned);
    }
    rows
}

fn text(status: &Status) -> String {
    let rows = status.configs.iter().map(|row| {
        let place = |part: fn(&Slot) -> String| row.slot.as_ref().map_or_else(|| "-".to_owned(), part);
        [
            row.name.to_string(),
            place(|slot| slot.provider.to_string()),
            place(|slot| slot.key.domain.to_string()),
            place(|slot| slot.key.app.to_string()),
            row.id.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string),
            format!("{}{}", standing(row.standing), if row.protect { ", protected" } else { "" }),
            match row.declared {
                Declared::Here => "here",
                Declared::Elsewhere => "elsewhere",
                Declared::No => "no",
            }
            .to_owned(),
        ]
    });
    let header = ["CALLBACK", "PROVIDER", "DOMAIN", "APP", "ID", "STANDING", "DECLARED"];
    let table = output::table(&header, rows);
    let notes = interrupted(&status.configs).into_iter().chain(status.switch.as_ref().map(open_switch));
    let notes: Vec<_> = notes.map(|note| format!("Note: {note}.")).collect();
    if notes.is_empty() { table } else { format!("{table}\n\n{}", notes.join("\n")) }
}

fn interrupted(configs: &[Row]) -> Option<String> {
    let open = |row: &&Row| matches!(row.standing, Some(Standing::Creating | Standing::Updating));
    let configs = match configs.iter().filter(open).count() {
        0 => return None,
        1 => "1 config".to_owned(),
        count => format!("{count} configs"),
    };
    Some(format!("writing {configs} was begun and not ended: `apply` goes on from there"))
}

fn open_switch(switch: &OpenSwitch) -> String {
    let moving: Vec<_> = switch.callbacks.keys().collect();
    format!("{} ({}): {}", show::open_switch(switch), show::names(&moving), show::SWITCH_HINT)
}

fn standing(standing: Option<Standing>) -> &'static str {
    match standing {
        None => "-",
        Some(Standing::Creating) => "creating",
        Some(Standing::Updating) => "updating",
        Some(Standing::Current) => "current",
        Some(Standing::Kept) => "kept",
        Some(Standing::Lost) => "lost",
    }
}
