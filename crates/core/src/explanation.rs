//! The reasons for which a delivery was taken or refused, for people.

use std::fmt;

use jiff::Timestamp;
use serde::Serialize;
use subtle::ConstantTimeEq;

use crate::signing::{SigningKey, SigningScheme};
use crate::verification::{
    CallbackVerifier, Delivery, Refusal, SignatureClaim, SignaturePolicy, Tolerance, VerifiedEvent,
    unix_seconds,
};

/// The most digests that are computed to find out what was meant.
const MAX_DIGESTS: usize = 64;

/// Guesses at what may have been meant, each tried by itself.
#[derive(Debug, Clone, Default)]
pub struct Hints {
    /// Hosts of callback URLs, with their ports if they have one.
    pub hosts: Vec<String>,
    /// Keys of others, by names that tell nothing of them.
    pub keys: Vec<(String, SigningKey)>,
}

/// The reasons for which a delivery is taken or refused. Shows no key and no signature; what is from the delivery is
/// not escaped.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Explanation {
    /// The steps of the check, in their order.
    pub steps: Vec<Step>,
    /// The text whose digest the signature is, if the verifier tells it.
    pub signed_text: Vec<SignedPart>,
    /// Each is a single change with which the delivery would have been taken. Empty when it was, and when more than one
    /// thing is wrong.
    pub one_change: Vec<Change>,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Step {
    /// The condition: `a key fits`.
    pub condition: &'static str,
    /// The result.
    pub outcome: Outcome,
    /// More about it.
    pub detail: String,
}

/// The result of a [`Step`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It is as it must be.
    Passed,
    /// It is not.
    Failed,
    /// An earlier one failed.
    NotReached,
}

impl Step {
    /// A step with its result.
    pub fn new(condition: &'static str, is_passed: bool, detail: impl Into<String>) -> Self {
        let outcome = if is_passed { Outcome::Passed } else { Outcome::Failed };
        Self { condition, outcome, detail: detail.into() }
    }
}

/// A part of what is signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SignedPart {
    /// The text; `None` for a key.
    pub text: Option<String>,
    /// The name of what it is.
    pub field: &'static str,
    /// The extent to which a right signature proves it.
    pub standing: Standing,
}

impl SignedPart {
    /// A part that is no key.
    pub fn new(field: &'static str, text: impl Into<String>, standing: Standing) -> Self {
        Self { text: Some(text.into()), field, standing }
    }

    /// The place of the key.
    pub fn key() -> Self {
        Self { text: None, field: "key", standing: Standing::Key }
    }
}

/// The extent to which a right signature proves a [`SignedPart`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Its text, and where it begins and ends.
    Proven,
    /// Its text, but not where it ends and the next begins.
    Joined,
    /// It is the key.
    Key,
}

/// The single thing that is not as it would have to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Change {
    /// It is signed for this host.
    Host(String),
    /// It is signed with this key of [`Hints::keys`].
    Key(String),
    /// It is signed with the key at this place of the policy, without the blanks or line breaks around it.
    TrimmedKey(usize),
    /// Its time is in milliseconds.
    Milliseconds,
    /// It is signed with this scheme.
    Scheme(SigningScheme),
    /// It is right as it is for this other source.
    Source(String),
}

impl Change {
    /// The thing that somebody can do about it: `set host`.
    pub fn advice(&self) -> &'static str {
        match self {
            Self::Host(_) => "set host",
            Self::Key(_) => "add it to the keys of this source, or have the cloud use this source's",
            Self::TrimmedKey(_) => "take the blanks and line breaks around the key away",
            Self::Milliseconds => "the sender must sign whole seconds",
            Self::Scheme(_) => "set scheme",
            Self::Source(_) => "have the cloud send to that source's path",
        }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host(host) => write!(f, "with host {host} it would"),
            Self::Key(name) => write!(f, "with the key {name} it would"),
            Self::TrimmedKey(index) => {
                write!(f, "with key {} without the blanks around it, it would", index + 1)
            }
            Self::Milliseconds => f.write_str("with its time read as milliseconds it would"),
            Self::Scheme(scheme) => write!(f, "with scheme {scheme} it would"),
            Self::Source(name) => write!(f, "it is valid for source {name}"),
        }
    }
}

/// A verifier that differs in one thing.
pub struct Trial {
    /// The difference.
    pub change: Change,
    /// The digests it computes for a delivery.
    pub digests: usize,
    /// The verifier.
    pub verifier: Box<dyn CallbackVerifier>,
}

impl Explanation {
    /// The verdict of [`CallbackVerifier::verify`], as one step.
    pub fn of_verdict(verdict: &Result<VerifiedEvent, Refusal>) -> Self {
        let step = match verdict {
            Ok(_) => Step::new("the verifier takes it", true, ""),
            Err(refusal) => Step::new("the verifier takes it", false, refusal.to_string()),
        };
        Self { steps: vec![step], ..Self::default() }
    }

    /// Tells whether every step passed.
    pub fn is_taken(&self) -> bool {
        self.steps.iter().all(|step| step.outcome == Outcome::Passed)
    }

    /// Finds out which of `trials` would take a delivery that is refused. Those that would take more than 64 digests in
    /// all are left out.
    #[must_use]
    pub fn with_trials(mut self, delivery: &Delivery<'_>, trials: impl IntoIterator<Item = Trial>) -> Self {
        if self.is_taken() {
            return self;
        }
        let mut digests = 0;
        for trial in trials {
            if digests + trial.digests > MAX_DIGESTS {
                continue;
            }
            digests += trial.digests;
            if trial.verifier.verify(delivery).is_ok() && !self.one_change.contains(&trial.change) {
                self.one_change.push(trial.change);
            }
        }
        self
    }
}

impl SignaturePolicy {
    /// The keys, in their order.
    pub fn keys(&self) -> &[SigningKey] {
        &self.keys
    }

    /// The steps of [`prove`](Self::prove), for people. `candidates` gives each digest with the name of its form, which
    /// is empty where there is one form only. Returns the form that fits, too.
    pub fn explain<D: AsRef<[u8]>>(
        &self,
        claim: &SignatureClaim<'_>,
        now: Timestamp,
        candidates: impl Fn(&SigningKey) -> Vec<(String, D)>,
    ) -> (Vec<Step>, Option<String>) {
        if self.is_unsigned() {
            return (vec![Step::new("it is signed", true, "need not be: the source is unsigned")], None);
        }
        let mut steps = Steps(Vec::new());
        steps.add("it is signed", || match (claim.signature, claim.time) {
            (Some(_), Some(_)) => Ok("signature and time are there".to_owned()),
            (None, Some(_)) => Err("there is a time but no signature".to_owned()),
            (Some(_), None) => Err("there is a signature but no time".to_owned()),
            (None, None) => Err("there is no signature and no time".to_owned()),
        });
        let time = claim.time.unwrap_or_default();
        let signed_at = unix_seconds(time).or_else(|| self.read_time(time));
        steps.add("its time is readable", || match signed_at {
            Some(at) => Ok(format!("{at}")),
            None => Err("it is not in whole seconds since 1970".to_owned()),
        });
        // Of an unreadable time it is known, too, whether a key fits, and worth to be told.
        let presented = hex::decode(claim.signature.unwrap_or_default()).unwrap_or_default();
        let mut tried = Vec::new();
        let mut fitting = None;
        for (index, key) in self.keys.iter().enumerate() {
            for (form, digest) in candidates(key) {
                if bool::from(digest.as_ref().ct_eq(&presented)) {
                    fitting.get_or_insert((index, form.clone()));
                }
                if !form.is_empty() && !tried.contains(&form) {
                    tried.push(form);
                }
            }
        }
        steps.add("a key fits", || match &fitting {
            Some((index, form)) if form.is_empty() => Ok(format!("key {}", index + 1)),
            Some((index, form)) => Ok(format!("key {} with {form}", index + 1)),
            None => {
                let keys = match self.keys.len() {
                    1 => "the only key does not".to_owned(),
                    count => format!("none of {count} keys does"),
                };
                let with = if tried.is_empty() { "" } else { ", with " };
                Err(format!("{keys}{with}{}", tried.join(", ")))
            }
        });
        let tolerance = self.tolerance.unwrap_or(claim.default_tolerance);
        steps.add("its time is near", || match signed_at {
            Some(at) => near(at, now, tolerance),
            None => Err(String::new()),
        });
        (steps.0, fitting.map(|(_, form)| form))
    }

    /// This policy with one thing changed, for [`Trial`]s: a key without what is around it, times in milliseconds, keys
    /// of [`Hints`].
    pub fn changed(&self, hints: &Hints) -> Vec<(Change, Self)> {
        if self.is_unsigned() {
            return Vec::new();
        }
        let with_key = |key: SigningKey| Self { keys: vec![key], ..self.clone() };
        let mut changed = Vec::new();
        for (index, key) in self.keys.iter().enumerate() {
            let trimmed = SigningKey::reported(key.expose().trim());
            if !trimmed.expose().is_empty() && !self.keys.contains(&trimmed) {
                changed.push((Change::TrimmedKey(index), with_key(trimmed)));
            }
        }
        changed.push((Change::Milliseconds, Self { is_in_milliseconds: true, ..self.clone() }));
        for (name, key) in &hints.keys {
            if !key.expose().is_empty() && !self.keys.contains(key) {
                changed.push((Change::Key(name.clone()), with_key(key.clone())));
            }
        }
        changed
    }
}

fn near(at: Timestamp, now: Timestamp, tolerance: Tolerance) -> Result<String, String> {
    let age = now.duration_since(at);
    let told = match age.as_secs() {
        age if age < 0 => format!("{} s ahead", age.unsigned_abs()),
        age => format!("{age} s old"),
    };
    let allowed = format!(
        "{told}; {} s old and {} s ahead are tolerated",
        tolerance.past.as_secs(),
        tolerance.future.as_secs()
    );
    if age > tolerance.past || age < -tolerance.future { Err(allowed) } else { Ok(allowed) }
}

struct Steps(Vec<Step>);

impl Steps {
    fn add(&mut self, condition: &'static str, result: impl FnOnce() -> Result<String, String>) {
        let step = if self.0.iter().any(|step| step.outcome != Outcome::Passed) {
            Step { condition, outcome: Outcome::NotReached, detail: String::new() }
        } else {
            let result = result();
            let is_passed = result.is_ok();
            Step::new(condition, is_passed, result.unwrap_or_else(|problem| problem))
        };
        self.0.push(step);
    }
}
