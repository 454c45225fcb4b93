//! Runs the program as a user would, in a folder of its own, with or without a terminal.
#![allow(
    dead_code,
    clippy::allow_attributes,
    reason = "each test file uses its part"
)]

mod pseudo_terminal;
pub(crate) mod snapshot;

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};

use axum::extract::{Request, State};
use axum::http::{Method, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use axum_server::app;
use serde_json::{Value, json};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

pub(crate) use pseudo_terminal::Terminal;

const PROGRAM: &str = env!("CARGO_BIN_EXE_todo-cli");

/// Why nothing is taken, while nothing is.
type Refusal = Arc<Mutex<Option<&'static str>>>;

/// A server on a free port, which serves until this is dropped.
pub(crate) struct Server {
    pub(crate) url: String,
    refusal: Refusal,
    _runtime: Runtime,
    _folder: TempDir,
}

impl Server {
    pub(crate) fn start() -> Self {
        let runtime = Runtime::new().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let file = folder.path().join("server.db");
        let refusal = Refusal::default();
        let app = runtime.block_on(app(file)).unwrap();
        let app = app.layer(from_fn_with_state(refusal.clone(), refuse));
        let url = format!("http://{}", listener.local_addr().unwrap());
        runtime.spawn(axum::serve(listener, app).into_future());
        Self {
            url,
            refusal,
            _runtime: runtime,
            _folder: folder,
        }
    }

    /// From now on no change is taken, and this is said to it; `None` = every change is again.
    pub(crate) fn refuse(&self, why: Option<&'static str>) {
        *self.refusal.lock().unwrap() = why;
    }

    /// Another program writes a to-do, whatever is there.
    pub(crate) fn put(&self, id: &str, record: &Value) {
        let mut server = TcpStream::connect(self.url.strip_prefix("http://").unwrap()).unwrap();
        let body = record.to_string();
        let length = body.len();
        write!(
            server,
            "PUT /todos/{id} HTTP/1.1\r\nhost: server\r\nx-force-update: true\r\nconnection: close\r\n\
             content-length: {length}\r\n\r\n{body}"
        )
        .unwrap();
        let mut answer = String::new();
        server.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
}

async fn refuse(State(refusal): State<Refusal>, request: Request, next: Next) -> Response {
    let refusal = *refusal.lock().unwrap();
    match refusal {
        Some(why) if request.method() != Method::GET => {
            let why = axum::Json(json!({"error": why}));
            (StatusCode::UNPROCESSABLE_ENTITY, why).into_response()
        }
        _ => next.run(request).await,
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

    /// What it prints as JSON, whatever becomes of it.
    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        let output = self.run(&[arguments, &["--json"]].concat());
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// Changes its file behind its back.
    pub(crate) fn sql(&self, file: &str, sql: &'static str) {
        let file = SqliteConnectOptions::new().filename(self.folder.path().join(file));
        let change = async {
            let mut file = file.create_if_missing(true).connect().await.unwrap();
            sqlx::raw_sql(sql).execute(&mut file).await.unwrap();
            file.close().await.unwrap();
        };
        Runtime::new().unwrap().block_on(change);
    }

    pub(crate) fn code(&self, arguments: &[&str]) -> i32 {
        self.run(arguments).status.code().unwrap()
    }

    pub(crate) fn terminal(&self, arguments: &[&str]) -> Terminal {
        Terminal::run(PROGRAM, arguments, self.folder.path(), &self.server)
    }
}
