//! The whole loop: engines on real SQLite files, over real HTTP, against a server that misbehaves.
#![allow(missing_docs)]

mod setup;
mod strategies;
