//! Random calls of the Huawei Cloud mock against a list of configurations and a table of rules.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use proptest::{collection::vec, prelude::*, test_runner::TestCaseResult};
use record_callback_mock::{
    DeleteOfMissing, Fault, FaultKind, HuaweicloudConfig, HuaweicloudDialect, HuaweicloudOmitted,
    MockHuaweicloud, OnDemandUrl, RecordStart, Uniqueness, UrlQuery,
};
use reqwest::Method;
use serde_json::{Value, json};

use crate::client::{HUAWEICLOUD_TIME, Huaweicloud, basic, clock, encode};
use crate::model::{HTTP, Mishap, Refusal, Text, cases, first_broken, run};
use crate::model_huaweicloud_steps::{Call, DOMAINS, EVENTS, FILTERS, Given, NO_ID, Step, dialect, step};

/// What the cloud should store, by the readings of a dialect.
struct Model {
    dialect: HuaweicloudDialect,
    stored: Vec<HuaweicloudConfig>,
    /// All there ever were.
    ids: Vec<String>,
    now: Timestamp,
}

impl Model {
    fn id(&self, which: usize) -> String {
        self.ids.get(which % (self.ids.len() + 1)).map_or(NO_ID, String::as_str).to_owned()
    }

    fn position(&self, which: usize) -> Option<usize> {
        let id = self.id(which);
        self.stored.iter().position(|config| config.id == id)
    }

    /// Status and body of a success. A new configuration gets the id the mock gave it.
    fn call(&mut self, call: &Call, id: String) -> Result<(u16, Value), Refusal> {
        let missing = (404, "LIVE.103011019");
        match call {
            Call::List(filters) => self.list(*filters),
            Call::Show { which } => Ok((200, body(&self.stored[self.position(*which).ok_or(missing)?]))),
            Call::Delete { which } => match self.position(*which) {
                None if self.dialect.delete_of_missing == DeleteOfMissing::AsMissing => Err(missing),
                None => Ok((204, Value::Null)),
                Some(index) => {
                    self.stored.remove(index);
                    Ok((204, Value::Null))
                }
            },
            Call::Create(given) => {
                let new = HuaweicloudConfig { id, create_time: self.now, ..HuaweicloudConfig::new("", "") };
                let (config, invalid) = self.made(given, new, false);
                let taken = |other: &HuaweicloudConfig| {
                    other.publish_domain == config.publish_domain
                        && (self.dialect.uniqueness == Uniqueness::PerDomain || other.app == config.app)
                };
                first_broken(&[
                    (invalid, 400, "LIVE.100011001"),
                    (!DOMAINS.contains(&config.publish_domain.as_str()), 400, "LIVE.103011019"),
                    (self.stored.iter().any(taken), 400, "LIVE.103011018"),
                ])?;
                self.stored.push(config.clone());
                Ok((201, body(&config)))
            }
            Call::Update { which, given, .. } => {
                let position = self.position(*which);
                let old = position.map(|index| self.stored[index].clone());
                let kept = self.dialect.omitted_on_update == HuaweicloudOmitted::Kept;
                let base = old.clone().filter(|_| kept);
                let base = base.unwrap_or_else(|| HuaweicloudConfig::new("", ""));
                let (mut config, invalid) =
                    self.made(given, base, self.dialect.omitted_on_update != HuaweicloudOmitted::Reset);
                first_broken(&[(invalid, 400, "LIVE.100011001")])?;
                let old = old.ok_or(missing)?;
                let moved = (&old.publish_domain, &old.app) != (&config.publish_domain, &config.app);
                first_broken(&[(moved, 400, "LIVE.100011001")])?;
                (config.id, config.create_time) = (old.id, old.create_time);
                self.stored[position.unwrap_or_default()] = config.clone();
                Ok((200, body(&config)))
            }
        }
    }

    /// What the given fields make of a configuration, and whether one of them is invalid.
    fn made(&self, given: &Given, base: HuaweicloudConfig, empty_clears: bool) -> (HuaweicloudConfig, bool) {
        let text = |text: &Option<Text>, old: Option<String>| {
            text.as_ref().map(|text| text.text.clone()).or(old).filter(|text| !text.is_empty())
        };
        let bad = |text: &Option<Text>| {
            text.as_ref().is_some_and(|text| if text.is_empty() { !empty_clears } else { !text.keeps_rule })
        };
        let query = |text: &Option<Text>| text.as_ref().is_some_and(|text| text.text.contains('?'));
        let bad_url = |url| bad(url) || (self.dialect.url_query == UrlQuery::Refused && query(url));
        let on_demand =
            Some(&given.on_demand_url).filter(|_| self.dialect.on_demand_url == OnDemandUrl::Kept);
        let fits = |text: &Option<String>, most| {
            text.as_ref().is_some_and(|text| (1..=most).contains(&text.chars().count()))
        };
        let known = |event: &&str| {
            EVENTS.contains(event)
                && (*event != "RECORD_START" || self.dialect.record_start == RecordStart::Accepted)
        };
        let events = given.events.as_ref().is_none_or(|events| {
            let set = BTreeSet::from_iter(events);
            !events.is_empty() && set.len() == events.len() && events.iter().all(known)
        });
        let invalid = !fits(&given.domain, 255)
            || !fits(&given.app, 128)
            || bad_url(&given.url)
            || on_demand.is_some_and(bad_url)
            || !events
            || given.sign_type.is_some_and(|sign_type| !["MD5", "HMACSHA256"].contains(&sign_type))
            || bad(&given.key);
        let events = given.events.as_ref().map(|events| events.iter().map(|&event| event.into()).collect());
        let config = HuaweicloudConfig {
            publish_domain: given.domain.clone().unwrap_or_default(),
            app: given.app.clone().unwrap_or_default(),
            notify_callback_url: text(&given.url, base.notify_callback_url),
            on_demand_callback_url: text(on_demand.unwrap_or(&None), base.on_demand_callback_url),
            notify_event_subscription: events.unwrap_or(base.notify_event_subscription),
            sign_type: given.sign_type.map_or(base.sign_type, str::to_owned),
            key: text(&given.key, base.key),
            update_time: self.now,
            ..base
        };
        (config, invalid)
    }

    fn list(&self, [app, limit, offset, domain]: [Option<&str>; 4]) -> Result<(u16, Value), Refusal> {
        let limit = limit.unwrap_or("10").parse().ok().filter(|limit| (1..=100).contains(limit));
        let offset = offset.unwrap_or("0").parse().ok().filter(|offset| *offset <= 4096);
        let empty = app == Some("") || domain == Some("");
        let (Some(limit), Some(offset), false) = (limit, offset, empty) else {
            return Err((400, "LIVE.100011001"));
        };
        let found = self.stored.iter().filter(|config| {
            app.is_none_or(|app| app == config.app)
                && domain.is_none_or(|domain| domain == config.publish_domain)
        });
        let found: Vec<Value> = found.map(body).collect();
        let page: Vec<&Value> = found.iter().skip(offset).take(limit).collect();
        Ok((200, json!({ "total": found.len(), "callback_config": page })))
    }
}

/// As the default dialect answers.
fn body(config: &HuaweicloudConfig) -> Value {
    let time = |at: Timestamp| at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let mut body = json!({
        "id": config.id,
        "publish_domain": config.publish_domain,
        "app": config.app,
        "notify_event_subscription": config.notify_event_subscription,
        "sign_type": config.sign_type,
        "create_time": time(config.create_time),
        "update_time": time(config.update_time),
    });
    for (name, url) in [
        ("notify_callback_url", &config.notify_callback_url),
        ("on_demand_callback_url", &config.on_demand_callback_url),
    ] {
        if let Some(url) = url {
            body[name] = json!(url);
        }
    }
    body
}

/// The HTTP request of a call.
fn request(mock: &MockHuaweicloud, model: &Model, call: &Call) -> (Method, String, String) {
    let with_id = |which: usize| format!("/{}", model.id(which));
    let (method, rest, body) = match call {
        Call::Create(given) => (Method::POST, String::new(), given.body()),
        Call::List(values) => {
            let pairs = FILTERS.into_iter().zip(values).filter_map(|(name, value)| Some((name, (*value)?)));
            let pairs: Vec<_> = pairs.map(|(name, value)| format!("{name}={}", encode(value))).collect();
            (Method::GET, format!("?{}", pairs.join("&")), String::new())
        }
        Call::Show { which } => (Method::GET, with_id(*which), String::new()),
        Call::Update { which, given, .. } => (Method::PUT, with_id(*which), given.body()),
        Call::Delete { which } => (Method::DELETE, with_id(*which), String::new()),
    };
    (method, format!("/v1/{}/record/callbacks{rest}", mock.project_id()), body)
}

async fn call(mock: &MockHuaweicloud, model: &mut Model, mut call: Call, mishap: Mishap) -> TestCaseResult {
    if let Call::Update { which, given, same_pair: true } = &mut call
        && let Some(index) = model.position(*which)
    {
        let old = &model.stored[index];
        (given.domain, given.app) = (Some(old.publish_domain.clone()), Some(old.app.clone()));
    }
    match mishap {
        Mishap::Nothing => {}
        // From something in between, as a reset would.
        Mishap::Lost => {
            mock.faults().add(Fault::new(FaultKind::Status { status: 520, retry_after: None }).after());
        }
        Mishap::Denied => mock.faults().add(Fault::new(FaultKind::Denied)),
    }
    let before = mock.configs();
    let client = Huaweicloud {
        http: HTTP.clone(),
        mock,
        endpoint: mock.endpoint(),
        access_key: mock.access_key().to_owned(),
        secret_key: mock.secret_key().to_owned(),
        date: basic(model.now),
        headers: Vec::new(),
    };
    let (method, target, sent) = request(mock, model, &call);
    let reply = client.call(method, &target, &sent).await;

    // The cloud chooses ids, but never one that was there.
    let new = mock.configs().into_iter().map(|config| config.id).find(|id| !model.ids.contains(id));
    let expected = match mishap {
        Mishap::Denied => Err((401, "LIVE.100011003")),
        _ => model.call(&call, new.clone().unwrap_or_default()),
    };
    model.ids.extend(new);
    if expected.is_err() {
        prop_assert_eq!(mock.configs(), before, "a refused call changed something");
    }
    prop_assert!(mock.faults().to_come().is_empty());
    if mishap == Mishap::Lost {
        prop_assert_eq!(reply.status, 520);
        return Ok(());
    }
    prop_assert_eq!(reply.status < 300, expected.is_ok(), "{} instead of {:?}", reply.text, expected);
    if model.dialect == HuaweicloudDialect::default() {
        let (status, code) = expected.as_ref().map_or_else(|refusal| *refusal, |(status, _)| (*status, ""));
        prop_assert_eq!(reply.outcome(), (status, code));
        if let Ok((_, body)) = &expected {
            prop_assert_eq!(&reply.json, body);
        }
    }
    Ok(())
}

fn put(mock: &MockHuaweicloud, model: &mut Model, which: usize, domain: &str, app: &str) {
    let url = Some("https://others.example.com".to_owned());
    let mut config = HuaweicloudConfig { notify_callback_url: url, ..HuaweicloudConfig::new(domain, app) };
    let position = model.position(which);
    if let Some(index) = position {
        config.id.clone_from(&model.stored[index].id);
    }
    mock.put_config(config.clone());
    config.update_time = model.now;
    if let Some(index) = position {
        config.create_time = model.stored[index].create_time;
        model.stored[index] = config;
    } else {
        config.create_time = model.now;
        model.ids.push(config.id.clone());
        model.stored.push(config);
    }
}

async fn case(dialect: HuaweicloudDialect, steps: Vec<Step>) -> TestCaseResult {
    let clock = clock(HUAWEICLOUD_TIME);
    let builder = MockHuaweicloud::builder().clock(clock.clone()).dialect(dialect.clone());
    let mock = builder.domain(DOMAINS[0]).domain(DOMAINS[1]).start().await?;
    let mut model = Model { dialect, stored: Vec::new(), ids: Vec::new(), now: clock.now() };
    for step in steps {
        let shown = format!("{step:?}");
        match step {
            Step::Call(made, mishap) => call(&mock, &mut model, made, mishap).await?,
            Step::Wait { milliseconds } => {
                clock.advance(SignedDuration::from_millis(milliseconds));
                model.now = clock.now();
            }
            Step::Put { which, domain, app } => put(&mock, &mut model, which, domain, app),
            Step::Remove { which } => {
                let removed = model.position(which).map(|index| model.stored.remove(index));
                prop_assert_eq!(mock.remove_config(&model.id(which)), removed);
            }
        }
        prop_assert_eq!(mock.configs(), &model.stored[..], "after {}", shown);
    }
    // By chance, few lists have several pages.
    for limit in ["1", "2"] {
        let list = Call::List([None, Some(limit), Some("1"), None]);
        call(&mock, &mut model, list, Mishap::Nothing).await?;
    }
    mock.shutdown().await;
    Ok(())
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn huaweicloud_stores_and_answers_what_its_model_does(dialect in dialect(), steps in vec(step(), 1..=30)) {
        run(case(dialect, steps))?;
    }
}
