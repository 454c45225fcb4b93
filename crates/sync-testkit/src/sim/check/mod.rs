//! The checker: what users did, what the server went through and what lies in the databases, and
//! whether the invariants hold between them. It asks no engine.

mod commit;
mod gone;
pub(crate) mod ledger;
mod lost;
mod quiet;
mod ruled;

use std::fmt;

pub(crate) use commit::{between, pulled_everything, tried_everything, wrote_both};
pub(crate) use gone::{Decider, Unexplained, account_for};
pub(crate) use quiet::{agree, all_is_well};

/// An invariant that does not hold, and how that was noticed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Violation {
    /// The invariant: `I1` to `I12`.
    pub invariant: &'static str,
    /// What was found.
    pub what: String,
}

impl Violation {
    pub(crate) fn new(invariant: &'static str, what: impl Into<String>) -> Self {
        Self {
            invariant,
            what: what.into(),
        }
    }

    /// The same, said of a client or a record.
    pub(crate) fn of(self, whom: impl fmt::Display) -> Self {
        Self {
            what: format!("{whom}: {}", self.what),
            ..self
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.invariant, self.what)
    }
}
