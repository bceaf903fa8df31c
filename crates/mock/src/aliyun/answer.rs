//! Answers as JSON or XML.

use std::fmt::Write;

use axum::http::StatusCode;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::{error::ApiError, operations::AliyunOperation, request::ApiRequest};
use crate::server::Answer;

/// Writes the outcome of a call the way the call asked for.
pub(super) fn write(request: &ApiRequest<'_>, outcome: Result<Map<String, Value>, ApiError>) -> Answer {
    let request_id = Uuid::new_v4().to_string().to_uppercase();
    let operation = request.action().and_then(AliyunOperation::named).map(AliyunOperation::as_str);
    let (status, code, root, mut body) = match outcome {
        Ok(body) => (StatusCode::OK, None, format!("{}Response", operation.unwrap_or_default()), body),
        Err(error) => {
            let body = error_body(&error, request.raw.header("host"), &request_id);
            (error.status, Some(error.code), "Error".to_owned(), body)
        }
    };
    body.insert("RequestId".to_owned(), json!(request_id));

    let mut answer = if request.wants_json() {
        Answer::with_body(status, "application/json;charset=utf-8", Value::Object(body).to_string())
    } else {
        let mut xml = r#"<?xml version="1.0" encoding="UTF-8"?>"#.to_owned();
        push_xml(&mut xml, &root, &Value::Object(body));
        Answer::with_body(status, "text/xml;charset=utf-8", xml)
    };
    answer.operation = operation;
    answer.code = code;
    answer.header("x-acs-request-id", &request_id)
}

fn error_body(error: &ApiError, host: Option<&str>, request_id: &str) -> Map<String, Value> {
    let mut body = Map::new();
    body.insert("Code".to_owned(), json!(error.code));
    body.insert("Message".to_owned(), json!(error.message));
    body.insert("HostId".to_owned(), json!(host.unwrap_or("live.aliyuncs.com")));
    if error.from_gateway {
        let code = &error.code;
        let link =
            format!("https://api.aliyun.com/troubleshoot?q={code}&product=live&requestId={request_id}");
        body.insert("Recommend".to_owned(), json!(link));
    }
    body
}

/// Writes a value as an element; a list as one element for each item, as the vendor does.
fn push_xml(xml: &mut String, name: &str, value: &Value) {
    if let Value::Array(items) = value {
        for item in items {
            push_xml(xml, name, item);
        }
        return;
    }
    let _ = write!(xml, "<{name}>");
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                push_xml(xml, name, value);
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
        push_xml(&mut xml, "R", &json!({"A": {"B": [1, true]}, "C": "<&>"}));
        assert_eq!(xml, "<R><A><B>1</B><B>true</B></A><C>&lt;&amp;&gt;</C></R>");
    }
}
