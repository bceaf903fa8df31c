//! Planning a million callbacks, and applying ten thousand over loopback at a hundred times a cloud's quota.
//!
//! `cargo bench -p record-callback --features fleet --bench fleet`. The plan's account waits for its quota in virtual time;
//! the apply is real: client, mock cloud and journal share the machine.

#![expect(clippy::print_stdout, clippy::expect_used, reason = "a benchmark prints, and may stop")]

use std::collections::BTreeMap;
use std::fmt::Write;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use peak_alloc::PeakAlloc;
use record_callback::aliyun::{AliyunClient, AliyunProvider};
use record_callback::fleet::{
    ApplyOptions, Clouds, Fate, KeyReference, Keys, Ledger, Manifest, ManifestFile, ManifestFormat, Name,
    OwnedConfig, PlanInput, Record, Slot, Standing, StateFile, Targets, apply, plan,
};
use record_callback::http::{AccessKey, Quota, Quotas, StaticCredentials, TokioTimer};
use record_callback::{
    AccountId, AppSelector, Applied, CallbackKey, Capabilities, ConfigId, DomainName, Error, ErrorKind,
    EventKind, EventSet, Fidelity, InvalidConfig, ReadBack, RecordCallbackConfig, RecordCallbackProvider,
    Result, SigningKey, SigningScheme, StoredCallback, StoredKey, StoredSigning, Vendor, huaweicloud,
};
use record_callback_mock::{AliyunOperation, MockAliyun};
use serde::de::IgnoredAny;

#[global_allocator]
static ALLOCATED: PeakAlloc = PeakAlloc;

const KEY: &str = "Abcdefgh12345678Abcdefgh12345678";
const APPLIED: usize = 10_000;
const APPLIED_A_SECOND: u32 = 3_000;

fn main() {
    println!(
        "plan                 manifest parsed    plan      us each   bytes each   list calls   virtual time"
    );
    for count in [125_000, 250_000, 500_000, 1_000_000] {
        planned(count);
    }
    println!();
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime")
        .block_on(applied());
}

/// Plans `count` callbacks that are as declared: read from the state file, listed within the quota, compared.
fn planned(count: usize) {
    let started = Instant::now();
    let manifest = manifest(count, "hmac_sha256");
    let parsed = started.elapsed();
    let keys = manifest.keys(&one_key);
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("state.json");
    write_state(&path, &manifest, &keys);

    let before = ALLOCATED.current_usage();
    ALLOCATED.reset_peak_usage();
    let started = Instant::now();
    let state = StateFile::read(&path).expect("a state");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime");
    let quota = Quota::per_minute(NonZeroU32::new(300).expect("not zero"));
    let cloud = Arc::new(Listing { count, quotas: Quotas::new([("list", quota)]) });
    let (steps, virtual_time) = runtime.block_on(async {
        let begun = tokio::time::Instant::now();
        let provider: Arc<dyn RecordCallbackProvider> = cloud;
        let clouds = Clouds::new(BTreeMap::from([(name("cloud"), provider)]));
        let (manifest, keys, state, targets) = (&manifest, &keys, &state, &Targets::All);
        let observed = &clouds.observe(PlanInput::slots(manifest, state, targets)).await;
        let plan = plan(&PlanInput { manifest, keys, observed, state, targets, drop_kept: false });
        assert!(plan.is_clean(), "{:?}", plan.counts());
        (plan.steps.len(), begun.elapsed())
    });
    let took = started.elapsed();
    assert_eq!(steps, count);
    let peak = ALLOCATED.peak_usage() - before;
    println!(
        "{count:>9} callbacks  {:>13.2} s {:>7.2} s {:>10.2} {:>12} {:>12} {:>12.0} s",
        parsed.as_secs_f64(),
        took.as_secs_f64(),
        took.as_secs_f64() * 1e6 / f64::from(u32::try_from(count).expect("a few million")),
        peak / count,
        count.div_ceil(100),
        virtual_time.as_secs_f64(),
    );
}

/// Applies ten thousand creates, with a journal on disk.
async fn applied() {
    let mock = MockAliyun::builder()
        .quota(AliyunOperation::AddLiveRecordNotifyConfig, APPLIED_A_SECOND, Duration::from_secs(1))
        .quota(AliyunOperation::DescribeLiveRecordNotifyConfig, APPLIED_A_SECOND, Duration::from_secs(1))
        .start()
        .await
        .expect("the mock starts");
    let limit = Quota::per_second(NonZeroU32::new(APPLIED_A_SECOND).expect("not zero"));
    let operations = ["AddLiveRecordNotifyConfig", "DescribeLiveRecordNotifyConfig"];
    let client = AliyunClient::builder()
        .endpoint(mock.endpoint())
        .credentials(StaticCredentials::new(AccessKey::new(mock.access_key_id(), mock.access_key_secret())))
        .quotas(Quotas::new(operations.map(|operation| (operation, limit))))
        .build()
        .expect("the options are right");
    let provider: Arc<dyn RecordCallbackProvider> = Arc::new(AliyunProvider::new(client));
    let clouds = Clouds::new(BTreeMap::from([(name("cloud"), provider)])).parallel(64);
    let manifest = manifest(APPLIED, "md5");
    let keys = &manifest.keys(&one_key);
    let directory = tempfile::tempdir().expect("a directory");
    let (file, state) = StateFile::open(directory.path().join("state.json")).expect("a state");
    let (manifest, state, targets) = (&manifest, &state, &Targets::All);
    let observed = &clouds.observe(PlanInput::slots(manifest, state, targets)).await;
    let plan = plan(&PlanInput { manifest, keys, observed, state, targets, drop_kept: false });
    let before = mock.requests().len();
    let ledger = Ledger::new(state.clone(), &file);
    let started = Instant::now();
    let report = apply(plan, &clouds, &ledger, &ApplyOptions::new(ReadBack::new(TokioTimer)), &()).await;
    let took = started.elapsed();
    assert!(report.is_done(), "{:?}", report.outcomes.iter().find(|one| !matches!(one.fate, Fate::Done)));
    file.checkpoint(&ledger.into_state()).expect("a checkpoint");
    let requests = mock.requests();
    let throttled = requests.iter().filter(|request| request.code() == Some("Throttling.User")).count();
    let ideal = Duration::from_secs_f64(
        f64::from(u32::try_from(APPLIED).expect("few")) / f64::from(APPLIED_A_SECOND),
    );
    println!(
        "apply {APPLIED} creates at {APPLIED_A_SECOND}/s: {:.3} s, {:.3} of the quota's time, {} calls, {throttled} throttled",
        took.as_secs_f64(),
        took.as_secs_f64() / ideal.as_secs_f64(),
        requests.len() - before,
    );
}

fn name(text: &str) -> Name {
    Name::new(text).expect("a name")
}

fn domain(number: usize) -> String {
    format!("push{number}.example.com")
}

fn url(number: usize) -> String {
    format!("https://callbacks.example.com/recordings/{number}")
}

fn manifest(count: usize, scheme: &str) -> Manifest {
    let mut text = format!(
        "[providers.cloud]\n[defaults]\nprovider = \"cloud\"\n\
         signing = {{ scheme = \"{scheme}\", key = {{ env = \"KEY\" }} }}\n"
    );
    for number in 0..count {
        let (domain, url) = (domain(number), url(number));
        writeln!(text, "[[callbacks]]\nname = \"c{number}\"\ndomain = \"{domain}\"\nnotify_url = \"{url}\"")
            .expect("text grows");
    }
    ManifestFile::<IgnoredAny>::parse(&text, ManifestFormat::Toml).expect("a manifest").manifest
}

/// Writes the state of a fleet that was applied.
fn write_state(path: &std::path::Path, manifest: &Manifest, keys: &Keys) {
    let (file, mut state) = StateFile::open(path).expect("a state");
    for callback in manifest.callbacks().values() {
        let number = callback.name.as_str()[1..].parse().expect("a number");
        let wanted = manifest.wanted(callback, &name("cloud"), keys).expect("a config");
        let config = OwnedConfig {
            slot: Slot { provider: name("cloud"), key: wanted.config.key() },
            id: Some(id(number)),
            standing: Standing::Current,
            written: state.salt.of_config(&wanted.config),
            ignored: Vec::new(),
        };
        state.take(Record::Config { name: callback.name.clone(), config });
    }
    file.checkpoint(&state).expect("a state");
}

fn id(number: usize) -> ConfigId {
    ConfigId::new(format!("{number:032x}"))
}

/// A cloud that has every callback, a hundred a page.
#[derive(Debug)]
struct Listing {
    count: usize,
    quotas: Quotas,
}

#[async_trait]
impl RecordCallbackProvider for Listing {
    fn vendor(&self) -> Vendor {
        huaweicloud::VENDOR
    }

    fn capabilities(&self) -> &Capabilities {
        &huaweicloud::CAPABILITIES
    }

    async fn account(&self) -> Result<Option<AccountId>> {
        Ok(None)
    }

    async fn get(&self, _key: &CallbackKey) -> Result<Option<StoredCallback>> {
        Err(unexpected())
    }

    async fn list(&self, _domain: Option<&DomainName>) -> Result<Vec<StoredCallback>> {
        for _ in 0..self.count.div_ceil(100) {
            self.quotas.turn("list").await;
        }
        let stored = |number| StoredCallback {
            key: CallbackKey::new(DomainName::reported(&domain(number)), AppSelector::Any),
            id: Some(id(number)),
            notify_url: Some(url(number)),
            on_demand_url: None,
            events: EventSet::from([EventKind::FileCompleted]),
            signing: StoredSigning { scheme: Some(SigningScheme::HmacSha256), key: StoredKey::Hidden },
            created_at: None,
            updated_at: None,
        };
        Ok((0..self.count).map(stored).collect())
    }

    async fn create(&self, _config: &RecordCallbackConfig, _fidelity: Fidelity) -> Result<Applied> {
        Err(unexpected())
    }

    async fn update(&self, _config: &RecordCallbackConfig, _fidelity: Fidelity) -> Result<Applied> {
        Err(unexpected())
    }

    async fn delete(&self, _key: &CallbackKey) -> Result<()> {
        Err(unexpected())
    }
}

fn unexpected() -> Error {
    Error::new(ErrorKind::Protocol, "nothing but lists is needed")
}

fn one_key(_: &KeyReference) -> Result<SigningKey, InvalidConfig> {
    SigningKey::new(KEY)
}
