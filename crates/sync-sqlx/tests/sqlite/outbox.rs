//! The queue of operations and the shadows.

use serde_json::json;
use sync_core::store::{OpQuery, StoreErrorKind};
use sync_core::{
    Change, Fate, Kind, OpId, OpStatus, Precondition, ServerState, Shadow, Timestamp, Verdict,
};

use crate::common::{fixture, id, op, todo, todos, version};

#[tokio::test]
async fn an_operation_comes_back_as_it_was_written() {
    let fixture = fixture().await;
    let changed = serde_json::from_value(json!(["title", "done"])).unwrap();
    let mut full = op("1", "a");
    full.written = Change::Upsert {
        payload: todo("a", "x"),
        changed: Some(changed),
    };
    full.written_at = Timestamp::parse("2026-03-01T14:00:00.123456789+02:00").unwrap();
    full.verdict = Some(Verdict {
        change: Change::Delete,
        judged: Some(version("2026-01-01T00:00:00Z").with_tag(Some("\"t\"".to_owned()))),
        recreate: true,
        unreliable: true,
        names_all: true,
    });
    full.precondition = Some(Precondition::IfBase {
        version: version("2026-01-01T00:00:00Z"),
    });
    full.round = 3;
    full.fate = Fate::Negative;
    full.ever_sent = true;
    full.status = OpStatus::Deferred;
    full.try_count = 4;
    full.trouble_count = 5;
    full.next_attempt_at = Some(1_700_000_000_000);
    full.last_error = Some("no \"such\" thing".to_owned());
    let mut gone = op("2", "b");
    gone.written = Change::Delete;
    gone.precondition = Some(Precondition::Force);

    let mut tx = fixture.write().await;
    let places = tx.append_ops(&[full.clone(), gone.clone()]).await.unwrap();
    (full.seq, gone.seq) = (places[0], places[1]);
    let stored = tx.ops(&OpQuery::default()).await.unwrap();
    assert_eq!(stored, [full.clone(), gone]);
    assert_eq!(stored[0].written_at.to_json(), full.written_at.to_json());
    tx.commit().await.unwrap();
    assert_eq!(
        fixture.texts("SELECT op || ' ' || changed || ' ' || fate || ' ' || status FROM sync_outbox WHERE op_id = '1'").await,
        [Some("upsert [\"done\",\"title\"] negative deferred".to_owned())]
    );
}

#[tokio::test]
async fn a_row_that_a_trigger_makes_is_an_operation() {
    let fixture = fixture().await;
    fixture.sql(
        "INSERT INTO sync_outbox (op_id, kind, entity_id, op, payload) VALUES ('t', 'todos', 'a', 'upsert', '{\"id\":\"a\"}')",
    ).await;
    let stored = fixture.read().await.ops(&OpQuery::default()).await.unwrap();
    assert_eq!(
        (stored[0].fate, stored[0].status, stored[0].round),
        (Fate::NeverSent, OpStatus::Pending, 0)
    );
}

#[tokio::test]
async fn places_grow_and_are_never_used_again() {
    let fixture = fixture().await;
    let mut tx = fixture.write().await;
    let places = tx.append_ops(&[op("1", "a"), op("2", "b")]).await.unwrap();
    tx.delete_ops(&[OpId::new("2").unwrap(), OpId::new("unknown").unwrap()])
        .await
        .unwrap();
    let next = tx.append_ops(&[op("3", "c")]).await.unwrap();
    assert!(places[0] < places[1] && places[1] < next[0]);
}

#[tokio::test]
async fn an_operation_id_that_exists_is_refused() {
    let fixture = fixture().await;
    let mut tx = fixture.write().await;
    tx.append_ops(&[op("1", "a")]).await.unwrap();
    let error = tx.append_ops(&[op("1", "b")]).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Constraint);
}

#[tokio::test]
async fn an_update_keeps_the_place() {
    let fixture = fixture().await;
    let mut tx = fixture.write().await;
    let places = tx.append_ops(&[op("1", "a"), op("2", "b")]).await.unwrap();
    let mut first = op("1", "a");
    first.try_count = 7;
    tx.update_ops(&[first.clone()]).await.unwrap();
    first.seq = places[0];
    assert_eq!(
        tx.ops(&OpQuery::of(&todos(), &[id("a")])).await.unwrap(),
        [first]
    );
}

#[tokio::test]
async fn a_query_takes_every_condition() {
    let fixture = fixture().await;
    let mut tx = fixture.write().await;
    let mut ops: Vec<_> = [
        ("1", "a"),
        ("2", "a"),
        ("3", "b"),
        ("4", "c"),
        ("5", "d"),
        ("6", "e"),
    ]
    .map(|(op_id, entity)| op(op_id, entity))
    .into();
    ops[2].kind = Kind::new("other").unwrap();
    ops[3].try_count = 1;
    ops[4].status = OpStatus::Stuck;
    ops[4].next_attempt_at = Some(1_000);
    ops[5].next_attempt_at = Some(1_000_000);
    ops[5].trouble_count = 1;
    let places = tx.append_ops(&ops).await.unwrap();

    let all = OpQuery::default();
    let cases = [
        (
            OpQuery {
                kinds: Some(vec![todos()]),
                ..all.clone()
            },
            "12456",
        ),
        (
            OpQuery {
                kinds: Some(vec![]),
                ..all.clone()
            },
            "",
        ),
        (OpQuery::of(&todos(), &[id("a")]), "12"),
        (OpQuery::of(&todos(), &[id("c"), id("a"), id("b")]), "124"),
        (OpQuery::of(&todos(), &[]), ""),
        (
            OpQuery {
                op_id: Some(OpId::new("5").unwrap()),
                ..all.clone()
            },
            "5",
        ),
        (
            OpQuery {
                heads_only: true,
                ..all.clone()
            },
            "13456",
        ),
        (
            OpQuery {
                status: Some(OpStatus::Stuck),
                ..all.clone()
            },
            "5",
        ),
        (
            OpQuery {
                in_trouble: Some(true),
                ..all.clone()
            },
            "46",
        ),
        (
            OpQuery {
                in_trouble: Some(false),
                ..all.clone()
            },
            "1235",
        ),
        (
            OpQuery {
                due_at: Some(999),
                longest_delay: 10_000,
                ..all.clone()
            },
            "12346",
        ),
        (
            OpQuery {
                due_at: Some(1_000),
                longest_delay: 999_000,
                ..all.clone()
            },
            "12345",
        ),
        (
            OpQuery {
                after_seq: Some(places[3]),
                ..all.clone()
            },
            "56",
        ),
        (
            OpQuery {
                max_seq: Some(places[1]),
                ..all.clone()
            },
            "12",
        ),
        (
            OpQuery {
                limit: Some(2),
                ..all.clone()
            },
            "12",
        ),
    ];
    for (query, expected) in cases {
        let found: String = tx
            .ops(&query)
            .await
            .unwrap()
            .iter()
            .map(|op| op.op_id.as_str().to_owned())
            .collect();
        assert_eq!(found, expected, "{query:?}");
        let counted = tx
            .count_ops(&OpQuery {
                limit: None,
                ..query.clone()
            })
            .await
            .unwrap();
        if query.limit.is_none() {
            assert_eq!(counted, expected.len() as u64, "{query:?}");
        }
    }
}

#[tokio::test]
async fn shadows_come_back_as_they_were_written() {
    let fixture = fixture().await;
    let shadow = |at: &str, base: ServerState, parked: Option<ServerState>| Shadow {
        kind: todos(),
        entity_id: id(at),
        base,
        parked,
        schema_version: 1,
    };
    let live = ServerState::Live {
        record: todo("a", "x"),
        version: Some(version("2026-01-01T00:00:00.5+01:00").with_tag(Some("\"t\"".to_owned()))),
    };
    let unknown = ServerState::Live {
        record: todo("a", "x"),
        version: None,
    };
    let tombstone = ServerState::Deleted {
        record: Some(todo("a", "x")),
        version: Some(version("2026-01-01T00:00:00Z")),
    };
    let shadows = [
        shadow("a", live.clone(), Some(ServerState::gone())),
        shadow("b", ServerState::Absent, None),
        shadow("c", unknown, Some(tombstone)),
        shadow("d", ServerState::gone(), Some(live)),
    ];
    let mut tx = fixture.write().await;
    tx.put_shadows(&shadows).await.unwrap();
    let ids = [id("a"), id("b"), id("c"), id("d")];
    assert_eq!(tx.shadows(&todos(), &ids).await.unwrap(), shadows);

    // Replacing clears what the new one does not have.
    let smaller = shadow("a", ServerState::Absent, None);
    tx.put_shadows(std::slice::from_ref(&smaller))
        .await
        .unwrap();
    assert_eq!(tx.shadows(&todos(), &[id("a")]).await.unwrap(), [smaller]);

    tx.append_ops(&[op("1", "b"), op("2", "z")]).await.unwrap();
    let idle: Vec<_> = tx
        .idle_shadows(&todos(), None, 2)
        .await
        .unwrap()
        .into_iter()
        .map(|shadow| shadow.entity_id)
        .collect();
    assert_eq!(idle, [id("a"), id("c")]);
    tx.delete_shadows(&todos(), &[id("a"), id("nobody")])
        .await
        .unwrap();
    let asked = [id("z"), id("a"), id("b"), id("c")];
    assert_eq!(
        tx.pending(&todos(), &asked).await.unwrap(),
        [id("z"), id("b"), id("c")]
    );
    assert_eq!(
        tx.pending(&Kind::new("other").unwrap(), &asked)
            .await
            .unwrap(),
        []
    );
}
