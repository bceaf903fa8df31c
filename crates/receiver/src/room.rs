//! Room on a disk, as far as it can be asked for.

#[cfg(feature = "sqlite")]
use std::path::Path;

/// The longest body there is by default, and what its event has beside it.
pub(crate) const ONE_EVENT: u64 = 96 * 1024;

/// The bytes that may still be written to the file system of `path`, and to a file of `length` bytes by this process.
/// `None`: nobody can say.
#[cfg(all(feature = "sqlite", unix))]
pub(crate) fn left(path: &Path, length: u64) -> Option<u64> {
    use rustix::process::{Resource, getrlimit};

    let system = rustix::fs::statvfs(path).ok()?;
    let on_disk = system.f_bavail.saturating_mul(system.f_frsize);
    let in_file = getrlimit(Resource::Fsize).current.map(|most| most.saturating_sub(length));
    Some(in_file.map_or(on_disk, |in_file| in_file.min(on_disk)))
}

#[cfg(all(feature = "sqlite", not(unix)))]
pub(crate) fn left(_: &Path, _: u64) -> Option<u64> {
    None
}
