//! Conformance suites for the seams of `sync-core`.

pub mod conformance;
