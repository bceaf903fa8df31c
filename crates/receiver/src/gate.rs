use tokio::sync::{Semaphore, SemaphorePermit};

use crate::sink::SinkError;

/// More than there can ever be calls at once.
const EVERYBODY: u32 = 1 << 20;

/// Lets calls in until it is closed; closing waits for those that are in.
#[derive(Debug)]
pub(crate) struct Gate(Semaphore);

impl Gate {
    pub(crate) fn new() -> Self {
        Self(Semaphore::new(EVERYBODY as usize))
    }

    /// Lets a call in until what is returned is dropped.
    pub(crate) async fn enter(&self) -> Result<SemaphorePermit<'_>, SinkError> {
        self.0.acquire().await.map_err(|_| SinkError::closed())
    }

    /// Closes when all are out. The semaphore is fair: who comes meanwhile waits behind this and is refused.
    pub(crate) async fn close(&self) {
        if let Ok(_all) = self.0.acquire_many(EVERYBODY).await {
            self.0.close();
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::test;

    use super::*;
    use crate::sink::SinkErrorKind;

    #[test]
    async fn closing_waits_for_who_is_in_and_refuses_who_comes() {
        let gate = Gate::new();
        let inside = gate.enter().await.unwrap();
        let (mut closing, mut late) = (Box::pin(gate.close()), Box::pin(gate.enter()));
        tokio::select! {
            biased;
            () = &mut closing => panic!("closed with somebody inside"),
            _ = &mut late => panic!("let in while closing"),
            () = std::future::ready(()) => {}
        }
        drop(inside);
        closing.await;
        assert_eq!(late.await.unwrap_err().kind(), SinkErrorKind::Closed);
        gate.close().await;
    }
}
