//! `record-callback import`

use std::collections::{BTreeMap, BTreeSet, HashMap};

use record_callback::fleet::{
    Import, ImportRequest, KeyReference, KeySource, Name, Record, Skipped, Slot, State, StateFile,
    append_callbacks, import,
};
use record_callback::http::OsEnv;
use record_callback::{InvalidConfig, ManifestKeys};
use serde::Serialize;

use crate::args::fleet::ImportArguments;
use crate::failure::Failure;
use crate::fleet::siblings::Siblings;
use crate::fleet::{self, Fleet, key_files};
use crate::output;

#[derive(Serialize)]
struct ImportLine<'a> {
    imported: Vec<Imported<'a>>,
    skipped: &'a [Skipped],
    written: bool,
}

#[derive(Serialize)]
struct Imported<'a> {
    name: &'a Name,
    #[serde(flatten)]
    slot: &'a Slot,
    import: How,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum How {
    /// The manifest had it.
    Adopted,
    /// The manifest has it now.
    Added,
}

pub(crate) async fn run(arguments: ImportArguments) -> Result<(), Failure> {
    let taken = if arguments.dry_run {
        let fleet = Fleet::load(&arguments.fleet)?;
        let state = fleet.read_state()?;
        fleet.check_owners(&state).await?;
        let request = request(&arguments, &fleet, &Siblings::of(&fleet)?)?;
        import(&fleet.manifest, &fleet.keys, &state, &fleet.clouds, &request).await?
    } else {
        let (fleet, file, state) = Fleet::load_locked(&arguments.fleet)?;
        // What it has begun to create is nobody else's.
        fleet::check_switch(&state)?;
        fleet.check_owners(&state).await?;
        let _alone = fleet.lock_directories()?;
        let siblings = Siblings::of(&fleet)?;
        let request = request(&arguments, &fleet, &siblings)?;
        let taken = import(&fleet.manifest, &fleet.keys, &state, &fleet.clouds, &request).await?;
        if !taken.owned.is_empty() || fleet.is_elsewhere(&state).await? {
            write(&taken, &fleet, &siblings, &file, &state).await?;
        }
        taken
    };
    let added: BTreeSet<&Name> = taken.added.iter().map(|declaration| &declaration.name).collect();
    let imported = taken.owned.iter().map(|(name, owned)| {
        let import = if added.contains(name) { How::Added } else { How::Adopted };
        Imported { name, slot: &owned.slot, import }
    });
    let line = ImportLine {
        imported: imported.collect(),
        skipped: &taken.skipped,
        written: !arguments.dry_run && !taken.owned.is_empty(),
    };
    output::print(arguments.output.output, &line, text)?;
    let elsewhere = taken.skipped.iter().filter(|skipped| skipped.is_owned_elsewhere).count();
    if elsewhere == 0 {
        return Ok(());
    }
    let problem =
        format!("{elsewhere} of the configs belong to another fleet of this directory, and are left to it");
    let hint = "take them over with --take-over, or leave them out with --provider and --domain".to_owned();
    Err(Failure::Refused { problem, hint })
}

fn request(
    arguments: &ImportArguments,
    fleet: &Fleet,
    siblings: &Siblings,
) -> Result<ImportRequest, Failure> {
    for provider in &arguments.providers {
        if !fleet.manifest.providers().contains(provider) {
            let problem = format!("there is no provider `{provider}`");
            return Err(InvalidConfig::new("--provider", problem, "a provider of the manifest").into());
        }
    }
    let reference = match (&arguments.key_env, &arguments.key_file) {
        (Some(name), _) => Some(KeyReference::Env(name.clone())),
        (None, Some(path)) => Some(KeyReference::File(path.clone())),
        (None, None) => None,
    };
    let keys = ManifestKeys::new(OsEnv, fleet.directory());
    let key = reference.map(|reference| keys.key(&reference).map(|key| (reference, key))).transpose()?;
    Ok(ImportRequest {
        providers: arguments.providers.iter().cloned().collect(),
        domain: arguments.domain.clone(),
        key,
        key_directory: arguments.key_directory.clone(),
        hidden_is_unsigned: arguments.hidden_is_unsigned,
        owned_elsewhere: if arguments.take_over { BTreeMap::new() } else { siblings.owned(fleet) },
    })
}

/// Writes what was found: key files, the manifest, the states of those who had it, then the state.
///
/// In this order because running it again has to complete it, whenever this dies. A config that is declared and not ours
/// is adopted by the next import, and until then a plan leaves it alone; one that is ours and not declared the next plan
/// would delete. The keys are there before the manifest refers to them, and are found as they are the next time. All of
/// the state changes at once.
async fn write(
    taken: &Import,
    fleet: &Fleet,
    siblings: &Siblings,
    file: &StateFile,
    state: &State,
) -> Result<(), Failure> {
    // Somebody may have written it since it was read.
    let text = fleet.read_again()?;
    let extended = append_callbacks(&text, fleet.format, &taken.added).map_err(|error| Failure::Refused {
        problem: format!("the manifest cannot be extended, and nothing was changed: {error}"),
        hint: "change it by hand, then run this again".to_owned(),
    })?;
    key_files::write(fleet.directory(), &taken.keys)?;
    if extended != text {
        fleet.rewrite(&extended)?;
    }
    let holders: HashMap<&Slot, &Name> = state.configs().map(|(name, config)| (&config.slot, name)).collect();
    let mut noted = state.clone();
    for place in fleet.places(state) {
        noted.take(place);
    }
    for (name, owned) in &taken.owned {
        // An interrupted run may have noted the place for another callback.
        let holder = holders.get(&owned.slot).filter(|holder| **holder != name);
        let (name, config) = (name.clone(), owned.clone());
        noted.take(match holder {
            Some(from) => Record::TakeOver { from: Name::clone(from), name, config },
            None => Record::Config { name, config },
        });
    }
    siblings.take_over(fleet, taken.owned.iter().map(|(_, owned)| &owned.slot)).await?;
    Ok(file.checkpoint(&noted)?)
}

fn text(line: &ImportLine<'_>) -> String {
    let ImportLine { imported, skipped, .. } = line;
    if imported.is_empty() && skipped.is_empty() {
        return "Nothing to import: what the clouds have is ours already.".to_owned();
    }
    let mut parts = Vec::new();
    if !imported.is_empty() {
        let how = |one: &Imported<'_>| match one.import {
            How::Adopted => "adopted".to_owned(),
            How::Added => "added".to_owned(),
        };
        let rows = imported.iter().map(|one| [one.name.to_string(), one.slot.to_string(), how(one)]);
        parts.push(output::table(&["CALLBACK", "PLACE", "IMPORT"], rows));
    }
    if !skipped.is_empty() {
        let rows = skipped.iter().map(|one| [one.slot.to_string(), one.reason.clone(), one.hint.clone()]);
        parts.push(output::table(&["PLACE", "SKIPPED", "HINT"], rows));
    }
    parts.join("\n\n")
}
