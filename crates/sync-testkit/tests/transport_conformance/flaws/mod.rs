//! Every behaviour of the suite fails on a transport that breaks it.

use std::panic::{AssertUnwindSafe, catch_unwind};

use sync_core::ServerState;
use sync_core::transport::{PushChange, PushOp, PushOutcome, PushResult};
use sync_testkit::transport_conformance::{BEHAVIORS, Behavior};
use sync_testkit::{MockServer, conformance};

use crate::harness::RestHarness;
use crate::wrong::{Call, Flaw, Reply, Wrong};

/// A flaw, and the behaviours that must notice it.
type Row = (&'static str, Flaw, &'static [&'static str]);

/// Changes the pull on its way out.
macro_rules! asks_pull {
    ($change:expr) => {
        Flaw::Asks(|call| {
            if let Call::Pull(request) = call {
                let change: fn(&mut PullRequest) = $change;
                change(request);
            }
        })
    };
}

/// Changes each operation on its way out.
macro_rules! asks_push {
    ($change:expr) => {
        Flaw::Asks(|call| {
            if let Call::Push(request) = call {
                let change: fn(&mut PushOp) = $change;
                request.ops.iter_mut().for_each(change);
            }
        })
    };
}

/// Changes the rows of a page.
macro_rules! tells_rows {
    ($change:expr) => {
        Flaw::Tells(|_, reply| match reply {
            Reply::Page(Ok(mut page)) => {
                let change: fn(&mut Vec<Value>) = $change;
                change(&mut page.items);
                Reply::Page(Ok(page))
            }
            other => other,
        })
    };
}

/// Changes the outcome of each operation.
macro_rules! tells_outcome {
    ($change:expr) => {
        Flaw::Tells(|call, reply| match (call, reply) {
            (Call::Push(request), Reply::Results(Ok(results))) => {
                let change: fn(&PushOp, PushOutcome) -> PushOutcome = $change;
                let pairs = request.ops.iter().zip(results);
                let changed = pairs
                    .map(|(op, result)| PushResult::new(result.key, change(op, result.outcome)));
                Reply::Results(Ok(changed.collect()))
            }
            (_, other) => other,
        })
    };
}

/// Changes what a fetch found.
macro_rules! tells_state {
    ($change:expr) => {
        Flaw::Tells(|_, reply| match reply {
            Reply::State(Ok(state)) => {
                let change: fn(ServerState) -> ServerState = $change;
                Reply::State(Ok(change(state)))
            }
            other => other,
        })
    };
}

/// Takes one kind of failure for another.
macro_rules! mistakes {
    ($from:ident for $to:ident) => {
        Flaw::Tells(|_, reply| {
            reply.map_error(|error| match error.kind() {
                TransportErrorKind::$from => {
                    TransportError::new(TransportErrorKind::$to, "mistaken")
                }
                _ => error,
            })
        })
    };
}

mod manners;
mod pushing;
mod reading;

fn rows() -> impl Iterator<Item = &'static Row> {
    [
        reading::PULLS,
        reading::FETCHES,
        pushing::PUSHES,
        pushing::ANSWERS,
        manners::BATCHES,
        manners::MANNERS,
    ]
    .into_iter()
    .flatten()
}

fn behavior(name: &str) -> &'static Behavior {
    let found = BEHAVIORS.iter().find(|behavior| behavior.name == name);
    found.unwrap_or_else(|| panic!("no behavior `{name}`"))
}

/// Does the behaviour fail on a transport with this flaw?
fn notices(behavior: &Behavior, flaw: Flaw) -> bool {
    let run = || {
        conformance::run(async {
            let harness = RestHarness::start(MockServer::builder().extended(), true).await;
            let harness = harness.wrapped(|inner| Wrong::new(inner, flaw));
            (behavior.run)(&harness).await.unwrap();
        });
    };
    catch_unwind(AssertUnwindSafe(run)).is_err()
}

#[test]
fn a_wrapper_without_a_flaw_passes_everything() {
    let flawless = Flaw::Asks(|_| {});
    let strict = BEHAVIORS
        .iter()
        .filter(|behavior| notices(behavior, flawless));
    let strict: Vec<_> = strict.map(|behavior| behavior.name).collect();
    assert!(strict.is_empty(), "{strict:?}");
}

#[test]
fn every_flaw_is_noticed() {
    let claims =
        rows().flat_map(|(flaw, how, names)| names.iter().map(move |name| (flaw, how, name)));
    let passed = claims.filter(|(_, how, name)| !notices(behavior(name), **how));
    let passed: Vec<_> = passed
        .map(|(flaw, _, name)| format!("`{name}` on a transport that {flaw}"))
        .collect();
    assert!(passed.is_empty(), "these pass: {passed:#?}");
}

#[test]
fn every_behavior_notices_a_flaw() {
    let is_proved = |name: &str| rows().any(|(_, _, names)| names.contains(&name));
    let unproved = BEHAVIORS.iter().map(|behavior| behavior.name);
    let unproved: Vec<_> = unproved.filter(|name| !is_proved(name)).collect();
    assert!(
        unproved.is_empty(),
        "nothing shows that these can fail: {unproved:?}"
    );
}

/// What a server may choose of an operation on a record that is not there.
#[test]
fn what_is_missing_may_be_answered_in_every_way_that_the_protocol_has() {
    let a_conflict_with_null = tells_outcome!(|_, outcome| match outcome {
        PushOutcome::Gone { .. } => PushOutcome::Conflict {
            state: Some(ServerState::gone()),
            time: None
        },
        other => other,
    });
    let a_delete_that_is_done = tells_outcome!(|op, outcome| match (&op.change, outcome) {
        (PushChange::Delete, PushOutcome::Gone { .. }) => PushOutcome::Accepted { state: None },
        (_, other) => other,
    });
    for (name, ways) in [
        (
            "an_update_of_what_is_missing_is_no_success",
            &[a_conflict_with_null][..],
        ),
        (
            "a_delete_of_what_is_missing_leaves_nothing",
            &[a_conflict_with_null, a_delete_that_is_done],
        ),
        (
            "a_delete_of_what_is_missing_holds_no_batch_up",
            &[a_conflict_with_null, a_delete_that_is_done],
        ),
    ] {
        for way in ways {
            assert!(!notices(behavior(name), *way), "{name}");
        }
    }
}
