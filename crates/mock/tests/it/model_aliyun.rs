//! Random calls of the Aliyun mock against a map of configurations and a table of rules.

use std::collections::BTreeMap;

use proptest::{collection::vec, prelude::*, test_runner::TestCaseResult};
use record_callback_mock::{
    AliyunConfig, AliyunDialect, AliyunOmitted, BooleanRequests, EmptyOnDemandUrl, Fault, FaultKind,
    KeyWithoutAuth, MockAliyun, NotifyUrlOnUpdate,
};
use serde_json::{Value, json};

use crate::client::{ALIYUN_TIME, Aliyun, Reply, clock};
use crate::model::{HTTP, Mishap, Refusal, Text, cases, first_broken, run};
use crate::model_aliyun_steps::{BOOLEANS, Call, Given, INGEST, Listing, STREAMING, Step, dialect, step};

/// What the cloud should store, by the readings of a dialect.
struct Model {
    dialect: AliyunDialect,
    stored: BTreeMap<String, AliyunConfig>,
}

impl Model {
    /// The body of the answer without its request id.
    fn call(&mut self, call: &Call) -> Result<Value, Refusal> {
        match call {
            Call::Add(given) => self.put(given, false)?,
            Call::Update(given) => self.put(given, true)?,
            Call::Delete(domain) => {
                self.find(domain)?;
                self.stored.remove(*domain);
            }
            Call::Describe(domain) => return self.find(domain).map(described),
            Call::Domains(listing) => return domains(*listing),
        }
        Ok(json!({}))
    }

    fn put(&mut self, given: &Given, update: bool) -> Result<(), Refusal> {
        let stored = self.stored.get(given.domain);
        let keeps = update && self.dialect.omitted_on_update == AliyunOmitted::Kept;
        let base = stored.filter(|_| keeps).cloned();
        let mut config = base.unwrap_or_else(|| AliyunConfig::new(given.domain, ""));
        let text = |text: &Option<Text>| text.as_ref().map(|text| text.text.clone());
        let bad = |text: &Option<Text>| text.as_ref().is_some_and(Text::is_bad);
        let url = text(&given.notify_url).filter(|url| !url.is_empty());
        let key = text(&given.key).filter(|key| !key.is_empty());
        let (status, auth) = (self.boolean(given.status), self.boolean(given.auth));
        let url_optional = update && self.dialect.notify_url_on_update == NotifyUrlOnUpdate::Optional;
        let empty_refused = self.dialect.empty_on_demand_url == EmptyOnDemandUrl::Refused
            && given.on_demand_url.as_ref().is_some_and(Text::is_empty);
        let url_missing = url.is_none() && !url_optional;

        config.notify_url = url.unwrap_or(config.notify_url);
        config.on_demand_url =
            text(&given.on_demand_url).or(config.on_demand_url).filter(|url| !url.is_empty());
        config.need_status_notify = status.ok().flatten().unwrap_or(config.need_status_notify);
        config.notify_req_auth = auth.ok().flatten().unwrap_or(config.notify_req_auth);
        config.notify_auth_key = key.or(config.notify_auth_key);
        first_broken(&[
            (given.domain.is_empty(), 400, "MissingDomainName"),
            (url_missing, 400, "MissingNotifyUrl"),
            (bad(&given.notify_url), 400, "InvalidNotifyUrl.Malformed"),
            (bad(&given.on_demand_url) || empty_refused, 400, "InvalidOnDemandUrl.Malformed"),
            (status.is_err() || auth.is_err() || bad(&given.key), 400, "InvalidParameter"),
            (config.notify_req_auth && config.notify_auth_key.is_none(), 400, "InvalidParameter"),
            (!STREAMING.contains(&given.domain), if update { 400 } else { 404 }, "InvalidDomain.NotFound"),
            (update && stored.is_none(), 404, "InvalidConfig.NotFound"),
            (!update && stored.is_some(), 400, "ConfigAlreadyExists"),
        ])?;
        if !config.notify_req_auth && self.dialect.key_without_auth == KeyWithoutAuth::Dropped {
            config.notify_auth_key = None;
        }
        self.stored.insert(given.domain.to_owned(), config);
        Ok(())
    }

    fn find(&self, domain: &str) -> Result<&AliyunConfig, Refusal> {
        first_broken(&[
            (domain.is_empty(), 400, "MissingDomainName"),
            (!STREAMING.contains(&domain), 404, "InvalidDomain.NotFound"),
        ])?;
        self.stored.get(domain).ok_or((404, "InvalidConfig.NotFound"))
    }

    /// `Err` for a text that is none.
    fn boolean(&self, text: Option<&str>) -> Result<Option<bool>, ()> {
        let Some(text) = text else { return Ok(None) };
        let (_, form, value) = BOOLEANS.into_iter().find(|(spelling, ..)| *spelling == text).ok_or(())?;
        let taken = [BooleanRequests::Lenient, form].contains(&self.dialect.boolean_requests);
        if taken { Ok(Some(value)) } else { Err(()) }
    }
}

fn described(config: &AliyunConfig) -> Value {
    json!({ "LiveRecordNotifyConfig": {
        "DomainName": config.domain_name,
        "NotifyUrl": config.notify_url,
        "OnDemandUrl": config.on_demand_url.clone().unwrap_or_default(),
        "NeedStatusNotify": config.need_status_notify,
        "NotifyReqAuth": config.notify_req_auth,
        "NotifyAuthKey": config.notify_auth_key.clone().unwrap_or_default(),
    }})
}

/// What is registered is listed, whatever is stored.
fn domains([kind, keyword, search, number, size]: Listing) -> Result<Value, Refusal> {
    let number: usize = number.unwrap_or("1").parse().unwrap();
    let size: usize = size.unwrap_or("20").parse().unwrap();
    let bad = number == 0 || !(1..=50).contains(&size) || kind == Some("vod") || search == Some("any");
    first_broken(&[(bad, 400, "InvalidParameter")])?;
    let keyword = keyword.unwrap_or_default();
    let all = [(STREAMING[0], "liveVideo"), (INGEST, "liveEdge"), (STREAMING[1], "liveVideo")];
    let found: Vec<_> = all
        .into_iter()
        .filter(|(_, of)| kind.is_none_or(|kind| kind == *of))
        .filter(|(name, _)| match search {
            Some("full_match") => keyword.is_empty() || *name == keyword,
            Some("pre_match") => name.starts_with(keyword),
            Some("suf_match") => name.ends_with(keyword),
            _ => name.contains(keyword),
        })
        .collect();
    let page: Vec<_> = found.iter().skip((number - 1) * size).take(size).map(listed).collect();
    Ok(json!({
        "PageNumber": number, "PageSize": size, "TotalCount": found.len(), "Domains": { "PageData": page },
    }))
}

fn listed((name, kind): &(&str, &str)) -> Value {
    json!({
        "DomainName": name,
        "LiveDomainType": kind,
        "LiveDomainStatus": "online",
        "RegionName": "cn-shanghai",
        "Cname": format!("{name}.w.alikunlun.com"),
        "GmtCreated": ALIYUN_TIME,
        "GmtModified": ALIYUN_TIME,
        "Description": "",
        "ResourceGroupId": "",
    })
}

async fn call(mock: &MockAliyun, model: &mut Model, call: &Call, mishap: Mishap) -> TestCaseResult {
    let before = mock.configs();
    let expected = match mishap {
        Mishap::Denied => Err((400, "Forbidden")),
        _ => model.call(call),
    };
    let client = Aliyun {
        http: HTTP.clone(),
        endpoint: mock.endpoint(),
        id: mock.access_key_id().to_owned(),
        secret: mock.access_key_secret().to_owned(),
        time: ALIYUN_TIME.to_owned(),
        nonce: None,
    };
    let (action, parameters) = call.parameters();
    let request = HTTP.post(client.rpc_url(action, &parameters));
    match mishap {
        Mishap::Nothing => {}
        Mishap::Lost => mock.faults().add(Fault::new(FaultKind::Reset).after()),
        Mishap::Denied => mock.faults().add(Fault::new(FaultKind::Denied)),
    }
    if mishap == Mishap::Lost {
        prop_assert!(request.send().await.is_err());
    } else {
        let mut reply = Reply::to(request).await;
        prop_assert_eq!(reply.status == 200, expected.is_ok(), "{} instead of {:?}", reply.text, expected);
        if model.dialect == AliyunDialect::default() {
            prop_assert_eq!(reply.outcome(), expected.clone().err().unwrap_or((200, "")));
            prop_assert!(reply.json["RequestId"].take().is_string());
            if let Ok(mut body) = expected.clone() {
                body["RequestId"] = Value::Null;
                prop_assert_eq!(&reply.json, &body);
            }
        }
    }
    if expected.is_err() {
        prop_assert_eq!(mock.configs(), before, "a refused call changed something");
    }
    prop_assert!(mock.faults().to_come().is_empty());
    Ok(())
}

async fn case(dialect: AliyunDialect, steps: Vec<Step>) -> TestCaseResult {
    let builder = MockAliyun::builder().clock(clock(ALIYUN_TIME)).dialect(dialect.clone());
    let [a, z] = STREAMING;
    let mock = builder.domain(z).ingest_domain(INGEST).domain(a).start().await?;
    let mut model = Model { dialect, stored: BTreeMap::new() };
    for step in &steps {
        match step {
            Step::Call(made, mishap) => call(&mock, &mut model, made, *mishap).await?,
            Step::Put(config) => {
                mock.put_config(config.clone());
                model.stored.insert(config.domain_name.clone(), config.clone());
            }
            Step::Remove(domain) => prop_assert_eq!(mock.remove_config(domain), model.stored.remove(*domain)),
        }
        let stored: Vec<_> = model.stored.values().cloned().collect();
        prop_assert_eq!(mock.configs(), stored, "after {:?}", step);
    }
    mock.shutdown().await;
    Ok(())
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn aliyun_stores_and_answers_what_its_model_does(dialect in dialect(), steps in vec(step(), 1..=30)) {
        run(case(dialect, steps))?;
    }
}
