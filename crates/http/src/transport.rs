mod client;
mod no_connection;
mod threads;

use std::fmt;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use jiff::fmt::rfc2822;
use jiff::{SignedDuration, Timestamp};
use record_callback_core::{Error, ErrorKind, Result};
use reqwest::header::{AGE, DATE, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::{Request, Response, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;

use self::client::ProxyShown;
pub(crate) use self::client::{Client, client};
use crate::encoding::encode;

/// Largest answer that is read: 1 MiB. A config or a full page of them is a few KiB to some 50 KiB; a full page of
/// Aliyun's delivery log may come close, so read that one with pages of less than the largest size.
pub const MAX_BODY: usize = 1024 * 1024;

/// Longest piece of a cloud's message that goes into an error, in characters.
const MAX_MESSAGE: usize = 300;
/// Names in messages are cut to as many characters.
const MAX_NAME: usize = 255;
const MAX_CODE: usize = 64;
const MAX_REQUEST_ID: usize = 128;
const SHORTEST_SECRET: usize = 6;
const REDACTED: &str = "[redacted]";

/// What a request contains that must not come back in an error.
///
/// Clouds quote requests in their messages, signing key and token included.
#[derive(Debug, Clone, Default)]
pub struct Secrets(Vec<SecretString>);

impl Secrets {
    /// Adds a secret of the request, if there is one. A few characters occur in any message and are not
    /// looked for; no vendor takes secrets that short.
    pub fn add(&mut self, secret: Option<&str>) {
        self.0.extend(secret.filter(|text| text.len() >= SHORTEST_SECRET).map(SecretString::from));
    }

    /// Adds the query of a callback URL, if there is one, and what is in it: it may be what the receiver knows its sender
    /// by.
    pub fn add_query(&mut self, url: Option<&str>) {
        let Some((_, query)) = url.and_then(|url| url.split_once('?')) else { return };
        self.add(Some(query));
        for pair in query.split('&') {
            self.add(pair.split_once('=').map(|(_, value)| value));
        }
    }

    /// `text` without the secrets, whether as they are, percent-encoded (twice, too; in hex digits of either case) or
    /// escaped for JSON.
    fn redact(&self, text: &str) -> String {
        self.0.iter().map(ExposeSecret::expose_secret).fold(text.to_owned(), |text, secret| {
            let once = encode(secret).to_string();
            let lower = lower_hex(&once);
            // What is encoded the second time is `%`, whose own digits have no case.
            let twice = [&once, &lower].map(|once| encode(once).to_string());
            let json = serde_json::Value::from(secret).to_string();
            [secret, &once, &lower, &twice[0], &twice[1], json.trim_matches('"')]
                .iter()
                .fold(text, |text, form| text.replace(form, REDACTED))
        })
    }

    /// Whether `text` is a short plain word without a secret in it.
    fn is_harmless_word(&self, text: &str, longest: usize) -> bool {
        (1..=longest).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._:-".contains(&b))
            && !self.are_in(text)
    }

    /// Whether one of them is in `text` as it is.
    fn are_in(&self, text: &str) -> bool {
        self.0.iter().any(|secret| text.contains(secret.expose_secret()))
    }
}

/// Percent-encoded text with the hex digits, and nothing else, in lower case.
fn lower_hex(encoded: &str) -> String {
    let mut text = encoded.to_owned();
    for (at, _) in encoded.match_indices('%') {
        if let Some(digits) = text.get_mut(at + 1..at + 3) {
            digits.make_ascii_lowercase();
        }
    }
    text
}

/// A request ready to be sent, and the secrets in it. `Debug` shows the method only.
pub struct Signed {
    /// The request.
    pub request: Request,
    /// What must not come back in an error.
    pub secrets: Secrets,
}

impl fmt::Debug for Signed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signed").field("method", self.request.method()).finish_non_exhaustive()
    }
}

/// What a cloud says about a failure, in its own words, which may repeat the request. `Debug` shows none of them.
#[derive(Default, PartialEq, Eq)]
pub struct Failure {
    /// The error code.
    pub code: String,
    /// The message.
    pub message: String,
    /// The request id, if the body has one.
    pub request_id: Option<String>,
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Failure").finish_non_exhaustive()
    }
}

/// A cloud's answer, body included. `Debug` shows neither headers nor body.
pub struct Answer {
    /// HTTP status.
    pub status: StatusCode,
    /// Headers.
    pub headers: HeaderMap,
    /// Body, at most [`MAX_BODY`].
    pub body: Bytes,
    secrets: Secrets,
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer")
            .field("status", &self.status)
            .field("length", &self.body.len())
            .finish_non_exhaustive()
    }
}

impl Answer {
    /// An answer to a request with these secrets.
    pub fn new(status: StatusCode, headers: HeaderMap, body: impl Into<Bytes>, secrets: Secrets) -> Self {
        Self { status, headers, body: body.into(), secrets }
    }

    /// The value of a header, if it is there and text.
    pub fn header(&self, name: impl AsRef<str>) -> Option<&str> {
        self.headers.get(name.as_ref())?.to_str().ok()
    }

    /// The value of a header, if it is a short plain word that holds no secret.
    pub(crate) fn harmless_header(&self, name: &str) -> Option<&str> {
        self.header(name).filter(|value| self.secrets.is_harmless_word(value, MAX_REQUEST_ID))
    }

    /// The body as JSON.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_slice(&self.body).map_err(|error| {
            // serde's own text quotes values of the body.
            let place =
                format!("{:?} error at line {} column {}", error.classify(), error.line(), error.column());
            self.not_understood(&format!("the operation's JSON ({})", place.to_lowercase()))
        })
    }

    /// The error for a body that is not what the vendor sends: a failure of something between us and the cloud by
    /// statuses 429 (`Throttled`) and 5xx (`Unavailable`), else `Protocol`. Where a redirect leads is not said: the address
    /// may repeat the signed query. Whatever the status, the request may have been carried out.
    pub fn not_understood(&self, expected: &str) -> Error {
        let content_type = self.header("content-type").unwrap_or_default();
        let media_type = content_type.split(';').next().unwrap_or_default();
        // A secret may have the `/` or `;` in it.
        let plain = !self.secrets.are_in(content_type)
            && media_type.split_once('/').is_some_and(|(kind, subtype)| {
                [kind, subtype].iter().all(|part| self.secrets.is_harmless_word(part, MAX_CODE))
            });
        let what = match self.body.len() {
            0 => "an empty body".to_owned(),
            length if plain => format!("{length} bytes of {media_type}"),
            length => format!("{length} bytes of no known type"),
        };
        let status = self.status.as_u16();
        let message = if self.status.is_redirection() {
            format!("answered {status}, a redirect, which is not followed, instead of {expected}")
        } else {
            format!("answered {status} with {what} instead of {expected}")
        };
        let kind = match status {
            429 => ErrorKind::Throttled,
            500..=599 => ErrorKind::Unavailable,
            _ => ErrorKind::Protocol,
        };
        // Nobody knows who wrote this: something in between may refuse answers as well as requests.
        Error::new(kind, message).with_maybe_applied()
    }

    /// The error for an answer about something else than was asked about: nothing in it is to be believed. `what` was asked
    /// about in the words `asked`, and answered in the words `answered`.
    pub fn about_another(&self, what: &str, asked: &str, answered: &str) -> Error {
        let [asked, answered] = [asked, answered].map(|text| {
            let text = self.secrets.redact(text).replace(char::is_control, " ");
            text.chars().take(MAX_NAME).collect::<String>()
        });
        let message = format!("asked about the {what} `{asked}`, the cloud answered about `{answered}`");
        // Without the status, by which it would be taken for a page of somebody in between, and asked for again.
        Error::new(ErrorKind::Protocol, message)
    }

    /// The error for a failure the cloud describes. `kind` judges by code, the status where that says nothing.
    ///
    /// What clouds repeat of the request stays out: the message ends where `echo` begins, secrets are
    /// redacted, and a code or request id that is not a short plain word is none.
    pub fn failed(&self, failure: &Failure, echo: &str, kind: impl Fn(&str) -> Option<ErrorKind>) -> Error {
        let Failure { code, message, request_id } = failure;
        let message = message.split(echo).next().unwrap_or_default().trim_end_matches([',', ' ']);
        // One line, and nothing a terminal would obey.
        let message = self.secrets.redact(message).replace(char::is_control, " ");
        let message = match message.char_indices().nth(MAX_MESSAGE) {
            _ if message.is_empty() => "refused without a message".to_owned(),
            Some((end, _)) => format!("{}…", &message[..end]),
            None => message,
        };
        let mut error = Error::new(kind(code).unwrap_or_else(|| self.kind_by_status()), message);
        if self.secrets.is_harmless_word(code, MAX_CODE) {
            error = error.with_code(code);
        }
        match request_id {
            Some(id) => self.with_request_id(error, id),
            None => error,
        }
    }

    /// Adds a request id the cloud gave, unless it is not a short plain word.
    pub fn with_request_id(&self, error: Error, id: &str) -> Error {
        if self.secrets.is_harmless_word(id, MAX_REQUEST_ID) { error.with_request_id(id) } else { error }
    }

    /// The kind by the status, for when the vendor's code says nothing: no more than HTTP promises. What a 404 did not
    /// find, what a 409 was in conflict with, and which value a 400 refuses, if any, only the code could tell.
    fn kind_by_status(&self) -> ErrorKind {
        match self.status.as_u16() {
            401 => ErrorKind::Unauthenticated,
            403 => ErrorKind::PermissionDenied,
            408 => ErrorKind::Timeout,
            409 => ErrorKind::Conflict,
            429 => ErrorKind::Throttled,
            500..=599 => ErrorKind::Unavailable,
            _ => ErrorKind::Protocol,
        }
    }

    /// The value of a header that counts milliseconds.
    pub fn millis(&self, name: impl AsRef<str>) -> Option<Duration> {
        self.header(name)?.trim().parse().ok().map(Duration::from_millis)
    }

    /// What time it is for the cloud: its `Date` header, and the `Age` of an answer from a cache.
    pub fn date(&self) -> Option<Timestamp> {
        let age = self.header(AGE).and_then(|text| text.trim().parse().ok()).unwrap_or(0);
        http_date(self.header(DATE)?)?.checked_add(SignedDuration::from_secs(age)).ok()
    }

    /// How long the standard `Retry-After` header asks to wait: seconds, or an HTTP date compared
    /// with `now`.
    pub(crate) fn retry_after(&self, now: Timestamp) -> Option<Duration> {
        let value = self.header(RETRY_AFTER)?.trim();
        if let Ok(seconds) = value.parse::<u64>() {
            return Some(Duration::from_secs(seconds));
        }
        Some(Duration::try_from(http_date(value)? - now).unwrap_or(Duration::ZERO))
    }
}

fn http_date(text: &str) -> Option<Timestamp> {
    Some(rfc2822::parse(text.trim()).ok()?.timestamp())
}

/// A header value that `Debug` does not show.
pub fn sensitive(text: &str) -> Result<HeaderValue> {
    let mut value = HeaderValue::from_str(text).map_err(|source| {
        Error::new(ErrorKind::InvalidConfig, "an access key or token has characters no header can carry")
            .with_source(source)
    })?;
    value.set_sensitive(true);
    Ok(value)
}

/// Sends one request and reads the whole answer.
///
/// An error says by [`Error::maybe_applied`] whether the request may have reached the cloud.
pub(crate) async fn exchange(client: &Client, signed: Signed) -> Result<Answer> {
    threads::apart(exchange_here(client.clone(), signed)).await
}

async fn exchange_here(client: Client, signed: Signed) -> Result<Answer> {
    let proxy = client.proxy.as_deref();
    // Inside a tunnel, only the cloud answers.
    let answering = proxy.filter(|_| signed.request.url().scheme() == "http");
    let response = client.inner.execute(signed.request).await.map_err(|error| failed(error, proxy))?;
    let status = response.status();
    if let Some(proxy) = answering.filter(|_| status == StatusCode::PROXY_AUTHENTICATION_REQUIRED) {
        let error = Error::new(ErrorKind::Unavailable, proxy.unauthenticated());
        return Err(error.with_status(status.as_u16()));
    }
    read(response, signed.secrets).await.map_err(|error| error.with_status(status.as_u16()))
}

async fn read(mut response: Response, secrets: Secrets) -> Result<Answer> {
    let status = response.status();
    let headers = std::mem::take(response.headers_mut());
    let mut body = response.chunk().await.map_err(broken)?.unwrap_or_default();
    if let Some(next) = response.chunk().await.map_err(broken)? {
        let mut whole = BytesMut::from(body);
        whole.extend_from_slice(&next);
        while let Some(next) = response.chunk().await.map_err(broken)? {
            if whole.len() + next.len() > MAX_BODY {
                return Err(too_large());
            }
            whole.extend_from_slice(&next);
        }
        body = whole.freeze();
    }
    if body.len() > MAX_BODY {
        return Err(too_large());
    }
    Ok(Answer { status, headers, body, secrets })
}

fn too_large() -> Error {
    Error::new(ErrorKind::Protocol, format!("the answer is larger than {MAX_BODY} bytes"))
        .with_maybe_applied()
}

/// Describes a transport failure, without the URL: its query holds the signature.
fn failed(error: reqwest::Error, proxy: Option<&ProxyShown>) -> Error {
    if !error.is_connect() {
        return broken(error);
    }
    let message = no_connection::describe(&error, proxy);
    Error::new(ErrorKind::Unavailable, message).with_source(error.without_url())
}

/// The error for an exchange that ended in the middle.
fn broken_off() -> Error {
    Error::new(ErrorKind::Unavailable, "the exchange was broken off").with_maybe_applied()
}

/// The same, for what went wrong on a connection.
fn broken(error: reqwest::Error) -> Error {
    let (kind, message) = if error.is_timeout() {
        (ErrorKind::Timeout, "no answer in time")
    } else if error.is_builder() {
        (ErrorKind::Protocol, "the request could not be built")
    } else {
        (ErrorKind::Unavailable, "the connection broke before the answer was complete")
    };
    let never_sent = error.is_builder();
    Error::new(kind, message).with_source(error.without_url()).with_maybe_applied_if(!never_sent)
}

#[cfg(test)]
mod tests {
    use reqwest::header::CONTENT_TYPE;

    use super::*;

    fn secrets(secret: &str) -> Secrets {
        let mut secrets = Secrets::default();
        secrets.add(Some(secret));
        secrets
    }

    #[test]
    fn secrets_are_found_in_every_encoding() {
        let secrets = secrets("Ab/Cd+\"Ef=");
        for form in [
            "Ab/Cd+\"Ef=",
            r#"Ab/Cd+\"Ef="#,
            "Ab%2FCd%2B%22Ef%3D",
            "Ab%2fCd%2b%22Ef%3d",
            "Ab%252FCd%252B%2522Ef%253D",
            "Ab%252fCd%252b%2522Ef%253d",
        ] {
            assert_eq!(secrets.redact(&format!("is <{form}>")), "is <[redacted]>", "{form}");
        }
    }

    #[test]
    fn the_time_of_an_answer_from_a_cache_is_when_it_arrives() {
        let time = |age: Option<&'static str>| {
            let mut headers = HeaderMap::new();
            headers.insert(DATE, HeaderValue::from_static("Fri, 02 Jan 2026 03:04:05 GMT"));
            headers.extend(age.map(|age| (AGE, HeaderValue::from_static(age))));
            Answer::new(StatusCode::OK, headers, "", Secrets::default()).date().unwrap().to_string()
        };
        assert_eq!(time(None), "2026-01-02T03:04:05Z");
        assert_eq!(time(Some("3000")), "2026-01-02T03:54:05Z");
        assert_eq!(time(Some("soon")), "2026-01-02T03:04:05Z");
    }

    #[test]
    fn a_secret_does_not_come_back_as_a_media_type() {
        let what = |value: &'static str, secret| {
            let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(value))]);
            let answer = Answer::new(StatusCode::OK, headers, "page", secrets(secret));
            answer.not_understood("JSON").message().to_owned()
        };
        assert_eq!(
            what("text/html; charset=x", "other-secret"),
            "answered 200 with 4 bytes of text/html instead of JSON"
        );
        for (value, secret) in
            [("t0p/s3cr3t", "t0p/s3cr3t"), ("text/at0p/s3cr3t", "t0p/s3cr3t"), ("t0p/s3;cr3t", "t0p/s3;cr3t")]
        {
            assert_eq!(what(value, secret), "answered 200 with 4 bytes of no known type instead of JSON");
        }
    }
}
