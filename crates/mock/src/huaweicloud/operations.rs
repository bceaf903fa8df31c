//! What each operation does once the caller is known.

use std::collections::HashSet;

use axum::http::StatusCode;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    dialect::{CreateAnswer, HuaweicloudDialect, Uniqueness},
    error::{ApiError, Result},
    request::{ListQuery, Operation, Route, requested_config},
    state::{HuaweicloudConfig, State},
};
use crate::{clock, recorded::RawRequest};

/// The world an operation runs in.
pub(super) struct Context<'a> {
    pub(super) state: &'a mut State,
    /// Registered domains; while there are none, every domain exists.
    pub(super) domains: &'a HashSet<String>,
    pub(super) dialect: &'a HuaweicloudDialect,
    pub(super) now: Timestamp,
}

/// Status and body of a success.
pub(super) type Success = (StatusCode, Option<Value>);

impl Context<'_> {
    pub(super) fn run(&mut self, operation: Operation, route: &Route, raw: &RawRequest) -> Result<Success> {
        let project = route.project_id.as_str();
        let id = route.id.as_deref().unwrap_or_default();
        match operation {
            Operation::Create => self.create(project, raw),
            Operation::List => self.list(project, &raw.query),
            Operation::Show => Ok((StatusCode::OK, Some(self.body(self.find(project, id)?)))),
            Operation::Update => self.update(project, id, raw),
            Operation::Delete => {
                self.state.remove(project, id).ok_or_else(ApiError::not_found)?;
                Ok((StatusCode::NO_CONTENT, None))
            }
        }
    }

    fn create(&mut self, project: &str, raw: &RawRequest) -> Result<Success> {
        let config = requested_config(raw, self.dialect)?;
        if !self.domains.is_empty() && !self.domains.contains(&config.publish_domain) {
            return Err(ApiError::domain_not_found());
        }
        let taken = |other: &HuaweicloudConfig| {
            other.publish_domain == config.publish_domain
                && (self.dialect.uniqueness == Uniqueness::PerDomain || other.app == config.app)
        };
        if self.state.project(project).iter().any(taken) {
            return Err(ApiError::already_exists());
        }
        let config = self.state.put(project, config, self.now).clone();
        let body = match self.dialect.create_answer {
            CreateAnswer::Object => Some(self.body(&config)),
            CreateAnswer::IdOnly => Some(json!({ "id": config.id })),
            CreateAnswer::Empty => None,
        };
        Ok((StatusCode::CREATED, body))
    }

    fn list(&self, project: &str, query: &str) -> Result<Success> {
        let query = ListQuery::parse(query)?;
        let wanted =
            |filter: &Option<String>, value: &str| filter.as_deref().is_none_or(|filter| filter == value);
        let found: Vec<&HuaweicloudConfig> = self
            .state
            .project(project)
            .iter()
            .filter(|config| wanted(&query.publish_domain, &config.publish_domain))
            .filter(|config| wanted(&query.app, &config.app))
            .collect();
        let page: Vec<Value> =
            found.iter().skip(query.offset).take(query.limit).map(|config| self.body(config)).collect();
        Ok((StatusCode::OK, Some(json!({ "total": found.len(), "callback_config": page }))))
    }

    /// Replaces the whole configuration; what the request leaves out goes back to its default, and the pair of domain
    /// and app cannot change. Neither is documented.
    fn update(&mut self, project: &str, id: &str, raw: &RawRequest) -> Result<Success> {
        let mut config = requested_config(raw, self.dialect)?;
        let stored = self.find(project, id)?;
        if stored.publish_domain != config.publish_domain {
            return Err(ApiError::invalid_parameter("publish_domain"));
        }
        if stored.app != config.app {
            return Err(ApiError::invalid_parameter("app"));
        }
        id.clone_into(&mut config.id);
        let config = self.state.put(project, config, self.now).clone();
        Ok((StatusCode::OK, Some(self.body(&config))))
    }

    fn find(&self, project: &str, id: &str) -> Result<&HuaweicloudConfig> {
        self.state.project(project).iter().find(|config| config.id == id).ok_or_else(ApiError::not_found)
    }

    fn body(&self, config: &HuaweicloudConfig) -> Value {
        let mut body = json!({
            "id": config.id,
            "publish_domain": config.publish_domain,
            "app": config.app,
            "notify_event_subscription": config.notify_event_subscription,
            "sign_type": config.sign_type,
            "create_time": clock::format(config.create_time, clock::EXTENDED),
            "update_time": clock::format(config.update_time, clock::EXTENDED),
        });
        let optional = [
            ("notify_callback_url", &config.notify_callback_url),
            ("on_demand_callback_url", &config.on_demand_callback_url),
            ("key", if self.dialect.key_in_answers { &config.key } else { &None }),
        ];
        for (name, value) in optional {
            if let Some(value) = value {
                body[name] = json!(value);
            }
        }
        body
    }
}
