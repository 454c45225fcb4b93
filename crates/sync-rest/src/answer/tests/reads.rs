//! Bodies, and answers to reading requests.

use super::*;

#[test]
fn a_fetch_brings_this_record_or_its_absence() {
    let request = FetchRequest::new(Kind::new("todos").unwrap(), EntityId::new("e1").unwrap());
    let fetch = |status, text| {
        let head = head(status, &[("etag", "\"v1\"")]);
        answer::fetch(&head, &body(text), &request, &KindRoute::new())
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
        Ok(answer::Body::read(&Head::default(), &buffer.finish()))
    };
    let refused = |result: Result<answer::Body, TransportError>| result.unwrap_err().kind();
    assert!(matches!(read(&nested(128)), Ok(answer::Body::Json(_))));
    assert_eq!(refused(read(&nested(129))), TransportErrorKind::TooLarge);
    let text = format!(r#"["\"{}\\"]"#, "[".repeat(500));
    assert!(matches!(read(&text), Ok(answer::Body::Json(_))));
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
        let _ = answer::push(&head, &body, &upsert(), &Names::default());
        let _ = answer::pull(&head, &body, &KindRoute::new());
        let _ = answer::health(&head, &body);
    }
}

proptest! {
    #[test]
    fn an_integer_in_a_row_comes_exactly_or_in_letters(
        number in "-?[1-9][0-9]{0,30}",
        before in "[a-z\\\\\"]{0,3}",
    ) {
        let key = serde_json::to_string(&before)?;
        let row = format!(r#"{{"id":"e1","at":{{{key}:[0,{number}]}}}}"#);
        let text = format!(r#"{{"items":[{row}, {{"id":"e2"}}],"total":2}}"#);
        let page = answer::pull(&head(200, &[]), &body(&text), &KindRoute::new()).unwrap();
        if number.parse::<i64>().is_ok() || number.parse::<u64>().is_ok() {
            prop_assert_eq!(page.items[0]["at"][&before][1].to_string(), number);
            prop_assert!(page.unreadable.is_empty());
        } else {
            prop_assert_eq!(&page.items, &[json!({"id": "e2"})]);
            prop_assert_eq!(&page.unreadable[0].text.0, &row);
            prop_assert_eq!(page.unreadable[0].id.as_ref().map(EntityId::as_str), Some("e1"));
        }
        prop_assert_eq!(page.total, Some(2));
    }
}
