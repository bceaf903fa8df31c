//! Random steps for the model of Huawei Cloud.

use std::collections::BTreeMap;

use proptest::{option, prelude::*, sample, sample::select};
use record_callback_mock::{Dialect, HuaweicloudDialect};
use serde_json::json;

use crate::model::{Mishap, Text, key, mishap, url};

pub(crate) const DOMAINS: [&str; 2] = ["push-a.example.com", "push-b.example.com"];
pub(crate) const UNREGISTERED: &str = "unknown.example.com";
pub(crate) const APPS: [&str; 3] = ["*", "live", "直播"];
pub(crate) const EVENTS: [&str; 5] =
    ["RECORD_START", "RECORD_NEW_FILE_START", "RECORD_FILE_COMPLETE", "RECORD_OVER", "RECORD_FAILED"];
pub(crate) const NO_ID: &str = "0123456789abcdef0123456789abcdef";
/// The values of a list call's query, by name.
pub(crate) const FILTERS: [&str; 4] = ["app", "limit", "offset", "publish_domain"];

#[derive(Debug, Clone)]
pub(crate) enum Step {
    Call(Call, Mishap),
    Wait {
        milliseconds: i64,
    },
    /// By somebody else: a new configuration, or one in place of another.
    Put {
        which: usize,
        domain: &'static str,
        app: &'static str,
    },
    Remove {
        which: usize,
    },
}

/// `which` counts the ids there ever were, and one there never was.
#[derive(Debug, Clone)]
pub(crate) enum Call {
    Create(Given),
    List([Option<&'static str>; 4]),
    Show {
        which: usize,
    },
    /// Of the stored domain and app, or of others.
    Update {
        which: usize,
        given: Given,
        same_pair: bool,
    },
    Delete {
        which: usize,
    },
}

#[derive(Debug, Clone)]
pub(crate) struct Given {
    pub(crate) domain: Option<String>,
    pub(crate) app: Option<String>,
    pub(crate) url: Option<Text>,
    pub(crate) on_demand_url: Option<Text>,
    pub(crate) events: Option<Vec<&'static str>>,
    pub(crate) sign_type: Option<&'static str>,
    pub(crate) key: Option<Text>,
}

impl Given {
    pub(crate) fn body(&self) -> String {
        let text = |text: &Option<Text>| text.as_ref().map(|text| json!(text.text));
        let fields = [
            ("publish_domain", self.domain.as_ref().map(|domain| json!(domain))),
            ("app", self.app.as_ref().map(|app| json!(app))),
            ("notify_callback_url", text(&self.url)),
            ("on_demand_callback_url", text(&self.on_demand_url)),
            ("notify_event_subscription", self.events.as_ref().map(|events| json!(events))),
            ("sign_type", self.sign_type.map(|sign_type| json!(sign_type))),
            ("key", text(&self.key)),
        ];
        let given = fields.into_iter().filter_map(|(name, value)| Some((name, value?)));
        json!(given.collect::<BTreeMap<_, _>>()).to_string()
    }
}

fn given() -> impl Strategy<Value = Given> {
    let domain = prop_oneof![
        12 => select(&DOMAINS[..]).prop_map(str::to_owned),
        1 => Just(UNREGISTERED.to_owned()),
        1 => select(vec![String::new(), "d".repeat(256)]),
    ];
    let app = prop_oneof![
        14 => select(&APPS[..]).prop_map(str::to_owned),
        1 => Just("直".repeat(128)),
        1 => select(vec![String::new(), "直".repeat(129)]),
    ];
    let bad = vec![vec![], vec!["RECORD_OVER", "RECORD_OVER"], vec!["record_over"], vec![""]];
    let events = prop_oneof![
        16 => sample::subsequence(&EVENTS[..], 1..=5).prop_shuffle(),
        1 => select(bad),
    ];
    let sign_type = prop_oneof![16 => select(vec!["MD5", "HMACSHA256"]), 1 => select(vec!["", "md5"])];
    (
        option::weighted(0.98, domain),
        option::weighted(0.98, app),
        option::weighted(0.6, url()),
        option::weighted(0.3, url()),
        option::of(events),
        option::of(sign_type),
        option::of(key("[a-zA-Z0-9]{32,33}", &[1, 16, 31])),
    )
        .prop_map(|(domain, app, url, on_demand_url, events, sign_type, key)| Given {
            domain,
            app,
            url,
            on_demand_url,
            events,
            sign_type,
            key,
        })
}

/// Numbers for a page, mostly good ones.
fn page(good: &'static [&'static str], bad: &'static [&'static str]) -> impl Strategy<Value = &'static str> {
    prop_oneof![8 => select(good), 1 => select(bad)]
}

pub(crate) fn step() -> impl Strategy<Value = Step> {
    let which = || 0..12_usize;
    let filters = (
        option::weighted(0.25, select(vec!["*", "live", "直播", "other", ""])),
        option::weighted(0.6, page(&["1", "2", "3", "100"], &["0", "101", "x"])),
        option::weighted(0.6, page(&["1", "2", "0", "4096"], &["4097", "-1", ""])),
        option::weighted(0.25, select(vec![DOMAINS[0], DOMAINS[1], UNREGISTERED, ""])),
    );
    let update = (which(), given(), prop::bool::weighted(0.9));
    let call = prop_oneof![
        8 => given().prop_map(Call::Create),
        4 => filters.prop_map(|(app, limit, offset, domain)| Call::List([app, limit, offset, domain])),
        3 => which().prop_map(|which| Call::Show { which }),
        6 => update.prop_map(|(which, given, same_pair)| Call::Update { which, given, same_pair }),
        2 => which().prop_map(|which| Call::Delete { which }),
    ];
    let put = (which(), select(&DOMAINS[..]), select(&APPS[..]));
    prop_oneof![
        20 => (call, mishap()).prop_map(|(call, mishap)| Step::Call(call, mishap)),
        4 => (0..90_000_i64).prop_map(|milliseconds| Step::Wait { milliseconds }),
        2 => put.prop_map(|(which, domain, app)| Step::Put { which, domain, app }),
        1 => which().prop_map(|which| Step::Remove { which }),
    ]
}

pub(crate) fn dialect() -> impl Strategy<Value = HuaweicloudDialect> {
    let any = select(HuaweicloudDialect::pairwise())
        .prop_map(|(_, dialect)| HuaweicloudDialect { read_lag_milliseconds: 0, ..dialect });
    prop_oneof![2 => Just(HuaweicloudDialect::default()), 1 => any]
}
