//! sync-rest
