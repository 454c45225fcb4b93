//! An answer to a pull, a fetch, a push or a health check: any status, header and body. No panic; and
//! what is taken for a row is in the body as it stands.
#![no_main]

use fuzz::{Input, STATUSES, id};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use serde_json::value::RawValue;
use sync_core::ServerState;
use sync_core::transport::PushOutcome;
use sync_rest::KindRoute;
use sync_rest::fuzz::Answered;

fuzz_target!(|data: &[u8]| {
    let mut input = Input(data);
    let (call, status) = (input.byte(), input.one_of(&STATUSES));
    let header_length = usize::from(input.byte() % 64);
    let header = std::str::from_utf8(input.take(header_length)).ok();
    let answered = Answered {
        status,
        header,
        body: input.0,
    };
    let plain = KindRoute::new();
    let renamed = KindRoute::new()
        .bare_list()
        .id_field("_id")
        .stamp_field("at");
    let route = if call & 16 == 0 { &plain } else { &renamed };
    let e1 = id("e1");
    match call % 4 {
        0 => {
            let Ok(page) = answered.pull(route) else {
                return;
            };
            assert!((200..300).contains(&status));
            for item in &page.items {
                exact(item);
            }
            let body = std::str::from_utf8(input.0).expect("a page is UTF-8");
            for item in &page.unreadable {
                assert!(body.contains(&item.text.0), "not to the letter");
                serde_json::from_str::<&RawValue>(&item.text.0).expect("a row is JSON");
            }
        }
        1 => {
            if let Ok(state) = answered.fetch(&e1, route) {
                is_of(&state, &e1);
            }
        }
        2 => match answered.push(&e1, call & 32 != 0, route) {
            Ok(
                PushOutcome::Accepted { state: Some(state) }
                | PushOutcome::Conflict {
                    state: Some(state), ..
                }
                | PushOutcome::Gone { state: Some(state) },
            ) => is_of(&state, &e1),
            Ok(PushOutcome::Refused { message, .. }) => assert!(message.chars().count() <= 500),
            _ => {}
        },
        _ => drop(answered.health()),
    }
});

/// The record of another id is never taken for this one's.
fn is_of(state: &ServerState, id: &sync_core::EntityId) {
    if let Some(record) = state.record() {
        assert_eq!(record.id().as_ref(), Ok(id));
        exact(&record.clone().into());
    }
}

/// Written and read again it is the same.
fn exact(value: &Value) {
    let text = value.to_string();
    let mut json = serde_json::Deserializer::from_str(&text);
    json.disable_recursion_limit();
    let again: Value =
        serde::Deserialize::deserialize(&mut json).expect("what was read can be written");
    assert_eq!(*value, again);
}
