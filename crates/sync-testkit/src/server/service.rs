//! One request from arrival to answer: record, faults, work, more faults.

use std::sync::Arc;

use axum::Router;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderValue, header};
use axum::response::Response;
use sync_rest::wire;

use super::Shared;
use super::faults::{Effect, Stage};
use super::incoming::Incoming;
use super::link::Cutter;
use super::reply::Reply;
use super::routes::{self, Answered};
use super::settings::MockServerBuilder;
use super::spoil::PageToken;

pub(crate) fn router(shared: Arc<Shared>) -> Router {
    Router::new().fallback(handle).with_state(shared)
}

async fn handle(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(cutter): ConnectInfo<Cutter>,
    request: Request,
) -> Response {
    let mut settings = shared.settings();
    let Some(incoming) = Incoming::read(request, &settings).await else {
        return cut(&cutter);
    };
    shared.record(incoming.request.clone());
    let action = incoming.request.action.clone();

    match waylaid(&shared, Stage::Before, &incoming).await {
        Waylaid::Dropped => return cut(&cutter),
        Waylaid::Answered(reply) => return finish(&shared, &settings, &incoming, reply),
        Waylaid::No => {}
    }
    for effect in shared.faults.take(Stage::During, &action) {
        if let Effect::Behave(switch) = effect {
            settings = switch(settings);
        }
    }
    let answered = if authorized(&settings, &incoming) {
        routes::answer(&shared, &settings, &incoming)
    } else {
        Answered::Reply(Reply::error(
            401,
            "unauthorized",
            "the token is not accepted",
        ))
    };
    match waylaid(&shared, Stage::After, &incoming).await {
        Waylaid::Dropped => return cut(&cutter),
        Waylaid::Answered(reply) => return finish(&shared, &settings, &incoming, reply),
        Waylaid::No => {}
    }
    match answered {
        Answered::Stream(mut response) => {
            declare(&shared, &settings, &mut response);
            response
        }
        Answered::Reply(mut reply) => {
            let page_token = incoming.request.query(wire::query::PAGE_TOKEN);
            let page_token = page_token.map(|value| PageToken {
                name: &settings.envelope.1,
                value,
            });
            shared.faults.spoil(&action, page_token, &mut reply);
            let mut response = finish(&shared, &settings, &incoming, reply);
            declare(&shared, &settings, &mut response);
            response
        }
    }
}

enum Waylaid {
    No,
    Answered(Reply),
    Dropped,
}

/// Lets the scripted faults of this stage have the request.
async fn waylaid(shared: &Shared, stage: Stage, incoming: &Incoming) -> Waylaid {
    for effect in shared.faults.take(stage, &incoming.request.action) {
        match effect {
            Effect::Answer(reply) => return Waylaid::Answered(reply),
            Effect::Drop => return Waylaid::Dropped,
            Effect::Delay(duration) => tokio::time::sleep(duration).await,
            Effect::Hold(barrier) => barrier.wait().await,
            Effect::Behave(_) | Effect::Spoil(_) => {}
        }
    }
    Waylaid::No
}

fn authorized(settings: &MockServerBuilder, incoming: &Incoming) -> bool {
    let Some(token) = &settings.token else {
        return true;
    };
    let sent = incoming.request.header(header::AUTHORIZATION.as_str());
    sent.and_then(|value| value.strip_prefix("Bearer ")) == Some(token.as_str())
}

/// The answer with the server's date; faults bear it too, so that no other clock slips in.
fn finish(
    shared: &Shared,
    settings: &MockServerBuilder,
    incoming: &Incoming,
    reply: Reply,
) -> Response {
    let dated = reply.headers.iter().any(|(name, _)| name == "date");
    let mut response = reply.into_response(settings.gzip && incoming.takes_gzip());
    if !dated {
        insert(&mut response, "date", &shared.state().clock.http_date());
    }
    response
}

/// What the server says of itself.
fn declare(shared: &Shared, settings: &MockServerBuilder, response: &mut Response) {
    insert(response, "date", &shared.state().clock.http_date());
    if !settings.features.is_empty() {
        insert(
            response,
            wire::header::FEATURES,
            &settings.features.join(", "),
        );
    }
    if let Some(epoch) = &settings.epoch {
        insert(response, wire::header::EPOCH, epoch);
    }
}

fn insert(response: &mut Response, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}

/// Cuts the connection; what is returned never gets out.
fn cut(cutter: &Cutter) -> Response {
    cutter.cut();
    Response::default()
}
