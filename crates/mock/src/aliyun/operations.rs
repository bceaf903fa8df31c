//! What each operation does once the caller is known.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};

use super::{
    dialect::{AliyunDialect, AliyunOmitted, BooleanAnswers},
    error::{ApiError, Result},
    given::Given,
    request::ApiRequest,
    state::{AliyunConfig, AliyunNotifyRecord, DomainKind, State},
};
use crate::{clock, quota::Quota};

/// The region the mock reports for every domain.
const REGION: &str = "cn-shanghai";
/// The delivery log goes back this far.
const RECORDS_KEPT: SignedDuration = SignedDuration::from_hours(7 * 24);

/// The operations the mock answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the vendor's own names")]
pub enum AliyunOperation {
    AddLiveRecordNotifyConfig,
    UpdateLiveRecordNotifyConfig,
    DescribeLiveRecordNotifyConfig,
    DeleteLiveRecordNotifyConfig,
    DescribeLiveRecordNotifyRecords,
    DescribeLiveUserDomains,
}

impl AliyunOperation {
    const ALL: [Self; 6] = [
        Self::AddLiveRecordNotifyConfig,
        Self::UpdateLiveRecordNotifyConfig,
        Self::DescribeLiveRecordNotifyConfig,
        Self::DeleteLiveRecordNotifyConfig,
        Self::DescribeLiveRecordNotifyRecords,
        Self::DescribeLiveUserDomains,
    ];

    /// The value of the `Action` parameter.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AddLiveRecordNotifyConfig => "AddLiveRecordNotifyConfig",
            Self::UpdateLiveRecordNotifyConfig => "UpdateLiveRecordNotifyConfig",
            Self::DescribeLiveRecordNotifyConfig => "DescribeLiveRecordNotifyConfig",
            Self::DeleteLiveRecordNotifyConfig => "DeleteLiveRecordNotifyConfig",
            Self::DescribeLiveRecordNotifyRecords => "DescribeLiveRecordNotifyRecords",
            Self::DescribeLiveUserDomains => "DescribeLiveUserDomains",
        }
    }

    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|operation| operation.as_str() == name)
    }

    /// The documented requests per second of an account.
    pub(super) const fn documented_quota(self) -> Quota {
        let limit = match self {
            Self::AddLiveRecordNotifyConfig
            | Self::UpdateLiveRecordNotifyConfig
            | Self::DeleteLiveRecordNotifyConfig => 30,
            Self::DescribeLiveRecordNotifyConfig => 50,
            Self::DescribeLiveRecordNotifyRecords | Self::DescribeLiveUserDomains => 100,
        };
        Quota { limit, window: Duration::from_secs(1) }
    }
}

/// The world an operation runs in.
pub(super) struct Context<'a> {
    pub(super) state: &'a mut State,
    pub(super) dialect: &'a AliyunDialect,
    pub(super) now: Timestamp,
    pub(super) started: Timestamp,
    /// True if the domain the call is about is in another account.
    pub(super) is_foreign: bool,
}

pub(super) type Fields = Map<String, Value>;

impl Context<'_> {
    pub(super) fn run(&mut self, operation: AliyunOperation, request: &ApiRequest<'_>) -> Result<Fields> {
        use AliyunOperation as Op;
        match operation {
            Op::AddLiveRecordNotifyConfig => self.add(request),
            Op::UpdateLiveRecordNotifyConfig => self.update(request),
            Op::DescribeLiveRecordNotifyConfig => self.describe(request),
            Op::DeleteLiveRecordNotifyConfig => self.delete(request),
            Op::DescribeLiveRecordNotifyRecords => self.describe_records(request),
            Op::DescribeLiveUserDomains => self.describe_domains(request),
        }
    }

    fn add(&mut self, request: &ApiRequest<'_>) -> Result<Fields> {
        let given = Given::by(
            request,
            AliyunOperation::AddLiveRecordNotifyConfig,
            self.dialect,
            &self.state.unsafe_hosts,
        )?;
        let mut config = given.alone(self.dialect)?;
        config.domain_name = self.meant(given.domain_name);
        self.check_domain(&config.domain_name)?;
        if self.state.configs.contains_key(&config.domain_name) {
            return Err(ApiError::config_exists());
        }
        self.put(config);
        Ok(Fields::new())
    }

    fn update(&mut self, request: &ApiRequest<'_>) -> Result<Fields> {
        let given = Given::by(
            request,
            AliyunOperation::UpdateLiveRecordNotifyConfig,
            self.dialect,
            &self.state.unsafe_hosts,
        )?;
        let domain = self.meant(given.domain_name);
        let stored = self.state.configs.get(&domain);
        let mut config = match (self.dialect.omitted_on_update, stored) {
            (AliyunOmitted::Kept, Some(stored)) => given.over(stored.clone(), self.dialect)?,
            _ => given.alone(self.dialect)?,
        };
        if self.is_foreign {
            return Err(ApiError::foreign_domain(self.dialect, ApiError::domain_not_found_on_update()));
        }
        if !self.state.has_streaming_domain(&domain) {
            return Err(ApiError::domain_not_found_on_update());
        }
        if stored.is_none() {
            return Err(ApiError::config_not_found(self.dialect));
        }
        config.domain_name = domain;
        self.put(config);
        Ok(Fields::new())
    }

    fn put(&mut self, config: AliyunConfig) {
        self.state.configs.change(self.now).insert(config.domain_name.clone(), config);
    }

    fn describe(&self, request: &ApiRequest<'_>) -> Result<Fields> {
        let domain = self.meant(request.required("DomainName")?);
        self.check_domain(&domain)?;
        let configs = self.state.configs.seen(self.now);
        let config = configs.get(&domain).ok_or_else(|| ApiError::config_not_found(self.dialect))?;
        let body = json!({
            "DomainName": config.domain_name,
            "NotifyUrl": config.notify_url,
            "OnDemandUrl": config.on_demand_url.as_deref().unwrap_or_default(),
            "NeedStatusNotify": self.boolean(config.need_status_notify),
            "NotifyReqAuth": self.boolean(config.notify_req_auth),
            "NotifyAuthKey": config.notify_auth_key.as_deref().unwrap_or_default(),
        });
        Ok(Fields::from_iter([("LiveRecordNotifyConfig".to_owned(), body)]))
    }

    fn delete(&mut self, request: &ApiRequest<'_>) -> Result<Fields> {
        let domain = self.meant(request.required("DomainName")?);
        self.check_domain(&domain)?;
        let removed = self.state.configs.change(self.now).remove(&domain);
        removed.map(|_| Fields::new()).ok_or_else(|| ApiError::config_not_found(self.dialect))
    }

    fn describe_records(&self, request: &ApiRequest<'_>) -> Result<Fields> {
        let domain = self.meant(request.required("DomainName")?);
        let start = request.required_time("StartTime")?;
        let end = request.required_time("EndTime")?;
        if end <= start {
            return Err(ApiError::invalid_parameter("EndTime", "it is not later than StartTime"));
        }
        if self.now.duration_since(start) > RECORDS_KEPT {
            return Err(ApiError::invalid_parameter("StartTime", "it is more than 7 days ago"));
        }
        // The page marks both as required although it gives defaults.
        request.required("PageNumber")?;
        request.required("PageSize")?;
        let page = Page::requested(request, 500)?;
        let status = request.one_of("Status", &["success", "failed"])?;
        let storage =
            request.one_of("StorageType", &["oss", "vod", "all"])?.filter(|storage| *storage != "all");
        self.check_domain(&domain)?;

        let wanted = |name: &str, value: &str| request.text(name).is_none_or(|filter| filter == value);
        let found: Vec<&AliyunNotifyRecord> = self
            .state
            .records
            .iter()
            .filter(|record| record.domain_name == domain && (start..=end).contains(&record.notify_time))
            .filter(|record| wanted("AppName", &record.app_name) && wanted("StreamName", &record.stream_name))
            .filter(|record| status.is_none_or(|status| status == notify_result(record)))
            .filter(|record| storage.is_none() || record.storage_type.as_deref() == storage)
            .collect();
        let list: Vec<Value> = page.of(&found).iter().map(|record| record_body(record)).collect();
        Ok(Fields::from_iter([
            ("Code".to_owned(), json!(0)),
            ("Msg".to_owned(), json!("ok")),
            ("PageNum".to_owned(), json!(page.number)),
            ("PageSize".to_owned(), json!(page.size)),
            ("TotalNum".to_owned(), json!(found.len())),
            ("TotalPage".to_owned(), json!(found.len().div_ceil(page.size))),
            ("CallbackList".to_owned(), json!(list)),
        ]))
    }

    fn describe_domains(&self, request: &ApiRequest<'_>) -> Result<Fields> {
        let unmodelled =
            request.parameters().find(|(name, _)| name == "ResourceGroupId" || name.starts_with("Tag."));
        if let Some((name, _)) = unmodelled {
            return Err(ApiError::not_modelled(&format!("the filter {name}")));
        }
        let page = Page::requested(request, 50)?;
        let matching = self.dialect.domain_matching;
        let keyword = matching.folded(request.text("DomainName").unwrap_or_default());
        let search =
            request.one_of("DomainSearchType", &["fuzzy_match", "pre_match", "suf_match", "full_match"])?;
        let matches: fn(&str, &str) -> bool = match search {
            Some("pre_match") => |name, keyword| name.starts_with(keyword),
            Some("suf_match") => |name, keyword| name.ends_with(keyword),
            Some("full_match") => |name, keyword| keyword.is_empty() || name == keyword,
            _ => |name, keyword| name.contains(keyword),
        };
        let kind = request.one_of("LiveDomainType", &["liveVideo", "liveEdge"])?;
        // Every domain of the mock is online and in one region.
        let status =
            request.one_of("DomainStatus", &["online", "offline", "configuring"])?.unwrap_or("online");
        let region = request.text("RegionName").unwrap_or(REGION);

        let mut domains = self.state.account_domains();
        // While no domain is registered, each is the account's.
        if self.state.domains.is_empty() && search == Some("full_match") && !keyword.is_empty() {
            domains.retain(|(name, _)| matching.folded(name) == keyword);
            if domains.is_empty() {
                domains.push((&keyword, DomainKind::Streaming));
            }
        }
        let found: Vec<(&str, DomainKind)> = domains
            .into_iter()
            .filter(|_| status == "online" && region == REGION)
            .filter(|(name, _)| matches(&matching.folded(name), &keyword))
            .filter(|(_, of)| kind.is_none_or(|kind| kind == live_domain_type(*of)))
            .collect();
        let list: Vec<Value> =
            page.of(&found).iter().map(|(name, kind)| self.domain_body(name, *kind)).collect();
        Ok(Fields::from_iter([
            ("PageNumber".to_owned(), json!(page.number)),
            ("PageSize".to_owned(), json!(page.size)),
            ("TotalCount".to_owned(), json!(found.len())),
            ("Domains".to_owned(), json!({ "PageData": list })),
        ]))
    }

    fn domain_body(&self, name: &str, kind: DomainKind) -> Value {
        let created = clock::format(self.started, clock::EXTENDED);
        json!({
            "DomainName": name,
            "LiveDomainType": live_domain_type(kind),
            "LiveDomainStatus": "online",
            "RegionName": REGION,
            "Cname": format!("{name}.w.alikunlun.com"),
            "GmtCreated": created,
            "GmtModified": created,
            "Description": "",
            "ResourceGroupId": "",
        })
    }

    /// The domain that is called `given`, in the spelling in which it is known.
    fn meant(&self, given: &str) -> String {
        let known = self.state.domains.keys().chain(self.state.configs.keys());
        self.dialect.domain_matching.find(known, given).unwrap_or(given).to_owned()
    }

    fn check_domain(&self, name: &str) -> Result<()> {
        if self.is_foreign {
            Err(ApiError::foreign_domain(self.dialect, ApiError::unknown_domain(self.dialect)))
        } else if self.state.has_streaming_domain(name) {
            Ok(())
        } else {
            Err(ApiError::unknown_domain(self.dialect))
        }
    }

    fn boolean(&self, value: bool) -> Value {
        match self.dialect.boolean_answers {
            BooleanAnswers::Bool => json!(value),
            BooleanAnswers::TrueFalseText => json!(value.to_string()),
            BooleanAnswers::YesNo => json!(if value { "yes" } else { "no" }),
        }
    }
}

struct Page {
    number: usize,
    size: usize,
}

impl Page {
    fn requested(request: &ApiRequest<'_>, largest: usize) -> Result<Self> {
        Ok(Self {
            number: request.number("PageNumber", 1..=100_000)?.unwrap_or(1),
            size: request.number("PageSize", 1..=largest)?.unwrap_or(20),
        })
    }

    fn of<'a, T>(&self, items: &'a [T]) -> &'a [T] {
        items.chunks(self.size).nth(self.number - 1).unwrap_or_default()
    }
}

const fn live_domain_type(kind: DomainKind) -> &'static str {
    match kind {
        DomainKind::Streaming => "liveVideo",
        DomainKind::Ingest => "liveEdge",
    }
}

const fn notify_result(record: &AliyunNotifyRecord) -> &'static str {
    if record.succeeded { "success" } else { "failed" }
}

fn record_body(record: &AliyunNotifyRecord) -> Value {
    let mut body = json!({
        "DomainName": record.domain_name,
        "AppName": record.app_name,
        "StreamName": record.stream_name,
        "NotifyUrl": record.notify_url,
        "NotifyTime": clock::format(record.notify_time, clock::EXTENDED),
        "NotifyType": record.notify_type,
        "NotifyContent": record.notify_content,
        "NotifyHeader": record.notify_header,
        "NotifyResponse": record.notify_response,
        "NotifyResult": notify_result(record),
        "Description": record.description,
    });
    if let Some(storage) = &record.storage_type {
        body["StorageType"] = json!(storage);
    }
    body
}
