//! `record-callback trigger`: a callback as a cloud sends it.

use std::sync::Arc;

use record_callback::{Error, ErrorKind, EventKind, SigningKey};
use record_callback_mock::{
    AliyunEvent, AliyunSender, DeliveryReport, HuaweicloudEvent, HuaweicloudSender, SignType,
};
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::signing_key;
use crate::args::{SchemeName, TriggerArguments, VendorName};
use crate::failure::Failure;
use crate::output;

const CODE: &str = "MockFailure";
/// So much of an answer is repeated.
const MAX_BODY: usize = 300;
const MESSAGE: &str = "the mock was told to fail";

#[derive(Serialize, Default)]
struct Report {
    sent: u32,
    acknowledged: u32,
    attempts: usize,
    /// What came back for those that were not acknowledged, without repetitions.
    problems: Vec<String>,
    /// Of the first of them, if there was an answer.
    #[serde(skip)]
    status: Option<u16>,
    /// The error's word in it.
    #[serde(skip)]
    word: Option<String>,
}

/// Advice on an answer that acknowledges nothing, by its status and the word our receiver has in its body.
fn advice(status: Option<u16>, word: Option<&str>) -> &'static str {
    match (status, word) {
        (_, Some("not_signed")) => {
            "the receiver wants a signature: send with the key of its source (`--key-env`)"
        }
        (_, Some("stale")) => {
            "the signed time is too far from the receiver's: check the clocks here and there, and `tolerance_seconds`"
        }
        (_, Some("malformed" | "broken")) => {
            "the receiver cannot read the callback: check that the vendor is that of its source"
        }
        (_, Some("not_understood")) => {
            "the receiver kept the event and does not know it: send another, or set `not_understood` of its source"
        }
        (_, Some("too_large")) => "the callback is longer than the receiver's limit `body_bytes`",
        (_, Some("too_slow")) => "the callback took longer than the receiver's `body_timeout_seconds`",
        (_, Some("overloaded")) => "the receiver has too much to do: send fewer together, or try again later",
        (_, Some("full")) => "the receiver's sink is full: its consumers have to take events",
        (_, Some("unavailable")) => "the receiver's sink fails: look at the receiver's log and at `/readyz`",
        (_, Some("closed")) => "the receiver is about to stop: try again once it is back",
        (None, _) => {
            "check that `--to` is a whole URL (`http://host:port/path`), and that the receiver is running there"
        }
        (Some(401 | 403), _) => {
            "the receiver does not take the signature: send with the key and the scheme of its source (`--key-env`, \
             `--sign`); what Aliyun sends is signed with the host of `--to`, too; `record-callback explain` on the \
             receiver's side says what is wrong"
        }
        (Some(404 | 405), _) => {
            "no callbacks are taken at that path: compare it with the sources of the receiver"
        }
        (Some(408), _) => "the receiver waited too long for the callback: look at the network between",
        (Some(413), _) => "the callback is too long for the receiver",
        (Some(500..), _) => "the receiver cannot keep events now: look at its log",
        (Some(_), _) => "the receiver took offence at the callback: look at its log",
    }
}

/// The word of `{"error":"…"}`, if that is what an answer says.
fn error_word(body: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Refusal {
        error: String,
    }
    let word = serde_json::from_str::<Refusal>(body).ok()?.error;
    let is_word = word.len() <= 32 && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    is_word.then_some(word)
}

pub(crate) async fn run(arguments: TriggerArguments) -> Result<(), Failure> {
    let sender = Sender::new(&arguments)?;
    let places = Arc::new(Semaphore::new(arguments.concurrency.max(1) as usize));
    let mut running = JoinSet::new();
    let mut report = Report::default();
    for number in 1..=arguments.count {
        let stream = match arguments.count {
            1 => arguments.stream.clone(),
            _ => format!("{}-{number}", arguments.stream),
        };
        let callback = sender.callback(&arguments, &stream)?;
        let place = Arc::clone(&places).acquire_owned().await;
        running.spawn(async move {
            let delivered = callback.send().await;
            drop(place);
            delivered
        });
        while let Some(delivered) = running.try_join_next() {
            report.add(&delivered.map_err(std::io::Error::from)?);
        }
    }
    while let Some(delivered) = running.join_next().await {
        report.add(&delivered.map_err(std::io::Error::from)?);
    }
    output::print(arguments.output.output, &report, text)?;
    if report.acknowledged < report.sent {
        let failed = report.sent - report.acknowledged;
        let first = report.problems.first().map(|problem| format!(": {problem}")).unwrap_or_default();
        return Err(Failure::Refused {
            problem: format!("{failed} of {} callbacks were not acknowledged{first}", report.sent),
            hint: advice(report.status, report.word.as_deref()).to_owned(),
        });
    }
    Ok(())
}

impl Report {
    fn add(&mut self, delivered: &DeliveryReport) {
        self.sent += 1;
        self.attempts += delivered.attempts.len();
        if delivered.is_acknowledged() {
            self.acknowledged += 1;
            return;
        }
        let problem = delivered.last().map(|last| match (&last.problem, last.status) {
            (Some(problem), _) => problem.clone(),
            (None, Some(status)) => {
                let body = || last.body.trim().chars().take(MAX_BODY).collect();
                format!("status {status}: {}", error_word(&last.body).unwrap_or_else(body))
            }
            (None, None) => "no answer".to_owned(),
        });
        if self.problems.is_empty() {
            self.status = delivered.last().and_then(|last| last.status);
            self.word = delivered.last().and_then(|last| error_word(&last.body));
        }
        self.problems.extend(problem.filter(|problem| !self.problems.contains(problem)));
    }
}

fn text(report: &Report) -> String {
    let Report { sent, acknowledged, attempts, problems, .. } = report;
    let mut lines = vec![format!("{sent} sent, {acknowledged} acknowledged, {attempts} attempts")];
    lines.extend(problems.iter().map(|problem| format!("problem: {}", output::escaped(problem))));
    lines.join("\n")
}

/// A cloud to send as; clones of senders share their connections.
enum Sender {
    Aliyun(AliyunSender),
    Huaweicloud(HuaweicloudSender),
}

enum Callback {
    Aliyun(AliyunSender, AliyunEvent),
    Huaweicloud(HuaweicloudSender, HuaweicloudEvent),
}

impl Sender {
    fn new(arguments: &TriggerArguments) -> Result<Self, Error> {
        let key = arguments.key_env.as_deref().map(signing_key).transpose()?;
        let key = key.as_ref().map(SigningKey::expose);
        Ok(match (arguments.vendor, arguments.sign) {
            (VendorName::Aliyun, Some(SchemeName::HmacSha256)) => {
                return Err(Error::new(ErrorKind::Unsupported, "aliyun signs callbacks with md5 only"));
            }
            (VendorName::Aliyun, _) => {
                let sender = AliyunSender::new(&arguments.to);
                Self::Aliyun(key.into_iter().fold(sender, AliyunSender::key))
            }
            (VendorName::Huaweicloud, sign) => {
                let sender = HuaweicloudSender::new(&arguments.to).sign_type(match sign {
                    Some(SchemeName::Md5) => SignType::Md5,
                    _ => SignType::HmacSha256,
                });
                Self::Huaweicloud(key.into_iter().fold(sender, HuaweicloudSender::key))
            }
        })
    }

    fn callback(&self, arguments: &TriggerArguments, stream: &str) -> Result<Callback, Error> {
        let (domain, app) = (arguments.domain.as_str(), arguments.app.as_str());
        let callback = match self {
            Self::Aliyun(sender) => aliyun_event(&arguments.event, domain, app, stream)
                .map(|event| Callback::Aliyun(sender.clone(), event)),
            Self::Huaweicloud(sender) => huaweicloud_event(&arguments.event, domain, app, stream)
                .map(|event| Callback::Huaweicloud(sender.clone(), event)),
        };
        callback.ok_or_else(|| {
            Error::new(ErrorKind::Unsupported, format!("this cloud does not send {}", arguments.event))
        })
    }
}

impl Callback {
    async fn send(self) -> DeliveryReport {
        match self {
            Self::Aliyun(sender, event) => sender.send(&event).await,
            Self::Huaweicloud(sender, event) => sender.send(&event).await,
        }
    }
}

fn aliyun_event(kind: &EventKind, domain: &str, app: &str, stream: &str) -> Option<AliyunEvent> {
    Some(match kind {
        EventKind::FileCompleted => AliyunEvent::file(domain, app, stream),
        EventKind::RecordingStarted => AliyunEvent::record_started(domain, app, stream),
        EventKind::RecordingPaused => AliyunEvent::record_paused(domain, app, stream),
        EventKind::RecordingResumed => AliyunEvent::record_resumed(domain, app, stream),
        EventKind::RecordingFailed => AliyunEvent::record_error(domain, app, stream, CODE, MESSAGE),
        EventKind::TranscodeFailed => AliyunEvent::transformat_error(domain, app, stream, CODE, MESSAGE),
        EventKind::Vendor(name) => AliyunEvent::status(name, domain, app, stream),
        _ => return None,
    })
}

fn huaweicloud_event(kind: &EventKind, domain: &str, app: &str, stream: &str) -> Option<HuaweicloudEvent> {
    Some(match kind {
        EventKind::FileStarted => HuaweicloudEvent::record_new_file_start(domain, app, stream),
        EventKind::FileCompleted => HuaweicloudEvent::record_file_complete(domain, app, stream),
        EventKind::RecordingStarted => HuaweicloudEvent::record_start(domain, app, stream),
        EventKind::RecordingEnded => HuaweicloudEvent::record_over(domain, app, stream),
        EventKind::RecordingFailed => HuaweicloudEvent::record_failed(domain, app, stream, MESSAGE),
        EventKind::Vendor(name) => {
            HuaweicloudEvent::record_over(domain, app, stream).with("event_type", name.as_str())
        }
        _ => return None,
    })
}
