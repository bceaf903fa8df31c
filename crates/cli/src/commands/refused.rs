//! `record-callback events --refused`

use std::io::{self, Write};
use std::net::IpAddr;
use std::path::Path;

use record_callback::Timestamp;
use record_callback::receiver::{RefusedDelivery, RefusedLog};
use serde::Serialize;

use crate::args::Format;
use crate::failure::Failure;
use crate::output;
use crate::receiver_file::beside;

/// So much of an id tells deliveries apart.
const SHORT_ID: usize = 12;
const HEADER: [&str; 7] = ["REFUSED", "RECEIVED", "FROM", "SOURCE", "STATUS", "REASON", "DETAIL"];

/// A refused delivery without what may hold a signature: the values of headers, and the body.
#[derive(Serialize)]
pub(crate) struct Shown<'a> {
    id: &'a str,
    received_at: Timestamp,
    source: Option<&'a str>,
    sender: Option<IpAddr>,
    method: &'a str,
    path: &'a str,
    status: u16,
    reason: &'a str,
    problem: &'a str,
    took_us: u64,
    headers: Vec<&'a str>,
    body_bytes: usize,
}

impl<'a> From<&'a RefusedDelivery> for Shown<'a> {
    fn from(refused: &'a RefusedDelivery) -> Self {
        Self {
            id: &refused.id,
            received_at: refused.received_at,
            source: refused.source.as_deref(),
            sender: refused.sender,
            method: &refused.method,
            path: &refused.path,
            status: refused.status,
            reason: &refused.reason,
            problem: &refused.problem,
            took_us: refused.took_us,
            headers: refused.headers.iter().map(|(name, _)| name.as_str()).collect(),
            body_bytes: refused.body.as_bytes().len(),
        }
    }
}

/// Prints the last `limit` refused deliveries of the log beside `inbox`, or of `log`.
pub(super) fn list(
    inbox: &Path,
    log: Option<&Path>,
    limit: Option<u64>,
    format: Format,
) -> Result<(), Failure> {
    let deliveries = read(log.unwrap_or(&beside(inbox)))?;
    let limit = limit.map_or(usize::MAX, |limit| limit.try_into().unwrap_or(usize::MAX));
    let deliveries = &deliveries[deliveries.len().saturating_sub(limit)..];
    let mut stdout = io::stdout().lock();
    match format {
        Format::Json => {
            for delivery in deliveries {
                writeln!(stdout, "{}", output::json(&Shown::from(delivery))?)?;
            }
        }
        Format::Text => writeln!(stdout, "{}", output::table(&HEADER, deliveries.iter().map(row)))?,
    }
    Ok(stdout.flush()?)
}

/// The deliveries of a log. One that is not there has none.
pub(super) fn read(log: &Path) -> io::Result<Vec<RefusedDelivery>> {
    match RefusedLog::read(log) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        read => read.map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", log.display()))),
    }
}

fn row(refused: &RefusedDelivery) -> [String; 7] {
    let detail = match (&refused.source, refused.problem.is_empty()) {
        (None, _) => refused.path.as_str(),
        (Some(_), false) => &refused.problem,
        (Some(_), true) => "",
    };
    [
        refused.id.chars().take(SHORT_ID).collect(),
        refused.received_at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        refused.sender.map_or("-".to_owned(), |sender| sender.to_string()),
        refused.source.clone().unwrap_or("-".to_owned()),
        refused.status.to_string(),
        refused.reason.clone(),
        detail.to_owned(),
    ]
}
