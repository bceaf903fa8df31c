use std::fs::{self, File, FileType, Metadata, OpenOptions};
use std::io::{self, Read};
use std::path::Path;

/// The character that editors on some systems begin a text with.
const BYTE_ORDER_MARK: char = '\u{feff}';

/// Opens the regular file at `path`, of at most `longest` bytes, for reading. Links are followed.
///
/// # Errors
/// Those of the operating system. `InvalidInput` for what is no regular file: a directory, a named pipe, a socket, a
/// device; none of them is opened. `FileTooLarge` for a longer file.
pub fn open(path: &Path, longest: u64) -> io::Result<File> {
    // Looked at before it is opened, for to open a device may do something.
    check(fs::metadata(path)?.file_type())?;
    let file = open_at_once(path)?;
    let metadata = file.metadata()?;
    // Looked at again: somebody may have put another in its place.
    check(metadata.file_type())?;
    if metadata.len() > longest { Err(too_large(longest)) } else { Ok(file) }
}

/// Reads the regular file at `path`, of at most `longest` bytes.
///
/// # Errors
/// Those of [`open`]. `FileTooLarge` also when the file grows while it is read.
pub fn read(path: &Path, longest: u64) -> io::Result<Vec<u8>> {
    read_all(&open(path, longest)?, longest)
}

/// Reads the regular file at `path`, of at most `longest` bytes, as text. A byte order mark is left out.
///
/// # Errors
/// Those of [`read`]. `InvalidData` for what is not UTF-8.
pub fn read_text(path: &Path, longest: u64) -> io::Result<String> {
    Ok(read_text_and_metadata(path, longest)?.0)
}

/// Reads text as [`read_text`] does, and the metadata of the very file it is from.
///
/// # Errors
/// Those of [`read_text`].
pub fn read_text_and_metadata(path: &Path, longest: u64) -> io::Result<(String, Metadata)> {
    let file = open(path, longest)?;
    let metadata = file.metadata()?;
    let bytes = read_all(&file, longest)?;
    let is_utf16 = bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]);
    let mut text = String::from_utf8(bytes).map_err(|_| {
        let problem = if is_utf16 { "is UTF-16, not UTF-8" } else { "is no UTF-8 text" };
        io::Error::new(io::ErrorKind::InvalidData, problem)
    })?;
    if text.starts_with(BYTE_ORDER_MARK) {
        text.drain(..BYTE_ORDER_MARK.len_utf8());
    }
    Ok((text, metadata))
}

/// Opens without waiting for who writes to a pipe that was put in the place of the file.
#[cfg(unix)]
fn open_at_once(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;

    use rustix::fs::OFlags;
    let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
    OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path)
}

#[cfg(not(unix))]
fn open_at_once(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).open(path)
}

fn read_all(file: &File, longest: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(longest.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > longest { Err(too_large(longest)) } else { Ok(bytes) }
}

fn check(kind: FileType) -> io::Result<()> {
    if kind.is_file() {
        return Ok(());
    }
    let problem = format!("is {}, not a regular file", name(kind));
    Err(io::Error::new(io::ErrorKind::InvalidInput, problem))
}

fn name(kind: FileType) -> &'static str {
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt;
        if kind.is_fifo() {
            return "a pipe";
        }
        if kind.is_socket() {
            return "a socket";
        }
        if kind.is_char_device() || kind.is_block_device() {
            return "a device";
        }
    }
    if kind.is_dir() { "a directory" } else { "something else" }
}

fn too_large(longest: u64) -> io::Error {
    let shown = match longest {
        mib if mib >= 1 << 20 && mib.is_multiple_of(1 << 20) => format!("{} MiB", mib >> 20),
        bytes => format!("{bytes} bytes"),
    };
    io::Error::new(io::ErrorKind::FileTooLarge, format!("is larger than {shown}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_read_without_its_byte_order_mark() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("text");
        for (bytes, expected) in [
            (b"".as_slice(), Ok("")),
            (b"abc", Ok("abc")),
            (b"\xef\xbb\xbfabc", Ok("abc")),
            (b"\xef\xbb\xbf\xef\xbb\xbf", Ok("\u{feff}")),
            (b"abcd", Err("is larger than 3 bytes")),
            (b"\xff\xfea", Err("is UTF-16, not UTF-8")),
            (b"\xe9", Err("is no UTF-8 text")),
        ] {
            fs::write(&path, bytes).unwrap();
            let longest = if bytes.starts_with(b"\xef") { 9 } else { 3 };
            let read = read_text(&path, longest).map_err(|error| error.to_string());
            assert_eq!(read.as_deref().map_err(String::as_str), expected, "{bytes:?}");
        }
        let missing = read(&directory.path().join("missing"), 3).unwrap_err();
        assert_eq!(missing.kind(), io::ErrorKind::NotFound);
        fs::write(&path, vec![0; 2 << 20]).unwrap();
        assert_eq!(open(&path, 1 << 20).unwrap_err().to_string(), "is larger than 1 MiB");
    }

    /// The test would wait for ever, or read for ever, if one were opened.
    #[cfg(unix)]
    #[test]
    fn what_is_no_regular_file_is_refused_at_once() {
        use std::os::unix::fs::symlink;
        use std::os::unix::net::UnixListener;
        use std::process::Command;

        let directory = tempfile::tempdir().unwrap();
        let place = |name: &str| directory.path().join(name);
        assert!(Command::new("mkfifo").arg(place("pipe")).status().unwrap().success());
        let _socket = UnixListener::bind(place("socket")).unwrap();
        symlink("/dev/zero", place("zero")).unwrap();
        symlink(place("pipe"), place("link")).unwrap();
        for (name, kind) in [
            ("", "a directory"),
            ("pipe", "a pipe"),
            ("link", "a pipe"),
            ("socket", "a socket"),
            ("zero", "a device"),
        ] {
            let error = read(&place(name), 1024).unwrap_err();
            assert_eq!(error.to_string(), format!("is {kind}, not a regular file"), "{name}");
        }
        // As if it was put there between the two looks.
        assert!(!open_at_once(&place("pipe")).unwrap().metadata().unwrap().is_file());
    }
}
