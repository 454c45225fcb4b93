//! Runnable examples: see the files in this folder.

/// The code of the project's README, compiled and run as a documentation test.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
pub struct Readme;
