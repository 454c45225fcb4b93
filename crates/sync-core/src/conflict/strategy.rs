//! The six strategies.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How a conflict is settled; chosen per table (semantics 4.2).
///
/// | strategy | edit meets newer edit | edit meets deletion | delete meets newer edit |
/// |---|---|---|---|
/// | `AutoPreserve` | merged field by field | re-created | the server's edit stays |
/// | `ServerWins` | server's record | deleted | the row comes back |
/// | `ClientWins` | overwritten | re-created | deleted |
/// | `LastWriteWins` | the newer wins whole | the newer wins; without a time re-created | the newer wins |
/// | `Merge` | what your function returns | re-created, unless your function decides | the server's edit stays, unless your function decides |
/// | `Manual` | what your resolver answers | the same | the same |
///
/// ```
/// # use sync_core::{ConflictStrategy, SyncConfig, TableConfig};
/// let prices = TableConfig::new().strategy(ConflictStrategy::ServerWins);
/// let all_others = SyncConfig::default().with_conflict_strategy(ConflictStrategy::LastWriteWins);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ConflictStrategy {
    /// Merge so that nothing that anybody changed is lost; where both changed the same value, the
    /// local one is kept and the event names the field.
    #[default]
    AutoPreserve,
    /// The server's state always wins.
    ServerWins,
    /// The local edit always wins.
    ClientWins,
    /// The edit that was made later wins whole. The device's clock is corrected by the server's,
    /// but a local time of writing is compared with a server's time of arrival.
    LastWriteWins,
    /// A function of the app decides ([`crate::MergeFunction`]).
    Merge,
    /// A resolver of the app decides, perhaps after asking a person ([`crate::ConflictResolver`]).
    Manual,
}

impl fmt::Display for ConflictStrategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AutoPreserve => "auto-preserve",
            Self::ServerWins => "server-wins",
            Self::ClientWins => "client-wins",
            Self::LastWriteWins => "last-write-wins",
            Self::Merge => "merge",
            Self::Manual => "manual",
        })
    }
}
