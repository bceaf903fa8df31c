//! A manifest, its state and its clouds, for the commands about fleets.

pub(crate) mod applying;
pub(crate) mod confirm;
pub(crate) mod consent;
pub(crate) mod key_files;
pub(crate) mod progress;
pub(crate) mod show;
pub(crate) mod siblings;
pub(crate) mod watch;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use record_callback::fleet::{
    Accounts, Clouds, Keys, Manifest, ManifestFile, ManifestFormat, Name, Observed, OtherAccount, Plan,
    PlanInput, Record, SavedPlan, State, StateError, StateFile, Targets, plan, plan_destruction,
};
use record_callback::http::OsEnv;
use record_callback::{ErrorKind, InvalidConfig, ManifestKeys, ProviderConfig, connect_all};
use tempfile::NamedTempFile;
use tokio::sync::OnceCell;

use self::siblings::Siblings;
use crate::args::fleet::FleetArguments;
use crate::failure::Failure;
use crate::shape::{Kind, Shape};

/// The state of `fleet.toml`; those of other manifests have their name before it.
const STATE: &str = "record-callback.state.json";
/// No manifest is longer: 1 GiB. One of a million callbacks has some 200 MiB.
const LONGEST: u64 = 1024 * 1024 * 1024;
/// The manifest whose state is called only that.
const MANIFEST: &str = "fleet";

/// The purpose of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// That the clouds are as declared.
    Apply,
    /// That nothing of ours is in the clouds.
    Destroy,
}

impl Purpose {
    fn plan(self, input: &PlanInput<'_>) -> Plan {
        match self {
            Self::Apply => plan(input),
            Self::Destroy => plan_destruction(input),
        }
    }
}

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
    /// Whose the clouds are, once that was asked.
    accounts: OnceCell<Accounts>,
    /// The view of the clouds that the last plan was made of.
    observed: Mutex<Observed>,
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
        Ok(Self {
            manifest: file.manifest,
            keys,
            clouds,
            path,
            format,
            text,
            state,
            places,
            accounts: OnceCell::new(),
            observed: Mutex::default(),
        })
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

    /// Refuses providers that are other clouds than those the state is about, or whose keys are of other accounts.
    pub(crate) async fn check_places(&self, state: &State) -> Result<(), Failure> {
        self.check_addresses(state)?;
        others(&state.other_accounts(self.accounts().await?))
    }

    /// The same for what may be noted anew: a provider that has configs of ours must be of the account that was noted.
    pub(crate) async fn check_owners(&self, state: &State) -> Result<(), Failure> {
        let mut other = state.other_accounts(self.accounts().await?);
        other.retain(|other| state.owns_at(&other.provider));
        others(&other)
    }

    /// Tells if an address or an account is another than the state notes.
    pub(crate) async fn is_elsewhere(&self, state: &State) -> Result<bool, Failure> {
        Ok(self.check_addresses(state).is_err() || !state.other_accounts(self.accounts().await?).is_empty())
    }

    /// Whose the keys of each provider are. Asked once; what cannot be learnt is said then.
    async fn accounts(&self) -> Result<&Accounts, Failure> {
        if let Some(accounts) = self.accounts.get() {
            return Ok(accounts);
        }
        let accounts = self.accounts.get_or_init(|| self.clouds.accounts()).await;
        for (provider, error) in accounts.unknown() {
            let why = match error {
                None => "the vendor has no way to tell".to_owned(),
                // Whatever is called next says so at length.
                Some(error) if error.kind() == ErrorKind::Unauthenticated => {
                    "there is no key that the cloud takes".to_owned()
                }
                Some(error) => error.to_string(),
            };
            writeln!(
                io::stderr(),
                "warning: provider `{provider}`: whose account its keys are of is not known, and not compared: {why}"
            )?;
        }
        Ok(accounts)
    }

    /// The same for who looks again and again: keys may have been exchanged since. Not asked where nobody answered before.
    pub(crate) async fn other_accounts_now(&self, state: &State) -> Vec<OtherAccount> {
        match self.accounts.get() {
            Some(before) if state.accounts.keys().any(|provider| before.get(provider).is_some()) => {
                state.other_accounts(&self.clouds.accounts().await)
            }
            _ => Vec::new(),
        }
    }

    fn check_addresses(&self, state: &State) -> Result<(), Failure> {
        let Some((provider, noted)) = state.misplaced(&self.places) else { return Ok(()) };
        let now = self.places.get(provider).map(String::as_str).unwrap_or_default();
        Err(Failure::Refused {
            problem: format!("provider `{provider}` is {now}, and what the state has of it is in {noted}"),
            hint: "give another cloud another name, or another --state; if it is the same one, `import` notes it"
                .to_owned(),
        })
    }

    /// The records to note of which cloud is which, and whose.
    pub(crate) fn places(&self, state: &State) -> Vec<Record> {
        let new = self.places.iter().filter(|(name, place)| state.places.get(*name) != Some(*place));
        let places = new.map(|(name, place)| Record::Place { provider: name.clone(), place: place.clone() });
        let observed = self.observed.lock().unwrap_or_else(PoisonError::into_inner);
        let accounts = self.accounts.get().map(|now| state.new_accounts(now, &observed));
        places.chain(accounts.into_iter().flatten()).collect()
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
        self.planned(Purpose::Apply, manifest, state, targets, drop_kept, |plan, _| Ok(plan)).await
    }

    /// The plan of the fleet's own manifest.
    pub(crate) async fn plan_for(
        &self,
        purpose: Purpose,
        state: &State,
        targets: &Targets,
    ) -> Result<Plan, Failure> {
        self.planned(purpose, &self.manifest, state, targets, false, |plan, _| Ok(plan)).await
    }

    /// The same, and what to save of it.
    pub(crate) async fn plan_to_save(
        &self,
        purpose: Purpose,
        state: &State,
        targets: &Targets,
    ) -> Result<(Plan, SavedPlan), Failure> {
        let made = |plan: Plan, input: &PlanInput<'_>| {
            let saved = SavedPlan::new(&plan, input, &self.text, purpose == Purpose::Destroy)?;
            Ok((plan, saved))
        };
        self.planned(purpose, &self.manifest, state, targets, false, made).await
    }

    /// The plan that was saved, if everything is as it was then.
    pub(crate) async fn plan_again(&self, saved: &SavedPlan, state: &State) -> Result<Plan, Failure> {
        let purpose = if saved.destroys() { Purpose::Destroy } else { Purpose::Apply };
        let made = |plan: Plan, input: &PlanInput<'_>| {
            let changed = saved.outdated_by(&plan, input, &self.text)?;
            Ok((plan, changed))
        };
        let targets = &saved.targets();
        let planned = self.planned(purpose, &self.manifest, state, targets, false, made);
        let (plan, changed) = planned.await?;
        if changed.is_empty() {
            return Ok(plan);
        }
        Err(Failure::Refused {
            problem: format!("since the plan was saved, {} changed: nothing was done", changed.join(", ")),
            hint: "make the plan again with `plan --out`, and look at it".to_owned(),
        })
    }

    /// Makes a plan, for whatever `make` makes of it: every plan comes by here.
    async fn planned<T>(
        &self,
        purpose: Purpose,
        manifest: &Manifest,
        state: &State,
        targets: &Targets,
        drop_kept: bool,
        make: impl FnOnce(Plan, &PlanInput<'_>) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let mut observed = self.clouds.observe(PlanInput::slots(manifest, state, targets)).await;
        self.clouds.confirm_missing(&mut observed, state.slots()).await;
        let input = PlanInput { manifest, keys: &self.keys, observed: &observed, state, targets, drop_kept };
        let mut plan = purpose.plan(&input);
        Siblings::block(self, state, &mut plan)?;
        let result = make(plan, &input)?;
        *self.observed.lock().unwrap_or_else(PoisonError::into_inner) = observed;
        Ok(result)
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

    /// Waits until no other fleet of its directories claims anything: what two look for at a time, each would find
    /// unclaimed. Held until it is dropped.
    #[cfg(unix)]
    pub(crate) fn lock_directories(&self) -> io::Result<Vec<fs::File>> {
        let directories = [self.directory(), directory(&self.state)].map(fs::canonicalize);
        let directories = directories.into_iter().collect::<io::Result<BTreeSet<_>>>()?;
        let lock = |directory: PathBuf| {
            let opened = fs::File::open(directory)?;
            opened.lock()?;
            Ok(opened)
        };
        directories.into_iter().map(lock).collect()
    }

    /// Directories cannot be locked there.
    #[cfg(not(unix))]
    pub(crate) fn lock_directories(&self) -> io::Result<Vec<fs::File>> {
        Ok(Vec::new())
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

/// Refuses the keys of other accounts by name.
fn others(others: &[OtherAccount]) -> Result<(), Failure> {
    if others.is_empty() {
        return Ok(());
    }
    let problem = others.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
    let hint = "give the keys of the expected account (`doctor` shows whose they are); for another account, use another \
                provider name or another --state; a provider that owns nothing yet takes \
                the new account with `import`";
    Err(Failure::Refused { problem, hint: hint.to_owned() })
}

/// Refuses while a switch is under way.
pub(crate) fn check_switch(state: &State) -> Result<(), Failure> {
    match &state.switch {
        None => Ok(()),
        Some(switch) => {
            Err(Failure::Refused { problem: show::open_switch(switch), hint: show::SWITCH_HINT.to_owned() })
        }
    }
}

/// Tells if a file is the state of a fleet, by its name.
pub(crate) fn is_state(file: &str) -> bool {
    file.strip_suffix(STATE).is_some_and(|stem| stem.is_empty() || stem.ends_with('.'))
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
