//! Ids and names from a hostile server are values of statements, never part of one.

use serde_json::json;
use sync_core::store::{OpQuery, QuarantineEntry, Removal, RowWrite};
use sync_core::{EntityId, Timestamp};

use crate::common::{Fixture, fixture, id, op, record, todo, todos, version};

fn hostile() -> Vec<String> {
    let texts = [
        "../../x",
        "a/b?c#d",
        "'; DROP TABLE todos; --",
        "\"; DELETE FROM sync_outbox; --",
        "') OR ('1' = '1",
        "%2e%2e",
        "%",
        "_",
        "\u{1}\u{7f}\u{85}\r\n\t",
        "\u{202e}\u{feff}",
        "NULL",
        "1e1",
        "?1",
        ":id",
        "[]",
        "{\"a\":1}",
        "a\\'b",
        "x'00'",
    ];
    let long = std::iter::once("x".repeat(2048));
    texts.into_iter().map(str::to_owned).chain(long).collect()
}

async fn count(fixture: &Fixture) -> i64 {
    fixture.scalar("SELECT count(*) FROM todos").await
}

#[tokio::test]
async fn a_hostile_id_is_a_value_on_every_way_through_the_store() {
    let fixture = fixture().await;
    fixture
        .put(&[RowWrite::local(todo("bystander", "untouched"))])
        .await;
    for (number, text) in hostile().into_iter().enumerate() {
        let (one, kind) = (id(&text), todos());
        let known = Some(version("2026-03-01T12:00:00Z"));
        let row = RowWrite::server(todo(&text, &text), known.clone(), 1);
        let mut queued = op(&format!("o{number}"), &text);
        queued.last_error = Some(text.clone());
        let entry = QuarantineEntry {
            cause: sync_core::store::QuarantineCause::BadRow,
            schema_version: 1,
            kind: kind.clone(),
            key: text.clone(),
            row: json!({ text.as_str(): text }),
            tag: Some(text.clone()),
            reason: text.clone(),
            since: Timestamp::parse("2026-03-01T12:00:00Z").unwrap(),
        };
        let mut tx = fixture.write().await;
        assert_eq!(tx.put(&kind, &[row]).await.unwrap().written, 1, "{text}");
        tx.append_ops(&[queued]).await.unwrap();
        tx.put_quarantine(&[entry]).await.unwrap();
        tx.commit().await.unwrap();

        let mut tx = fixture.read().await;
        let ids = std::slice::from_ref(&one);
        assert_eq!(tx.get(&kind, ids).await.unwrap()[0].id().unwrap(), one);
        assert_eq!(
            tx.versions(&kind, ids).await.unwrap(),
            [(one.clone(), known)]
        );
        assert_eq!(tx.pending(&kind, ids).await.unwrap(), ids);
        let query = OpQuery {
            entities: Some((kind.clone(), ids.to_vec())),
            ..OpQuery::default()
        };
        assert_eq!(tx.ops(&query).await.unwrap().len(), 1, "{text}");
        let kept = tx
            .quarantined_of(&kind, std::slice::from_ref(&text))
            .await
            .unwrap();
        assert_eq!(kept[0].reason, text);
        drop(tx);

        assert_eq!(count(&fixture).await, 2, "{text}");
        let mut tx = fixture.write().await;
        let removal = Removal {
            id: one,
            tombstone: None,
        };
        assert_eq!(
            tx.remove(&kind, &[removal]).await.unwrap().written,
            1,
            "{text}"
        );
        tx.delete_quarantine(&kind, std::slice::from_ref(&text))
            .await
            .unwrap();
        tx.commit().await.unwrap();
        assert_eq!(count(&fixture).await, 1, "{text}");
    }
    assert_eq!(
        fixture.get("bystander").await.unwrap().get("title"),
        Some(&json!("untouched"))
    );
}

#[tokio::test]
async fn a_record_with_hostile_field_names_brings_no_columns() {
    let fixture = fixture().await;
    let mut hostile_record = todo("a", "x");
    for text in hostile() {
        hostile_record
            .fields_mut()
            .insert(text.clone(), json!(text));
    }
    fixture
        .put(&[RowWrite::local(hostile_record.clone())])
        .await;
    assert_eq!(count(&fixture).await, 1);
    let tables = "SELECT count(*) FROM sqlite_schema WHERE name IN ('todos', 'sync_outbox')";
    assert_eq!(fixture.scalar(tables).await, 2);
    let read = fixture.get("a").await.unwrap();
    assert_eq!(read.get("title"), hostile_record.get("title"));
}

#[tokio::test]
async fn ten_million_characters_are_a_value_like_another() {
    let fixture = fixture().await;
    let text = "ü\"\\".repeat(3_000_000);
    let row =
        record(json!({"id": "a", "title": text, "done": false, "priority": 5, "tags": [text]}));
    fixture.put(&[RowWrite::local(row)]).await;
    let read = fixture.get("a").await.unwrap();
    assert!(read.get("title") == Some(&json!(text)) && read.get("tags") == Some(&json!([text])));
}

#[test]
fn an_id_that_no_address_can_bear_is_refused() {
    for text in ["", ".", "..", "a\0b", &"x".repeat(2049)] {
        let error = EntityId::new(text).unwrap_err().to_string();
        assert!(error.contains("entity id") && error.len() < 500, "{error}");
    }
}
