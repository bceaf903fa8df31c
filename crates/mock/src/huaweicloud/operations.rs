//! What each operation does once the caller is known.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    dialect::{
        AppWildcardFilter, ConfigIds, CreateAnswer, DeleteOfMissing, HuaweicloudDialect, HuaweicloudOmitted,
        ListOffset, ListOrder, Times, Uniqueness, UpdateAnswer,
    },
    error::{ApiError, Result},
    given::{EmptyText, Given},
    request::{ListQuery, Operation, Route, Target, domain_filter},
    state::{HuaweicloudConfig, State},
};
use crate::{clock, field_order::shuffle, lag::Lagging, recorded::RawRequest};

/// Registered domains.
pub(super) type Domains = BTreeMap<String, DomainKind>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DomainKind {
    Ingest,
    Streaming,
}

/// The world an operation runs in.
pub(super) struct Context<'a> {
    pub(super) state: &'a mut Lagging<State>,
    /// Registered domains.
    pub(super) domains: &'a Domains,
    /// True if every domain exists.
    pub(super) takes_all: bool,
    pub(super) dialect: &'a HuaweicloudDialect,
    pub(super) now: Timestamp,
}

/// Status and body of a success.
pub(super) type Success = (StatusCode, Option<Value>);

impl Context<'_> {
    pub(super) fn run(&mut self, operation: Operation, route: &Route, raw: &RawRequest) -> Result<Success> {
        let project = route.project_id.as_str();
        let id = if let Target::Config(id) = &route.to { id } else { "" };
        match operation {
            Operation::Create => self.create(project, raw),
            Operation::List => self.list(project, &raw.query),
            Operation::Show => {
                let config = self.find(self.state.seen(self.now), project, id)?;
                Ok((StatusCode::OK, Some(self.body(config))))
            }
            Operation::Update => self.update(project, id, raw),
            Operation::Delete => {
                let removed = self.state.change(self.now).remove(project, id);
                if removed.is_none() && self.dialect.delete_of_missing == DeleteOfMissing::AsMissing {
                    return Err(ApiError::missing_id(self.dialect));
                }
                Ok((StatusCode::NO_CONTENT, None))
            }
            Operation::ShowDomain => Ok((StatusCode::OK, Some(self.show_domain(&raw.query)))),
        }
    }

    /// Most of what the cloud says of a domain is left out.
    fn show_domain(&self, query: &str) -> Value {
        let matching = self.dialect.domain_matching;
        let wanted = domain_filter(query);
        let mut found = self.domains.clone();
        if let Some(wanted) = wanted {
            found.retain(|name, _| matching.is_same(name, &wanted));
            if self.takes_all {
                found.insert(wanted, DomainKind::Ingest);
            }
        }
        let info = found.into_iter().map(|(name, kind)| {
            let kind = match kind {
                DomainKind::Ingest => "push",
                DomainKind::Streaming => "pull",
            };
            json!({ "domain": name, "domain_type": kind, "status": "on" })
        });
        let info: Vec<_> = info.collect();
        json!({ "total": info.len(), "domain_info": info })
    }

    fn create(&mut self, project: &str, raw: &RawRequest) -> Result<Success> {
        let mut config = Given::by(raw)?.alone(EmptyText::Invalid, self.dialect)?;
        let matching = self.dialect.domain_matching;
        let known = matching.find(self.domains.keys(), &config.publish_domain);
        let kind = known.and_then(|name| self.domains.get(name));
        if !self.takes_all && kind != Some(&DomainKind::Ingest) {
            return Err(ApiError::domain_not_found());
        }
        let taken = |other: &HuaweicloudConfig| {
            matching.is_same(&other.publish_domain, &config.publish_domain)
                && (self.dialect.uniqueness == Uniqueness::PerDomain || other.app == config.app)
        };
        if self.state.project(project).iter().any(taken) {
            return Err(ApiError::already_exists(self.dialect));
        }
        if self.dialect.ids == ConfigIds::Uuid {
            config.id = Uuid::new_v4().to_string();
        }
        let config = self.state.change(self.now).put(project, config, self.now).clone();
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
        let matching = self.dialect.domain_matching;
        let any_app = self.dialect.app_wildcard_filter == AppWildcardFilter::AnyApp
            && query.app.as_deref() == Some("*");
        let mut found: Vec<&HuaweicloudConfig> = self
            .state
            .seen(self.now)
            .project(project)
            .iter()
            .filter(|config| {
                let filter = query.publish_domain.as_deref();
                filter.is_none_or(|filter| matching.is_same(filter, &config.publish_domain))
            })
            .filter(|config| any_app || wanted(&query.app, &config.app))
            .collect();
        if self.dialect.list_order == ListOrder::Unstable {
            shuffle(&mut found);
        }
        let skipped = match self.dialect.list_offset {
            ListOffset::Records => query.offset,
            ListOffset::Pages => query.offset * query.limit,
        };
        let page: Vec<Value> =
            found.iter().skip(skipped).take(query.limit).map(|config| self.body(config)).collect();
        Ok((StatusCode::OK, Some(json!({ "total": found.len(), "callback_config": page }))))
    }

    /// The pair of domain and app cannot change, which is not documented.
    fn update(&mut self, project: &str, id: &str, raw: &RawRequest) -> Result<Success> {
        let given = Given::by(raw)?;
        let stored = self.find(self.state, project, id);
        let mut config = match (self.dialect.omitted_on_update, &stored) {
            (HuaweicloudOmitted::Kept, Ok(stored)) => {
                given.over((*stored).clone(), EmptyText::Nothing, self.dialect)?
            }
            (HuaweicloudOmitted::Reset, _) => given.alone(EmptyText::Invalid, self.dialect)?,
            _ => given.alone(EmptyText::Nothing, self.dialect)?,
        };
        let stored = stored?;
        if !self.dialect.domain_matching.is_same(&stored.publish_domain, &config.publish_domain) {
            return Err(ApiError::invalid_parameter("publish_domain"));
        }
        if stored.app != config.app {
            return Err(ApiError::invalid_parameter("app"));
        }
        id.clone_into(&mut config.id);
        config.publish_domain.clone_from(&stored.publish_domain);
        let config = self.state.change(self.now).put(project, config, self.now).clone();
        let body = (self.dialect.update_answer == UpdateAnswer::Object).then(|| self.body(&config));
        Ok((StatusCode::OK, body))
    }

    fn find<'s>(&self, state: &'s State, project: &str, id: &str) -> Result<&'s HuaweicloudConfig> {
        let found = state.project(project).iter().find(|config| config.id == id);
        found.ok_or_else(|| ApiError::missing_id(self.dialect))
    }

    fn body(&self, config: &HuaweicloudConfig) -> Value {
        let mut body = json!({
            "id": config.id,
            "publish_domain": config.publish_domain,
            "app": config.app,
            "notify_event_subscription": config.notify_event_subscription,
            "sign_type": config.sign_type,
        });
        let time_format = match self.dialect.times {
            Times::Seconds => Some(clock::EXTENDED),
            Times::Milliseconds => Some(clock::EXTENDED_MILLISECONDS),
            Times::Absent => None,
        };
        for (name, at) in [("create_time", config.create_time), ("update_time", config.update_time)] {
            if let Some(format) = time_format {
                body[name] = json!(clock::format(at, format));
            }
        }
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
