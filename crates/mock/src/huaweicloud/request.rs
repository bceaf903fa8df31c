//! A request as the Live API sees it: route and query.

use std::ops::RangeInclusive;

use axum::http::Method;
use percent_encoding::percent_decode_str;

use super::error::{ApiError, Result};
use crate::canonical::{Plus, decode_pairs};

/// The operations, with the names the vendor's SDKs give them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operation {
    Create,
    List,
    Show,
    Update,
    Delete,
    ShowDomain,
}

impl Operation {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Create => "CreateRecordCallbackConfig",
            Self::List => "ListRecordCallbackConfigs",
            Self::Show => "ShowRecordCallbackConfig",
            Self::Update => "UpdateRecordCallbackConfig",
            Self::Delete => "DeleteRecordCallbackConfig",
            Self::ShowDomain => "ShowDomain",
        }
    }
}

/// A path of a project.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Route {
    pub(super) project_id: String,
    pub(super) to: Target,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// `/v1/{project_id}/record/callbacks`
    Configs,
    /// `/v1/{project_id}/record/callbacks/{id}`
    Config(String),
    /// `/v1/{project_id}/domain`
    Domains,
}

impl Route {
    pub(super) fn of(path: &str) -> Option<Self> {
        let segments: Vec<&str> = path.strip_prefix("/v1/")?.split('/').collect();
        let decoded = |segment: &str| percent_decode_str(segment).decode_utf8_lossy().into_owned();
        let (project_id, to) = match segments[..] {
            [project_id, "record", "callbacks"] => (project_id, Target::Configs),
            [project_id, "record", "callbacks", id] if !id.is_empty() => {
                (project_id, Target::Config(decoded(id)))
            }
            [project_id, "domain"] => (project_id, Target::Domains),
            _ => return None,
        };
        (!project_id.is_empty()).then(|| Self { project_id: decoded(project_id), to })
    }

    pub(super) fn operation(&self, method: &Method) -> Option<Operation> {
        match (method, &self.to) {
            (&Method::POST, Target::Configs) => Some(Operation::Create),
            (&Method::GET, Target::Configs) => Some(Operation::List),
            (&Method::GET, Target::Config(_)) => Some(Operation::Show),
            (&Method::PUT, Target::Config(_)) => Some(Operation::Update),
            (&Method::DELETE, Target::Config(_)) => Some(Operation::Delete),
            (&Method::GET, Target::Domains) => Some(Operation::ShowDomain),
            _ => None,
        }
    }
}

/// The domain a call asks for.
pub(super) fn domain_filter(query: &str) -> Option<String> {
    let pairs = decode_pairs(query, Plus::Itself);
    pairs.into_iter().find(|(name, _)| name == "domain").map(|(_, value)| value)
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
