//! A server that is a program of its own, written in whatever language.

use std::collections::BTreeSet;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::{Child, Command};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout_at};

/// So long a program may take until it answers.
const DEADLINE: Duration = Duration::from_secs(20);
/// So long is waited between two looks.
const PAUSE: Duration = Duration::from_millis(20);

/// A running program that serves on a free port of this machine, and is killed when dropped.
///
/// ```no_run
/// use std::process::Command;
/// use sync_rest::RestTransport;
/// use sync_testkit::transport_conformance::{RealServer, ServerProcess};
///
/// # async fn fresh() -> Result<RealServer, Box<dyn std::error::Error>> {
/// let process = ServerProcess::start(|address| {
///     let mut command = Command::new("./my-server");
///     command.env("PORT", address.port().to_string());
///     command
/// })
/// .await?;
/// let transport = RestTransport::builder(process.url()).build()?;
/// # Ok(
/// RealServer::new(transport).keep(process)
/// # )
/// # }
/// ```
#[derive(Debug)]
pub struct ServerProcess {
    child: Child,
    address: SocketAddr,
}

impl ServerProcess {
    /// Starts the command, which is told its address, and waits until somebody takes connections there,
    /// 20 seconds at most.
    ///
    /// Name the program itself: of a wrapper such as `go run`, `npm start` or a shell, only the wrapper would
    /// be killed.
    ///
    /// # Errors
    /// If the command cannot be started, ends by itself, or takes no connection in time. The error names
    /// the command and the address.
    pub async fn start(command: impl FnOnce(SocketAddr) -> Command) -> io::Result<Self> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()?));
        let mut command = command(address);
        let child = command.spawn().map_err(|error| {
            let what = format!("the server `{command:?}` cannot be started: {error}");
            io::Error::new(error.kind(), what)
        })?;
        // Whatever comes now, dropping this ends the program.
        let mut process = Self { child, address };
        let trouble = process.answers().await.err();
        match trouble {
            None => Ok(process),
            Some(why) => {
                let what = format!("the server `{command:?}` is not there on {address}: {why}");
                Err(io::Error::new(why.kind(), what))
            }
        }
    }

    /// Where it serves: `http://127.0.0.1:` and the port.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Looks until it takes a connection.
    async fn answers(&mut self) -> io::Result<()> {
        let deadline = Instant::now() + DEADLINE;
        loop {
            let connected = timeout_at(deadline, TcpStream::connect(self.address)).await;
            // Looked at last: an answer may be that of another program, to which this one lost the port.
            if let Some(status) = self.child.try_wait()? {
                let what = format!("it ended by itself ({status}); what it said is above");
                return Err(io::Error::new(io::ErrorKind::BrokenPipe, what));
            }
            match connected {
                Ok(Ok(_)) => return Ok(()),
                Ok(Err(_)) if Instant::now() < deadline => sleep(PAUSE).await,
                _ => {
                    let what = format!("it took no connection within {DEADLINE:?}");
                    return Err(io::Error::new(io::ErrorKind::TimedOut, what));
                }
            }
        }
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        // It may have ended already; there is nobody to tell otherwise.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port that nobody had a moment ago, and that no other server of these tests got.
fn free_port() -> io::Result<u16> {
    static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());
    loop {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?
            .local_addr()?
            .port();
        let mut given = GIVEN.lock().unwrap_or_else(PoisonError::into_inner);
        if given.insert(port) {
            return Ok(port);
        }
    }
}
