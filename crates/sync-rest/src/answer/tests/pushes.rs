//! Answers to single operations.

use super::*;

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
    let portal = answer::push(&labelled, &body("Welcome"), &upsert(), &Names::default());
    assert_protocol(&portal.unwrap());
    // A wrong label does not make JSON a web page.
    let outcome = answer::push(
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
fn gone_needs_an_answer_of_this_server() {
    for status in [404, 410] {
        for text in ["", "{}", r#"{"error":"not_found"}"#, "null"] {
            assert_eq!(put(status, text), PushOutcome::Gone { state: None });
        }
        for text in ["<html>", "404 page not found"] {
            assert_protocol(&put(status, text));
        }
    }
}

#[test]
fn what_is_gone_may_still_be_shown_as_a_tombstone() {
    let dead = r#"{"id":"e1","updated_at":1704196800,"deleted_at":1704196800}"#;
    let PushOutcome::Gone { state: Some(state) } = put(410, dead) else {
        panic!("no tombstone");
    };
    assert_eq!(
        state.version().unwrap().stamp.to_json(),
        json!(1_704_196_800)
    );
    // A live record, or somebody else's, is no tombstone of this entity.
    for text in [
        r#"{"id":"e1","updated_at":1704196800}"#,
        r#"{"id":"e2","updated_at":1704196800,"deleted_at":1704196800}"#,
    ] {
        assert_eq!(put(410, text), PushOutcome::Gone { state: None });
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
            let single = answer::push(&head, &body(text), &upsert(), &Names::default());
            let pulled = answer::pull(&head, &body(text), &KindRoute::new());
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
