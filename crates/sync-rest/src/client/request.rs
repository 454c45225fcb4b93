//! Requests, built without sending them.

use std::collections::BTreeMap;
use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use reqwest::header::{
    ACCEPT, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, IF_MATCH,
    IF_NONE_MATCH,
};
use reqwest::{Method, Url};
use serde_json::Value;
use sync_core::transport::{
    Features, FetchRequest, PullRequest, PushChange, PushOp, TransportError, TransportErrorKind,
};
use sync_core::{ChangedFields, Kind, Precondition, Record, Timestamp, Version};

use crate::route::KindRoute;
use crate::wire::{
    BEGINNING, BatchOp, BatchOpKind, BatchRequest, PullQuery, body_key, feature, header, path,
    query,
};

/// Longest address of a request: HTTP libraries refuse longer ones, and servers much shorter ones.
const MAX_URL: usize = 60_000;
/// Smaller bodies are not worth compressing.
const GZIP_FROM: usize = 8 * 1024;
const TRUE: HeaderValue = HeaderValue::from_static("true");

/// A request, ready but for the `Authorization` header.
#[derive(Debug)]
pub(super) struct Outgoing {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) headers: HeaderMap,
    pub(super) body: Option<Vec<u8>>,
    /// Whose request it is, where that is known: nobody else's token goes with it.
    pub(super) account: Option<String>,
}

/// Where everything is.
#[derive(Debug)]
pub(super) struct Requests {
    pub(super) base: Url,
    pub(super) batch_path: String,
    pub(super) routes: BTreeMap<Kind, KindRoute>,
    pub(super) usual: KindRoute,
}

impl Requests {
    pub(super) fn route(&self, kind: &Kind) -> &KindRoute {
        self.routes.get(kind).unwrap_or(&self.usual)
    }

    pub(super) fn pull(&self, request: &PullRequest) -> Result<Outgoing, TransportError> {
        let route = self.route(&request.kind);
        let query = PullQuery {
            updated_since: Some(request.since.as_ref().map_or(BEGINNING.to_owned(), since)),
            limit: Some(request.limit),
            include_deleted: Some(request.include_deleted),
            after_id: request.after_id.clone().map(String::from),
            page_token: request.page_token.clone(),
            cursor: request.cursor.clone(),
        };
        let own = query.pairs().into_iter();
        let filter = request.filter.iter().cloned();
        let pairs = own
            .map(|(name, value)| (name.to_owned(), value))
            .chain(filter);
        self.of_kind(Method::GET, route, &route.collection(&request.kind), pairs)
    }

    pub(super) fn fetch(&self, request: &FetchRequest) -> Result<Outgoing, TransportError> {
        let route = self.route(&request.kind);
        let path = record_path(route, &request.kind, request.id.as_str());
        self.of_kind(Method::GET, route, &path, [])
    }

    pub(super) fn health(&self) -> Outgoing {
        self.outgoing(Method::GET, path::HEALTH)
    }

    /// The live channel, from now on or from behind this event.
    pub(super) fn events(&self, last_id: Option<HeaderValue>) -> Outgoing {
        let mut outgoing = self.outgoing(Method::GET, path::EVENTS);
        let stream = HeaderValue::from_static("text/event-stream");
        outgoing.headers.insert(ACCEPT, stream);
        if let Some(id) = last_id {
            let name = HeaderName::from_static(header::LAST_EVENT_ID);
            outgoing.headers.insert(name, id);
        }
        outgoing
    }

    pub(super) fn push(
        &self,
        op: &PushOp,
        features: &Features,
    ) -> Result<Outgoing, TransportError> {
        let route = self.route(&op.kind);
        let path = record_path(route, &op.kind, op.id.as_str());
        let base = base_of(op).map(|version| version.stamp.to_json());
        let mut outgoing = match &op.change {
            PushChange::Upsert { record, changed } => {
                let mut outgoing = self.of_kind(Method::PUT, route, &path, [])?;
                let body = upsert_body(record, base, changed.as_ref(), route);
                outgoing.set_json(&Value::from(body), features)?;
                outgoing
            }
            PushChange::Delete => {
                let base = base.map(|stamp| (query::BASE_UPDATED_AT.to_owned(), as_text(&stamp)));
                self.of_kind(Method::DELETE, route, &path, base)?
            }
        };
        outgoing.set_preconditions(op)?;
        Ok(outgoing)
    }

    pub(super) fn batch(
        &self,
        ops: &[PushOp],
        features: &Features,
    ) -> Result<Outgoing, TransportError> {
        let ops = ops.iter().map(|op| self.batch_op(op)).collect();
        let mut outgoing = self.outgoing(Method::POST, &self.batch_path);
        outgoing.set_json(&BatchRequest { ops }, features)?;
        Ok(outgoing)
    }

    fn batch_op(&self, op: &PushOp) -> BatchOp {
        let names = &self.route(&op.kind).names;
        let (op_kind, payload, changed) = match &op.change {
            PushChange::Upsert { record, changed } => {
                let mut record = record.clone();
                names.to_server(&mut record);
                (
                    BatchOpKind::Upsert,
                    Some(Value::from(record)),
                    changed.as_ref(),
                )
            }
            PushChange::Delete => (BatchOpKind::Delete, None, None),
        };
        BatchOp {
            op_id: op.key.clone(),
            kind: op.kind.as_str().to_owned(),
            id: op.id.as_str().to_owned(),
            op_kind,
            payload,
            base_updated_at: base_of(op).map(|version| version.stamp.to_json()),
            if_absent: op.precondition == Precondition::IfAbsent,
            changed_fields: changed.map(|fields| {
                fields
                    .iter()
                    .map(|field| names.server_name(field))
                    .collect()
            }),
            force: op.precondition == Precondition::Force,
        }
    }

    fn of_kind(
        &self,
        method: Method,
        route: &KindRoute,
        path: &str,
        pairs: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Outgoing, TransportError> {
        let mut outgoing = self.outgoing(method, path);
        for (name, value) in route.query.iter().cloned().chain(pairs) {
            outgoing.url.query_pairs_mut().append_pair(&name, &value);
        }
        if outgoing.url.as_str().len() > MAX_URL {
            // Not a fault of the set-up: it holds up this entity alone.
            let message = "the request's address is too long: an id, a page token or a filter is";
            let error = TransportError::new(TransportErrorKind::Rejected, message);
            return Err(error.with_maybe_sent(false));
        }
        for (name, value) in &route.headers {
            let (name, value) = extra_header(name, value)?;
            outgoing.headers.insert(name, value);
        }
        Ok(outgoing)
    }

    fn outgoing(&self, method: Method, path: &str) -> Outgoing {
        let mut url = self.base.clone();
        url.set_path(&format!(
            "{}/{path}",
            self.base.path().trim_end_matches('/')
        ));
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        Outgoing {
            method,
            url,
            headers,
            body: None,
            account: None,
        }
    }
}

impl Outgoing {
    pub(super) fn of_account(mut self, account: Option<&String>) -> Self {
        self.account = account.cloned();
        self
    }

    fn set_preconditions(&mut self, op: &PushOp) -> Result<(), TransportError> {
        // Not a fault of the set-up: it holds up this operation alone.
        let key = HeaderValue::from_str(&op.key).map_err(|error| {
            let message = "the operation's id cannot be sent as a header";
            TransportError::new(TransportErrorKind::Other, message)
                .with_maybe_sent(false)
                .with_source(error)
        })?;
        self.headers.insert(header::IDEMPOTENCY_KEY, key);
        match &op.precondition {
            Precondition::IfBase { version } => {
                let strong = version.tag.as_deref().filter(|tag| tag.starts_with('"'));
                if let Some(Ok(tag)) = strong.map(HeaderValue::from_str) {
                    self.headers.insert(IF_MATCH, tag);
                }
            }
            Precondition::IfAbsent => {
                let any = HeaderValue::from_static("*");
                self.headers.insert(IF_NONE_MATCH, any);
            }
            Precondition::Force => {
                let name = match op.change {
                    PushChange::Upsert { .. } => header::FORCE_UPDATE,
                    PushChange::Delete => header::FORCE_DELETE,
                };
                self.headers.insert(name, TRUE);
            }
        }
        Ok(())
    }

    fn set_json(
        &mut self,
        body: &impl serde::Serialize,
        features: &Features,
    ) -> Result<(), TransportError> {
        let cannot = "a request body cannot be written";
        let mut bytes = serde_json::to_vec(body).map_err(|error| configuration(cannot, error))?;
        if bytes.len() > GZIP_FROM && features.has(feature::GZIP) {
            bytes = gzip(&bytes).map_err(|error| configuration(cannot, error))?;
            let gzip = HeaderValue::from_static("gzip");
            self.headers.insert(CONTENT_ENCODING, gzip);
        }
        let json = HeaderValue::from_static("application/json");
        self.headers.insert(CONTENT_TYPE, json);
        self.body = Some(bytes);
        Ok(())
    }
}

/// A header that the application adds; its value may be a secret.
pub(super) fn extra_header(
    name: &str,
    value: &str,
) -> Result<(HeaderName, HeaderValue), TransportError> {
    let name = HeaderName::try_from(name)
        .map_err(|error| configuration("the name of an extra header is not valid", error))?;
    let mut value = HeaderValue::from_str(value)
        .map_err(|error| configuration("the value of an extra header is not valid", error))?;
    value.set_sensitive(true);
    Ok((name, value))
}

fn record_path(route: &KindRoute, kind: &Kind, id: &str) -> String {
    format!("{}/{}", route.collection(kind), path::segment(id))
}

fn upsert_body(
    record: &Record,
    base: Option<Value>,
    changed: Option<&ChangedFields>,
    route: &KindRoute,
) -> Record {
    let mut body = record.clone();
    route.names.to_server(&mut body);
    let fields = body.fields_mut();
    // Left over in a record that a server echoed, they would speak of another request.
    fields.remove(body_key::BASE_UPDATED_AT);
    fields.remove(body_key::CHANGED_FIELDS);
    if let Some(stamp) = base {
        fields.insert(body_key::BASE_UPDATED_AT.to_owned(), stamp);
    }
    if let Some(changed) = changed {
        let names = changed
            .iter()
            .map(|field| Value::from(route.names.server_name(field)));
        fields.insert(body_key::CHANGED_FIELDS.to_owned(), names.collect());
    }
    body
}

fn base_of(op: &PushOp) -> Option<&Version> {
    match &op.precondition {
        Precondition::IfBase { version } => Some(version),
        Precondition::IfAbsent | Precondition::Force => None,
    }
}

/// A text stamp goes back as the server wrote it; a number is asked for in RFC 3339.
fn since(stamp: &Timestamp) -> String {
    match stamp.to_json() {
        Value::String(text) => text,
        _ => stamp.to_rfc3339_utc(),
    }
}

fn as_text(stamp: &Value) -> String {
    stamp
        .as_str()
        .map_or_else(|| stamp.to_string(), str::to_owned)
}

fn gzip(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes)?;
    encoder.finish()
}

pub(super) fn configuration(
    what: &str,
    error: impl std::error::Error + Send + Sync + 'static,
) -> TransportError {
    TransportError::new(TransportErrorKind::Configuration, what).with_source(error)
}
