//! The program as it is called by a person.
#![expect(
    clippy::unwrap_used,
    reason = "the lints spare tests, but not the helpers beside them"
)]

use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};

use sync_testkit::transport_conformance::ServerProcess;

/// What it says before it gives up, called in this folder.
fn refused(folder: &Path, arguments: &[&str]) -> String {
    let mut program = Command::new(env!("CARGO_BIN_EXE_axum-server"));
    let said = program
        .args(arguments)
        .current_dir(folder)
        .output()
        .unwrap();
    assert_eq!(said.status.code(), Some(1));
    assert_eq!(said.stdout, b"", "it serves nothing, and says so nowhere");
    String::from_utf8(said.stderr).unwrap()
}

#[test]
fn an_option_is_answered_by_the_usage_and_makes_no_file() {
    let folder = tempfile::tempdir().unwrap();
    for option in ["--help", "-h", "--port"] {
        let said = refused(folder.path(), &[option]);
        assert!(
            said.starts_with("usage: axum-server [FILE [ADDRESS]]"),
            "{said}"
        );
    }
    assert_eq!(folder.path().read_dir().unwrap().count(), 0);
}

#[test]
fn a_file_that_cannot_be_opened_is_named_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let said = refused(folder.path(), &["missing/server.db"]);
    assert!(
        said.starts_with("cannot open missing/server.db: "),
        "{said}"
    );
}

#[test]
fn an_address_that_is_taken_is_named_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let said = refused(folder.path(), &["server.db", &address]);
    assert!(
        said.starts_with(&format!("cannot serve on {address}: ")),
        "{said}"
    );
}

#[tokio::test]
async fn a_process_serves_until_it_is_dropped() {
    let folder = tempfile::tempdir().unwrap();
    let mut served = None;
    let started = ServerProcess::start(|address| {
        served = Some(address);
        let mut program = Command::new(env!("CARGO_BIN_EXE_axum-server"));
        program.arg(folder.path().join("server.db"));
        program.arg(address.to_string()).stdout(Stdio::null());
        program
    });
    let process = started.await.unwrap();
    let health = reqwest::get(format!("{}/health", process.url())).await;
    assert_eq!(health.unwrap().status(), 200);
    drop(process);
    assert!(TcpStream::connect(served.unwrap()).is_err());
}
