//! The transport of `docs/writing-a-transport.md` keeps the contract of `Transport`.
#![expect(
    clippy::unwrap_used,
    reason = "the lints spare tests, but not the helpers beside them"
)]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use examples::in_process::{Ask, InProcess, Line, Lost, Request, Response, Server};
use serde_json::{Value, json};
use sync_core::{EntityId, Kind, Transport};
use sync_testkit::transport_conformance;
use sync_testkit::transport_conformance::{Ability, Circumstance, TransportHarness};

const TOKEN: &str = "s3cret-of-this-device";

transport_conformance!(async { Harness::new() }, skips: [
    // `max_batch` is 1.
    each_operation_of_a_batch_has_its_own_result,
    a_batch_of_the_greatest_size_is_taken,
    a_batch_is_taken_in_part,
    upserts_and_deletes_share_a_batch,
    kinds_share_a_batch,
    a_delete_of_what_is_missing_holds_no_batch_up,
    a_batch_that_comes_again_takes_effect_once,
    a_missing_result_is_trouble_for_its_operation,
    a_doubled_result_is_trouble_for_its_operation,
    a_result_without_a_status_is_trouble_for_its_operation,
    a_status_inside_a_batch_means_what_it_means_alone,
    a_failure_inside_a_batch_is_trouble_for_its_operation,
    a_refused_sign_in_inside_a_batch_is_told,
    a_busy_server_inside_a_batch_is_told,
    a_batch_that_is_refused_says_nothing_of_its_operations,
    a_batch_of_a_server_that_serves_nobody_fails_as_a_whole,
    // There is no HTTP, so nothing on the way can put a page or a redirect in place of an answer.
    a_web_page_is_no_answer_to_a_batch,
    a_web_page_is_no_success_of_a_push,
    a_web_page_is_no_page_and_no_record,
    a_redirect_of_a_push_is_not_followed,
    a_redirect_to_another_host_is_no_page,
    a_body_that_breaks_off_is_told_as_broken,
    // The server has none of these.
    a_chain_of_tokens_brings_every_row_once,
    a_cursor_of_the_servers_is_echoed,
    a_change_wakes_who_listens,
    every_listener_is_woken,
    a_listener_that_leaves_holds_nobody_up,
    the_live_channel_of_an_unreachable_server_does_not_open,
]);

/// The server behind a line that does what a behaviour asks of it.
struct RoughLine {
    server: Server,
    circumstance: Mutex<Option<Circumstance>>,
    requests: AtomicUsize,
}

#[async_trait]
impl Line for RoughLine {
    async fn carry(&self, request: Request) -> Result<Response, Lost> {
        let circumstance = self.circumstance.lock().unwrap().clone();
        let is_pull = matches!(request.ask, Ask::List(_));
        // As a line does: an answer is there later than the request.
        tokio::task::yield_now().await;
        if circumstance == Some(Circumstance::Unreachable) {
            return Err(Lost::Request);
        }
        self.requests.fetch_add(1, Ordering::SeqCst);
        match circumstance {
            Some(Circumstance::ExpiredCursor) if is_pull => return Ok(Response::of(410)),
            Some(Circumstance::Status {
                status,
                message,
                retry_after,
            }) => {
                let body = message.map(|words| json!({"message": words}));
                return Ok(Response {
                    status,
                    body,
                    retry_after,
                });
            }
            _ => {}
        }
        let response = self.server.carry(request).await?;
        match circumstance {
            Some(Circumstance::LostAnswer) => Err(Lost::Answer),
            Some(Circumstance::NoBody) => Ok(Response::of(response.status)),
            Some(Circumstance::Body(body)) => Ok(Response::of(response.status).with(body)),
            _ => Ok(response),
        }
    }
}

/// The transport, and the server's side of the line.
struct Harness {
    line: Arc<RoughLine>,
    transport: Arc<InProcess>,
}

impl Harness {
    fn new() -> Self {
        let line = Arc::new(RoughLine {
            server: Server::new(TOKEN),
            circumstance: Mutex::default(),
            requests: AtomicUsize::new(0),
        });
        let transport = Arc::new(InProcess::new(line.clone(), TOKEN));
        Self { line, transport }
    }
}

#[async_trait]
impl TransportHarness for Harness {
    fn transport(&self) -> Arc<dyn Transport> {
        self.transport.clone()
    }

    fn cannot(&self) -> Vec<Ability> {
        vec![
            Ability::WebPage,
            Ability::BrokenBody,
            Ability::Redirect,
            Ability::PageTokens,
            Ability::Cursors,
            Ability::LiveChannel,
        ]
    }

    fn secret(&self) -> Option<String> {
        Some(TOKEN.to_owned())
    }

    async fn seed(&self, kind: &str, records: Vec<Value>) {
        for record in records {
            self.line.server.seed(&named(kind), record).unwrap();
        }
    }

    async fn edit(&self, kind: &str, id: &str, fields: Value) -> Value {
        self.line.server.edit(&named(kind), &entity(id), fields)
    }

    async fn delete(&self, kind: &str, id: &str) {
        self.line.server.delete(&named(kind), &entity(id));
    }

    async fn stored(&self, kind: &str, id: &str) -> Option<Value> {
        let record = self.line.server.get(&named(kind), &entity(id))?;
        (!record.is_deleted()).then(|| record.into())
    }

    async fn effects(&self, kind: &str, id: &str) -> u32 {
        let effects = self.line.server.effects(&named(kind), &entity(id));
        u32::try_from(effects).unwrap()
    }

    async fn requests(&self) -> usize {
        self.line.requests.load(Ordering::SeqCst)
    }

    async fn set(&self, circumstance: Circumstance) {
        *self.line.circumstance.lock().unwrap() = Some(circumstance);
    }

    async fn recover(&self) {
        *self.line.circumstance.lock().unwrap() = None;
    }
}

fn named(kind: &str) -> Kind {
    Kind::new(kind).unwrap()
}

fn entity(id: &str) -> EntityId {
    EntityId::new(id).unwrap()
}
