//! What goes wrong, and how calls may end then.

use record_callback::ErrorKind::{
    self, PermissionDenied, Protocol, Throttled, Timeout, Unauthenticated, Unavailable,
};
use record_callback_mock::{Fault, FaultKind};

use super::{Cell, Lasts, Operation, Way};

/// How a call ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Ends {
    /// In the wanted state.
    Done,
    /// With an error of this kind.
    Fails(ErrorKind),
}

/// Something that goes wrong.
#[derive(Debug, Clone)]
pub struct Trouble {
    pub name: String,
    pub cause: Cause,
    pub ways: &'static [Way],
    /// The kind of the error, if it does not pass.
    error: ErrorKind,
    passes: Passes,
}

/// What of it a call survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Passes {
    /// Whatever lasts: it is not a trouble for the client.
    Always,
    /// What strikes one exchange.
    Once,
    Never,
}

/// Where it comes from.
#[derive(Debug, Clone)]
pub enum Cause {
    /// The mock's script.
    Script(Fault),
    /// The script of the mock's IAM, which is asked before the call can be made.
    Iam(Fault),
    /// Nobody listens.
    Refused,
    /// The other end speaks no TLS.
    NoTls,
    /// The name has no address.
    NoName,
    /// The cloud's clock is so many seconds ahead.
    Ahead(i64),
    /// The key has another secret by now.
    KeyRotated,
    /// The key is gone.
    KeyRemoved,
    /// The token was taken back.
    TokenRevoked,
}

impl Cause {
    pub(super) fn is_scripted(&self) -> bool {
        matches!(self, Self::Script(_))
    }

    /// Whether calls last until they are out of time.
    pub(super) fn is_silent(&self) -> bool {
        use FaultKind::{Drip, Stall};
        matches!(
            self,
            Self::Script(Fault { kind: Stall | Drip { .. }, .. }) | Self::Iam(Fault { kind: Stall, .. })
        )
    }

    fn carries_out(&self) -> bool {
        matches!(self, Self::Script(fault) if fault.carries_out())
    }

    /// Whether it needs a body to strike.
    fn is_of_a_body(&self) -> bool {
        use FaultKind::{Drip, Garble, Truncate};
        matches!(self, Self::Script(Fault { kind: Truncate | Garble | Drip { .. }, .. }))
    }
}

impl Trouble {
    fn new(name: impl Into<String>, cause: Cause, passes: Passes, error: ErrorKind) -> Self {
        Self { name: name.into(), cause, ways: &Way::BOTH, error, passes }
    }

    fn of(self, ways: &'static [Way]) -> Self {
        Self { ways, ..self }
    }

    /// The ways a call may end.
    pub(super) fn ends(&self, cell: &Cell) -> Vec<Ends> {
        let fails = Ends::Fails(self.error);
        let passes = match (self.passes, cell.lasts) {
            (Passes::Always, _) | (Passes::Once, Lasts::Once | Lasts::OnceInWrite) => true,
            // Created, and seen by reading back.
            (Passes::Once, Lasts::OnInWrite) => cell.is_create() && self.cause.carries_out(),
            _ => false,
        };
        // Huawei Cloud answers a delete without a body.
        let harmless = self.cause.is_of_a_body()
            && (cell.way.vendor(), cell.operation) == ("huaweicloud", Operation::Delete);
        match (passes, harmless) {
            (true, _) => vec![Ends::Done],
            // Other exchanges of the same call have bodies.
            (false, true) => vec![Ends::Done, fails],
            (false, false) => vec![fails],
        }
    }
}

/// All of them.
#[must_use]
pub fn troubles() -> Vec<Trouble> {
    let mut troubles = replaced();
    troubles.extend(refused());
    troubles.extend(travelling());
    troubles.extend(unscripted());
    troubles.extend(at_iam());
    troubles
}

fn script(name: &str, kind: FaultKind, passes: Passes, error: ErrorKind) -> Trouble {
    Trouble::new(name, Cause::Script(Fault::new(kind)), passes, error)
}

/// Something else instead of the answer, before and after the call was carried out.
fn replaced() -> Vec<Trouble> {
    let status = |status| FaultKind::Status { status, retry_after: None };
    let mut kinds = vec![
        ("no answer, reset".to_owned(), FaultKind::Reset, Unavailable),
        ("no answer, stalled".to_owned(), FaultKind::Stall, Timeout),
        ("200 HTML page".to_owned(), FaultKind::Page { status: 200 }, Protocol),
        ("502 HTML page".to_owned(), FaultKind::Page { status: 502 }, Unavailable),
        ("503 HTML page".to_owned(), FaultKind::Page { status: 503 }, Unavailable),
        ("10 MB answer".to_owned(), FaultKind::Large { bytes: 10 * 1024 * 1024 }, Protocol),
        ("429 without a body".to_owned(), status(429), Throttled),
    ];
    kinds.extend(
        [500, 502, 503, 504, 520].map(|code| (format!("{code} without a body"), status(code), Unavailable)),
    );
    let before_and_after = |(name, kind, error): (String, FaultKind, ErrorKind)| {
        let fault = Fault::new(kind);
        [("", fault.clone()), (", carried out", fault.after())].map(|(when, fault)| {
            Trouble::new(format!("{name}{when}"), Cause::Script(fault), Passes::Once, error)
        })
    };
    kinds.into_iter().flat_map(before_and_after).collect()
}

/// Answers that say no.
fn refused() -> Vec<Trouble> {
    let wait = |status, value: &str| FaultKind::Status { status, retry_after: Some(value.to_owned()) };
    let redirect = |status| FaultKind::Redirect { status, location: String::new() };
    let mut troubles = vec![
        script("reset while reading the request", FaultKind::ResetInRequest, Passes::Once, Unavailable),
        script("throttled", FaultKind::Throttled, Passes::Once, Throttled),
        script("unavailable, says the cloud", FaultKind::Unavailable, Passes::Once, Unavailable),
        script("permission denied", FaultKind::Denied, Passes::Never, PermissionDenied),
        script("temporary credential expired", FaultKind::TokenExpired, Passes::Never, Unauthenticated),
    ];
    for (value, passes) in [
        ("0", Passes::Once),
        ("Thu, 01 Jan 1970 00:00:00 GMT", Passes::Once),
        ("soon", Passes::Once),
        ("-5", Passes::Once),
        ("", Passes::Once),
        // Longer than the call may take.
        ("86400", Passes::Never),
        ("99999999999999999999", Passes::Once),
        ("18446744073709551615", Passes::Never),
        // Beyond what our calendar can say.
        ("Fri, 31 Dec 9999 23:59:59 GMT", Passes::Once),
        ("Sun, 01 Jan 2096 00:00:00 GMT", Passes::Never),
    ] {
        troubles.push(script(&format!("429, Retry-After: {value}"), wait(429, value), passes, Throttled));
    }
    troubles.push(script("503, Retry-After: 86400", wait(503, "86400"), Passes::Never, Unavailable));
    for status in [301, 302, 303, 307, 308] {
        troubles.push(script(&format!("{status} to elsewhere"), redirect(status), Passes::Never, Protocol));
    }
    troubles
}

/// The cloud's own answer, which does not arrive as it was sent.
fn travelling() -> Vec<Trouble> {
    let media_type = FaultKind::MediaType { media_type: "text/html".to_owned() };
    vec![
        script("closed halfway through the answer", FaultKind::CloseInAnswer, Passes::Once, Unavailable),
        script("reset halfway through the answer", FaultKind::ResetInAnswer, Passes::Once, Unavailable),
        script("a byte at a time", FaultKind::Drip { pause_ms: 5_000 }, Passes::Once, Timeout),
        script("half of the JSON", FaultKind::Truncate, Passes::Once, Protocol),
        script("JSON and a brace", FaultKind::Garble, Passes::Once, Protocol),
        script("another media type", media_type, Passes::Always, Protocol),
        script("the answer twice", FaultKind::Twice, Passes::Always, Protocol),
    ]
}

/// What is wrong with the way to the cloud, or with the caller.
fn unscripted() -> Vec<Trouble> {
    use Passes::{Always, Never};
    vec![
        Trouble::new("connection refused", Cause::Refused, Never, Unavailable),
        Trouble::new("TLS fails", Cause::NoTls, Never, Unavailable),
        Trouble::new("the name has no address", Cause::NoName, Never, Unavailable),
        Trouble::new("the cloud's clock is an hour ahead", Cause::Ahead(3_600), Always, Unauthenticated)
            .of(&Way::SIGNED),
        Trouble::new("the cloud's clock is an hour behind", Cause::Ahead(-3_600), Always, Unauthenticated)
            .of(&Way::SIGNED),
        Trouble::new("the key was rotated", Cause::KeyRotated, Never, Unauthenticated),
        Trouble::new("the key was removed", Cause::KeyRemoved, Never, Unauthenticated),
        Trouble::new("the temporary key is gone", Cause::KeyRemoved, Never, Unauthenticated)
            .of(&Way::TEMPORARY),
        Trouble::new("the given token was revoked", Cause::TokenRevoked, Never, Unauthenticated)
            .of(&[Way::HuaweicloudToken]),
        Trouble::new("the token of a login was revoked", Cause::TokenRevoked, Always, Unauthenticated)
            .of(&[Way::HuaweicloudPassword]),
        script("the token of a login expired", FaultKind::TokenExpired, Passes::Once, Unauthenticated)
            .of(&[Way::HuaweicloudPassword]),
    ]
}

/// What is asked of IAM first: a token, or the project.
fn at_iam() -> Vec<Trouble> {
    use Passes::{Never, Once};
    let page = |status| FaultKind::Page { status };
    let redirect = FaultKind::Redirect { status: 307, location: String::new() };
    let iam = |(name, kind, passes, error): (&str, FaultKind, Passes, ErrorKind)| {
        Trouble::new(format!("IAM: {name}"), Cause::Iam(Fault::new(kind)), passes, error).of(&Way::IAM)
    };
    [
        ("no answer, reset", FaultKind::Reset, Once, Unavailable),
        ("no answer, stalled", FaultKind::Stall, Once, Timeout),
        ("502 HTML page", page(502), Once, Unavailable),
        ("200 HTML page", page(200), Once, Protocol),
        ("half of the JSON", FaultKind::Truncate, Once, Protocol),
        ("reset halfway through the answer", FaultKind::ResetInAnswer, Once, Unavailable),
        ("throttled", FaultKind::Throttled, Once, Throttled),
        ("unavailable", FaultKind::Unavailable, Once, Unavailable),
        ("permission denied", FaultKind::Denied, Never, PermissionDenied),
        ("unauthorized", FaultKind::TokenExpired, Never, Unauthenticated),
        ("307 to elsewhere", redirect, Never, Protocol),
    ]
    .into_iter()
    .map(iam)
    .collect()
}
