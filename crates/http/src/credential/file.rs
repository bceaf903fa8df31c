use std::collections::BTreeSet;
use std::fs::Metadata;
use std::io::ErrorKind as IoErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use record_callback_core::{Error, ErrorKind, Result};
use serde::de::DeserializeOwned;
use tracing::warn;

use super::{Ini, Miss};

/// Nobody's credentials are longer: 1 MiB.
const LONGEST: u64 = 1024 * 1024;

/// A file with credentials in it, as it was when it was read. `Debug` does not show what is in it.
pub struct CredentialFile {
    path: PathBuf,
    text: String,
}

impl CredentialFile {
    /// Reads the file at `path`. One that is not there is not configured; one that everybody on this machine can read
    /// is warned of, once.
    pub async fn read(path: PathBuf) -> Result<Self, Miss> {
        let reading = path.clone();
        let read = tokio::task::spawn_blocking(move || read(&reading)).await;
        let failed =
            |what: &str| Error::new(ErrorKind::Unauthenticated, format!("{}: {what}", path.display()));
        match read {
            Ok(Ok((text, metadata))) => {
                if is_open_to_all(&metadata) {
                    warn_once(&path);
                }
                Ok(Self { path, text })
            }
            Ok(Err(error)) if error.kind() == IoErrorKind::NotFound => {
                Err(Miss::NotConfigured(format!("{} is not there", path.display())))
            }
            Ok(Err(error)) => Err(failed(&format!("cannot be read ({error})")).into()),
            Err(_) => Err(failed("reading it was interrupted").into()),
        }
    }

    /// What is in it.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The file as INI.
    pub fn ini(&self) -> Result<Ini> {
        Ini::parse(&self.text).map_err(|(line, expected)| self.mistake(Some(line), &expected))
    }

    /// The file as JSON. An error names the line and what was expected, without what stands there.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T> {
        let text = self.text.trim_start_matches('\u{feff}');
        serde_json::from_str(text).map_err(|error| self.mistake(Some(error.line()), &expectation(&error)))
    }

    /// The error for a mistake in it: `expected` is a sentence about what should be there, without what is.
    pub fn mistake(&self, line: Option<usize>, expected: &str) -> Error {
        let path = self.path.display();
        let place = line.map_or_else(|| path.to_string(), |line| format!("{path} line {line}"));
        Error::new(ErrorKind::Unauthenticated, format!("{place}: {expected}"))
    }
}

impl std::fmt::Debug for CredentialFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CredentialFile").field("path", &self.path).finish_non_exhaustive()
    }
}

/// What JSON lacks, by serde's message, whose other half may quote a value.
fn expectation(error: &serde_json::Error) -> String {
    let message = error.to_string();
    // The last one is serde's own: the value may have another.
    let message = message.rsplit_once(" at line ").map_or(message.as_str(), |(message, _)| message);
    match error.classify() {
        serde_json::error::Category::Data => match message.rsplit_once("expected ") {
            Some((_, expected)) => format!("expected {expected}"),
            None if message.starts_with("missing field ") => message.to_owned(),
            None => "expected another value".to_owned(),
        },
        // These are about syntax, and quote none.
        _ => format!("expected JSON: {message}"),
    }
}

fn read(path: &Path) -> std::io::Result<(String, Metadata)> {
    Ok((record_callback_durable::read_text(path, LONGEST)?, std::fs::metadata(path)?))
}

/// Whether everybody on this machine can read the file.
#[cfg(unix)]
fn is_open_to_all(metadata: &Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt;
    metadata.permissions().mode() & 0o004 != 0
}

/// Who may read is not said in a mode there.
#[cfg(not(unix))]
fn is_open_to_all(_: &Metadata) -> bool {
    false
}

/// Warns of each file once in the life of this process: files are read before every attempt, by every chain.
fn warn_once(path: &Path) {
    static WARNED: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());
    if WARNED.lock().unwrap_or_else(PoisonError::into_inner).insert(path.to_owned()) {
        warn!(path = %path.display(), "everybody on this machine can read this file of credentials: chmod 600 it");
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    struct Config {
        #[expect(dead_code, reason = "what matters is what is not read")]
        key: String,
        #[expect(dead_code, reason = "as above")]
        #[serde(default)]
        count: u32,
    }

    fn file(text: &str) -> CredentialFile {
        CredentialFile { path: "/home/u/config.json".into(), text: text.into() }
    }

    #[test]
    fn broken_json_is_named_by_file_line_and_what_was_expected() {
        for (text, problem) in [
            ("{\n \"key\": \"s3cr3t\"\n \"x\"", "line 3: expected JSON: expected `,` or `}`"),
            ("", "line 1: expected JSON: EOF while parsing a value"),
            ("{\"key\": 5}", "line 1: expected a string"),
            ("\n{\"key\":\"a\",\"count\":\"s3cr3t, expected s3cr3t\"}", "line 2: expected u32"),
            ("{\"key\":\"a\",\"count\":\"expected s3cr3t at line 1\"}", "line 1: expected u32"),
            ("{\"count\": 1}", "line 1: missing field `key`"),
            ("[1", "line 1: expected a string"),
        ] {
            let error = file(text).json::<Config>().unwrap_err();
            assert_eq!(error.message(), format!("/home/u/config.json {problem}"), "{text}");
        }
        assert!(file("\u{feff}{\"key\":\"a\"}").json::<Config>().is_ok());
        assert!(!format!("{:?}", file("s3cr3t")).contains("s3cr3t"));
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn a_file_everybody_can_read_is_warned_of_once() {
        use std::io::Write;
        use std::os::unix::fs::PermissionsExt;
        use std::sync::Arc;

        #[derive(Clone, Default)]
        struct Log(Arc<Mutex<Vec<u8>>>);

        impl Write for Log {
            fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
                self.0.lock().unwrap().write(bytes)
            }

            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }

        let directory = tempfile::tempdir().unwrap();
        let log = Log::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt().with_writer(move || writer.clone()).finish();
        let _logged = tracing::subscriber::set_default(subscriber);
        for (name, mode, warnings) in [("private", 0o600, 0), ("open", 0o644, 1), ("group", 0o640, 0)] {
            let path = directory.path().join(name);
            std::fs::write(&path, "s3cr3t").unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            for _ in 0..3 {
                CredentialFile::read(path.clone()).await.unwrap();
            }
            let shown = String::from_utf8(std::mem::take(&mut *log.0.lock().unwrap())).unwrap();
            assert_eq!(shown.matches("chmod 600").count(), warnings, "{name}: {shown}");
            assert!(!shown.contains("s3cr3t"));
        }
    }

    #[tokio::test]
    async fn what_is_not_there_is_not_configured_and_what_cannot_be_read_fails() {
        let directory = tempfile::tempdir().unwrap();
        let missing = CredentialFile::read(directory.path().join("missing")).await.unwrap_err();
        assert!(matches!(missing, Miss::NotConfigured(_)), "{missing:?}");
        let unreadable = CredentialFile::read(directory.path().to_owned()).await.unwrap_err();
        assert!(matches!(unreadable, Miss::Failed(_)), "{unreadable:?}");
        let large = directory.path().join("large");
        std::fs::write(&large, vec![b'a'; 1024 * 1024 + 1]).unwrap();
        let large = CredentialFile::read(large).await.unwrap_err();
        assert!(matches!(large, Miss::Failed(_)), "{large:?}");
    }

    #[test]
    fn broken_ini_is_named_by_file_and_line() {
        let error = file("[default]\ns3cr3t").ini().unwrap_err();
        assert_eq!(error.message(), "/home/u/config.json line 2: expected `[section]` or `name = value`");
    }
}
