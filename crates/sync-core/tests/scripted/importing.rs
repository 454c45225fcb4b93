//! What an export meets where it is imported: it must not take back what others have written since
//! (semantics 3 and 4).

use std::time::Duration;

use serde_json::{Value, json};
use sync_core::{
    Column, ColumnType, ConflictStrategy, FieldMerge, Imported, Precondition, SyncEvent,
    TableConfig,
};

use crate::device::{Device, ID, id, kind, purging, schema, told};
use crate::server::{Asked, accepted, if_base, live, sent};

const A_YEAR: Duration = Duration::from_secs(400 * 86_400);

async fn exported(device: &Device) -> String {
    let mut lines = Vec::new();
    device.engine.outbox().export(&mut lines).await.unwrap();
    String::from_utf8(lines).unwrap()
}

async fn import(device: &Device, lines: &str) -> Imported {
    let outbox = device.engine.outbox();
    outbox.import(lines.as_bytes()).await.unwrap()
}

/// Written, unchanged, skipped, left out.
fn counts(imported: &Imported) -> [u64; 4] {
    [
        imported.written,
        imported.unchanged,
        imported.skipped,
        imported.left_out,
    ]
}

fn note(a: i64, b: i64) -> Value {
    json!({"id": ID, "a": a, "b": b})
}

/// What a device has in its queue that set `a` to 2 in a record with the stamp of second 1.
async fn edit_of_a() -> String {
    let device = Device::having(note(1, 1)).await;
    device.goes_back(A_YEAR);
    device.change("a", 2).await;
    exported(&device).await
}

/// The line as the first version of the library wrote it.
fn of_format_1(lines: &str) -> String {
    let mut line: Value = serde_json::from_str(lines).unwrap();
    let fields = line.as_object_mut().unwrap();
    fields.insert("format".to_owned(), json!(1));
    for name in ["base", "base_schema_version", "may_have_arrived"] {
        fields.remove(name);
    }
    line.to_string()
}

/// A device on which somebody else's edit, of second 5, has arrived.
async fn with_theirs(strategy: ConflictStrategy, theirs: Value) -> Device {
    let device = Device::new(schema("updated_at", vec![]), purging().strategy(strategy)).await;
    device.server.declares("if-absent");
    let theirs = live(theirs, 5);
    let row = theirs.live().unwrap().fields().clone();
    device.server.lists(Value::Object(row));
    device.pull().await;
    device
}

fn field(device: &Device, name: &str) -> Option<Value> {
    device.row().unwrap().get(name).cloned()
}

/// Pushes, and expects that theirs wins in a conflict that is told and kept.
async fn assert_theirs_wins(device: &Device, (a, b): (i64, i64)) {
    let mut events = device.engine.events();
    let report = device.push().await;
    assert_eq!(report.stats.conflicts, 1);
    assert_eq!(device.server.asked(), [], "nothing has to be asked or sent");
    assert!(device.ops().await.is_empty());
    assert_eq!(field(device, "a"), Some(json!(a)));
    assert_eq!(field(device, "b"), Some(json!(b)));
    let is_told = |event: &SyncEvent| matches!(event, SyncEvent::ConflictDetected { .. });
    assert!(told(&mut events).iter().any(is_told));
    let history = device.engine.conflicts().history(9).await.unwrap();
    assert_eq!(history.len(), 1);
}

#[tokio::test]
async fn an_old_edit_loses_to_a_newer_one_where_the_last_write_wins() {
    let lines = edit_of_a().await;
    let here = with_theirs(ConflictStrategy::LastWriteWins, note(9, 1)).await;
    assert_eq!(counts(&import(&here, &lines).await), [1, 0, 0, 0]);
    assert_theirs_wins(&here, (9, 1)).await;
}

#[tokio::test]
async fn an_edit_that_is_newer_wins_where_the_last_write_wins() {
    let device = Device::having(note(1, 1)).await;
    device.change("a", 2).await;
    let lines = exported(&device).await;
    let here = with_theirs(ConflictStrategy::LastWriteWins, note(9, 8)).await;
    here.pass(A_YEAR);
    import(&here, &lines).await;
    let op = here.op().await;
    assert_eq!(op.written_at, device.op().await.written_at);
    here.server.answers(accepted(live(note(2, 8), 6)));
    here.push().await;
    let push = here.server.pushed();
    assert_eq!(push.precondition, if_base(5));
    assert_eq!(sent(&push).get("a"), Some(&json!(2)));
}

#[tokio::test]
async fn an_edit_shows_and_loses_to_what_others_wrote_where_the_server_wins() {
    let lines = edit_of_a().await;
    let here = with_theirs(ConflictStrategy::ServerWins, note(9, 8)).await;
    import(&here, &lines).await;
    assert_eq!(field(&here, "a"), Some(json!(2)), "it waits");
    assert_theirs_wins(&here, (9, 8)).await;
}

#[tokio::test]
async fn both_edits_survive_where_they_are_of_different_fields() {
    let lines = edit_of_a().await;
    let here = with_theirs(ConflictStrategy::AutoPreserve, note(1, 8)).await;
    import(&here, &lines).await;
    assert_eq!(field(&here, "b"), Some(json!(8)));
    here.server.answers(accepted(live(note(2, 8), 6)));
    let report = here.push().await;
    assert_eq!(report.stats.conflicts, 1);
    let push = here.server.pushed();
    assert_eq!(push.precondition, if_base(5));
    assert_eq!(sent(&push).get("b"), Some(&json!(8)));
    assert_eq!(field(&here, "a"), Some(json!(2)));
    assert!(here.ops().await.is_empty());
}

#[tokio::test]
async fn a_creation_that_meets_a_record_that_others_edited_is_a_conflict() {
    let device = Device::new(schema("updated_at", vec![]), purging()).await;
    device.insert(note(1, 1)).await;
    let lines = exported(&device).await;
    let here = with_theirs(ConflictStrategy::ServerWins, note(9, 8)).await;
    import(&here, &lines).await;
    assert_theirs_wins(&here, (9, 8)).await;

    let here = with_theirs(ConflictStrategy::AutoPreserve, note(9, 8)).await;
    import(&here, &lines).await;
    assert_eq!(here.push().await.stats.conflicts, 1);
}

#[tokio::test]
async fn a_creation_or_edit_that_is_there_already_has_landed() {
    let device = Device::new(schema("updated_at", vec![]), purging()).await;
    device.insert(note(2, 1)).await;
    for lines in [exported(&device).await, edit_of_a().await] {
        let here = with_theirs(ConflictStrategy::ServerWins, note(2, 1)).await;
        assert_eq!(counts(&import(&here, &lines).await), [0, 1, 0, 0]);
        assert_eq!(here.ops().await, []);
    }
}

#[tokio::test]
async fn an_edit_of_what_is_unchanged_is_an_ordinary_one_as_old_as_it_is() {
    let lines = edit_of_a().await;
    let here = Device::having(note(1, 1)).await;
    import(&here, &lines).await;
    let op = here.op().await;
    assert_eq!(op.precondition, Some(if_base(1)));
    assert!(op.written_at.unix_millis() < here.now() - 300 * 86_400_000);
    here.server.answers(accepted(live(note(2, 1), 2)));
    let report = here.push().await;
    assert_eq!((report.stats.conflicts, report.stats.pushed), (0, 1));
    assert_eq!(here.server.pushed().precondition, if_base(1));
}

#[tokio::test]
async fn a_deletion_gives_way_to_a_newer_edit() {
    let device = Device::having(note(1, 1)).await;
    device.delete().await;
    let lines = exported(&device).await;
    let here = with_theirs(ConflictStrategy::AutoPreserve, note(9, 1)).await;
    import(&here, &lines).await;
    assert_eq!(here.row(), None, "it waits");
    assert_theirs_wins(&here, (9, 1)).await;
}

#[tokio::test]
async fn what_is_not_here_is_asked_for_before_an_edit_or_deletion_of_it_is_sent() {
    let deleting = Device::having(note(1, 1)).await;
    deleting.delete().await;
    for (lines, is_there) in [
        (edit_of_a().await, true),
        (exported(&deleting).await, false),
    ] {
        let here = Device::new(schema("updated_at", vec![]), purging()).await;
        assert_eq!(counts(&import(&here, &lines).await), [1, 0, 0, 0]);
        assert_eq!(here.op().await.precondition, None);
        assert_eq!(here.row().is_some(), is_there);
        here.server.shows(live(note(9, 8), 5));
        let report = here.push().await;
        assert_eq!(report.stats.conflicts, 1);
        assert_eq!(here.server.asked()[0], Asked::Fetch);
    }
}

#[tokio::test]
async fn an_edit_of_what_is_not_here_is_discarded_without_a_trace() {
    let here = Device::new(schema("updated_at", vec![]), purging()).await;
    import(&here, &edit_of_a().await).await;
    let outbox = here.engine.outbox();
    outbox.discard(&kind(), &id()).await.unwrap();
    assert_eq!(
        here.row(),
        None,
        "what the file said is no word of the server"
    );
}

#[tokio::test]
async fn an_edit_of_a_record_with_edits_here_is_left_out_until_these_have_arrived() {
    let mut line: Value = serde_json::from_str(&edit_of_a().await).unwrap();
    // In these tests every device makes the same ids.
    line["op_id"] = json!("99999999-9999-4999-8999-999999999999");
    let lines = format!("{line}\n");
    let here = Device::having(note(1, 1)).await;
    here.insert(json!({"id": "other"})).await;
    let other = exported(&here).await;
    let lines = format!("{lines}{other}");
    here.change("a", 5).await;
    assert_eq!(counts(&import(&here, &lines).await), [0, 0, 1, 1]);
    assert_eq!(field(&here, "a"), Some(json!(5)));
    assert_eq!(here.ops().await.len(), 2);
    // While they wait it stays out; the other line is not looked at again.
    assert_eq!(counts(&import(&here, &lines).await), [0, 0, 1, 1]);
    let others = live(json!({"id": "other"}), 2);
    here.server.answers(accepted(others));
    here.server.answers(accepted(live(note(5, 1), 3)));
    here.push().await;
    assert_eq!(here.ops().await, []);
    assert_eq!(counts(&import(&here, &lines).await), [1, 0, 1, 0]);
    assert_eq!(
        here.op().await.written_at.unix_millis(),
        here.now() - 400 * 86_400_000
    );
    assert_eq!(counts(&import(&here, &lines).await), [0, 0, 2, 0]);
}

#[tokio::test]
async fn an_edit_whose_base_the_file_does_not_tell_overwrites_nothing() {
    let lines = of_format_1(&edit_of_a().await);
    let here = with_theirs(ConflictStrategy::ServerWins, note(9, 8)).await;
    import(&here, &lines).await;
    assert_theirs_wins(&here, (9, 8)).await;

    let here = with_theirs(ConflictStrategy::AutoPreserve, note(9, 8)).await;
    import(&here, &lines).await;
    here.server.answers(accepted(live(note(2, 8), 6)));
    assert_eq!(here.push().await.stats.conflicts, 1);
    let push = here.server.pushed();
    assert_eq!(push.precondition, if_base(5));
    assert_eq!(sent(&push).get("b"), Some(&json!(8)), "others' fields stay");

    let deleting = Device::having(note(1, 1)).await;
    deleting.delete().await;
    let lines = of_format_1(&exported(&deleting).await);
    let here = with_theirs(ConflictStrategy::AutoPreserve, note(9, 8)).await;
    import(&here, &lines).await;
    assert_theirs_wins(&here, (9, 8)).await;
}

#[tokio::test]
async fn an_edit_whose_base_nobody_knows_creates_what_the_server_does_not_have() {
    let lines = of_format_1(&edit_of_a().await);
    let here = Device::new(schema("updated_at", vec![]), purging()).await;
    import(&here, &lines).await;
    here.server.shows(sync_core::ServerState::Absent);
    here.server.answers(accepted(live(note(2, 1), 1)));
    here.push().await;
    let [Asked::Fetch, Asked::Push(push)] = &here.server.asked()[..] else {
        panic!("it is looked up first");
    };
    assert_eq!(push.precondition, Precondition::IfAbsent);
}

#[tokio::test]
async fn an_increment_that_had_arrived_is_not_added_twice() {
    let column = || {
        Column::new("stock", ColumnType::Integer)
            .nullable()
            .merge(FieldMerge::SumDelta)
    };
    let stock = |number: i64| json!({"id": ID, "stock": number});
    let table = || schema("updated_at", vec![column()]);
    let device = Device::with(table(), purging(), stock(10)).await;
    device.change("stock", 12).await;
    let unsent = exported(&device).await;
    device.server.loses_a_push();
    device.push().await;
    let sent_once = exported(&device).await;
    for (lines, written) in [(sent_once, 0), (unsent, 1)] {
        let here = Device::new(table(), purging()).await;
        let row = live(stock(12), 5).live().unwrap().fields().clone();
        here.server.lists(Value::Object(row));
        here.pull().await;
        assert_eq!(import(&here, &lines).await.written, written);
        if written == 1 {
            here.server.answers(accepted(live(stock(14), 6)));
            here.push().await;
            assert_eq!(field(&here, "stock"), Some(json!(14)), "it was another one");
        }
    }
    // Not pulled yet, it is found when it is looked up.
    let lines = exported(&device).await;
    let here = Device::with(table(), purging(), stock(10)).await;
    import(&here, &lines).await;
    here.server.shows(live(stock(12), 5));
    here.push().await;
    assert_eq!(here.server.asked(), [Asked::Fetch]);
    assert_eq!(field(&here, "stock"), Some(json!(12)));
}

#[tokio::test]
async fn an_edit_behind_one_that_has_arrived_is_made_on_that() {
    let device = Device::having(note(1, 1)).await;
    device.change("a", 2).await;
    device.server.loses_a_push();
    device.push().await;
    device.change("a", 3).await;
    let lines = exported(&device).await;
    assert_eq!(lines.lines().count(), 2);
    let here = with_theirs(ConflictStrategy::ServerWins, note(2, 1)).await;
    assert_eq!(counts(&import(&here, &lines).await), [1, 1, 0, 0]);
    here.server.answers(accepted(live(note(3, 1), 6)));
    let report = here.push().await;
    assert_eq!(report.stats.conflicts, 0, "nobody else has written");
    assert_eq!(here.server.pushed().precondition, if_base(5));
    assert_eq!(field(&here, "a"), Some(json!(3)));
}

#[tokio::test]
async fn what_append_only_queues_hold_follows_in_its_order() {
    let table = || TableConfig::new().coalesce(false);
    let device = Device::new(schema("updated_at", vec![]), table()).await;
    device.insert(note(1, 1)).await;
    device.change("a", 2).await;
    device.change("a", 3).await;
    let lines = exported(&device).await;
    let here = Device::new(schema("updated_at", vec![]), table()).await;
    assert_eq!(counts(&import(&here, &lines).await), [3, 0, 0, 0]);
    assert_eq!(here.ops().await.len(), 3);
    assert_eq!(field(&here, "a"), Some(json!(3)));
    let times =
        |ops: Vec<sync_core::Op>| -> Vec<_> { ops.into_iter().map(|op| op.written_at).collect() };
    assert_eq!(times(here.ops().await), times(device.ops().await));
}
