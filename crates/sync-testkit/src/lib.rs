//! sync-testkit
