use std::collections::BTreeSet;
use std::collections::btree_set;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::{Field, InvalidConfig};
use crate::text::did_you_mean;

const VENDOR_PREFIX: &str = "vendor:";
const MAX_VENDOR_NAME: usize = 64;
/// In the order of [`EventKind`], which is the order of a set.
static KNOWN: [(EventKind, &str); 8] = [
    (EventKind::RecordingStarted, "recording_started"),
    (EventKind::RecordingPaused, "recording_paused"),
    (EventKind::RecordingResumed, "recording_resumed"),
    (EventKind::RecordingEnded, "recording_ended"),
    (EventKind::RecordingFailed, "recording_failed"),
    (EventKind::FileStarted, "file_started"),
    (EventKind::FileCompleted, "file_completed"),
    (EventKind::TranscodeFailed, "transcode_failed"),
];

/// What happened to a recording.
///
/// Written in `snake_case` (`file_completed`). An event only its vendor knows is
/// written `vendor:NAME` and passed through as it is.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
#[non_exhaustive]
pub enum EventKind {
    /// A stream arrived and its recording began.
    RecordingStarted,
    /// The stream broke; the recording waits for it.
    RecordingPaused,
    /// The stream came back within the waiting time.
    RecordingResumed,
    /// The recording task is over.
    RecordingEnded,
    /// The recording failed.
    RecordingFailed,
    /// A new recording file was begun.
    FileStarted,
    /// A recording file is complete and stored.
    FileCompleted,
    /// A recorded file could not be converted.
    TranscodeFailed,
    /// An event this version has no neutral name for, in the vendor's spelling: 1–64 letters, digits,
    /// `_`, `-` and `.`, checked when a config is built.
    Vendor(String),
}

impl EventKind {
    /// Every event with a neutral name.
    pub fn known() -> impl Iterator<Item = Self> {
        KNOWN.iter().map(|(kind, _)| kind.clone())
    }
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Self::Vendor(name) = self {
            return write!(f, "{VENDOR_PREFIX}{name}");
        }
        let name = KNOWN.iter().find(|(kind, _)| kind == self).map_or("", |(_, name)| name);
        f.write_str(name)
    }
}

impl FromStr for EventKind {
    type Err = InvalidConfig;

    fn from_str(text: &str) -> Result<Self, InvalidConfig> {
        if let Some((kind, _)) = KNOWN.iter().find(|(_, name)| *name == text) {
            return Ok(kind.clone());
        }
        let refuse = |problem: String| {
            let names = KNOWN.iter().map(|(_, name)| *name).collect::<Vec<_>>().join(", ");
            Err(InvalidConfig::new(
                Field::Events,
                problem,
                format!("one of {names}, or vendor:NAME with letters, digits, `_`, `-` and `.`"),
            ))
        };
        match text.strip_prefix(VENDOR_PREFIX) {
            Some(name)
                if (1..=MAX_VENDOR_NAME).contains(&name.len())
                    && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.".contains(&b)) =>
            {
                Ok(Self::Vendor(name.to_owned()))
            }
            Some(_) => refuse("the name after `vendor:` is not a vendor's event name".into()),
            None => {
                let meant = did_you_mean(text, KNOWN.iter().map(|(_, name)| *name));
                refuse(format!("`{}` is not an event{meant}", text.escape_debug()))
            }
        }
    }
}

impl TryFrom<String> for EventKind {
    type Error = InvalidConfig;

    fn try_from(text: String) -> Result<Self, InvalidConfig> {
        text.parse()
    }
}

impl From<EventKind> for String {
    fn from(kind: EventKind) -> Self {
        kind.to_string()
    }
}

/// A set of events, ordered and without duplicates.
///
/// Fleets hold a million of them: what has a neutral name takes a bit, and no memory of its own.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(from = "BTreeSet<EventKind>", into = "BTreeSet<EventKind>")]
pub struct EventSet {
    /// A bit for each place in [`KNOWN`].
    known: u8,
    /// The kinds that only a vendor knows.
    vendor: BTreeSet<EventKind>,
}

impl EventSet {
    /// Whether `kind` is in the set.
    pub fn contains(&self, kind: &EventKind) -> bool {
        match bit(kind) {
            Some(bit) => self.known & bit != 0,
            None => self.vendor.contains(kind),
        }
    }

    /// Whether the set has no events.
    pub fn is_empty(&self) -> bool {
        self.known == 0 && self.vendor.is_empty()
    }

    /// Number of events.
    pub fn len(&self) -> usize {
        self.known.count_ones() as usize + self.vendor.len()
    }

    /// The events, in a fixed order.
    pub fn iter(&self) -> EventSetIter<'_> {
        EventSetIter { known: self.known, vendor: self.vendor.iter() }
    }

    /// The events of `self` that are not in `other`.
    #[must_use]
    pub fn without(&self, other: &Self) -> Self {
        Self { known: self.known & !other.known, vendor: &self.vendor - &other.vendor }
    }

    /// The events of both sets.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        Self { known: self.known | other.known, vendor: &self.vendor | &other.vendor }
    }

    /// Whether the two sets share an event.
    pub fn intersects(&self, other: &Self) -> bool {
        self.known & other.known != 0 || !self.vendor.is_disjoint(&other.vendor)
    }
}

/// The bit of a kind with a neutral name.
fn bit(kind: &EventKind) -> Option<u8> {
    let place = KNOWN.iter().position(|(known, _)| known == kind)?;
    Some(1 << place)
}

/// The events of an [`EventSet`].
#[derive(Debug, Clone)]
pub struct EventSetIter<'a> {
    known: u8,
    vendor: btree_set::Iter<'a, EventKind>,
}

impl<'a> Iterator for EventSetIter<'a> {
    type Item = &'a EventKind;

    fn next(&mut self) -> Option<Self::Item> {
        if self.known == 0 {
            return self.vendor.next();
        }
        let place = self.known.trailing_zeros();
        self.known &= self.known - 1;
        KNOWN.get(place as usize).map(|(kind, _)| kind)
    }
}

impl fmt::Display for EventSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, kind) in self.iter().enumerate() {
            if i > 0 {
                f.write_str(", ")?;
            }
            kind.fmt(f)?;
        }
        Ok(())
    }
}

impl FromIterator<EventKind> for EventSet {
    fn from_iter<I: IntoIterator<Item = EventKind>>(kinds: I) -> Self {
        let mut set = Self::default();
        for kind in kinds {
            match bit(&kind) {
                Some(bit) => set.known |= bit,
                None => drop(set.vendor.insert(kind)),
            }
        }
        set
    }
}

impl<const N: usize> From<[EventKind; N]> for EventSet {
    fn from(kinds: [EventKind; N]) -> Self {
        kinds.into_iter().collect()
    }
}

impl From<BTreeSet<EventKind>> for EventSet {
    fn from(kinds: BTreeSet<EventKind>) -> Self {
        kinds.into_iter().collect()
    }
}

impl From<EventSet> for BTreeSet<EventKind> {
    fn from(set: EventSet) -> Self {
        set.iter().cloned().collect()
    }
}

impl IntoIterator for EventSet {
    type Item = EventKind;
    type IntoIter = btree_set::IntoIter<EventKind>;

    fn into_iter(self) -> Self::IntoIter {
        BTreeSet::from(self).into_iter()
    }
}

impl<'a> IntoIterator for &'a EventSet {
    type Item = &'a EventKind;
    type IntoIter = EventSetIter<'a>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_event_is_written_and_read_in_one_spelling() {
        for kind in EventKind::known().chain([EventKind::Vendor("RECORD_NEW_THING".into())]) {
            assert_eq!(kind.to_string().parse::<EventKind>().unwrap(), kind);
        }
        assert_eq!(EventKind::FileCompleted.to_string(), "file_completed");
    }

    #[test]
    fn a_set_keeps_the_order_of_the_kinds() {
        let vendor = |name: &str| EventKind::Vendor(name.into());
        let kinds: BTreeSet<_> = EventKind::known().chain([vendor("B"), vendor("A")]).collect();
        let set = EventSet::from(kinds.clone());
        assert!(set.iter().eq(&kinds));
        assert_eq!(set.len(), kinds.len());
        let some = EventSet::from([EventKind::FileCompleted, vendor("A")]);
        assert!(some.iter().all(|kind| set.contains(kind)) && !some.contains(&vendor("B")));
        assert!(set.without(&some).iter().eq(kinds.iter().filter(|kind| !some.contains(kind))));
        assert_eq!(set.without(&some).union(&some), set);
    }

    #[test]
    fn a_typo_is_refused_with_the_known_names() {
        let error = "file_complete".parse::<EventKind>().unwrap_err().to_string();
        assert!(error.starts_with("events: `file_complete` is not an event"), "{error}");
        assert!(error.contains("file_completed"), "{error}");
        for bad in ["vendor:", "vendor:a b", "vendor:a\"b"] {
            assert!(bad.parse::<EventKind>().is_err(), "{bad}");
        }
    }
}
