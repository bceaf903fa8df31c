use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use record_callback_receiver::{EventRecord, EventSink, JsonlSink, SinkErrorKind};
use tempfile::TempDir;

use super::suite::{Store, received, records, run};

/// A file in a directory of its own.
struct Lines(TempDir);

impl Lines {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("events.jsonl")
    }

    fn read(&self) -> Vec<EventRecord> {
        let text = fs::read_to_string(self.path()).unwrap();
        assert!(text.is_empty() || text.ends_with('\n'), "every line is whole");
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn append(&self, text: &str) {
        let whole = fs::read(self.path()).unwrap_or_default();
        fs::write(self.path(), [whole, text.into()].concat()).unwrap();
    }
}

impl Store for Lines {
    async fn open(&self) -> Arc<dyn EventSink> {
        Arc::new(JsonlSink::file(self.path()).unwrap())
    }

    async fn kept(&self) -> Vec<EventRecord> {
        self.read()
    }
}

sink_suite!(Lines::new());

#[test]
fn a_line_that_was_never_finished_is_cut_off() {
    run(async {
        let lines = Lines::new();
        let events = [received("live", 1, None), received("live", 2, None)];
        lines.open().await.keep(events[0].clone()).await.unwrap();
        let torn = serde_json::to_string(&records(&events)[1]).unwrap();
        for end in [1, torn.len() / 2, torn.len()] {
            lines.append(&torn[..end]);
            lines.open().await.check().await.unwrap();
            assert_eq!(lines.read(), records(&events[..1]));
        }
        lines.open().await.keep(events[1].clone()).await.unwrap();
        assert_eq!(lines.read(), records(&events));
    });
}

#[test]
fn a_file_of_somebody_else_is_left_alone() {
    let lines = Lines::new();
    lines.append("dear diary");
    let error = JsonlSink::file(lines.path()).unwrap_err();
    assert!(
        error.to_string().ends_with("events.jsonl` ends in something that is no event; nothing was changed")
    );
    assert_eq!(fs::read_to_string(lines.path()).unwrap(), "dear diary");
    for (path, problem) in [
        (lines.0.path().to_owned(), "is not used for events: it is not a regular file"),
        (lines.0.path().join("missing/events.jsonl"), "cannot be opened"),
        ("/dev/null".into(), "is not used for events: it is not a regular file"),
    ] {
        let error = JsonlSink::file(&path).unwrap_err();
        assert_eq!(error.kind(), SinkErrorKind::Unavailable);
        assert_eq!(error.to_string(), format!("`{}` {problem}", path.display()));
    }
    assert!(!lines.0.path().join("missing").exists());
}

#[test]
fn the_file_is_for_one_sink() {
    run(async {
        let lines = Lines::new();
        let first = lines.open().await;
        let error = JsonlSink::file(lines.path()).unwrap_err();
        assert!(error.to_string().ends_with("events.jsonl` is locked: another sink writes to it"), "{error}");
        first.keep(received("live", 1, None)).await.unwrap();
        first.close().await;
        lines.open().await.keep(received("live", 2, None)).await.unwrap();
        assert_eq!(lines.read().len(), 2);
    });
}

#[cfg(unix)]
#[test]
fn the_file_is_for_its_owner_only() {
    use std::os::unix::fs::PermissionsExt;

    run(async {
        let lines = Lines::new();
        lines.open().await.keep(received("live", 1, None)).await.unwrap();
        assert_eq!(fs::metadata(lines.path()).unwrap().permissions().mode() & 0o777, 0o600);
    });
}

#[cfg(unix)]
#[test]
fn links_and_files_that_others_write_are_refused() {
    use std::os::unix::fs::{PermissionsExt, symlink};

    let lines = Lines::new();
    let link = lines.0.path().join("link");
    symlink(lines.path(), &link).unwrap();
    let refused = |path: &PathBuf| JsonlSink::file(path).unwrap_err().to_string();
    assert!(refused(&link).contains("it is a symbolic link"), "dangling");
    assert!(!lines.path().exists());
    fs::write(lines.path(), "").unwrap();
    assert!(refused(&link).contains("it is a symbolic link"));
    for (mode, is_refused) in [(0o666, true), (0o620, true), (0o644, false)] {
        fs::set_permissions(lines.path(), fs::Permissions::from_mode(mode)).unwrap();
        assert_eq!(JsonlSink::file(lines.path()).is_err(), is_refused, "{mode:o}");
    }
}

#[cfg(unix)]
#[test]
fn a_deleted_file_keeps_nothing() {
    run(async {
        let lines = Lines::new();
        let sink = lines.open().await;
        sink.keep(received("live", 1, None)).await.unwrap();
        fs::remove_file(lines.path()).unwrap();
        assert_eq!(
            sink.keep(received("live", 2, None)).await.unwrap_err().kind(),
            SinkErrorKind::Unavailable
        );
        assert_eq!(sink.check().await.unwrap_err().kind(), SinkErrorKind::Unavailable);
    });
}
