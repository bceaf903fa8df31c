use std::{
    fmt,
    sync::{Arc, Mutex},
};

use fastrand::Rng;

use super::{Fault, FaultKind};
use crate::lock::lock;

/// The faults one listener is going to have. Clones share them.
///
/// Of several that would strike, the one that was added first does; one that strikes while the request is being read
/// comes before all others.
#[derive(Clone)]
pub struct Faults(Arc<Mutex<Script>>);

struct Script {
    faults: Vec<Fault>,
    struck: u64,
    rng: Rng,
}

impl Faults {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Mutex::new(Script { faults: Vec::new(), struck: 0, rng: Rng::with_seed(1) })))
    }

    /// Adds a fault behind those that are there.
    pub fn add(&self, fault: Fault) {
        lock(&self.0).faults.push(fault);
    }

    /// The faults that are still to come, with what is left of them.
    pub fn to_come(&self) -> Vec<Fault> {
        lock(&self.0).faults.clone()
    }

    /// Forgets the faults that are still to come.
    pub fn clear(&self) {
        lock(&self.0).faults.clear();
    }

    /// How many exchanges had a fault so far.
    pub fn struck(&self) -> u64 {
        lock(&self.0).struck
    }

    /// Begins the sequence of chances of faults with a rate anew, from `seed`. Two mocks with the same seed have the
    /// same one.
    pub fn seed(&self, seed: u64) {
        lock(&self.0).rng = Rng::with_seed(seed);
    }

    /// The fault of an exchange whose head was read.
    pub(crate) fn of_head<'a>(&self, operation: impl FnOnce() -> Option<&'a str>) -> Option<Fault> {
        self.take(operation, |kind| *kind == FaultKind::ResetInRequest)
    }

    /// The fault of an exchange whose request was read.
    pub(crate) fn of_request<'a>(&self, operation: impl FnOnce() -> Option<&'a str>) -> Option<Fault> {
        self.take(operation, |kind| *kind != FaultKind::ResetInRequest)
    }

    /// `operation` is asked only if there is a fault it may be meant for: finding out takes reading the request.
    fn take<'a>(
        &self,
        operation: impl FnOnce() -> Option<&'a str>,
        concerns: impl Fn(&FaultKind) -> bool,
    ) -> Option<Fault> {
        let Script { faults, struck, rng } = &mut *lock(&self.0);
        if !faults.iter().any(|fault| concerns(&fault.kind)) {
            return None;
        }
        let operation = operation();
        for index in 0..faults.len() {
            let fault = &mut faults[index];
            let meant = fault.operation.is_none() || fault.operation.as_deref() == operation;
            if !meant || !concerns(&fault.kind) {
                continue;
            }
            if fault.skip > 0 {
                fault.skip -= 1;
                continue;
            }
            if rng.f64() >= fault.rate {
                continue;
            }
            *struck += 1;
            let found = fault.clone();
            match &mut fault.times {
                Some(0 | 1) => drop(faults.remove(index)),
                Some(times) => *times -= 1,
                None => {}
            }
            return Some(found);
        }
        None
    }
}

impl fmt::Debug for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(lock(&self.0).faults.iter().map(|fault| fault.kind.name())).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn struck(faults: &Faults, operations: &[&str]) -> Vec<Option<&'static str>> {
        operations
            .iter()
            .map(|operation| faults.of_request(|| Some(operation)).map(|fault| fault.kind.name()))
            .collect()
    }

    #[test]
    fn operation_skip_and_times_say_which_exchanges_are_struck() {
        let faults = Faults::new();
        faults.add(Fault::new(FaultKind::Reset).operation("Add").skip(1).times(2));
        faults.add(Fault::new(FaultKind::Stall).operation("Delete"));
        assert_eq!(
            struck(&faults, &["Add", "Delete", "Add", "Delete", "Add", "Add"]),
            [None, Some("stall"), Some("reset"), None, Some("reset"), None]
        );
        assert_eq!((faults.struck(), faults.to_come().len()), (3, 0));
        faults.add(Fault::new(FaultKind::Reset).until_cleared());
        assert_eq!(struck(&faults, &["A", "B"]), [Some("reset"), Some("reset")]);
        faults.clear();
        assert_eq!(struck(&faults, &["A"]), [None]);
    }

    #[test]
    fn a_fault_while_reading_waits_for_the_next_head() {
        let faults = Faults::new();
        faults.add(Fault::new(FaultKind::ResetInRequest));
        assert_eq!(struck(&faults, &["Add"]), [None]);
        assert!(faults.of_head(|| Some("Add")).is_some());
        assert!(faults.of_head(|| Some("Add")).is_none());
    }

    #[test]
    fn a_rate_strikes_about_so_often_and_the_same_way_each_time() {
        let run = || {
            let faults = Faults::new();
            faults.seed(7);
            faults.add(Fault::new(FaultKind::Reset).until_cleared().rate(0.05));
            struck(&faults, &vec!["Add"; 2_000])
        };
        let first = run();
        let hits = first.iter().flatten().count();
        assert!((60..140).contains(&hits), "{hits} of 2000");
        assert_eq!(first, run());
    }

    #[test]
    fn json_is_read_with_defaults_and_written_back() {
        let json = r#"{"fault":"status","status":503,"when":"after","operation":"Add","times":null}"#;
        let fault: Fault = serde_json::from_str(json).unwrap();
        let kind = FaultKind::Status { status: 503, retry_after: None };
        let expected = Fault::new(kind).after().operation("Add").until_cleared();
        assert_eq!(fault, expected);
        let again: Fault = serde_json::from_str(&serde_json::to_string(&fault).unwrap()).unwrap();
        assert_eq!(again, expected);
        let fault: Fault = serde_json::from_str(r#"{"fault":"reset"}"#).unwrap();
        assert_eq!(fault, Fault::new(FaultKind::Reset));
        assert!(serde_json::from_str::<Fault>(r#"{"fault":"nonsense"}"#).is_err());
    }
}
