//! What Live sends to the callback URL, and the answer it documents.
//!
//! Pages `iLive-live/live_01_0035` (fields), `iLive-live/live_01_0011` (signature), `bestpractice-live/live_14_0003`
//! (answer). Nothing is required: what is not of its documented type counts as absent, what is not documented is
//! skipped.

use record_callback_http::lenient::{Scalar, Text};
use serde::Deserialize;

/// The answer of the documents' sample; any body of status 200 will do.
pub(crate) const ACKNOWLEDGEMENT: &str = r#"{"status":1,"result":"success"}"#;

/// The members of the body that sign it. They differ each time an event is delivered.
pub(crate) const SIGNATURE_MEMBERS: &[&str] = &["auth_sign", "auth_timestamp"];

/// The body of a delivery, borrowed from it.
#[derive(Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
pub(crate) struct Body<'a> {
    pub(crate) project_id: Text<'a>,
    /// The file, in the events of its beginning and its end.
    pub(crate) job_id: Text<'a>,
    /// The recording; since 2024.
    pub(crate) task_id: Text<'a>,
    pub(crate) event_type: Text<'a>,
    pub(crate) publish_domain: Text<'a>,
    pub(crate) app: Text<'a>,
    pub(crate) stream: Text<'a>,
    /// `HLS`, `FLV` or `MP4`.
    pub(crate) record_format: Text<'a>,
    pub(crate) download_url: Text<'a>,
    pub(crate) asset_id: Text<'a>,
    /// Out of the field tables since 2024, still in the formula of the signature.
    pub(crate) play_url: Text<'a>,
    /// Bytes.
    pub(crate) file_size: Scalar<'a>,
    /// Seconds.
    pub(crate) record_duration: Scalar<'a>,
    /// UTC, `yyyy-mm-ddThh:mm:ssZ`.
    pub(crate) start_time: Text<'a>,
    pub(crate) end_time: Text<'a>,
    pub(crate) width: Scalar<'a>,
    pub(crate) height: Scalar<'a>,
    pub(crate) obs_location: Text<'a>,
    pub(crate) obs_bucket: Text<'a>,
    pub(crate) obs_object: Text<'a>,
    pub(crate) error_message: Text<'a>,
    pub(crate) auth_sign: Text<'a>,
    /// A text in the sample of 2021, a number since.
    pub(crate) auth_timestamp: Scalar<'a>,
}

impl Body<'_> {
    /// What HMAC-SHA256 signs, joined without separators. That an absent field adds nothing is UNVERIFIED.
    pub(crate) fn signed(&self) -> [&str; 7] {
        [
            self.auth_timestamp.get(),
            self.event_type.get(),
            self.publish_domain.get(),
            self.app.get(),
            self.stream.get(),
            self.download_url.get(),
            self.play_url.get(),
        ]
        .map(Option::unwrap_or_default)
    }
}
