//! What the process is doing when it is killed.

use std::fmt;

/// A part of the process's work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// Opening the file, making tables, building the engine.
    Building,
    /// From the beginning of a user's write until it is acknowledged.
    LocalWrite,
    /// The transaction that marks operations as sent, until it is on disk.
    Marking,
    /// A push has left and has no answer yet.
    Wire,
    /// The transaction that settles an answer.
    Settling,
    /// A page or a record is asked for.
    Asking,
    /// The transaction of a page and its cursor.
    Page,
    /// Confirming and removing what a full resync has not seen.
    Sweep,
    /// Anything else.
    Between,
}

impl Phase {
    /// Those that the test aims at, in the order of its table.
    pub(crate) const AIMED_AT: [Self; 8] = [
        Self::Building,
        Self::LocalWrite,
        Self::Marking,
        Self::Wire,
        Self::Settling,
        Self::Asking,
        Self::Page,
        Self::Sweep,
    ];

    /// Its name, as on the command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Building => "building",
            Self::LocalWrite => "local-write",
            Self::Marking => "marking",
            Self::Wire => "on-the-wire",
            Self::Settling => "settling",
            Self::Asking => "asking",
            Self::Page => "page",
            Self::Sweep => "sweep",
            Self::Between => "between",
        }
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        let mut all = Self::AIMED_AT.into_iter().chain([Self::Between]);
        all.find(|phase| phase.name() == name)
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
