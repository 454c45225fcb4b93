//! Several operations in one request, and what ends a run.

use std::time::Duration;

use serde_json::json;
use sync_core::transport::PushOutcome;
use sync_core::{
    ConflictStrategy, Fate, Kind, OpStatus, PhaseEnd, SyncEvent, SyncOptions, TransportError,
    TransportErrorKind,
};

use crate::device::{Device, ID, purging, schema, told};
use crate::server::{accepted, conflict, live, record, refused};

/// A device with so many records that the server does not know.
async fn with_creates(count: usize, max_batch: u32) -> Device {
    let device = Device::new(schema("updated_at", vec![]), purging()).await;
    device.server.declares("if-absent, idempotency");
    device.server.takes_batches_of(max_batch);
    device.pull().await;
    for number in 0..count {
        device
            .insert(json!({"id": name(number), "a": number}))
            .await;
    }
    device
}

fn name(number: usize) -> String {
    format!("{number}1111111-1111-4111-8111-111111111111")
}

fn accept(device: &Device, numbers: impl IntoIterator<Item = usize>) {
    for number in numbers {
        let note = json!({"id": name(number), "a": number});
        device.server.answers(accepted(live(note, 1)));
    }
}

fn error(kind: TransportErrorKind) -> TransportError {
    TransportError::new(kind, "as told")
}

#[tokio::test]
async fn operations_go_together_as_many_as_the_server_takes() {
    let device = with_creates(5, 2).await;
    accept(&device, 0..5);
    let mut events = device.engine.events();
    let report = device.push().await;
    assert_eq!((report.push, report.stats.pushed), (PhaseEnd::Completed, 5));
    assert_eq!(device.server.batches(), [2, 2, 1]);
    let counts = told(&mut events)
        .into_iter()
        .filter_map(|event| match event {
            SyncEvent::PushBatchProcessed {
                batch_size,
                success_count,
                error_count,
                conflict_count,
                ..
            } => Some((batch_size, success_count, error_count, conflict_count)),
            _ => None,
        });
    assert_eq!(
        counts.collect::<Vec<_>>(),
        [(2, 2, 0, 0), (2, 2, 0, 0), (1, 1, 0, 0)]
    );
}

#[tokio::test]
async fn a_batch_that_is_refused_as_a_whole_goes_again_one_by_one() {
    let device = with_creates(3, 10).await;
    device
        .server
        .fails(error(TransportErrorKind::Rejected).with_status(413));
    accept(&device, 0..3);
    let report = device.push().await;
    assert_eq!(
        (report.push, report.stats.pushed, report.stats.errors),
        (PhaseEnd::Completed, 3, 0)
    );
    assert_eq!(device.server.batches(), [3, 1, 1, 1]);
}

#[tokio::test]
async fn a_batch_without_an_answer_is_halved() {
    let device = with_creates(4, 10).await;
    device
        .server
        .fails(error(TransportErrorKind::Server).with_status(500));
    accept(&device, 0..4);
    let report = device.push().await;
    assert_eq!((report.push, report.stats.pushed), (PhaseEnd::Completed, 4));
    assert_eq!(device.server.batches(), [4, 2, 2]);
}

#[tokio::test]
async fn a_missing_result_is_trouble_for_its_operation_alone() {
    let device = with_creates(2, 10).await;
    accept(&device, [0]);
    let report = device.push().await;
    assert_eq!((report.stats.pushed, report.stats.errors), (1, 1));
    let op = device.op().await;
    assert_eq!(op.entity_id.as_str(), name(1));
    assert_eq!(op.trouble_count, 1, "another got through");
    assert!(op.last_error.unwrap().contains("no result"));
}

#[tokio::test]
async fn what_is_forced_goes_alone_unless_the_server_takes_it_in_a_batch() {
    for (features, sizes) in [("if-absent", vec![1, 1]), ("if-absent, force", vec![2])] {
        let table = purging().strategy(ConflictStrategy::ClientWins);
        let note = json!({"id": ID, "a": 1});
        let device = Device::with(schema("updated_at", vec![]), table, note).await;
        device.server.declares(features);
        device.server.takes_batches_of(10);
        device.pull().await;
        device.change("a", 2).await;
        device.insert(json!({"id": name(3), "a": 3})).await;
        device
            .server
            .answers(conflict(live(json!({"id": ID, "a": 5}), 2)));
        let message = "busy".to_owned();
        device.server.answers(PushOutcome::Trouble { message });
        device.push().await;
        assert_eq!(device.server.batches(), [2]);

        accept(&device, [1, 3]);
        device.push_later().await;
        assert_eq!(device.server.batches(), sizes, "{features}");
    }
}

#[tokio::test]
async fn three_entities_in_a_row_without_an_answer_speak_of_the_network() {
    let device = with_creates(5, 1).await;
    for _ in 0..5 {
        device.server.loses_a_push();
    }
    let report = device.push().await;
    assert!(
        matches!(&report.push, PhaseEnd::Offline { reason, .. } if reason.contains("in a row"))
    );
    assert_eq!(device.server.batches(), [1, 1, 1]);
    assert!(
        device.ops().await.iter().all(|op| op.trouble_count == 0),
        "nobody got through"
    );
}

#[tokio::test]
async fn an_answer_between_two_without_one_starts_the_count_anew() {
    let device = with_creates(5, 1).await;
    device.server.loses_a_push();
    device.server.loses_a_push();
    accept(&device, [2]);
    device.server.loses_a_push();
    device.server.loses_a_push();
    let report = device.push().await;
    assert_eq!((report.push, report.stats.pushed), (PhaseEnd::Completed, 1));
    let troubles: Vec<u32> = device
        .ops()
        .await
        .iter()
        .map(|op| op.trouble_count)
        .collect();
    assert_eq!(troubles, [1, 1, 1, 1]);
}

#[tokio::test]
async fn an_operation_in_trouble_while_others_get_through_is_set_aside_at_last() {
    let device = with_creates(1, 1).await;
    for round in 1..=3 {
        device.insert(json!({"id": name(round), "a": 1})).await;
        accept(&device, [round]);
        device.server.loses_a_push();
        if round == 1 {
            // The older one goes first as long as it is healthy.
            device.server.forgets();
            device.server.loses_a_push();
            accept(&device, [round]);
        }
        device.push_later().await;
        assert_eq!(
            device.op().await.trouble_count,
            u32::try_from(round).unwrap()
        );
    }
    assert_eq!(device.op().await.status, OpStatus::Stuck);
}

#[tokio::test]
async fn a_server_that_is_busy_ends_the_run_and_says_for_how_long() {
    let hour = Duration::from_secs(3_600);
    for (asked_for, waited) in [(60, Duration::from_secs(60)), (100_000, hour)] {
        let device = with_creates(2, 1).await;
        device.server.answers(PushOutcome::Unavailable {
            status: 503,
            retry_after: Some(Duration::from_secs(asked_for)),
        });
        let report = device.push().await;
        let PhaseEnd::Offline {
            retry_after,
            reason,
        } = report.push
        else {
            panic!("{report:?}")
        };
        assert_eq!(retry_after, Some(waited));
        assert!(reason.contains("503"));
        assert_eq!(device.server.batches(), [1]);

        let device = with_creates(2, 1).await;
        let wait = Some(Duration::from_secs(asked_for));
        device
            .server
            .fails(error(TransportErrorKind::Unavailable).with_retry_after(wait));
        let report = device.push().await;
        let PhaseEnd::Offline { retry_after, .. } = report.push else {
            panic!("{report:?}")
        };
        assert_eq!(retry_after, Some(waited));
        assert!(
            device
                .ops()
                .await
                .iter()
                .all(|op| op.try_count == 0 && op.last_error.is_none())
        );
    }
}

#[tokio::test]
async fn a_refused_login_ends_the_run_and_counts_nothing() {
    for as_answer in [true, false] {
        let device = with_creates(2, 1).await;
        let mut events = device.engine.events();
        if as_answer {
            device.server.answers(PushOutcome::Unauthorized);
        } else {
            device.server.fails(error(TransportErrorKind::Unauthorized));
        }
        let report = device.push().await;
        assert_eq!(report.push, PhaseEnd::AuthRequired);
        assert_eq!(device.server.batches(), [1]);
        let is_told = |event| matches!(event, SyncEvent::AuthRequired);
        assert!(told(&mut events).into_iter().any(is_told));
        let ops = device.ops().await;
        assert_eq!((ops.len(), ops[0].try_count), (2, 0));
        assert!(ops[0].surely_not_applied(), "the server said no");
    }
}

#[tokio::test]
async fn an_answer_that_is_not_the_servers_counts_nothing() {
    let device = with_creates(2, 1).await;
    device.server.answers(PushOutcome::Protocol {
        message: "a web page".to_owned(),
    });
    device.server.fails(error(TransportErrorKind::Protocol));
    let report = device.push().await;
    assert_eq!((report.push, report.stats.errors), (PhaseEnd::Completed, 2));
    for op in device.ops().await {
        assert_eq!(
            (op.try_count, op.trouble_count, op.status),
            (0, 0, OpStatus::Pending)
        );
        assert!(!op.surely_not_applied() && op.last_error.is_some());
    }
}

/// Fates of what waits after a batch met this error and then nobody was there.
async fn fates_after(failure: TransportError) -> Vec<Fate> {
    let device = with_creates(2, 10).await;
    device.server.fails(failure);
    device.push().await;
    let ops = device.ops().await;
    assert!(ops.iter().all(|op| op.ever_sent && op.try_count == 0));
    ops.iter().map(|op| op.fate).collect()
}

#[tokio::test]
async fn a_batch_that_was_refused_is_surely_not_applied_and_one_without_an_answer_may_be() {
    let refusal = error(TransportErrorKind::Rejected).with_status(413);
    assert_eq!(fates_after(refusal).await, [Fate::Negative, Fate::Negative]);
    let crash = error(TransportErrorKind::Server).with_status(500);
    assert_eq!(fates_after(crash).await, [Fate::Unknown, Fate::Unknown]);
}

#[tokio::test]
async fn silence_of_batches_counts_like_silence_of_operations_but_their_errors_do_not() {
    let device = with_creates(8, 8).await;
    for _ in 0..4 {
        device.server.fails(error(TransportErrorKind::Timeout));
    }
    let report = device.push().await;
    assert!(matches!(report.push, PhaseEnd::Offline { .. }));
    assert_eq!(device.server.batches(), [8, 4, 4]);

    let device = with_creates(8, 8).await;
    for _ in 0..3 {
        device
            .server
            .fails(error(TransportErrorKind::Server).with_status(500));
    }
    accept(&device, 0..8);
    let report = device.push().await;
    assert_eq!((report.push, report.stats.pushed), (PhaseEnd::Completed, 8));
}

#[tokio::test]
async fn operations_of_a_refused_batch_do_not_join_another() {
    let device = with_creates(4, 2).await;
    device
        .server
        .fails(error(TransportErrorKind::Rejected).with_status(413));
    accept(&device, 0..4);
    let report = device.push().await;
    assert_eq!(report.stats.pushed, 4);
    let mut sizes = device.server.batches();
    sizes.sort_unstable();
    assert_eq!(sizes, [1, 1, 2, 2]);
}

#[tokio::test]
async fn each_batch_tells_its_own_counts() {
    let device = with_creates(6, 2).await;
    let mut events = device.engine.events();
    accept(&device, [0]);
    device.server.answers(refused());
    let theirs = json!({"id": name(2), "a": 9});
    device.server.answers(conflict(live(theirs, 1)));
    device.server.answers(refused());
    accept(&device, [4, 5, 2]);
    device.push().await;
    let counts = told(&mut events)
        .into_iter()
        .filter_map(|event| match event {
            SyncEvent::PushBatchProcessed {
                success_count,
                error_count,
                conflict_count,
                ..
            } => Some((success_count, error_count, conflict_count)),
            _ => None,
        });
    assert_eq!(
        counts.collect::<Vec<_>>(),
        [(1, 1, 0), (0, 1, 1), (2, 0, 0), (1, 0, 0)]
    );
}

#[tokio::test]
async fn a_single_operation_refused_by_an_error_is_refused() {
    let device = with_creates(1, 1).await;
    device
        .server
        .fails(error(TransportErrorKind::Rejected).with_status(400));
    device.push().await;
    let op = device.op().await;
    assert_eq!((op.try_count, op.fate), (1, Fate::Negative));
}

#[tokio::test]
async fn a_pull_is_tried_after_the_push_only_if_the_server_answered_at_all() {
    for (status, pulls) in [(Some(503), true), (None, false)] {
        let device = with_creates(1, 1).await;
        device.server.pulls();
        let failure = error(TransportErrorKind::Unavailable);
        device.server.fails(match status {
            Some(status) => failure.with_status(status),
            None => failure,
        });
        device.engine.sync().await.unwrap();
        assert_eq!(!device.server.pulls().is_empty(), pulls, "{status:?}");
    }
}

#[tokio::test]
async fn only_the_kinds_that_were_asked_for_take_part() {
    let mut labels = schema("updated_at", vec![]);
    labels.kind = Kind::new("labels").unwrap();
    labels.table = "labels".to_owned();
    let table = purging().strategy(ConflictStrategy::Manual);
    let mut device = Device::new(schema("updated_at", vec![]), table.clone()).await;
    device.server.declares("if-absent");
    let both = vec![schema("updated_at", vec![]), labels];
    device.restart_with(both.clone(), table).await;
    device.pull().await;
    device.insert(json!({"id": name(1), "a": 1})).await;
    let records = device.engine.records("labels").unwrap();
    records
        .insert(record(json!({"id": name(2), "a": 2})))
        .await
        .unwrap();
    let theirs = live(json!({"id": name(1), "a": 9}), 1);
    device.server.answers(conflict(theirs));
    accept(&device, [2]);
    let only = |kind: &str| {
        let kind = Kind::new(kind).unwrap();
        SyncOptions::default().no_pull().push_kinds([kind])
    };
    device.engine.sync_with(only("notes")).await.unwrap();
    assert_eq!(device.server.batches(), [1], "the label waits");

    // With a strategy that decides, the note would take part again.
    device.restart_with(both, purging()).await;
    device.engine.sync_with(only("labels")).await.unwrap();
    assert_eq!(device.server.batches(), [1]);
    let left = device.op().await;
    assert_eq!(
        (left.kind.as_str(), left.status),
        ("notes", OpStatus::Deferred)
    );
}

#[tokio::test]
async fn a_fetch_that_is_refused_is_trouble_and_a_push_that_is_refused_is_not() {
    let device = Device::new(schema("updated_at", vec![]), purging()).await;
    device.pull().await;
    device.insert(json!({"id": "mine", "a": 1})).await;
    device.insert(json!({"id": name(1), "a": 1})).await;
    device.insert(json!({"id": name(2), "a": 2})).await;
    device.server.fails_to_show(TransportErrorKind::Rejected);
    device
        .server
        .fails(error(TransportErrorKind::Rejected).with_status(400));
    accept(&device, [2]);
    device.push().await;
    let counts = device
        .ops()
        .await
        .into_iter()
        .map(|op| (op.try_count, op.trouble_count));
    assert_eq!(counts.collect::<Vec<_>>(), [(0, 1), (1, 0)]);
}
