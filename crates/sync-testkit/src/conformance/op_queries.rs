//! Which operations a query finds.

use std::collections::BTreeSet;
use std::sync::Arc;

use sync_core::store::OpQuery;
use sync_core::{Op, OpStatus, Store};

use super::fixtures::{append, id, ids, op_id, op_ids, plain, reading, upsert, wide};

const NOW: i64 = 1_000_000;
const LONGEST: i64 = 1_000;

/// Name, entity and the rest of one operation.
fn op(name: &str, entity: &str, change: impl FnOnce(&mut Op)) -> Op {
    let mut op = upsert(name, &wide(), entity);
    change(&mut op);
    op
}

/// Operations that differ in everything that a query asks for.
async fn fill(store: &Arc<dyn Store>) -> Vec<Op> {
    let mut ops = vec![
        op("healthy", "a", |_| {}),
        op("refused", "b", |op| op.try_count = 2),
        op("trouble", "c", |op| op.trouble_count = 1),
        op("second of a", "a", |op| op.status = OpStatus::Stuck),
        op("stuck", "d", |op| op.status = OpStatus::Stuck),
        op("behind stuck", "d", |_| {}),
        op("deferred", "e", |op| op.status = OpStatus::Deferred),
        op("due before", "f", |op| op.next_attempt_at = Some(NOW - 1)),
        op("due now", "g", |op| op.next_attempt_at = Some(NOW)),
        op("due next", "h", |op| op.next_attempt_at = Some(NOW + 1)),
        op("due at the latest", "i", |op| {
            op.next_attempt_at = Some(NOW + LONGEST);
            op.try_count = 1;
        }),
        op("beyond belief", "j", |op| {
            op.next_attempt_at = Some(NOW + LONGEST + 1)
        }),
        op("third of a", "a", |op| op.next_attempt_at = Some(i64::MAX)),
        upsert("other kind", &plain(), "a"),
        upsert("other kind again", &plain(), "a"),
    ];
    let places = append(store, &ops).await;
    for (op, place) in ops.iter_mut().zip(places) {
        op.seq = place;
    }
    ops
}

/// What a query finds, said once more without cleverness.
fn expected<'a>(ops: &'a [Op], query: &OpQuery) -> Vec<&'a Op> {
    let mut entities = BTreeSet::new();
    let heads: BTreeSet<i64> = ops
        .iter()
        .filter(|op| entities.insert((&op.kind, &op.entity_id)))
        .map(|op| op.seq)
        .collect();
    let mut found = Vec::new();
    for op in ops {
        let due = match (query.due_at, op.next_attempt_at) {
            (Some(now), Some(at)) => at <= now || at - now > query.longest_delay,
            _ => true,
        };
        let troubled = op.try_count + op.trouble_count > 0;
        if query
            .kinds
            .as_ref()
            .is_none_or(|kinds| kinds.contains(&op.kind))
            && query
                .entities
                .as_ref()
                .is_none_or(|(kind, ids)| *kind == op.kind && ids.contains(&op.entity_id))
            && (!query.heads_only || heads.contains(&op.seq))
            && query.status.is_none_or(|status| status == op.status)
            && query.in_trouble.is_none_or(|wanted| wanted == troubled)
            && due
            && query.after_seq.is_none_or(|after| op.seq > after)
            && query.max_seq.is_none_or(|max| op.seq <= max)
        {
            found.push(op);
        }
    }
    found
}

pub async fn operations_are_found_by_kind(store: Arc<dyn Store>) {
    fill(&store).await;
    let of_kinds = |kinds: &[_]| OpQuery {
        kinds: Some(kinds.to_vec()),
        ..OpQuery::default()
    };
    let found = op_ids(&store, &of_kinds(&[plain()])).await;
    assert_eq!(found, ["other kind", "other kind again"]);
    assert_eq!(
        op_ids(&store, &of_kinds(&[plain(), wide(), plain()]))
            .await
            .len(),
        15
    );
    assert!(op_ids(&store, &of_kinds(&[])).await.is_empty());
}

pub async fn operations_are_found_by_entity(store: Arc<dyn Store>) {
    fill(&store).await;
    let found = op_ids(&store, &OpQuery::of(&wide(), &ids(["d", "x", "a", "d"]))).await;
    let expected = [
        "healthy",
        "second of a",
        "stuck",
        "behind stuck",
        "third of a",
    ];
    assert_eq!(found, expected);
    assert!(op_ids(&store, &OpQuery::of(&wide(), &[])).await.is_empty());
    assert!(
        op_ids(&store, &OpQuery::of(&plain(), &[id("b")]))
            .await
            .is_empty()
    );
}

pub async fn an_operation_is_found_by_its_id(store: Arc<dyn Store>) {
    fill(&store).await;
    let with_id = |name| OpQuery {
        op_id: Some(op_id(name)),
        ..OpQuery::default()
    };
    assert_eq!(op_ids(&store, &with_id("stuck")).await, ["stuck"]);
    assert!(op_ids(&store, &with_id("unknown")).await.is_empty());
    let of_another = OpQuery {
        kinds: Some(vec![plain()]),
        ..with_id("stuck")
    };
    assert!(op_ids(&store, &of_another).await.is_empty());
}

pub async fn a_head_is_the_oldest_of_all(store: Arc<dyn Store>) {
    fill(&store).await;
    let heads = |status| OpQuery {
        heads_only: true,
        status: Some(status),
        ..OpQuery::default()
    };
    assert_eq!(op_ids(&store, &heads(OpStatus::Stuck)).await, ["stuck"]);
    let pending = op_ids(&store, &heads(OpStatus::Pending)).await;
    assert!(
        !pending.contains(&"behind stuck".to_owned()),
        "nothing overtakes: {pending:?}"
    );
    assert!(
        pending.contains(&"other kind".to_owned()),
        "an entity of another kind is another"
    );
}

pub async fn what_is_held_back_is_found_when_due(store: Arc<dyn Store>) {
    fill(&store).await;
    let due = OpQuery {
        due_at: Some(NOW),
        longest_delay: LONGEST,
        ..OpQuery::default()
    };
    let found = op_ids(&store, &due).await;
    for name in ["healthy", "due before", "due now", "beyond belief"] {
        assert!(found.contains(&name.to_owned()), "{name} is due");
    }
    for name in ["due next", "due at the latest"] {
        assert!(!found.contains(&name.to_owned()), "{name} is not due");
    }
    // A clock and a delay at the end of their range overflow nothing.
    let extreme = OpQuery {
        due_at: Some(i64::MAX - 1),
        longest_delay: i64::MAX,
        ..OpQuery::default()
    };
    assert_eq!(op_ids(&store, &extreme).await.len(), 14);
}

pub async fn a_limit_takes_the_oldest(store: Arc<dyn Store>) {
    fill(&store).await;
    let at_most = |limit| OpQuery {
        limit: Some(limit),
        ..OpQuery::default()
    };
    assert_eq!(op_ids(&store, &at_most(2)).await, ["healthy", "refused"]);
    assert!(op_ids(&store, &at_most(0)).await.is_empty());
    assert_eq!(op_ids(&store, &at_most(u32::MAX)).await.len(), 15);
    let counted = reading(&store).await.count_ops(&at_most(2)).await.unwrap();
    assert_eq!(counted, 15, "a count ignores the limit");
}

/// Every combination of the conditions, against a filter that is said once more.
pub async fn conditions_hold_together(store: Arc<dyn Store>) {
    let ops = fill(&store).await;
    let (early, late) = (ops[2].seq, ops[11].seq);
    let queries = combinations(early, late);
    let mut tx = reading(&store).await;
    for query in queries {
        let expected = expected(&ops, &query);
        let limit = query.limit.map_or(usize::MAX, |limit| limit as usize);
        let found = tx.ops(&query).await.unwrap();
        let found: Vec<_> = found.iter().map(|op| op.op_id.as_str()).collect();
        let names: Vec<_> = expected
            .iter()
            .take(limit)
            .map(|op| op.op_id.as_str())
            .collect();
        assert_eq!(found, names, "{query:?}");
        assert_eq!(
            tx.count_ops(&query).await.unwrap(),
            expected.len() as u64,
            "{query:?}"
        );
    }
}

fn combinations(early: i64, late: i64) -> Vec<OpQuery> {
    let all = OpQuery {
        longest_delay: LONGEST,
        ..OpQuery::default()
    };
    let entities = (wide(), ids(["a", "d", "h", "j"]));
    let mut queries = vec![all];
    vary(&mut queries, |query| query.kinds = Some(vec![wide()]));
    vary(&mut queries, |query| {
        query.entities = Some(entities.clone())
    });
    vary(&mut queries, |query| query.heads_only = true);
    vary(&mut queries, |query| query.status = Some(OpStatus::Pending));
    vary(&mut queries, |query| query.in_trouble = Some(true));
    vary(&mut queries, |query| query.in_trouble = Some(false));
    vary(&mut queries, |query| query.due_at = Some(NOW));
    vary(&mut queries, |query| query.after_seq = Some(early));
    vary(&mut queries, |query| query.max_seq = Some(late));
    vary(&mut queries, |query| query.limit = Some(2));
    queries
}

/// Adds each query once more with a change.
fn vary(queries: &mut Vec<OpQuery>, change: impl Fn(&mut OpQuery)) {
    let changed: Vec<_> = queries
        .iter()
        .cloned()
        .map(|mut query| {
            change(&mut query);
            query
        })
        .collect();
    queries.extend(changed);
}
