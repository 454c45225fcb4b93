//! Plays one case with the real engine on a store in memory.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use futures::{FutureExt, StreamExt};
use serde_json::Value;
use sync_core::store::{OpQuery, RowWrite, Store, TxMode};
use sync_core::system_fields::is_system_field;
use sync_core::transport::{PushOp, PushOutcome};
use sync_core::{
    Change, ChangedFields, Column, ColumnType, ConflictStrategy, EntityId, Kind, MemoryStore,
    OpStatus, Record, ServerState, Shadow, SoftDelete, SyncConfig, SyncEngine, TableConfig,
    TableSchema, Timestamp, Version,
};
use sync_testkit::FakeEnv;

use crate::deciders;
use crate::script::{self, Request, Script, ScriptedTransport};

/// What a case came to.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// The pushes that revealed the conflict.
    pub(crate) opening: Vec<PushOp>,
    pub(crate) requests: Vec<Request>,
    pub(crate) events: Vec<String>,
    pub(crate) row: Value,
    pub(crate) op: &'static str,
    /// The record of the last reply that the case holds ready.
    pub(crate) last_reply: Value,
    /// The engine's pauses.
    pub(crate) slept: Vec<Duration>,
    /// Replies that nobody asked for.
    pub(crate) unused_replies: usize,
}

/// What a user does, and when by the device's clock.
#[derive(Debug, Clone)]
pub(crate) struct Edit {
    payload: Option<Record>,
    changed: Option<ChangedFields>,
    at: Timestamp,
}

impl Edit {
    fn of(op: &Value) -> Self {
        let names = |list: &Vec<Value>| list.iter().map(|name| name.as_str().unwrap()).collect();
        Self {
            payload: op.get("payload").map(script::record),
            changed: op["changed"].as_array().map(names),
            at: Timestamp::parse(op["local_time"].as_str().unwrap()).unwrap(),
        }
    }
}

pub(crate) async fn play(case: &Value) -> Outcome {
    let (kind, id) = (Kind::new("todos").unwrap(), EntityId::new("e1").unwrap());
    let op = &case["op"];
    let edit = Edit::of(op);
    let script = Arc::new(script_of(case));
    let store = MemoryStore::new();
    let engine = SyncEngine::builder(store.clone(), ScriptedTransport(script.clone()))
        .schema(schema_of(case, &kind), table_of(case))
        .config(config_of(case))
        .env(script.world.env())
        .bare_transport()
        .build()
        .await
        .unwrap();
    script.engine.set(engine.clone()).unwrap();

    // A first pull of nothing: the kind is known to be there, and the clocks are compared.
    script.world.set_wall(&edit.at);
    if let Some(offset) = op["clock_offset_s"].as_i64() {
        let server_time = edit.at.unix_nanos() + i128::from(offset) * 1_000_000_000;
        *script.date.lock().unwrap() = Some(Timestamp::from_unix_nanos(server_time));
    }
    engine.sync().await.unwrap();
    *script.date.lock().unwrap() = None;
    if !op["base_record"].is_null() {
        let stamp = Timestamp::from_json(&op["base_version"]).ok();
        let version = stamp.map(Version::new);
        let row = RowWrite::server(script::record(&op["base_record"]), version, 1);
        let mut tx = store.begin(TxMode::Write).await.unwrap();
        assert!(tx.put(&kind, &[row]).await.unwrap().rejected.is_empty());
        tx.commit().await.unwrap();
    }
    write(&engine, &script.world, &edit).await;
    if case["found_by"] == "parked" {
        let mut tx = store.begin(TxMode::Write).await.unwrap();
        let shadow = tx.shadows(&kind, std::slice::from_ref(&id)).await.unwrap();
        let mut shadow = shadow.into_iter().next().unwrap_or(Shadow {
            kind: kind.clone(),
            entity_id: id,
            base: ServerState::Absent,
            parked: None,
            schema_version: 1,
        });
        shadow.parked = script::state(&case["server"]);
        tx.put_shadows(&[shadow]).await.unwrap();
        tx.commit().await.unwrap();
        let tail = script.meanwhile.lock().unwrap().take();
        if let Some(tail) = tail {
            write(&engine, &script.world, &tail).await;
        }
    }
    script
        .world
        .set_wall(&Timestamp::parse("2026-03-01T13:00:00Z").unwrap());
    let mut events = engine.events();
    engine.sync().await.unwrap();

    let mut names = Vec::new();
    while let Some(Some(event)) = events.next().now_or_never() {
        let shown = event.to_string();
        names.push(shown.split('(').next().unwrap_or_default().to_owned());
    }
    let row = store
        .rows(&kind)
        .into_iter()
        .next()
        .map_or(Value::Null, Value::from);
    let ops = engine.outbox().list(&OpQuery::default()).await.unwrap();
    let replies = case["replies"].as_array();
    let last_reply = replies.and_then(|replies| replies.last());
    Outcome {
        opening: script.opened_with.lock().unwrap().clone(),
        requests: script.requests.lock().unwrap().clone(),
        events: names,
        row,
        op: match ops.first().map(|head| head.status) {
            None => "gone",
            Some(OpStatus::Deferred) => "deferred",
            Some(OpStatus::Stuck) => "stuck",
            Some(_) => "pending",
        },
        last_reply: last_reply.map_or(Value::Null, |reply| reply["record"].clone()),
        slept: script.world.slept(),
        unused_replies: script.replies.lock().unwrap().len(),
    }
}

/// Writes through the engine, then makes the operation exactly what the case says: also a payload
/// that differs outside its changed fields, and an edit of which no changed fields were recorded.
pub(crate) async fn write(engine: &SyncEngine, world: &FakeEnv, edit: &Edit) {
    world.set_wall(&edit.at);
    let (kind, id) = (Kind::new("todos").unwrap(), EntityId::new("e1").unwrap());
    let records = engine.records("todos").unwrap();
    let Some(payload) = edit.payload.clone() else {
        assert!(
            records.delete(&id).await.unwrap(),
            "there is nothing to delete"
        );
        return;
    };
    let all = || payload.fields().keys().cloned().collect::<ChangedFields>();
    let changed = edit.changed.clone().unwrap_or_else(all);
    let row = engine
        .store()
        .begin(TxMode::Read)
        .await
        .unwrap()
        .get(&kind, std::slice::from_ref(&id))
        .await
        .unwrap()
        .pop();
    match row {
        Some(_) if records.change(payload.clone(), &changed).await.unwrap() => {}
        // Edited and put back.
        Some(_) => {
            let mut other = payload.clone();
            for field in changed.iter().filter(|field| !is_system_field(field)) {
                other
                    .fields_mut()
                    .insert(field.to_owned(), "something else".into());
            }
            assert!(records.change(other, &changed).await.unwrap());
            assert!(records.change(payload.clone(), &changed).await.unwrap());
        }
        None => records.insert(payload.clone()).await.unwrap(),
    }
    let mut tx = engine.store().begin(TxMode::Write).await.unwrap();
    let mut ops = tx.ops(&OpQuery::of(&kind, &[id])).await.unwrap();
    let newest = ops.last_mut().unwrap();
    if let Change::Upsert {
        payload: written,
        changed,
    } = &mut newest.written
    {
        written.clone_from(&payload);
        match (changed.as_mut(), &edit.changed) {
            (Some(recorded), Some(also)) => recorded.extend(also.iter().map(str::to_owned)),
            (_, None) => *changed = None,
            (None, Some(_)) => {}
        }
    }
    tx.update_ops(&ops).await.unwrap();
    tx.put(&kind, &[RowWrite::local(payload)]).await.unwrap();
    tx.commit().await.unwrap();
}

fn script_of(case: &Value) -> Script {
    let world = FakeEnv::new(1);
    // The heartbeat of a run's lease sleeps longer.
    world.auto_advance(Duration::from_secs(20));
    let server = &case["server"];
    let state = script::state(server);
    let conflict = PushOutcome::Conflict {
        state: state.clone(),
        time: script::time(server),
    };
    let opening = (case["found_by"] != "parked").then_some(conflict);
    let fetched = match case.get("fetch") {
        Some(fetch) => script::state(fetch),
        None => state,
    };
    Script {
        world,
        date: Mutex::default(),
        opening: Mutex::new(opening.into_iter().collect()),
        replies: Mutex::new(
            case["replies"]
                .as_array()
                .cloned()
                .unwrap_or_default()
                .into(),
        ),
        fetched: fetched.unwrap_or_else(ServerState::gone),
        meanwhile: Mutex::new(case.get("tail").map(Edit::of)),
        engine: OnceLock::new(),
        opened_with: Mutex::default(),
        requests: Mutex::default(),
    }
}

fn table_of(case: &Value) -> TableConfig {
    let strategy = match case["strategy"].as_str().unwrap() {
        "AutoPreserve" => ConflictStrategy::AutoPreserve,
        "ServerWins" => ConflictStrategy::ServerWins,
        "ClientWins" => ConflictStrategy::ClientWins,
        "LastWriteWins" => ConflictStrategy::LastWriteWins,
        "Merge" => ConflictStrategy::Merge,
        "Manual" => ConflictStrategy::Manual,
        other => panic!("unknown strategy {other}"),
    };
    let mut table = TableConfig::new().soft_delete(SoftDelete::Purge);
    if let Some(name) = case["merge"].as_str() {
        table = table.merge(deciders::merge_function(name));
    }
    if let Some(name) = case["resolver"].as_str() {
        table = table.resolver(deciders::resolver(name, &case["merged"]));
    }
    table.strategy(strategy)
}

fn config_of(case: &Value) -> SyncConfig {
    let mut config = SyncConfig::default().with_lease_duration(Duration::from_secs(90));
    let number = |name: &str| {
        case["config"][name]
            .as_u64()
            .map(|n| u32::try_from(n).unwrap())
    };
    if let Some(rounds) = number("max_conflict_retries") {
        config = config.with_max_conflict_retries(rounds);
    }
    if let Some(tries) = number("max_outbox_try_count") {
        config = config.with_max_outbox_try_count(tries);
    }
    config
}

/// A column for every field of the user's and the server's records.
fn schema_of(case: &Value, kind: &Kind) -> TableSchema {
    let mut fields = BTreeSet::new();
    let mut add = |record: &Value| {
        let names = record
            .as_object()
            .into_iter()
            .flat_map(|record| record.keys());
        fields.extend(names.filter(|name| *name != "id").cloned());
    };
    let (op, fetch) = (&case["op"], &case["fetch"]);
    for record in [
        &op["payload"],
        &op["base_record"],
        &case["server"]["record"],
        &fetch["record"],
        &case["tail"]["payload"],
    ] {
        add(record);
    }
    let schema =
        TableSchema::new(kind.clone(), "todos", "id").column(Column::new("id", ColumnType::Text));
    fields.into_iter().fold(schema, |schema, field| {
        schema.column(Column::new(field, ColumnType::Json).nullable())
    })
}
