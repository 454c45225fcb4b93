//! Answers that a faulty transport makes wrong, around one that answers as it is told.

#![expect(clippy::unwrap_used, reason = "helpers of tests may panic as tests do")]

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use serde_json::{Value, json};
use sync_core::transport::{
    Answer, Capabilities, FetchRequest, PullPage, PullRequest, PushChange, PushOp, PushOutcome,
    PushRequest, PushResult, WakeupStream,
};
use sync_core::{
    EntityId, Kind, OpId, Precondition, Record, ServerState, Transport, TransportError,
    TransportErrorKind,
};
use sync_testkit::{Call, FakeEnv, FaultyTransport, TransportFault, TransportScript};

/// Answers every operation with the same outcome, and a pull with as many rows as are wanted.
#[derive(Debug)]
struct Told {
    outcome: Mutex<PushOutcome>,
    pulls: Mutex<Vec<PullRequest>>,
    keys: Mutex<Vec<String>>,
}

#[async_trait]
impl Transport for Told {
    async fn pull(&self, request: PullRequest) -> Result<Answer<PullPage>, TransportError> {
        let rows = (0..request.limit).map(
            |n| json!({"id": n.to_string(), "updated_at": "2026-01-01T00:00:07.654321Z", "n": 1.5}),
        );
        let mut page = PullPage::new(rows.collect());
        page.next_page_token = Some("next".to_owned());
        self.pulls.lock().unwrap().push(request);
        Ok(Answer::new(page))
    }
    async fn push(&self, request: PushRequest) -> Result<Answer<Vec<PushResult>>, TransportError> {
        let outcome = self.outcome.lock().unwrap().clone();
        let keys: Vec<_> = request.ops.into_iter().map(|op| op.key).collect();
        self.keys.lock().unwrap().extend(keys.clone());
        let result = |key: String| PushResult::new(key, outcome.clone());
        Ok(Answer::new(keys.into_iter().map(result).collect()))
    }
    async fn fetch(&self, _: FetchRequest) -> Result<Answer<ServerState>, TransportError> {
        Ok(Answer::new(ServerState::gone()))
    }
    async fn health(&self) -> Result<Answer<()>, TransportError> {
        Ok(Answer::new(()))
    }
    async fn wakeups(&self) -> Result<WakeupStream, TransportError> {
        Ok(Box::pin(futures::stream::empty()))
    }
    fn capabilities(&self) -> Capabilities {
        Capabilities::new("told").with_max_batch(9)
    }
}

struct Bench {
    inner: Arc<Told>,
    script: TransportScript,
    transport: FaultyTransport,
}

/// Around a transport whose pushes have this outcome; the fault is for any call that it fits.
fn bench(outcome: PushOutcome, fault: TransportFault) -> Bench {
    let inner = Arc::new(Told {
        outcome: Mutex::new(outcome),
        pulls: Mutex::default(),
        keys: Mutex::default(),
    });
    let script = TransportScript::new(FakeEnv::new(1).env());
    script.next(Call::Any, fault);
    let transport = FaultyTransport::new(inner.clone(), script.clone());
    Bench {
        inner,
        script,
        transport,
    }
}

impl Bench {
    /// Pushes operations of these keys; the outcomes, whose keys are those that were sent.
    async fn push(&self, keys: &[&str]) -> Result<Vec<PushOutcome>, TransportError> {
        let request = PushRequest::new(keys.iter().map(|key| op(key)).collect());
        let results = self.transport.push(request).await?.value;
        let answered: Vec<_> = results.iter().map(|result| result.key.as_str()).collect();
        assert_eq!(answered, keys);
        Ok(results.into_iter().map(|result| result.outcome).collect())
    }

    async fn pull(&self, token: Option<&str>) -> PullPage {
        let mut request = PullRequest::new(kind(), 3);
        request.page_token = token.map(str::to_owned);
        self.transport.pull(request).await.unwrap().value
    }
}

fn kind() -> Kind {
    Kind::new("todos").unwrap()
}

fn op(key: &str) -> PushOp {
    let (op_id, id) = (OpId::new(key).unwrap(), EntityId::new("e1").unwrap());
    let change = PushChange::Delete;
    PushOp::new(
        key.to_owned(),
        op_id,
        kind(),
        id,
        change,
        Precondition::Force,
    )
}

fn state() -> Option<ServerState> {
    let record = json!({"id": "e1", "updated_at": "2026-01-01T00:00:00Z"});
    Some(ServerState::of(Record::try_from(record).unwrap(), None))
}

fn accepted() -> PushOutcome {
    PushOutcome::Accepted { state: state() }
}

fn conflict() -> PushOutcome {
    PushOutcome::Conflict {
        state: state(),
        time: None,
    }
}

fn is_trouble(outcome: &PushOutcome) -> bool {
    matches!(outcome, PushOutcome::Trouble { .. })
}

fn is_protocol(outcome: &PushOutcome) -> bool {
    matches!(outcome, PushOutcome::Protocol { .. })
}

#[tokio::test]
async fn the_last_result_of_a_batch_is_missing_and_its_operation_is_done() {
    let bench = bench(accepted(), TransportFault::missing_result());
    assert_eq!(bench.push(&["k1"]).await.unwrap(), [accepted()]);
    let outcomes = bench.push(&["k2", "k3"]).await.unwrap();
    assert_eq!(outcomes[0], accepted());
    assert!(is_trouble(&outcomes[1]));
    assert_eq!(*bench.inner.keys.lock().unwrap(), ["k1", "k2", "k3"]);
    assert_eq!(bench.push(&["k4", "k5"]).await.unwrap()[1], accepted());
}

#[tokio::test]
async fn the_first_result_of_a_batch_is_doubled_unknown_or_without_a_status() {
    for fault in [
        TransportFault::doubled_result(),
        TransportFault::unknown_result(),
        TransportFault::result_without_status(),
    ] {
        let bench = bench(accepted(), fault);
        assert_eq!(bench.push(&["k1"]).await.unwrap(), [accepted()]);
        let outcomes = bench.push(&["k2", "k3"]).await.unwrap();
        assert!(is_trouble(&outcomes[0]));
        assert_eq!(outcomes[1], accepted());
        assert_eq!(bench.push(&["k4", "k5"]).await.unwrap()[0], accepted());
    }
}

#[tokio::test]
async fn a_success_comes_without_its_record() {
    let bench = bench(accepted(), TransportFault::empty_body());
    let empty = PushOutcome::Accepted { state: None };
    assert_eq!(bench.push(&["k1"]).await.unwrap(), [empty]);
    assert_eq!(bench.push(&["k2"]).await.unwrap(), [accepted()]);
}

#[tokio::test]
async fn a_fault_of_conflicts_waits_for_one() {
    let bench = bench(accepted(), TransportFault::incomplete_conflict());
    assert_eq!(bench.push(&["k1"]).await.unwrap(), [accepted()]);
    *bench.inner.outcome.lock().unwrap() = conflict();
    let (state, time) = (None, None);
    let incomplete = PushOutcome::Conflict { state, time };
    assert_eq!(bench.push(&["k2"]).await.unwrap(), [incomplete]);
    assert_eq!(bench.push(&["k3"]).await.unwrap(), [conflict()]);
}

#[tokio::test]
async fn a_conflict_about_another_entity_is_not_the_servers_answer() {
    let bench = bench(conflict(), TransportFault::wrong_entity_conflict());
    let outcomes = bench.push(&["k1", "k2"]).await.unwrap();
    assert!(outcomes.iter().all(is_protocol));
}

#[tokio::test]
async fn the_token_of_a_page_is_repeated() {
    let bench = bench(accepted(), TransportFault::repeated_token());
    let token = |page: PullPage| page.next_page_token.unwrap();
    assert_eq!(token(bench.pull(None).await), "next");
    assert_eq!(token(bench.pull(Some("t1")).await), "t1");
    assert_eq!(token(bench.pull(Some("t1")).await), "next");
}

#[tokio::test]
async fn a_page_is_short_although_more_exists() {
    let bench = bench(accepted(), TransportFault::page_of(2));
    let page = bench.pull(None).await;
    assert_eq!(page.items.len(), 2);
    assert_eq!(page.next_page_token.as_deref(), Some("next"));
    assert_eq!(bench.pull(None).await.items.len(), 3);
    let limits: Vec<_> = bench.inner.pulls.lock().unwrap().clone();
    assert_eq!((limits[0].limit, limits[1].limit), (2, 3));
}

#[tokio::test]
async fn the_rows_of_a_page_are_stamped_in_whole_seconds() {
    let bench = bench(accepted(), TransportFault::second_stamps());
    let stamp = |page: PullPage| page.items[2]["updated_at"].clone();
    let page = bench.pull(None).await;
    assert_eq!(page.items[0]["n"], json!(1.5));
    assert_eq!(stamp(page), json!("2026-01-01T00:00:07Z"));
    let exact = json!("2026-01-01T00:00:07.654321Z");
    assert_eq!(stamp(bench.pull(None).await), exact);
}

#[tokio::test]
async fn rows_that_are_no_records_keep_their_stamps() {
    let odd = || vec![Value::Null, json!({"updatedAt": "soon"})];
    let fault = TransportFault::page(move |_, page| {
        page.items = odd();
        true
    });
    let bench = bench(accepted(), fault);
    let script = TransportScript::new(FakeEnv::new(2).env());
    script.next(Call::Pull, TransportFault::second_stamps());
    let outer = FaultyTransport::new(Arc::new(bench.transport), script);
    let page = outer.pull(PullRequest::new(kind(), 2)).await.unwrap().value;
    assert_eq!(page.items, odd());
}

#[tokio::test]
async fn an_ignored_key_reaches_the_server_as_another() {
    let bench = bench(accepted(), TransportFault::ignored_key());
    bench.push(&["k1", "k2"]).await.unwrap();
    bench.push(&["k1", "k2"]).await.unwrap();
    let keys = bench.inner.keys.lock().unwrap().clone();
    assert!(keys[0] != "k1" && keys[1] != "k2" && keys[0] != keys[1]);
    assert_eq!(keys[2..], ["k1", "k2"]);
}

#[tokio::test]
async fn the_sign_in_is_refused_once() {
    let bench = bench(accepted(), TransportFault::unauthorized());
    let error = bench.push(&["k1"]).await.unwrap_err();
    let seen = (error.kind(), error.status());
    assert_eq!(seen, (TransportErrorKind::Unauthorized, Some(401)));
    assert_eq!(bench.push(&["k1"]).await.unwrap(), [accepted()]);
    assert_eq!(*bench.inner.keys.lock().unwrap(), ["k1"]);
}

#[tokio::test]
async fn a_foreign_answer_is_no_outcome_of_a_push_and_fails_everything_else() {
    for fault in [TransportFault::html(), TransportFault::redirect()] {
        let bench = bench(accepted(), fault.clone());
        assert!(is_protocol(&bench.push(&["k1"]).await.unwrap()[0]));
        bench.script.next_times(2, Call::Any, &fault);
        let batch = bench.push(&["k1", "k2"]).await.unwrap_err();
        let health = bench.transport.health().await.unwrap_err();
        for error in [batch, health] {
            assert_eq!(error.kind(), TransportErrorKind::Protocol);
        }
        assert!(bench.inner.keys.lock().unwrap().is_empty());
    }
}

#[tokio::test]
async fn invalid_json_is_a_broken_body() {
    let bench = bench(accepted(), TransportFault::invalid_json());
    let error = bench.push(&["k1"]).await.unwrap_err();
    let seen = (error.kind(), error.status());
    assert_eq!(seen, (TransportErrorKind::BrokenBody, Some(200)));
}

#[tokio::test]
async fn any_change_of_a_page_or_of_results_can_be_scripted() {
    let fault = TransportFault::page(|request, page| {
        page.total = Some(u64::from(request.limit));
        true
    });
    let bench = bench(accepted(), fault);
    bench.script.next(
        Call::Push,
        TransportFault::results(|request, results| {
            results.retain(|result| result.key != request.ops[0].key);
            true
        }),
    );
    assert_eq!(bench.pull(None).await.total, Some(3));
    let request = PushRequest::new(vec![op("k1"), op("k2")]);
    let results = bench.transport.push(request).await.unwrap().value;
    assert_eq!(results, [PushResult::new("k2", accepted())]);
}

#[tokio::test]
async fn a_fault_of_answers_passes_other_calls_and_failures_by() {
    let bench = bench(accepted(), TransportFault::unauthorized());
    let script = TransportScript::new(FakeEnv::new(2).env());
    script.next(Call::Any, TransportFault::empty_body());
    let outer = FaultyTransport::new(Arc::new(bench.transport), script);
    outer.pull(PullRequest::new(kind(), 2)).await.unwrap_err();
    bench
        .script
        .next(Call::Push, TransportFault::unauthorized());
    let push = async || outer.push(PushRequest::new(vec![op("k1")])).await;
    push().await.unwrap_err();
    let outcome = push().await.unwrap().value.remove(0).outcome;
    assert_eq!(outcome, PushOutcome::Accepted { state: None });
}
