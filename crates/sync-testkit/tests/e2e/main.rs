//! The whole loop: engines on real SQLite files, over real HTTP, against a server that misbehaves.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests may panic as tests do"
)]

mod accounts;
mod answers;
mod bad_input;
mod batches;
mod columns;
mod conflicts;
mod deciding;
mod delivery;
mod disk;
mod edits;
mod failures;
mod hazards;
mod history;
mod interruptions;
mod lost_answers;
mod per_table_settings;
mod pulling;
mod references;
mod resolvers;
mod restored;
mod resync;
mod runs;
mod second_reading;
mod set_aside;
mod setup;
mod stamps;
mod strategies;
mod typed;
mod waiting;
mod writing;
