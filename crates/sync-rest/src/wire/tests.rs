//! The bytes on the wire: a change here is a change of the protocol.

use serde::{Serialize, de::DeserializeOwned};
use serde_json::json;

use super::*;

fn pins<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(value: &T, text: &str) {
    assert_eq!(serde_json::to_string(value).unwrap(), text);
    assert_eq!(&serde_json::from_str::<T>(text).unwrap(), value);
}

#[test]
fn batch_request_bytes() {
    let upsert = BatchOp {
        op_id: "o1".to_owned(),
        kind: "todos".to_owned(),
        id: "e1".to_owned(),
        op_kind: BatchOpKind::Upsert,
        payload: Some(json!({"id": "e1", "title": "Ä"})),
        base_updated_at: Some(json!(1_704_196_800_123_u64)),
        if_absent: false,
        changed_fields: Some(vec!["title".to_owned()]),
        force: false,
    };
    let delete = BatchOp {
        op_id: "o2".to_owned(),
        id: "e2".to_owned(),
        op_kind: BatchOpKind::Delete,
        payload: None,
        base_updated_at: Some(json!("2024-01-01T02:00:00+02:00")),
        changed_fields: None,
        ..upsert.clone()
    };
    let create = BatchOp {
        op_id: "o3".to_owned(),
        id: "e3".to_owned(),
        payload: Some(json!({"id": "e3"})),
        base_updated_at: None,
        if_absent: true,
        changed_fields: None,
        ..upsert.clone()
    };
    let forced = BatchOp {
        op_id: "o4".to_owned(),
        if_absent: false,
        force: true,
        ..create.clone()
    };
    pins(
        &BatchRequest {
            ops: vec![upsert, delete, create, forced],
        },
        concat!(
            r#"{"ops":[{"opId":"o1","kind":"todos","id":"e1","type":"upsert","payload":{"id":"e1","title":"Ä"},"#,
            r#""baseUpdatedAt":1704196800123,"changedFields":["title"]},"#,
            r#"{"opId":"o2","kind":"todos","id":"e2","type":"delete","baseUpdatedAt":"2024-01-01T02:00:00+02:00"},"#,
            r#"{"opId":"o3","kind":"todos","id":"e3","type":"upsert","payload":{"id":"e3"},"ifAbsent":true},"#,
            r#"{"opId":"o4","kind":"todos","id":"e3","type":"upsert","payload":{"id":"e3"},"force":true}]}"#,
        ),
    );
}

#[test]
fn batch_response_bytes() {
    let mut stored = BatchResult::new("o1", 200);
    stored.data = Some(json!({"id": "e1"}));
    let mut refused = BatchResult::new("o2", 422);
    refused.error = Some(json!("title too long"));
    pins(
        &BatchResponse {
            results: vec![stored, refused, BatchResult::new("o3", 204)],
        },
        concat!(
            r#"{"results":[{"opId":"o1","statusCode":200,"data":{"id":"e1"}},"#,
            r#"{"opId":"o2","statusCode":422,"error":"title too long"},{"opId":"o3","statusCode":204}]}"#,
        ),
    );
}

#[test]
fn conflict_and_error_bytes() {
    let deleted = ConflictBody {
        error: Some("conflict".to_owned()),
        current: None,
        server_timestamp: Some(json!("2024-02-02T00:00:00Z")),
    };
    pins(
        &deleted,
        r#"{"error":"conflict","current":null,"serverTimestamp":"2024-02-02T00:00:00Z"}"#,
    );
    let live = ConflictBody {
        error: None,
        current: Some(json!({"id": "e1"})),
        server_timestamp: None,
    };
    pins(&live, r#"{"current":{"id":"e1"}}"#);
    let refusal = ErrorBody {
        error: "invalid".to_owned(),
        message: Some("title too long".to_owned()),
    };
    pins(
        &refusal,
        r#"{"error":"invalid","message":"title too long"}"#,
    );
}

#[test]
fn pull_bytes() {
    pins(
        &PullResponse::default(),
        r#"{"items":[],"nextPageToken":null}"#,
    );
    let page = PullResponse {
        items: vec![json!({"id": "e1"})],
        next_page_token: Some("p2".to_owned()),
        next_cursor: Some("c".to_owned()),
        total: Some(7),
    };
    pins(
        &page,
        r#"{"items":[{"id":"e1"}],"nextPageToken":"p2","nextCursor":"c","total":7}"#,
    );
    let event = ChangeEvent {
        kind: "todos".to_owned(),
        cursor: Some("c".to_owned()),
    };
    pins(&event, r#"{"kind":"todos","cursor":"c"}"#);
    let delete = DeleteQuery {
        base_updated_at: Some("1704196800123".to_owned()),
    };
    pins(&delete, r#"{"_baseUpdatedAt":"1704196800123"}"#);
}

#[test]
fn pull_query_names_and_order() {
    let query = PullQuery {
        updated_since: Some(BEGINNING.to_owned()),
        limit: Some(500),
        include_deleted: Some(true),
        after_id: Some("e9".to_owned()),
        page_token: Some("p".to_owned()),
        cursor: Some("c".to_owned()),
    };
    let text = |(name, value): &(&str, String)| format!("{name}={value}");
    assert_eq!(
        query.pairs().iter().map(text).collect::<Vec<_>>().join("&"),
        "updatedSince=1970-01-01T00:00:00.000Z&limit=500&includeDeleted=true&afterId=e9&pageToken=p&cursor=c"
    );
    let names: Vec<_> = query.pairs().into_iter().map(|(name, _)| name).collect();
    let fields = serde_json::to_value(&query).unwrap();
    assert!(names.iter().all(|name| fields.get(*name).is_some()));
    assert!(PullQuery::default().pairs().is_empty());
}

#[test]
fn names_on_the_wire() {
    let names = [
        header::IDEMPOTENCY_KEY,
        header::FORCE_UPDATE,
        header::FORCE_DELETE,
        header::FEATURES,
        header::EPOCH,
        body_key::BASE_UPDATED_AT,
        body_key::CHANGED_FIELDS,
        query::BASE_UPDATED_AT,
        CHANGE_EVENT,
    ];
    assert_eq!(
        names.join(" "),
        "x-idempotency-key x-force-update x-force-delete x-sync-features x-sync-epoch \
         _baseUpdatedAt _changedFields _baseUpdatedAt change"
    );
    let features = [
        feature::IDEMPOTENCY,
        feature::IF_ABSENT,
        feature::IF_MATCH,
        feature::FORCE,
        feature::CHANGED_FIELDS,
        feature::CURSOR,
        feature::EVENTS,
        feature::GZIP,
    ];
    assert_eq!(
        features.join(", "),
        "idempotency, if-absent, if-match, force, changed-fields, cursor, events, gzip"
    );
}

#[test]
fn hostile_ids_stay_one_segment() {
    for (id, encoded) in [
        ("plain-1_2.3~4", "plain-1_2.3~4"),
        ("a/b", "a%2Fb"),
        ("?q=1#f", "%3Fq%3D1%23f"),
        ("two words", "two%20words"),
        ("%2e%2E", "%252e%252E"),
        ("ü🦀", "%C3%BC%F0%9F%A6%80"),
        ("a\\b+c;d:e@f\n", "a%5Cb%2Bc%3Bd%3Ae%40f%0A"),
    ] {
        assert_eq!(path::record("todos", id), format!("todos/{encoded}"));
    }
    assert_eq!(path::collection("daily_feeling"), "daily_feeling");
}
