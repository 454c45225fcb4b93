//! The order in which several entities are sent.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use sync_core::store::OpQuery;
use sync_core::{ChangedFields, EntityId, Op, OpStatus};

use crate::law::config;
use crate::server::Fortune;
use crate::world::{World, record};

#[derive(Debug, Clone)]
enum Step {
    Write(usize, u8),
    Delete(usize),
    Push(Vec<Fortune>),
}

const ENTITIES: usize = 6;

fn any_step() -> impl Strategy<Value = Step> {
    let fortunes = vec![
        Fortune::Arrives,
        Fortune::Arrives,
        Fortune::IsRefused,
        Fortune::IsRefused,
        Fortune::LosesItsAnswer,
    ];
    prop_oneof![
        6 => (0..ENTITIES, 0..3_u8).prop_map(|(entity, value)| Step::Write(entity, value)),
        1 => (0..ENTITIES).prop_map(Step::Delete),
        2 => vec(select(fortunes), 0..8).prop_map(Step::Push),
    ]
}

fn id(entity: usize) -> EntityId {
    EntityId::new(format!("{entity}1111111-1111-4111-8111-111111111111")).unwrap()
}

async fn take(world: &World, step: &Step) {
    let records = world.engine.records("notes").unwrap();
    match step {
        Step::Write(entity, value) => {
            let id = id(*entity);
            match world.row(id.as_str()) {
                Some([_, b, other]) => {
                    let fields = record(id.as_str(), [*value, b, other]);
                    let changed = ChangedFields::from_iter(["a"]);
                    records.change(fields, &changed).await.unwrap();
                }
                None => {
                    let fields = record(id.as_str(), [*value, 0, 0]);
                    records.insert(fields).await.unwrap();
                }
            }
        }
        Step::Delete(entity) => {
            records.delete(&id(*entity)).await.unwrap();
        }
        Step::Push(fortunes) => push(world, fortunes).await,
    }
}

async fn push(world: &World, fortunes: &[Fortune]) {
    let query = OpQuery::default();
    let waiting = world.engine.outbox().list(&query).await.unwrap();
    let requests: Vec<_> = fortunes.iter().map(|fortune| (*fortune, None)).collect();
    world.server.expect(&requests);
    world.push().await;
    let sent = world.server.exchanges();

    let mut first_sent: Vec<&EntityId> = Vec::new();
    for (op, ..) in &sent {
        if !first_sent.contains(&&op.id) {
            first_sent.push(&op.id);
        }
        let earlier = waiting.iter().take_while(|other| other.op_id != op.op_id);
        for earlier in earlier.filter(|other| other.entity_id == op.id) {
            let is_before = sent
                .iter()
                .take_while(|(other, ..)| other.op_id != op.op_id);
            assert!(
                is_before
                    .into_iter()
                    .any(|(other, ..)| other.op_id == earlier.op_id),
                "{op:?} overtook {earlier:?}"
            );
        }
    }
    // Oldest first; what is in trouble waits until the others are through.
    let is_head = |op: &&Op| {
        let first = waiting.iter().find(|other| other.entity_id == op.entity_id);
        first.is_some_and(|first| first.op_id == op.op_id)
    };
    let mut heads: Vec<&Op> = waiting
        .iter()
        .filter(is_head)
        .filter(|head| head.status == OpStatus::Pending)
        .collect();
    heads.sort_by_key(|head| (head.try_count > 0 || head.trouble_count > 0, head.seq));
    let expected: Vec<&EntityId> = heads.iter().map(|head| &head.entity_id).collect();
    assert!(
        expected.starts_with(&first_sent),
        "{first_sent:?} instead of {expected:?}"
    );
    // The network was there for everybody.
    if sent.len() < fortunes.len() && !fortunes.contains(&Fortune::LosesItsAnswer) {
        assert_eq!(first_sent, expected);
    }
}

proptest! {
    #![proptest_config(config(128))]

    #[test]
    fn the_oldest_head_goes_first_and_no_operation_overtakes_another_of_its_entity(
        steps in vec(any_step(), 1..40),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let world = World::new().await;
            for step in &steps {
                take(&world, step).await;
            }
        });
    }
}
