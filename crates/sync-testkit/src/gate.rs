//! Requests that wait until the test lets them go on: no test has to sleep.

use std::sync::Arc;

use tokio::sync::watch;

/// The test's end of a gate: requests wait at it until it is [released](Gate::release) or dropped.
///
/// ```
/// # use sync_testkit::{MockServer, Route};
/// # async fn example(server: MockServer) {
/// let gate = server.hold(Route::Push);
/// // start a sync …
/// gate.arrived().await; // the push has reached the server and waits
/// // … do what must happen meanwhile …
/// gate.release();
/// # }
/// ```
#[derive(Debug)]
#[must_use = "dropping a gate opens it"]
pub struct Gate {
    barrier: Barrier,
}

/// The requests' end of a gate.
#[derive(Debug, Clone)]
pub(crate) struct Barrier {
    open: Arc<watch::Sender<bool>>,
    arrived: Arc<watch::Sender<usize>>,
}

impl Gate {
    pub(crate) fn new() -> (Self, Barrier) {
        let barrier = Barrier {
            open: Arc::new(watch::Sender::new(false)),
            arrived: Arc::new(watch::Sender::new(0)),
        };
        let gate = Self {
            barrier: barrier.clone(),
        };
        (gate, barrier)
    }

    /// Waits until a request has come to the gate.
    pub async fn arrived(&self) {
        self.arrived_count(1).await;
    }

    /// Waits until so many requests have come to the gate, those that have gone on included.
    pub async fn arrived_count(&self, requests: usize) {
        let mut arrived = self.barrier.arrived.subscribe();
        // The sender lives in `self`, so waiting cannot fail.
        let _ = arrived.wait_for(|count| *count >= requests).await;
    }

    /// How many requests have come so far.
    #[must_use]
    pub fn count(&self) -> usize {
        *self.barrier.arrived.borrow()
    }

    /// Opens the gate for good: who waits goes on, who comes later does not wait.
    pub fn release(&self) {
        self.barrier.open.send_replace(true);
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.release();
    }
}

impl Barrier {
    pub(crate) async fn wait(&self) {
        self.arrived.send_modify(|count| *count += 1);
        let mut open = self.open.subscribe();
        // The sender lives in `self`, so waiting cannot fail.
        let _ = open.wait_for(|open| *open).await;
    }
}
