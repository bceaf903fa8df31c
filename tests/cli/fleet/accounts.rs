//! The keys of another account: nothing is planned, written or forgotten with them.

use std::fmt::Write;

use record_callback_mock::{Fault, FaultKind, ForeignDomain, MockAliyun, MockHuaweicloud};

use super::{Fleet, MATCHES, STATE, TRAINING};
use crate::program::{Program, assert_has};

/// A part of a manifest that no cloud has yet.
const MORE: &str = r#"
[[callbacks]]
name = "more"
provider = "ali"
domain = "more.example.com"
notify_url = "https://cb.example.com/more"
"#;

impl Fleet {
    /// The program with the keys of the other accounts.
    fn elsewhere(&self) -> Program {
        let (aliyun, huaweicloud) = (&self.clouds.aliyun, &self.clouds.huaweicloud);
        self.program
            .clone()
            .var("ALIBABA_CLOUD_ACCESS_KEY_ID", aliyun.other_access_key_id())
            .secret("ALIBABA_CLOUD_ACCESS_KEY_SECRET", aliyun.other_access_key_secret())
            .var("HUAWEICLOUD_SDK_AK", huaweicloud.other_access_key())
            .secret("HUAWEICLOUD_SDK_SK", huaweicloud.other_secret_key())
    }

    /// The complaints about both providers.
    fn complaints(&self) -> [String; 2] {
        let (aliyun, huaweicloud) = (&self.clouds.aliyun, &self.clouds.huaweicloud);
        let of = [
            ("ali", aliyun.account_id(), aliyun.other_account_id()),
            ("hw", huaweicloud.account_id(), huaweicloud.other_account_id()),
        ];
        of.map(|(name, expected, actual)| {
            format!("provider `{name}`: expected account {expected}, these keys are of {actual}")
        })
    }
}

/// The attack: in another account, callbacks that were dropped from the manifest look deleted already.
#[test]
fn what_is_dropped_is_not_forgotten_by_another_account() {
    let fleet = Fleet::applied(&[MATCHES, TRAINING].concat());
    let (configs, state) = (fleet.clouds.configs(), fleet.read(STATE));
    fleet.clouds.declare("");
    let run = fleet.elsewhere().run(&["apply", "--yes"]);
    assert_has(run.failed_with_hint(1), &fleet.complaints().each_ref().map(String::as_str));
    assert_eq!((fleet.clouds.configs(), fleet.read(STATE)), (configs, state));
    let done = fleet.program.run(&["apply", "--yes", "--max-deletes", "2"]);
    assert_has(done.done(), &["2 deleted"]);
    assert_eq!(fleet.clouds.configs(), []);
}

#[test]
fn every_command_refuses_another_account() {
    let fleet = Fleet::applied(&[MATCHES, TRAINING].concat());
    let (configs, state) = (fleet.clouds.configs(), fleet.read(STATE));
    let calls = || fleet.clouds.aliyun.requests().len() + fleet.clouds.huaweicloud.requests().len();
    let before = calls();
    for arguments in [
        &["plan"][..],
        &["plan", "--detailed-exitcode"],
        &["plan", "--target", "matches"],
        &["apply", "--yes"],
        &["drift"],
        &["drift", "--output", "json"],
        &["switch", "matches", "--to", "hw", "--yes"],
        &["import"],
        &["import", "--dry-run"],
    ] {
        let run = fleet.elsewhere().run(arguments);
        let told = run.failed_with_hint(1);
        assert_has(told, &fleet.complaints().each_ref().map(String::as_str));
        assert_has(told, &["hint: give the keys of the expected account"]);
    }
    assert_eq!(calls(), before);
    assert_eq!((fleet.clouds.configs(), fleet.read(STATE)), (configs, state));
}

#[test]
fn a_switch_is_neither_resumed_nor_undone_in_another_account() {
    let fleet = Fleet::applied(MATCHES);
    let fault = Fault::new(FaultKind::Denied).operation("CreateRecordCallbackConfig").until_cleared();
    fleet.clouds.huaweicloud.faults().add(fault);
    assert_eq!(fleet.program.run(&["switch", "matches", "--to", "hw", "--yes"]).code, Some(1));
    fleet.clouds.huaweicloud.faults().clear();
    let (configs, state) = (fleet.clouds.configs(), fleet.read(STATE));
    for way in ["--resume", "--rollback"] {
        let run = fleet.elsewhere().run(&["switch", way, "--yes"]);
        assert_has(run.failed_with_hint(1), &[&fleet.complaints()[0]]);
    }
    assert_eq!((fleet.clouds.configs(), fleet.read(STATE)), (configs, state));
    fleet.program.run(&["switch", "--resume", "--yes"]).done();
    assert_eq!(fleet.clouds.configs()[0].provider, "hw");
}

/// Temporary keys of the account are as good as those of its users.
#[test]
fn another_user_of_the_account_is_the_same_account() {
    let fleet = Fleet::applied(&[MATCHES, TRAINING].concat());
    let (ali, hw) = (
        fleet.clouds.aliyun.issue_temporary_access_key(),
        fleet.clouds.huaweicloud.issue_temporary_access_key(),
    );
    let program = fleet
        .program
        .clone()
        .var("ALIBABA_CLOUD_ACCESS_KEY_ID", &ali.id)
        .secret("ALIBABA_CLOUD_ACCESS_KEY_SECRET", &ali.secret)
        .secret("ALIBABA_CLOUD_SECURITY_TOKEN", &ali.security_token)
        .var("HUAWEICLOUD_SDK_AK", &hw.id)
        .secret("HUAWEICLOUD_SDK_SK", &hw.secret)
        .secret("HUAWEICLOUD_SDK_SECURITY_TOKEN", &hw.security_token);
    let run = program.run(&["plan", "--detailed-exitcode"]);
    run.done();
    assert_eq!(run.stderr, "");
}

#[test]
fn an_unknown_account_is_told_once() {
    let fleet = Fleet::of(MATCHES);
    let silent = fleet
        .program
        .clone()
        .without("RECORD_CALLBACK_ALIYUN_STS_ENDPOINT")
        .without("HUAWEICLOUD_SDK_STS_ENDPOINT");
    let run = silent.run(&["apply", "--yes"]);
    run.done();
    for provider in ["ali", "hw"] {
        let warning = format!("warning: provider `{provider}`: whose account its keys are of is not known");
        assert_eq!(run.stderr.matches(&warning).count(), 1, "{run:#?}");
    }
    assert_has(&run.stderr, &["RECORD_CALLBACK_ALIYUN_STS_ENDPOINT is not set"]);
    assert!(!fleet.read(STATE).contains(fleet.clouds.aliyun.account_id()));
    // It is noted by the next who knows it, and not forgotten by those who do not.
    fleet.program.run(&["apply", "--yes"]).done();
    assert!(fleet.read(STATE).contains(fleet.clouds.aliyun.account_id()));
    silent.run(&["plan"]).done();
    fleet.elsewhere().run(&["plan"]).failed_with_hint(1);
    assert_eq!(silent.run(&["apply", "--yes"]).code, Some(0));
    fleet.elsewhere().run(&["plan"]).failed_with_hint(1);
}

/// A state of an earlier version notes no account. That of somebody else is not noted just because he comes first.
#[test]
fn an_account_that_shows_nothing_of_ours_is_not_noted() {
    for foreign_domain in
        [ForeignDomain::AsMissing, ForeignDomain::Forbidden, ForeignDomain::IllegalOperation]
    {
        let dialect = record_callback_mock::AliyunDialect { foreign_domain, ..Default::default() };
        let fleet = Fleet::on(MockAliyun::builder().dialect(dialect), MockHuaweicloud::builder(), MATCHES);
        let silent = fleet.program.clone().without("RECORD_CALLBACK_ALIYUN_STS_ENDPOINT");
        silent.run(&["apply", "--yes"]).done();
        let configs = fleet.clouds.configs();
        fleet.elsewhere().run(&["apply", "--yes"]);
        let state = fleet.read(STATE);
        assert!(!state.contains(fleet.clouds.aliyun.other_account_id()), "{foreign_domain:?}: {state}");
        assert_eq!(fleet.clouds.configs(), configs);
    }
}

/// So many that they are read by a list of all, which says nothing of domains that the account lacks.
#[test]
fn ten_callbacks_are_not_forgotten_by_an_unknown_account() {
    let mut ten = String::new();
    for number in 0..10 {
        writeln!(
            ten,
            "[[callbacks]]\nname = \"c{number}\"\nprovider = \"hw\"\ndomain = \"d{number}.example.com\"\n\
             notify_url = \"https://cb.example.com/{number}\""
        )
        .expect("text grows");
    }
    let fleet = Fleet::applied(&ten);
    let (configs, state) = (fleet.clouds.configs(), fleet.read(STATE));
    let silent = fleet.elsewhere().without("HUAWEICLOUD_SDK_STS_ENDPOINT");
    for callbacks in ["", &ten] {
        fleet.clouds.declare(callbacks);
        for arguments in [&["plan"][..], &["apply", "--yes", "--max-deletes", "10"], &["drift"]] {
            let run = silent.run(arguments);
            assert_ne!(run.code, Some(0), "{run:#?}");
            assert!(!run.stdout.contains("missing") && !run.stdout.contains("forgotten"), "{run:#?}");
            assert_eq!((fleet.clouds.configs(), fleet.read(STATE)), (configs.clone(), state.clone()));
        }
    }
}

/// Nothing is ours there: `import` takes the other account, and nothing else does.
#[test]
fn an_account_that_nothing_is_ours_in_is_exchanged_by_import() {
    let fleet = Fleet::applied(&[MATCHES, MORE].concat());
    fleet.clouds.declare("");
    fleet.program.run(&["apply", "--yes", "--max-deletes", "2"]).done();
    fleet.elsewhere().run(&["plan"]).failed_with_hint(1);
    fleet.elsewhere().run(&["import", "--provider", "ali", "--dry-run"]).done();
    fleet.elsewhere().run(&["plan"]).failed_with_hint(1);
    fleet.elsewhere().run(&["import", "--provider", "ali"]).done();
    fleet.elsewhere().run(&["plan"]).done();
    fleet.program.run(&["plan"]).failed_with_hint(1);
}
