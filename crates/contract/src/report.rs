use std::fmt;

use record_callback_core::Vendor;

use crate::failure::Failure;

/// How a behaviour went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The provider keeps this sentence of its contract.
    Passed,
    /// It does not.
    Failed(Failure),
    /// The sentence is not about this provider; says which providers it is about.
    Skipped(&'static str),
}

/// One behaviour and how it went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// [`Behaviour::name`](crate::Behaviour::name).
    pub name: &'static str,
    /// How it went.
    pub verdict: Verdict,
}

/// How the whole suite went. `Display` is one line per behaviour and a summary.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct Report {
    /// The vendor of the provider that was tested.
    pub vendor: Vendor,
    /// Every behaviour of the suite, in its order.
    pub outcomes: Vec<Outcome>,
}

impl Report {
    /// The behaviours that failed, with what went wrong.
    pub fn failures(&self) -> impl Iterator<Item = (&'static str, &Failure)> {
        self.outcomes.iter().filter_map(|outcome| match &outcome.verdict {
            Verdict::Failed(failure) => Some((outcome.name, failure)),
            Verdict::Passed | Verdict::Skipped(_) => None,
        })
    }

    /// Whether no behaviour failed.
    pub fn passed(&self) -> bool {
        self.failures().next().is_none()
    }

    /// Ends a test with the list of failures, if there are any.
    ///
    /// # Panics
    /// When a behaviour failed.
    #[track_caller]
    #[expect(clippy::panic, reason = "this is the assertion a test ends with")]
    pub fn assert_passed(&self) {
        if !self.passed() {
            let list: Vec<_> = self.failures().map(|(name, failure)| format!("{name}: {failure}")).collect();
            panic!("{} does not keep its contract:\n  {}", self.vendor, list.join("\n  "));
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mut passed, mut failed, mut skipped) = (0, 0, 0);
        for Outcome { name, verdict } in &self.outcomes {
            match verdict {
                Verdict::Passed => {
                    passed += 1;
                    writeln!(f, "ok       {name}")?;
                }
                Verdict::Failed(failure) => {
                    failed += 1;
                    writeln!(f, "FAILED   {name}: {failure}")?;
                }
                Verdict::Skipped(condition) => {
                    skipped += 1;
                    writeln!(f, "skipped  {name}: only where {condition}")?;
                }
            }
        }
        write!(f, "{}: {passed} passed, {failed} failed, {skipped} skipped", self.vendor)
    }
}
