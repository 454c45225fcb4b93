//! The guides in `docs/` show code that is there: every block of Rust stands in a source that is
//! compiled and run, word for word.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "the lints spare tests, but not the helpers beside them"
)]

mod events_and_errors;
mod existing_apis;
mod existing_data;
mod shown;
mod tables_and_derive;
mod testing_your_app;
mod todos;
mod writing;
