//! Timestamps: any text or number. What is taken is kept to the letter, and its instant is one.
#![no_main]

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use sync_core::Timestamp;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let value = serde_json::from_str(text).unwrap_or_else(|_| Value::from(text));
    for stamp in [Timestamp::parse(text), Timestamp::from_json(&value)] {
        match stamp {
            Ok(stamp) => holds(&stamp),
            Err(error) => assert!(error.to_string().len() < 800, "an endless message"),
        }
    }
});

fn holds(stamp: &Timestamp) {
    let again = Timestamp::from_json(&stamp.to_json()).expect("its own form");
    assert_eq!(again.to_json(), stamp.to_json());
    assert_eq!(again.unix_nanos(), stamp.unix_nanos());
    assert!(stamp.unix_nanos() >= 0);
    let _ = (stamp.unix_millis(), stamp.to_string());
    assert!(stamp.precision() <= Duration::from_secs(1));
    assert!(stamp.precision() >= Duration::from_nanos(1));
    // The last year that RFC 3339 can write.
    if stamp.unix_nanos() < 253_402_300_800 * 1_000_000_000 {
        let utc = Timestamp::parse(&stamp.to_rfc3339_utc()).expect("written by the library");
        assert_eq!(utc, *stamp);
        assert!(stamp.minus(Duration::from_secs(1)) <= *stamp);
    }
    let _ = (stamp.plus(Duration::MAX), stamp.minus(Duration::MAX));
    let _ = stamp.latest_believable();
}
