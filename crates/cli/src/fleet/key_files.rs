//! Files with signing keys, for their owner only.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use record_callback::SigningKey;
use tempfile::NamedTempFile;

use crate::failure::Failure;

/// No key is that long; what is, is another file.
const LONGEST: u64 = 4 * 1024;

/// Writes each key to its file, relative to `directory`. A file that is there is never written over: it has the key
/// already, or nothing is written at all.
pub(crate) fn write(directory: &Path, keys: &BTreeMap<PathBuf, SigningKey>) -> Result<(), Failure> {
    let mut missing = Vec::new();
    for (path, key) in keys {
        let path = directory.join(path);
        match record_callback_durable::read_text(&path, LONGEST) {
            Ok(text) if text.strip_suffix('\n').unwrap_or(&text) == key.expose() => {}
            Ok(_) => return Err(taken(&path)),
            Err(error) if error.kind() == ErrorKind::NotFound => missing.push((path, key)),
            Err(error) if error.kind() == ErrorKind::FileTooLarge => return Err(taken(&path)),
            Err(error) => return Err(failed(&path, &error)),
        }
    }
    for (path, key) in missing {
        create(&path, key).map_err(|error| match error.kind() {
            ErrorKind::AlreadyExists => taken(&path),
            _ => failed(&path, &error),
        })?;
    }
    Ok(())
}

fn create(path: &Path, key: &SigningKey) -> io::Result<()> {
    let directory = path.parent().unwrap_or(Path::new("."));
    create_directory(directory)?;
    // Only its owner can read it, from the beginning.
    let mut file = NamedTempFile::new_in(directory)?;
    writeln!(file, "{}", key.expose())?;
    file.as_file().sync_all()?;
    file.persist_noclobber(path).map_err(|error| error.error)?;
    File::open(directory)?.sync_all()
}

fn create_directory(directory: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(directory)
}

fn taken(path: &Path) -> Failure {
    Failure::Refused {
        problem: format!("the key file {} is there already, with another content", path.display()),
        hint: "move it away, or give another --key-directory".to_owned(),
    }
}

fn failed(path: &Path, error: &io::Error) -> Failure {
    io::Error::new(error.kind(), format!("the key file {}: {error}", path.display())).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(files: &[(&str, &str)]) -> BTreeMap<PathBuf, SigningKey> {
        files.iter().map(|(path, key)| (PathBuf::from(path), SigningKey::new(*key).unwrap())).collect()
    }

    #[test]
    fn keys_are_private_and_written_once() {
        let directory = tempfile::tempdir().unwrap();
        let both = keys(&[("keys/a.key", "Abcdefgh12345678"), ("keys/b.key", "Abcdefgh87654321")]);
        write(directory.path(), &both).unwrap();
        write(directory.path(), &both).unwrap();
        let a = directory.path().join("keys/a.key");
        assert_eq!(fs::read_to_string(&a).unwrap(), "Abcdefgh12345678\n");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(fs::metadata(&a).unwrap().permissions().mode() & 0o777, 0o600);
        }
    }

    #[test]
    fn no_file_is_written_over_and_then_none_is_written() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("b.key"), "mine").unwrap();
        let both = keys(&[("a.key", "Abcdefgh12345678"), ("b.key", "Abcdefgh87654321")]);
        let failure = write(directory.path(), &both).unwrap_err();
        assert!(
            matches!(&failure, Failure::Refused { problem, .. } if problem.contains("b.key")),
            "{failure:?}"
        );
        assert_eq!(fs::read_to_string(directory.path().join("b.key")).unwrap(), "mine");
        assert!(!directory.path().join("a.key").exists());
    }
}
