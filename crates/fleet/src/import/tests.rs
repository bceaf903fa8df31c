use std::sync::Arc;

use record_callback_contract::MemoryProvider;
use record_callback_core::{EventKind, Field, RecordCallbackProvider, SigningScheme};
use serde::de::IgnoredAny;

use super::*;
use crate::drift::{DriftKind, drift};
use crate::manifest::{KeySource, ManifestFile, ManifestFormat, append_callbacks};
use crate::plan::{Action, PlanInput, Targets, plan};
use crate::state::Record;

const TEXT: &str = "[providers]\nali = {}\nhw = {}\n\n[defaults]\nnotify_url = \"https://cb.example.com\"\n";
const KEY: &str = "Abcdefgh12345678Abcdefgh12345678";

#[derive(Debug, Default)]
struct KnownKeys(BTreeMap<KeyReference, SigningKey>);

impl KeySource for KnownKeys {
    fn key(&self, reference: &KeyReference) -> Result<SigningKey, InvalidConfig> {
        let missing = || InvalidConfig::new("signing.key", format!("{reference}: is not set"), "");
        self.0.get(reference).cloned().ok_or_else(missing)
    }
}

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn key(text: &str) -> SigningKey {
    SigningKey::new(text).unwrap()
}

/// A fleet whose `ali` shows keys, and whose `hw` hides them.
struct World {
    text: String,
    keys: KnownKeys,
    state: State,
    clouds: Clouds,
}

impl World {
    fn new() -> Self {
        let (ali, hw) = (Arc::new(MemoryProvider::full()), Arc::new(MemoryProvider::key_hiding()));
        let providers: [(Name, Arc<dyn RecordCallbackProvider>); 2] = [(name("ali"), ali), (name("hw"), hw)];
        Self {
            text: TEXT.to_owned(),
            keys: KnownKeys::default(),
            state: State::empty().unwrap(),
            clouds: Clouds::new(providers.into()),
        }
    }

    async fn put(&self, provider: &str, place: &str, signing: CallbackSigning) {
        let (domain, app) = place.split_once('/').unwrap_or((place, "*"));
        let config = RecordCallbackConfig::builder(domain, "https://cb.example.com/recorded?token=sEcReT")
            .app(app)
            .events([EventKind::FileCompleted, EventKind::RecordingEnded])
            .on_demand_url("https://od.example.com")
            .signing(signing)
            .build()
            .unwrap();
        let cloud = self.clouds.get(&name(provider)).unwrap();
        if cloud.create(&config, Fidelity::Exact).await.is_err() {
            cloud.update(&config, Fidelity::Exact).await.unwrap();
        }
    }

    fn manifest(&self) -> Manifest {
        ManifestFile::<IgnoredAny>::parse(&self.text, ManifestFormat::Toml).unwrap().manifest
    }

    async fn import(&self, request: &ImportRequest) -> Import {
        let manifest = self.manifest();
        import(&manifest, &manifest.keys(&self.keys), &self.state, &self.clouds, request).await.unwrap()
    }

    /// Imports, and writes everything.
    async fn take_over(&mut self, request: &ImportRequest) -> Import {
        let import = self.import(request).await;
        self.text = append_callbacks(&self.text, ManifestFormat::Toml, &import.added).unwrap();
        let files = import.keys.iter().map(|(path, key)| (KeyReference::File(path.clone()), key.clone()));
        self.keys.0.extend(files.chain(request.key.clone()));
        for (name, owned) in import.owned.clone() {
            self.state.take(Record::Config { name, config: owned });
        }
        import
    }

    async fn is_clean(&self) -> bool {
        let (manifest, targets) = (self.manifest(), Targets::All);
        let observed = self.clouds.observe(PlanInput::slots(&manifest, &self.state, &targets)).await;
        let keys = manifest.keys(&self.keys);
        let (manifest, keys, observed) = (&manifest, &keys, &observed);
        let input =
            PlanInput { manifest, keys, observed, state: &self.state, targets: &targets, drop_kept: false };
        let plan = plan(&input);
        let owned = |action: &Action| matches!(action, Action::Keep(kept) if !kept.not_owned);
        assert!(!plan.is_clean() || plan.steps.iter().all(|step| owned(&step.action)));
        plan.is_clean()
    }

    async fn drift(&self) -> Vec<String> {
        let slots = self.state.entries.values().flat_map(|entry| entry.configs.iter());
        let observed = self.clouds.observe(slots.map(|config| config.slot.clone())).await;
        let drift = drift(&self.state, &observed, &Targets::All);
        let shown = drift.into_iter().map(|one| match one.kind {
            DriftKind::Missing => format!("{}: missing", one.name),
            DriftKind::Unreadable { reason } => format!("{}: {reason}", one.name),
            DriftKind::Changed { fields } => {
                let fields: Vec<_> = fields.iter().map(|one| format!("{} {}", one.field, one.now)).collect();
                format!("{}: {}", one.name, fields.join(", "))
            }
        });
        shown.collect()
    }
}

fn signed(text: &str) -> CallbackSigning {
    CallbackSigning::with(SigningScheme::Md5, key(text))
}

fn given() -> ImportRequest {
    ImportRequest {
        key: Some((KeyReference::Env("KEY".to_owned()), key(KEY))),
        key_directory: Some("keys".into()),
        ..ImportRequest::default()
    }
}

#[tokio::test]
async fn what_is_taken_over_is_as_declared_and_taken_over_once() {
    let mut world = World::new();
    world.put("ali", "a.example.com", CallbackSigning::Disabled).await;
    world.put("ali", "a.example.com/vip", signed(KEY)).await;
    world.put("ali", "b.example.com", signed("0therKey12345678")).await;
    world.put("hw", "a.example.com", signed(KEY)).await;
    let taken = world.take_over(&given()).await;
    assert_eq!(taken.skipped, []);
    let names: Vec<_> = taken.added.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(names, ["a.example.com", "a.example.com/vip", "b.example.com", "a.example.com@hw"]);
    // Only of the key that was not given.
    let files: Vec<_> = taken.keys.keys().map(|path| path.display().to_string()).collect();
    assert_eq!(files, ["keys/b.example.com.key"]);
    assert!(!world.text.contains(KEY) && !format!("{taken:?}").contains(KEY));
    assert!(world.is_clean().await, "{}", world.text);
    assert_eq!(world.drift().await, [""; 0]);

    let (text, state) = (world.text.clone(), world.state.clone());
    let again = world.take_over(&given()).await;
    assert!(again.owned.is_empty() && again.added.is_empty() && again.keys.is_empty());
    assert_eq!((text, state), (world.text, world.state));
}

#[tokio::test]
async fn what_is_declared_is_adopted_under_its_name() {
    let mut world = World::new();
    world.put("ali", "a.example.com", CallbackSigning::Disabled).await;
    world.put("hw", "b.example.com", signed(KEY)).await;
    world.take_over(&given()).await;
    // As after a crash between writing the manifest and noting what is ours.
    world.state = State::empty().unwrap();
    let again = world.take_over(&ImportRequest::default()).await;
    assert_eq!((again.added.len(), again.owned.len()), (0, 2));
    assert!(world.is_clean().await);
}

#[tokio::test]
async fn keys_are_believed_only_where_that_is_asked_for() {
    let mut world = World::new();
    world.put("ali", "known.example.com", signed(KEY)).await;
    world.put("hw", "hidden.example.com", signed(KEY)).await;
    let reasons = |import: Import| -> Vec<String> {
        import.skipped.into_iter().map(|one| format!("{}: {}", one.slot, one.reason)).collect()
    };
    let hidden = "hw hidden.example.com/*: the cloud names md5 and hides whether there is a key, and which";
    let known = |which: &str| format!("ali known.example.com/*: it is signed with {which}");
    let nothing = ImportRequest::default();
    assert_eq!(reasons(world.import(&nothing).await), [known("a key"), hidden.to_owned()]);
    let other = (KeyReference::Env("KEY".to_owned()), key("An0therKey1234567890123456789012"));
    let other = ImportRequest { key: Some(other), ..nothing.clone() };
    assert_eq!(reasons(world.import(&other).await), [known("another key than the given one")]);

    let unsigned = ImportRequest {
        hidden_is_unsigned: true,
        providers: BTreeSet::from([name("hw")]),
        domain: Some(DomainName::new("hidden.example.com").unwrap()),
        ..nothing
    };
    let taken = world.take_over(&unsigned).await;
    assert_eq!(taken.added.len(), 1);
    assert_eq!(taken.added[0].settings.signing, None);
    assert!(world.is_clean().await);
}

#[tokio::test]
async fn what_a_default_would_change_is_left_alone() {
    let mut world = World::new();
    world.text += "on_demand_url = \"https://od.example.com\"\n";
    let config = RecordCallbackConfig::builder("a.example.com", "https://cb.example.com").build().unwrap();
    world.clouds.get(&name("ali")).unwrap().create(&config, Fidelity::Exact).await.unwrap();
    let import = world.import(&ImportRequest::default()).await;
    assert!(import.owned.is_empty() && import.skipped[0].reason.contains("defaults"), "{import:?}");
    // A default that does not sign is no default that signs.
    world.text = format!("{TEXT}[defaults.signing]\nscheme = \"md5\"\nkey = {{ env = \"KEY\" }}\n");
    world.take_over(&given()).await;
    assert!(world.is_clean().await, "{}", world.text);
}

#[tokio::test]
async fn each_kind_of_drift_is_told_without_secrets() {
    let mut world = World::new();
    for domain in ["a.example.com", "b.example.com", "c.example.com"] {
        world.put("ali", domain, signed(KEY)).await;
    }
    world.take_over(&given()).await;
    let changed = RecordCallbackConfig::builder("a.example.com", "https://else.example.com/x?token=sEcReT")
        .signing(CallbackSigning::with(SigningScheme::HmacSha256, key("0therKey12345678")))
        .build()
        .unwrap();
    let ali = world.clouds.get(&name("ali")).unwrap();
    ali.update(&changed, Fidelity::Exact).await.unwrap();
    ali.delete(&RecordCallbackConfig::builder("b.example.com", "https://x").build().unwrap().key())
        .await
        .unwrap();
    assert_eq!(
        world.drift().await,
        [
            "a.example.com: notify_url https://else.example.com/x?…, on_demand_url none, events file_completed, \
             signing hmac_sha256, signing.key another key",
            "b.example.com: missing",
        ]
    );
    let entry = world.state.entries.get_mut(&name("a.example.com")).unwrap();
    // It was ignored when it was written, and that was accepted.
    entry.configs[0].ignored = vec![Field::NotifyUrl, Field::OnDemandUrl, Field::Events, Field::Signing];
    assert_eq!(world.drift().await[0], "a.example.com: signing.key another key");
    let entry = world.state.entries.get_mut(&name("a.example.com")).unwrap();
    entry.configs[0].standing = Standing::Updating;
    let other = Slot { provider: name("gone"), ..entry.configs[0].slot.clone() };
    world.state.entries.get_mut(&name("b.example.com")).unwrap().configs[0].slot = other;
    assert_eq!(world.drift().await, ["b.example.com: the manifest has no provider `gone`"]);
}

#[test]
fn every_name_has_a_key_file_of_its_own() {
    let names =
        ["a.example.com", "a.example.com/b", "a.example.com-b", "a.example.com+b", "a.example.com/b@hw", "é"];
    let files: Vec<_> = names.iter().map(|text| key_file(&name(text))).collect();
    assert_eq!(files[..2], ["a.example.com.key", "a.example.com+b.key"]);
    assert_eq!(files.iter().collect::<BTreeSet<_>>().len(), names.len());
    assert!(files.iter().all(|file| !file.contains('/')));
}
