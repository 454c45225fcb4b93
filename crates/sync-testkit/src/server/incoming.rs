//! A request, read whole before anything is done.

use std::collections::BTreeMap;
use std::io::Read;

use axum::body::to_bytes;
use axum::extract::{Query, Request};
use axum::http::Uri;
use flate2::read::GzDecoder;
use serde::de::DeserializeOwned;
use serde_json::Value;
use sync_core::Timestamp;
use sync_rest::wire::header;

use super::recorder::RecordedRequest;
use super::reply::Reply;
use super::routes::Action;
use super::settings::MockServerBuilder;

#[derive(Debug)]
pub(crate) struct Incoming {
    uri: Uri,
    pub(crate) request: RecordedRequest,
}

impl Incoming {
    /// Reads the request; `None` if it broke off.
    pub(crate) async fn read(request: Request, settings: &MockServerBuilder) -> Option<Self> {
        let (parts, body) = request.into_parts();
        let bytes = to_bytes(body, usize::MAX).await.ok()?;
        let gzipped = parts
            .headers
            .get("content-encoding")
            .is_some_and(|encoding| encoding == "gzip");
        let body = if gzipped {
            let mut plain = Vec::new();
            GzDecoder::new(&bytes[..]).read_to_end(&mut plain).ok()?;
            serde_json::from_slice(&plain).ok()
        } else {
            serde_json::from_slice(&bytes).ok()
        };
        let headers = parts.headers.iter().map(|(name, value)| {
            let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
            (name.as_str().to_owned(), value)
        });
        let query = Query::<Vec<(String, String)>>::try_from_uri(&parts.uri);
        let request = RecordedRequest {
            action: Action::of(&parts.method, parts.uri.path(), settings),
            method: parts.method.to_string(),
            path: parts.uri.path().to_owned(),
            query: query.map_or_else(
                |_| BTreeMap::new(),
                |Query(pairs)| pairs.into_iter().collect(),
            ),
            headers: headers.collect(),
            body,
        };
        Some(Self {
            uri: parts.uri,
            request,
        })
    }

    pub(crate) fn typed_query<T: DeserializeOwned>(&self) -> Result<T, Reply> {
        match Query::<T>::try_from_uri(&self.uri) {
            Ok(Query(query)) => Ok(query),
            Err(error) => Err(Reply::error(400, "bad_query", error.to_string())),
        }
    }

    pub(crate) fn key(&self) -> Option<&str> {
        self.request.header(header::IDEMPOTENCY_KEY)
    }

    pub(crate) fn says_true(&self, name: &str) -> bool {
        self.request.header(name) == Some("true")
    }

    pub(crate) fn takes_gzip(&self) -> bool {
        self.request
            .header("accept-encoding")
            .is_some_and(|encodings| encodings.contains("gzip"))
    }
}

/// A stamp as it came back: text or number.
pub(crate) fn read_stamp(value: &Value) -> Result<Timestamp, Reply> {
    Timestamp::from_json(value).map_err(|error| Reply::error(400, "bad_base", error.to_string()))
}

/// A stamp from a query, where a number is its decimal text.
pub(crate) fn read_stamp_text(text: &str) -> Result<Timestamp, Reply> {
    match text.parse::<i64>() {
        Ok(number) => read_stamp(&Value::from(number)),
        Err(_) => read_stamp(&Value::from(text)),
    }
}
