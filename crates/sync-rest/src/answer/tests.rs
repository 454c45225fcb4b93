//! The rules of answers, one by one, without a network.

use std::time::Duration;

use proptest::prelude::{any, prop, proptest};
use serde_json::json;
use sync_core::transport::{
    FetchRequest, PushChange, PushOp, PushOutcome, PushResult, TransportError, TransportErrorKind,
};
use sync_core::{EntityId, Kind, OpId, Precondition, Record, ServerState, Timestamp};

use super::{BodyBuffer, CheckedBody, Head};
use crate::route::{KindRoute, Names};

const NOW: &str = "2024-01-02T12:00:00Z";

fn head(status: u16, headers: &[(&str, &'static str)]) -> Head {
    let now = Timestamp::parse(NOW).unwrap();
    Head::read(status, &now, |name| {
        let found = headers.iter().find(|(key, _)| *key == name);
        found.map(|(_, value)| *value)
    })
}

fn body(text: &str) -> CheckedBody {
    let mut buffer = BodyBuffer::new(1 << 20);
    buffer.push(text.as_bytes()).unwrap();
    buffer.finish()
}

fn op(change: PushChange) -> PushOp {
    let op_id = OpId::new("o1").unwrap();
    let (kind, id) = (Kind::new("todos").unwrap(), EntityId::new("e1").unwrap());
    PushOp::new(
        "o1".to_owned(),
        op_id,
        kind,
        id,
        change,
        Precondition::Force,
    )
}

fn upsert() -> PushOp {
    op(PushChange::Upsert {
        record: Record::default(),
        changed: None,
    })
}

fn push(status: u16, text: &str, op: &PushOp) -> Result<PushOutcome, TransportError> {
    super::push(&head(status, &[]), &body(text), op, &Names::default())
}

fn put(status: u16, text: &str) -> PushOutcome {
    push(status, text, &upsert()).unwrap()
}

fn batch(status: u16, text: &str) -> Result<Vec<PushResult>, TransportError> {
    let names = Names::default();
    super::batch(&head(status, &[]), &body(text), &[upsert()], |_| &names)
}

fn in_batch(result: &str) -> PushOutcome {
    let text = format!(r#"{{"results":[{result}]}}"#);
    batch(200, &text).unwrap().remove(0).outcome
}

fn live(outcome: &PushOutcome) -> &Record {
    match outcome {
        PushOutcome::Accepted { state: Some(state) }
        | PushOutcome::Conflict {
            state: Some(state), ..
        } => state.live().unwrap(),
        other => panic!("no record in {other:?}"),
    }
}

#[track_caller]
fn assert_protocol(outcome: &PushOutcome) {
    assert!(
        matches!(outcome, PushOutcome::Protocol { .. }),
        "{outcome:?}"
    );
}

#[track_caller]
fn assert_fetch_wanted(outcome: &PushOutcome) {
    let no_record = matches!(outcome, PushOutcome::Conflict { state: None, .. });
    assert!(no_record, "{outcome:?}");
}

#[test]
fn any_success_without_a_body_is_accepted() {
    for status in [200, 201, 202, 204, 299] {
        for text in ["", " \r\n", "\u{FEFF}"] {
            let accepted = PushOutcome::Accepted { state: None };
            assert_eq!(put(status, text), accepted);
        }
    }
}

#[test]
fn a_success_that_is_no_record_of_this_id_is_not_believed() {
    for text in [
        "null",
        "[]",
        "{}",
        "\"ok\"",
        "1",
        r#"{"ok":true}"#,
        r#"{"title":"S","updated_at":"2024-01-01T00:00:00Z"}"#,
        r#"{"id":"e2","updated_at":"2024-01-01T00:00:00Z"}"#,
        r#"{"id":"e1","error":"quota"}"#,
        r#"[{"id":"e1"}]"#,
        "<html></html>",
        "<?xml version='1.0'?><!DOCTYPE html><html/>",
        " <!doctype html><p>Sign in</p>",
    ] {
        assert_protocol(&put(200, text));
        if text.starts_with(['{', '<']) {
            let delete = op(PushChange::Delete);
            assert_protocol(&push(200, text, &delete).unwrap());
        }
    }
}

#[test]
fn a_record_without_a_readable_stamp_is_usable_and_of_unknown_version() {
    for text in [
        r#"{"id":"e1"}"#,
        r#"{"id":"e1","updated_at":"yesterday","error":"x"}"#,
    ] {
        let outcome = put(200, text);
        assert_eq!(live(&outcome).id().unwrap().as_str(), "e1");
        let PushOutcome::Accepted { state: Some(state) } = outcome else {
            panic!("{outcome:?}");
        };
        assert_eq!(state.version(), None);
    }
}

#[test]
fn a_success_that_breaks_off_is_a_broken_body_and_a_page_of_html_is_not() {
    for text in [
        r#"{"id":"e1""#,
        "{'id':'e1'}",
        "ok",
        "<?xml version='1.0'?><a/>",
    ] {
        let error = push(200, text, &upsert()).unwrap_err();
        assert_eq!(error.kind(), TransportErrorKind::BrokenBody, "{text}");
    }
    let labelled = head(200, &[("content-type", "text/html")]);
    let portal = super::push(&labelled, &body("Welcome"), &upsert(), &Names::default());
    assert_protocol(&portal.unwrap());
    // A wrong label does not make JSON a web page.
    let outcome = super::push(
        &labelled,
        &body(r#"{"id":"e1"}"#),
        &upsert(),
        &Names::default(),
    );
    assert!(matches!(outcome, Ok(PushOutcome::Accepted { .. })));
}

#[test]
fn a_delete_keeps_a_tombstone_and_forgets_a_live_record() {
    let delete = op(PushChange::Delete);
    let live = push(200, r#"{"id":"e1","updated_at":1704196800}"#, &delete);
    assert_eq!(live.unwrap(), PushOutcome::Accepted { state: None });
    let dead = r#"{"id":"e1","updated_at":1704196800,"deleted_at":1704196800}"#;
    let Ok(PushOutcome::Accepted { state: Some(state) }) = push(200, dead, &delete) else {
        panic!("no tombstone");
    };
    assert!(state.is_deleted());
    assert_eq!(
        state.version().unwrap().stamp.to_json(),
        json!(1_704_196_800)
    );
}

#[test]
fn a_conflict_prefers_current_then_server_data_then_itself() {
    for (text, title) in [
        (
            r#"{"current":{"id":"e1","title":"a"},"serverData":{"id":"e2"},"id":"e1"}"#,
            "a",
        ),
        (
            r#"{"current":"?","serverData":{"id":"e1","title":"b"}}"#,
            "b",
        ),
        (
            r#"{"serverData":{"ID":"e1","title":"b"},"id":"e1","title":"c"}"#,
            "b",
        ),
        (r#"{"id":"e1","title":"c"}"#, "c"),
        (r#"{"serverData":null,"uuid":"e1","title":"c"}"#, "c"),
    ] {
        for status in [409, 412] {
            assert_eq!(live(&put(status, text)).get("title").unwrap(), title);
        }
    }
}

#[test]
fn a_conflict_without_a_usable_record_asks_for_a_fetch() {
    for text in [
        "",
        "{}",
        "[]",
        "null",
        "\"conflict\"",
        r#"{"error":"conflict","message":"changed"}"#,
        r#"{"error":"conflict","id":"e1"}"#,
        r#"{"id":"e2","updated_at":"2024-01-01T00:00:00Z"}"#,
        r#"{"current":{}}"#,
        r#"{"current":{"title":"S"}}"#,
        r#"{"current":[{"id":"e1"}]}"#,
        r#"{"serverData":null}"#,
    ] {
        assert_fetch_wanted(&put(409, text));
    }
}

#[test]
fn a_conflict_about_another_record_or_without_json_is_not_believed() {
    for text in [
        r#"{"current":{"id":"e2"}}"#,
        r#"{"current":{"id":12}}"#,
        r#"{"serverData":{"uuid":"e9"},"id":"e1"}"#,
        "<html>",
        "conflict",
        r#"{"current":"#,
    ] {
        assert_protocol(&put(409, text));
    }
}

#[test]
fn server_timestamp_is_a_time_and_never_a_version() {
    let time = |text: &str| match put(409, text) {
        PushOutcome::Conflict { state, time } => {
            let version = state.and_then(|state| Some(state.version()?.stamp.to_json()));
            (version, time.map(|time| time.to_rfc3339_utc()))
        }
        other => panic!("{other:?}"),
    };
    let stamp = json!("2024-01-01T00:00:00Z");
    let record = r#""current":{"id":"e1","updated_at":"2024-01-01T00:00:00Z"}"#;
    assert_eq!(
        time(&format!(r#"{{{record},"serverTimestamp":1706832000000}}"#)),
        (Some(stamp.clone()), Some("2024-02-02T00:00:00Z".to_owned()))
    );
    for unreadable in ["\"soon\"", "null", "-1", "{}"] {
        assert_eq!(
            time(&format!(r#"{{{record},"serverTimestamp":{unreadable}}}"#)),
            (Some(stamp.clone()), Some("2024-01-01T00:00:00Z".to_owned()))
        );
    }
    assert_eq!(
        time(r#"{"current":{"id":"e1"},"serverTimestamp":"2024-02-02T00:00:00Z"}"#),
        (None, Some("2024-02-02T00:00:00Z".to_owned()))
    );
    assert_eq!(time(r#"{"current":null}"#), (None, None));
}

#[test]
fn only_a_strong_tag_is_kept() {
    for (text, kept) in [
        ("\"v1\"", Some("\"v1\"")),
        ("\"\"", Some("\"\"")),
        ("W/\"v1\"", None),
        ("w/\"v1\"", None),
        ("v1", None),
        ("\"a\", \"b\"", None),
        ("\"", None),
    ] {
        assert_eq!(head(200, &[("etag", text)]).tag.as_deref(), kept, "{text}");
    }
}

#[test]
fn gone_needs_an_answer_of_this_server() {
    for status in [404, 410] {
        for text in ["", "{}", r#"{"error":"not_found"}"#, "null"] {
            assert_eq!(put(status, text), PushOutcome::Gone);
        }
        for text in ["<html>", "404 page not found"] {
            assert_protocol(&put(status, text));
        }
    }
}

#[test]
fn a_refusal_keeps_the_servers_words_within_bounds() {
    for (text, said) in [
        (
            r#"{"error":"invalid","message":"title too long"}"#,
            "title too long",
        ),
        (r#"{"error":"invalid"}"#, "invalid"),
        (r#""no""#, "no"),
        (r#"{"code":7}"#, r#"{"code":7}"#),
        ("", "no reason given"),
    ] {
        for status in [400, 403, 405, 413, 418, 422, 428] {
            let message = said.to_owned();
            assert_eq!(put(status, text), PushOutcome::Refused { status, message });
        }
        assert_protocol(&put(403, "<html>blocked</html>"));
    }
    let long = format!("\"{}\"", "é".repeat(2000));
    match put(422, &long) {
        PushOutcome::Refused { message, .. } => assert_eq!(message.chars().count(), 500),
        other => panic!("{other:?}"),
    }
}

#[test]
fn redirects_and_meaningless_statuses_are_not_believed() {
    for status in [300, 301, 302, 303, 304, 307, 308, 399, 100, 600, 999] {
        assert_protocol(&put(status, ""));
        assert_protocol(&put(status, r#"{"id":"e1"}"#));
    }
}

#[test]
fn sign_in_busy_and_failure_hold_whatever_the_body() {
    for (status, kind) in [
        (401, TransportErrorKind::Unauthorized),
        (408, TransportErrorKind::Unavailable),
        (429, TransportErrorKind::Unavailable),
        (503, TransportErrorKind::Unavailable),
        (500, TransportErrorKind::Server),
        (502, TransportErrorKind::Server),
        (504, TransportErrorKind::Server),
        (599, TransportErrorKind::Server),
    ] {
        for text in ["", "<html>", "{", r#"{"id":"e1"}"#] {
            let head = head(status, &[("retry-after", "7")]);
            let single = super::push(&head, &body(text), &upsert(), &Names::default());
            let pulled = super::pull(&head, &body(text), &KindRoute::new());
            let failures = [
                single.unwrap_err(),
                batch(status, text).unwrap_err(),
                pulled.unwrap_err(),
            ];
            for error in &failures {
                assert_eq!((error.kind(), error.status()), (kind, Some(status)));
            }
            assert_eq!(failures[0].retry_after(), Some(Duration::from_secs(7)));
        }
    }
}

#[test]
fn retry_after_is_seconds_or_a_date_by_the_servers_clock() {
    let date = ("date", "Mon, 01 Jan 2024 00:00:00 GMT");
    let wait = |headers: &[(&str, &'static str)]| {
        let wait = head(503, headers).retry_after;
        wait.map(|wait| wait.as_secs())
    };
    for (text, seconds) in [
        ("0", Some(0)),
        (" 30 ", Some(30)),
        ("3601", Some(3600)),
        ("99999999999999999999999", Some(3600)),
        ("Mon, 01 Jan 2024 00:00:10 GMT", Some(10)),
        ("Monday, 01-Jan-24 00:00:10 GMT", Some(10)),
        ("Tue, 02 Jan 2024 00:00:00 GMT", Some(3600)),
        ("Sun, 31 Dec 2023 00:00:00 GMT", Some(0)),
        ("-1", None),
        ("1.5", None),
        ("soon", None),
        ("", None),
    ] {
        assert_eq!(wait(&[date, ("retry-after", text)]), seconds, "{text}");
    }
    // Without a Date header the device's clock has to do.
    let minute = ("retry-after", "Tue, 02 Jan 2024 12:01:00 GMT");
    assert_eq!(wait(&[minute]), Some(60));
    assert_eq!(wait(&[("date", "rubbish"), minute]), Some(60));
}

#[test]
fn what_comes_beside_an_answer_is_kept() {
    let head = head(
        200,
        &[
            ("date", "Tue, 02 Jan 2024 12:00:00 GMT"),
            ("x-sync-epoch", "7"),
            ("x-sync-features", "Idempotency, gzip"),
        ],
    );
    let answer = head.answer(());
    assert_eq!(answer.server_date, Timestamp::parse(NOW).ok());
    assert_eq!(answer.epoch.as_deref(), Some("7"));
    let features = answer.features.unwrap();
    assert!(features.idempotency() && features.has("gzip") && !features.force());
}

#[test]
fn each_result_of_a_batch_speaks_for_itself() {
    let record = in_batch(r#"{"opId":"o1","statusCode":201,"data":{"id":"e1"},"version":"v"}"#);
    assert_eq!(live(&record).id().unwrap().as_str(), "e1");
    let accepted = PushOutcome::Accepted { state: None };
    assert_eq!(
        in_batch(r#"{"opId":"o1","statusCode":204,"data":null}"#),
        accepted
    );
    for text in [
        r#"{"opId":"o1","statusCode":200,"data":{"id":"e9"}}"#,
        r#"{"opId":"o1","statusCode":200,"data":{"error":"x"}}"#,
        r#"{"opId":"o1","statusCode":200,"data":[]}"#,
        r#"{"opId":"o1","statusCode":200,"error":"quota"}"#,
        r#"{"opId":"o1","statusCode":302}"#,
        r#"{"opId":"o1","statusCode":0}"#,
        r#"{"opId":"o1","statusCode":409,"error":{"current":{"id":"e9"}}}"#,
    ] {
        assert_protocol(&in_batch(text));
    }
    for text in [
        "",
        r#"{"opId":"o1"}"#,
        r#"{"opId":"o1","statusCode":"200"}"#,
        r#"{"opId":"o1","statusCode":70000}"#,
        r#"{"opId":"o1","statusCode":null,"data":{"id":"e1"}}"#,
        r#"{"opId":"o1","statusCode":500}"#,
        r#"{"opId":"o2","statusCode":200}"#,
        r#"{"statusCode":200,"data":{"id":"e1"}}"#,
        r#"{"opId":"o1","statusCode":200},{"opId":"o1","statusCode":200}"#,
        "null, 3",
    ] {
        let outcome = in_batch(text);
        assert!(
            matches!(outcome, PushOutcome::Trouble { .. }),
            "{text}: {outcome:?}"
        );
    }
    let unknown_beside = r#"{"opId":"o9","statusCode":500},{"opId":"o1","statusCode":200}"#;
    assert_eq!(in_batch(unknown_beside), accepted);
    assert_eq!(
        in_batch(r#"{"opId":"o1","statusCode":401}"#),
        PushOutcome::Unauthorized
    );
    assert_eq!(
        in_batch(r#"{"opId":"o1","statusCode":410,"error":"gone"}"#),
        PushOutcome::Gone
    );
    let busy = PushOutcome::Unavailable {
        status: 429,
        retry_after: None,
    };
    assert_eq!(
        in_batch(r#"{"opId":"o1","statusCode":429,"error":"slow"}"#),
        busy
    );
    let refused = PushOutcome::Refused {
        status: 422,
        message: "too long".to_owned(),
    };
    assert_eq!(
        in_batch(r#"{"opId":"o1","statusCode":422,"error":{"message":"too long"}}"#),
        refused
    );
}

#[test]
fn a_conflict_in_a_batch_is_read_like_one_alone() {
    for text in [
        r#"{"opId":"o1","statusCode":409,"error":{"current":{"id":"e1"}}}"#,
        r#"{"opId":"o1","statusCode":412,"error":{"id":"e1"}}"#,
        r#"{"opId":"o1","statusCode":409,"current":{"id":"e1"}}"#,
        r#"{"opId":"o1","statusCode":409,"data":{"id":"e1"}}"#,
    ] {
        assert_eq!(live(&in_batch(text)).id().unwrap().as_str(), "e1");
    }
    for text in [
        r#"{"opId":"o1","statusCode":409}"#,
        r#"{"opId":"o1","statusCode":409,"id":"e1"}"#,
        r#"{"opId":"o1","statusCode":409,"error":"conflict"}"#,
    ] {
        assert_fetch_wanted(&in_batch(text));
    }
    let deleted = in_batch(r#"{"opId":"o1","statusCode":409,"error":{"current":null}}"#);
    let gone = PushOutcome::Conflict {
        state: Some(ServerState::gone()),
        time: None,
    };
    assert_eq!(deleted, gone);
}

#[test]
fn a_batch_that_fails_as_a_whole_is_an_error() {
    for (status, text, kind) in [
        (400, "{}", TransportErrorKind::Rejected),
        (404, "<html>", TransportErrorKind::Rejected),
        (409, "", TransportErrorKind::Rejected),
        (413, "", TransportErrorKind::Rejected),
        (200, "<html>", TransportErrorKind::Protocol),
        (200, "[]", TransportErrorKind::Protocol),
        (302, "", TransportErrorKind::Protocol),
        (200, r#"{"results":["#, TransportErrorKind::BrokenBody),
    ] {
        assert_eq!(
            batch(status, text).unwrap_err().kind(),
            kind,
            "{status} {text}"
        );
    }
    for text in [
        "",
        "{}",
        r#"{"results":{}}"#,
        r#"{"results":[]}"#,
        r#"{"error":"x"}"#,
    ] {
        let outcome = batch(200, text).unwrap().remove(0).outcome;
        assert!(matches!(outcome, PushOutcome::Trouble { .. }), "{text}");
    }
}

#[test]
fn a_fetch_brings_this_record_or_its_absence() {
    let request = FetchRequest::new(Kind::new("todos").unwrap(), EntityId::new("e1").unwrap());
    let fetch = |status, text| {
        let head = head(status, &[("etag", "\"v1\"")]);
        super::fetch(&head, &body(text), &request, &KindRoute::new())
    };
    let state = fetch(200, r#"{"id":"e1","updated_at":"2024-01-01T00:00:00Z"}"#).unwrap();
    assert_eq!(state.version().unwrap().tag.as_deref(), Some("\"v1\""));
    for status in [404, 410] {
        assert_eq!(fetch(status, "").unwrap(), ServerState::gone());
    }
    for (status, text, kind) in [
        (404, "<html>", TransportErrorKind::Protocol),
        (200, "", TransportErrorKind::Protocol),
        (200, r#"{"id":"e2"}"#, TransportErrorKind::Protocol),
        (
            200,
            r#"{"id":"e1","error":"x"}"#,
            TransportErrorKind::Protocol,
        ),
        (302, "", TransportErrorKind::Protocol),
        (403, "{}", TransportErrorKind::Rejected),
        (200, "{", TransportErrorKind::BrokenBody),
    ] {
        assert_eq!(
            fetch(status, text).unwrap_err().kind(),
            kind,
            "{status} {text}"
        );
    }
}

#[test]
fn nesting_is_measured_outside_of_texts() {
    let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    let read = |text: &str| {
        let mut buffer = BodyBuffer::new(1 << 20);
        // In two pieces, as a network may deliver it.
        let (left, right) = text.as_bytes().split_at(text.len() / 2);
        buffer.push(left).and_then(|()| buffer.push(right))?;
        Ok(super::Body::read(&Head::default(), &buffer.finish()))
    };
    let refused = |result: Result<super::Body, TransportError>| result.unwrap_err().kind();
    assert!(matches!(read(&nested(128)), Ok(super::Body::Json(_))));
    assert_eq!(refused(read(&nested(129))), TransportErrorKind::TooLarge);
    let text = format!(r#"["\"{}\\"]"#, "[".repeat(500));
    assert!(matches!(read(&text), Ok(super::Body::Json(_))));
    let behind_text = format!(r#"["\\",{}]"#, nested(128));
    assert_eq!(refused(read(&behind_text)), TransportErrorKind::TooLarge);
}

proptest! {
    #[test]
    fn no_answer_makes_it_panic(
        status in any::<u16>(),
        bytes in prop::collection::vec(any::<u8>(), 0..200),
        label in prop::option::of("[ -~]{0,20}"),
    ) {
        let mut buffer = BodyBuffer::new(1000);
        buffer.push(&bytes)?;
        let body = buffer.finish();
        let now = Timestamp::parse(NOW).unwrap();
        let head = Head::read(status, &now, |_| label.as_deref());
        let _ = super::push(&head, &body, &upsert(), &Names::default());
        let _ = super::pull(&head, &body, &KindRoute::new());
        let _ = super::health(&head, &body);
    }
}
