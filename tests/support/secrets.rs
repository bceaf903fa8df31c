//! Finds secrets in whatever can be shown.

mod search;
mod shown;

pub use search::{PIECE, Secrets, base64, percent_decoded, percent_encoded};
pub use shown::{Log, Shown, watched, watched_with};
