//! What the mock server does, seen through a plain HTTP client.

mod push;
mod support;
