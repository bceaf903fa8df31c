//! A disk whose power goes: what was not synced is not there afterwards, or only some of it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, Permissions};
use std::ops::AddAssign;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::UNIX_EPOCH;

use tempfile::TempDir;

use crate::Random;

/// The least that a disk writes at once, in bytes.
const SECTOR: usize = 512;

/// Compiles `source` into an object to preload, `name` in the build's directory for tests.
///
/// Once for each process: keep what it gives.
#[must_use]
pub fn compile_preloaded(source: &str, name: &str) -> PathBuf {
    // Tests run at once, each program in its own place.
    let directory = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../target/tmp");
    fs::create_dir_all(&directory).expect("a directory");
    let object = directory.join(format!("{name}-{}.so", std::process::id()));
    let mut compiler = Command::new("cc");
    compiler.args(["-shared", "-fPIC", "-O1", "-o"]).arg(&object).arg(source).arg("-ldl");
    let status = compiler.status().expect("a C compiler runs");
    assert!(status.success(), "{status}");
    object
}

/// The fate of everything that was never synced.
#[derive(Debug)]
pub enum Unsynced<'a> {
    /// None of it is there.
    Lost,
    /// Some of it is: names as before or as after, files up to anywhere, sectors as before or as after.
    Partly(&'a mut Random),
}

/// The things that a loss of power took.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Loss {
    /// Files that have another content than before.
    pub contents: usize,
    /// Names that are gone, that are there again, or that are another file's.
    pub names: usize,
}

impl AddAssign for Loss {
    fn add_assign(&mut self, more: Self) {
        self.contents += more.contents;
        self.names += more.names;
    }
}

/// A directory as programs see it, and beside it what its disk has.
///
/// Programs that are run with its [`variables`](Self::variables) tell what they sync; nobody else's syncs count.
#[derive(Debug)]
pub struct PowerDisk {
    root: PathBuf,
    image: TempDir,
}

/// The target of a name in a directory: a directory or not, and the key of its content.
type Entry = (bool, String);

impl PowerDisk {
    /// The disk under `root`, which has all that is there now.
    #[must_use]
    pub fn under(root: &Path) -> Self {
        let root = root.canonicalize().expect("a directory");
        let disk = Self { root, image: tempfile::tempdir().expect("a directory") };
        disk.settle();
        disk
    }

    /// The variables that programs are run with.
    #[must_use]
    pub fn variables(&self) -> Vec<(&'static str, String)> {
        static OBJECT: OnceLock<PathBuf> = OnceLock::new();
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/support/power.c");
        let object = OBJECT.get_or_init(|| compile_preloaded(source, "power"));
        let text = |path: &Path| path.to_str().expect("a path in UTF-8").to_owned();
        vec![
            ("LD_PRELOAD", text(object)),
            ("POWER_ROOT", text(&self.root)),
            ("POWER_IMAGE", text(self.image.path())),
        ]
    }

    /// Makes all durable that is there now.
    pub fn settle(&self) {
        for kind in ["files", "names"] {
            let directory = self.image.path().join(kind);
            let _ = fs::remove_dir_all(&directory);
            fs::create_dir(directory).expect("a directory");
        }
        self.settle_directory(&self.root);
    }

    fn settle_directory(&self, directory: &Path) {
        let mut lines = Vec::new();
        for (name, (is_directory, key)) in live_names(directory) {
            let path = directory.join(&name);
            if is_directory {
                self.settle_directory(&path);
            } else {
                fs::copy(&path, self.image.path().join("files").join(&key)).expect("a file");
            }
            lines.push(format!("{} {key} {name}\n", if is_directory { 'd' } else { 'f' }));
        }
        fs::write(self.image.path().join("names").join(key_of(directory)), lines.concat()).expect("a file");
    }

    /// The power goes and comes again. Nothing that was started with the [`variables`](Self::variables) may run.
    #[must_use]
    pub fn lose(&self, mut unsynced: Unsynced<'_>) -> Loss {
        let after = tempfile::tempdir().expect("a directory");
        let mut loss = Loss::default();
        self.rebuild(Some(&self.root), &key_of(&self.root), after.path(), &mut unsynced, &mut loss);
        for name in live_names(&self.root).into_keys() {
            let path = self.root.join(name);
            if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }.expect("ours");
        }
        copy_all(after.path(), &self.root);
        self.settle();
        loss
    }

    /// Makes in `after` what is left of the directory `key`, which is `live` if it is still there.
    fn rebuild(
        &self,
        live: Option<&Path>,
        key: &str,
        after: &Path,
        unsynced: &mut Unsynced<'_>,
        loss: &mut Loss,
    ) {
        let durable = self.durable_names(key);
        let seen = live.map(live_names).unwrap_or_default();
        for name in durable.keys().chain(seen.keys()).collect::<BTreeSet<_>>() {
            let (was, is) = (durable.get(name), seen.get(name));
            let stays = match unsynced {
                Unsynced::Partly(random) => random.one_in(2),
                Unsynced::Lost => false,
            };
            let kept = if stays { is } else { was };
            loss.names += usize::from(kept != is);
            let Some((is_directory, key)) = kept else { continue };
            let live = live.map(|live| live.join(name)).filter(|_| kept == is);
            let path = after.join(name);
            if *is_directory {
                fs::create_dir(&path).expect("a directory");
                self.rebuild(live.as_deref(), key, &path, unsynced, loss);
            } else {
                self.rebuild_file(live.as_deref(), key, &path, unsynced, loss);
            }
        }
    }

    fn rebuild_file(
        &self,
        live: Option<&Path>,
        key: &str,
        path: &Path,
        unsynced: &mut Unsynced<'_>,
        loss: &mut Loss,
    ) {
        let stored = self.image.path().join("files").join(key);
        // A file that was never synced is there without content.
        let durable = fs::read(&stored).unwrap_or_default();
        let seen = live.map(|live| fs::read(live).expect("a file"));
        let kept = match (unsynced, &seen) {
            (Unsynced::Partly(random), Some(seen)) => mix(&durable, seen, random),
            _ => durable,
        };
        loss.contents += usize::from(seen.is_some_and(|seen| seen != kept));
        fs::write(path, kept).expect("a file");
        let mode =
            [live, Some(stored.as_path())].into_iter().flatten().find_map(|path| fs::metadata(path).ok());
        let mode = mode.map_or(0o600, |metadata| metadata.mode() & 0o7777);
        fs::set_permissions(path, Permissions::from_mode(mode)).expect("a file of ours");
    }

    fn durable_names(&self, key: &str) -> BTreeMap<String, Entry> {
        // A directory that was never synced is there and empty.
        let lines = fs::read_to_string(self.image.path().join("names").join(key)).unwrap_or_default();
        let entry = |line: &str| {
            let mut parts = line.splitn(3, ' ').map(str::to_owned);
            let mut part = || parts.next().expect("three parts");
            let (kind, key, name) = (part(), part(), part());
            (name, (kind == "d", key))
        };
        lines.lines().map(entry).collect()
    }
}

/// A content on the way from `durable` to `seen`.
fn mix(durable: &[u8], seen: &[u8], random: &mut Random) -> Vec<u8> {
    if durable == seen || random.one_in(4) {
        return durable.to_vec();
    }
    let length = match seen.len().checked_sub(durable.len()) {
        Some(more) => durable.len() + random.below(more + 1),
        // Shorter at once, or not at all.
        None => seen.len(),
    };
    let sectorwise = random.one_in(2);
    let mut mixed = Vec::with_capacity(length);
    for start in (0..length).step_by(SECTOR) {
        let end = (start + SECTOR).min(length);
        let from = if sectorwise && random.one_in(2) { durable } else { seen };
        mixed.extend_from_slice(from.get(start..end.min(from.len())).unwrap_or_default());
        // What was never written there is zeros.
        mixed.resize(end, 0);
    }
    mixed
}

/// The inode and its birth, as the preloaded object has it.
fn key_of(path: &Path) -> String {
    let metadata = fs::symlink_metadata(path).expect("a file");
    let born = metadata.created().expect("a file system that tells times of birth");
    let born = born.duration_since(UNIX_EPOCH).expect("a time after 1970");
    format!("{}-{}-{:09}", metadata.ino(), born.as_secs(), born.subsec_nanos())
}

fn live_names(directory: &Path) -> BTreeMap<String, Entry> {
    let entry = |entry: std::io::Result<fs::DirEntry>| {
        let entry = entry.expect("a readable directory");
        let name = entry.file_name().into_string().expect("a name in UTF-8");
        (name, (entry.file_type().expect("a type").is_dir(), key_of(&entry.path())))
    };
    fs::read_dir(directory).expect("a directory").map(entry).collect()
}

fn copy_all(from: &Path, to: &Path) {
    for (name, (is_directory, _)) in live_names(from) {
        let (from, to) = (from.join(&name), to.join(&name));
        if is_directory {
            fs::create_dir(&to).expect("a directory");
            copy_all(&from, &to);
        } else {
            fs::copy(from, to).expect("a file");
        }
    }
}
