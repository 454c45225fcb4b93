//! A plain HTTP client, so that nothing of the library under test is on the other side.

use reqwest::{Client, Method, RequestBuilder, StatusCode};
use serde_json::Value;
use sync_testkit::MockServer;

pub(crate) struct Http {
    client: Client,
    base: String,
}

pub(crate) struct Got {
    pub(crate) status: u16,
    pub(crate) body: Value,
    pub(crate) text: String,
    headers: reqwest::header::HeaderMap,
}

impl Got {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    pub(crate) fn stamp(&self) -> Value {
        self.body["updated_at"].clone()
    }

    pub(crate) fn ids(&self) -> Vec<&str> {
        let items = self.body["items"].as_array().unwrap();
        items
            .iter()
            .map(|item| item["id"].as_str().unwrap())
            .collect()
    }
}

impl Http {
    pub(crate) fn to(server: &MockServer) -> Self {
        let client = Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .no_gzip();
        Self {
            client: client.build().unwrap(),
            base: server.url(),
        }
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.base))
    }

    pub(crate) async fn get(&self, path: &str) -> Got {
        send(self.request(Method::GET, path)).await
    }

    pub(crate) async fn put(&self, path: &str, body: &Value) -> Got {
        send(self.request(Method::PUT, path).json(body)).await
    }

    pub(crate) async fn put_with(&self, path: &str, body: &Value, headers: &[(&str, &str)]) -> Got {
        let request = self.request(Method::PUT, path).json(body);
        send(headers.iter().fold(request, |request, (name, value)| {
            request.header(*name, *value)
        }))
        .await
    }

    pub(crate) async fn delete(&self, path: &str, query: &[(&str, &str)]) -> Got {
        send(self.request(Method::DELETE, path).query(query)).await
    }

    pub(crate) async fn pull(&self, path: &str, query: &[(&str, &str)]) -> Got {
        send(self.request(Method::GET, path).query(query)).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Got {
        send(self.request(Method::POST, path).json(body)).await
    }
}

pub(crate) async fn send(request: RequestBuilder) -> Got {
    let response = request.send().await.unwrap();
    let status: StatusCode = response.status();
    let headers = response.headers().clone();
    let text = response.text().await.unwrap();
    Got {
        status: status.as_u16(),
        body: serde_json::from_str(&text).unwrap_or_default(),
        text,
        headers,
    }
}
