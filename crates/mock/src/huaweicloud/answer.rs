//! Answers as JSON, with the headers every answer has.

use axum::http::StatusCode;
use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

use super::error::ApiError;
use crate::{field_order::FieldOrder, server::Answer};

/// Writes a success of either service, or an answer of IAM, which has its own shape of errors.
pub(super) fn write(status: StatusCode, body: Option<&Value>, order: FieldOrder, now: Timestamp) -> Answer {
    with_request_id(status, body, order, Uuid::new_v4(), now)
}

/// Writes an error of the Live service or the gateway.
pub(super) fn write_error(error: &ApiError, order: FieldOrder, now: Timestamp) -> Answer {
    let id = Uuid::new_v4();
    let mut body = json!({ "error_code": error.code, "error_msg": error.message });
    if error.from_gateway {
        body["request_id"] = json!(id.simple().to_string());
    }
    let mut answer = with_request_id(error.status, Some(&body), order, id, now);
    answer.code = Some(error.code.to_owned());
    if error.from_gateway { answer.header("server", "api-gateway") } else { answer }
}

/// Writes an error of IAM or of metadata, which have one shape.
pub(super) fn refuse(status: StatusCode, message: &str, now: Timestamp) -> Answer {
    let title = status.canonical_reason().unwrap_or_default();
    let body = json!({ "error": { "code": status.as_u16(), "message": message, "title": title } });
    let mut answer = write(status, Some(&body), FieldOrder::Fixed, now);
    answer.code = Some(status.as_u16().to_string());
    answer
}

fn with_request_id(
    status: StatusCode,
    body: Option<&Value>,
    order: FieldOrder,
    id: Uuid,
    now: Timestamp,
) -> Answer {
    let answer = match body {
        Some(body) => Answer::with_body(status, "application/json", order.json(body)),
        None => Answer::empty(status),
    };
    answer.header("x-request-id", &format!("{id}-{}-record-callback-mock", now.as_millisecond()))
}
