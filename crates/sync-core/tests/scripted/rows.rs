//! What becomes of the rows of a page: set aside, doubled, unchanged, deleted.

use serde_json::{Value, json};
use sync_core::transport::PullPage;
use sync_core::{BadRow, Column, ColumnType, PhaseEnd, SoftDelete, SyncEvent, TableConfig};

use crate::device::{Device, ID, kind, purging, schema, told};
use crate::pages::{device, ids, page, row, with_table, with_token};
use crate::server::stamp;

#[tokio::test]
async fn what_cannot_be_used_is_set_aside_with_its_reason() {
    let device = device().await;
    device.server.says_it_is(stamp(30));
    let day_after = "2026-03-02T12:00:31Z";
    let items = vec![
        json!("no object"),
        json!({"updated_at": stamp(11).to_json()}),
        json!({"id": "no stamp"}),
        json!({"id": "early", "updated_at": "1969-12-31T23:59:59Z"}),
        json!({"id": "ahead", "updated_at": day_after}),
        json!({"id": "just", "updated_at": "2026-03-02T12:00:30Z"}),
        row("good", 11),
    ];
    device
        .server
        .pages(with_token(PullPage::new(items.clone()), "t1"));
    device.server.pages(PullPage::default());
    let mut events = device.engine.events();
    let report = device.pull().await;
    assert_eq!((report.pull, report.stats.pulled), (PhaseEnd::Completed, 2));
    assert_eq!(ids(&device), ["good", "just"]);
    let entries = device.set_aside().await;
    assert_eq!(entries.len(), 5);
    assert!(entries.iter().all(|entry| items.contains(&entry.row)));
    let of = |key: &str| entries.iter().find(|entry| entry.key == key).unwrap();
    assert!(
        of("ahead")
            .reason
            .contains("ahead of the server's own clock")
    );
    assert!(of("no stamp").reason.contains("no stamp"));
    let told = told(&mut events);
    let processed = told.iter().find_map(|event| match event {
        SyncEvent::PullPageProcessed {
            page_size,
            total_done,
            ..
        } => Some((*page_size, *total_done)),
        _ => None,
    });
    assert_eq!(processed, Some((7, 7)));
    let set_aside = |event: &&SyncEvent| matches!(event, SyncEvent::RowQuarantined { .. });
    assert_eq!(told.iter().filter(set_aside).count(), 5);
}

#[tokio::test]
async fn a_table_that_wants_to_fail_fails_at_a_row_that_cannot_be_used() {
    let device = with_table(purging().bad_rows(BadRow::Fail)).await;
    device
        .server
        .pages(PullPage::new(vec![row("good", 11), json!({"id": "bad"})]));
    let report = device.pull().await;
    assert!(report.pull_failures[&kind()].contains("bad"), "{report:?}");
    assert_eq!(ids(&device), [""; 0]);
}

#[tokio::test]
async fn of_an_id_that_comes_twice_the_newest_counts_and_of_equal_stamps_the_later() {
    let device = Device::new(schema("updated_at", vec![]), purging()).await;
    let mut later = row("a", 12);
    later["b"] = json!("later");
    let items = vec![
        row("a", 12),
        row("b", 13),
        later,
        row("a", 11),
        row("b", 12),
    ];
    device.server.pages(with_token(PullPage::new(items), "t1"));
    device.server.pages(PullPage::default());
    device.pull().await;
    let rows = device.store.rows(&kind());
    let shown: Vec<_> = rows
        .iter()
        .map(|row| (row.get("a").cloned(), row.get("b").cloned()))
        .collect();
    assert_eq!(shown[0], (Some(json!(12)), Some(json!("later"))));
    assert_eq!(shown[1].0, Some(json!(13)));
}

async fn changes(device: &Device, row: Value) -> Vec<(u64, u64)> {
    let mut events = device.engine.events();
    device.server.lists(row);
    device.pull().await;
    let count = |event| match event {
        SyncEvent::CacheUpdate {
            upserts, deletes, ..
        } => Some((upserts, deletes)),
        _ => None,
    };
    told(&mut events).into_iter().filter_map(count).collect()
}

#[tokio::test]
async fn only_other_content_under_no_older_stamp_is_news() {
    let device = device().await;
    assert_eq!(changes(&device, row("a", 12)).await, [(1, 0)]);
    assert_eq!(changes(&device, row("a", 12)).await, []);
    assert_eq!(changes(&device, row("a", 11)).await, []);
    let mut other = row("a", 12);
    other["b"] = json!(1);
    assert_eq!(changes(&device, other).await, [(1, 0)]);
    let mut gone = row("a", 13);
    gone["deleted_at"] = stamp(13).to_json();
    assert_eq!(changes(&device, gone.clone()).await, [(0, 1)]);
    assert_eq!(changes(&device, gone).await, []);
    assert_eq!(
        changes(&device, row("a", 12)).await,
        [],
        "an older page does not revive it"
    );
    assert_eq!(ids(&device), [""; 0]);
}

#[tokio::test]
async fn an_older_row_alone_is_the_newest_of_its_page() {
    let device = Device::new(schema("updated_at", vec![]), purging()).await;
    device
        .server
        .pages(with_token(page(&[("a", 13), ("a", 12)]), "t1"));
    device.server.pages(PullPage::default());
    device.pull().await;
    assert_eq!(device.store.rows(&kind())[0].get("a"), Some(&json!(13)));
}

#[tokio::test]
async fn a_kept_tombstone_counts_as_a_deletion_and_one_that_the_table_refuses_takes_its_row() {
    let keeping = || TableConfig::new().soft_delete(SoftDelete::Keep);
    let mark = Column::new("deleted_at", ColumnType::Text).nullable();
    let gone = |number| {
        let now = stamp(number).to_json();
        json!({"id": "a", "updated_at": now, "deleted_at": now})
    };
    let device = Device::new(schema("updated_at", vec![mark.clone()]), keeping()).await;
    assert_eq!(changes(&device, row("a", 12)).await, [(1, 0)]);
    assert_eq!(changes(&device, gone(13)).await, [(0, 1)]);
    assert_eq!(ids(&device), ["a"]);

    let title = Column::new("title", ColumnType::Text);
    let device = Device::new(schema("updated_at", vec![mark, title]), keeping()).await;
    let mut full = row("a", 12);
    full["title"] = json!("needed");
    assert_eq!(changes(&device, full).await, [(1, 0)]);
    assert_eq!(changes(&device, gone(13)).await, [(0, 1)]);
    assert_eq!(ids(&device), [""; 0]);
    assert!(device.set_aside().await.is_empty());
}

#[tokio::test]
async fn what_was_set_aside_is_released_when_it_comes_right_and_when_the_table_changes() {
    let device = device().await;
    changes(&device, json!({"id": "a"})).await;
    assert_eq!(device.set_aside().await.len(), 1);
    changes(&device, row("a", 12)).await;
    assert!(device.set_aside().await.is_empty());

    let title = || Column::new("title", ColumnType::Text);
    let mut device = Device::new(schema("updated_at", vec![title()]), purging()).await;
    changes(&device, row("b", 12)).await;
    assert_eq!(device.set_aside().await.len(), 1);
    device
        .restart(schema("updated_at", vec![title().nullable()]), purging())
        .await;
    let mut with_title = row("c", 13);
    with_title["title"] = json!("there");
    changes(&device, with_title).await;
    assert!(device.set_aside().await.is_empty());
    assert_eq!(ids(&device), ["b", "c"]);
}

#[tokio::test]
async fn a_row_that_was_never_sent_goes_although_the_servers_record_in_its_place_does_not_fit() {
    let title = Column::new("title", ColumnType::Text);
    let device = Device::new(schema("updated_at", vec![title]), purging()).await;
    device
        .insert(json!({"id": ID, "a": 1, "title": "mine"}))
        .await;
    // Somebody else's record has the same id, and no title.
    device
        .server
        .lists(json!({"id": ID, "a": 2, "updated_at": stamp(2).to_json()}));
    device.pull().await;
    device.delete().await;
    assert_eq!(device.row(), None, "the user sees it go");
    assert_eq!(device.ops().await, [], "there is nothing to delete there");
    let set_aside = device.set_aside().await;
    assert_eq!(set_aside.len(), 1, "the server's record is kept");
    let fits = json!({"id": ID, "a": 2, "title": "theirs", "updated_at": stamp(3).to_json()});
    device.server.lists(fits);
    device.pull().await;
    assert_eq!(device.row().unwrap().get("title"), Some(&json!("theirs")));
}
