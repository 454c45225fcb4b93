//! The merge functions and the diff: the reference cases, the rules that these do not cover, and properties of random records.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::needless_pass_by_value,
    reason = "a test fails by panicking, and reads better with literals passed by value"
)]

mod support;

mod cases;
mod depth;
mod list_rules;
mod properties;
mod rules;

use serde_json::Value;
use sync_core::json::JsonMap;

/// The object that a `json!` literal is.
fn object(value: Value) -> JsonMap {
    match value {
        Value::Object(object) => object,
        other => panic!("not an object: {other}"),
    }
}
