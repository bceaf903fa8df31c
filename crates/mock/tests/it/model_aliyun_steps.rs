//! Random steps for the model of Aliyun.

use proptest::{option, prelude::*, sample::select};
use record_callback_mock::{AliyunConfig, AliyunDialect, BooleanRequests, Dialect};

use crate::model::{Mishap, Text, key, mishap, url};

pub(crate) const STREAMING: [&str; 2] = ["a.example.com", "z.example.com"];
pub(crate) const INGEST: &str = "push.example.com";
const UNREGISTERED: &str = "unknown.example.com";
/// What is a boolean in which dialect, and which it is.
pub(crate) const BOOLEANS: [(&str, BooleanRequests, bool); 6] = [
    ("true", BooleanRequests::TrueFalse, true),
    ("True", BooleanRequests::TrueFalse, true),
    ("yes", BooleanRequests::YesNo, true),
    ("false", BooleanRequests::TrueFalse, false),
    ("False", BooleanRequests::TrueFalse, false),
    ("no", BooleanRequests::YesNo, false),
];

#[derive(Debug, Clone)]
pub(crate) enum Step {
    Call(Call, Mishap),
    /// By somebody else, unchecked.
    Put(AliyunConfig),
    Remove(&'static str),
}

#[derive(Debug, Clone)]
pub(crate) enum Call {
    Add(Given),
    Update(Given),
    Describe(&'static str),
    Delete(&'static str),
    Domains(Listing),
}

#[derive(Debug, Clone)]
pub(crate) struct Given {
    pub(crate) domain: &'static str,
    pub(crate) notify_url: Option<Text>,
    pub(crate) on_demand_url: Option<Text>,
    pub(crate) status: Option<&'static str>,
    pub(crate) auth: Option<&'static str>,
    pub(crate) key: Option<Text>,
}

const FILTERS: [&str; 5] = ["LiveDomainType", "DomainName", "DomainSearchType", "PageNumber", "PageSize"];

/// The values of [`FILTERS`].
pub(crate) type Listing = [Option<&'static str>; 5];

impl Call {
    /// The action and its parameters.
    pub(crate) fn parameters(&self) -> (&'static str, Vec<(&str, &str)>) {
        let (action, domain, given) = match self {
            Self::Add(given) => ("AddLiveRecordNotifyConfig", given.domain, Some(given)),
            Self::Update(given) => ("UpdateLiveRecordNotifyConfig", given.domain, Some(given)),
            Self::Describe(domain) => ("DescribeLiveRecordNotifyConfig", *domain, None),
            Self::Delete(domain) => ("DeleteLiveRecordNotifyConfig", *domain, None),
            Self::Domains(listing) => {
                let pairs = FILTERS.into_iter().zip(*listing);
                let given = pairs.filter_map(|(name, value)| Some((name, value?))).collect();
                return ("DescribeLiveUserDomains", given);
            }
        };
        let mut parameters = vec![("DomainName", domain)];
        if let Some(given) = given {
            let optional = [
                ("NotifyUrl", given.notify_url.as_ref().map(|url| url.text.as_str())),
                ("OnDemandUrl", given.on_demand_url.as_ref().map(|url| url.text.as_str())),
                ("NeedStatusNotify", given.status),
                ("NotifyReqAuth", given.auth),
                ("NotifyAuthKey", given.key.as_ref().map(|key| key.text.as_str())),
            ];
            parameters.extend(optional.into_iter().filter_map(|(name, value)| Some((name, value?))));
        }
        (action, parameters)
    }
}

fn domain() -> impl Strategy<Value = &'static str> {
    prop_oneof![18 => select(&STREAMING[..]), 1 => Just(INGEST), 1 => Just(UNREGISTERED), 1 => Just("")]
}

fn boolean() -> impl Strategy<Value = Option<&'static str>> {
    let good = select(&BOOLEANS[..]).prop_map(|(text, ..)| text);
    option::weighted(0.6, prop_oneof![16 => good, 1 => select(vec!["", "TRUE", "Yes", "1", "null"])])
}

fn auth_key() -> impl Strategy<Value = Text> {
    key("[a-zA-Z0-9]{16,17}|[a-zA-Z0-9]{31,32}", &[1, 15, 33, 64])
}

fn given() -> impl Strategy<Value = Given> {
    let url_given = option::weighted(0.95, url());
    let key = option::weighted(0.7, auth_key());
    (domain(), url_given, option::of(url()), boolean(), boolean(), key).prop_map(
        |(domain, notify_url, on_demand_url, status, auth, key)| Given {
            domain,
            notify_url,
            on_demand_url,
            status,
            auth,
            key,
        },
    )
}

fn listing() -> impl Strategy<Value = Listing> {
    (
        option::weighted(0.3, select(vec!["liveVideo", "liveEdge", "vod"])),
        option::of(select(vec!["", "a", "push", "example.com", "a.example.com", "*"])),
        option::of(select(vec!["fuzzy_match", "pre_match", "suf_match", "full_match", "any"])),
        option::weighted(0.4, select(vec!["0", "1", "2", "3"])),
        option::weighted(0.4, select(vec!["0", "1", "2", "50", "51"])),
    )
        .prop_map(|(kind, keyword, search, number, size)| [kind, keyword, search, number, size])
}

/// Also what the API itself would refuse, but no empty text where it stores none.
fn config() -> impl Strategy<Value = AliyunConfig> {
    let some = |text: Option<Text>| Some(text?.text).filter(|text| !text.is_empty());
    let domain = domain().prop_filter("it needs a name", |domain| !domain.is_empty());
    (domain, url(), option::of(url()), any::<[bool; 2]>(), option::of(auth_key())).prop_map(
        move |(domain, url, on_demand_url, [need_status_notify, notify_req_auth], key)| AliyunConfig {
            on_demand_url: some(on_demand_url),
            need_status_notify,
            notify_req_auth,
            notify_auth_key: some(key),
            ..AliyunConfig::new(domain, url.text)
        },
    )
}

pub(crate) fn step() -> impl Strategy<Value = Step> {
    let call = prop_oneof![
        5 => given().prop_map(Call::Add),
        6 => given().prop_map(Call::Update),
        4 => domain().prop_map(Call::Describe),
        2 => domain().prop_map(Call::Delete),
        2 => listing().prop_map(Call::Domains),
    ];
    prop_oneof![
        17 => (call, mishap()).prop_map(|(call, mishap)| Step::Call(call, mishap)),
        2 => config().prop_map(Step::Put),
        1 => domain().prop_map(Step::Remove),
    ]
}

/// Any dialect without its lag, of which this clock that stands still would never see the end.
pub(crate) fn dialect() -> impl Strategy<Value = AliyunDialect> {
    let any = select(AliyunDialect::pairwise())
        .prop_map(|(_, dialect)| AliyunDialect { read_lag_milliseconds: 0, ..dialect });
    prop_oneof![2 => Just(AliyunDialect::default()), 1 => any]
}
