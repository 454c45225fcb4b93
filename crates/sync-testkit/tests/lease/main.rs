//! One sync per database at a time (semantics 6), with engines of one process and of several.

mod engines;

mod server;
mod setup;
mod waking;
