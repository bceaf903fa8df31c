use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use async_trait::async_trait;
use http::HeaderMap;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::assurance::Assurance;
use crate::error::InvalidConfig;
use crate::verification::Refusal;

/// A cloud's question whether to record a stream that just arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct OnDemandRequest {
    /// The domain.
    pub domain: String,
    /// The application.
    pub app: String,
    /// The stream.
    pub stream: String,
    /// The video codec, in the vendor's spelling.
    pub codec: Option<String>,
    /// The video's bit rate in kbit/s.
    pub video_kbps: Option<u32>,
    /// What is proven about who asks.
    pub assurance: Assurance,
}

impl OnDemandRequest {
    /// A question about one stream.
    pub fn new(
        domain: impl Into<String>,
        app: impl Into<String>,
        stream: impl Into<String>,
        assurance: Assurance,
    ) -> Self {
        let (domain, app, stream) = (domain.into(), app.into(), stream.into());
        Self { domain, app, stream, codec: None, video_kbps: None, assurance }
    }
}

/// A container a recording can be stored in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RecordFormat {
    /// MP4
    Mp4,
    /// FLV
    Flv,
    /// HLS, an M3U8 list and its segments
    Hls,
}

impl fmt::Display for RecordFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Mp4 => "mp4",
            Self::Flv => "flv",
            Self::Hls => "hls",
        })
    }
}

const MIN_INTERVAL: u32 = 5;
const MAX_INTERVAL: u32 = 21_600;

/// Whether to record a stream, and how.
///
/// Written `{ record = true, formats = ["mp4"], intervals = { mp4 = 300 } }`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "RawDecision")]
pub struct OnDemandDecision {
    record: bool,
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    formats: BTreeSet<RecordFormat>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    intervals: BTreeMap<RecordFormat, u32>,
}

impl OnDemandDecision {
    /// Record, in the formats and intervals the cloud has stored.
    pub fn record() -> Self {
        Self { record: true, formats: BTreeSet::new(), intervals: BTreeMap::new() }
    }

    /// Do not record.
    pub fn skip() -> Self {
        Self { record: false, ..Self::record() }
    }

    /// Adds a format. With any, the cloud records in those of them that it has stored; with none in common, it does not
    /// record.
    #[must_use]
    pub fn with_format(mut self, format: RecordFormat) -> Self {
        self.formats.insert(format);
        self
    }

    /// Sets after how many seconds a new file of a format begins: 5–21600
    /// (<https://www.alibabacloud.com/help/en/live/on-demand-recording>).
    pub fn with_interval(mut self, format: RecordFormat, seconds: u32) -> Result<Self, InvalidConfig> {
        if !(MIN_INTERVAL..=MAX_INTERVAL).contains(&seconds) {
            let rule = format!("{MIN_INTERVAL}-{MAX_INTERVAL} seconds");
            return Err(InvalidConfig::new("intervals", format!("{format} has {seconds}"), rule));
        }
        self.intervals.insert(format, seconds);
        Ok(self)
    }

    /// Whether to record.
    pub fn is_record(&self) -> bool {
        self.record
    }

    /// The formats; none means those the cloud has stored.
    pub fn formats(&self) -> &BTreeSet<RecordFormat> {
        &self.formats
    }

    /// Seconds after which a new file begins, by format.
    pub fn intervals(&self) -> &BTreeMap<RecordFormat, u32> {
        &self.intervals
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawDecision {
    record: bool,
    #[serde(default)]
    formats: BTreeSet<RecordFormat>,
    #[serde(default)]
    intervals: BTreeMap<RecordFormat, u32>,
}

impl TryFrom<RawDecision> for OnDemandDecision {
    type Error = InvalidConfig;

    fn try_from(raw: RawDecision) -> Result<Self, InvalidConfig> {
        let start = Self { record: raw.record, formats: raw.formats, intervals: BTreeMap::new() };
        raw.intervals
            .into_iter()
            .try_fold(start, |decision, (format, seconds)| decision.with_interval(format, seconds))
    }
}

/// Decides whether streams are recorded. A platform implements it.
#[async_trait]
pub trait OnDemandDecider: fmt::Debug + Send + Sync + 'static {
    /// Decides about one stream. `None` leaves it to the default decision of the source.
    async fn decide(&self, request: &OnDemandRequest) -> Option<OnDemandDecision>;
}

/// How one vendor asks whether to record, and is answered.
pub trait OnDemandProtocol: Send + Sync {
    /// Reads the question from a request's query and headers.
    fn parse(&self, query: &str, headers: &HeaderMap, now: Timestamp) -> Result<OnDemandRequest, Refusal>;

    /// The body of the answer, a JSON object within the vendor's limit.
    fn answer(&self, decision: &OnDemandDecision) -> String;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_checked_however_they_come() {
        for seconds in [0, 4, 21_601, u32::MAX] {
            let refused = OnDemandDecision::record().with_interval(RecordFormat::Mp4, seconds).unwrap_err();
            assert_eq!(refused.to_string(), format!("intervals: mp4 has {seconds} (rule: 5-21600 seconds)"));
            let toml = format!("record = true\nintervals = {{ mp4 = {seconds} }}");
            assert!(toml::from_str::<OnDemandDecision>(&toml).is_err(), "{toml}");
        }
        for seconds in [5, 21_600] {
            assert!(OnDemandDecision::record().with_interval(RecordFormat::Hls, seconds).is_ok());
        }
    }

    #[test]
    fn a_decision_reads_back() {
        let decision = OnDemandDecision::record()
            .with_format(RecordFormat::Flv)
            .with_interval(RecordFormat::Flv, 120)
            .unwrap();
        let toml = toml::to_string(&decision).unwrap();
        assert_eq!(toml, "record = true\nformats = [\"flv\"]\n\n[intervals]\nflv = 120\n");
        assert_eq!(toml::from_str::<OnDemandDecision>(&toml).unwrap(), decision);
        assert!(toml::from_str::<OnDemandDecision>("record = true\nformat = [\"flv\"]").is_err());
        assert_eq!(toml::from_str::<OnDemandDecision>("record = false").unwrap(), OnDemandDecision::skip());
    }
}
