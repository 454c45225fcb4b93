//! Settings that cannot work, or say nothing where they are: errors when the engine is built, all
//! in one, each naming table and setting.

use std::time::Duration;

use futures::future;
use sync_core::{
    BadRow, ConflictStrategy, Direction, ExistingRows, MergeFunction, Payload, Resolution,
    SoftDelete, SyncError, TableConfig, resolve_fn,
};
use sync_testkit::MockServer;

use super::LABELS;
use crate::setup::{NOTES, Setup};

/// What building says to these settings of notes and labels.
async fn refusal(notes: TableConfig, labels: TableConfig) -> String {
    let server = MockServer::start().await.unwrap();
    let setup = Setup::new(&server).table(|_| notes).labels(labels);
    match setup.try_open().await.err() {
        Some(SyncError::Config(text)) => text,
        other => panic!("{other:?}"),
    }
}

async fn refusal_of(notes: TableConfig) -> String {
    refusal(notes, TableConfig::new()).await
}

#[track_caller]
fn assert_says(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in {text:?}");
    }
}

#[tokio::test]
async fn contradictions_of_all_tables_and_of_the_engine_are_in_one_error() {
    let server = MockServer::start().await.unwrap();
    let setup = Setup::new(&server)
        .table(|table| {
            table
                .page_size(0)
                .sync_interval(Duration::ZERO)
                .references("folder", "folders")
                .filter("limit", "9")
        })
        .labels(TableConfig::new().soft_delete(SoftDelete::Keep))
        .config(|config| config.with_push_concurrency(0));
    let error = setup.try_open().await.err().map(|error| error.to_string());
    let said = [
        "push_concurrency must be at least 1",
        "notes: page_size must be at least 1",
        "notes: sync_interval must not be zero",
        "notes: the reference \"folder\" is no field",
        "notes: the field \"folder\" refers to kind \"folders\", which is not registered",
        "notes: the filter \"limit\" is a parameter of the protocol",
        "labels: SoftDelete::Keep needs a field `deleted_at` or `deletedAt`",
    ];
    assert_says(&error.unwrap(), &said);
}

#[tokio::test]
async fn contradictions_of_filters_name_the_parameter() {
    for name in [
        "updatedSince",
        "limit",
        "includeDeleted",
        "afterId",
        "pageToken",
        "cursor",
    ] {
        let text = refusal_of(TableConfig::new().filter(name, "1")).await;
        assert_says(&text, &["notes: the filter", name, "choose another name"]);
    }
    let filters = TableConfig::new()
        .filter("", "1")
        .filter("team", "red")
        .filter("team", "blue");
    let said = [
        "notes: a filter has no name",
        "notes: the filter \"team\" is there twice",
    ];
    assert_says(&refusal_of(filters).await, &said);
}

#[tokio::test]
async fn contradictions_of_references_name_the_field() {
    let two = TableConfig::new()
        .references("body", LABELS)
        .references("body", NOTES);
    let said = ["notes: the field \"body\" refers to \"labels\" and to \"notes\""];
    assert_says(&refusal_of(two).await, &said);

    let parent = TableConfig::new().direction(Direction::PushOnly);
    let text = refusal(TableConfig::new().references("body", LABELS), parent).await;
    let said = [
        "notes: the field \"body\" refers to",
        "labels",
        "never pulled",
        "pull it, or leave the reference out",
    ];
    assert_says(&text, &said);
}

#[tokio::test]
async fn contradictions_of_strategies_name_who_is_never_asked() {
    let resolver = || resolve_fn(|_| future::ready(Ok(Resolution::Defer)));
    let asked = TableConfig::new()
        .resolver(resolver())
        .strategy(ConflictStrategy::ClientWins);
    let said = ["notes: the resolver is never asked under ConflictStrategy::ClientWins"];
    assert_says(&refusal_of(asked).await, &said);

    let merged = TableConfig::new()
        .merge(MergeFunction::default())
        .resolver(resolver());
    let said = ["notes: the merge function is never called under ConflictStrategy::Manual"];
    assert_says(&refusal_of(merged).await, &said);
}

#[tokio::test]
async fn contradictions_of_directions_name_the_setting_that_has_no_meaning() {
    let pull_only = TableConfig::new()
        .direction(Direction::PullOnly)
        .strategy(ConflictStrategy::ServerWins)
        .coalesce(false)
        .payload(Payload::Changed)
        .existing_rows(ExistingRows::Adopt);
    let said = [
        "notes: strategy has no meaning under Direction::PullOnly, where nothing is sent",
        "notes: coalesce has",
        "notes: Payload::Changed has",
        "notes: ExistingRows::Adopt has",
    ];
    assert_says(&refusal_of(pull_only).await, &said);

    let push_only = TableConfig::new()
        .direction(Direction::PushOnly)
        .page_size(7)
        .sync_interval(Duration::from_secs(9))
        .filter("team", "red")
        .bad_rows(BadRow::Fail)
        .soft_delete(SoftDelete::PurgeAfter(Duration::from_secs(9)));
    let said = [
        "notes: page_size has no meaning under Direction::PushOnly, where nothing is pulled",
        "notes: sync_interval has",
        "notes: filter has",
        "notes: BadRow::Fail has",
        "notes: SoftDelete::PurgeAfter has",
    ];
    assert_says(&refusal_of(push_only).await, &said);

    let merge = TableConfig::new()
        .direction(Direction::PullOnly)
        .merge(MergeFunction::default());
    let text = refusal_of(merge).await;
    assert_says(&text, &["notes: merge has no meaning"]);
    assert!(!text.contains("strategy has"), "{text}");
}
