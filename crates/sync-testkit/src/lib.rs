//! Test tools for offline-first sync: a server that misbehaves on demand, and an outside world
//! that stands still.
//!
//! - [`MockServer`] speaks the whole protocol on a loopback port. A test seeds it, edits records
//!   as somebody else would, takes it off the network, and looks at what it was asked.
//! - [`Fault`]s and [`Gate`]s make its requests fail or wait, by count and route.
//! - [`FaultyTransport`] lays the same faults around any [`Transport`](sync_core::Transport), without a network.
//! - [`FakeEnv`] holds time, ids and randomness still.
//! - [`conformance`] proves a store, [`transport_conformance`](mod@transport_conformance) a transport, one test for each
//!   behaviour; [`server_conformance!`] asks a server of your own, over HTTP.
//! - [`sim`] hunts for lost data in random worlds of clients, faults and crashes, with an app's own
//!   tables too.
//!
//! No test has to sleep: a request waits at a gate, and time moves when told.
//!
//! # An integration test of an app
//! The app's code talks to [`MockServer::url`]; here it is a function that saves a note.
//!
//! ```
//! use serde_json::json;
//! use sync_testkit::{Fault, MockServer, Route};
//!
//! # async fn save_note(base: &str, text: &str) -> Result<u16, reqwest::Error> {
//! #     let note = json!({"id": "n1", "text": text});
//! #     let client = reqwest::Client::new();
//! #     let send = || client.put(format!("{base}/notes/n1")).header("X-Idempotency-Key", "k1").json(&note).send();
//! #     let answer = match send().await { Ok(answer) => answer, Err(_) => send().await? };
//! #     Ok(answer.status().as_u16())
//! # }
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let server = MockServer::start().await?;
//! server.seed("notes", [json!({"id": "n0", "text": "from another device"})])?;
//!
//! // The first push is done, but its answer is lost; the app repeats it under the same key.
//! let lost = server.fault(Fault::drop_after()).on(Route::Push);
//! save_note(&server.url(), "mine").await?;
//!
//! assert_eq!(lost.hits(), 1);
//! assert_eq!(server.pushes().len(), 2);
//! assert_eq!(server.applied_to("notes", "n1"), 1);
//! assert_eq!(server.get("notes", "n1").unwrap()["text"], "mine");
//! # Ok(())
//! # }
//! ```

pub mod conformance;
mod env;
mod faulty_transport;
mod gate;
mod server;
pub mod sim;
pub mod transport_conformance;

pub use env::FakeEnv;
pub use faulty_transport::{
    Call, Chances, Change, FaultyTransport, TransportFault, TransportScript,
};
pub use gate::Gate;
pub use server::{
    Backup, Deletion, Fault, FieldNames, MockServer, MockServerBuilder, RecordedRequest, Route,
    ScriptedFault, StampStyle,
};
