//! Servers that cannot be reached, want other credentials, or choke on one operation.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::json;
use sync_core::{Fate, OpStatus, PhaseEnd, SyncEvent};
use sync_rest::{Token, TokenError, TokenProvider};
use sync_testkit::{Fault, MockServer, Route};

use crate::setup::{
    Device, NOTES, Setup, assert_fields, converge, device, many, seed_note, server_with_note,
};

#[tokio::test]
async fn hazard_e02_ten_offline_runs_make_nothing_stuck_and_edits_still_fold() {
    let server = server_with_note().await;
    let here = device(&server).await;
    here.sync_fully().await;
    server.set_online(false).await.unwrap();
    here.edit("n1", json!({"mood": 5})).await;
    here.create("n2", json!({"title": "new"})).await;
    for _ in 0..10 {
        let report = here.sync().await;
        assert!(
            matches!(report.push, PhaseEnd::Offline { .. }),
            "{report:?}"
        );
        assert_eq!((report.pending, report.stuck), (2, 0));
        here.wait();
    }
    for op in here.ops().await {
        assert_eq!((op.try_count, op.trouble_count), (0, 0));
        assert_eq!(
            (op.fate, op.ever_sent, op.round),
            (Fate::NeverSent, false, 0)
        );
    }
    here.edit("n1", json!({"energy": 6})).await;
    here.edit("n2", json!({"title": "newer"})).await;
    assert_eq!(here.ops().await.len(), 2);
    server.set_online(true).await.unwrap();
    let report = here.sync_fully().await;
    assert_eq!((report.stats.pushed, report.stats.conflicts), (2, 0));
    assert_fields(
        server.get(NOTES, "n1").as_ref(),
        &json!({"mood": 5, "energy": 6}),
    );
    assert_eq!(server.applied_to(NOTES, "n1"), 1);
    converge(&server, &[&here]).await;
}

#[tokio::test]
async fn e2e_what_was_created_and_deleted_while_offline_runs_failed_is_never_sent() {
    let server = server_with_note().await;
    let here = device(&server).await;
    here.sync_fully().await;
    server.set_online(false).await.unwrap();
    here.create("n2", json!({"title": "new"})).await;
    here.sync().await;
    here.delete("n2").await;
    assert_eq!(here.ops().await.len(), 0);
    server.set_online(true).await.unwrap();
    here.sync_fully().await;
    assert_eq!(server.pushes().len(), 0);
}

#[tokio::test]
async fn hazard_e03_an_offline_run_tries_one_request_not_one_for_each_operation() {
    let server = MockServer::start().await.unwrap();
    let here = device(&server).await;
    here.sync_fully().await;
    for number in 0..20 {
        here.create(&format!("n{number}"), json!({"title": "new"}))
            .await;
    }
    server.clear_recorded();
    server.fault(Fault::status(503)).always();
    let report = here.sync().await;
    assert!(matches!(report.push, PhaseEnd::Offline { .. }));
    assert_eq!(
        server.recorded().len(),
        2,
        "one that was to change something, one pull"
    );
    assert_eq!(report.pending, 20);
}

#[tokio::test]
async fn hazard_e51_overload_counts_nothing_and_its_retry_after_is_told() {
    for status in [429, 503, 408] {
        let server = server_with_note().await;
        let here = device(&server).await;
        here.sync_fully().await;
        here.edit("n1", json!({"mood": 5})).await;
        let fault = Fault::status(status).header("retry-after", "45");
        let fault = server.fault(fault).on(Route::Push).always();
        server.update(NOTES, "n2", json!({"title": "comes all the same"}));
        for _ in 0..7 {
            let report = here.sync().await;
            let PhaseEnd::Offline { retry_after, .. } = &report.push else {
                panic!("{report:?}");
            };
            assert_eq!(*retry_after, Some(Duration::from_secs(45)), "{status}");
            assert_eq!(report.pull, PhaseEnd::Completed);
            here.wait();
        }
        let op = here.ops().await.pop().unwrap();
        assert_eq!(
            (op.try_count, op.trouble_count, op.status),
            (0, 0, OpStatus::Pending)
        );
        assert!(here.live("n2").await.is_some());
        fault.remove();
        converge(&server, &[&here]).await;
    }
}

#[tokio::test]
async fn e2e_a_request_is_repeated_after_the_time_that_the_server_asks_for() {
    let server = server_with_note().await;
    let setup = Setup::new(&server).config(|config| config.with_max_retries(3));
    let here = setup.open().await;
    here.sync_fully().await;
    let before = here.world.slept().len();
    let fault = Fault::status(500).header("retry-after", "17");
    server.fault(fault).on(Route::Pull).times(2);
    let report = here.sync().await;
    assert!(report.is_complete());
    let pauses = here.world.slept().split_off(before);
    let asked = pauses
        .iter()
        .filter(|pause| **pause == Duration::from_secs(17));
    assert_eq!(asked.count(), 2, "{pauses:?}");
}

/// Tokens in this order, one further with each refresh.
#[derive(Debug, Default)]
struct Session {
    tokens: Mutex<Vec<&'static str>>,
    refreshes: AtomicUsize,
}

impl Session {
    fn with(tokens: &[&'static str]) -> Arc<Self> {
        Arc::new(Self {
            tokens: Mutex::new(tokens.to_vec()),
            refreshes: AtomicUsize::new(0),
        })
    }
}

#[async_trait]
impl TokenProvider for Session {
    async fn token(&self) -> Result<Token, TokenError> {
        Ok(Token::bearer(self.tokens.lock().unwrap()[0]))
    }

    async fn refresh(&self) -> Result<(), TokenError> {
        self.refreshes.fetch_add(1, Ordering::SeqCst);
        let mut tokens = self.tokens.lock().unwrap();
        if tokens.len() > 1 {
            tokens.remove(0);
        }
        Ok(())
    }
}

async fn signed_in(server: &MockServer, session: &Arc<Session>) -> Device {
    let session = Arc::clone(session);
    Setup::new(server)
        .rest(|rest| rest.auth(session))
        .open()
        .await
}

#[tokio::test]
async fn hazard_e48_a_token_that_ran_out_is_renewed_once() {
    let server = MockServer::builder()
        .require_token("first")
        .start()
        .await
        .unwrap();
    seed_note(&server);
    let session = Session::with(&["first", "second"]);
    let here = signed_in(&server, &session).await;
    here.sync_fully().await;
    server.reconfigure(|settings| settings.require_token("second"));
    here.edit("n1", json!({"mood": 5})).await;
    here.create("n2", json!({"title": "new"})).await;
    let report = here.sync_fully().await;
    assert_eq!(report.stats.pushed, 2);
    assert_eq!(session.refreshes.load(Ordering::SeqCst), 1);
    assert!(!here.event_names().contains(&"AuthRequired".to_owned()));
    converge(&server, &[&here]).await;
}

#[tokio::test]
async fn hazard_e48_a_server_that_takes_no_token_is_told_and_counts_nothing() {
    let server = MockServer::builder()
        .require_token("first")
        .start()
        .await
        .unwrap();
    seed_note(&server);
    let session = Session::with(&["first"]);
    let here = signed_in(&server, &session).await;
    here.sync_fully().await;
    server.reconfigure(|settings| settings.require_token("unknown"));
    here.edit("n1", json!({"mood": 5})).await;
    here.create("n2", json!({"title": "new"})).await;
    for _ in 0..7 {
        server.clear_recorded();
        let _ = here.events();
        let report = here.sync().await;
        assert_eq!((report.push, report.pending), (PhaseEnd::AuthRequired, 2));
        assert!(here.event_names().contains(&"AuthRequired".to_owned()));
        assert_eq!(server.pushes().len(), 2, "one, and one after the refresh");
        here.wait();
    }
    for op in here.ops().await {
        assert_eq!(
            (op.try_count, op.trouble_count, op.status),
            (0, 0, OpStatus::Pending)
        );
    }
    here.edit("n1", json!({"energy": 1})).await;
    assert_eq!(
        here.ops().await.len(),
        2,
        "a refused request changed nothing, so edits fold"
    );
    server.reconfigure(|settings| settings.require_token("first"));
    converge(&server, &[&here]).await;
}

#[tokio::test]
async fn e2e_a_poisonous_operation_holds_up_only_itself_and_ends_stuck() {
    let server = server_with_note().await;
    let here = device(&server).await;
    here.sync_fully().await;
    server
        .fault(Fault::status(500))
        .on(Route::Push)
        .only(NOTES, "n1")
        .always();
    here.edit("n1", json!({"mood": 5})).await;
    for run in 1..=5_u32 {
        here.create(&format!("c{run}"), json!({"title": "new"}))
            .await;
        let report = here.sync().await;
        assert_eq!((report.stats.pushed, report.pending), (1, 1), "run {run}");
        assert_eq!(report.push, PhaseEnd::Completed);
        let op = here.ops().await.pop().unwrap();
        assert_eq!((op.try_count, op.trouble_count), (0, run));
        assert_eq!(op.status == OpStatus::Stuck, run == 5);
        here.wait();
    }
    let told = here.events().into_iter().any(|event| {
        matches!(event, SyncEvent::OperationFailed { entity_id, will_retry: false, .. } if entity_id.as_str() == "n1")
    });
    assert!(told);
    server.clear_recorded();
    here.sync().await;
    assert_eq!(server.pushes().len(), 0);
    assert_fields(here.live("n1").await.as_ref(), &json!({"mood": 5}));
    let discarded = here
        .engine
        .outbox()
        .discard(&crate::setup::kind(), &crate::setup::entity("n1"))
        .await;
    assert!(discarded.unwrap().maybe_applied);
    converge(&server, &[&here]).await;
}

#[tokio::test]
async fn hazard_e13_a_poisonous_operation_that_was_sent_first_does_not_hold_up_the_others() {
    let server = server_with_note().await;
    let here = device(&server).await;
    here.sync_fully().await;
    server
        .fault(Fault::drop_before())
        .on(Route::Push)
        .only(NOTES, "n1")
        .always();
    here.edit("n1", json!({"mood": 5})).await;
    for number in 0..5 {
        here.create(&format!("c{number}"), json!({"title": "new"}))
            .await;
    }
    let report = here.sync().await;
    assert_eq!((report.stats.pushed, report.pending), (5, 1));
}

#[tokio::test]
async fn e2e_trouble_with_everything_counts_against_nothing() {
    let server = MockServer::start().await.unwrap();
    let here = device(&server).await;
    here.sync_fully().await;
    for number in 0..6 {
        here.create(&format!("c{number}"), json!({"title": "new"}))
            .await;
    }
    let fault = server.fault(Fault::status(500)).on(Route::Push).always();
    for _ in 0..7 {
        server.clear_recorded();
        let report = here.sync().await;
        assert_eq!((report.pending, report.stuck), (6, 0));
        assert_eq!(server.pushes().len(), 3, "three in a row end the push");
        here.wait();
    }
    fault.remove();
    let report = here.sync_fully().await;
    assert_eq!(report.stats.pushed, 6);
}

#[tokio::test]
async fn e2e_a_connection_that_is_cut_in_the_middle_of_a_page_is_no_loss() {
    let server = MockServer::start().await.unwrap();
    server.seed(NOTES, many(50)).unwrap();
    let here = Setup::new(&server)
        .table(|table| table.page_size(10))
        .open()
        .await;
    server.fault(Fault::drop_after()).on(Route::Pull).skip(2);
    let report = here.sync().await;
    assert!(!report.pull.is_complete());
    server.clear_recorded();
    here.sync_fully().await;
    let pulls = server.pulls(NOTES);
    assert_ne!(pulls[0].query("pageToken"), None, "it went on where it was");
    let begun = pulls
        .iter()
        .filter(|pull| pull.query("pageToken").is_none());
    assert_eq!(begun.count(), 1, "and then saw what has changed since");
    converge(&server, &[&here]).await;
}

#[tokio::test]
async fn hazard_e29_one_kind_that_fails_does_not_hold_up_another() {
    let server = server_with_note().await;
    let here = crate::setup::two_kinds(&server).await;
    server
        .seed("labels", [json!({"id": "l1", "name": "red"})])
        .unwrap();
    server
        .fault(Fault::status(500))
        .on(Route::pull_of(NOTES))
        .always();
    let report = here.sync().await;
    assert_eq!(report.pull_failures.len(), 1);
    assert_eq!(here.count("SELECT COUNT(*) FROM labels").await, 1);
    server.clear_faults();
    here.sync_fully().await;
    assert_eq!(here.count("SELECT COUNT(*) FROM notes").await, 1);
}
