//! sync-sqlx
