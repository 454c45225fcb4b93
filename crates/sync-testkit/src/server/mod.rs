//! A server on a loopback port that speaks the whole protocol and misbehaves on demand.

mod clock;
mod faults;
mod incoming;
mod link;
mod recorder;
mod reply;
mod routes;
mod script;
mod service;
mod settings;
mod spoil;
mod state;
mod verbs;
mod write;

use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub use clock::StampStyle;
pub use faults::{Fault, Route};
pub use recorder::RecordedRequest;
pub use script::ScriptedFault;
pub use settings::{Deletion, FieldNames, MockServerBuilder};
pub use verbs::Backup;

use link::{Cutter, LinkListener, Links};
use script::Script;
use state::State;
use write::{Outcome, Write};

/// As many connections as may wait to be accepted.
const BACKLOG: u32 = 1024;

/// A real HTTP server with its records in memory.
///
/// A clone is another handle to the same server; it stops when the last one is dropped. Its clock
/// is its own: it stands still between writes, and every write gets a later stamp than the one
/// before. See the [crate's documentation](crate) for an example.
///
/// ```
/// # use serde_json::json;
/// # use sync_testkit::{Fault, MockServer, Route};
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let server = MockServer::start().await?;
/// server.seed("todos", [json!({"id": "milk", "title": "Milk"})])?;
/// server.fault(Fault::status(503)).on(Route::Push).times(2);
/// server.update("todos", "milk", json!({"title": "Oat milk"})); // as another user
/// println!("{} has {:?}", server.url(), server.all("todos"));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct MockServer {
    shared: Arc<Shared>,
    running: Arc<Running>,
}

#[derive(Debug)]
struct Running {
    address: SocketAddr,
    links: Links,
    app: Router,
    task: Mutex<Option<JoinHandle<()>>>,
    /// Keeps the port while nobody listens on it.
    kept: Mutex<Option<TcpSocket>>,
}

/// What the handles and the service have in common.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) stored: Arc<Stored>,
    pub(crate) changed: watch::Sender<()>,
    pub(crate) faults: Script,
    settings: Mutex<MockServerBuilder>,
    recorded: Mutex<Vec<RecordedRequest>>,
}

#[derive(Debug, Default)]
pub(crate) struct Stored(Mutex<State>);

impl Stored {
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.0)
    }
}

impl Shared {
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.stored.state()
    }

    pub(crate) fn settings(&self) -> MockServerBuilder {
        lock(&self.settings).clone()
    }

    pub(crate) fn record(&self, request: RecordedRequest) {
        lock(&self.recorded).push(request);
    }

    pub(crate) fn write(
        &self,
        settings: &MockServerBuilder,
        key: Option<&str>,
        write: &Write,
    ) -> Outcome {
        self.change(|state| state.push(settings, key, write))
    }

    /// Changes the stored records and wakes the live channels.
    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let result = change(&mut self.state());
        self.changed.send_replace(());
        result
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl MockServer {
    /// Starts a server with the default switches on a free port of the loopback interface.
    ///
    /// # Errors
    /// If no port can be bound.
    pub async fn start() -> io::Result<Self> {
        Self::builder().start().await
    }

    /// The switches of a server that is not started yet.
    pub fn builder() -> MockServerBuilder {
        MockServerBuilder::default()
    }

    pub(crate) async fn with(settings: MockServerBuilder) -> io::Result<Self> {
        let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = tcp.local_addr()?;
        let shared = Arc::new(Shared {
            stored: Arc::default(),
            changed: watch::Sender::new(()),
            faults: Script::default(),
            settings: Mutex::new(settings),
            recorded: Mutex::default(),
        });
        let running = Running {
            address,
            links: Links::default(),
            app: service::router(Arc::clone(&shared)),
            task: Mutex::default(),
            kept: Mutex::default(),
        };
        running.accept(tcp);
        Ok(Self {
            shared,
            running: Arc::new(running),
        })
    }

    /// The base URL, without a slash at its end.
    #[must_use]
    pub fn url(&self) -> String {
        let base_path = self.shared.settings().base_path;
        let slash = if base_path.is_empty() { "" } else { "/" };
        format!("http://{}{slash}{base_path}", self.running.address)
    }

    /// Takes the server off the network or puts it back, at the same address. Offline,
    /// connections are refused and those that exist are cut; what is stored stays. The port is
    /// kept meanwhile, so that no other server gets the requests that are meant for this one.
    ///
    /// # Errors
    /// If somebody else has taken the port meanwhile.
    pub async fn set_online(&self, online: bool) -> io::Result<()> {
        let task = lock(&self.running.task).take();
        match (online, task) {
            (true, None) => {
                let kept = lock(&self.running.kept).take();
                let tcp = match kept {
                    // The port is never free in between.
                    Some(kept) => kept.listen(BACKLOG)?,
                    None => TcpListener::bind(self.running.address).await?,
                };
                self.running.accept(tcp);
            }
            (true, running) => *lock(&self.running.task) = running,
            (false, None) => {}
            (false, Some(task)) => {
                task.abort();
                // The listener is closed when the aborted task has gone; its result says no more.
                let _ = task.await;
                self.running.links.cut_all();
                let kept = keep(self.running.address).await?;
                *lock(&self.running.kept) = Some(kept);
            }
        }
        Ok(())
    }

    /// Cuts every connection that is open; new ones are accepted.
    pub fn cut_connections(&self) {
        self.running.links.cut_all();
    }
}

/// Takes a port without listening on it: who connects is refused. The kernel may close a listener
/// a moment after its owner did, and goes on taking connections till then; that this succeeds shows
/// that it is closed.
async fn keep(address: SocketAddr) -> io::Result<TcpSocket> {
    const MOST_TRIES: u32 = 100_000;
    let kept = TcpSocket::new_v4()?;
    kept.set_reuseaddr(true)?;
    let mut tries = 0;
    loop {
        match kept.bind(address) {
            Err(error) if error.kind() == ErrorKind::AddrInUse && tries < MOST_TRIES => {
                tries += 1;
                std::thread::yield_now();
                tokio::task::yield_now().await;
            }
            Err(error) => return Err(error),
            Ok(()) => return Ok(kept),
        }
    }
}

impl Running {
    fn accept(&self, tcp: TcpListener) {
        let listener = LinkListener {
            tcp,
            links: self.links.clone(),
        };
        let service = self
            .app
            .clone()
            .into_make_service_with_connect_info::<Cutter>();
        let task = tokio::spawn(async move {
            // It ends by being aborted only.
            let _ = axum::serve(listener, service).await;
        });
        *lock(&self.task) = Some(task);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(task) = lock(&self.task).take() {
            task.abort();
        }
        self.links.cut_all();
    }
}
