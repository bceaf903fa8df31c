//! A request as the API sees it: signature style, parameters and their types.

use std::{collections::HashSet, ops::RangeInclusive};

use axum::http::Method;
use jiff::Timestamp;

use super::{
    dialect::BooleanRequests,
    error::{ApiError, Result},
};
use crate::{
    canonical::{Plus, decode_pairs},
    clock,
    recorded::RawRequest,
};

/// One of the vendor's APIs, as its gateway tells them apart.
pub(super) struct Api {
    /// As links to the vendor's pages about errors have it.
    pub(super) product: &'static str,
    /// The host of its real endpoint.
    pub(super) host: &'static str,
    pub(super) version: &'static str,
}

/// The two ways to sign a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    /// Everything in parameters, HMAC-SHA1.
    Rpc,
    /// Action and signature in headers, `ACS3-HMAC-SHA256`.
    Acs3,
}

pub(super) struct ApiRequest<'a> {
    pub(super) raw: &'a RawRequest,
    pub(super) style: Style,
    pub(super) query: Vec<(String, String)>,
    form: Vec<(String, String)>,
}

impl<'a> ApiRequest<'a> {
    pub(super) fn new(raw: &'a RawRequest) -> Self {
        let acs3 = raw.header("authorization").is_some_and(|value| value.starts_with("ACS3-"));
        let form = raw.media_type().as_deref() == Some("application/x-www-form-urlencoded");
        let body = if form { String::from_utf8_lossy(&raw.body) } else { "".into() };
        Self {
            raw,
            style: if acs3 { Style::Acs3 } else { Style::Rpc },
            query: decode_pairs(&raw.query, Plus::Space),
            form: decode_pairs(&body, Plus::Space),
        }
    }

    /// All parameters, from the query and from the form in the body.
    pub(super) fn parameters(&self) -> impl Iterator<Item = &(String, String)> {
        self.query.iter().chain(&self.form)
    }

    /// RPC calls get XML unless they ask for JSON; ACS3 calls always get JSON.
    pub(super) fn wants_json(&self) -> bool {
        self.style == Style::Acs3
            || self.text("Format").is_some_and(|format| format.eq_ignore_ascii_case("JSON"))
    }

    /// Checks everything that comes before the caller's identity: method, path, body, action and version. `named` knows
    /// the actions of the API.
    pub(super) fn operation<T>(&self, api: &Api, named: impl FnOnce(&str) -> Option<T>) -> Result<T> {
        if self.raw.path != "/" || ![Method::GET, Method::POST].contains(&self.raw.method) {
            return Err(ApiError::unknown_action());
        }
        if !self.raw.body.is_empty() && self.form.is_empty() {
            return Err(ApiError::not_modelled("bodies other than application/x-www-form-urlencoded"));
        }
        let mut seen = HashSet::new();
        if let Some((name, _)) = self.parameters().find(|(name, _)| !seen.insert(name)) {
            return Err(ApiError::invalid_parameter(name, "it is given more than once"));
        }
        let action = self.action().ok_or_else(|| ApiError::missing("Action"))?;
        let operation = named(action).ok_or_else(ApiError::unknown_action)?;
        let version = match self.style {
            Style::Rpc => self.text("Version"),
            Style::Acs3 => self.header("x-acs-version"),
        };
        match version {
            None => Err(ApiError::missing("Version")),
            Some(version) if version == api.version => Ok(operation),
            Some(_) => Err(ApiError::invalid_version()),
        }
    }

    /// What the request calls its action, known or not.
    pub(super) fn action(&self) -> Option<&str> {
        match self.style {
            Style::Rpc => self.text("Action"),
            Style::Acs3 => self.header("x-acs-action"),
        }
    }

    /// A header; `None` when missing or empty.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.raw.header(name).filter(|value| !value.is_empty())
    }

    /// A parameter, even an empty one.
    pub(super) fn find(&self, name: &str) -> Option<&str> {
        self.parameters().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    /// A parameter; `None` when missing or empty.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.find(name).filter(|value| !value.is_empty())
    }

    pub(super) fn required(&self, name: &str) -> Result<&str> {
        self.text(name).ok_or_else(|| ApiError::missing(name))
    }

    /// A boolean; `None` when missing. The Python SDKs write capitals.
    pub(super) fn flag(&self, name: &str, form: BooleanRequests) -> Result<Option<bool>> {
        match (self.find(name), form) {
            (None, _) => Ok(None),
            (Some("false" | "False"), BooleanRequests::Lenient | BooleanRequests::TrueFalse)
            | (Some("no"), BooleanRequests::Lenient | BooleanRequests::YesNo) => Ok(Some(false)),
            (Some("true" | "True"), BooleanRequests::Lenient | BooleanRequests::TrueFalse)
            | (Some("yes"), BooleanRequests::Lenient | BooleanRequests::YesNo) => Ok(Some(true)),
            (Some(_), _) => Err(ApiError::invalid_parameter(name, "it is neither true nor false")),
        }
    }

    pub(super) fn number(&self, name: &str, range: RangeInclusive<usize>) -> Result<Option<usize>> {
        let Some(text) = self.text(name) else { return Ok(None) };
        let number = text.parse().ok().filter(|number| range.contains(number));
        let rule = || format!("it is not a number from {} to {}", range.start(), range.end());
        number.map(Some).ok_or_else(|| ApiError::invalid_parameter(name, &rule()))
    }

    pub(super) fn one_of(&self, name: &str, values: &[&str]) -> Result<Option<&str>> {
        match self.text(name) {
            Some(value) if !values.contains(&value) => {
                Err(ApiError::invalid_parameter(name, &format!("it is not one of {}", values.join(", "))))
            }
            value => Ok(value),
        }
    }

    pub(super) fn required_time(&self, name: &str) -> Result<Timestamp> {
        let rule = "it is not written as yyyy-MM-ddTHH:mm:ssZ";
        clock::parse(self.required(name)?, clock::EXTENDED)
            .ok_or_else(|| ApiError::invalid_parameter(name, rule))
    }
}
