//! Answers to batches.

use super::*;

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
        PushOutcome::Gone { state: None }
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
