//! `record-callback explain`: why a delivery was taken or refused.

use std::fmt::Write;

use bytes::Bytes;
use http::HeaderMap;
use record_callback::receiver::{EventRecord, InboxEvent, InboxReader, RefusedDelivery, Source, explain};
use record_callback::{Delivery, Error, ErrorKind, Explanation, Outcome, Standing};
use serde::Serialize;

use super::refused;
use crate::args::ExplainArguments;
use crate::failure::Failure;
use crate::output::{self, escaped};
use crate::receiver_file::ReceiverFile;

/// The letters it takes to name a refused delivery. Less is the number of an event.
const SHORTEST_ID: usize = 8;

#[derive(Serialize)]
struct Report<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    refused: Option<refused::Shown<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kept: Option<KeptEvent<'a>>,
    /// `None` where the source or the headers are not there any more.
    explanation: Option<&'a Explanation>,
}

/// The record of a kept event.
#[derive(Serialize)]
struct KeptEvent<'a> {
    sequence: u64,
    source: &'a str,
    key: Option<&'a str>,
    signature_reused: bool,
    assurance: record_callback::Assurance,
}

pub(crate) async fn run(arguments: ExplainArguments) -> Result<(), Failure> {
    let file = ReceiverFile::read(&arguments.config)?;
    let sources = file.sources()?;
    let format = arguments.output.output;
    let log = file.refused_path().map(|path| refused::read(&path)).transpose()?.unwrap_or_default();
    let is_id = arguments.id.len() >= SHORTEST_ID;
    let mut matching = log.iter().filter(|refused| is_id && refused.id.starts_with(&arguments.id));
    if let Some(refused) = matching.next_back() {
        if matching.next().is_some() {
            return Err(Failure::Misused {
                problem: format!("the ids of several deliveries begin with `{}`", escaped(&arguments.id)),
                hint: "give more of it: `events --refused --output json` shows whole ids".to_owned(),
            });
        }
        let explanation = explain_refused(&sources, refused);
        let report = Report { refused: Some(refused.into()), kept: None, explanation: explanation.as_ref() };
        output::print(format, &report, |_| refused_text(refused, explanation.as_ref()))?;
        return Ok(());
    }
    if let (Ok(sequence @ 1..), Some(inbox)) = (arguments.id.parse::<u64>(), file.inbox()) {
        let events = InboxReader::open(inbox)?.read_after(sequence - 1, 1).await?;
        if let Some(InboxEvent { record, .. }) = events.iter().find(|event| event.sequence == sequence) {
            let explanation = explain_kept(&sources, record);
            let kept = KeptEvent {
                sequence,
                source: &record.source,
                key: record.key.as_deref(),
                signature_reused: record.signature_reused,
                assurance: record.assurance,
            };
            let report = Report { refused: None, kept: Some(kept), explanation: explanation.as_ref() };
            output::print(format, &report, |_| kept_text(sequence, record, explanation.as_ref()))?;
            return Ok(());
        }
    }
    Err(Failure::Advised {
        error: Error::new(ErrorKind::NotFound, format!("there is no delivery `{}`", escaped(&arguments.id))),
        hint: "list them: `record-callback events --inbox FILE`, and the same with `--refused`".to_owned(),
    })
}

/// `None` when no source it was for is there, and for questions, which have no body to verify.
fn explain_refused(sources: &[Source], refused: &RefusedDelivery) -> Option<Explanation> {
    let name = refused.source.as_deref().filter(|_| refused.method == "POST")?;
    refused.replayed(|delivery| explain(sources, name, delivery, &[]))
}

/// Explains a kept event by its body; `None` when the signature was in the headers, which are not kept.
fn explain_kept(sources: &[Source], record: &EventRecord) -> Option<Explanation> {
    let body = Bytes::copy_from_slice(record.event.raw.as_bytes());
    let delivery = Delivery { headers: &HeaderMap::new(), body: &body, received_at: record.received_at };
    let explanation = explain(sources, &record.source, &delivery, &[])?;
    let is_in_headers = explanation
        .steps
        .iter()
        .any(|step| step.condition == "it is signed" && step.outcome == Outcome::Failed);
    (!is_in_headers).then_some(explanation)
}

fn refused_text(refused: &RefusedDelivery, explanation: Option<&Explanation>) -> String {
    let RefusedDelivery { id, received_at, status, reason, path, .. } = refused;
    let to = match &refused.source {
        Some(source) => format!("source {source}"),
        None => format!("{path}, where no source is"),
    };
    let mut text =
        format!("{}: to {}, at {received_at}: {status} {}\n", escaped(id), escaped(&to), escaped(reason));
    if !refused.problem.is_empty() {
        let _ = writeln!(text, "{}", escaped(&refused.problem));
    }
    match explanation {
        Some(explanation) => text + &steps(explanation),
        None => text,
    }
}

fn kept_text(sequence: u64, record: &EventRecord, explanation: Option<&Explanation>) -> String {
    let source = escaped(&record.source);
    let mut text = format!("{sequence}: to source {source}, at {}: kept\n", record.received_at);
    let _ = writeln!(text, "proven: {}", escaped(&output::proven(&record.assurance)));
    if let Some(key) = &record.key {
        let _ = writeln!(text, "signed by: {}", escaped(key));
    }
    if let Some(at) = record.assurance.signed_at {
        let _ = writeln!(text, "signed at: {at}");
    }
    if record.signature_reused {
        text.push_str("its signature came before, with another body\n");
    }
    if let Some(sequence) = &record.conflicts_with {
        let _ = writeln!(text, "it contradicts event {}", escaped(sequence));
    }
    match explanation {
        Some(explanation) => text + "with the keys of now:\n" + &steps(explanation),
        None => text + "its headers, which had the signature, are not kept: it cannot be verified again\n",
    }
}

fn steps(explanation: &Explanation) -> String {
    let mut text = String::new();
    for step in &explanation.steps {
        let mark = match step.outcome {
            Outcome::Passed => "yes",
            Outcome::Failed => "NO",
            Outcome::NotReached => "-",
        };
        let line = format!("  {mark:<4}{:<24}{}", step.condition, escaped(&step.detail));
        let _ = writeln!(text, "{}", line.trim_end());
    }
    if !explanation.signed_text.is_empty() {
        text.push_str("what is signed, in this order:\n");
        for part in &explanation.signed_text {
            let standing = match part.standing {
                Standing::Proven => "proven",
                Standing::Joined => "joined",
                Standing::Key => "secret",
            };
            let shown = part.text.as_deref().map(escaped).unwrap_or_default();
            let line = format!("  {:<8}{:<16}{shown}", standing, part.field);
            let _ = writeln!(text, "{}", line.trim_end());
        }
        if explanation.signed_text.iter().any(|part| part.standing == Standing::Joined) {
            text.push_str("(joined: where one ends and the next begins is not proven)\n");
        }
    }
    if !explanation.is_taken() {
        match &*explanation.one_change {
            [] => text.push_str("no single change that was tried would have made it right\n"),
            changes => {
                text.push_str("one change would have made it right:\n");
                for change in changes {
                    let _ = writeln!(text, "  {}: {}", escaped(change), change.advice());
                }
            }
        }
    }
    text
}
