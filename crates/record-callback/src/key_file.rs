//! Files with one signing key.

use std::io;
use std::path::Path;

use record_callback_core::{InvalidConfig, SigningKey};
use record_callback_http::is_open_to_all;

const RULE: &str = "a signing key in the environment, or in a file with at most one line break after it";
/// No key is that long; what is, is another file.
const MAX_FILE: u64 = 4 * 1024;

/// Reads the key in the file at `path`, and tells whether everybody on this machine can.
pub(crate) fn read(path: &Path) -> Result<(SigningKey, bool), InvalidConfig> {
    let refuse = |problem: String| InvalidConfig::new("key", problem, RULE);
    let (text, metadata) =
        record_callback_durable::read_text_and_metadata(path, MAX_FILE).map_err(|error| {
            refuse(match error.kind() {
                io::ErrorKind::FileTooLarge | io::ErrorKind::InvalidData => error.to_string(),
                // References are relative; where one led is half of what can be wrong.
                _ => format!("cannot be read at {}: {error}", path.display()),
            })
        })?;
    let key = text.strip_suffix("\r\n").or(text.strip_suffix('\n')).unwrap_or(&text);
    Ok((SigningKey::new(key)?, is_open_to_all(&metadata)))
}
