//! Pages as the server gives them.

use serde_json::{Value, json};
use sync_core::TransportErrorKind;
use sync_core::transport::PullRequest;

use super::fixtures::{
    Harness, LISTS, NOTES, all_notes, at, id, ids, kind, need, note, pull, pull_error, record,
    seed, set, stamp, stamp_of, stored,
};
use super::{Ability, Circumstance, Outcome};

pub async fn rows_come_in_the_order_of_the_server(harness: Harness<'_>) -> Outcome {
    seed(harness, [("b", 1), ("c", 2), ("a", 3)]).await;
    let page = pull(harness, all_notes()).await;
    assert_eq!(
        ids(&page),
        ["b", "c", "a"],
        "the order is that of the stamps"
    );
    Ok(())
}

pub async fn a_kind_without_rows_is_an_empty_page(harness: Harness<'_>) -> Outcome {
    let page = pull(harness, all_notes()).await;
    assert!(
        page.items.is_empty(),
        "a kind without rows is a page without items, not {page:?}"
    );
    assert_eq!(page.next_page_token, None, "the last page has no token");
    Ok(())
}

const OWN_KIND: &str = "a list has the rows of its own kind";

pub async fn pulls_of_kinds_are_apart(harness: Harness<'_>) -> Outcome {
    seed(harness, [("a", 1)]).await;
    harness.seed(LISTS, vec![note("of-a-list", 1)]).await;
    assert_eq!(ids(&pull(harness, all_notes()).await), ["a"], "{OWN_KIND}");
    let lists = PullRequest::new(kind(LISTS), 100);
    assert_eq!(
        ids(&pull(harness, lists).await),
        ["of-a-list"],
        "{OWN_KIND}"
    );
    Ok(())
}

pub async fn a_pull_from_a_stamp_includes_it(harness: Harness<'_>) -> Outcome {
    seed(harness, [("a", 1), ("b", 2), ("c", 3)]).await;
    let mut request = all_notes();
    request.since = Some(stamp_of(harness, "b").await);
    let page = pull(harness, request).await;
    assert_eq!(ids(&page), ["b", "c"], "`updatedSince` is inclusive");
    Ok(())
}

pub async fn a_pull_from_a_stamp_of_another_zone_means_its_instant(
    harness: Harness<'_>,
) -> Outcome {
    need(harness, Ability::Seeds)?;
    seed(harness, [("a", 1), ("b", 2), ("c", 3)]).await;
    let mut request = all_notes();
    request.since = Some(at("2026-03-01T14:00:02.000001+02:00"));
    assert_eq!(ids(&pull(harness, request).await), ["b", "c"]);
    Ok(())
}

pub async fn a_keyset_passes_over_what_was_seen_of_a_stamp(harness: Harness<'_>) -> Outcome {
    seed(harness, [("a", 1), ("b", 2), ("c", 2), ("d", 2), ("e", 3)]).await;
    let mut request = all_notes();
    request.since = Some(stamp_of(harness, "c").await);
    request.after_id = Some(id("c"));
    let page = pull(harness, request).await;
    let rule = "with `afterId`: (updated_at, id) > (updatedSince, afterId)";
    assert_eq!(ids(&page), ["d", "e"], "{rule}");
    Ok(())
}

pub async fn a_limit_is_kept(harness: Harness<'_>) -> Outcome {
    seed(harness, [("a", 1), ("b", 2), ("c", 3)]).await;
    let mut request = all_notes();
    request.limit = 2;
    let page = pull(harness, request).await;
    assert_eq!(ids(&page), ["a", "b"], "`limit=2` wants the first two rows");
    Ok(())
}

pub async fn a_chain_of_tokens_brings_every_row_once(harness: Harness<'_>) -> Outcome {
    need(harness, Ability::PageTokens)?;
    seed(harness, [("a", 1), ("b", 2), ("c", 2), ("d", 2), ("e", 3)]).await;
    let mut request = all_notes();
    request.limit = 2;
    let mut seen = Vec::new();
    for pages in 1.. {
        assert!(
            pages <= 4,
            "the last page has no `nextPageToken`, but this chain does not end: {seen:?}"
        );
        let page = pull(harness, request.clone()).await;
        seen.extend(ids(&page));
        let Some(token) = page.next_page_token else {
            break;
        };
        request.page_token = Some(token);
    }
    assert_eq!(
        seen,
        ["a", "b", "c", "d", "e"],
        "a chain of tokens brings every row once"
    );
    Ok(())
}

pub async fn tombstones_come_where_they_are_asked_for(harness: Harness<'_>) -> Outcome {
    need(harness, Ability::Tombstones)?;
    seed(harness, [("a", 1), ("b", 2)]).await;
    harness.delete(NOTES, "a").await;
    let page = pull(harness, all_notes()).await;
    assert_eq!(
        ids(&page),
        ["b", "a"],
        "`includeDeleted=true` brings tombstones too, and a deletion is the newest change"
    );
    let deleted = page
        .items
        .iter()
        .map(|row| record(row.clone()).is_deleted());
    assert_eq!(
        deleted.collect::<Vec<_>>(),
        [false, true],
        "a tombstone has `deleted_at` set, a live row has not"
    );
    Ok(())
}

pub async fn tombstones_stay_away_where_they_are_not_asked_for(harness: Harness<'_>) -> Outcome {
    seed(harness, [("a", 1), ("b", 2)]).await;
    harness.delete(NOTES, "a").await;
    let mut request = all_notes();
    request.include_deleted = false;
    let page = pull(harness, request).await;
    assert_eq!(
        ids(&page),
        ["b"],
        "`includeDeleted=false` brings no tombstone"
    );
    Ok(())
}

pub async fn a_filter_is_passed_on_to_the_letter(harness: Harness<'_>) -> Outcome {
    need(harness, Ability::Filter)?;
    let list = "50% more & a=b + ü";
    let of = |id: &str, list: &str| json!({"id": id, "list": list, "updated_at": stamp(1)});
    let rows = vec![of("a", list), of("b", "another"), of("c", list)];
    harness.seed(NOTES, rows).await;
    let mut request = all_notes();
    request.filter = vec![("list".to_owned(), list.to_owned())];
    let page = pull(harness, request).await;
    assert_eq!(
        ids(&page),
        ["a", "c"],
        "the filter `list` is kept to the letter"
    );
    Ok(())
}

pub async fn a_cursor_of_the_servers_is_echoed(harness: Harness<'_>) -> Outcome {
    set(harness, Circumstance::Cursors).await?;
    seed(harness, [("a", 1), ("b", 2), ("c", 3)]).await;
    let mut request = all_notes();
    request.limit = 2;
    let first = pull(harness, request).await;
    assert_eq!(ids(&first), ["a", "b"]);
    let mut request = all_notes();
    request.cursor = first.next_cursor;
    assert!(request.cursor.is_some(), "the page had a cursor");
    // The keyset goes with it, and the cursor is what counts.
    request.since = Some(at(&stamp(1)));
    assert_eq!(ids(&pull(harness, request).await), ["c"]);
    Ok(())
}

pub async fn a_cursor_that_expired_is_named(harness: Harness<'_>) -> Outcome {
    set(harness, Circumstance::ExpiredCursor).await?;
    let mut request = all_notes();
    request.cursor = Some("of last year".to_owned());
    let error = pull_error(harness, request).await;
    assert_eq!(error.kind(), TransportErrorKind::CursorExpired, "{error:?}");
    Ok(())
}

/// A row must come exactly as it is stored. A server that stores it in its own way may put times of
/// its own in, add fields, and drop what is a message to it.
async fn assert_comes_exactly(harness: Harness<'_>, row: Value) {
    harness.seed(NOTES, vec![row.clone()]).await;
    let items = pull(harness, all_notes()).await.items;
    if need(harness, Ability::Seeds).is_ok() {
        assert_eq!(items, [row]);
        return;
    }
    assert_eq!(
        items,
        [stored(harness, "a").await],
        "the list (left) shows a record as `GET` of it does (right)"
    );
    for (field, value) in row.as_object().into_iter().flatten() {
        let servers_own = ["updated_at", "createdAt"].contains(&field.as_str());
        if !servers_own && !field.starts_with('_') {
            assert_eq!(
                items[0].get(field),
                Some(value),
                "`{field}` has to come (left) as it was put (right)"
            );
        }
    }
}

pub async fn unknown_fields_come_as_they_are(harness: Harness<'_>) -> Outcome {
    let row = json!({
        "id": "a",
        "updated_at": stamp(1),
        "null is not absence": null,
        "": "a name without letters",
        "nested": {"list": [1, "two", null, [], {}], "deeper": {"deepest": true}},
        "createdAt": "not a time",
        "_private": [0],
    });
    assert_comes_exactly(harness, row).await;
    Ok(())
}

pub async fn numbers_come_exactly(harness: Harness<'_>) -> Outcome {
    let row = json!({
        "id": "a",
        "updated_at": stamp(1),
        "integers": [0, -1, i64::MIN, i64::MAX, u64::MAX, 9_007_199_254_740_993_i64],
        "numbers": [0.1, -1.5e300, 5e-324, f64::MAX, 1.0],
    });
    assert_comes_exactly(harness, row).await;
    Ok(())
}

pub async fn texts_come_exactly(harness: Harness<'_>) -> Outcome {
    let row = json!({
        "id": "a",
        "updated_at": stamp(1),
        "texts": ["", " ", "\"\\/\u{8}\u{c}\n\r\t", "\u{0}\u{7f}", "grüße", "日本語", "👩‍👩‍👧", "e\u{301}", "\u{feff}", "<html>"],
    });
    assert_comes_exactly(harness, row).await;
    Ok(())
}

pub async fn stamps_come_to_the_letter(harness: Harness<'_>) -> Outcome {
    need(harness, Ability::Seeds)?;
    let stamps = [
        json!("2026-03-01T12:00:00Z"),
        json!("2026-03-01T14:00:01.100+02:00"),
        json!("2026-03-01T12:00:02.123456789Z"),
        json!(1_772_366_403),
        json!(1_772_366_404_005_i64),
    ];
    let row =
        |(place, stamp): (usize, &Value)| json!({"id": place.to_string(), "updated_at": stamp});
    let rows: Vec<Value> = stamps.iter().enumerate().map(row).collect();
    harness.seed(NOTES, rows).await;
    let page = pull(harness, all_notes()).await;
    let came = page.items.iter().map(|row| row["updated_at"].clone());
    assert_eq!(came.collect::<Vec<_>>(), stamps);
    Ok(())
}

pub async fn a_page_may_be_large(harness: Harness<'_>) -> Outcome {
    need(harness, Ability::Seeds)?;
    let row = |n: usize| json!({"id": format!("{n:04}"), "text": "x".repeat(1_000), "updated_at": stamp(1)});
    harness.seed(NOTES, (0..500).map(row).collect()).await;
    let page = pull(harness, PullRequest::new(kind(NOTES), 500)).await;
    assert_eq!(page.items.len(), 500);
    Ok(())
}
