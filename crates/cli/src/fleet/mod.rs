//! A manifest, its state and its clouds, for the commands about fleets.

pub(crate) mod applying;
pub(crate) mod confirm;
pub(crate) mod key_files;
pub(crate) mod progress;
pub(crate) mod show;
pub(crate) mod siblings;
pub(crate) mod watch;

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use record_callback::fleet::{
    Clouds, Keys, Manifest, ManifestFile, ManifestFormat, Name, Plan, PlanInput, Record, State, StateError,
    StateFile, Targets, plan,
};
use record_callback::http::OsEnv;
use record_callback::{InvalidConfig, ManifestKeys, ProviderConfig, connect_all};
use tempfile::NamedTempFile;

use self::siblings::Siblings;
use crate::args::fleet::FleetArguments;
use crate::failure::Failure;
use crate::shape::{Kind, Shape};

const STATE: &str = "record-callback.state.json";
/// No manifest is longer: 1 GiB. One of a million callbacks has some 200 MiB.
const LONGEST: u64 = 1024 * 1024 * 1024;
/// The manifest whose state is called only that.
const MANIFEST: &str = "fleet";

/// A fleet as its manifest declares it, connected.
#[derive(Debug)]
pub(crate) struct Fleet {
    pub(crate) manifest: Manifest,
    pub(crate) keys: Keys,
    pub(crate) clouds: Clouds,
    pub(crate) path: PathBuf,
    pub(crate) format: ManifestFormat,
    /// The manifest as it was read.
    pub(crate) text: String,
    state: PathBuf,
    /// Which cloud each provider is.
    places: BTreeMap<Name, String>,
}

impl Fleet {
    /// Reads the manifest and connects its providers. Makes no call.
    pub(crate) fn load(arguments: &FleetArguments) -> Result<Self, Failure> {
        let path = arguments.manifest.clone();
        let text = read_manifest(&path)?;
        let format = ManifestFormat::of_path(&path);
        let mut file = ManifestFile::<ProviderConfig>::parse(&text, format).map_err(|problems| {
            let expected = Shape { kind: Kind::Manifest, format };
            match Shape::of(&text).filter(|shape| *shape != expected) {
                Some(shape) => misshapen("--manifest", &path, shape, expected),
                None => Failure::Manifest { path: path.clone(), problems },
            }
        })?;
        let directory = directory(&path);
        for config in file.providers.values_mut() {
            config.resolve_paths(directory);
        }
        let keys = file.manifest.keys(&ManifestKeys::new(OsEnv, directory));
        let mut clouds = Clouds::new(connect_all(&file.providers, OsEnv)?);
        if let Some(parallel) = arguments.parallel {
            clouds = clouds.parallel(parallel.get());
        }
        let state = arguments.state.clone().unwrap_or_else(|| directory.join(state_name(&path)));
        let places = file.providers.iter().map(|(name, config)| (name.clone(), config.place())).collect();
        Ok(Self { manifest: file.manifest, keys, clouds, path, format, text, state, places })
    }

    /// Reads the manifest and what is ours, locked: nobody else changes either until the file is dropped.
    pub(crate) fn load_locked(arguments: &FleetArguments) -> Result<(Self, StateFile, State), Failure> {
        // What is wrong with the manifest is said before a state is made for it.
        let fleet = Self::load(arguments)?;
        let (file, state) = StateFile::open(&fleet.state).map_err(of_state)?;
        // Whoever had the lock until now may have written the manifest, too.
        let fleet = if fleet.read_again()? == fleet.text { fleet } else { Self::load(arguments)? };
        Ok((fleet, file, state))
    }

    /// What is ours, without locking it.
    pub(crate) fn read_state(&self) -> Result<State, Failure> {
        StateFile::read(&self.state).map_err(of_state)
    }

    /// Refuses providers that are other clouds than those the state is about.
    pub(crate) fn check_places(&self, state: &State) -> Result<(), Failure> {
        let Some((provider, noted)) = state.misplaced(&self.places) else { return Ok(()) };
        let now = self.places.get(provider).map(String::as_str).unwrap_or_default();
        Err(Failure::Refused {
            problem: format!("provider `{provider}` is {now}, and what the state has of it is in {noted}"),
            hint: "give another cloud another name, or another --state; if it is the same one, `import` notes it"
                .to_owned(),
        })
    }

    /// What has to be noted of which cloud is which.
    pub(crate) fn places(&self, state: &State) -> Vec<Record> {
        let new = self.places.iter().filter(|(name, place)| state.places.get(*name) != Some(*place));
        new.map(|(name, place)| Record::Place { provider: name.clone(), place: place.clone() }).collect()
    }

    pub(crate) fn state_path(&self) -> &Path {
        &self.state
    }

    /// Reads what a plan needs, and makes it. `manifest` may be another one than the fleet's, of the same providers.
    pub(crate) async fn plan(
        &self,
        manifest: &Manifest,
        state: &State,
        targets: &Targets,
        drop_kept: bool,
    ) -> Result<Plan, Failure> {
        let observed = &self.clouds.observe(PlanInput::slots(manifest, state, targets)).await;
        let keys = &self.keys;
        let mut plan = plan(&PlanInput { manifest, keys, observed, state, targets, drop_kept });
        Siblings::block(self, state, &mut plan)?;
        Ok(plan)
    }

    /// Says what another fleet of the directory took over, and which.
    pub(crate) fn tell_lost(&self, state: &State) -> Result<(), Failure> {
        for lost in Siblings::lost(self, state)? {
            writeln!(io::stderr(), "note: {}", show::visible(&lost))?;
        }
        Ok(())
    }

    /// Refuses names that are neither declared nor owned.
    pub(crate) fn check_targets(&self, targets: &Targets, state: &State) -> Result<(), Failure> {
        let Targets::Only(names) = targets else { return Ok(()) };
        let known = |name| self.manifest.callbacks().contains_key(name) || state.entries.contains_key(name);
        match names.iter().find(|name| !known(name)) {
            None => Ok(()),
            Some(name) => {
                let problem = format!("--target: there is no callback `{name}`");
                let hint = "name one that the manifest declares, or that `status` shows".to_owned();
                Err(Failure::Misused { problem, hint })
            }
        }
    }

    /// The directory that paths in the manifest are relative to.
    pub(crate) fn directory(&self) -> &Path {
        directory(&self.path)
    }

    /// The manifest's text as it is now: it may have been edited since it was read.
    pub(crate) fn read_again(&self) -> Result<String, Failure> {
        read_manifest(&self.path)
    }

    /// Writes the manifest: all of it, or nothing.
    pub(crate) fn rewrite(&self, text: &str) -> io::Result<()> {
        // A link stays a link.
        let path = fs::canonicalize(&self.path)?;
        let directory = directory(&path);
        let mut file = NamedTempFile::new_in(directory)?;
        file.write_all(text.as_bytes())?;
        file.as_file().set_permissions(fs::metadata(&path)?.permissions())?;
        file.as_file().sync_all()?;
        file.persist(&path).map_err(|error| error.error)?;
        fs::File::open(directory)?.sync_all()
    }
}

/// Manifests beside each other have a state each.
fn state_name(manifest: &Path) -> String {
    match manifest.file_stem().and_then(|stem| stem.to_str()) {
        Some(stem) if stem != MANIFEST => format!("{stem}.{STATE}"),
        _ => STATE.to_owned(),
    }
}

/// The directory that a file is in.
fn directory(path: &Path) -> &Path {
    match path.parent() {
        Some(directory) if !directory.as_os_str().is_empty() => directory,
        _ => Path::new("."),
    }
}

fn read_manifest(path: &Path) -> Result<String, Failure> {
    record_callback_durable::read_text(path, LONGEST).map_err(|error| {
        let problem = format!("{}: {error}", path.display());
        InvalidConfig::new("--manifest", problem, "a fleet's manifest, TOML or JSON").into()
    })
}

/// Says what the file is instead, if that shows.
fn of_state(error: StateError) -> Failure {
    if let StateError::Malformed { path, .. } = &error
        && let Ok(text) = record_callback_durable::read_text(path, LONGEST)
        && let Some(shape) = Shape::of(&text)
        && shape.kind != Kind::State
    {
        return misshapen("--state", path, shape, Shape { kind: Kind::State, format: ManifestFormat::Json });
    }
    error.into()
}

/// The failure for a file that is something else.
fn misshapen(argument: &'static str, path: &Path, shape: Shape, expected: Shape) -> Failure {
    let rule = match (expected.kind, expected.format) {
        (kind, ManifestFormat::Json) if shape.kind == kind => "JSON, because its name ends in `.json`",
        (kind, ManifestFormat::Toml) if shape.kind == kind => {
            "TOML, because its name does not end in `.json`"
        }
        (Kind::State, _) => "a fleet's state",
        _ => "a fleet's manifest, TOML or JSON",
    };
    InvalidConfig::new(argument, format!("{}: is {shape}, not {expected}", path.display()), rule).into()
}
