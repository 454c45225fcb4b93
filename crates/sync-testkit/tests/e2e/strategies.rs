//! Each strategy against each kind of conflict: the table of semantics 4.

use std::time::Duration;

use serde_json::{Value, json};
use sync_core::{
    Conflict, ConflictStrategy, MergeFunction, Record, Resolution, TableConfig, resolve_fn,
};
use sync_testkit::{Deletion, MockServer, MockServerBuilder, StampStyle};

use crate::setup::{Device, NOTES, Setup, assert_fields, converge, seed_note, server_with_note};

/// What meets what; the first is this device's, the second came to the server meanwhile.
#[derive(Clone, Copy, PartialEq)]
enum Meeting {
    EditMeetsEdit,
    EditMeetsDeletion,
    DeleteMeetsEdit,
}
use Meeting::{DeleteMeetsEdit, EditMeetsDeletion, EditMeetsEdit};

/// Who wrote last.
#[derive(Clone, Copy, PartialEq)]
enum Later {
    Here,
    There,
}

/// The conflict is played with another device; `None` = the record is gone at the end.
async fn play(table: TableConfig, meeting: Meeting, later: Later, expected: Option<Value>) {
    let server = server_with_note().await;
    play_on(server, false, table, meeting, later, expected).await;
}

async fn play_on(
    server: MockServer,
    batch: bool,
    table: TableConfig,
    meeting: Meeting,
    later: Later,
    expected: Option<Value>,
) {
    let setup = Setup::new(&server).rest(move |rest| rest.batch(batch));
    let here = setup.table(|_| table).open().await;
    let there = Setup::new(&server).open().await;
    for device in [&here, &there] {
        device.sync_fully().await;
    }
    let time_passes = || {
        for world in [&here.world, &there.world] {
            world.advance(Duration::from_secs(60));
        }
        server.advance(Duration::from_secs(60));
    };
    match later {
        Later::Here => {
            act_there(&there, meeting).await;
            time_passes();
            act_here(&here, meeting).await;
        }
        Later::There => {
            act_here(&here, meeting).await;
            time_passes();
            act_there(&there, meeting).await;
        }
    }
    let _ = here.events();

    let report = here.sync_fully().await;

    assert_eq!(report.stats.conflicts, 1);
    assert_eq!(report.stats.conflicts_resolved, 1);
    let names = here.event_names();
    let place = |name: &str| names.iter().position(|other| other == name);
    assert!(
        place("ConflictDetected").unwrap() < place("ConflictResolved").unwrap(),
        "{names:?}"
    );
    assert_everywhere(&server, &[&here], expected.as_ref()).await;
    converge(&server, &[&there, &here]).await;
    assert_everywhere(&server, &[&here, &there], expected.as_ref()).await;
}

async fn act_here(device: &Device, meeting: Meeting) {
    if meeting == DeleteMeetsEdit {
        device.delete("n1").await;
    } else {
        device.edit("n1", json!({"mood": 5, "body": "mine"})).await;
    }
}

async fn act_there(device: &Device, meeting: Meeting) {
    if meeting == EditMeetsDeletion {
        device.delete("n1").await;
    } else {
        device
            .edit("n1", json!({"energy": 7, "body": "theirs"}))
            .await;
    }
    device.sync_fully().await;
}

async fn assert_everywhere(server: &MockServer, devices: &[&Device], expected: Option<&Value>) {
    let stored = server.get(NOTES, "n1");
    let Some(expected) = expected else {
        assert_eq!(stored, None);
        for device in devices {
            assert_eq!(device.live("n1").await, None);
        }
        return;
    };
    assert_fields(stored.as_ref(), expected);
    for device in devices {
        let row = device.live("n1").await;
        assert_fields(row.as_ref(), expected);
        let stamp = stored.as_ref().map(|record| &record["updated_at"]);
        assert_eq!(row.as_ref().map(|row| &row["updated_at"]), stamp);
    }
}

fn with(strategy: ConflictStrategy) -> TableConfig {
    TableConfig::new().strategy(strategy)
}

/// Adds the moods up; what concerns a deletion is left to the default.
fn sum() -> TableConfig {
    TableConfig::new().merge(MergeFunction::new(|local, server| {
        let mood = |side: &serde_json::Map<String, Value>| side["mood"].as_i64().unwrap_or(0);
        let mut merged = server.clone();
        merged.insert("mood".to_owned(), (mood(local) + mood(server)).into());
        merged
    }))
}

/// Decides deletions too: who deletes loses, and the title says so.
fn undelete() -> TableConfig {
    TableConfig::new().merge(MergeFunction::of_conflict(|conflict| {
        Some(rescued(conflict))
    }))
}

fn rescued(conflict: &Conflict) -> Record {
    let side = conflict.server_record().or(conflict.local.as_ref());
    let mut record = side.cloned().unwrap_or_default();
    record
        .fields_mut()
        .insert("title".to_owned(), "rescued".into());
    record
}

fn answer(resolution: Resolution) -> TableConfig {
    TableConfig::new().resolver(resolve_fn(move |_| {
        let resolution = resolution.clone();
        async move { Ok(resolution) }
    }))
}

fn rescue() -> TableConfig {
    TableConfig::new().resolver(resolve_fn(|conflict: Conflict| async move {
        Ok(Resolution::AcceptMerged(rescued(&conflict)))
    }))
}

#[expect(
    clippy::unnecessary_wraps,
    reason = "the column of the table holds both"
)]
fn base() -> Option<Value> {
    Some(json!({"title": "Old", "body": "base", "mood": 3, "energy": null}))
}

fn record(fields: &Value) -> Option<Value> {
    let mut record = base()?;
    crate::setup::overlay(&mut record, fields);
    Some(record)
}

fn mine() -> Option<Value> {
    record(&json!({"mood": 5, "body": "mine"}))
}

fn theirs() -> Option<Value> {
    record(&json!({"energy": 7, "body": "theirs"}))
}

fn merged() -> Option<Value> {
    record(&json!({"mood": 5, "body": "mine", "energy": 7}))
}

macro_rules! outcomes {
    ($($name:ident: $table:expr, $meeting:ident, $later:ident => $expected:expr;)*) => {$(
        #[tokio::test]
        async fn $name() {
            play($table, $meeting, Later::$later, $expected).await;
        }
    )*};
}

outcomes! {
    e2e_auto_preserve_merges_an_edit_with_a_newer_edit:
        with(ConflictStrategy::AutoPreserve), EditMeetsEdit, Here => merged();
    hazard_e58_auto_preserve_recreates_what_was_deleted_under_an_edit:
        with(ConflictStrategy::AutoPreserve), EditMeetsDeletion, Here => mine();
    e2e_auto_preserve_keeps_a_newer_edit_that_meets_a_delete:
        with(ConflictStrategy::AutoPreserve), DeleteMeetsEdit, Here => theirs();

    e2e_server_wins_takes_the_servers_record:
        with(ConflictStrategy::ServerWins), EditMeetsEdit, Here => theirs();
    e2e_server_wins_takes_the_deletion:
        with(ConflictStrategy::ServerWins), EditMeetsDeletion, Here => None;
    e2e_server_wins_brings_a_deleted_row_back:
        with(ConflictStrategy::ServerWins), DeleteMeetsEdit, Here => theirs();

    e2e_client_wins_overwrites_a_newer_edit:
        with(ConflictStrategy::ClientWins), EditMeetsEdit, There => mine();
    e2e_client_wins_recreates_what_was_deleted_under_an_edit:
        with(ConflictStrategy::ClientWins), EditMeetsDeletion, There => mine();
    e2e_client_wins_deletes_a_record_that_was_edited:
        with(ConflictStrategy::ClientWins), DeleteMeetsEdit, There => None;

    e2e_last_write_wins_whole_when_it_is_the_local_one:
        with(ConflictStrategy::LastWriteWins), EditMeetsEdit, Here => mine();
    e2e_last_write_wins_whole_when_it_is_the_servers:
        with(ConflictStrategy::LastWriteWins), EditMeetsEdit, There => theirs();
    e2e_last_write_wins_recreates_by_a_later_edit:
        with(ConflictStrategy::LastWriteWins), EditMeetsDeletion, Here => mine();
    e2e_last_write_wins_takes_a_later_deletion:
        with(ConflictStrategy::LastWriteWins), EditMeetsDeletion, There => None;
    e2e_last_write_wins_deletes_by_a_later_delete:
        with(ConflictStrategy::LastWriteWins), DeleteMeetsEdit, Here => None;
    e2e_last_write_wins_keeps_a_later_edit:
        with(ConflictStrategy::LastWriteWins), DeleteMeetsEdit, There => theirs();

    e2e_merge_by_default_lays_local_values_over_the_servers:
        with(ConflictStrategy::Merge), EditMeetsEdit, Here => merged();
    e2e_merge_sends_what_the_function_returns:
        sum(), EditMeetsEdit, Here => record(&json!({"mood": 8, "energy": 7, "body": "theirs"}));
    e2e_merge_recreates_what_was_deleted_under_an_edit:
        sum(), EditMeetsDeletion, Here => mine();
    e2e_merge_keeps_a_newer_edit_that_meets_a_delete:
        sum(), DeleteMeetsEdit, Here => theirs();
    e2e_a_merge_function_may_decide_what_becomes_of_an_edit_that_meets_a_deletion:
        undelete(), EditMeetsDeletion, Here => record(&json!({"mood": 5, "body": "mine", "title": "rescued"}));
    e2e_a_merge_function_may_decide_what_becomes_of_a_delete_that_meets_an_edit:
        undelete(), DeleteMeetsEdit, Here => record(&json!({"energy": 7, "body": "theirs", "title": "rescued"}));

    e2e_manual_accept_server_takes_the_servers_record:
        answer(Resolution::AcceptServer), EditMeetsEdit, Here => theirs();
    e2e_manual_accept_server_takes_the_deletion:
        answer(Resolution::AcceptServer), EditMeetsDeletion, Here => None;
    e2e_manual_accept_server_brings_a_deleted_row_back:
        answer(Resolution::AcceptServer), DeleteMeetsEdit, Here => theirs();
    e2e_manual_accept_client_overwrites_a_newer_edit:
        answer(Resolution::AcceptClient), EditMeetsEdit, Here => mine();
    e2e_manual_accept_client_recreates_what_was_deleted:
        answer(Resolution::AcceptClient), EditMeetsDeletion, Here => mine();
    e2e_manual_accept_client_deletes_a_record_that_was_edited:
        answer(Resolution::AcceptClient), DeleteMeetsEdit, Here => None;
    e2e_manual_accept_merged_sends_that_record:
        rescue(), EditMeetsEdit, Here => record(&json!({"energy": 7, "body": "theirs", "title": "rescued"}));
    e2e_manual_accept_merged_recreates_what_was_deleted:
        rescue(), EditMeetsDeletion, Here => record(&json!({"mood": 5, "body": "mine", "title": "rescued"}));
    e2e_manual_accept_merged_turns_a_delete_into_an_upsert:
        rescue(), DeleteMeetsEdit, Here => record(&json!({"energy": 7, "body": "theirs", "title": "rescued"}));
    e2e_manual_discard_drops_the_edit:
        answer(Resolution::Discard), EditMeetsEdit, Here => theirs();
    e2e_manual_discard_of_an_edit_takes_the_deletion:
        answer(Resolution::Discard), EditMeetsDeletion, Here => None;
    e2e_manual_discard_of_a_delete_brings_the_row_back:
        answer(Resolution::Discard), DeleteMeetsEdit, Here => theirs();
}

/// The default strategy, on servers that speak more of the protocol, or less.
async fn play_by_default_on(builder: MockServerBuilder, batch: bool) {
    for (meeting, expected) in [
        (EditMeetsEdit, merged()),
        (EditMeetsDeletion, mine()),
        (DeleteMeetsEdit, theirs()),
    ] {
        let server = builder.clone().start().await.unwrap();
        seed_note(&server);
        let table = with(ConflictStrategy::AutoPreserve);
        play_on(server, batch, table, meeting, Later::Here, expected).await;
    }
}

#[tokio::test]
async fn e2e_conflicts_are_settled_on_a_server_that_does_everything() {
    play_by_default_on(MockServer::builder().extended(), false).await;
}

#[tokio::test]
async fn e2e_conflicts_are_settled_in_batches() {
    play_by_default_on(MockServer::builder().extended(), true).await;
}

#[tokio::test]
async fn e2e_conflicts_are_settled_on_a_server_that_answers_without_bodies() {
    play_by_default_on(MockServer::builder().bodies(false), false).await;
}

#[tokio::test]
async fn e2e_conflicts_are_settled_on_a_server_without_tokens_and_keys() {
    let builder = MockServer::builder().page_tokens(false).ignore_keys(true);
    play_by_default_on(builder, false).await;
}

#[tokio::test]
async fn hazard_e09_conflicts_are_settled_on_a_server_that_stores_conflicts_under_their_key() {
    play_by_default_on(MockServer::builder().store_conflicts(true), false).await;
}

#[tokio::test]
async fn e2e_conflicts_are_settled_on_a_server_that_hides_its_deletions() {
    for deletion in [Deletion::Hidden, Deletion::Hard] {
        play_by_default_on(MockServer::builder().deletion(deletion), false).await;
    }
}

#[tokio::test]
async fn e2e_decisions_go_out_whole_where_preconditions_cannot_be_met() {
    let rescued = record(&json!({"energy": 7, "body": "theirs", "title": "rescued"}));
    let summed = record(&json!({"mood": 8, "energy": 7, "body": "theirs"}));
    for (table, meeting, expected) in [
        (rescue(), EditMeetsEdit, rescued.clone()),
        (rescue(), DeleteMeetsEdit, rescued),
        (sum(), EditMeetsEdit, summed),
        (with(ConflictStrategy::LastWriteWins), EditMeetsEdit, mine()),
    ] {
        let builder = MockServer::builder().stamps(StampStyle::Millis);
        let server = builder.hidden_precision(true).start().await.unwrap();
        seed_note(&server);
        play_on(server, false, table, meeting, Later::Here, expected).await;
    }
}

#[tokio::test]
async fn e2e_a_field_that_only_the_decision_changed_counts_as_changed() {
    let builder = MockServer::builder().features(&["changed-fields"]);
    let server = builder.start().await.unwrap();
    seed_note(&server);
    let here = Setup::new(&server).table(|_| rescue()).open().await;
    here.sync_fully().await;
    act_here(&here, EditMeetsEdit).await;
    server.update(NOTES, "n1", json!({"energy": 7}));
    here.sync_fully().await;
    let sent = server.pushes().pop().unwrap().body.unwrap();
    let named = sent["_changedFields"].as_array().unwrap();
    assert!(named.contains(&json!("title")), "{sent}");
}
