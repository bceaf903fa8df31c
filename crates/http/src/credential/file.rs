use std::fs::Metadata;
use std::io::ErrorKind as IoErrorKind;
use std::path::{Path, PathBuf};

use record_callback_core::{Error, ErrorKind, Result};
use serde::de::DeserializeOwned;
use tracing::warn;

use super::{Ini, Miss, is_first};

/// Nobody's credentials are longer: 1 MiB.
const LONGEST: u64 = 1024 * 1024;

/// A file with credentials in it, as it was when it was read. `Debug` does not show what is in it.
pub struct CredentialFile {
    path: PathBuf,
    text: String,
    /// Somebody other than its user and root who may have written it.
    foreign_writer: Option<String>,
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
            Ok(Ok((file, metadata))) => {
                if is_open_to_all(&metadata) && is_first(&path.display().to_string()) {
                    warn!(path = %path.display(), "everybody on this machine can read this file of credentials: chmod 600 it");
                }
                Ok(file)
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

    /// Refuses to run what the file says if somebody else than its user and root may have written it, or may put another
    /// one in its place. Elsewhere than on Unix, nothing is known of that.
    pub fn check_writers(&self) -> Result<()> {
        match &self.foreign_writer {
            Some(problem) => Err(self.mistake(None, problem)),
            None => Ok(()),
        }
    }

    /// Tells if it is JSON where INI is read, or the other way round: the vendors' tools have one variable for both.
    pub fn looks_like_json(&self) -> bool {
        self.text.trim_start_matches('\u{feff}').trim_start().starts_with('{')
    }

    /// The file as INI.
    pub fn ini(&self) -> Result<Ini> {
        if self.looks_like_json() {
            return Err(self.mistake(Some(1), "expected INI, with a `[section]` first, and found JSON"));
        }
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

fn read(path: &Path) -> std::io::Result<(CredentialFile, Metadata)> {
    let (text, metadata) = record_callback_durable::read_text_and_metadata(path, LONGEST)?;
    let foreign_writer = foreign_writer(path, &metadata);
    Ok((CredentialFile { path: path.to_owned(), text, foreign_writer }, metadata))
}

/// Tells what lets somebody else than this user and root write the file, and what to do about it.
#[cfg(unix)]
fn foreign_writer(path: &Path, metadata: &Metadata) -> Option<String> {
    use std::os::unix::fs::MetadataExt;
    const OTHERS: u32 = 0o022;
    const STICKY: u32 = 0o1000;
    let me = rustix::process::geteuid().as_raw();
    let is_foreign = |metadata: &Metadata| metadata.uid() != 0 && metadata.uid() != me;
    if is_foreign(metadata) {
        return Some("it belongs to another user".to_owned());
    }
    if metadata.mode() & OTHERS != 0 {
        return Some("others may write it: chmod 600 it".to_owned());
    }
    // Of a link, both: where it stands, and where it leads.
    let led_to = std::fs::canonicalize(path).ok();
    for directory in [Some(path), led_to.as_deref()].into_iter().flatten().filter_map(Path::parent) {
        let directory = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
        let shown = directory.display();
        match std::fs::metadata(directory) {
            Ok(metadata) if is_foreign(&metadata) => {
                return Some(format!("its directory {shown} belongs to another user"));
            }
            Ok(metadata) if metadata.mode() & OTHERS != 0 && metadata.mode() & STICKY == 0 => {
                return Some(format!("others may write its directory {shown}: chmod 700 it"));
            }
            Ok(_) => {}
            Err(error) => return Some(format!("its directory {shown} cannot be looked at ({error})")),
        }
    }
    None
}

/// Nothing, as a mode does not say there who may write.
#[cfg(not(unix))]
fn foreign_writer(_: &Path, _: &Metadata) -> Option<String> {
    None
}

/// Whether everybody on this machine can read the file.
#[cfg(unix)]
pub fn is_open_to_all(metadata: &Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt;
    metadata.permissions().mode() & 0o004 != 0
}

/// Nothing, as a mode does not say there who may read.
#[cfg(not(unix))]
pub fn is_open_to_all(_: &Metadata) -> bool {
    false
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
        CredentialFile { path: "/home/u/config.json".into(), text: text.into(), foreign_writer: None }
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
        use std::sync::{Arc, Mutex};

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

    #[cfg(unix)]
    #[tokio::test]
    async fn a_file_others_may_write_is_refused() {
        use std::fs::{Permissions, set_permissions};
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        std::fs::write(&path, "{}").unwrap();
        let link = tempfile::tempdir().unwrap();
        let linked = link.path().join("link");
        std::os::unix::fs::symlink(&path, &linked).unwrap();
        for (file, parent, problem) in [
            (0o600, 0o700, None),
            (0o640, 0o755, None),
            (0o620, 0o700, Some("others may write it")),
            (0o602, 0o700, Some("others may write it")),
            (0o600, 0o770, Some("others may write its directory")),
            (0o600, 0o707, Some("others may write its directory")),
            (0o600, 0o1777, None),
        ] {
            set_permissions(&path, Permissions::from_mode(file)).unwrap();
            set_permissions(directory.path(), Permissions::from_mode(parent)).unwrap();
            for path in [&path, &linked] {
                let read = CredentialFile::read(path.clone()).await.unwrap();
                let said = read.check_writers().err().map(|error| error.message().to_owned());
                let expected = problem.is_none_or(|problem| said.as_ref().unwrap().contains(problem));
                assert!(expected && said.is_some() == problem.is_some(), "{file:o} {parent:o}: {said:?}");
            }
        }
        set_permissions(link.path(), Permissions::from_mode(0o777)).unwrap();
        assert!(CredentialFile::read(linked).await.unwrap().check_writers().is_err());
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
        let error = file("\u{feff}\n{\"current\":\"s3cr3t\"}").ini().unwrap_err();
        assert!(error.message().ends_with("line 1: expected INI, with a `[section]` first, and found JSON"));
    }
}
