//! What happens in a world: its setup and its steps, drawn beforehand, so that steps can be left
//! out and the rest still means the same.

use serde::{Deserialize, Serialize};
use sync_core::ConflictStrategy;

use super::existing::Existing;
use super::rules::FieldRule;
use super::server::Habits;
use super::terms::{Terms, Way};

/// A world and what happens in it: everything that a run depends on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Schedule {
    /// Who takes part, and with which settings.
    pub setup: Setup,
    /// What happens, in order.
    pub steps: Vec<Step>,
}

/// Who takes part, and with which settings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Setup {
    /// Where ids, random numbers and decisions come from.
    pub seed: u64,
    /// 2 to 5.
    pub clients: u8,
    /// So many different ids per table.
    pub rows: u8,
    /// How the built-in tables settle conflicts.
    pub strategy: Strategy,
    /// Does the row of a deleted entity stay?
    pub keeps_deleted: bool,
    /// Do edits of one entity fold into one operation?
    pub coalesce: bool,
    /// Rows per page.
    pub page_size: u8,
    /// Requests pushed at the same time.
    pub push_concurrency: u8,
    /// Operations per request.
    pub max_batch: u8,
    /// Do the clients' clocks differ from the start?
    pub clocks_differ: bool,
    /// What the server does and does not do.
    pub habits: Habits,
    /// Is there a table that refers to another one?
    #[serde(default)]
    pub related: bool,
    /// Which clients begin with an old version of the app, as bits.
    #[serde(default)]
    pub old_apps: u8,
    /// Do the resolvers of the built-in tables take their time for some answers?
    #[serde(default)]
    pub slow_resolvers: bool,
    /// Rows that the built-in tables have before the first engine is built on them.
    #[serde(default)]
    pub existing: Option<Existing>,
    /// The settings that the built-in tables have of their own, table after table.
    #[serde(default)]
    pub terms: Vec<Terms>,
    /// Does the merge function of the built-in tables say what is not its to say?
    #[serde(default)]
    pub forges: bool,
    /// The fields of the built-in tables that have rules.
    #[serde(default)]
    pub rules: Vec<FieldRule>,
}

/// How conflicts are settled in the built-in tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Strategy {
    /// Field by field.
    AutoPreserve,
    /// The server's record.
    ServerWins,
    /// The local edit.
    ClientWins,
    /// The later of both.
    LastWriteWins,
    /// A function: the default one.
    Merge,
    /// A resolver that decides now this, now that.
    Manual,
}

impl Strategy {
    pub(crate) const ALL: [Self; 6] = [
        Self::AutoPreserve,
        Self::ServerWins,
        Self::ClientWins,
        Self::LastWriteWins,
        Self::Merge,
        Self::Manual,
    ];

    pub(crate) fn of_core(strategy: ConflictStrategy) -> Self {
        let is_it = |own: &Self| own.to_core() == strategy;
        Self::ALL
            .into_iter()
            .find(is_it)
            .unwrap_or(Self::AutoPreserve)
    }

    pub(crate) fn to_core(self) -> ConflictStrategy {
        match self {
            Self::AutoPreserve => ConflictStrategy::AutoPreserve,
            Self::ServerWins => ConflictStrategy::ServerWins,
            Self::ClientWins => ConflictStrategy::ClientWins,
            Self::LastWriteWins => ConflictStrategy::LastWriteWins,
            Self::Merge => ConflictStrategy::Merge,
            Self::Manual => ConflictStrategy::Manual,
        }
    }
}

/// One thing that happens.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Step {
    /// A user does something on a client, whether or not a run is under way there.
    User {
        /// Which client.
        client: u8,
        /// What.
        act: Act,
    },
    /// A user does something, and the process dies after so many awaits.
    DieWriting {
        /// Which client.
        client: u8,
        /// What.
        act: Act,
        /// How far it gets.
        awaits: u8,
    },
    /// A sync is asked for, also while one is under way. Nothing moves yet.
    Ask {
        /// Which client.
        client: u8,
        /// What is asked for.
        what: Asked,
        /// So much time has passed for the client since.
        after_seconds: u16,
    },
    /// What a client has under way goes on.
    Go {
        /// Which client.
        client: u8,
        /// How far.
        until: Until,
        /// What becomes of its next requests; those beyond the list arrive.
        fates: Vec<Fate>,
    },
    /// The process dies; what is committed stays. It starts again at once.
    Crash {
        /// Which client.
        client: u8,
    },
    /// The process stands still at an await, as one does that sleeps, and another one starts on
    /// the same database. Nothing if nothing is under way, or one stands still already.
    StandStill {
        /// Which client.
        client: u8,
    },
    /// The process that stands still wakes, and goes on beside the other one.
    Wake {
        /// Which client.
        client: u8,
    },
    /// The app is updated: it starts again with another strategy.
    SwitchStrategy {
        /// Which client.
        client: u8,
        /// The new one.
        strategy: Strategy,
    },
    /// The app is updated: it starts again, and one of its tables goes another way.
    Turn {
        /// Which client.
        client: u8,
        /// Which table.
        table: u8,
        /// The new way.
        way: Way,
    },
    /// Somebody else signs in on a client's device, works a little, and leaves.
    Guest {
        /// Which client.
        client: u8,
        /// The owner gives up what waits; otherwise the guest is turned away while something does.
        discards: bool,
        /// The process dies after so many awaits of opening for the guest.
        awaits: Option<u8>,
    },
    /// The app is updated to the version that knows all fields, and by their present names.
    Update {
        /// Which client.
        client: u8,
    },
    /// A client's database is put in the place of another's, in which nothing waits.
    Copy {
        /// Whose database.
        from: u8,
        /// In whose place.
        to: u8,
    },
    /// A client's clock is set forward or back.
    SetClock {
        /// Which client.
        client: u8,
        /// By so much.
        seconds: i64,
    },
    /// Time passes for everybody.
    Wait {
        /// So much.
        seconds: u32,
    },
    /// A request that was thought lost arrives after all.
    Deliver {
        /// The newest of them rather than the oldest.
        newest: bool,
    },
    /// Something happens on the server.
    Server {
        /// What.
        act: ServerAct,
    },
}

/// What a user does. Tables, rows and fields are places that wrap around what there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Act {
    /// Changes fields, or creates the row, also one that was deleted before.
    Write {
        /// The table.
        table: u8,
        /// The row.
        row: u8,
        /// Which fields, as bits.
        fields: u16,
        /// Of lists: takes an element out instead of adding one.
        removes: bool,
    },
    /// Writes a column that stays on the device, and these fields with it, if any; or creates the
    /// row.
    Mark {
        /// The table.
        table: u8,
        /// The row.
        row: u8,
        /// Which fields, as bits.
        fields: u16,
    },
    /// Clears a field.
    Clear {
        /// The table.
        table: u8,
        /// The row.
        row: u8,
        /// The field.
        field: u8,
    },
    /// Writes what the server will refuse.
    Offend {
        /// The table.
        table: u8,
        /// The row.
        row: u8,
    },
    /// Deletes the row.
    Delete {
        /// The table.
        table: u8,
        /// The row.
        row: u8,
    },
    /// Gives the row's operations up, by name.
    Discard {
        /// The table.
        table: u8,
        /// The row.
        row: u8,
    },
    /// Decides the oldest open conflict.
    Resolve {
        /// How.
        decision: Decision,
    },
    /// Lets stuck operations take part again.
    Retry,
}

/// How a user decides a conflict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Decision {
    /// The server's side.
    Server,
    /// The own side.
    Client,
    /// The own side, under the server's system fields.
    Merged,
}

/// What an app asks the engine for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Asked {
    /// A sync.
    Sync,
    /// Its first half.
    Push,
    /// Its second half.
    Pull,
    /// A full resync.
    Resync {
        /// Without confirmation of what is removed.
        clear_data: bool,
    },
}

/// How far something goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Until {
    /// So many awaits.
    Awaits(u8),
    /// Until so many requests more have reached the server, or are lost.
    Requests(u8),
    /// To its end.
    End,
}

/// What becomes of one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fate {
    /// It arrives, and so does the answer.
    Arrives,
    /// Nothing leaves the device, and it knows.
    NotLeft,
    /// The request is lost on its way.
    Lost,
    /// The answer is lost on its way.
    AnswerLost,
    /// It is thought lost and arrives later.
    Late,
    /// It arrives twice.
    Twice,
    /// The answer's body is broken.
    BrokenBody,
    /// A captive portal answers with its own page.
    Portal,
    /// Something in front of the server answers with this status.
    Status(u16),
    /// A list leaves out a row that the client has already.
    LeavesOut,
    /// A batch's answer lacks every second result.
    Muddled,
}

/// What happens on the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ServerAct {
    /// Another app changes a field, or creates the record.
    Write {
        /// The table.
        table: u8,
        /// The row.
        row: u8,
        /// The field.
        field: u8,
        /// The change is not visible before the next act of the server, or a few seconds.
        commits_late: bool,
    },
    /// Another app deletes a record.
    Delete {
        /// The table.
        table: u8,
        /// The row.
        row: u8,
    },
    /// Another app writes what the clients' tables cannot hold.
    Spoil {
        /// The table.
        table: u8,
        /// The row.
        row: u8,
    },
    /// Another app writes a field of a record for which no client has a column.
    Extend {
        /// The table.
        table: u8,
        /// The row.
        row: u8,
    },
    /// No cursor that was given out is good any more.
    ExpireCursors,
    /// A backup is made.
    Backup,
    /// The last backup is restored.
    Restore,
}
