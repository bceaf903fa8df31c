//! One request and its answer, or what a fault makes of them.

use std::{io, sync::Arc};

use axum::http::{Request, Response, StatusCode, request::Parts};
use http_body_util::{BodyExt, Collected, Limited};
use hyper::body::{Bytes, Incoming};
use tokio::sync::watch;
use tracing::info;

use super::{Answer, Service};
use crate::{
    faults::{Fault, FaultKind, Faults, FaultyBody, Wire},
    recorded::{RawRequest, ReceivedRequest, RequestLog},
};

const BODY_LIMIT: usize = 1024 * 1024;

/// What the exchanges of a listener share.
pub(super) struct Exchange<S> {
    pub(super) service: Arc<S>,
    pub(super) log: RequestLog,
    pub(super) faults: Faults,
    /// Changes when the listener stops.
    pub(super) stopping: watch::Receiver<()>,
}

/// An error ends the connection.
type Outcome = io::Result<Response<FaultyBody>>;

impl<S: Service> Exchange<S> {
    pub(super) async fn serve(&self, request: Request<Incoming>, wire: Wire) -> Outcome {
        let (head, body) = request.into_parts();
        let unread = || raw(&head, Bytes::new());
        if let Some(fault) = self.faults.of_head(|| self.service.operation(&unread())) {
            let unread = unread();
            let operation = self.service.operation(&unread);
            self.record(Arc::new(unread), operation, None, None, Some(&fault));
            return reset(&wire);
        }
        let body = Limited::new(body, BODY_LIMIT).collect().await.map(Collected::to_bytes);
        let request = Arc::new(raw(&head, body.as_ref().cloned().unwrap_or_default()));
        let fault = self.faults.of_request(|| self.service.operation(&request));
        let carried_out = fault.as_ref().is_none_or(Fault::carries_out);
        let answer = match (&body, &fault) {
            // A limit of the mock; both clouds allow more.
            (Err(_), _) => {
                Answer::with_body(StatusCode::PAYLOAD_TOO_LARGE, "text/plain", "the body is over 1 MiB")
            }
            (Ok(_), Some(fault)) if !carried_out => match fault.kind.refusal() {
                Some(refusal) => self.service.refuse(&request, refusal),
                None => Answer::empty(StatusCode::OK),
            },
            (Ok(_), _) => self.service.answer(&request),
        };
        self.finish(request, answer, fault.as_ref(), &wire).await
    }

    async fn finish(
        &self,
        request: Arc<RawRequest>,
        answer: Answer,
        fault: Option<&Fault>,
        wire: &Wire,
    ) -> Outcome {
        let operation = answer.operation.or_else(|| self.service.operation(&request));
        let answer = match fault {
            Some(fault) => afflicted(answer, &fault.kind, &request),
            None => Some(answer),
        };
        let kind = fault.map(|fault| &fault.kind);
        let status = answer.as_ref().map(|answer| answer.status);
        let code = answer.as_ref().and_then(|answer| answer.code.clone());
        self.record(request, operation, status, code, fault);
        let Some(answer) = answer else {
            return match kind {
                Some(FaultKind::Stall) => self.stall().await,
                Some(FaultKind::CloseInAnswer) => Err(io::ErrorKind::ConnectionAborted.into()),
                _ => reset(wire),
            };
        };
        match kind {
            Some(FaultKind::ResetInAnswer) => wire.reset_when_closed(),
            Some(FaultKind::Twice) => wire.repeat_answer(answer.body.len()),
            _ => {}
        }
        let answer = answer.dated(self.service.now());
        let mut response = Response::new(FaultyBody::new(answer.body, kind));
        *response.status_mut() = answer.status;
        *response.headers_mut() = answer.headers;
        Ok(response)
    }

    /// Until the listener stops; a client that gives up ends the connection itself.
    async fn stall(&self) -> Outcome {
        let _ = self.stopping.clone().changed().await;
        Err(io::ErrorKind::ConnectionAborted.into())
    }

    fn record(
        &self,
        raw: Arc<RawRequest>,
        operation: Option<&'static str>,
        status: Option<StatusCode>,
        code: Option<String>,
        fault: Option<&Fault>,
    ) {
        let fault = fault.map(|fault| fault.kind.name());
        info!(
            vendor = S::VENDOR,
            operation,
            status = status.map(|status| status.as_u16()),
            code,
            fault,
            "answered"
        );
        self.log.push(ReceivedRequest { raw, operation, status, code, fault });
    }
}

fn raw(head: &Parts, body: Bytes) -> RawRequest {
    RawRequest {
        method: head.method.clone(),
        path: head.uri.path().to_owned(),
        query: head.uri.query().unwrap_or_default().to_owned(),
        headers: head.headers.clone(),
        body,
    }
}

fn reset(wire: &Wire) -> Outcome {
    wire.reset_when_closed();
    Err(io::ErrorKind::ConnectionReset.into())
}

/// What is answered instead of `own`, the cloud's own answer; `None` for nothing at all.
fn afflicted(own: Answer, kind: &FaultKind, request: &RawRequest) -> Option<Answer> {
    let status = |status: u16| StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let whole = own.body.clone();
    match kind {
        FaultKind::Reset | FaultKind::Stall | FaultKind::ResetInRequest => None,
        FaultKind::CloseInAnswer | FaultKind::ResetInAnswer if whole.is_empty() => None,
        FaultKind::Status { status: code, retry_after } => {
            let answer = Answer::empty(status(*code));
            Some(match retry_after {
                Some(value) => answer.header("retry-after", value),
                None => answer,
            })
        }
        FaultKind::Redirect { status: code, location } => {
            let to = format!("{location}{}?{}", request.path, request.query);
            Some(Answer::empty(status(*code)).header("location", &to))
        }
        FaultKind::Page { status: code } => {
            let page = "<!DOCTYPE html>\n<html><head><title>Sorry</title></head><body>Please try later.</body></html>\n";
            Some(Answer::with_body(status(*code), "text/html; charset=utf-8", page))
        }
        FaultKind::Large { bytes } => {
            Some(Answer::with_body(StatusCode::OK, "application/json", vec![b' '; *bytes]))
        }
        FaultKind::Truncate => Some(Answer { body: whole.slice(..whole.len() / 2), ..own }),
        FaultKind::Garble => Some(Answer { body: [&whole[..], b"}"].concat().into(), ..own }),
        FaultKind::MediaType { media_type } => Some(own.header("content-type", media_type)),
        FaultKind::Throttled
        | FaultKind::Denied
        | FaultKind::Unavailable
        | FaultKind::TokenExpired
        | FaultKind::CloseInAnswer
        | FaultKind::ResetInAnswer
        | FaultKind::Drip { .. }
        | FaultKind::Twice => Some(own),
    }
}
