//! Runnable examples: see the files in this folder. The library holds the two adapters that the
//! guides in `docs/` write: a [store](file_store) and a [transport](in_process).

pub mod file_store;
pub mod in_process;

/// The README's code and that of the guides which are whole programs, compiled and run as
/// documentation tests. The code of the other guides stands in `tests/guides`.
#[cfg(doctest)]
mod documents {
    #[doc = include_str!("../../README.md")]
    struct Readme;

    #[doc = include_str!("../../docs/quick-start.md")]
    struct QuickStart;

    #[doc = include_str!("../../docs/conflicts.md")]
    struct Conflicts;

    #[doc = include_str!("../../docs/protocol.md")]
    struct Protocol;
}
