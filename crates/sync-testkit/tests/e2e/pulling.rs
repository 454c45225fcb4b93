//! What a pull brings: every row once, in whatever pages, with whatever stamps.

use std::time::Duration;

use serde_json::{Value, json};
use sync_core::{SoftDelete, SyncEvent};
use sync_testkit::{Deletion, Fault, MockServer, MockServerBuilder, RecordedRequest, Route};

use crate::setup::{
    Device, NOTES, Setup, assert_fields, converge, device, kind, many, seed_note, server_with_note,
};

const COUNT: &str = "SELECT COUNT(*) FROM notes";

/// So many notes of one stamp, long before the server's clock.
fn of_one_stamp(count: usize) -> Vec<Value> {
    let stamped = |mut note: Value| {
        note["updated_at"] = json!("2025-06-01T00:00:00Z");
        note
    };
    many(count).into_iter().map(stamped).collect()
}

async fn rows_of_one_stamp_arrive_once(builder: MockServerBuilder) {
    let server = builder.start().await.unwrap();
    server.seed(NOTES, of_one_stamp(2500)).unwrap();
    let here = device(&server).await;
    let report = here.sync_fully().await;
    assert_eq!((report.stats.pulled, here.count(COUNT).await), (2500, 2500));
    assert!(server.pulls(NOTES).len() <= 6);
    server.clear_recorded();
    let report = here.sync_fully().await;
    assert_eq!((report.stats.pulled, server.pulls(NOTES).len()), (0, 1));
}

#[tokio::test]
async fn e2e_rows_of_one_stamp_arrive_once_with_page_tokens() {
    rows_of_one_stamp_arrive_once(MockServer::builder()).await;
}

#[tokio::test]
async fn hazard_e23_rows_of_one_stamp_arrive_once_by_keyset() {
    rows_of_one_stamp_arrive_once(MockServer::builder().page_tokens(false)).await;
}

#[tokio::test]
async fn e2e_rows_of_one_stamp_arrive_once_with_an_opaque_cursor() {
    rows_of_one_stamp_arrive_once(MockServer::builder().cursors(true)).await;
}

#[tokio::test]
async fn e2e_a_server_that_caps_the_limit_loses_nothing() {
    for (tokens, cursors) in [(true, false), (false, false), (true, true), (false, true)] {
        for one_stamp in [true, false] {
            let builder = MockServer::builder().page_tokens(tokens).cursors(cursors);
            let server = builder.max_limit(100).start().await.unwrap();
            let notes = if one_stamp {
                of_one_stamp(730)
            } else {
                many(730)
            };
            server.seed(NOTES, notes).unwrap();
            let here = device(&server).await;
            here.sync_fully().await;
            assert_eq!(
                here.count(COUNT).await,
                730,
                "{tokens} {cursors} {one_stamp}"
            );
            server.update(NOTES, "n00001", json!({"title": "changed"}));
            converge(&server, &[&here]).await;
        }
    }
}

#[tokio::test]
async fn e2e_rows_that_change_while_pages_are_pulled_are_not_lost() {
    for tokens in [true, false] {
        let server = MockServer::builder()
            .page_tokens(tokens)
            .start()
            .await
            .unwrap();
        server.seed(NOTES, many(30)).unwrap();
        let here = Setup::new(&server)
            .table(|table| table.page_size(5))
            .open()
            .await;
        let other = server.clone();
        server
            .fault(Fault::behave(move |settings| {
                other.update(NOTES, "n00003", json!({"title": "moved to the end"}));
                other.update(NOTES, "n00020", json!({"title": "moved too"}));
                other.update(NOTES, "late", json!({"title": "new"}));
                settings
            }))
            .on(Route::Pull)
            .skip(2);
        here.sync_fully().await;
        converge(&server, &[&here]).await;
        assert_eq!(here.count(COUNT).await, 31);
    }
}

#[tokio::test]
async fn hazard_e22_every_page_of_a_chain_is_asked_for_from_where_the_chain_began() {
    let server = server_with_note().await;
    let here = Setup::new(&server)
        .table(|table| table.page_size(5))
        .open()
        .await;
    here.sync_fully().await;
    server.advance(Duration::from_secs(60));
    for note in many(20) {
        server.update(NOTES, note["id"].as_str().unwrap(), note.clone());
    }
    server.clear_recorded();
    here.sync_fully().await;
    let keyset = |request: &RecordedRequest| {
        ["updatedSince", "afterId"].map(|name| request.query(name).map(str::to_owned))
    };
    let keysets: Vec<_> = server.pulls(NOTES).iter().map(keyset).collect();
    assert!(keysets.len() > 3 && keysets[0][0].is_some());
    assert!(keysets.iter().all(|one| *one == keysets[0]), "{keysets:?}");
}

#[tokio::test]
async fn hazard_e24_a_page_that_is_empty_but_has_a_token_is_not_the_end() {
    let server = server_with_note().await;
    let here = device(&server).await;
    let empty = json!({"items": [], "nextPageToken": "0~"});
    server.fault(Fault::json(200, empty)).on(Route::Pull);
    here.sync_fully().await;
    assert!(here.live("n1").await.is_some());
}

#[tokio::test]
async fn hazard_e28_pages_in_no_order_are_all_taken_and_never_move_the_cursor_back() {
    let server = server_with_note().await;
    let here = device(&server).await;
    let row = |id: &str, second: u32| json!({"id": id, "title": id, "updated_at": format!("2025-12-01T00:00:{second:02}Z")});
    let page = json!({"items": [row("a", 9), row("b", 3), row("c", 7)], "nextPageToken": null});
    server.fault(Fault::json(200, page)).on(Route::Pull);
    here.sync_fully().await;
    assert_eq!(here.count(COUNT).await, 4);
}

#[tokio::test]
async fn e2e_a_token_that_comes_twice_is_an_error_and_no_loop() {
    let server = MockServer::start().await.unwrap();
    server.seed(NOTES, many(30)).unwrap();
    let here = Setup::new(&server)
        .table(|table| table.page_size(5))
        .open()
        .await;
    let fault = server
        .fault(Fault::repeated_token())
        .on(Route::Pull)
        .always();
    let report = here.sync().await;
    assert!(
        report.pull_failures[&kind()].contains("twice"),
        "{report:?}"
    );
    assert!(server.pulls(NOTES).len() <= 4);
    fault.remove();
    converge(&server, &[&here]).await;
}

#[tokio::test]
async fn hazard_e23_a_server_that_ignores_the_keyset_is_an_error_and_no_loop() {
    let server = MockServer::start().await.unwrap();
    let here = Setup::new(&server)
        .table(|table| table.page_size(2))
        .open()
        .await;
    let row = |id: &str| json!({"id": id, "title": id, "updated_at": "2025-12-01T00:00:00Z"});
    let page = json!({"items": [row("a"), row("b")]});
    server
        .fault(Fault::json(200, page))
        .on(Route::Pull)
        .always();
    let report = here.sync().await;
    assert!(
        report.pull_failures[&kind()].contains("afterId"),
        "{report:?}"
    );
    assert!(server.pulls(NOTES).len() <= 4);
}

#[tokio::test]
async fn hazard_e25_late_commits_within_the_overlap_are_seen() {
    for tokens in [true, false] {
        let server = MockServer::builder()
            .page_tokens(tokens)
            .start()
            .await
            .unwrap();
        seed_note(&server);
        let here = device(&server).await;
        server.advance(Duration::from_secs(60));
        server.update(NOTES, "n1", json!({"mood": 4}));
        here.sync_fully().await;
        for (number, seconds) in [1, 2, 4].into_iter().enumerate() {
            let stamp = server.now().minus(Duration::from_secs(seconds));
            let late = json!({"id": format!("late{number}"), "title": "committed late"});
            server.commit_late(NOTES, late, stamp).unwrap();
        }
        here.sync_fully().await;
        assert_eq!(here.count(COUNT).await, 4);
        converge(&server, &[&here]).await;
    }
}

#[tokio::test]
async fn e2e_a_page_that_comes_again_changes_nothing() {
    let server = server_with_note().await;
    let here = device(&server).await;
    here.sync_fully().await;
    let old = server.get(NOTES, "n1").unwrap();
    server.update(NOTES, "n1", json!({"title": "newer"}));
    here.sync_fully().await;
    let before = here.row("n1").await;
    let _ = here.events();
    server
        .fault(Fault::json(200, json!({"items": [old]})))
        .on(Route::Pull);
    here.sync_fully().await;
    assert_eq!(here.row("n1").await, before);
    assert!(!here.event_names().contains(&"CacheUpdate".to_owned()));
}

/// A page with one row that can be applied and these that cannot.
async fn quarantine(here: &Device, server: &MockServer, bad: &[Value]) -> Vec<String> {
    let mut items = bad.to_vec();
    items.push(json!({"id": "good", "title": "good", "updated_at": "2025-12-01T00:00:09Z"}));
    server
        .fault(Fault::json(
            200,
            json!({"items": items, "nextPageToken": null}),
        ))
        .on(Route::Pull);
    here.sync().await;
    assert!(here.live("good").await.is_some());
    let entries = here.engine.quarantine().list(&kind(), 100).await.unwrap();
    assert_eq!(entries.len(), bad.len(), "{entries:?}");
    for entry in &entries {
        assert!(bad.contains(&entry.row), "verbatim: {entry:?}");
    }
    let events = here.events().into_iter().filter_map(|event| match event {
        SyncEvent::RowQuarantined { reason, .. } => Some(reason),
        _ => None,
    });
    events.collect()
}

#[tokio::test]
async fn hazard_e29_malformed_rows_go_to_quarantine_and_the_rest_applies() {
    let server = MockServer::start().await.unwrap();
    let here = device(&server).await;
    let stamp = "2025-12-01T00:00:01Z";
    let bad = [
        json!({"title": "without an id", "updated_at": stamp}),
        json!({"id": "b1", "title": "without a stamp"}),
        json!({"id": "b2", "title": "unreadable stamp", "updated_at": "yesterday"}),
        json!({"id": "b3", "title": "from the year 2400", "updated_at": "2400-01-01T00:00:00Z"}),
        json!({"id": "b4", "title": null, "updated_at": stamp}),
        json!({"id": "b5", "title": "mood is text", "mood": "good", "updated_at": stamp}),
        json!({"id": "b6", "title": {"de": "Titel"}, "updated_at": stamp}),
        json!("not an object"),
    ];
    let reasons = quarantine(&here, &server, &bad).await;
    assert_eq!(reasons.len(), bad.len(), "{reasons:?}");
    assert_eq!(here.count(COUNT).await, 1);
}

#[tokio::test]
async fn e2e_a_quarantined_row_heals_when_the_server_mends_it() {
    let server = MockServer::start().await.unwrap();
    let here = device(&server).await;
    server
        .seed(
            NOTES,
            [json!({"id": "n1", "title": "fine"}), json!({"id": "n2"})],
        )
        .unwrap();
    here.sync_fully().await;
    let entries = here.engine.quarantine().list(&kind(), 10).await.unwrap();
    assert_eq!((entries.len(), entries[0].key.as_str()), (1, "n2"));
    assert_eq!(here.count(COUNT).await, 1);
    server.update(NOTES, "n2", json!({"title": "mended"}));
    here.sync_fully().await;
    assert_eq!(
        here.engine.quarantine().list(&kind(), 10).await.unwrap(),
        []
    );
    converge(&server, &[&here]).await;
}

#[tokio::test]
async fn e2e_an_expired_cursor_leads_to_a_full_resync() {
    let server = MockServer::start().await.unwrap();
    server.seed(NOTES, many(5)).unwrap();
    let here = device(&server).await;
    here.sync_fully().await;
    server.purge(NOTES, "n00001");
    server.fault(Fault::status(410)).on(Route::Pull);
    here.sync_fully().await;
    let names = here.event_names();
    assert!(names.contains(&"FullResyncStarted".to_owned()), "{names:?}");
    assert_eq!(here.live("n00001").await, None);
    converge(&server, &[&here]).await;

    let fresh = device(&server).await;
    server.fault(Fault::status(410)).on(Route::Pull).always();
    let report = fresh.sync().await;
    assert!(!report.pull.is_complete(), "410 from zero is an error");
    assert!(server.pulls(NOTES).len() < 20);
}

#[tokio::test]
async fn hazard_e31_a_deleted_row_is_kept_as_a_tombstone_or_purged_as_the_table_says() {
    for (policy, rows) in [(SoftDelete::Keep, 2), (SoftDelete::Purge, 0)] {
        let server = server_with_note().await;
        server
            .seed(NOTES, [json!({"id": "n2", "title": "another"})])
            .unwrap();
        let here = Setup::new(&server)
            .table(|table| table.soft_delete(policy))
            .open()
            .await;
        here.sync_fully().await;
        server.delete(NOTES, "n1");
        here.delete("n2").await;
        assert_eq!(here.live("n2").await, None);
        here.sync_fully().await;
        assert_eq!(here.count(COUNT).await, rows, "{policy:?}");
        assert_eq!((here.live("n1").await, here.live("n2").await), (None, None));
        converge(&server, &[&here]).await;
        assert_eq!(here.count(COUNT).await, rows, "{policy:?}");
    }
}

#[tokio::test]
async fn e2e_a_purged_row_is_not_revived_by_an_older_page() {
    let server = server_with_note().await;
    let setup = Setup::new(&server).table(|table| table.soft_delete(SoftDelete::Purge));
    let here = setup.open().await;
    here.sync_fully().await;
    let old = server.get(NOTES, "n1").unwrap();
    server.delete(NOTES, "n1");
    here.sync_fully().await;
    server
        .fault(Fault::json(200, json!({"items": [old]})))
        .on(Route::Pull);
    here.sync_fully().await;
    assert_eq!(here.live("n1").await, None);
}

#[tokio::test]
async fn e2e_what_was_deleted_on_the_server_and_brought_back_there_comes_back() {
    for policy in [SoftDelete::Keep, SoftDelete::Purge] {
        for deletion in [Deletion::Tombstone, Deletion::Hidden] {
            let server = MockServer::builder()
                .deletion(deletion)
                .start()
                .await
                .unwrap();
            seed_note(&server);
            let here = Setup::new(&server)
                .table(|table| table.soft_delete(policy))
                .open()
                .await;
            here.sync_fully().await;
            server.delete(NOTES, "n1");
            here.sync_fully().await;
            server.update(NOTES, "n1", json!({"title": "back"}));
            here.sync_fully().await;
            assert_fields(here.live("n1").await.as_ref(), &json!({"title": "back"}));
            here.edit("n1", json!({"mood": 5})).await;
            let report = here.sync_fully().await;
            assert_eq!(report.stats.conflicts, 0);
            converge(&server, &[&here]).await;
        }
    }
}

#[tokio::test]
async fn e2e_servers_with_other_names_and_paths_are_served() {
    let names = sync_testkit::FieldNames::new("key", "modified", "removed", "created");
    let builder = MockServer::builder()
        .field_names(names)
        .kind_path(NOTES, "v2/users/1/notes")
        .base_path("/api")
        .envelope("data", "next");
    let server = builder.max_limit(2).start().await.unwrap();
    let note = |number: u32| json!({"key": format!("n{number}"), "title": "T"});
    server.seed(NOTES, (0..5).map(note)).unwrap();
    let route = sync_rest::KindRoute::new()
        .path("v2/users/1/notes")
        .items_field("data")
        .next_token_field("next")
        .id_field("key")
        .stamp_field("modified")
        .tombstone_field("removed");
    let here = Setup::new(&server)
        .rest(move |rest| rest.kind(NOTES, route))
        .open()
        .await;
    here.sync_fully().await;
    assert_eq!(here.count(COUNT).await, 5);
    here.edit("n1", json!({"mood": 5})).await;
    here.delete("n2").await;
    server.update(NOTES, "n1", json!({"body": "theirs"}));
    server.delete(NOTES, "n3");
    here.sync_fully().await;
    assert_fields(
        server.get(NOTES, "n1").as_ref(),
        &json!({"mood": 5, "body": "theirs"}),
    );
    assert_eq!(server.get(NOTES, "n2"), None);
    assert_eq!(here.live("n3").await, None);
    assert_eq!(here.ops().await.len(), 0);
}
