//! A server on a free port, with its file in a temporary folder.
#![allow(
    dead_code,
    clippy::allow_attributes,
    reason = "each test file uses its part"
)]

use axum_server::app;
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

pub(crate) struct Server {
    pub(crate) url: String,
    pub(crate) folder: TempDir,
    task: JoinHandle<std::io::Result<()>>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    pub(crate) async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let app = app(folder.path().join("server.db")).await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self {
            url: format!("http://{}", listener.local_addr().unwrap()),
            folder,
            task: tokio::spawn(axum::serve(listener, app).into_future()),
        }
    }

    /// The server's file, to be read and written behind its back.
    pub(crate) async fn file(&self) -> SqlitePool {
        let file = SqliteConnectOptions::new().filename(self.folder.path().join("server.db"));
        SqlitePool::connect_with(file).await.unwrap()
    }

    /// The status and the body of an answer.
    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&Value>,
    ) -> (u16, Value) {
        let mut request = reqwest::Client::new().request(method, format!("{}/{path}", self.url));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    pub(crate) async fn put(
        &self,
        id: &str,
        headers: &[(&str, &str)],
        body: &Value,
    ) -> (u16, Value) {
        self.send(Method::PUT, &format!("todos/{id}"), headers, Some(body))
            .await
    }

    pub(crate) async fn create(&self, id: &str, title: &str) -> Value {
        let body = json!({"id": id, "title": title});
        let (status, record) = self.put(id, &[("If-None-Match", "*")], &body).await;
        assert_eq!(status, 200, "{record}");
        record
    }

    pub(crate) async fn get(&self, id: &str) -> (u16, Value) {
        self.send(Method::GET, &format!("todos/{id}"), &[], None)
            .await
    }

    /// The rows of a page.
    pub(crate) async fn list(&self, query: &str) -> Vec<Value> {
        let path = format!("todos?{query}");
        let (status, page) = self.send(Method::GET, &path, &[], None).await;
        assert_eq!(status, 200, "{page}");
        page["items"].as_array().unwrap().clone()
    }
}
