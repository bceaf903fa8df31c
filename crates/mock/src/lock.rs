use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks also when a test panicked while holding the guard: every critical section leaves the data consistent.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
