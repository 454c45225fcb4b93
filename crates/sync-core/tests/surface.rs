//! What users read: defaults, counts, messages.

use std::error::Error;
use std::time::Duration;

use sync_core::store::{StoreError, StoreErrorKind};
use sync_core::{ConflictStrategy, SyncConfig, SyncError, SyncStats};

#[test]
fn the_defaults_are_those_that_are_documented() {
    let config = SyncConfig::default();
    let seconds = Duration::from_secs;
    assert_eq!((config.page_size, config.pull_concurrency), (500, 4));
    assert_eq!((config.push_concurrency, config.max_retries), (1, 5));
    assert_eq!(config.backoff_min, seconds(1));
    assert_eq!(config.backoff_max, seconds(120));
    assert!((config.backoff_multiplier - 2.0).abs() < f64::EPSILON);
    assert_eq!(config.full_resync_interval, seconds(7 * 24 * 3600));
    assert_eq!(config.conflict_strategy, ConflictStrategy::AutoPreserve);
    assert_eq!(config.max_conflict_retries, 3);
    assert_eq!(config.conflict_retry_delay, Duration::from_millis(500));
    assert_eq!(config.max_outbox_try_count, 5);
    assert_eq!(config.resolver_patience, seconds(5));
    assert_eq!(config.pull_overlap, seconds(5));
    assert_eq!(config.request_timeout, seconds(30));
    assert_eq!(config.auto_interval, seconds(300));
    assert_eq!(config.push_debounce, Duration::from_millis(250));
    config.validate().unwrap();
}

#[test]
fn counts_read_as_a_line() {
    let stats = SyncStats::default();
    assert_eq!(
        stats.to_string(),
        "pushed 0, pulled 0, conflicts 0, resolved 0, errors 0"
    );
}

#[test]
fn every_error_says_what_happened_and_keeps_its_source() {
    let full = std::io::Error::other("no space left");
    let store = StoreError::new(StoreErrorKind::Other, "cannot write").with_source(full);
    let error = SyncError::from(store);
    assert!(error.to_string().contains("cannot write"));
    let source = error.source().unwrap().to_string();
    assert!(source.contains("no space left"), "{source}");
}
