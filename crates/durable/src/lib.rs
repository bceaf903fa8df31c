//! Files that people and programs hand over, read safely: no pipe is waited for, no device is read without end, and no file
//! fills the memory.
//!
//! ```
//! # let directory = tempfile::tempdir()?;
//! # let path = directory.path().join("manifest.json");
//! std::fs::write(&path, "\u{feff}{}")?;
//! assert_eq!(record_callback_durable::read_text(&path, 1024)?, "{}");
//! assert!(record_callback_durable::read_text(directory.path(), 1024).is_err());
//! # Ok::<(), std::io::Error>(())
//! ```

mod bounded_read;
mod private_file;

pub use bounded_read::{open, read, read_text, read_text_and_metadata};
pub use private_file::{FileAccess, check_private_file};
