//! What a server does and does not do.

use serde::{Deserialize, Serialize};

/// What a server does and does not do. The default is a server as it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent habits, as they come in the wild"
)]
pub struct Habits {
    /// What it makes of a key that comes again.
    pub keys: Keys,
    /// It says what it can do (`X-Sync-Features`).
    pub declares: bool,
    /// An answer to a push brings the stored record.
    pub bodies: bool,
    /// `If-None-Match: *` is checked.
    pub checks_absence: bool,
    /// A conflict is an answer that a repeated key gets again.
    pub stores_conflicts: bool,
    /// A conflict brings the server's record.
    pub shows_conflicts: bool,
    /// What a deletion leaves.
    pub deletion: Deletion,
    /// What a push that would bring a deleted record back meets.
    pub revival: Revival,
    /// How stamps are kept and shown.
    pub stamps: Stamps,
    /// Texts are stored trimmed.
    pub trims: bool,
    /// No page is longer.
    pub cap: Option<u8>,
    /// How a list goes on.
    pub paging: Paging,
    /// Answers for one record bear a strong tag, which is compared.
    pub tags: bool,
    /// Every answer tells the server's epoch, a new one when a backup was restored.
    #[serde(default)]
    pub epochs: bool,
    /// A record that refers to one that is not there is refused.
    #[serde(default)]
    pub refuses_orphans: bool,
    /// An update may lack fields, which stay as they are.
    #[serde(default)]
    pub takes_parts: bool,
}

/// What a server makes of a key that comes again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Keys {
    /// It is answered as before.
    Honoured,
    /// Nothing.
    Ignored,
    /// It is answered as before, unless so many others came since.
    Forgotten(u8),
}

/// What a deletion leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Deletion {
    /// A tombstone that everybody sees.
    Shown,
    /// A tombstone in the list; 404 elsewhere.
    Hidden,
    /// Nothing.
    Hard,
}

/// What a push that would bring a deleted record back meets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Revival {
    /// It does.
    Done,
    /// A conflict with the tombstone.
    Refused,
    /// A success that shows the tombstone.
    Pretended,
}

/// How stamps are kept and shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stamps {
    /// To the microsecond; every change has its own.
    Micros,
    /// To the microsecond; changes of different records may share one.
    Shared,
    /// Kept to the microsecond, shown to the millisecond, compared as kept.
    Truncated,
}

/// How a list goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Paging {
    /// The client asks from where it stands.
    Keyset,
    /// By a token: so many rows of what was asked for.
    Tokens,
    /// By an opaque cursor, beside the keyset.
    Cursor,
}

impl Default for Habits {
    fn default() -> Self {
        Self {
            keys: Keys::Honoured,
            declares: true,
            bodies: true,
            checks_absence: true,
            stores_conflicts: false,
            shows_conflicts: true,
            deletion: Deletion::Shown,
            revival: Revival::Done,
            stamps: Stamps::Micros,
            trims: false,
            cap: None,
            paging: Paging::Keyset,
            tags: false,
            epochs: false,
            refuses_orphans: false,
            takes_parts: false,
        }
    }
}

impl Habits {
    /// Can this server tell every version from every other, and every repeat from a new request,
    /// and does it say so? Only then is nothing ever covered or done twice; elsewhere a window of one round trip
    /// remains, which no client can close.
    pub(crate) fn are_exact(&self) -> bool {
        self.keys == Keys::Honoured
            && self.declares
            && self.stamps != Stamps::Truncated
            && self.checks_absence
    }

    pub(crate) fn features(&self) -> String {
        let mut features = Vec::new();
        if self.keys == Keys::Honoured {
            features.push("idempotency");
        }
        if self.checks_absence {
            features.push("if-absent");
        }
        if self.takes_parts {
            features.push("changed-fields");
        }
        features.join(",")
    }
}
