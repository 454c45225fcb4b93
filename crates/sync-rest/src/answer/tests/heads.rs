//! Headers.

use super::*;

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
fn hazard_e51_retry_after_is_seconds_or_a_date_by_the_servers_clock() {
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
