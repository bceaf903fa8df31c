//! A request as the Live API sees it: route, query and body.

use std::ops::RangeInclusive;

use axum::http::Method;
use percent_encoding::percent_decode_str;
use serde::Deserialize;

use super::{
    dialect::{HuaweicloudDialect, OnDemandUrl, RecordStart, UrlQuery},
    error::{ApiError, Result},
    state::HuaweicloudConfig,
};
use crate::{
    callback_url,
    canonical::{Plus, decode_pairs},
    recorded::RawRequest,
};

/// The five operations, with the names the vendor's SDKs give them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operation {
    Create,
    List,
    Show,
    Update,
    Delete,
}

impl Operation {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Create => "CreateRecordCallbackConfig",
            Self::List => "ListRecordCallbackConfigs",
            Self::Show => "ShowRecordCallbackConfig",
            Self::Update => "UpdateRecordCallbackConfig",
            Self::Delete => "DeleteRecordCallbackConfig",
        }
    }
}

/// `/v1/{project_id}/record/callbacks` or `/v1/{project_id}/record/callbacks/{id}`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Route {
    pub(super) project_id: String,
    pub(super) id: Option<String>,
}

impl Route {
    pub(super) fn of(path: &str) -> Option<Self> {
        let segments: Vec<&str> = path.strip_prefix("/v1/")?.split('/').collect();
        let decoded = |segment: &str| percent_decode_str(segment).decode_utf8_lossy().into_owned();
        let (project_id, id) = match segments[..] {
            [project_id, "record", "callbacks"] => (project_id, None),
            [project_id, "record", "callbacks", id] if !id.is_empty() => (project_id, Some(decoded(id))),
            _ => return None,
        };
        (!project_id.is_empty()).then(|| Self { project_id: decoded(project_id), id })
    }

    pub(super) fn operation(&self, method: &Method) -> Option<Operation> {
        match (method, &self.id) {
            (&Method::POST, None) => Some(Operation::Create),
            (&Method::GET, None) => Some(Operation::List),
            (&Method::GET, Some(_)) => Some(Operation::Show),
            (&Method::PUT, Some(_)) => Some(Operation::Update),
            (&Method::DELETE, Some(_)) => Some(Operation::Delete),
            _ => None,
        }
    }
}

/// The filters and the page of a list call.
pub(super) struct ListQuery {
    pub(super) publish_domain: Option<String>,
    pub(super) app: Option<String>,
    pub(super) offset: usize,
    pub(super) limit: usize,
}

impl ListQuery {
    pub(super) fn parse(query: &str) -> Result<Self> {
        let pairs = decode_pairs(query, Plus::Itself);
        let find = |name: &str| pairs.iter().find(|(other, _)| other == name).map(|(_, value)| value.clone());
        let text = |name: &str, longest: usize| match find(name) {
            Some(value) if !(1..=longest).contains(&value.chars().count()) => {
                Err(ApiError::invalid_parameter(name))
            }
            value => Ok(value),
        };
        let number = |name: &str, default: usize, range: RangeInclusive<usize>| match find(name) {
            None => Ok(default),
            Some(value) => value
                .parse()
                .ok()
                .filter(|number| range.contains(number))
                .ok_or_else(|| ApiError::invalid_parameter(name)),
        };
        Ok(Self {
            publish_domain: text("publish_domain", 255)?,
            app: text("app", 128)?,
            offset: number("offset", 0, 0..=4096)?,
            limit: number("limit", 10, 1..=100)?,
        })
    }
}

#[derive(Deserialize)]
struct Body {
    publish_domain: Option<String>,
    app: Option<String>,
    notify_callback_url: Option<String>,
    notify_event_subscription: Option<Vec<String>>,
    sign_type: Option<String>,
    key: Option<String>,
    on_demand_callback_url: Option<String>,
}

/// The configuration a create or update asks for, with the documented defaults filled in.
pub(super) fn requested_config(raw: &RawRequest, dialect: &HuaweicloudDialect) -> Result<HuaweicloudConfig> {
    if raw.media_type().as_deref() != Some("application/json") {
        return Err(ApiError::media_type_not_supported());
    }
    // Without the parser's own message, which may quote the key.
    let body: Body = serde_json::from_slice(&raw.body).map_err(|_| ApiError::invalid_parameter("body"))?;

    let required = |name: &str, value: Option<String>, longest: usize| {
        value
            .filter(|value| (1..=longest).contains(&value.chars().count()))
            .ok_or_else(|| ApiError::invalid_parameter(name))
    };
    let mut config = HuaweicloudConfig::new(
        required("publish_domain", body.publish_domain, 255)?,
        required("app", body.app, 128)?,
    );
    config.notify_callback_url = body.notify_callback_url;
    if dialect.on_demand_url == OnDemandUrl::Kept {
        config.on_demand_callback_url = body.on_demand_callback_url;
    }
    if let Some(events) = body.notify_event_subscription {
        config.notify_event_subscription = events;
    }
    if let Some(sign_type) = body.sign_type {
        config.sign_type = sign_type;
    }
    config.key = body.key;

    let url_valid = |url: &Option<String>| url.as_deref().is_none_or(|url| is_url(url, dialect));
    let rules = [
        ("notify_callback_url", url_valid(&config.notify_callback_url)),
        ("on_demand_callback_url", url_valid(&config.on_demand_callback_url)),
        ("notify_event_subscription", are_events(&config.notify_event_subscription, dialect)),
        ("sign_type", ["MD5", "HMACSHA256"].contains(&config.sign_type.as_str())),
        ("key", config.key.as_deref().is_none_or(is_key)),
    ];
    match rules.into_iter().find(|(_, valid)| !valid) {
        None => Ok(config),
        Some((parameter, _)) => Err(ApiError::invalid_parameter(parameter)),
    }
}

fn is_url(url: &str, dialect: &HuaweicloudDialect) -> bool {
    let query_allowed = dialect.url_query == UrlQuery::Accepted;
    callback_url::is_well_formed(url) && (query_allowed || !url.contains('?'))
}

fn is_key(key: &str) -> bool {
    key.len() >= 32 && key.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// Known events, at least one, none twice. What the cloud makes of an empty list or a repetition is not documented.
fn are_events(events: &[String], dialect: &HuaweicloudDialect) -> bool {
    let known = |event: &str| match event {
        "RECORD_NEW_FILE_START" | "RECORD_FILE_COMPLETE" | "RECORD_OVER" | "RECORD_FAILED" => true,
        "RECORD_START" => dialect.record_start == RecordStart::Accepted,
        _ => false,
    };
    !events.is_empty()
        && events.iter().enumerate().all(|(index, event)| known(event) && !events[..index].contains(event))
}
