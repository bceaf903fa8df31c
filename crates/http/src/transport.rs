use std::time::Duration;

use bytes::{Bytes, BytesMut};
use jiff::Timestamp;
use jiff::fmt::rfc2822;
use record_callback_core::{Error, ErrorKind, Result};
use reqwest::header::{HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::{Client, Request, Response, StatusCode};

/// Largest answer that is read: 1 MiB. The largest one the vendors document is a few KiB.
pub const MAX_BODY: usize = 1024 * 1024;

/// A cloud's answer, body included.
#[derive(Debug)]
pub struct Answer {
    /// HTTP status.
    pub status: StatusCode,
    /// Headers.
    pub headers: HeaderMap,
    /// Body, at most [`MAX_BODY`].
    pub body: Bytes,
}

impl Answer {
    /// The value of a header, if it is there and text.
    pub fn header(&self, name: impl AsRef<str>) -> Option<&str> {
        self.headers.get(name.as_ref())?.to_str().ok()
    }

    /// The error for a body that is not what the vendor sends.
    pub fn not_understood(&self, expected: &str) -> Error {
        let what = match self.header("content-type") {
            _ if self.body.is_empty() => "an empty body".to_owned(),
            Some(content_type) => format!("{} bytes of {content_type}", self.body.len()),
            None => format!("{} bytes of no stated type", self.body.len()),
        };
        let message = format!("answered {} with {what} instead of {expected}", self.status.as_u16());
        Error::new(ErrorKind::Protocol, message)
    }

    /// What the status says when the vendor's code says nothing.
    pub fn kind_by_status(&self) -> ErrorKind {
        match self.status.as_u16() {
            401 => ErrorKind::Unauthenticated,
            403 => ErrorKind::PermissionDenied,
            404 => ErrorKind::NotFound,
            408 => ErrorKind::Timeout,
            409 => ErrorKind::AlreadyExists,
            429 => ErrorKind::Throttled,
            400..=499 => ErrorKind::InvalidConfig,
            500..=599 => ErrorKind::Unavailable,
            _ => ErrorKind::Protocol,
        }
    }

    /// The value of a header that counts milliseconds.
    pub fn millis(&self, name: impl AsRef<str>) -> Option<Duration> {
        self.header(name)?.trim().parse().ok().map(Duration::from_millis)
    }

    /// How long the standard `Retry-After` header asks to wait: seconds, or an HTTP date compared
    /// with `now`.
    pub(crate) fn retry_after(&self, now: Timestamp) -> Option<Duration> {
        let value = self.header(RETRY_AFTER)?.trim();
        if let Ok(seconds) = value.parse::<u64>() {
            return Some(Duration::from_secs(seconds));
        }
        let date = rfc2822::parse(value).ok()?.timestamp();
        Some(Duration::try_from(date - now).unwrap_or(Duration::ZERO))
    }
}

/// Longest piece of a cloud's message that goes into an error, in characters.
const MAX_MESSAGE: usize = 300;

/// A cloud's message as an error may show it: cut where the cloud begins to echo the request, which
/// holds secrets, and to a readable length.
pub fn cloud_message(text: &str, echo: &str) -> String {
    let text = text.split(echo).next().unwrap_or_default().trim_end_matches([',', ' ']);
    match text.char_indices().nth(MAX_MESSAGE) {
        _ if text.is_empty() => "refused without a message".to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
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

/// A client that follows no redirect: a signature must not travel to another host.
pub(crate) fn client(loopback: bool) -> Result<Client> {
    let builder = Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(Duration::from_secs(5))
        .user_agent(concat!("record-callback/", env!("CARGO_PKG_VERSION")));
    // A proxy meant for the outside world has no business with this machine.
    let builder = if loopback { builder.no_proxy() } else { builder };
    builder.build().map_err(|source| {
        Error::new(ErrorKind::Unavailable, "the HTTP client could not be set up")
            .with_source(source.without_url())
    })
}

/// Sends one request and reads the whole answer.
///
/// An error says by [`Error::maybe_applied`] whether the request may have reached the cloud.
pub(crate) async fn exchange(client: &Client, request: Request) -> Result<Answer> {
    let response = client.execute(request).await.map_err(failed)?;
    let status = response.status();
    read(response).await.map_err(|error| error.with_status(status.as_u16()))
}

async fn read(mut response: Response) -> Result<Answer> {
    let status = response.status();
    let headers = std::mem::take(response.headers_mut());
    let mut body = response.chunk().await.map_err(failed)?.unwrap_or_default();
    if let Some(next) = response.chunk().await.map_err(failed)? {
        let mut whole = BytesMut::from(body);
        whole.extend_from_slice(&next);
        while let Some(next) = response.chunk().await.map_err(failed)? {
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
    Ok(Answer { status, headers, body })
}

fn too_large() -> Error {
    Error::new(ErrorKind::Protocol, format!("the answer is larger than {MAX_BODY} bytes"))
        .with_maybe_applied()
}

/// Describes a transport failure, without the URL: its query holds the signature.
fn failed(error: reqwest::Error) -> Error {
    let (kind, message) = if error.is_connect() {
        (ErrorKind::Unavailable, "no connection")
    } else if error.is_timeout() {
        (ErrorKind::Timeout, "no answer in time")
    } else if error.is_builder() {
        (ErrorKind::Protocol, "the request could not be built")
    } else {
        (ErrorKind::Unavailable, "the connection broke before the answer was complete")
    };
    let never_sent = error.is_connect() || error.is_builder();
    let described = Error::new(kind, message).with_source(error.without_url());
    if never_sent { described } else { described.with_maybe_applied() }
}
