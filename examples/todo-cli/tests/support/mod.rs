//! Runs the program as a user would, in a folder of its own, with or without a terminal.
#![allow(
    dead_code,
    clippy::allow_attributes,
    reason = "each test file uses its part"
)]

mod pseudo_terminal;

use std::process::{Command, Output};

use axum_server::app;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

pub(crate) use pseudo_terminal::Terminal;

const PROGRAM: &str = env!("CARGO_BIN_EXE_todo-cli");

/// A server on a free port, which serves until this is dropped.
pub(crate) struct Server {
    pub(crate) url: String,
    _runtime: Runtime,
    _folder: TempDir,
}

impl Server {
    pub(crate) fn start() -> Self {
        let runtime = Runtime::new().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let file = folder.path().join("server.db");
        let app = runtime.block_on(app(file)).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        runtime.spawn(axum::serve(listener, app).into_future());
        Self {
            url,
            _runtime: runtime,
            _folder: folder,
        }
    }
}

/// A device: a folder with a list in it.
pub(crate) struct Device {
    pub(crate) folder: TempDir,
    pub(crate) server: String,
}

impl Device {
    /// Without a server if its URL is empty.
    pub(crate) fn new(server: &str) -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            server: server.to_owned(),
        }
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(PROGRAM);
        command.args(arguments).current_dir(self.folder.path());
        command.env_clear();
        if !self.server.is_empty() {
            command.env("TODO_SERVER", &self.server);
        }
        command.stdin(std::process::Stdio::null()).output().unwrap()
    }

    /// What a command that succeeds prints.
    pub(crate) fn tell(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success(),
            "{arguments:?}: {}: {errors}",
            output.status
        );
        String::from_utf8(output.stdout).unwrap()
    }

    pub(crate) fn code(&self, arguments: &[&str]) -> i32 {
        self.run(arguments).status.code().unwrap()
    }

    pub(crate) fn terminal(&self, arguments: &[&str]) -> Terminal {
        Terminal::run(PROGRAM, arguments, self.folder.path(), &self.server)
    }
}
