//! Runnable examples: see the files in this folder. The library holds the two adapters that the
//! guides in `docs/` write: a [store](file_store) and a [transport](in_process).

pub mod file_store;
pub mod in_process;

/// The code of the project's README, compiled and run as a documentation test.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
pub struct Readme;
