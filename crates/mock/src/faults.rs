//! Scripted faults: which exchange goes wrong, when, and how.

mod script;
mod wire;

use serde::{Deserialize, Serialize};

pub use script::Faults;
pub(crate) use wire::{Connection, FaultyBody, Wire};

/// One thing that goes wrong, in the next exchange or in more of them.
///
/// ```
/// use record_callback_mock::{Fault, FaultKind, MockAliyun};
///
/// # async fn example() -> std::io::Result<()> {
/// let mock = MockAliyun::builder().start().await?;
/// // The second `Add` is carried out, and its answer lost.
/// mock.faults().add(Fault::new(FaultKind::Reset).after().operation("AddLiveRecordNotifyConfig").skip(1));
/// # Ok(())
/// # }
/// # tokio::runtime::Runtime::new()?.block_on(example())?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[must_use]
pub struct Fault {
    /// What goes wrong.
    #[serde(flatten)]
    pub kind: FaultKind,
    /// Whether the call is carried out first; only of kinds that leave this open, see [`FaultKind`].
    #[serde(default, rename = "when")]
    pub moment: Moment,
    /// Only calls of this operation, by the vendor's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
    /// How many exchanges it is meant for are left alone first, whatever the rate.
    #[serde(default)]
    pub skip: u32,
    /// How many exchanges it strikes, 1 by default; `None` (`null`) strikes until it is cleared.
    #[serde(default = "once")]
    pub times: Option<u32>,
    /// How likely it strikes, 0 to 1; always by default.
    #[serde(default = "always")]
    pub rate: f64,
}

/// Whether the cloud carries the call out before things go wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Moment {
    /// Nothing was changed.
    #[default]
    Before,
    /// Everything was done, and only the answer suffers.
    After,
}

/// The ways an exchange can go wrong.
///
/// Kinds up to [`Page`](Self::Page) take the place of the answer, before or after the call is carried out. Those up to
/// [`TokenExpired`](Self::TokenExpired) are refusals by the cloud: the call is never carried out. The others are about
/// how the cloud's own answer travels: the call always is. [`ResetInRequest`](Self::ResetInRequest) strikes while the
/// request is being read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "fault", rename_all = "snake_case")]
pub enum FaultKind {
    /// The connection is reset; there is no answer.
    Reset,
    /// There is no answer, and the connection stays open.
    Stall,
    /// An answer from something in between, such as a proxy: a status and nothing of the vendor's in the body.
    Status {
        /// The HTTP status, 200 to 599.
        status: u16,
        /// The value of `Retry-After`, sensible or not.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_after: Option<String>,
    },
    /// Sends the client somewhere else.
    Redirect {
        /// 301, 302, 303, 307 or 308.
        status: u16,
        /// Where to; the path and the query of the request are added.
        location: String,
    },
    /// An HTML page.
    Page {
        /// The HTTP status.
        status: u16,
    },
    /// An answer of this many bytes with status 200.
    Large {
        /// How long the body is, 64 MiB at most.
        bytes: usize,
    },

    /// The cloud refuses because of too many requests, in the words of the dialect.
    Throttled,
    /// The cloud refuses because the caller may not do this, in the words of the dialect.
    Denied,
    /// The cloud says that it failed.
    Unavailable,
    /// The cloud says that the caller's temporary credential is over.
    TokenExpired,

    /// The connection is reset as soon as the head of the request is read.
    ResetInRequest,

    /// The connection is closed halfway through the answer.
    CloseInAnswer,
    /// The connection is reset halfway through the answer.
    ResetInAnswer,
    /// The answer comes a byte at a time.
    Drip {
        /// Between two bytes, in milliseconds.
        pause_ms: u64,
    },
    /// The body is cut in half, the length agrees.
    Truncate,
    /// The body is followed by a closing brace too many.
    Garble,
    /// The body is announced as something it is not.
    MediaType {
        /// The value of `Content-Type`.
        media_type: String,
    },
    /// The whole answer is sent twice on the connection.
    Twice,
}

impl Fault {
    /// A fault of the next exchange, before the call is carried out.
    pub fn new(kind: FaultKind) -> Self {
        Self { kind, moment: Moment::Before, operation: None, skip: 0, times: once(), rate: always() }
    }

    /// Lets the call be carried out first.
    pub fn after(mut self) -> Self {
        self.moment = Moment::After;
        self
    }

    /// Strikes only calls of this operation, by the vendor's name.
    pub fn operation(mut self, name: impl Into<String>) -> Self {
        self.operation = Some(name.into());
        self
    }

    /// Leaves so many exchanges alone first.
    pub fn skip(mut self, exchanges: u32) -> Self {
        self.skip = exchanges;
        self
    }

    /// Strikes so many exchanges.
    pub fn times(mut self, exchanges: u32) -> Self {
        self.times = Some(exchanges);
        self
    }

    /// Strikes until it is cleared.
    pub fn until_cleared(mut self) -> Self {
        self.times = None;
        self
    }

    /// Strikes by chance, `rate` of all exchanges (0 to 1).
    pub fn rate(mut self, rate: f64) -> Self {
        self.rate = rate;
        self
    }
}

#[expect(clippy::unnecessary_wraps, reason = "serde wants the type of the field")]
const fn once() -> Option<u32> {
    Some(1)
}

/// Longer answers would be the mock's own trouble.
const LARGEST: usize = 64 * 1024 * 1024;

const fn always() -> f64 {
    1.0
}

/// What a cloud says when it refuses a call for a reason the mock has no rule for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    Throttled,
    Denied,
    Unavailable,
    TokenExpired,
}

impl FaultKind {
    /// The name in JSON.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Reset => "reset",
            Self::Stall => "stall",
            Self::Status { .. } => "status",
            Self::Redirect { .. } => "redirect",
            Self::Page { .. } => "page",
            Self::Large { .. } => "large",
            Self::Throttled => "throttled",
            Self::Denied => "denied",
            Self::Unavailable => "unavailable",
            Self::TokenExpired => "token_expired",
            Self::ResetInRequest => "reset_in_request",
            Self::CloseInAnswer => "close_in_answer",
            Self::ResetInAnswer => "reset_in_answer",
            Self::Drip { .. } => "drip",
            Self::Truncate => "truncate",
            Self::Garble => "garble",
            Self::MediaType { .. } => "media_type",
            Self::Twice => "twice",
        }
    }

    pub(crate) fn refusal(&self) -> Option<Refusal> {
        match self {
            Self::Throttled => Some(Refusal::Throttled),
            Self::Denied => Some(Refusal::Denied),
            Self::Unavailable => Some(Refusal::Unavailable),
            Self::TokenExpired => Some(Refusal::TokenExpired),
            _ => None,
        }
    }

    /// Whether the cloud's own answer is needed, because it is what suffers.
    fn is_of_the_answer(&self) -> bool {
        matches!(
            self,
            Self::CloseInAnswer
                | Self::ResetInAnswer
                | Self::Drip { .. }
                | Self::Truncate
                | Self::Garble
                | Self::MediaType { .. }
                | Self::Twice
        )
    }
}

impl Fault {
    /// Whether some fault has a field of this name in JSON.
    pub(crate) fn has_field(name: &str) -> bool {
        let of_kinds = ["fault", "status", "retry_after", "location", "bytes", "pause_ms", "media_type"];
        ["when", "operation", "skip", "times", "rate"].contains(&name) || of_kinds.contains(&name)
    }

    /// What no exchange can be struck with.
    pub(crate) fn problem(&self) -> Option<String> {
        let is_status = |status: u16| (200..600).contains(&status);
        match &self.kind {
            FaultKind::Status { status, .. } | FaultKind::Page { status } if !is_status(*status) => {
                Some(format!("status {status} is not 200 to 599"))
            }
            FaultKind::Redirect { status, .. } if !(300..400).contains(status) => {
                Some(format!("status {status} is not 300 to 399"))
            }
            FaultKind::Large { bytes } if *bytes > LARGEST => {
                Some(format!("{bytes} bytes are more than {LARGEST}"))
            }
            _ if !(0.0..=1.0).contains(&self.rate) => Some(format!("rate {} is not 0 to 1", self.rate)),
            _ => None,
        }
    }

    /// Whether the call is carried out, for all that its caller learns.
    pub fn carries_out(&self) -> bool {
        self.kind.is_of_the_answer()
            || (self.moment == Moment::After
                && self.kind.refusal().is_none()
                && self.kind != FaultKind::ResetInRequest)
    }
}
