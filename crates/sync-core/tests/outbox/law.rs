//! Random writes and answers on one entity.

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, RngSeed};
use sync_core::store::OpQuery;
use sync_core::transport::{PushChange, PushOp};
use sync_core::{Change, EntityId, Op, OpId, OpStatus, Precondition};
use uuid::Uuid;

use crate::model::{Check, Intent, Model, Then};
use crate::server::{Edit, Fortune, Learned, version};
use crate::world::{World, fields_of, kind};

const ID: &str = "11111111-1111-4111-8111-111111111111";
const NAMES: [&str; 3] = ["a", "b", "other"];

#[derive(Debug, Clone)]
enum Step {
    Edit(Edit),
    Discard,
    Push(Vec<(Fortune, Option<Edit>)>),
    SomebodyEdits(u8),
    SomebodyDeletes,
    Pull,
    Restart,
}

fn any_edit() -> impl Strategy<Value = Edit> {
    let value = || option::weighted(0.7, 0..3_u8);
    prop_oneof![
        3 => (value(), value()).prop_map(|(a, b)| Edit::Write(a, b)),
        1 => Just(Edit::Delete),
    ]
}

fn any_step() -> impl Strategy<Value = Step> {
    let fortunes = vec![
        Fortune::Arrives,
        Fortune::Arrives,
        Fortune::Arrives,
        Fortune::IsLost,
        Fortune::LosesItsAnswer,
        Fortune::LosesItsAnswer,
        Fortune::IsRefused,
    ];
    let request = (select(fortunes), option::weighted(0.15, any_edit()));
    prop_oneof![
        11 => any_edit().prop_map(Step::Edit),
        1 => Just(Step::Discard),
        9 => vec(request, 0..4).prop_map(Step::Push),
        3 => (3..5_u8).prop_map(Step::SomebodyEdits),
        1 => Just(Step::SomebodyDeletes),
        2 => Just(Step::Pull),
        1 => Just(Step::Restart),
    ]
}

/// The same cases on every machine; the variables `PROPTEST_RNG_SEED` and `PROPTEST_CASES` ask for
/// others.
pub(crate) fn config(cases: u32) -> Config {
    let asked = Config::default();
    Config {
        failure_persistence: None,
        cases: if asked.cases == 256 {
            cases
        } else {
            asked.cases
        },
        rng_seed: match asked.rng_seed {
            RngSeed::Random => RngSeed::Fixed(1),
            fixed @ RngSeed::Fixed(_) => fixed,
        },
        ..asked
    }
}

/// What was seen of one operation.
#[derive(Debug)]
struct Seen {
    op_id: OpId,
    seq: i64,
    /// The last request that left.
    last: Option<(u32, PushOp)>,
}

#[derive(Debug)]
struct Play {
    world: World,
    model: Model,
    seen: BTreeMap<usize, Seen>,
    /// Every request by its key.
    by_key: BTreeMap<String, (PushChange, Precondition)>,
}

impl Play {
    async fn take(&mut self, step: &Step) {
        let (kind, id) = (kind(), EntityId::new(ID).unwrap());
        match step {
            Step::Edit(edit) => {
                if let Some(intent) = self.world.user().edit(ID, *edit).await {
                    self.model.write(intent);
                }
            }
            Step::Discard => {
                let discarded = self
                    .world
                    .engine
                    .outbox()
                    .discard(&kind, &id)
                    .await
                    .unwrap();
                let (numbers, maybe_applied) = self.model.discard();
                let op_ids: Vec<&OpId> = numbers.iter().map(|n| &self.seen[n].op_id).collect();
                assert_eq!(discarded.op_ids.iter().collect::<Vec<_>>(), op_ids);
                assert_eq!(discarded.maybe_applied, maybe_applied);
            }
            Step::Push(fortunes) => self.push(fortunes).await,
            Step::SomebodyEdits(other) => self.world.server.foreign_edit(ID, Some(*other)),
            Step::SomebodyDeletes => self.world.server.foreign_edit(ID, None),
            Step::Pull => {
                self.world.pull().await;
                self.model.pull(self.world.server.state(ID));
            }
            Step::Restart => {
                self.world.restart().await;
                self.model.pull(self.world.server.state(ID));
            }
        }
        self.compare().await;
    }

    async fn push(&mut self, fortunes: &[(Fortune, Option<Edit>)]) {
        let waiting = self.operations().await;
        self.world.server.expect(fortunes);
        self.world.server.watched_by(self.world.user());
        self.world.push().await;
        self.model.begin_run();
        let mut then = Then::LookAgain;
        for (op, edited, learned) in self.world.server.exchanges() {
            assert_eq!(then, Then::LookAgain, "{op:?} was sent after the end");
            self.check_request(&op, learned, &waiting);
            let before = self.model.send();
            if let Some(intent) = edited {
                self.model.write(intent);
            }
            then = self.model.learn(before, learned);
        }
        if then == Then::LookAgain {
            let next = self.model.next();
            assert!(next.is_none(), "{next:?} did not go out");
        }
        self.model.end_run();
    }

    /// Is the request what the model would send, under the right key?
    fn check_request(&mut self, op: &PushOp, learned: Learned, waiting: &[Op]) {
        let expected = self.model.next().expect("nothing was to be sent");
        let seen = self.seen.get_mut(&expected.number).unwrap();
        assert_eq!(op.op_id, seen.op_id);
        match (&op.change, expected.outgoing()) {
            (PushChange::Upsert { record, .. }, Intent::Upsert(fields, _)) => {
                assert_eq!(fields_of(record), *fields);
            }
            (PushChange::Delete, Intent::Delete) => {}
            (sent, expected) => panic!("{sent:?} instead of {expected:?}"),
        }
        assert_eq!(op.precondition, precondition(expected.check));
        let round = round_of(op);
        match &seen.last {
            // What was waiting keeps its round; what was never sent is in its first.
            None => assert!(round == 0 || expected.was_judged, "{waiting:?}"),
            Some((last, request)) if expected.altered => {
                assert!(round > *last, "{op:?} after {request:?}");
            }
            Some((_, request)) => assert_eq!(op, request, "a repeat is the same to the byte"),
        }
        if learned == Learned::NeverLeft {
            return;
        }
        seen.last = Some((round, op.clone()));
        let bytes = (op.change.clone(), op.precondition.clone());
        let first = self.by_key.entry(op.key.clone()).or_insert(bytes.clone());
        assert_eq!(*first, bytes, "one key for two requests");
    }

    async fn operations(&self) -> Vec<Op> {
        let query = OpQuery::default();
        self.world.engine.outbox().list(&query).await.unwrap()
    }

    /// Is what waits, and what the user sees, what the model says?
    async fn compare(&mut self) {
        let ops = self.operations().await;
        assert_eq!(ops.len(), self.model.queue.len(), "{ops:?}");
        for (op, expected) in ops.iter().zip(&self.model.queue) {
            let seen = self.seen.entry(expected.number).or_insert_with(|| Seen {
                op_id: op.op_id.clone(),
                seq: op.seq,
                last: None,
            });
            assert_eq!((&op.op_id, op.seq), (&seen.op_id, seen.seq));
            if let Some((round, last)) = &seen.last
                && !expected.altered
            {
                assert_eq!((op.round, op.idempotency_key()), (*round, last.key.clone()));
            }
            assert_eq!(intent_of(&op.written), expected.written);
            let verdict = op
                .verdict
                .as_ref()
                .map(|verdict| intent_of(&verdict.change));
            assert_eq!(verdict, expected.verdict);
            assert_eq!((op.fate, op.ever_sent), (expected.fate, expected.ever_sent));
            assert_eq!(op.status == OpStatus::Stuck, expected.is_stuck());
            assert_eq!(
                (op.try_count, op.trouble_count),
                (expected.refusals, expected.troubles)
            );
        }
        assert!(ops.is_sorted_by_key(|op| op.seq));
        assert_eq!(self.world.row(ID), self.model.row);
    }
}

fn intent_of(change: &Change) -> Intent {
    match change {
        Change::Upsert { payload, changed } => {
            let place = |name: &str| NAMES.iter().position(|other| *other == name).unwrap();
            let changed = changed.as_ref();
            Intent::Upsert(
                fields_of(payload),
                changed.map(|names| names.iter().map(place).collect()),
            )
        }
        Change::Delete => Intent::Delete,
    }
}

fn precondition(check: Check) -> Precondition {
    match check {
        Check::IfAbsent => Precondition::IfAbsent,
        Check::IfBase(number) => Precondition::IfBase {
            version: version(number),
        },
    }
}

/// The round that a key stands for: the id itself, or a UUIDv5 of id and round.
fn round_of(op: &PushOp) -> u32 {
    if op.key == op.op_id.as_str() {
        return 0;
    }
    let namespace = Uuid::try_parse(op.op_id.as_str()).unwrap();
    let key = |round: &u32| Uuid::new_v5(&namespace, round.to_string().as_bytes()).to_string();
    let round = (1..200).find(|round| key(round) == op.key);
    round.unwrap_or_else(|| panic!("{} is no key of {}", op.key, op.op_id))
}

proptest! {
    #![proptest_config(config(400))]

    #[test]
    fn the_outbox_does_what_its_model_says(steps in vec(any_step(), 1..40)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let world = World::new().await;
            let model = Model::default();
            let mut play = Play { world, model, seen: BTreeMap::new(), by_key: BTreeMap::new() };
            for step in &steps {
                play.take(step).await;
            }
        });
    }
}
