//! Columns and fields that are not on both sides.

use serde_json::json;

use crate::setup::{NOTES, Note, assert_fields, converge, device, server_with_note};

#[tokio::test]
async fn e2e_fields_that_a_client_does_not_know_survive_its_edits() {
    let server = server_with_note().await;
    server.update(
        NOTES,
        "n1",
        json!({"colour": "red", "place": {"lat": 47.3, "seen": [1, 2]}}),
    );
    let here = device(&server).await;
    here.sync_fully().await;
    here.edit("n1", json!({"mood": 5})).await;
    here.sync_fully().await;
    server.update(NOTES, "n1", json!({"colour": "blue"}));
    here.edit("n1", json!({"energy": 1})).await;
    here.sync_fully().await;
    let wanted =
        json!({"colour": "blue", "place": {"lat": 47.3, "seen": [1, 2]}, "mood": 5, "energy": 1});
    assert_fields(server.get(NOTES, "n1").as_ref(), &wanted);
    converge(&server, &[&here]).await;
}

#[tokio::test]
async fn hazard_e60_local_only_columns_are_never_sent_and_survive_everything() {
    let server = server_with_note().await;
    let here = device(&server).await;
    here.sync_fully().await;
    let notes = here.engine.writer::<Note>().unwrap();
    let mut note = notes.get("n1").await.unwrap().unwrap();
    note.pinned = Some(true);
    assert!(!notes.replace_and_enqueue(&note).await.unwrap());
    assert_eq!(here.ops().await.len(), 0);
    let pinned = json!({"pinned": 1});
    assert_fields(here.live("n1").await.as_ref(), &pinned);

    here.edit("n1", json!({"mood": 5})).await;
    server.update(NOTES, "n1", json!({"body": "theirs"}));
    here.sync_fully().await;
    server.update(NOTES, "n1", json!({"body": "again"}));
    here.sync_fully().await;
    here.engine.full_resync(false).await.unwrap();
    assert_fields(here.live("n1").await.as_ref(), &pinned);
    assert_fields(here.live("n1").await.as_ref(), &json!({"body": "again"}));
    assert_eq!(server.get(NOTES, "n1").unwrap().get("pinned"), None);
    for push in server.pushes() {
        assert_eq!(push.body.unwrap().get("pinned"), None);
    }
}

#[tokio::test]
async fn hazard_e19_a_save_that_changes_nothing_queues_nothing() {
    let server = server_with_note().await;
    let here = device(&server).await;
    here.sync_fully().await;
    let notes = here.engine.writer::<Note>().unwrap();
    let note = notes.get("n1").await.unwrap().unwrap();
    assert!(!notes.replace_and_enqueue(&note).await.unwrap());
    let touched = Note {
        updated_at: None,
        ..note.clone()
    };
    assert!(
        !notes
            .replace_and_enqueue_diff(&note, &touched)
            .await
            .unwrap()
    );
    assert_eq!(here.ops().await.len(), 0);
}

#[tokio::test]
async fn e2e_typed_entities_travel_whole() {
    let server = server_with_note().await;
    let (here, there) = (device(&server).await, device(&server).await);
    let notes = here.engine.writer::<Note>().unwrap();
    let note = Note {
        id: "né/1 ?#%".to_owned(),
        title: "日本語 🎌 \u{0}end".replace('\u{0}', "·"),
        body: None,
        mood: Some(i64::MAX),
        energy: Some(i64::MIN),
        pinned: None,
        updated_at: None,
        deleted_at: None,
    };
    notes.insert_and_enqueue(&note).await.unwrap();
    converge(&server, &[&here, &there]).await;
    let came = there
        .engine
        .writer::<Note>()
        .unwrap()
        .get(&note.id)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(came.title, note.title);
    assert_eq!((came.mood, came.energy), (note.mood, note.energy));
    assert!(came.updated_at.is_some());
    notes.delete_and_enqueue(&note.id).await.unwrap();
    converge(&server, &[&here, &there]).await;
    assert_eq!(server.get(NOTES, &note.id), None);
}
