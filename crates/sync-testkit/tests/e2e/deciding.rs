//! Conflicts that wait for a person: what is shown of them, and what a decision does.

use serde_json::{Value, json};
use sync_core::{
    Conflict, EntityId, OpStatus, Record, Resolution, ServerState, SyncError, SyncOptions,
};
use sync_testkit::MockServer;

use crate::conflicts::{in_conflict, manual};
use crate::setup::{Device, NOTES, Note, assert_fields, converge, entity, kind, server_with_note};

/// A conflict that waits: mood 5 here, another body there.
async fn undecided(server: &MockServer) -> Device {
    let here = in_conflict(server, manual(server)).await;
    here.sync().await;
    here
}

/// The one that waits.
async fn shown(device: &Device) -> Conflict {
    let mut open = device.engine.conflicts().open().await.unwrap();
    assert_eq!(open.len(), 1);
    open.remove(0).conflict
}

fn assert_side(side: Option<&Record>, fields: &Value) {
    assert_fields(side.cloned().map(Value::from).as_ref(), fields);
}

async fn pull(device: &Device) {
    let options = SyncOptions::default().no_push();
    device.engine.sync_with(options).await.unwrap();
}

#[tokio::test]
async fn e2e_a_deferred_conflict_is_resolved_later() {
    for (resolution, wanted) in [
        (
            Resolution::AcceptServer,
            json!({"mood": 3, "body": "theirs"}),
        ),
        (Resolution::AcceptClient, json!({"mood": 5, "body": "base"})),
        (Resolution::Discard, json!({"mood": 3, "body": "theirs"})),
    ] {
        let server = server_with_note().await;
        let here = undecided(&server).await;
        let conflicts = here.engine.conflicts();
        let open = shown(&here).await;
        assert!(conflicts.resolve(&open, resolution).await.unwrap());
        assert_eq!(conflicts.open().await.unwrap(), []);
        assert_eq!(conflicts.get(&open.op_id).await.unwrap(), None);
        converge(&server, &[&here]).await;
        assert_fields(server.get(NOTES, "n1").as_ref(), &wanted);
    }
}

#[tokio::test]
async fn e2e_an_open_conflict_shows_all_its_sides_as_records_and_typed() {
    let server = server_with_note().await;
    let here = undecided(&server).await;
    let open = here.engine.conflicts().open().await.unwrap().remove(0);
    let (op, conflict) = (here.ops().await.remove(0), &open.conflict);
    assert_eq!(
        (&conflict.kind, &conflict.entity_id, &conflict.op_id),
        (&kind(), &entity("n1"), &op.op_id)
    );
    assert_side(conflict.local.as_ref(), &json!({"mood": 5, "body": "base"}));
    assert_side(
        conflict.server_record(),
        &json!({"mood": 3, "body": "theirs"}),
    );
    assert_side(conflict.base_record(), &json!({"mood": 3, "body": "base"}));
    let changed: Vec<&str> = conflict
        .changed_fields
        .iter()
        .flat_map(|fields| fields.iter())
        .collect();
    assert_eq!(changed, ["mood"]);
    assert_eq!(open.reason, "no conflict resolver for the manual strategy");
    assert!(!open.by_choice);
    let typed = open.typed::<Note>().unwrap().conflict;
    assert_eq!(typed.local.as_ref().and_then(|note| note.mood), Some(5));
    let body = |note: Option<&Note>| note.and_then(|note| note.body.clone());
    assert_eq!(body(typed.server_record()).as_deref(), Some("theirs"));
    assert_eq!(body(typed.base_record()).as_deref(), Some("base"));
    assert_eq!(
        here.engine.conflicts().get(&op.op_id).await.unwrap(),
        Some(open)
    );
}

#[tokio::test]
async fn e2e_an_open_conflict_with_a_deletion_says_which_side_is_gone() {
    let server = server_with_note().await;
    let here = manual(&server).open().await;
    here.sync_fully().await;
    here.edit("n1", json!({"mood": 5})).await;
    server.delete(NOTES, "n1");
    here.sync().await;
    let open = shown(&here).await.typed::<Note>().unwrap();
    assert!(open.local.is_some() && open.base_record().is_some());
    assert!(matches!(open.server, ServerState::Deleted { .. }));
    assert!(
        here.engine
            .conflicts()
            .resolve(&open, Resolution::AcceptClient)
            .await
            .unwrap()
    );
    converge(&server, &[&here]).await;
    assert_fields(server.get(NOTES, "n1").as_ref(), &json!({"mood": 5}));
}

#[tokio::test]
async fn e2e_both_sides_merged_are_what_a_screen_begins_with() {
    let server = server_with_note().await;
    let here = undecided(&server).await;
    let open = shown(&here).await.typed::<Note>().unwrap();
    let merged = open.merged().unwrap().unwrap();
    assert!(merged.contested_fields.is_empty());
    assert_eq!(merged.entity.mood, Some(5));
    assert_eq!(merged.entity.body.as_deref(), Some("theirs"));
    let resolution = Resolution::AcceptMerged(merged.entity);
    let resolved = here.engine.conflicts().resolve(&open, resolution).await;
    assert!(resolved.unwrap());
    converge(&server, &[&here]).await;
    assert_fields(
        server.get(NOTES, "n1").as_ref(),
        &json!({"mood": 5, "body": "theirs"}),
    );
}

#[tokio::test]
async fn e2e_what_both_sides_changed_is_named_and_a_deletion_merges_with_nothing() {
    let server = server_with_note().await;
    let here = manual(&server).open().await;
    here.sync_fully().await;
    here.edit("n1", json!({"mood": 5})).await;
    server.update(NOTES, "n1", json!({"mood": 1, "energy": 2}));
    here.sync().await;
    let merged = shown(&here).await.typed::<Note>().unwrap().merged();
    let merged = merged.unwrap().unwrap();
    assert!(merged.contested_fields.iter().eq(["mood"]));
    assert_eq!(
        (merged.entity.mood, merged.entity.energy),
        (Some(5), Some(2))
    );
    server.delete(NOTES, "n1");
    pull(&here).await;
    here.sync().await;
    let open = shown(&here).await.typed::<Note>().unwrap();
    assert_eq!(open.merged().unwrap(), None);
}

#[tokio::test]
async fn e2e_a_typed_decision_keeps_the_servers_fields_that_the_type_does_not_know() {
    let server = server_with_note().await;
    let here = in_conflict(&server, manual(&server)).await;
    server.update(NOTES, "n1", json!({"colour": "red"}));
    here.sync().await;
    let open = shown(&here).await.typed::<Note>().unwrap();
    let merged = Note {
        mood: Some(4),
        pinned: Some(true),
        ..open.server_record().unwrap().clone()
    };
    let conflicts = here.engine.conflicts();
    assert!(
        conflicts
            .resolve(&open, Resolution::AcceptMerged(merged))
            .await
            .unwrap()
    );
    converge(&server, &[&here]).await;
    let record = server.get(NOTES, "n1").unwrap();
    assert_fields(Some(&record), &json!({"mood": 4, "body": "theirs"}));
    assert_eq!(record.get("colour"), Some(&json!("red")));
    assert_eq!(record.get("pinned"), None, "it stays on the device");
}

#[tokio::test]
async fn e2e_a_decision_survives_a_restart_and_an_edit_after_it() {
    let server = server_with_note().await;
    let here = undecided(&server).await;
    let (folder, world) = (here.folder.clone(), here.world.clone());
    drop(here);
    let here = manual(&server).file_of(folder).world(&world).open().await;
    let open = shown(&here).await;
    let mut merged = open.server_record().unwrap().clone();
    merged.fields_mut().insert("mood".to_owned(), 4.into());
    let resolution = Resolution::AcceptMerged(merged);
    assert!(
        here.engine
            .conflicts()
            .resolve(&open, resolution)
            .await
            .unwrap()
    );
    let (folder, world) = (here.folder.clone(), here.world.clone());
    drop(here);
    let here = manual(&server).file_of(folder).world(&world).open().await;
    converge(&server, &[&here]).await;
    assert_fields(
        server.get(NOTES, "n1").as_ref(),
        &json!({"mood": 4, "body": "theirs"}),
    );
}

/// The conflict was shown, and while a person thought about it, somebody wrote `later`, and a run
/// judged the conflict anew: it has the same operation, and another record of the server.
async fn judged_anew(server: &MockServer) -> (Device, Conflict) {
    let here = undecided(server).await;
    let before = shown(&here).await;
    server.update(NOTES, "n1", json!({"body": "later"}));
    pull(&here).await;
    here.sync().await;
    let now = shown(&here).await;
    assert_eq!(now.op_id, before.op_id);
    assert_side(now.server_record(), &json!({"body": "later"}));
    (here, before)
}

#[tokio::test]
async fn e2e_a_decision_overwrites_no_record_that_was_not_shown() {
    let server = server_with_note().await;
    let (here, before) = judged_anew(&server).await;
    let conflicts = here.engine.conflicts();
    let merged = before.local.clone().unwrap();
    for resolution in [
        Resolution::AcceptMerged(merged),
        Resolution::AcceptClient,
        Resolution::AcceptServer,
        Resolution::Discard,
    ] {
        assert!(!conflicts.resolve(&before, resolution).await.unwrap());
    }
    let typed = before.typed::<Note>().unwrap();
    let resolution = Resolution::AcceptMerged(typed.local.clone().unwrap());
    assert!(!conflicts.resolve(&typed, resolution).await.unwrap());
    here.sync().await;
    assert_fields(server.get(NOTES, "n1").as_ref(), &json!({"body": "later"}));
    let now = shown(&here).await.typed::<Note>().unwrap();
    let merged = Note {
        mood: Some(5),
        ..now.server_record().unwrap().clone()
    };
    let resolution = Resolution::AcceptMerged(merged);
    assert!(conflicts.resolve(&now, resolution).await.unwrap());
    converge(&server, &[&here]).await;
    assert_fields(
        server.get(NOTES, "n1").as_ref(),
        &json!({"mood": 5, "body": "later"}),
    );
}

#[tokio::test]
async fn e2e_a_decision_gives_up_no_edit_that_was_not_shown() {
    let server = server_with_note().await;
    let here = undecided(&server).await;
    let before = shown(&here).await;
    here.edit("n1", json!({"energy": 1})).await;
    here.sync().await;
    assert_eq!(shown(&here).await.op_id, before.op_id);
    let conflicts = here.engine.conflicts();
    for resolution in [Resolution::Discard, Resolution::AcceptServer] {
        assert!(!conflicts.resolve(&before, resolution).await.unwrap());
    }
    assert_fields(
        here.live("n1").await.as_ref(),
        &json!({"mood": 5, "energy": 1}),
    );
}

#[tokio::test]
async fn e2e_a_decision_by_id_holds_whatever_the_sides_say_by_now() {
    let server = server_with_note().await;
    let (here, before) = judged_anew(&server).await;
    let conflicts = here.engine.conflicts();
    let resolved = conflicts.resolve_by_id(&before.op_id, Resolution::AcceptServer);
    assert!(resolved.await.unwrap());
    converge(&server, &[&here]).await;
    assert_fields(
        here.live("n1").await.as_ref(),
        &json!({"mood": 3, "body": "later"}),
    );
    let unknown = here.world.env().op_id();
    let resolved = conflicts.resolve_by_id(&unknown, Resolution::AcceptServer);
    assert!(!resolved.await.unwrap());
}

#[tokio::test]
async fn e2e_a_decision_waits_for_what_was_pulled_since() {
    let server = server_with_note().await;
    let here = undecided(&server).await;
    let open = shown(&here).await;
    server.update(NOTES, "n1", json!({"body": "later"}));
    pull(&here).await;
    let conflicts = here.engine.conflicts();
    let client = Resolution::AcceptClient;
    assert!(
        !conflicts
            .resolve_by_id(&open.op_id, client.clone())
            .await
            .unwrap()
    );
    assert!(!conflicts.resolve(&open, client).await.unwrap());
    here.sync().await;
    assert_side(
        shown(&here).await.server_record(),
        &json!({"body": "later"}),
    );
    assert_fields(server.get(NOTES, "n1").as_ref(), &json!({"body": "later"}));
}

#[tokio::test]
async fn e2e_a_merged_entity_that_cannot_be_sent_leaves_the_conflict_open() {
    #[derive(Clone, serde::Serialize, serde::Deserialize, sync_core::SyncEntity)]
    #[sync(kind = "notes")]
    struct Measured {
        id: String,
        mood: Option<f64>,
    }
    let server = server_with_note().await;
    let here = undecided(&server).await;
    let open = shown(&here).await.typed::<Measured>().unwrap();
    let merged = Measured {
        id: "n1".into(),
        mood: Some(f64::NAN),
    };
    let conflicts = here.engine.conflicts();
    let failed = conflicts.resolve(&open, Resolution::AcceptMerged(merged));
    let error = failed.await.unwrap_err();
    assert!(matches!(error, SyncError::Entity { .. }), "{error}");
    assert!(error.to_string().contains("mood"), "{error}");
    assert_eq!(here.ops().await[0].status, OpStatus::Deferred);
    assert_eq!(shown(&here).await.entity_id, EntityId::new("n1").unwrap());
}
