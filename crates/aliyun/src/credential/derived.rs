use std::fmt;
use std::sync::{Mutex, PoisonError};

use sha2::{Digest, Sha256};

/// What was made of settings, kept for as long as they are the same: with it, what it was issued.
///
/// Only a hash of the settings is kept: secrets may be among them.
pub(super) struct Derived<T>(Mutex<Option<(Settings, T)>>);

type Settings = [u8; 32];

impl<T: Clone> Derived<T> {
    /// What `make` makes of `settings`, or made of them the last time.
    pub(super) fn get<E>(
        &self,
        settings: &[impl AsRef<str>],
        make: impl FnOnce() -> Result<T, E>,
    ) -> Result<T, E> {
        let settings = hash(settings);
        // Held while it is made, so that all who ask at the same time get one.
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((from, made)) = &*held
            && *from == settings
        {
            return Ok(made.clone());
        }
        let new = make()?;
        *held = Some((settings, new.clone()));
        Ok(new)
    }
}

fn hash(settings: &[impl AsRef<str>]) -> Settings {
    let mut hash = Sha256::new();
    for part in settings.iter().map(AsRef::as_ref) {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

impl<T> Default for Derived<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T> fmt::Debug for Derived<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Derived").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use record_callback_core::{Error, ErrorKind};

    use super::*;

    #[test]
    fn the_same_settings_are_used_again_and_others_are_not() {
        let derived = Derived::default();
        let get = |settings: &[&str], made| derived.get(settings, || Ok::<_, Error>(made)).unwrap();
        assert_eq!((get(&["a", "bc"], 1), get(&["a", "bc"], 2), get(&["ab", "c"], 3)), (1, 1, 3));
        let failed = derived.get(&["x"], || Err(Error::new(ErrorKind::Unauthenticated, "is broken")));
        assert!(failed.is_err());
        assert_eq!(get(&["x"], 4), 4);
    }
}
