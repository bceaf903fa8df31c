//! Fleets: manifests, plans and what becomes of them, moves, imports, states and their files.

mod manifests;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use record_callback::fleet::{
    Action, ApplyOptions, Clouds, Confirmation, Drift, Edit, Fate, Import, ImportRequest, Journal,
    KeyReference, KeySource, Keys, Ledger, Manifest, ManifestFile, ManifestFormat, Name, PerProvider, Plan,
    PlanInput, Record, Report, SavedPlan, Slot, Stage, State, StateError, StateFile, SwitchRequest, Targets,
    append_callbacks, apply, drift, edit, import, plan, plan_destruction,
};
use record_callback::{CallbackUrl, Field, ManifestKeys, connect_all};

use super::*;

/// The domain of the callbacks on the second cloud.
const INGEST: &str = "push.example.com";
/// Known to no cloud that knows [`DOMAIN`].
const UNKNOWN: &str = "unknown.example.com";
/// How URLs end that are not to be shown with their queries.
const QUERY: &str = "?token=";

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn url(path: &str) -> String {
    format!("https://cb.example.com/{path}{QUERY}{URL_SECRET}")
}

/// Providers with secrets, and callbacks that are signed and have a secret in each of their URLs.
fn manifest(callbacks: &str) -> String {
    let (notify, ask) = (url("recorded"), url("ask"));
    format!(
        "[providers.ali]\n\
         vendor = 'aliyun'\n\
         credentials = {{ source = 'access_key', id = '{ID}', secret = '{SECRET}' }}\n\
         [providers.hw]\n\
         vendor = 'huaweicloud'\n\
         project_id = '{PROJECT}'\n\
         region = 'cn-north-4'\n\
         credentials = {{ source = 'token', token = '{GIVEN_TOKEN}' }}\n\
         [defaults]\n\
         notify_url = '{notify}'\n\
         on_demand_url = {{ ali = '{ask}' }}\n\
         signing = {{ scheme = {{ ali = 'md5', hw = 'hmac_sha256' }}, key = {{ env = 'KEY' }} }}\n\
         {callbacks}"
    )
}

/// A callback of [`manifest`], with `more` of its own.
fn callback(name: &str, provider: &str, more: &str) -> String {
    format!(
        "[[callbacks]]\nname = '{name}'\nprovider = '{provider}'\n\
         domain = {{ ali = '{DOMAIN}', hw = '{INGEST}' }}\n{more}\n"
    )
}

type File = ManifestFile<ProviderConfig>;

fn as_json(toml: &str) -> String {
    serde_json::to_string_pretty(&toml::from_str::<toml::Value>(toml).unwrap()).unwrap()
}

fn parsed(toml: &str, shown: &mut Shown) -> File {
    let from_json = File::parse(&as_json(toml), ManifestFormat::Json).unwrap();
    let file = File::parse(toml, ManifestFormat::Toml).unwrap();
    assert_eq!(from_json.manifest, file.manifest);
    for file in [&file, &from_json] {
        shown.debug("a manifest file", file);
        shown.debug("a manifest", &file.manifest);
        for callback in file.manifest.callbacks().values() {
            shown.debug("a declaration", callback);
        }
    }
    file
}

/// That something of each was collected, whatever the search makes of it.
fn assert_collected(shown: &Shown, what: &[&str]) {
    for what in what {
        assert!(shown.0.iter().any(|(of, text)| of == what && !text.is_empty()), "{what} was not collected");
    }
}

/// That the search would find something in `text`.
fn assert_found(text: &str, secrets: &Secrets) {
    let mut planted = Shown::default();
    planted.text("planted", text);
    assert!(!planted.leaks(secrets).is_empty(), "{text}");
}

/// A journal that remembers how records look.
#[derive(Debug)]
struct Notebook<'a> {
    file: &'a StateFile,
    lines: Mutex<Vec<String>>,
}

#[async_trait]
impl Journal for Notebook<'_> {
    async fn append(&self, record: &Record) -> io::Result<()> {
        let lines = [format!("{record:?}"), format!("{record:#?}"), serde_json::to_string(record)?];
        self.lines.lock().unwrap().extend(lines);
        self.file.append(record).await
    }
}

/// Never sees that anything works.
#[derive(Debug)]
struct Doubt;

#[async_trait]
impl Confirmation for Doubt {
    async fn confirm(&self, name: &Name, _from: &[Slot], to: &Slot) -> Result<(), String> {
        Err(format!("nothing came for {name} at {to}"))
    }
}

/// A manifest with its keys.
struct Fleet {
    file: File,
    keys: Keys,
}

impl Fleet {
    fn new(callbacks: &str, key: &str, shown: &mut Shown) -> Self {
        let file = parsed(&manifest(callbacks), shown);
        let keys = file.manifest.keys(&ManifestKeys::new(FixedEnv::from_iter([("KEY", key)]), "."));
        shown.debug("keys", &keys);
        Self { file, keys }
    }

    async fn plan(&self, clouds: &Clouds, state: &State, shown: &mut Shown) -> Plan {
        let (manifest, keys, targets) = (&self.file.manifest, &self.keys, &Targets::All);
        let slots: Vec<_> = PlanInput::slots(manifest, state, targets).collect();
        let observed = &clouds.observe(slots.iter().cloned()).await;
        shown.debug("what is observed", observed);
        for slot in &slots {
            shown.debug("what is in a slot", &observed.sight(slot));
        }
        let input = PlanInput { manifest, keys, observed, state, targets, drop_kept: false };
        shown.debug("what a plan is made of", &input);
        let plan = plan(&input);
        shown.debug("a plan", &plan);
        shown.text("a plan", serde_json::to_string(&plan).unwrap());
        let destruction = plan_destruction(&input);
        shown.debug("a destruction", &destruction);
        shown.text("a destruction", serde_json::to_string(&destruction).unwrap());
        let saved = SavedPlan::new(&plan, &input, &manifest_text(manifest), false).unwrap();
        shown.debug("a saved plan", &saved);
        shown.text("a saved plan", serde_json::to_string(&saved).unwrap());
        show_drift(drift(state, observed, targets), shown);
        plan
    }
}

/// A text with everything that is secret in a manifest.
fn manifest_text(manifest: &Manifest) -> String {
    let urls: Vec<_> = manifest.callbacks().keys().map(|name| url(name.as_str())).collect();
    format!("{SECRET} {GIVEN_TOKEN} {}", urls.join(" "))
}

fn state_of(ledger: &Ledger<'_>) -> State {
    ledger.state().clone()
}

fn show_drift(drifts: Vec<Drift>, shown: &mut Shown) {
    for drift in drifts {
        shown.debug("drift", &drift);
        shown.text("drift", serde_json::to_string(&drift).unwrap());
    }
}

/// What a plan does.
fn actions(plan: &Plan) -> impl Iterator<Item = &'static str> {
    plan.steps.iter().map(|step| match step.action {
        Action::Keep(_) => "keep",
        Action::Create(_) => "create",
        Action::Update(_) => "update",
        Action::Replace(_) => "replace",
        Action::Delete(_) => "delete",
        Action::Forget(_) => "forget",
        Action::Blocked(_) => "blocked",
    })
}

/// Applies a plan and shows all there is to it; returns how far those came that failed.
async fn carry_out(plan: Plan, clouds: &Clouds, ledger: &Ledger<'_>, shown: &mut Shown) -> Vec<Stage> {
    carry_out_with(plan, clouds, ledger, &options(), shown).await
}

fn options() -> ApplyOptions {
    ApplyOptions::new(ReadBack::new(TokioTimer).reads(2).first_pause(Duration::from_millis(1)))
}

async fn carry_out_with(
    plan: Plan,
    clouds: &Clouds,
    ledger: &Ledger<'_>,
    options: &ApplyOptions,
    shown: &mut Shown,
) -> Vec<Stage> {
    shown.debug("options", options);
    let report = apply(plan, clouds, ledger, options, &()).await;
    shown.debug("a ledger", ledger);
    shown.debug("a state", &*ledger.state());
    show_report(report, shown)
}

fn show_report(report: Report, shown: &mut Shown) -> Vec<Stage> {
    shown.debug("a report", &report);
    shown.text("a report", serde_json::to_string(&report.outcomes).unwrap());
    if let Some(error) = &report.journal_error {
        shown.error("a journal's error", error);
    }
    let mut stages = Vec::new();
    for outcome in report.outcomes {
        if let Fate::Failed(failure) = outcome.fate {
            shown.text("a failure", failure.hint());
            stages.push(failure.stage);
            shown.result::<()>("a failure", Err(failure.error));
        }
    }
    stages
}

/// Shows the state as it is on disk: snapshot and journal.
fn show_files(path: &Path, shown: &mut Shown) {
    for file in fs::read_dir(path.parent().unwrap()).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "json" || extension == "journal") {
            let text = fs::read_to_string(&path).unwrap();
            assert!(text.contains("salt") || text.contains("serial"), "{text}");
            shown.text("a state on disk", text);
        }
    }
}

fn on(providers: [Arc<dyn RecordCallbackProvider>; 2], shown: &mut Shown) -> Clouds {
    let clouds = Clouds::new(["ali", "hw"].map(name).into_iter().zip(providers).collect());
    shown.debug("clouds", &clouds);
    clouds
}

/// Both clouds, which work or refuse who signs with our secrets.
struct World {
    mocks: [Mock; 2],
    clouds: Clouds,
}

impl World {
    async fn start(ways: [Cloud; 2], strange: bool, shown: &mut Shown) -> Self {
        let ali = Mock::start(ways[0], strange, shown).await;
        let hw = Mock::start(ways[1], strange, shown).await;
        let token = if strange { GIVEN_TOKEN.to_owned() } else { hw.issue_token() };
        let providers = [
            connect(ways[0], ali.endpoint(), "", "", shown),
            connect(ways[1], hw.endpoint(), hw.iam_endpoint(), &token, shown),
        ];
        Self { mocks: [ali, hw], clouds: on(providers, shown) }
    }

    /// Lets the first cloud refuse the next update.
    fn refuse_update(&self) {
        if let Mock::Aliyun(mock) = &self.mocks[0] {
            mock.faults().add(Fault::new(FaultKind::Denied).operation("UpdateLiveRecordNotifyConfig"));
        }
    }

    /// Shows what the mocks can, and learns the secrets they were sent; the URLs they keep are no business of theirs.
    fn learn(&self, secrets: &mut Secrets) -> String {
        for mock in &self.mocks {
            secrets.add_used(&mock.requests());
        }
        self.mocks.iter().map(Mock::received).collect()
    }
}

const WAYS: [[Cloud; 2]; 2] = [
    [Cloud::AliyunRpc, Cloud::HuaweicloudToken],
    [Cloud::AliyunAcs3Temporary, Cloud::HuaweicloudTemporaryKey],
];

const LOGGED: [&str; 2] = ["record_callback_http::", "operation="];

/// Somebody else changes what is in `slot`, key and all.
async fn meddle(clouds: &Clouds, slot: &Slot) {
    let config = RecordCallbackConfig::builder(slot.key.domain.as_str(), url("elsewhere"))
        .app(slot.key.app.as_str())
        .on_demand_url(url("other"))
        .signing(CallbackSigning::Md5(SigningKey::new(OTHER_KEY).unwrap()));
    let config = config.build().unwrap();
    clouds.get(&slot.provider).unwrap().put(&config, Fidelity::BestEffort).await.unwrap();
}

#[test]
fn nothing_is_shown_while_a_fleet_is_planned_and_applied() {
    watched_with(&LOGGED, async |shown, secrets| {
        for ways in WAYS {
            let world = World::start(ways, false, shown).await;
            let clouds = &world.clouds;
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("fleet.json");
            let (file, state) = StateFile::open(&path).unwrap();
            shown.debug("a state file", &file);
            let notebook = Notebook { file: &file, lines: Mutex::default() };
            let ledger = Ledger::new(state, &notebook);
            let (mut seen, mut stages) = (BTreeSet::new(), Vec::new());

            // A foreign config is in the way of one, and no cloud has the domain of another.
            let foreign = format!("app = 'foreign'\nnotify_url = '{}'", url("mine"));
            let unknown = format!("domain = '{UNKNOWN}'");
            let lost = callback("lost", "ali", "")
                .replace(&format!("domain = {{ ali = '{DOMAIN}', hw = '{INGEST}' }}"), &unknown);
            let mine = callback("match", "ali", "");
            let others =
                callback("blocked", "hw", &foreign) + &callback("training", "hw", "app = 'training'");
            let slot = |provider: &str, app: &str| {
                let domain = if provider == "ali" { DOMAIN } else { INGEST };
                let key = CallbackKey::new(DomainName::new(domain).unwrap(), app.parse().unwrap());
                Slot { provider: name(provider), key }
            };
            meddle(clouds, &slot("hw", "foreign")).await;
            let declared = format!("{mine}{others}{lost}");
            let moved = declared.replacen("provider = 'ali'", "provider = 'hw'\napp = 'match'", 1);
            let changed = declared.replace(
                "app = 'training'",
                &format!(
                    "app = 'training'\nevents = ['file_completed', 'recording_failed']\nnotify_url = '{}'",
                    url("changed")
                ),
            );
            for (what, callbacks, key) in [
                ("create", &declared, KEY),
                ("keep", &declared, KEY),
                ("update", &changed, OTHER_KEY),
                ("replace", &moved, KEY),
                ("replace", &declared, KEY),
                ("too long for one cloud", &declared, LONG_KEY),
                ("too short for one cloud", &declared, SHORT_KEY),
                ("no key", &declared, ""),
                ("refused by a cloud", &declared, OTHER_KEY),
                ("update", &declared, OTHER_KEY),
                ("delete", &callback("lost", "ali", ""), KEY),
            ] {
                let fleet = Fleet::new(callbacks, key, shown);
                let plan = fleet.plan(clouds, &state_of(&ledger), shown).await;
                if what == "refused by a cloud" {
                    world.refuse_update();
                }
                seen.extend(actions(&plan));
                assert!(
                    what.contains(' ') || actions(&plan).any(|action| action == what),
                    "{what}: {plan:?}"
                );
                stages.extend(carry_out(plan, clouds, &ledger, shown).await);
                show_files(&path, shown);
                if what == "create" {
                    file.checkpoint(&ledger.state()).unwrap();
                    show_files(&path, shown);
                    for slot in [slot("ali", "*"), slot("hw", "training")] {
                        meddle(clouds, &slot).await;
                    }
                    let plan = fleet.plan(clouds, &state_of(&ledger), shown).await;
                    assert_eq!(actions(&plan).filter(|action| *action == "update").count(), 2);
                    carry_out(plan, clouds, &ledger, shown).await;
                }
            }
            let all = ["blocked", "create", "delete", "keep", "replace", "update"];
            assert_eq!(seen.into_iter().collect::<Vec<_>>(), all);
            assert!(stages.contains(&Stage::Write), "{stages:?}");
            file.checkpoint(&ledger.state()).unwrap();
            show_files(&path, shown);
            shown.debug("a state", &StateFile::read(&path).unwrap());

            let lines = std::mem::take(&mut *notebook.lines.lock().unwrap());
            assert!(lines.len() > 20 && lines.iter().any(|line| line.contains("notify_url")), "{lines:?}");
            for line in lines {
                shown.text("a record", line);
            }
            let sent = world.learn(secrets);
            for secret in [KEY, OTHER_KEY, URL_SECRET] {
                assert!(sent.contains(secret), "{secret} was not sent: {sent}");
            }
        }
        assert_collected(
            shown,
            &[
                "what is observed",
                "what is in a slot",
                "a plan",
                "a saved plan",
                "a destruction",
                "drift",
                "a report",
                "a failure",
            ],
        );
        assert_collected(shown, &["a record", "a state on disk", "a state", "a ledger", "a state file"]);
    });
}

/// The clouds of [`World`] at one address.
fn at(endpoint: &str, iam: &str, shown: &mut Shown) -> Clouds {
    let [ali, hw] = WAYS[0];
    let providers = [connect(ali, endpoint, "", "", shown), connect(hw, endpoint, iam, GIVEN_TOKEN, shown)];
    on(providers, shown)
}

/// Everything a fleet does, on clouds that do not do it: with a plan from those that did, and with what they show.
async fn fail(clouds: &Clouds, plans: &[Plan], state: &State, shown: &mut Shown) -> Vec<Stage> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("fleet.json");
    let (file, _) = StateFile::open(&path).unwrap();
    let fleet = Fleet::new(&two(), KEY, shown);
    let mut stages = Vec::new();
    for plan in plans {
        let ledger = Ledger::new(state.clone(), &file);
        stages.extend(carry_out(plan.clone(), clouds, &ledger, shown).await);
    }
    for state in [state, &State::empty().unwrap()] {
        let plan = fleet.plan(clouds, state, shown).await;
        let ledger = Ledger::new(state.clone(), &file);
        stages.extend(carry_out(plan, clouds, &ledger, shown).await);
        for provider in ["ali", "hw"] {
            let request = ImportRequest { providers: [name(provider)].into(), ..ImportRequest::default() };
            let found = import(&fleet.file.manifest, &fleet.keys, state, clouds, &request).await;
            shown.result("an import", found);
        }
    }
    show_files(&path, shown);
    stages
}

/// A callback on each cloud.
fn two() -> String {
    callback("match", "ali", "") + &callback("training", "hw", "")
}

/// Plans that create, update, replace and delete the two callbacks, with the state when they are there.
async fn plans(shown: &mut Shown, secrets: &mut Secrets) -> (Vec<Plan>, State) {
    let world = World::start(WAYS[0], false, shown).await;
    let directory = tempfile::tempdir().unwrap();
    let (file, state) = StateFile::open(directory.path().join("fleet.json")).unwrap();
    let ledger = Ledger::new(state, &file);
    let fleet = Fleet::new(&two(), KEY, shown);
    let create = fleet.plan(&world.clouds, &state_of(&ledger), shown).await;
    let failed = carry_out(create.clone(), &world.clouds, &ledger, shown).await;
    assert!(failed.is_empty(), "{failed:?}");
    let state = ledger.into_state();
    let mut plans = vec![create];
    let changed = Fleet::new(&two(), OTHER_KEY, shown);
    let moved = Fleet::new(
        &(callback("match", "hw", "app = 'match'") + &callback("training", "ali", "")),
        KEY,
        shown,
    );
    let gone = Fleet::new("", KEY, shown);
    for fleet in [changed, moved, gone] {
        plans.push(fleet.plan(&world.clouds, &state, shown).await);
    }
    let all: Vec<_> = plans.iter().flat_map(actions).collect();
    assert!(["create", "update", "replace", "delete"].iter().all(|action| all.contains(action)), "{all:?}");
    world.learn(secrets);
    (plans, state)
}

#[test]
fn nothing_is_shown_when_a_fleet_cannot_be_planned_or_applied() {
    watched_with(&LOGGED, async |shown, secrets| {
        let (plans, state) = plans(shown, secrets).await;
        // Clouds that do not know our secrets, and echo what they would have signed.
        let strange = World::start(WAYS[0], true, shown).await;
        let stages = fail(&strange.clouds, &plans, &state, shown).await;
        assert!(stages.contains(&Stage::Write) && stages.contains(&Stage::Retire), "{stages:?}");
        assert!(strange.learn(secrets).contains(KEY));

        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
        let nowhere = format!("http://{}", socket.local_addr().unwrap());
        let stages = fail(&at(&nowhere, &nowhere, shown), &plans, &state, shown).await;
        assert!(stages.contains(&Stage::Write) && stages.contains(&Stage::Retire), "{stages:?}");

        let kinds: [Kind; 8] = [
            ("message", |request| refusal("400 Bad Request", "InvalidParameter", &request.whole, "R-1")),
            ("parameters", |request| {
                refusal("400 Bad Request", "InvalidParameter", &request.secrets().join(" "), "R-1")
            }),
            ("code", |request| refusal("400 Bad Request", &request.secrets().join(" "), "refused", "R-1")),
            ("500", |request| refusal("500 Oh No", "Failed", &request.whole, &request.secrets()[0])),
            ("HTML", |request| answer("200 OK", "Content-Type: text/html\r\n", &request.whole)),
            ("text", |request| answer("200 OK", JSON, &json!(request.secrets().join(" ")).to_string())),
            ("other configs", |request| answer("200 OK", JSON, &other_configs(request).to_string())),
            ("nothing", |_| Vec::new()),
        ];
        for (name, answer) in kinds {
            let server = Server::start(answer).await;
            let clouds = at(&server.endpoint(), &server.endpoint(), shown);
            let stages = fail(&clouds, &plans, &state, shown).await;
            let expected = if name == "other configs" { Stage::Verify } else { Stage::Write };
            assert!(stages.contains(&expected), "{name}: {stages:?}");
            let sent = server.learn(secrets);
            for secret in [KEY, URL_SECRET, "&Signature=", GIVEN_TOKEN] {
                assert!(sent.contains(secret), "{name}: {secret} was not sent: {sent}");
            }
        }
        assert_collected(
            shown,
            &["an import", "a failure", "drift", "a plan", "a report", "a state on disk"],
        );
    });
}

/// What both clouds might answer to any request: that it is done, and that somebody else's configs are there.
fn other_configs(request: &Raw) -> serde_json::Value {
    let (notify, ask) = (url("elsewhere"), url("other"));
    let config = json!({
        "DomainName": DOMAIN, "NotifyUrl": notify, "OnDemandUrl": ask, "NeedStatusNotify": false,
        "NotifyReqAuth": "yes", "NotifyAuthKey": OTHER_KEY,
    });
    let same = json!({
        "id": PROJECT, "publish_domain": INGEST, "app": "*", "notify_callback_url": notify,
        "notify_event_subscription": ["RECORD_FILE_COMPLETE"], "sign_type": "MD5", "key": OTHER_KEY,
        "create_time": "2026-01-02T03:04:05Z", "update_time": "2026-01-02T03:04:05Z",
    });
    let mut answer = json!({
        "RequestId": "R-1", "LiveRecordNotifyConfig": config, "total": 1, "callback_config": [same],
    });
    if !request.whole.starts_with("GET") {
        answer.as_object_mut().unwrap().extend(same.as_object().unwrap().clone());
    }
    answer
}

#[test]
fn nothing_is_shown_when_a_move_is_refused_or_not_confirmed() {
    watched_with(&LOGGED, async |shown, secrets| {
        let world = World::start(WAYS[0], false, shown).await;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("fleet.json");
        let (file, state) = StateFile::open(&path).unwrap();
        let ledger = Ledger::new(state, &file);
        let fleet = Fleet::new(&two(), KEY, shown);
        let plan = fleet.plan(&world.clouds, &state_of(&ledger), shown).await;
        carry_out(plan, &world.clouds, &ledger, shown).await;

        let same = callback("same", "ali", "")
            .replace(&format!("{{ ali = '{DOMAIN}', hw = '{INGEST}' }}"), "'one.example.com'");
        let asks = callback(
            "asks",
            "ali",
            &format!(
                "app = 'b'\non_demand_url = '{}'\nevents = ['file_started', 'recording_failed']",
                url("ask")
            ),
        );
        let (mut prepared, mut refused) = (0, 0);
        for (callbacks, key) in [
            (two(), KEY),
            (two(), ""),
            (two(), LONG_KEY),
            (two(), SHORT_KEY),
            (two(), KEY_OF_NOBODY),
            (two() + &same, KEY),
            (two() + &asks + &callback("training-too", "hw", "app = 'c'"), KEY),
        ] {
            let fleet = Fleet::new(&callbacks, key, shown);
            for to in ["ali", "hw", "nowhere"] {
                for fidelity in [None, Some(Fidelity::Exact), Some(Fidelity::BestEffort)] {
                    let request = SwitchRequest {
                        callbacks: Targets::All,
                        to: name(to),
                        winners: [name("training")].into(),
                        fidelity,
                        keep_source: false,
                    };
                    shown.debug("a switch that is asked for", &request);
                    let capabilities = |name: &Name| Some(world.clouds.get(name)?.capabilities());
                    match request.prepare(&fleet.file.manifest, &fleet.keys, &capabilities) {
                        Ok(switch) => {
                            prepared += 1;
                            shown.debug("a switch", &switch);
                            shown.text("a switch", serde_json::to_string(&switch.staying).unwrap());
                            let record = Record::Switch { switch: Some(switch.switch) };
                            shown.debug("a record", &record);
                            shown.text("a record", serde_json::to_string(&record).unwrap());
                            ledger.note(record).await.unwrap();
                        }
                        Err(refusals) => {
                            refused += 1;
                            for refusal in refusals {
                                shown.error("a refused switch", &refusal);
                                shown.text("a refused switch", serde_json::to_string(&refusal).unwrap());
                            }
                        }
                    }
                }
            }
        }
        assert!(prepared > 3 && refused > 7, "{prepared} {refused}");
        show_files(&path, shown);

        let moved = two().replace("provider = 'ali'", "app = 'match'\nprovider = 'hw'");
        let fleet = Fleet::new(&moved, KEY, shown);
        let plan = fleet.plan(&world.clouds, &state_of(&ledger), shown).await;
        let options = ApplyOptions { confirmation: Some(Arc::new(Doubt)), ..options() };
        let stages = carry_out_with(plan, &world.clouds, &ledger, &options, shown).await;
        assert_eq!(stages, [Stage::Confirm]);

        // Nothing can be noted any more.
        fs::remove_file(path.with_extension("json.journal")).unwrap();
        let plan = Fleet::new(&two(), OTHER_KEY, shown).plan(&world.clouds, &state_of(&ledger), shown).await;
        carry_out(plan, &world.clouds, &ledger, shown).await;
        assert_collected(
            shown,
            &["a switch", "a refused switch", "a record", "a failure", "a journal's error"],
        );
        assert!(world.learn(secrets).contains(KEY));
    });
}

/// As long as keys are, and none: every cloud refuses it.
const KEY_OF_NOBODY: &str = "Zq4Xw8Lr1Tn6Vb3Yk9Mc5Ps2Gd7Hf0J_";

#[test]
fn nothing_is_shown_by_an_import() {
    watched_with(&LOGGED, async |shown, secrets| {
        secrets.add("key of nobody", KEY_OF_NOBODY);
        let world = World::start(WAYS[0], false, shown).await;
        for (provider, domain, app) in [("ali", DOMAIN, "*"), ("hw", INGEST, "*"), ("hw", INGEST, "training")]
        {
            let key = CallbackKey::new(DomainName::new(domain).unwrap(), app.parse().unwrap());
            meddle(&world.clouds, &Slot { provider: name(provider), key }).await;
        }
        let state = State::empty().unwrap();
        let key = |key: &str| Some((KeyReference::Env("KEY".to_owned()), SigningKey::new(key).unwrap()));
        let directory = Some(PathBuf::from("keys"));
        let some = ImportRequest::default();
        let requests = [
            some.clone(),
            ImportRequest { key: key(KEY), ..some.clone() },
            ImportRequest { key: key(OTHER_KEY), ..some.clone() },
            ImportRequest { key: key(KEY), key_directory: directory.clone(), ..some.clone() },
            ImportRequest { key_directory: directory, ..some },
        ];
        let (mut keys, mut skipped, mut added) = (0, 0, 0);
        for request in requests {
            shown.debug("what is to be imported", &request);
            for callbacks in [String::new(), two()] {
                let text = manifest(&callbacks)
                    .replace(&format!("on_demand_url = {{ ali = '{}' }}\n", url("ask")), "");
                let file = parsed(&text, shown);
                for env in [KEY, KEY_OF_NOBODY, ""] {
                    let env = FixedEnv::from_iter([("KEY", env)]);
                    let known = file.manifest.keys(&ManifestKeys::new(env, "."));
                    let found =
                        import(&file.manifest, &known, &state, &world.clouds, &request).await.unwrap();
                    keys += found.keys.len();
                    skipped += found.skipped.len();
                    added += found.added.len();
                    show_import(&found, &text, shown);
                }
            }
        }
        assert!(keys >= 12 && skipped >= 12 && added >= 12, "{keys} {skipped} {added}");
        assert_collected(shown, &["an import", "what is skipped", "an owned config", "an extended manifest"]);
        assert_collected(shown, &["a refused edit"]);
        assert!(world.learn(secrets).contains(OTHER_KEY));
    });
}

fn show_import(found: &Import, text: &str, shown: &mut Shown) {
    shown.debug("an import", found);
    for skipped in &found.skipped {
        shown.text("what is skipped", serde_json::to_string(skipped).unwrap());
    }
    for (name, config) in &found.owned {
        shown.text("an owned config", format!("{name} {}", serde_json::to_string(config).unwrap()));
    }
    let add = |text: &str, format| append_callbacks(text, format, &found.added);
    let json = as_json(text);
    for (text, format) in [(text, ManifestFormat::Toml), (&*json, ManifestFormat::Json)] {
        let extended = add(text, format).unwrap();
        // Their owner's file: what is secret in a URL or a provider is there because it was before, or in the cloud.
        let added = extended.replace(text, "").replace(&format!("{QUERY}{URL_SECRET}"), "");
        let added = added.replace(SECRET, "").replace(GIVEN_TOKEN, "");
        shown.text("an extended manifest", added);
        File::parse(&extended, format).unwrap();
        // Again, and where there is no room.
        if !found.added.is_empty() {
            for text in [&*extended, &text.replace("[providers.", "callbacks.x = 1\n[providers.")] {
                if let Err(error) = add(text, format) {
                    shown.error("a refused edit", &error);
                }
            }
        }
    }
}

#[test]
fn nothing_is_shown_of_files_that_are_no_state() {
    let (mut shown, secrets) = (Shown::default(), canaries());
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("fleet.json");
    let journal = directory.path().join("fleet.json.journal");
    let show = |shown: &mut Shown| {
        let read = StateFile::read(&path).map(|_| ());
        let opened = StateFile::open(&path).map(|_| ());
        for error in [read.err(), opened.err()] {
            let error: StateError = error.expect("no state");
            shown.error("no state", &error);
        }
    };
    drop(StateFile::open(&path).unwrap());
    let good = fs::read_to_string(&path).unwrap();
    let header = fs::read_to_string(&journal).unwrap();
    // Any other file with a secret in it, given by mistake, and what somebody might write into one of ours.
    let entry =
        |config: &str| good.replace("\"callbacks\": {", &format!("\"callbacks\": {{\"a\": [{config}]"));
    let others = [
        KEY.to_owned(),
        NUMERIC_KEY.to_owned(),
        format!("-{NUMERIC_KEY}"),
        format!("{NUMERIC_KEY}.5"),
        format!("\"{KEY}\""),
        format!("[\"{KEY}\"]"),
        format!("{{\"{KEY}\": 1}}"),
        format!("{{\"version\": \"{KEY}\"}}"),
        format!("{{\"version\": 1, \"serial\": \"{KEY}\"}}"),
        format!("{{\"version\": 1, \"serial\": 1, \"callbacks\": \"{KEY}\"}}"),
        format!("{{\"version\": 1, \"serial\": 1, \"salt\": \"{KEY}\"}}"),
        format!("{{\"version\": 1, \"serial\": 1, \"switch\": \"{KEY}\"}}"),
        entry(&format!("\"{KEY}\"")),
        entry(&format!(
            "{{\"provider\": \"ali\", \"domain\": \"a\", \"app\": \"*\", \"standing\": \"{KEY}\"}}"
        )),
        entry(&format!(
            "{{\"provider\": \"ali\", \"domain\": \"a\", \"app\": \"*\", \"standing\": \"current\", \"written\": \"{KEY}\"}}"
        )),
        entry(&format!(
            "{{\"provider\": \"ali\", \"domain\": \"a\", \"app\": \"*\", \"standing\": \"current\", \"written\": {{\"notify_url\": \"{KEY}\"}}}}"
        )),
        as_json(&manifest(&two())),
        manifest(&two()),
        format!("{{\"type\": \"service\", \"secret\": \"{SECRET}\"}}"),
    ];
    for text in others {
        assert_found(&text, &secrets);
        fs::remove_file(&journal).unwrap();
        fs::write(&path, &text).unwrap();
        show(&mut shown);
        fs::write(&path, &good).unwrap();
        fs::write(&journal, format!("{text}\n{text}\n")).unwrap();
        show(&mut shown);
        fs::write(&journal, format!("{header}{text}\n{header}")).unwrap();
        show(&mut shown);
    }
    // Whose lock it is.
    fs::write(&journal, &header).unwrap();
    let held = StateFile::open(&path).unwrap();
    fs::write(directory.path().join("fleet.json.lock"), KEY).unwrap();
    shown.error("no state", &StateFile::open(&path).map(|_| ()).unwrap_err());
    drop(held);
    assert_collected(&shown, &["no state"]);
    shown.assert_hides(&secrets);
}
