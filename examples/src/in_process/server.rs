//! The server: records in maps, a clock that moves with each write.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use serde_json::{Value, json};
use sync_core::transport::{PullRequest, PushChange, PushOp};
use sync_core::{EntityId, InvalidRecord, Kind, Precondition, Record, Timestamp};

use super::{Ask, Line, Lost, Request, Response};

/// A server that keeps everything in memory and does what `docs/protocol.md` asks of one.
#[derive(Debug)]
pub struct Server {
    token: String,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    tables: BTreeMap<Kind, BTreeMap<EntityId, Record>>,
    /// What was answered to each idempotency key, for the kind and the record that it was about.
    answers: BTreeMap<String, (Kind, EntityId, Response)>,
    /// The newest stamp, in nanoseconds since 1970.
    newest: i128,
}

impl Server {
    /// An empty server that lets in who has this token.
    pub fn new(token: impl Into<String>) -> Self {
        Self {
            token: token.into(),
            state: Mutex::default(),
        }
    }

    /// Stores a record as it is, its stamp included.
    ///
    /// # Errors
    /// If it is no object with an id and a stamp.
    pub fn seed(&self, kind: &Kind, record: Value) -> Result<(), InvalidRecord> {
        let record = Record::try_from(record)?;
        let (id, stamp) = (record.id()?, record.stamp()?);
        let mut state = self.state();
        state.newest = state.newest.max(stamp.unix_nanos());
        let table = state.tables.entry(kind.clone()).or_default();
        table.insert(id, record);
        Ok(())
    }

    /// A record as it is stored, live or a tombstone.
    #[must_use]
    pub fn get(&self, kind: &Kind, id: &EntityId) -> Option<Record> {
        self.state().tables.get(kind)?.get(id).cloned()
    }

    /// How many writes took effect on a record.
    #[must_use]
    pub fn effects(&self, kind: &Kind, id: &EntityId) -> usize {
        let state = self.state();
        let answers = state.answers.values();
        let about = answers.filter(|(of, record, _)| of == kind && record == id);
        about.count()
    }

    /// Somebody else's edit: these fields over the record. Returns the whole.
    pub fn edit(&self, kind: &Kind, id: &EntityId, fields: Value) -> Value {
        let mut record = self.get(kind, id).unwrap_or_default();
        if let Value::Object(fields) = fields {
            record.fields_mut().extend(fields);
        }
        self.state().put(kind, id, record).into()
    }

    /// Somebody else's deletion.
    pub fn delete(&self, kind: &Kind, id: &EntityId) {
        self.state().remove(kind, id);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Line for Server {
    /// Nothing gets lost between two functions.
    async fn carry(&self, request: Request) -> Result<Response, Lost> {
        if request.token != self.token {
            return Ok(Response::of(401));
        }
        let mut state = self.state();
        Ok(match request.ask {
            Ask::List(request) => state.list(&request),
            Ask::Find(request) => state.find(&request.kind, &request.id),
            Ask::Write(op) => state.write(op),
            Ask::Ping => Response::of(200),
        })
    }
}

impl State {
    /// The rows behind the keyset `(since, after_id)`, in order of `(stamp, id)`.
    fn list(&self, request: &PullRequest) -> Response {
        let rows = self.tables.get(&request.kind).into_iter().flatten();
        let mut rows: Vec<_> = rows
            .filter_map(|(id, row)| Some((row.stamp().ok()?, id, row)))
            .filter(|(stamp, id, row)| {
                is_behind(request, stamp, id)
                    && (request.include_deleted || !row.is_deleted())
                    && passes(&request.filter, row)
            })
            .collect();
        rows.sort_by(|(a, x, _), (b, y, _)| a.cmp(b).then(x.cmp(y)));
        let limit = usize::try_from(request.limit).unwrap_or(usize::MAX);
        let page = rows.into_iter().take(limit);
        let items = page.map(|(_, _, row)| Value::from(row.clone())).collect();
        Response::of(200).with(Value::Array(items))
    }

    fn find(&self, kind: &Kind, id: &EntityId) -> Response {
        match self.tables.get(kind).and_then(|table| table.get(id)) {
            Some(row) => Response::of(200).with(row.clone().into()),
            None => Response::of(404),
        }
    }

    /// Does the write, or says again what its key was told before.
    fn write(&mut self, op: PushOp) -> Response {
        if let Some((_, _, told)) = self.answers.get(&op.key) {
            return told.clone();
        }
        if let Some(refusal) = self.refusal(&op) {
            return refusal;
        }
        let record = match op.change {
            PushChange::Upsert { record, .. } => self.put(&op.kind, &op.id, record),
            PushChange::Delete => self.remove(&op.kind, &op.id),
        };
        let told = Response::of(200).with(record.into());
        // Kept with the write itself: a server with a database does both in one transaction.
        self.answers.insert(op.key, (op.kind, op.id, told.clone()));
        told
    }

    /// A stamp later than every other, so that no pull passes the write over.
    fn tick(&mut self) -> Value {
        self.newest += 1_000;
        Timestamp::from_unix_nanos(self.newest).to_json()
    }

    fn put(&mut self, kind: &Kind, id: &EntityId, mut record: Record) -> Record {
        let stamp = self.tick();
        let fields = record.fields_mut();
        fields.insert("id".to_owned(), json!(id));
        fields.insert("updated_at".to_owned(), stamp);
        let table = self.tables.entry(kind.clone()).or_default();
        table.insert(id.clone(), record.clone());
        record
    }

    /// Leaves a tombstone: who pulls later has to hear of the deletion.
    fn remove(&mut self, kind: &Kind, id: &EntityId) -> Record {
        let found = self.tables.get(kind).and_then(|table| table.get(id));
        let mut tombstone = found.cloned().unwrap_or_default();
        let deleted_at = self.tick();
        let fields = tombstone.fields_mut();
        fields.insert("deleted_at".to_owned(), deleted_at);
        self.put(kind, id, tombstone)
    }

    /// Why the write is not done, if it is not.
    fn refusal(&self, op: &PushOp) -> Option<Response> {
        let table = self.tables.get(&op.kind);
        let Some(row) = table.and_then(|table| table.get(&op.id)) else {
            let wants_a_row = matches!(op.precondition, Precondition::IfBase { .. });
            let deletes = matches!(op.change, PushChange::Delete);
            return (wants_a_row || deletes).then(|| Response::of(404));
        };
        let is_met = match &op.precondition {
            Precondition::IfBase { version } => row.stamp().as_ref() == Ok(&version.stamp),
            Precondition::IfAbsent => row.is_deleted(),
            Precondition::Force => true,
        };
        (!is_met).then(|| Response::of(409).with(row.clone().into()))
    }
}

fn is_behind(request: &PullRequest, stamp: &Timestamp, id: &EntityId) -> bool {
    request.since.as_ref().is_none_or(|since| {
        let is_new_at_since = || request.after_id.as_ref().is_none_or(|after| id > after);
        stamp > since || (stamp == since && is_new_at_since())
    })
}

fn passes(filter: &[(String, String)], row: &Record) -> bool {
    let holds = |(field, wanted): &(String, String)| {
        let value = row.get(field).and_then(Value::as_str);
        value == Some(wanted)
    };
    filter.iter().all(holds)
}

impl Response {
    /// This status and nothing else.
    #[must_use]
    pub fn of(status: u16) -> Self {
        Self {
            status,
            body: None,
            retry_after: None,
        }
    }

    /// The same with a body.
    #[must_use]
    pub fn with(mut self, body: Value) -> Self {
        self.body = Some(body);
        self
    }
}
