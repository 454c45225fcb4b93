//! `RestTransport` and the mock server behind it.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Value, json};
use sync_core::Transport;
use sync_rest::{RestTransport, StaticToken, Token};
use sync_testkit::transport_conformance::{Ability, Circumstance, TransportHarness};
use sync_testkit::{Fault, MockServer, MockServerBuilder, Route};

pub(crate) const SECRET: &str = "s3cret-of-this-device";

pub(crate) struct RestHarness {
    server: MockServer,
    as_begun: MockServerBuilder,
    transport: Arc<dyn Transport>,
}

impl RestHarness {
    /// A server of these switches, cursors of its own apart, and a transport to it.
    pub(crate) async fn start(server: MockServerBuilder, batch: bool) -> Self {
        let as_begun = server
            .cursors(false)
            .filter_by("list")
            .require_token(SECRET);
        let server = as_begun.clone().start().await.unwrap();
        let token = StaticToken::new(Token::bearer(SECRET));
        let transport = RestTransport::builder(server.url())
            .auth(token)
            .batch(batch);
        Self {
            transport: Arc::new(transport.build().unwrap()),
            server,
            as_begun,
        }
    }

    /// The same server behind another transport, made of this one's.
    pub(crate) fn wrapped<T: Transport>(self, wrap: impl FnOnce(Arc<dyn Transport>) -> T) -> Self {
        Self {
            transport: Arc::new(wrap(self.transport)),
            ..self
        }
    }
}

#[async_trait]
impl TransportHarness for RestHarness {
    fn transport(&self) -> Arc<dyn Transport> {
        Arc::clone(&self.transport)
    }

    fn cannot(&self) -> Vec<Ability> {
        Vec::new()
    }

    fn secret(&self) -> Option<String> {
        Some(SECRET.to_owned())
    }

    async fn seed(&self, kind: &str, records: Vec<Value>) {
        self.server.seed(kind, records).unwrap();
    }

    async fn edit(&self, kind: &str, id: &str, fields: Value) -> Value {
        self.server.update(kind, id, fields)
    }

    async fn delete(&self, kind: &str, id: &str) {
        self.server.delete(kind, id);
    }

    async fn stored(&self, kind: &str, id: &str) -> Option<Value> {
        self.server.get(kind, id)
    }

    async fn effects(&self, kind: &str, id: &str) -> u32 {
        self.server.applied_to(kind, id)
    }

    async fn requests(&self) -> usize {
        self.server.recorded().len()
    }

    async fn set(&self, circumstance: Circumstance) {
        let server = &self.server;
        let fault = match circumstance {
            Circumstance::Unreachable => return server.set_online(false).await.unwrap(),
            Circumstance::Cursors => return server.reconfigure(|switches| switches.cursors(true)),
            Circumstance::NoLiveChannel => {
                server
                    .fault(Fault::answer(404, ""))
                    .on(Route::Events)
                    .always();
                return;
            }
            Circumstance::ExpiredCursor => {
                server.fault(Fault::status(410)).on(Route::Pull).always();
                return;
            }
            Circumstance::LostAnswer => Fault::drop_after(),
            Circumstance::Status {
                status,
                message,
                retry_after,
            } => {
                let fault = match message {
                    Some(message) => {
                        Fault::json(status, json!({"error": "no", "message": message}))
                    }
                    None => Fault::answer(status, ""),
                };
                match retry_after {
                    Some(wait) => fault.header("Retry-After", wait.as_secs().to_string()),
                    None => fault,
                }
            }
            Circumstance::NoBody => Fault::empty_body(),
            Circumstance::Body(body) => Fault::json(200, body).after_work(),
            Circumstance::WebPage => Fault::html(),
            Circumstance::BrokenBody => Fault::invalid_json(),
            Circumstance::Redirect => Fault::redirect("http://elsewhere.invalid/"),
            Circumstance::MissingResult => Fault::missing_result(),
            Circumstance::DoubledResult => Fault::doubled_result(),
            Circumstance::ResultWithoutStatus => Fault::result_without_status(),
            Circumstance::ResultStatus(status) => Fault::result_status(status),
            other => panic!("not known here: {other:?}"),
        };
        server.fault(fault).always();
    }

    async fn recover(&self) {
        self.server.clear_faults();
        self.server.reconfigure(|_| self.as_begun.clone());
        self.server.set_online(true).await.unwrap();
    }
}
