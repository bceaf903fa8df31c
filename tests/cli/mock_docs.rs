//! `docs/mock.md` says what the mock clouds do: its tables are those of the code, its examples are understood.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::net::TcpStream;

use record_callback_mock::{AliyunDialect, Dialect, Fault, FaultKind, HuaweicloudDialect, Question};
use serde_json::{Value, json};

use crate::clouds::MockProcess;
use crate::markdown::{Block, blocks, tables};

const DOCUMENT: &str = include_str!("../../docs/mock.md");
const ADMIN_CODE: &str = include_str!("../../crates/mock/src/admin.rs");

/// What stands below a heading, up to the next of its level or above.
#[track_caller]
fn section(heading: &str) -> String {
    let level = |line: &str| line.bytes().take_while(|byte| *byte == b'#').count();
    let mut lines = DOCUMENT.lines().skip_while(|line| *line != heading);
    assert!(lines.next().is_some(), "no heading `{heading}`");
    let mut in_block = false;
    let goes_on = |line: &&str| {
        in_block ^= line.starts_with("```");
        in_block || !(1..=level(heading)).contains(&level(line))
    };
    lines.take_while(goes_on).collect::<Vec<_>>().join("\n")
}

/// The JSON examples of a section.
fn examples(heading: &str) -> Vec<Value> {
    let blocks = blocks(&section(heading));
    let json = blocks.iter().filter(|block| block.language == "json");
    json.map(|block| serde_json::from_str(&block.text).unwrap_or_else(|error| panic!("{error} in {block:?}")))
        .collect()
}

/// The rows of a table of a section, by its header's first cell.
#[track_caller]
fn rows(heading: &str, first: &str) -> Vec<Vec<String>> {
    let table = tables(&section(heading)).into_iter().find(|table| table.header[0] == first);
    table.unwrap_or_else(|| panic!("no table of `{first}` below `{heading}`")).rows
}

/// The words in back ticks.
fn names(cell: &str) -> BTreeSet<String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

fn keys(object: &Value) -> BTreeSet<String> {
    object.as_object().expect("an object").keys().cloned().collect()
}

/// Text that Markdown shows as it is; what is in back ticks it does.
fn escaped(text: &str) -> String {
    let part = |(index, part): (usize, &str)| {
        if index % 2 == 1 { format!("`{part}`") } else { part.replace('*', r"\*").replace('<', r"\<") }
    };
    text.split('`').enumerate().map(part).collect::<String>().replace('|', r"\|")
}

/// The table of a dialect's questions as it has to be.
fn rendered<D: Dialect>() -> String {
    let header =
        ["| Name | Question | Readings | What speaks for which |", "|---|---|---|---|"].map(str::to_owned);
    let row = |question: &Question<D>| {
        let readings: Vec<_> =
            question.readings.iter().map(|reading| format!("`{}`", reading.name)).collect();
        let [asked, sources] = [question.question, question.sources].map(escaped);
        format!("| `{}` | {asked} | {} | {sources} |", question.name, readings.join(", "))
    };
    header.into_iter().chain(D::questions().iter().map(row)).collect::<Vec<_>>().join("\n")
}

#[track_caller]
fn assert_questions<D: Dialect>(heading: &str) {
    let section = section(heading);
    let documented = section.lines().filter(|line| line.starts_with('|')).collect::<Vec<_>>().join("\n");
    let expected = rendered::<D>();
    assert!(
        documented == expected,
        "below `{heading}` has to stand\n\n{expected}\n\ninstead of\n\n{documented}"
    );
}

#[test]
fn the_tables_of_questions_are_those_of_the_dialects() {
    assert_questions::<AliyunDialect>("### Questions about Aliyun");
    assert_questions::<HuaweicloudDialect>("### Questions about Huawei Cloud");
}

#[test]
fn the_ready_line_has_the_documented_fields() {
    let example = examples("## Start").pop().expect("an example of the ready line");
    let fields = |line: &Value| -> BTreeMap<String, BTreeSet<String>> {
        let parts = line.as_object().expect("an object").iter();
        let below = |part: &Value| part.as_object().map(|_| keys(part)).unwrap_or_default();
        parts.map(|(name, part)| (name.clone(), below(part))).collect()
    };
    let mock = MockProcess::start(&["--admin-addr", "127.0.0.1:0"]);
    let printed: Value = serde_json::from_str(mock.ready_line()).expect("JSON");
    assert_eq!(fields(&example), fields(&printed));
}

const KINDS: usize = 18;

/// Where a kind stands in the document. A new kind, or a new field of one, does not compile: write about it, and count
/// it in [`KINDS`].
fn position(kind: &FaultKind) -> usize {
    match kind {
        FaultKind::Reset => 0,
        FaultKind::Stall => 1,
        FaultKind::Status { status: _, retry_after: _ } => 2,
        FaultKind::Redirect { status: _, location: _ } => 3,
        FaultKind::Page { status: _ } => 4,
        FaultKind::Large { bytes: _ } => 5,
        FaultKind::Throttled => 6,
        FaultKind::Denied => 7,
        FaultKind::Unavailable => 8,
        FaultKind::TokenExpired => 9,
        FaultKind::ResetInRequest => 10,
        FaultKind::CloseInAnswer => 11,
        FaultKind::ResetInAnswer => 12,
        FaultKind::Drip { pause_ms: _ } => 13,
        FaultKind::Truncate => 14,
        FaultKind::Garble => 15,
        FaultKind::MediaType { media_type: _ } => 16,
        FaultKind::Twice => 17,
    }
}

#[test]
fn every_kind_of_fault_has_an_example_and_a_row_with_its_fields() {
    let examples = examples("## Faults");
    let [Value::Array(kinds), more @ ..] = &examples[..] else { panic!("a list first: {examples:?}") };
    let rows = rows("## Faults", "`fault`");
    assert_eq!((kinds.len(), rows.len()), (KINDS, KINDS));
    for (index, (example, row)) in kinds.iter().zip(rows).enumerate() {
        let fault: Fault =
            serde_json::from_value(example.clone()).unwrap_or_else(|error| panic!("{error}: {example}"));
        assert_eq!(position(&fault.kind), index, "{example}");
        // Back to JSON, all that it was: a field that nobody knows would be gone, one that is missing would be there.
        assert_eq!(json!(fault.kind), *example);
        assert_eq!(row[0], format!("`{}`", fault.kind.name()));
        let mut documented = names(&row[1]);
        documented.insert("fault".to_owned());
        assert_eq!(documented, keys(example), "{example}");
    }
    for example in more {
        let fault: Fault =
            serde_json::from_value(example.clone()).unwrap_or_else(|error| panic!("{error}: {example}"));
        assert_eq!(json!(fault), *example);
    }
}

#[test]
fn the_fields_of_every_fault_are_documented_with_their_defaults() {
    let default: Fault = serde_json::from_str(r#"{"fault":"reset"}"#).expect("a fault");
    let mut expected = json!(default.operation("any"));
    expected.as_object_mut().expect("an object").remove("fault");
    let rows = rows("## Faults", "Field");
    assert_eq!(rows.iter().flat_map(|row| names(&row[0])).collect::<BTreeSet<_>>(), keys(&expected));
    for row in rows {
        let name = row[0].trim_matches('`');
        let documented = row[1].trim_matches('`').trim_matches('"').to_owned();
        let value = match &expected[name] {
            Value::String(text) => text.clone(),
            number => number.as_f64().expect("a number").to_string(),
        };
        assert_eq!(documented, value, "{name}");
    }
}

#[test]
fn the_requests_of_the_admin_port_are_those_of_its_code() {
    let code = ADMIN_CODE.lines().filter_map(|line| line.strip_prefix("/// | `")?.split('`').next());
    let documented: Vec<String> =
        rows("## The admin port", "Request").into_iter().map(|row| row[0].clone()).collect();
    assert_eq!(documented, code.map(|request| format!("`{request}`")).collect::<Vec<_>>());
}

/// Sends a request to the admin port of a mock and gives the answer.
fn ask(mock: &MockProcess, method: &str, path: &str, body: &str) -> String {
    let address = mock.ready("/admin/endpoint").trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).expect("the admin port");
    let length = body.len();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
    )
    .expect("it is sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer
}

fn between<'a>(text: &'a str, start: &str, end: &str) -> Option<&'a str> {
    Some(text.split_once(start)?.1.split_once(end)?.0)
}

#[test]
fn the_admin_port_controls_the_documented_listeners() {
    let mock = MockProcess::start(&["--admin-addr", "127.0.0.1:0"]);
    let answer = ask(&mock, "GET", "/", "");
    let body = answer.split_once("\r\n\r\n").expect("a body").1;
    let clouds: Value = serde_json::from_str(body).expect("JSON");
    let clouds = clouds["clouds"].as_array().expect("a list").iter().filter_map(Value::as_str);
    let section = section("## The admin port");
    let listed = between(&section, "`{cloud}` is ", ".\n").expect("the sentence that lists them");
    assert_eq!(names(listed), clouds.map(str::to_owned).collect());
}

#[test]
fn the_sources_of_keys_are_those_of_the_ready_line() {
    let mock = MockProcess::start(&[]);
    for row in rows("## Where keys come from", "Source") {
        let cloud = if row[0].starts_with("Aliyun") { "aliyun" } else { "huaweicloud" };
        let mentioned = names(&row[1..].concat());
        let fields = mentioned.iter().filter(|name| name.chars().all(|c| c.is_ascii_lowercase() || c == '_'));
        let known: Vec<_> =
            fields.inspect(|name| assert_ne!(mock.ready(&format!("/{cloud}/{name}")), "")).collect();
        assert!(!known.is_empty(), "{row:?}");
    }
}

#[test]
fn the_admin_port_understands_the_examples() {
    let mock = MockProcess::start(&["--admin-addr", "127.0.0.1:0"]);
    for example in examples("## Faults") {
        let answer = ask(&mock, "POST", "/aliyun/faults", &example.to_string());
        assert!(answer.starts_with("HTTP/1.1 204 "), "{example}: {answer}");
    }
    let blocks = blocks(&section("## The admin port"));
    let scripts: Vec<&Block> = blocks.iter().filter(|block| block.language == "sh").collect();
    let commands = scripts.iter().flat_map(|script| script.text.split("\ncurl ").skip(1));
    let mut asked = BTreeSet::new();
    for command in commands {
        let command = command.split("\n#").next().unwrap_or_default();
        let body = between(command, "-d '", "'");
        let method = between(command, "-X ", " ").unwrap_or(if body.is_some() { "POST" } else { "GET" });
        let path = between(command, "\"$ADMIN", "\"").expect("a path");
        let answer = ask(&mock, method, path, body.unwrap_or_default());
        assert!(answer.starts_with("HTTP/1.1 20"), "{command}: {answer}");
        asked.insert(format!("{method} {}", path.rsplit('/').next().unwrap_or_default()));
    }
    assert_eq!(asked.len(), 10, "{asked:?}");
}
