//! What a create or update asks for.

use serde::Deserialize;

use super::{
    dialect::{HuaweicloudDialect, OnDemandUrl, RecordStart, UrlQuery},
    error::{ApiError, Result},
    state::HuaweicloudConfig,
};
use crate::{callback_url, recorded::RawRequest};

/// The body of a request; `None` is what it leaves out.
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

/// A body with a domain and an app; the rest is not checked yet.
pub(super) struct Given {
    domain: String,
    app: String,
    body: Body,
}

/// What an empty text stands for where a URL or the key is expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EmptyText {
    Invalid,
    Nothing,
}

impl Given {
    pub(super) fn by(raw: &RawRequest) -> Result<Self> {
        if raw.media_type().as_deref() != Some("application/json") {
            return Err(ApiError::media_type_not_supported());
        }
        // Without the parser's own message, which may quote the key.
        let mut body: Body =
            serde_json::from_slice(&raw.body).map_err(|_| ApiError::invalid_parameter("body"))?;
        let required = |name: &str, value: Option<String>, longest: usize| {
            value
                .filter(|value| (1..=longest).contains(&value.chars().count()))
                .ok_or_else(|| ApiError::invalid_parameter(name))
        };
        Ok(Self {
            domain: required("publish_domain", body.publish_domain.take(), 255)?,
            app: required("app", body.app.take(), 128)?,
            body,
        })
    }

    /// A configuration of nothing but these fields and the documented defaults.
    pub(super) fn alone(self, empty: EmptyText, dialect: &HuaweicloudDialect) -> Result<HuaweicloudConfig> {
        self.over(HuaweicloudConfig::new("", ""), empty, dialect)
    }

    /// The configuration these fields make of another one.
    pub(super) fn over(
        self,
        mut config: HuaweicloudConfig,
        empty: EmptyText,
        dialect: &HuaweicloudDialect,
    ) -> Result<HuaweicloudConfig> {
        let Self { domain, app, body } = self;
        (config.publish_domain, config.app) = (domain, app);
        let set = |field: &mut Option<String>, given: Option<String>| {
            if let Some(given) = given {
                *field = Some(given).filter(|text| empty == EmptyText::Invalid || !text.is_empty());
            }
        };
        set(&mut config.notify_callback_url, body.notify_callback_url);
        if dialect.on_demand_url == OnDemandUrl::Kept {
            set(&mut config.on_demand_callback_url, body.on_demand_callback_url);
        }
        if let Some(events) = body.notify_event_subscription {
            config.notify_event_subscription = events;
        }
        if let Some(sign_type) = body.sign_type {
            config.sign_type = sign_type;
        }
        set(&mut config.key, body.key);
        check(config, dialect)
    }
}

fn check(config: HuaweicloudConfig, dialect: &HuaweicloudDialect) -> Result<HuaweicloudConfig> {
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
