//! What lies in a fixture: something of everything that the library keeps.

use serde_json::{Value, json};
use sync_core::store::{
    ConflictEntry, CursorState, Decided, OpQuery, QuarantineCause, QuarantineEntry, Removal,
    ResolvedConflict, ResyncState, RowWrite, Store, TxMode,
};
use sync_core::{
    Body, Change, ChangedFields, Column, ColumnType, ConflictStrategy, EntityId, Fate, Kind, Op,
    OpId, OpStatus, Precondition, Record, ServerState, Shadow, TableSchema, Timestamp, Verdict,
    Version,
};
use sync_sqlx::SqliteStore;

/// The user's table.
pub(crate) const TABLE: &str = "CREATE TABLE IF NOT EXISTS notes (
    id TEXT PRIMARY KEY NOT NULL,
    title TEXT NOT NULL,
    done INTEGER,
    stars INTEGER,
    weight REAL,
    tags TEXT,
    photo BLOB,
    due_on TEXT,
    pinned INTEGER,
    updated_at TEXT,
    deleted_at TEXT
)";

pub(crate) fn kind() -> Kind {
    Kind::new("notes").unwrap()
}

/// A kind that the app does not register any more.
pub(crate) fn former() -> Kind {
    Kind::new("former").unwrap()
}

pub(crate) fn schema() -> TableSchema {
    let optional = |name, ty| Column::new(name, ty).nullable();
    TableSchema::new(kind(), "notes", "id")
        .column(Column::new("id", ColumnType::Text))
        .column(Column::new("title", ColumnType::Text))
        .column(optional("done", ColumnType::Boolean))
        .column(optional("stars", ColumnType::Integer))
        .column(optional("weight", ColumnType::Real))
        .column(optional("tags", ColumnType::Json))
        .column(optional("photo", ColumnType::Blob))
        .column(optional("due_on", ColumnType::Timestamp).field("dueOn"))
        .column(optional("pinned", ColumnType::Boolean).local_only())
        .column(optional("updated_at", ColumnType::Timestamp))
        .column(optional("deleted_at", ColumnType::Timestamp))
}

/// Everything, in an order of its own.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) rows: Vec<RowWrite>,
    pub(crate) removed: Vec<Removal>,
    pub(crate) ops: Vec<Op>,
    pub(crate) shadows: Vec<Shadow>,
    pub(crate) conflicts: Vec<ConflictEntry>,
    pub(crate) history: Vec<ResolvedConflict>,
    pub(crate) quarantine: Vec<QuarantineEntry>,
    pub(crate) cursor: CursorState,
    pub(crate) notes: Vec<(&'static str, &'static str)>,
}

pub(crate) fn id(text: &str) -> EntityId {
    EntityId::new(text).unwrap()
}

fn at(second: u8) -> Timestamp {
    Timestamp::parse(&format!("2026-03-01T12:00:{second:02}.123456789+02:00")).unwrap()
}

fn version(second: u8) -> Version {
    Version::new(at(second))
}

fn record(value: Value) -> Record {
    Record::try_from(value).unwrap()
}

/// A row with a value of every type, and with fields that have no column.
fn note(at: &str, title: &str) -> Record {
    record(json!({
        "id": at, "title": title, "done": true, "stars": i64::MAX, "weight": 0.1,
        "tags": ["a", {"b": [1, 2.5, null]}], "photo": "AAEC", "dueOn": "2026-04-01T00:00:00Z",
        "updated_at": "2026-03-01T12:00:01.123456789+02:00",
        "colour": "red", "place": {"lat": 47.3, "deep": [{"er": null}]},
    }))
}

fn live(of: &str, title: &str, version: Option<Version>) -> ServerState {
    let record = note(of, title);
    ServerState::Live { record, version }
}

fn gone(of: &str, second: u8) -> ServerState {
    let record = record(json!({"id": of, "deleted_at": "2026-03-01T12:00:00Z"}));
    ServerState::Deleted {
        record: Some(record),
        version: Some(version(second)),
    }
}

fn upsert(of: &str, changed: Option<&[&str]>) -> Change {
    Change::Upsert {
        payload: note(of, "mine"),
        changed: changed.map(|names| names.iter().copied().collect::<ChangedFields>()),
    }
}

fn op(name: &str, of: &str, written: Change, change: impl FnOnce(&mut Op)) -> Op {
    let op_id = OpId::new(format!("0190a5a0-0000-7000-8000-{name:0>12}")).unwrap();
    let mut op = Op::new(op_id, kind(), id(of), written, at(9));
    op.precondition = Some(Precondition::IfBase {
        version: version(1).with_tag(Some("\"v1\"".to_owned())),
    });
    change(&mut op);
    op
}

fn ops() -> Vec<Op> {
    let title = || upsert("x", Some(&["title"]));
    let of = |at: &str| match title() {
        Change::Upsert { changed, .. } => Change::Upsert {
            payload: note(at, "mine"),
            changed,
        },
        Change::Delete => Change::Delete,
    };
    vec![
        op("1", "created", upsert("created", None), |op| {
            op.precondition = Some(Precondition::IfAbsent);
        }),
        op("2", "unanswered", of("unanswered"), |op| {
            (op.fate, op.ever_sent, op.round) = (Fate::Unknown, true, 2);
        }),
        op("3", "refused", of("refused"), |op| {
            (op.fate, op.ever_sent, op.try_count) = (Fate::Negative, true, 2);
            op.next_attempt_at = Some(1_772_000_000_000);
            op.last_error = Some("the server answered 422: no".to_owned());
        }),
        op("4", "deferred", of("deferred"), |op| {
            op.status = OpStatus::Deferred;
            op.last_error = Some("put off by the resolver".to_owned());
        }),
        op("5", "stuck", of("stuck"), |op| {
            (op.status, op.try_count, op.trouble_count) = (OpStatus::Stuck, 5, 3);
        }),
        op("6", "two", of("two"), |op| {
            (op.fate, op.ever_sent) = (Fate::Unknown, true);
        }),
        op("7", "decided", of("decided"), |op| {
            (op.fate, op.ever_sent, op.round) = (Fate::Negative, true, 1);
            op.precondition = Some(Precondition::Force);
            op.verdict = Some(Verdict {
                change: upsert("decided", None),
                judged: Some(version(3)),
                recreate: true,
                unreliable: true,
                names_all: false,
            });
        }),
        op("8", "unknown-base", of("unknown-base"), |op| {
            op.precondition = None;
        }),
        op("9", "two", Change::Delete, |op| op.precondition = None),
        op("10", "elsewhere", upsert("elsewhere", None), |op| {
            op.kind = former();
        }),
    ]
}

fn shadows() -> Vec<Shadow> {
    let shadow = |of: &str, base, parked| Shadow {
        kind: kind(),
        entity_id: id(of),
        base,
        parked,
        schema_version: 1,
    };
    let based = |of: &str| live(of, "base", Some(version(1).with_tag(Some("\"v1\"".into()))));
    vec![
        shadow("unanswered", based("unanswered"), None),
        shadow("refused", based("refused"), None),
        shadow(
            "deferred",
            based("deferred"),
            Some(live("deferred", "theirs", Some(version(2)))),
        ),
        shadow("stuck", based("stuck"), None),
        shadow("two", based("two"), Some(gone("two", 4))),
        shadow("decided", gone("decided", 1), Some(gone("decided", 3))),
        shadow("unknown-base", live("unknown-base", "base", None), None),
        shadow("acknowledged", live("acknowledged", "mine", None), None),
        shadow("nowhere", ServerState::Absent, Some(ServerState::gone())),
    ]
}

/// Everything, as a file of this format holds it. What a format did not know yet reads as what was
/// always so.
pub(crate) fn state(format: u32) -> State {
    let mut state = first_state();
    if format >= 2 {
        for op in state.ops.iter_mut().filter(|op| op.ever_sent) {
            op.look_first = true;
        }
    }
    if format >= 3 {
        state.history = history();
    }
    for op in state.ops.iter_mut().filter(|op| op.ever_sent) {
        op.body = Some(if format >= 4 { Body::Part } else { Body::Whole });
        if let Some(verdict) = &mut op.verdict {
            verdict.names_all = format >= 4;
        }
    }
    state
}

fn history() -> Vec<ResolvedConflict> {
    let merged = ResolvedConflict {
        op_id: ops()[6].op_id.clone(),
        kind: kind(),
        entity_id: id("decided"),
        strategy: ConflictStrategy::AutoPreserve,
        decided: Decided::Merged,
        local: Some(note("decided", "mine")),
        server: live("decided", "theirs", Some(version(3))),
        base: live("decided", "base", Some(version(1))),
        changed_fields: Some(["title"].into_iter().collect()),
        contested_fields: vec!["title".to_owned()],
        result: Some(note("decided", "mine")),
        in_force: false,
        version: None,
        resolved_at: at(6),
        schema_version: 1,
    };
    let given_up = ResolvedConflict {
        op_id: OpId::new("0190a5a0-0000-7000-8000-000000000099").unwrap(),
        entity_id: id("idle"),
        strategy: ConflictStrategy::Manual,
        decided: Decided::Discarded,
        local: None,
        base: ServerState::Absent,
        changed_fields: None,
        contested_fields: Vec::new(),
        result: None,
        in_force: true,
        version: Some(version(1).with_tag(Some("\"v1\"".to_owned()))),
        schema_version: 2,
        ..merged.clone()
    };
    vec![merged, given_up]
}

fn first_state() -> State {
    let server = |of: &str, version| RowWrite::server(note(of, "theirs"), version, 2);
    let tagged = version(1).with_tag(Some("\"v1\"".to_owned()));
    let mut rows = vec![
        server("idle", Some(tagged)),
        server("acknowledged", None),
        RowWrite::local(note("never-synced", "mine")),
    ];
    let waiting = ops().into_iter().filter(|op| op.kind == kind());
    let waiting = waiting.filter(|op| op.entity_id != id("two"));
    rows.extend(waiting.map(|op| RowWrite::local(note(op.entity_id.as_str(), "mine"))));
    let conflict = ConflictEntry {
        op_id: ops()[3].op_id.clone(),
        kind: kind(),
        entity_id: id("deferred"),
        server: live("deferred", "theirs", Some(version(2))),
        server_time: Some(at(2)),
        by_choice: true,
        reason: "put off by the resolver".to_owned(),
        detected_at: at(5),
    };
    State {
        rows,
        removed: vec![Removal {
            id: id("purged"),
            tombstone: Some(version(6)),
        }],
        ops: ops(),
        shadows: shadows(),
        conflicts: vec![conflict],
        history: Vec::new(),
        quarantine: vec![QuarantineEntry {
            kind: kind(),
            key: "spoiled".to_owned(),
            row: json!({"id": "spoiled", "title": null, "updated_at": "2026-03-01T12:00:00Z"}),
            tag: Some("\"q\"".to_owned()),
            reason: "field `title` is missing or null".to_owned(),
            since: at(7),
            cause: QuarantineCause::BadRow,
            schema_version: 1,
        }],
        cursor: CursorState {
            since: Some(at(8)),
            after_id: Some(id("idle")),
            opaque: Some("opaque".to_owned()),
            page_token: Some("token".to_owned()),
            reached: Some((at(8), id("idle"))),
            unordered: true,
            chain_started: Some(at(9)),
            origin: Some("https://api.example".to_owned()),
            pulled: true,
            generation: 2,
            resync: Some(ResyncState {
                pulled: true,
                clear_data: false,
                restored: false,
            }),
            last_full_resync: Some(at(3)),
            filter: Some("team=1".to_owned()),
            stamp_unit: 1,
            epoch: None,
            restored: 0,
        },
        notes: vec![
            ("clock_offset_nanos", "-3000000000"),
            ("prepared:notes", "1"),
        ],
    }
}

/// Writes everything into a fresh file.
pub(crate) async fn write(store: &SqliteStore, state: &State) {
    let mut tx = Store::begin(store, TxMode::Write).await.unwrap();
    let report = tx.put(&kind(), &state.rows).await.unwrap();
    assert_eq!(report.rejected, []);
    tx.remove(&kind(), &state.removed).await.unwrap();
    tx.append_ops(&state.ops).await.unwrap();
    tx.put_shadows(&state.shadows).await.unwrap();
    tx.put_conflicts(&state.conflicts).await.unwrap();
    tx.put_conflict_history(&state.history, 200).await.unwrap();
    tx.put_quarantine(&state.quarantine).await.unwrap();
    tx.put_cursor(&kind(), Some(&state.cursor)).await.unwrap();
    for (key, value) in &state.notes {
        tx.put_meta(key, Some(value)).await.unwrap();
    }
    tx.commit().await.unwrap();
}

/// Everything as JSON, which compares versions to the letter: what a file should hold.
pub(crate) fn as_json(state: &State) -> Value {
    let mut ops = state.ops.clone();
    for (place, op) in ops.iter_mut().enumerate() {
        op.seq = i64::try_from(place).unwrap() + 1;
    }
    let rows = state.rows.iter().map(|row| row.record.clone());
    let known = |row: &RowWrite| {
        let is_local = row.origin == sync_core::store::RowOrigin::Local;
        (!is_local).then(|| (row.record.id().unwrap(), row.version().cloned()))
    };
    let versions: Vec<_> = state.rows.iter().filter_map(known).collect();
    let removed = state.removed.iter();
    let removed: Vec<_> = removed.map(|gone| (&gone.id, &gone.tombstone)).collect();
    json!({
        "rows": rows.collect::<Vec<_>>(),
        "versions": versions,
        "removed": removed,
        "ops": ops,
        "shadows": state.shadows,
        "conflicts": state.conflicts,
        "history": state.history.iter().rev().collect::<Vec<_>>(),
        "quarantine": state.quarantine,
        "cursor": state.cursor,
        "notes": state.notes,
    })
}

/// The same of what a file does hold.
pub(crate) async fn read(store: &SqliteStore, state: &State) -> Value {
    let mut tx = Store::begin(store, TxMode::Read).await.unwrap();
    let rows = state.rows.iter().map(|row| row.record.id().unwrap());
    let rows: Vec<EntityId> = rows.collect();
    let removed: Vec<EntityId> = state.removed.iter().map(|gone| gone.id.clone()).collect();
    let shadows: Vec<EntityId> = state.shadows.iter().map(|s| s.entity_id.clone()).collect();
    let mut notes = Vec::new();
    for (key, _) in &state.notes {
        notes.push((key, tx.meta(key).await.unwrap()));
    }
    let mut found = tx.get(&kind(), &rows).await.unwrap();
    for row in &mut found {
        // A column that holds nothing may come back as null.
        let is_null = |name: &str| matches!(name, "deleted_at");
        row.fields_mut()
            .retain(|name, value| !(value.is_null() && is_null(name)));
    }
    json!({
        "rows": found,
        "versions": tx.versions(&kind(), &rows).await.unwrap(),
        "removed": tx.versions(&kind(), &removed).await.unwrap(),
        "ops": tx.ops(&OpQuery::default()).await.unwrap(),
        "shadows": tx.shadows(&kind(), &shadows).await.unwrap(),
        "conflicts": tx.conflicts(None).await.unwrap(),
        "history": tx.conflict_history(None, 200).await.unwrap(),
        "quarantine": tx.quarantined(&kind(), None, 100).await.unwrap(),
        "cursor": tx.cursor(&kind()).await.unwrap(),
        "notes": notes,
    })
}
