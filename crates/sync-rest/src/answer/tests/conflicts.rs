//! Conflicts, in every form of their body.

use super::*;

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
