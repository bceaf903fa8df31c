//! The Live API.

use std::{sync::Mutex, time::Duration};

use jiff::Timestamp;

use super::{
    account::Accounts,
    answer,
    auth::{authenticate, check_project},
    dialect::HuaweicloudDialect,
    error::{ApiError, Result},
    operations::{Context, Domains, Success},
    request::{Operation, Route},
    state::State,
};
use crate::{
    clock::Clock,
    delivery::{DeliveryPolicy, Http},
    faults::Refusal,
    lag::Lagging,
    lock::lock,
    quota::{Counters, Quota},
    recorded::RawRequest,
    server::{Answer, Service},
};

/// The quota all five operations share, for each user.
pub(super) const DOCUMENTED_QUOTA: Quota = Quota { limit: 300, window: Duration::from_secs(60) };

pub(super) struct Live {
    pub(super) accounts: Accounts,
    pub(super) domains: Domains,
    /// Of the other account, which has no more than these.
    pub(super) other_domains: Domains,
    pub(super) quota: Option<Quota>,
    pub(super) counters: Counters<String>,
    pub(super) dialect: HuaweicloudDialect,
    pub(super) clock: Clock,
    /// What callbacks are sent with.
    pub(super) http: Http,
    pub(super) delivery: DeliveryPolicy,
    pub(super) state: Mutex<Lagging<State>>,
}

impl Service for Live {
    const VENDOR: &'static str = "huaweicloud";

    fn operation(&self, raw: &RawRequest) -> Option<&'static str> {
        Route::of(&raw.path)?.operation(&raw.method).map(Operation::as_str)
    }

    fn answer(&self, raw: &RawRequest) -> Answer {
        let (now, order) = (self.clock.now(), self.dialect.field_order);
        let route = Route::of(&raw.path);
        let operation = route.as_ref().and_then(|route| route.operation(&raw.method));
        let mut answer = match self.call(raw, route.as_ref(), operation, now) {
            Ok((status, body)) => answer::write(status, body.as_ref(), order, now),
            Err(error) => answer::write_error(&error, order, now),
        };
        answer.operation = operation.map(Operation::as_str);
        answer
    }

    fn refuse(&self, _: &RawRequest, refusal: Refusal) -> Answer {
        let error = match refusal {
            Refusal::Throttled => ApiError::throttled(&self.dialect, self.quota.unwrap_or(DOCUMENTED_QUOTA)),
            Refusal::Denied => ApiError::denied(),
            Refusal::Unavailable => ApiError::unavailable(),
            Refusal::TokenExpired => ApiError::token_not_valid(),
        };
        answer::write_error(&error, self.dialect.field_order, self.now())
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }
}

impl Live {
    fn call(
        &self,
        raw: &RawRequest,
        route: Option<&Route>,
        operation: Option<Operation>,
        now: Timestamp,
    ) -> Result<Success> {
        let route = route.ok_or_else(ApiError::unknown_api)?;
        let caller = authenticate(&self.accounts, self.dialect.query_on_wire, raw, now)?;
        let foreign = self.dialect.foreign_project;
        check_project(&self.accounts, &caller, raw, &route.project_id, foreign)?;
        let is_first = caller.account.id == self.accounts.first.id;
        // The quota is that of the five operations on configs.
        if let Some(quota) = self.quota.filter(|_| operation != Some(Operation::ShowDomain))
            && !self.counters.take(caller.name, quota, now)
        {
            return Err(ApiError::throttled(&self.dialect, quota));
        }
        let operation = operation.ok_or_else(ApiError::method_not_supported)?;
        let mut state = lock(&self.state);
        let domains = if is_first { &self.domains } else { &self.other_domains };
        let takes_all = is_first && domains.is_empty();
        let dialect = &self.dialect;
        Context { state: &mut state, domains, takes_all, dialect, now }.run(operation, route, raw)
    }
}
