//! Requests and answers of `live` 2016-11-01 exactly as on the wire. The only file with the vendor's words,
//! but for error codes (`error.rs`).
//!
//! <https://help.aliyun.com/document_detail/51831.html> and its neighbours. Every parameter is in the query;
//! hardly a field of an answer is required: the documents disagree on types and presence.

pub(crate) mod callback;
pub(crate) mod credential;

use std::borrow::Cow;

use jiff::Timestamp;
use record_callback_http::{Failure, Secrets};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde::de::{self, Deserializer, Visitor};

/// API version of every operation.
pub(crate) const VERSION: &str = "2016-11-01";
/// `LiveDomainType` of streaming (playback) domains.
pub(crate) const STREAMING: &str = "liveVideo";
/// Ingest domains, as `DescribeLiveUserDomains` calls them.
pub(crate) const INGEST: &str = "liveEdge";
/// The search that finds one domain only.
pub(crate) const FULL_MATCH: &str = "full_match";

/// Headers of ACS3-signed requests, in the order they are signed.
pub(crate) mod header {
    pub(crate) const ACCEPT: &str = "accept";
    pub(crate) const HOST: &str = "host";
    pub(crate) const ACTION: &str = "x-acs-action";
    pub(crate) const CONTENT_SHA256: &str = "x-acs-content-sha256";
    pub(crate) const DATE: &str = "x-acs-date";
    pub(crate) const SECURITY_TOKEN: &str = "x-acs-security-token";
    pub(crate) const NONCE: &str = "x-acs-signature-nonce";
    pub(crate) const VERSION: &str = "x-acs-version";
    /// How long the gateway asks to wait, in milliseconds; in answers.
    pub(crate) const RETRY_AFTER: &str = "x-acs-retry-after";
}

const NOTIFY_URL: &str = "NotifyUrl";
const ON_DEMAND_URL: &str = "OnDemandUrl";
/// The one parameter that is a secret as a whole; the URLs may have one in their query.
const AUTH_KEY: &str = "NotifyAuthKey";

pub(crate) const ADD: &str = "AddLiveRecordNotifyConfig";
pub(crate) const UPDATE: &str = "UpdateLiveRecordNotifyConfig";
pub(crate) const DESCRIBE: &str = "DescribeLiveRecordNotifyConfig";
pub(crate) const DELETE: &str = "DeleteLiveRecordNotifyConfig";
pub(crate) const USER_DOMAINS: &str = "DescribeLiveUserDomains";
pub(crate) const NOTIFY_RECORDS: &str = "DescribeLiveRecordNotifyRecords";

/// A time as the vendor writes it: UTC, in whole seconds.
pub(crate) fn seconds(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// How booleans are written in requests.
///
/// The documents call some of them Boolean and give `yes`/`no` as values; which spellings the
/// cloud takes is UNVERIFIED. The official Python SDK writes `True`/`False`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum BooleanStyle {
    /// `true` and `false`, as the declared type says.
    #[default]
    TrueFalse,
    /// `True` and `False`.
    Capitalised,
    /// `yes` and `no`.
    YesNo,
}

impl BooleanStyle {
    fn write(self, value: bool) -> &'static str {
        match (self, value) {
            (Self::TrueFalse, true) => "true",
            (Self::TrueFalse, false) => "false",
            (Self::Capitalised, true) => "True",
            (Self::Capitalised, false) => "False",
            (Self::YesNo, true) => "yes",
            (Self::YesNo, false) => "no",
        }
    }
}

/// The parameters of one request.
#[derive(Default)]
pub(crate) struct Params<'a>(Vec<(Cow<'static, str>, Cow<'a, str>)>);

impl<'a> Params<'a> {
    fn text(&mut self, name: &'static str, value: &'a str) {
        self.0.push((name.into(), value.into()));
    }

    fn optional(&mut self, name: &'static str, value: Option<&'a str>) {
        if let Some(value) = value {
            self.text(name, value);
        }
    }

    fn number(&mut self, name: &'static str, value: Option<u32>) {
        if let Some(value) = value {
            self.0.push((name.into(), value.to_string().into()));
        }
    }

    /// What must not come back in an error.
    pub(crate) fn secrets(&self) -> Secrets {
        let mut secrets = Secrets::default();
        for (name, value) in &self.0 {
            match name.as_ref() {
                AUTH_KEY => secrets.add(Some(value)),
                NOTIFY_URL | ON_DEMAND_URL => secrets.add_query(Some(value)),
                _ => {}
            }
        }
        secrets
    }

    fn time(&mut self, name: &'static str, value: Timestamp) {
        self.0.push((name.into(), seconds(value).into()));
    }

    /// Names and values, with room for the common parameters.
    pub(crate) fn pairs(&self) -> Vec<(&str, &str)> {
        let mut pairs = Vec::with_capacity(self.0.len() + 12);
        pairs.extend(self.0.iter().map(|(name, value)| (name.as_ref(), value.as_ref())));
        pairs
    }
}

/// The parameters that every RPC-signed request has besides its own.
pub(crate) fn rpc_params<'a>(
    (action, version): (&'a str, &'a str),
    key_id: &'a str,
    security_token: Option<&'a str>,
    timestamp: &'a str,
    nonce: &'a str,
) -> impl Iterator<Item = (&'a str, &'a str)> {
    [
        ("Action", action),
        ("Version", version),
        // The default is documented as XML here and JSON there.
        ("Format", "JSON"),
        ("AccessKeyId", key_id),
        ("SignatureMethod", "HMAC-SHA1"),
        ("SignatureVersion", "1.0"),
        ("SignatureNonce", nonce),
        ("Timestamp", timestamp),
    ]
    .into_iter()
    .chain(security_token.map(|token| ("SecurityToken", token)))
}

/// The recording-callback config of one streaming domain: what `Add` and `Update` send and `Describe` shows.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct RecordNotifyConfig {
    /// The streaming domain.
    pub domain_name: String,
    /// Receives file and status events; `http://` or `https://`.
    #[serde(default)]
    pub notify_url: Option<String>,
    /// Asked whether to record. An empty text is sent as it is.
    #[serde(default)]
    pub on_demand_url: Option<String>,
    /// Whether status events are sent besides file events; off when not given.
    #[serde(default, deserialize_with = "boolean")]
    pub need_status_notify: Option<bool>,
    /// Whether callbacks are signed; off when not given. Since November 2025.
    #[serde(default, deserialize_with = "boolean")]
    pub notify_req_auth: Option<bool>,
    /// The key they are signed with: 16–32 letters and digits.
    #[serde(default)]
    pub notify_auth_key: Option<SecretString>,
}

impl RecordNotifyConfig {
    pub(crate) fn params(&self, style: BooleanStyle) -> Params<'_> {
        let mut params = Params::default();
        params.text("DomainName", &self.domain_name);
        params.optional(NOTIFY_URL, self.notify_url.as_deref());
        params.optional(ON_DEMAND_URL, self.on_demand_url.as_deref());
        params.optional("NeedStatusNotify", self.need_status_notify.map(|on| style.write(on)));
        params.optional("NotifyReqAuth", self.notify_req_auth.map(|on| style.write(on)));
        params.optional(AUTH_KEY, self.notify_auth_key.as_ref().map(ExposeSecret::expose_secret));
        params
    }
}

/// The one parameter of `Describe` and `Delete`.
pub(crate) fn domain_params(domain: &str) -> Params<'_> {
    let mut params = Params::default();
    params.text("DomainName", domain);
    params
}

/// Answer of `Add`, `Update` and `Delete`.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Done {
    /// Opaque; usually an upper-case UUID.
    #[serde(default)]
    pub request_id: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Described {
    pub(crate) live_record_notify_config: RecordNotifyConfig,
}

/// Which live domains to list; every filter is optional.
#[derive(Debug, Clone, Default)]
pub struct UserDomainsQuery {
    /// Keyword of the name.
    pub domain_name: Option<String>,
    /// `fuzzy_match` (default), `pre_match`, `suf_match` or `full_match`.
    pub domain_search_type: Option<String>,
    /// `online`, `offline` or `configuring`.
    pub domain_status: Option<String>,
    /// `liveVideo` (streaming) or `liveEdge` (ingest); both when absent.
    pub live_domain_type: Option<String>,
    /// Region name.
    pub region_name: Option<String>,
    /// Resource group.
    pub resource_group_id: Option<String>,
    /// 1–100000, default 1.
    pub page_number: Option<u32>,
    /// 1–50, default 20.
    pub page_size: Option<u32>,
    /// Only domains with all of these tags, each a key and a value.
    pub tags: Vec<(String, String)>,
}

impl UserDomainsQuery {
    pub(crate) fn params(&self) -> Params<'_> {
        let mut params = Params::default();
        params.optional("DomainName", self.domain_name.as_deref());
        params.optional("DomainSearchType", self.domain_search_type.as_deref());
        params.optional("DomainStatus", self.domain_status.as_deref());
        params.optional("LiveDomainType", self.live_domain_type.as_deref());
        params.optional("RegionName", self.region_name.as_deref());
        params.optional("ResourceGroupId", self.resource_group_id.as_deref());
        params.number("PageNumber", self.page_number);
        params.number("PageSize", self.page_size);
        for (n, (key, value)) in (1..).zip(&self.tags) {
            params.0.push((format!("Tag.{n}.Key").into(), key.into()));
            params.0.push((format!("Tag.{n}.Value").into(), value.into()));
        }
        params
    }
}

/// One page of live domains.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct UserDomains {
    /// Opaque.
    #[serde(default)]
    pub request_id: Option<String>,
    /// Domains on all pages.
    #[serde(default)]
    pub total_count: Option<u32>,
    /// The page.
    #[serde(default)]
    pub page_number: Option<u32>,
    /// Its size.
    #[serde(default)]
    pub page_size: Option<u32>,
    #[serde(default)]
    domains: Option<PageData>,
}

impl UserDomains {
    /// The domains on this page.
    pub fn domains(&self) -> &[UserDomain] {
        self.domains.as_ref().map(|domains| domains.page_data.as_slice()).unwrap_or_default()
    }

    /// Returns true if the answer is a list at all.
    pub(crate) fn lists(&self) -> bool {
        self.domains.is_some() || self.total_count.is_some()
    }
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PageData {
    #[serde(default)]
    page_data: Vec<UserDomain>,
}

/// One live domain of the account.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct UserDomain {
    /// The name.
    pub domain_name: String,
    /// `liveVideo` or `liveEdge`.
    #[serde(default)]
    pub live_domain_type: Option<String>,
    /// `online`, `offline`, `configuring`, `configure_failed`, `checking` or `check_failed`.
    #[serde(default)]
    pub live_domain_status: Option<String>,
    /// Region name.
    #[serde(default)]
    pub region_name: Option<String>,
    /// CNAME to point the domain at.
    #[serde(default)]
    pub cname: Option<String>,
    /// When it was created, UTC.
    #[serde(default)]
    pub gmt_created: Option<String>,
    /// When it was last changed, UTC.
    #[serde(default)]
    pub gmt_modified: Option<String>,
    /// Description.
    #[serde(default)]
    pub description: Option<String>,
    /// Resource group.
    #[serde(default)]
    pub resource_group_id: Option<String>,
}

/// How a delivery ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DeliveryStatus {
    /// The receiver took it.
    Success,
    /// It did not.
    Failed,
}

impl DeliveryStatus {
    fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failed => "failed",
        }
    }
}

/// Which deliveries of the last 7 days to list.
#[derive(Debug, Clone, Default)]
pub struct NotifyRecordsQuery {
    /// The streaming domain.
    pub domain_name: String,
    /// Within the last 7 days; sent in whole seconds.
    pub start_time: Timestamp,
    /// Later than the start.
    pub end_time: Timestamp,
    /// 1–100000; documented as required although it has a default, so always sent (1).
    pub page_number: Option<u32>,
    /// 1–500; likewise always sent (20).
    pub page_size: Option<u32>,
    /// Only this app.
    pub app_name: Option<String>,
    /// Only this stream.
    pub stream_name: Option<String>,
    /// Only deliveries that ended so.
    pub status: Option<DeliveryStatus>,
    /// Region, since July 2025.
    pub region_id: Option<String>,
    /// `oss`, `vod` or `all`, since about June 2026.
    pub storage_type: Option<String>,
}

impl NotifyRecordsQuery {
    pub(crate) fn params(&self) -> Params<'_> {
        let mut params = Params::default();
        params.text("DomainName", &self.domain_name);
        params.time("StartTime", self.start_time);
        params.time("EndTime", self.end_time);
        params.number("PageNumber", Some(self.page_number.unwrap_or(1)));
        params.number("PageSize", Some(self.page_size.unwrap_or(20)));
        params.optional("AppName", self.app_name.as_deref());
        params.optional("StreamName", self.stream_name.as_deref());
        params.optional("Status", self.status.map(DeliveryStatus::as_str));
        params.optional("RegionId", self.region_id.as_deref());
        params.optional("StorageType", self.storage_type.as_deref());
        params
    }
}

/// One page of the delivery log.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct NotifyRecords {
    /// Opaque.
    #[serde(default)]
    pub request_id: Option<String>,
    /// 0 on success; the client turns any other number into an error.
    #[serde(default)]
    pub(crate) code: Option<i64>,
    #[serde(default)]
    pub(crate) msg: Option<String>,
    /// The page.
    #[serde(default)]
    pub page_num: Option<u32>,
    /// Its size.
    #[serde(default)]
    pub page_size: Option<u32>,
    /// Records on all pages.
    #[serde(default)]
    pub total_num: u32,
    /// Number of pages.
    #[serde(default)]
    pub total_page: u32,
    #[serde(default)]
    callback_list: Option<Vec<NotifyRecord>>,
}

impl NotifyRecords {
    /// The records on this page.
    pub fn records(&self) -> &[NotifyRecord] {
        self.callback_list.as_deref().unwrap_or_default()
    }
}

/// One delivery of a recording callback.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct NotifyRecord {
    /// The streaming domain.
    pub domain_name: Option<String>,
    /// The app.
    pub app_name: Option<String>,
    /// The stream.
    pub stream_name: Option<String>,
    /// The URL that was called.
    pub notify_url: Option<String>,
    /// When, UTC.
    pub notify_time: Option<String>,
    /// `file_created`, `record_started`, `record_error` and others.
    pub notify_type: Option<String>,
    /// The body that was sent; a date may precede the JSON.
    pub notify_content: Option<String>,
    /// The headers that were sent, as a JSON object of arrays.
    pub notify_header: Option<String>,
    /// The body of the receiver's answer.
    pub notify_response: Option<String>,
    /// `success` or `failed`.
    pub notify_result: Option<String>,
    /// `success`, or what went wrong.
    pub description: Option<String>,
    /// `oss` or `vod`.
    pub storage_type: Option<String>,
}

/// An error answer in JSON of either case, or in XML.
pub(crate) fn failure(body: &[u8]) -> Option<Failure> {
    let json = serde_json::from_slice::<JsonFailure>(body).ok();
    json.map(|JsonFailure { code, message, request_id }| Failure { code, message, request_id })
        .or_else(|| xml_failure(body))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct JsonFailure {
    #[serde(alias = "code")]
    code: String,
    #[serde(default, alias = "message")]
    message: String,
    #[serde(default, alias = "requestId")]
    request_id: Option<String>,
}

/// `<Error><RequestId/><HostId/><Code/><Message/></Error>`
fn xml_failure(body: &[u8]) -> Option<Failure> {
    let document = roxmltree::Document::parse(std::str::from_utf8(body).ok()?).ok()?;
    let field = |name: &str| {
        let element = document.root_element().children().find(|node| node.has_tag_name(name))?;
        Some(element.text().unwrap_or_default().to_owned())
    };
    Some(Failure {
        code: field("Code")?,
        message: field("Message").unwrap_or_default(),
        request_id: field("RequestId"),
    })
}

/// A boolean in any of the spellings the documents and SDKs show.
fn boolean<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<bool>, D::Error> {
    struct Lenient;
    impl Visitor<'_> for Lenient {
        type Value = Option<bool>;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("a boolean, `true`, `false`, `yes`, `no`, 0 or 1")
        }

        fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
            Ok(Some(value))
        }

        fn visit_u64<E: de::Error>(self, value: u64) -> Result<Self::Value, E> {
            match value {
                0 => Ok(Some(false)),
                1 => Ok(Some(true)),
                _ => Err(E::invalid_value(de::Unexpected::Unsigned(value), &self)),
            }
        }

        fn visit_str<E: de::Error>(self, value: &str) -> Result<Self::Value, E> {
            match value.to_ascii_lowercase().as_str() {
                "true" | "yes" | "1" | "on" => Ok(Some(true)),
                "false" | "no" | "0" | "off" => Ok(Some(false)),
                "" => Ok(None),
                _ => Err(E::invalid_value(de::Unexpected::Str(value), &self)),
            }
        }

        fn visit_unit<E>(self) -> Result<Self::Value, E> {
            Ok(None)
        }
    }
    deserializer.deserialize_any(Lenient)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn described(fields: &str) -> RecordNotifyConfig {
        let json = format!(
            r#"{{"RequestId":"R","LiveRecordNotifyConfig":{{"DomainName":"live.example.com",{fields}}}}}"#
        );
        serde_json::from_str::<Described>(&json).unwrap().live_record_notify_config
    }

    #[test]
    fn booleans_are_read_in_every_spelling() {
        for (text, value) in [
            ("true", Some(true)),
            ("false", Some(false)),
            (r#""True""#, Some(true)),
            (r#""false""#, Some(false)),
            (r#""yes""#, Some(true)),
            (r#""no""#, Some(false)),
            ("1", Some(true)),
            ("0", Some(false)),
            ("null", None),
            (r#""""#, None),
        ] {
            let config = described(&format!(r#""NotifyReqAuth":{text}"#));
            assert_eq!(config.notify_req_auth, value, "{text}");
        }
        assert_eq!(described(r#""NotifyUrl":"http://cb""#).need_status_notify, None);
    }

    #[test]
    fn booleans_are_written_as_configured() {
        let config =
            RecordNotifyConfig { notify_req_auth: Some(true), ..described(r#""NeedStatusNotify":false"#) };
        for (style, off, on) in [
            (BooleanStyle::TrueFalse, "false", "true"),
            (BooleanStyle::Capitalised, "False", "True"),
            (BooleanStyle::YesNo, "no", "yes"),
        ] {
            let params = config.params(style);
            assert_eq!(
                params.pairs(),
                [("DomainName", "live.example.com"), ("NeedStatusNotify", off), ("NotifyReqAuth", on)]
            );
        }
    }

    /// The documented sample of the delivery log: `Code` is a number in a success.
    #[test]
    fn delivery_log_is_read_with_its_oddities() {
        let page: NotifyRecords = serde_json::from_slice(
            br#"{"Code":0,"Msg":"ok","PageNum":1,"PageSize":20,"TotalNum":1,"TotalPage":1,"RequestId":"R",
                "CallbackList":[{"DomainName":"live.example.com","NotifyType":"file_created",
                "NotifyContent":"7\u670826\u65e5 16:14{}","NotifyResult":"success","Future":{}}]}"#,
        )
        .unwrap();
        assert_eq!((page.code, page.total_num), (Some(0), 1));
        assert_eq!(page.records()[0].notify_type.as_deref(), Some("file_created"));
        assert_eq!(page.records()[0].stream_name, None);
        let none: NotifyRecords = serde_json::from_slice(br#"{"CallbackList":null}"#).unwrap();
        assert!(none.records().is_empty());
    }

    #[test]
    fn tags_are_numbered_from_one() {
        let query = UserDomainsQuery {
            tags: vec![("a".into(), "1".into()), ("b".into(), String::new())],
            ..Default::default()
        };
        assert_eq!(
            query.params().pairs(),
            [("Tag.1.Key", "a"), ("Tag.1.Value", "1"), ("Tag.2.Key", "b"), ("Tag.2.Value", "")]
        );
    }

    #[test]
    fn debug_hides_the_key() {
        let config = described(r#""NotifyAuthKey":"testkeyyourkey12""#);
        assert!(!format!("{config:?}").contains("testkey"));
    }
}
