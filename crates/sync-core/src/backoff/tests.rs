use std::time::Duration;

use super::{FullJitter, RetryPolicy};

fn policy() -> FullJitter {
    FullJitter::new(Duration::from_secs(1), Duration::from_secs(120), 2.0)
}

#[test]
fn the_delay_grows_and_stops_at_the_longest() {
    let longest: Vec<u64> = (1..=10)
        .map(|attempt| policy().delay(attempt, u64::MAX).as_secs())
        .collect();
    assert_eq!(longest, [1, 2, 4, 8, 16, 32, 64, 120, 120, 120]);
}

#[test]
fn full_jitter_reaches_from_nothing_to_the_whole_delay() {
    assert_eq!(policy().delay(5, 0), Duration::ZERO);
    let half = policy().delay(5, u64::MAX / 2);
    assert!((7..=8).contains(&half.as_secs()), "{half:?}");
}

#[test]
fn any_number_of_attempts_is_answered_at_once() {
    assert_eq!(policy().delay(u32::MAX, u64::MAX), Duration::from_secs(120));
}
