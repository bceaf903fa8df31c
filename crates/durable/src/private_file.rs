use std::fs;
use std::io;
use std::path::Path;

/// The access that others than the owner have to a file that holds what only its owner should read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileAccess {
    /// There is no file.
    Missing,
    /// Nobody else's. Always the answer on systems without Unix permissions.
    OwnerOnly,
    /// Others may read it: the group, or everybody.
    OthersRead,
}

/// Checks that the file at `path` is one to write private data to, if it is there. Opens nothing and changes nothing.
///
/// A missing file and one that others may read are for the caller to judge.
///
/// # Errors
/// Fails when it is a symbolic link, dangling or not (who made it chooses the file that is written), is no regular
/// file, or may be written by its group or by everybody; and when it cannot be looked at.
pub fn check_private_file(path: &Path) -> io::Result<FileAccess> {
    let metadata = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(FileAccess::Missing),
        Err(error) => return Err(error),
    };
    if metadata.is_symlink() {
        return Err(io::Error::other("it is a symbolic link; name the file itself"));
    }
    if !metadata.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    #[cfg(unix)]
    {
        let mode = std::os::unix::fs::PermissionsExt::mode(&metadata.permissions());
        if mode & 0o022 != 0 {
            let problem = "others may write to it; take that away with `chmod go-w`, and check what it holds";
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, problem));
        }
        if mode & 0o044 != 0 {
            return Ok(FileAccess::OthersRead);
        }
    }
    Ok(FileAccess::OwnerOnly)
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn links_and_files_that_others_write_are_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        assert_eq!(check_private_file(&path).unwrap(), FileAccess::Missing);
        let link = directory.path().join("link");
        symlink(&path, &link).unwrap();
        let problem = |path: &Path| check_private_file(path).unwrap_err().to_string();
        assert!(problem(&link).starts_with("it is a symbolic link"), "dangling");
        fs::write(&path, "").unwrap();
        assert!(problem(&link).starts_with("it is a symbolic link"));
        assert_eq!(problem(directory.path()), "it is not a regular file");
        for (mode, access) in [
            (0o600, Some(FileAccess::OwnerOnly)),
            (0o400, Some(FileAccess::OwnerOnly)),
            (0o644, Some(FileAccess::OthersRead)),
            (0o640, Some(FileAccess::OthersRead)),
            (0o660, None),
            (0o602, None),
            (0o666, None),
        ] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(check_private_file(&path).ok(), access, "{mode:o}");
            if access.is_none() {
                assert!(problem(&path).starts_with("others may write to it"));
            }
        }
    }
}
