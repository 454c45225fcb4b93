//! Pulled rows of kinds that refer to each other: none without its parent, no parent away from
//! under its children.

use serde_json::json;
use sync_core::{EventStream, SyncEvent, SyncOptions};

use crate::device::told;
use crate::family::{Family, Home, kind};

fn todo(id: &str, list: &str) -> serde_json::Value {
    json!({"id": id, "title": "T", "list_id": list})
}

/// A device that has the list `l` with the todo `t`.
async fn list_with_todo() -> Family {
    let family = Family::new().await;
    family.home.has("lists", json!({"id": "l"}));
    family.home.has("todos", todo("t", "l"));
    family.sync().await;
    family
}

#[tokio::test]
async fn parents_are_there_before_their_children_in_one_pull() {
    let home = Home::default();
    home.has("todos", todo("t", "l"));
    home.has("lists", json!({"id": "l"}));
    let family = Family::at(home, 500).await;
    assert_eq!(family.rows("todos"), ["t"]);
    assert_eq!(family.quarantined("todos").await, []);
}

#[tokio::test]
async fn a_row_without_its_parent_waits_in_quarantine_and_the_rest_goes_on() {
    let family = Family::new().await;
    family.home.has("lists", json!({"id": "l"}));
    family.home.has("todos", todo("t1", "nowhere"));
    family.home.has("todos", todo("t2", "l"));
    family.sync().await;
    assert_eq!(family.rows("todos"), ["t2"]);
    let entries = family.quarantined("todos").await;
    assert_eq!(entries.len(), 1);
    assert_eq!(
        entries[0].reason,
        "its parent lists/nowhere is not here yet"
    );

    family.home.has("lists", json!({"id": "nowhere"}));
    family.sync().await;
    assert_eq!(family.rows("todos"), ["t1", "t2"]);
    assert_eq!(family.quarantined("todos").await, []);
}

#[tokio::test]
async fn a_pull_of_the_parents_alone_frees_their_children() {
    let family = Family::new().await;
    family.home.has("todos", todo("t", "l"));
    family.sync().await;
    assert_eq!(family.rows("todos"), Vec::<String>::new());
    family.home.has("lists", json!({"id": "l"}));
    let lists = SyncOptions::default().pull_kinds([kind("lists")]);
    family.engine.sync_with(lists).await.unwrap();
    assert_eq!(family.rows("todos"), ["t"]);
}

#[tokio::test]
async fn a_tree_comes_in_whatever_order_its_rows_come() {
    let folder = |id: &str, parent: &str| json!({"id": id, "name": "N", "parent_id": parent});
    for page_size in [1, 2, 500] {
        let home = Home::default();
        home.has("folders", folder("d", "c"));
        home.has("folders", folder("c", "b"));
        home.has("folders", folder("b", "a"));
        home.has("folders", folder("lost", "gone"));
        home.has(
            "folders",
            json!({"id": "a", "name": "N", "parent_id": null}),
        );
        let family = Family::at(home, page_size).await;
        assert_eq!(family.rows("folders"), ["a", "b", "c", "d"]);
        assert_eq!(family.quarantined("folders").await.len(), 1);
    }
}

#[tokio::test]
async fn an_answer_that_names_an_unknown_parent_waits_too() {
    let family = list_with_todo().await;
    let edited = json!({"id": "t", "title": "mine", "list_id": "l"});
    family.replace("todos", edited).await;
    // Somebody moved it, and the list that it is in now has not come yet.
    family.home.has("todos", todo("t", "new"));
    let todos = SyncOptions::default().pull_kinds([kind("todos")]);
    family.engine.sync_with(todos.clone()).await.unwrap();
    family.engine.sync_with(todos).await.unwrap();
    let list_of = || family.store.rows(&kind("todos"))[0].get("list_id").cloned();
    assert_eq!(list_of(), Some("l".into()));
    assert_eq!(family.quarantined("todos").await.len(), 1);

    family.home.has("lists", json!({"id": "new"}));
    family.sync().await;
    assert_eq!(family.sync().await.pending, 0);
    assert_eq!(list_of(), Some("new".into()));
    assert_eq!(family.quarantined("todos").await, []);
}

// -- removing ----------------------------------------------------------------------------------

/// The list that the server no longer has is still here, which was told, and goes behind its todo.
async fn assert_stays_until_its_child_goes(family: &Family, events: &mut EventStream) {
    assert_eq!(family.rows("lists"), ["l"]);
    assert_eq!(family.quarantined("lists").await.len(), 1);
    let names_it =
        |event: &SyncEvent| matches!(event, SyncEvent::RowQuarantined { key, .. } if key == "l");
    let told = told(events);
    assert!(told.iter().any(names_it), "{told:?}");
    family.home.deletes("todos", "t");
    family.sync().await;
    assert_eq!(family.rows("lists"), Vec::<String>::new());
    assert_eq!(family.quarantined("lists").await, []);
}

#[tokio::test]
async fn a_deleted_parent_stays_until_its_children_are_gone() {
    let family = list_with_todo().await;
    family.home.deletes("lists", "l");
    let mut events = family.engine.events();
    family.sync().await;
    assert_stays_until_its_child_goes(&family, &mut events).await;
}

#[tokio::test]
async fn a_deleted_parent_stays_until_its_childrens_operations_are_settled() {
    let family = list_with_todo().await;
    family.delete("todos", "t").await;
    family.home.deletes("lists", "l");
    let pull = SyncOptions::default().no_push();
    family.engine.sync_with(pull).await.unwrap();
    assert_eq!(family.rows("lists"), ["l"]);
    family.sync().await;
    assert_eq!(family.rows("lists"), Vec::<String>::new());
}

#[tokio::test]
async fn a_tree_that_was_deleted_goes_in_one_pull() {
    let folder = |id: &str, parent: &str| json!({"id": id, "name": "N", "parent_id": parent});
    let family = Family::new().await;
    family
        .home
        .has("folders", json!({"id": "a", "parent_id": null}));
    family.home.has("folders", folder("b", "a"));
    family.home.has("folders", folder("c", "b"));
    family.sync().await;
    for id in ["a", "b", "c"] {
        family.home.deletes("folders", id);
    }
    family.sync().await;
    assert_eq!(family.rows("folders"), Vec::<String>::new());
    assert_eq!(family.quarantined("folders").await, []);
}

#[tokio::test]
async fn a_sweep_that_must_leave_a_parent_says_so_and_takes_it_later() {
    let family = list_with_todo().await;
    family.home.loses("lists", "l");
    let mut events = family.engine.events();
    family.engine.full_resync(false).await.unwrap();
    assert_stays_until_its_child_goes(&family, &mut events).await;
}

#[tokio::test]
async fn a_sweep_takes_parents_and_children_that_are_both_gone() {
    let family = list_with_todo().await;
    family.home.loses("lists", "l");
    family.home.loses("todos", "t");
    family.engine.full_resync(true).await.unwrap();
    assert_eq!(family.rows("lists"), Vec::<String>::new());
    assert_eq!(family.rows("todos"), Vec::<String>::new());
    assert_eq!(family.quarantined("lists").await, []);
}
