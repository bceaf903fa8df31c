//! Requests and answers of Live v1 and IAM v3 exactly as on the wire. The only file with the vendor's words,
//! but for error codes (`error.rs`).
//!
//! <https://support.huaweicloud.com/api-live/UpdateRecordCallbackConfig.html> and its neighbours. Every field
//! of an answer is optional and unknown ones are ignored: documents and years disagree.

pub(crate) mod callback;
pub(crate) mod credential;

use jiff::Timestamp;
use record_callback_core::DomainName;
use record_callback_http::{Failure, Secrets, encode};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;

pub(crate) const CREATE: &str = "CreateRecordCallbackConfig";
pub(crate) const LIST: &str = "ListRecordCallbackConfigs";
pub(crate) const SHOW: &str = "ShowRecordCallbackConfig";
pub(crate) const UPDATE: &str = "UpdateRecordCallbackConfig";
pub(crate) const DELETE: &str = "DeleteRecordCallbackConfig";
pub(crate) const SHOW_DOMAIN: &str = "ShowDomain";
pub(crate) const ISSUE_TOKEN: &str = "KeystoneCreateUserTokenByPassword";
pub(crate) const LIST_PROJECTS: &str = "KeystoneListProjects";
/// <https://support.huaweicloud.com/api-iam/iam_30_0004.html>: a token may validate itself.
pub(crate) const VALIDATE_TOKEN: &str = "KeystoneValidateToken";
/// <https://support.huaweicloud.com/api-iam/iam_07_0001.html>
pub(crate) const LIST_DOMAINS: &str = "KeystoneListAuthDomains";

/// Headers of requests, those that are signed in the order they are signed, and of answers.
pub(crate) mod header {
    pub(crate) const CONTENT_TYPE: &str = "content-type";
    pub(crate) const HOST: &str = "host";
    pub(crate) const PROJECT_ID: &str = "x-project-id";
    pub(crate) const SDK_DATE: &str = "x-sdk-date";
    pub(crate) const SECURITY_TOKEN: &str = "x-security-token";
    pub(crate) const AUTH_TOKEN: &str = "x-auth-token";
    /// Carries the token IAM issued.
    pub(crate) const SUBJECT_TOKEN: &str = "x-subject-token";
    /// Sent with every answer, success or not.
    pub(crate) const REQUEST_ID: &str = "x-request-id";
}

pub(crate) const PROJECTS_PATH: &str = "/v3/projects";
pub(crate) const DOMAINS_PATH: &str = "/v3/auth/domains";
pub(crate) const TOKENS_PATH: &str = "/v3/auth/tokens";
/// Any value leaves the large service catalogue out of the answer.
pub(crate) const TOKENS_QUERY: &str = "nocatalog=true";
pub(crate) const CONTENT_TYPE: &str = "application/json";

pub(crate) const FILE_COMPLETE: &str = "RECORD_FILE_COMPLETE";
pub(crate) const NEW_FILE_START: &str = "RECORD_NEW_FILE_START";
/// The console offers it and an FAQ has users PUT it; the API's own list leaves it out. UNVERIFIED.
pub(crate) const START: &str = "RECORD_START";
pub(crate) const OVER: &str = "RECORD_OVER";
pub(crate) const FAILED: &str = "RECORD_FAILED";

/// `domain_type` of ingest and of streaming (playback) domains.
pub(crate) const PUSH: &str = "push";
pub(crate) const PULL: &str = "pull";

/// The app of a config for all apps without one.
pub(crate) const ANY_APP: &str = "*";

pub(crate) const SIGN_MD5: &str = "MD5";
pub(crate) const SIGN_HMAC_SHA256: &str = "HMACSHA256";

/// `/v1/{project_id}/record/callbacks`
pub(crate) fn callbacks_path(project_id: &str) -> String {
    let mut path = String::with_capacity(96);
    path.push_str("/v1/");
    path.extend(encode(project_id));
    path.push_str("/record/callbacks");
    path
}

/// `/v1/{project_id}/domain`: <https://support.huaweicloud.com/api-live/ShowDomain.html>
pub(crate) fn domain_path(project_id: &str) -> String {
    ["/v1/", &encode(project_id).to_string(), "/domain"].concat()
}

/// `/v1/{project_id}/record/callbacks/{id}`; the documents' examples with `callback` are wrong.
pub(crate) fn callback_path(project_id: &str, id: &str) -> String {
    let mut path = callbacks_path(project_id);
    path.push('/');
    path.extend(encode(id));
    path
}

/// A recording-callback config as create and update send it.
#[derive(Debug, Clone, Default, Serialize)]
pub struct RecordCallbackConfigRequest {
    /// The ingest domain.
    pub publish_domain: String,
    /// The app, `*` for any.
    pub app: String,
    /// Receives the events; `http://` or `https://`, without query parameters in the console.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notify_callback_url: Option<String>,
    /// The subscribed events; `RECORD_FILE_COMPLETE` when not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notify_event_subscription: Option<Vec<String>>,
    /// Asked whether to record. In the documents of 2021 only; whether it is still kept is UNVERIFIED. An empty text is
    /// sent as it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_demand_callback_url: Option<String>,
    /// `HMACSHA256` (default) or `MD5`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sign_type: Option<String>,
    /// The key events are signed with: at least 32 letters and digits. Never shown again. An empty text is sent as it is.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "exposed")]
    pub key: Option<SecretString>,
}

/// Which of the fields a config does not have an update sends, as empty texts. Whether the cloud keeps an earlier value
/// of a field that is not sent, and takes an empty one, is UNVERIFIED.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cleared {
    pub(crate) on_demand_url: bool,
    pub(crate) key: bool,
}

impl RecordCallbackConfigRequest {
    /// The fields that can be cleared, for the config does not have them.
    pub(crate) fn absent(&self) -> Cleared {
        Cleared { on_demand_url: self.on_demand_callback_url.is_none(), key: self.key.is_none() }
    }

    /// The same with empty texts for `cleared`, as far as they are [absent](Self::absent).
    pub(crate) fn clearing(&self, cleared: Cleared) -> Self {
        let mut request = self.clone();
        if cleared.on_demand_url {
            request.on_demand_callback_url.get_or_insert_default();
        }
        if cleared.key {
            request.key.get_or_insert_with(|| String::new().into());
        }
        request
    }

    /// What must not come back in an error.
    pub(crate) fn secrets(&self) -> Secrets {
        let mut secrets = Secrets::default();
        secrets.add(self.key.as_ref().map(ExposeSecret::expose_secret));
        secrets.add_query(self.notify_callback_url.as_deref());
        secrets.add_query(self.on_demand_callback_url.as_deref());
        secrets
    }
}

#[expect(clippy::ref_option, reason = "serde passes the field")]
fn exposed<S: Serializer>(secret: &Option<SecretString>, serializer: S) -> Result<S::Ok, S::Error> {
    secret.as_ref().map(ExposeSecret::expose_secret).serialize(serializer)
}

/// A recording-callback config as the cloud shows it.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct RecordCallbackConfigAnswer {
    /// Opaque.
    pub id: Option<String>,
    /// The ingest domain.
    pub publish_domain: Option<String>,
    /// The app, `*` for any.
    pub app: Option<String>,
    /// Receives the events.
    pub notify_callback_url: Option<String>,
    /// The subscribed events, unknown ones included.
    pub notify_event_subscription: Option<Vec<String>>,
    /// Asked whether to record.
    pub on_demand_callback_url: Option<String>,
    /// `HMACSHA256` or `MD5`.
    pub sign_type: Option<String>,
    /// In old examples only.
    pub key: Option<SecretString>,
    /// UTC, `yyyy-mm-ddThh:mm:ssZ` by the documents.
    pub create_time: Option<String>,
    /// UTC, `yyyy-mm-ddThh:mm:ssZ` by the documents.
    pub update_time: Option<String>,
}

impl RecordCallbackConfigAnswer {
    /// When the config was created, if the cloud says so in a form we know.
    pub(crate) fn created_at(&self) -> Option<Timestamp> {
        self.create_time.as_deref()?.parse().ok()
    }

    /// When the config was last changed, if the cloud says so in a form we know.
    pub(crate) fn updated_at(&self) -> Option<Timestamp> {
        self.update_time.as_deref()?.parse().ok()
    }
}

/// Which configs to list; every filter is optional.
#[derive(Debug, Clone, Default)]
pub struct ListQuery {
    /// The ingest domain.
    pub publish_domain: Option<String>,
    /// The app. Whether `*` means itself or any app is UNVERIFIED.
    pub app: Option<String>,
    /// 0–4096, default 0. Counts configs; the document of 2021 has it count pages, from 0.
    pub offset: Option<u32>,
    /// 1–100, default 10.
    pub limit: Option<u32>,
}

impl ListQuery {
    pub(crate) fn pairs(&self) -> Vec<(&'static str, String)> {
        let number = |value: Option<u32>| value.map(|value| value.to_string());
        let pairs = [
            ("publish_domain", self.publish_domain.clone()),
            ("app", self.app.clone()),
            ("offset", number(self.offset)),
            ("limit", number(self.limit)),
        ];
        pairs.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
    }
}

/// One page of configs.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct ListAnswer {
    /// Configs on all pages.
    pub total: Option<u32>,
    callback_config: Option<Vec<RecordCallbackConfigAnswer>>,
}

impl ListAnswer {
    /// The configs on this page.
    pub fn configs(&self) -> &[RecordCallbackConfigAnswer] {
        self.callback_config.as_deref().unwrap_or_default()
    }

    /// The configs on this page, taken out.
    pub fn into_configs(self) -> Vec<RecordCallbackConfigAnswer> {
        self.callback_config.unwrap_or_default()
    }
}

/// `{"total","domain_info":[{"domain","domain_type"}]}`
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct DomainsAnswer {
    domain_info: Option<Vec<DomainInfo>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct DomainInfo {
    domain: Option<String>,
    domain_type: Option<String>,
}

impl DomainsAnswer {
    /// The kind of a domain, empty if it is not said; `None` if it is not there.
    pub(crate) fn kind_of(self, domain: &DomainName) -> Option<String> {
        let is_it = |info: &DomainInfo| {
            info.domain.as_deref().is_some_and(|name| DomainName::reported(name) == *domain)
        };
        let found = self.domain_info?.into_iter().find(is_it)?;
        Some(found.domain_type.unwrap_or_default())
    }

    /// The domains callbacks are configured for, and those of which it is not said; `None` if the answer lists no domains.
    pub(crate) fn ingest_domains(self) -> Option<Vec<DomainName>> {
        let ingest = self.domain_info?.into_iter().filter(|info| info.domain_type.as_deref() != Some(PULL));
        Some(ingest.filter_map(|info| Some(DomainName::reported(&info.domain?))).collect())
    }
}

/// `{"projects":[{"id","name","domain_id"}]}`
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Projects {
    #[serde(default)]
    pub(crate) projects: Vec<Project>,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Project {
    pub(crate) id: String,
    pub(crate) name: Option<String>,
    /// The account.
    #[serde(default)]
    pub(crate) domain_id: Option<String>,
}

/// `{"domains":[{"id","name"}]}`: the accounts that may be entered. May be empty where there is one.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Domains {
    #[serde(default)]
    pub(crate) domains: Vec<Owner>,
}

/// An account.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Owner {
    pub(crate) id: String,
}

/// `{"token":{"expires_at","project":{"id","domain":{"id"}}}}`; the token itself is in the header `X-Subject-Token`.
#[derive(Debug, Deserialize)]
pub(crate) struct TokenAnswer {
    pub(crate) token: TokenBody,
}

#[derive(Debug, Deserialize)]
pub(crate) struct TokenBody {
    pub(crate) expires_at: Timestamp,
    #[serde(default)]
    pub(crate) project: Option<TokenProject>,
    /// Of a token for a whole account.
    #[serde(default)]
    domain: Option<Owner>,
    #[serde(default)]
    user: Option<TokenUser>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct TokenProject {
    pub(crate) id: String,
    pub(crate) name: Option<String>,
    #[serde(default)]
    domain: Option<Owner>,
}

#[derive(Debug, Deserialize)]
struct TokenUser {
    #[serde(default)]
    domain: Option<Owner>,
}

impl TokenBody {
    /// The account the token is for: that of its project, else its own, else its user's.
    pub(crate) fn account(&self) -> Option<&str> {
        let of_project = self.project.as_ref().and_then(|project| project.domain.as_ref());
        let of_user = self.user.as_ref().and_then(|user| user.domain.as_ref());
        of_project.or(self.domain.as_ref()).or(of_user).map(|owner| owner.id.as_str())
    }
}

/// The project a token is for.
pub(crate) enum Scope<'a> {
    ProjectId(&'a str),
    /// A region's main project has the region's name.
    ProjectName(&'a str),
}

/// The body that asks IAM for a token by user and password.
pub(crate) fn token_request(
    account: &str,
    user: &str,
    password: &SecretString,
    scope: &Scope<'_>,
) -> Vec<u8> {
    let project = match scope {
        Scope::ProjectId(id) => serde_json::json!({ "id": id }),
        Scope::ProjectName(name) => serde_json::json!({ "name": name }),
    };
    let user = serde_json::json!({
        "name": user,
        "password": password.expose_secret(),
        "domain": { "name": account },
    });
    let body = serde_json::json!({
        "auth": {
            "identity": { "methods": ["password"], "password": { "user": user } },
            "scope": { "project": project },
        }
    });
    body.to_string().into_bytes()
}

/// An error answer of Live, the gateway or IAM: the pairs of names the official SDK looks for, in its
/// order, then one level down.
pub(crate) fn failure(body: &[u8]) -> Option<Failure> {
    failure_in(&serde_json::from_slice(body).ok()?)
}

fn failure_in(value: &Value) -> Option<Failure> {
    let fields = value.as_object()?;
    let text = |name: &str| match fields.get(name)? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    let names = [("error_code", "error_msg"), ("errorCode", "errorMsg"), ("code", "message")];
    let pair = names.iter().find_map(|(code, message)| Some((text(code)?, text(message)?)));
    match pair {
        Some((code, message)) => Some(Failure { code, message, request_id: text("request_id") }),
        None => fields.values().find_map(failure_in),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_live_the_gateway_and_iam_are_understood() {
        for (body, code, id) in [
            (r#"{"error_code":"LIVE.100011001","error_msg":"Request Illegal"}"#, "LIVE.100011001", None),
            (
                r#"{"error_msg":"Incorrect","error_code":"APIGW.0301","request_id":"r1"}"#,
                "APIGW.0301",
                Some("r1"),
            ),
            (r#"{"errorCode":"X.1","errorMsg":"m"}"#, "X.1", None),
            (r#"{"error":{"code":401,"message":"wrong","title":"Unauthorized"}}"#, "401", None),
        ] {
            let found = failure(body.as_bytes()).unwrap();
            assert_eq!((found.code.as_str(), found.request_id.as_deref()), (code, id));
        }
        for body in ["", "[]", "<html>", r#"{"error_code":"only"}"#, r#"{"total":0,"callback_config":[]}"#] {
            assert_eq!(failure(body.as_bytes()), None, "{body}");
        }
    }

    #[test]
    fn only_what_is_set_is_sent_and_the_key_is_sent_in_clear() {
        let mut request = RecordCallbackConfigRequest {
            publish_domain: "push.example.com".into(),
            app: "*".into(),
            notify_callback_url: None,
            notify_event_subscription: None,
            on_demand_callback_url: None,
            sign_type: None,
            key: None,
        };
        let json = serde_json::to_string(&request).unwrap();
        assert_eq!(json, r#"{"publish_domain":"push.example.com","app":"*"}"#);
        request.key = Some("0123456789abcdefghijklmnopqrstuv".into());
        assert!(serde_json::to_string(&request).unwrap().contains("\"0123456789abcdefghijklmnopqrstuv\""));
        assert!(!format!("{request:?}").contains("0123456789"));
    }

    #[test]
    fn what_is_cleared_is_sent_empty_unless_it_is_there() {
        let request = RecordCallbackConfigRequest {
            publish_domain: "push.example.com".into(),
            app: "*".into(),
            notify_callback_url: None,
            notify_event_subscription: None,
            on_demand_callback_url: None,
            sign_type: None,
            key: None,
        };
        let json = |on_demand_url, key| {
            serde_json::to_string(&request.clearing(Cleared { on_demand_url, key })).unwrap()
        };
        let base = r#"{"publish_domain":"push.example.com","app":"*""#;
        assert_eq!(json(false, false), format!("{base}}}"));
        assert_eq!(json(true, false), format!(r#"{base},"on_demand_callback_url":""}}"#));
        assert_eq!(json(true, true), format!(r#"{base},"on_demand_callback_url":"","key":""}}"#));
        let full = request.clearing(Cleared { on_demand_url: true, key: true });
        assert_eq!(full.absent(), Cleared { on_demand_url: false, key: false });
    }

    /// Old examples have `key`, new ones do not; times come with and without fractions, or not at all.
    #[test]
    fn answers_are_read_with_their_oddities() {
        let answer: RecordCallbackConfigAnswer = serde_json::from_str(
            r#"{"id":"e2fe84def7e476651034ec4b9e92bc30","app":"*","key":"abc","future":[1],
                "notify_event_subscription":["RECORD_START","RECORD_LATER"],
                "create_time":"2020-03-02T08:59:45.123Z","update_time":"yesterday"}"#,
        )
        .unwrap();
        assert_eq!(answer.created_at().unwrap().to_string(), "2020-03-02T08:59:45.123Z");
        assert_eq!(answer.updated_at(), None);
        assert!(!format!("{answer:?}").contains("abc"));
    }
}
