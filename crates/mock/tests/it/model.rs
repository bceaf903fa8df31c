//! What the state machines of both clouds share: random calls of a mock, each compared with a model of a few lines.

use std::{future::Future, sync::LazyLock};

use proptest::{prelude::*, sample::select, test_runner::TestCaseResult};
use tokio::runtime::Runtime;

use crate::client::http;

/// For all cases: a case starts a mock, but neither threads nor a client.
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().unwrap());
pub(crate) static HTTP: LazyLock<reqwest::Client> = LazyLock::new(http);

/// As many cases as `PROPTEST_CASES` says, by default few: each is up to 30 calls.
pub(crate) fn cases() -> ProptestConfig {
    #[expect(clippy::disallowed_methods, reason = "proptest's own variable")]
    let chosen = std::env::var_os("PROPTEST_CASES").is_some();
    if chosen { ProptestConfig::default() } else { ProptestConfig::with_cases(128) }
}

pub(crate) fn run(case: impl Future<Output = TestCaseResult>) -> TestCaseResult {
    RUNTIME.block_on(case)
}

/// Status and code of an error answer.
pub(crate) type Refusal = (u16, &'static str);

/// The first rule that is broken, of a list of them in the order they are checked.
pub(crate) fn first_broken(rules: &[(bool, u16, &'static str)]) -> Result<(), Refusal> {
    rules.iter().find(|(broken, ..)| *broken).map_or(Ok(()), |(_, status, code)| Err((*status, code)))
}

/// What goes wrong with a call besides what it asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mishap {
    Nothing,
    /// Carried out, and the answer lost.
    Lost,
    /// Refused, whatever it asks for.
    Denied,
}

pub(crate) fn mishap() -> impl Strategy<Value = Mishap> {
    prop_oneof![10 => Just(Mishap::Nothing), 1 => Just(Mishap::Lost), 1 => Just(Mishap::Denied)]
}

/// A text for a field with a rule, and whether it keeps the rule, which is known from how it was made. What an empty
/// text means is for the model to say.
#[derive(Debug, Clone)]
pub(crate) struct Text {
    pub(crate) text: String,
    pub(crate) keeps_rule: bool,
}

impl Text {
    fn good(text: String) -> Self {
        Self { text, keeps_rule: true }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// Neither empty nor by the rule.
    pub(crate) fn is_bad(&self) -> bool {
        !self.is_empty() && !self.keeps_rule
    }
}

fn text(good: &'static str, bad: Vec<String>) -> impl Strategy<Value = Text> {
    prop_oneof![
        14 => good.prop_map(Text::good),
        1 => select(bad).prop_map(|text| Text { text, keeps_rule: false }),
        1 => Just(Text::good(String::new())),
    ]
}

pub(crate) fn url() -> impl Strategy<Value = Text> {
    let bad = [
        "ftp://cb.example.com/",
        "cb.example.com",
        "https://",
        "https://cb.example.com/a b",
        " https://cb.example.com",
        "https://cb.example.com/\n",
        "https://cb.example.com:65536",
        "http://[::1",
    ];
    let good = r"https?://[a-z]{1,4}\.example\.com(:[1-9][0-9]{0,3})?(/[a-z录制%+~]{0,4})?(\?[a-z=&+]{0,4})?";
    text(good, bad.map(str::to_owned).to_vec())
}

/// A key of letters and digits, as short and as long as allowed. `bad` are lengths that are not.
pub(crate) fn key(good: &'static str, bad: &[usize]) -> impl Strategy<Value = Text> {
    let mut bad: Vec<String> = bad.iter().map(|length| "k".repeat(*length)).collect();
    bad.extend(["0123456789abcdef-0123456789abcde", "密钥密钥密钥密钥密钥密钥"].map(str::to_owned));
    text(good, bad)
}
