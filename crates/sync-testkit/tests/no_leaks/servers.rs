//! Servers that repeat what they are sent.

use serde_json::{Value, json};
use sync_core::transport::{FetchRequest, PullRequest, WakeupStream};
use sync_core::{EntityId, Kind, Transport};
use sync_rest::{RestTransport, StaticToken, Token};
use sync_testkit::{Fault, MockServer};

use crate::said::{Said, secret};

pub(crate) fn server_record(id: &str, what: &str) -> Value {
    json!({"id": id, "title": secret(what), "mood": 3})
}

/// What a server may say, with the contents of the request in its words.
pub(crate) fn faults() -> Vec<Fault> {
    let words =
        || json!({"error": secret("code"), "message": secret("words"), "title": secret("echo")});
    let mut faults: Vec<Fault> = [400, 401, 403, 404, 409, 410, 412, 413, 422, 429, 500, 503]
        .into_iter()
        .map(|status| Fault::json(status, words()))
        .collect();
    faults.extend([
        Fault::json(422, json!({"title": [secret("echo")]})),
        Fault::json(422, json!([secret("echo")])),
        Fault::json(
            409,
            json!({"current": {"id": "other", "title": secret("wrong")}}),
        ),
        Fault::json(200, words()),
        Fault::answer(200, format!("{{\"title\": \"{}", secret("cut"))),
        Fault::answer(
            200,
            format!("<html><body>{}</body></html>", secret("portal")),
        ),
        Fault::answer(500, secret("stack trace")),
        Fault::redirect(&format!(
            "http://elsewhere.invalid/?token={}",
            secret("redirect")
        )),
        Fault::redirect(&format!("http://{}@127.0.0.1:9/", secret("user"))),
        Fault::status(429).header("retry-after", secret("later")),
        Fault::status(409).header("etag", secret("tag")),
        Fault::drop_before(),
        Fault::drop_after(),
    ]);
    faults
}

#[tokio::test]
async fn a_transport_alone_leaks_nothing_with_its_errors() {
    let said = Said::everything();
    let server = MockServer::start().await.unwrap();
    let token = StaticToken::new(Token::bearer(secret("token")));
    let transport = RestTransport::builder(format!("{}?key={}", server.url(), secret("base")));
    let transport = transport.auth(token).build().unwrap();
    let kind = || Kind::new("notes").unwrap();
    for _ in 0..2 {
        for fault in faults() {
            server.fault(fault);
            let pulled = transport.pull(PullRequest::new(kind(), 5)).await;
            pulled.inspect_err(|error| said.error(error)).ok();
        }
        for fault in faults() {
            server.fault(fault);
            let request = FetchRequest::new(kind(), EntityId::new("e1").unwrap());
            let fetched = transport.fetch(request).await;
            fetched.inspect_err(|error| said.error(error)).ok();
        }
        for fault in faults() {
            server.fault(fault);
            let opened: Result<WakeupStream, _> = transport.wakeups().await;
            opened.inspect_err(|error| said.error(error)).map(drop).ok();
        }
    }
    said.holds_no_secret();
}
