//! Answers as JSON or XML.

use std::fmt::Write;

use axum::http::StatusCode;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::{
    dialect::{AliyunDialect, ErrorFormat, RequestIds},
    error::ApiError,
    request::{Api, ApiRequest},
};
use crate::{field_order::FieldOrder, server::Answer};

/// Writes the outcome of a call the way the call asked for. `operation` is the one it asked for, if there is such a one.
pub(super) fn write(
    api: &Api,
    request: &ApiRequest<'_>,
    operation: Option<&'static str>,
    outcome: Result<Map<String, Value>, ApiError>,
    dialect: &AliyunDialect,
) -> Answer {
    let request_id = request_id(dialect.request_ids);
    let mut retry_after = None;
    let (status, code, root, mut body) = match outcome {
        Ok(body) => (StatusCode::OK, None, format!("{}Response", operation.unwrap_or_default()), body),
        Err(error) => {
            retry_after = error.retry_after;
            let body = error_body(api, &error, request.raw.header("host"), &request_id);
            (error.status, Some(error.code), "Error".to_owned(), body)
        }
    };
    let json = request.wants_json() && (code.is_none() || dialect.error_format == ErrorFormat::AsAsked);
    body.insert("RequestId".to_owned(), json!(request_id));

    let (order, body) = (dialect.field_order, Value::Object(body));
    let mut answer = if json {
        Answer::with_body(status, "application/json;charset=utf-8", order.json(&body))
    } else {
        let mut xml = r#"<?xml version="1.0" encoding="UTF-8"?>"#.to_owned();
        push_xml(&mut xml, &root, &body, order);
        Answer::with_body(status, "text/xml;charset=utf-8", xml)
    };
    answer.operation = operation;
    answer.code = code;
    if let Some(wait) = retry_after {
        // Rounded up: who comes back a moment early is throttled again.
        let milliseconds = wait.as_nanos().div_ceil(1_000_000);
        answer = answer.header("x-acs-retry-after", &milliseconds.to_string());
    }
    answer.header("x-acs-request-id", &request_id)
}

fn request_id(form: RequestIds) -> String {
    let mut id = Uuid::new_v4().to_string().to_uppercase();
    if form == RequestIds::Opaque {
        id.pop();
    }
    id
}

fn error_body(api: &Api, error: &ApiError, host: Option<&str>, request_id: &str) -> Map<String, Value> {
    let mut body = Map::new();
    body.insert("Code".to_owned(), json!(error.code));
    body.insert("Message".to_owned(), json!(error.message));
    body.insert("HostId".to_owned(), json!(host.unwrap_or(api.host)));
    if error.from_gateway {
        let (code, product) = (&error.code, api.product);
        let link =
            format!("https://api.aliyun.com/troubleshoot?q={code}&product={product}&requestId={request_id}");
        body.insert("Recommend".to_owned(), json!(link));
    }
    body
}

/// Writes a value as an element; a list as one element for each item, as the vendor does.
fn push_xml(xml: &mut String, name: &str, value: &Value, order: FieldOrder) {
    if let Value::Array(items) = value {
        for item in items {
            push_xml(xml, name, item, order);
        }
        return;
    }
    let _ = write!(xml, "<{name}>");
    match value {
        Value::Object(fields) => {
            for (name, value) in order.of(fields) {
                push_xml(xml, name, value, order);
            }
        }
        Value::String(text) => {
            xml.push_str(&text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;"));
        }
        other => xml.push_str(&other.to_string()),
    }
    let _ = write!(xml, "</{name}>");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn xml_repeats_an_element_for_each_item_of_a_list_and_escapes_text() {
        let mut xml = String::new();
        push_xml(&mut xml, "R", &json!({"A": {"B": [1, true]}, "C": "<&>"}), FieldOrder::Fixed);
        assert_eq!(xml, "<R><A><B>1</B><B>true</B></A><C>&lt;&amp;&gt;</C></R>");
    }
}
