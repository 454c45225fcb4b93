//! Defects that can be switched on, so that whoever hunts for defects can be seen to find them.
//!
//! They exist only where the compiler is given `--cfg sync_planted`. Elsewhere this module is
//! empty but for a macro that says `false`, and the engine is what it seems.
//!
//! A defect is planted for one thread (`plant`), so that many worlds can be played at once. In
//! threads that never said anything the variable `SYNC_PLANTED` holds, by name:
//!
//! ```text
//! SYNC_PLANTED=pull-clobbers RUSTFLAGS="--cfg sync_planted" cargo test
//! ```

/// Is this defect planted? `planted!(X => code)` is code that only builds with defects have.
#[cfg(not(sync_planted))]
macro_rules! planted {
    ($defect:ident) => {
        false
    };
    ($defect:ident => $($code:tt)*) => {};
}

/// Is this defect planted? `planted!(X => code)` is code that only builds with defects have.
#[cfg(sync_planted)]
macro_rules! planted {
    ($defect:ident) => {
        $crate::planted::is_planted($crate::planted::Defect::$defect)
    };
    ($defect:ident => $($code:tt)*) => {
        if planted!($defect) {
            $($code)*
        }
    };
}

#[cfg(sync_planted)]
pub use self::switch::{Defect, is_planted, plant};

#[cfg(sync_planted)]
mod switch {
    use std::cell::Cell;
    use std::sync::OnceLock;

    macro_rules! defects {
        ($($(#[$doc:meta])+ $defect:ident = $name:literal breaks [$($law:literal),+];)+) => {
            /// A defect that can be planted; its name, and which invariants of the semantics it
            /// breaks.
            #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
            pub enum Defect {
                $($(#[$doc])+ $defect,)+
            }

            impl Defect {
                /// All of them, in the order of their declaration.
                pub const ALL: [Self; [$($name),+].len()] = [$(Self::$defect),+];

                /// Its name, in kebab case.
                #[must_use]
                pub fn name(self) -> &'static str {
                    match self {
                        $(Self::$defect => $name,)+
                    }
                }

                /// The invariants by which a checker may name it; the one to expect comes first.
                #[must_use]
                pub fn breaks(self) -> &'static [&'static str] {
                    match self {
                        $(Self::$defect => &[$($law),+],)+
                    }
                }
            }
        };
    }

    defects! {
        /// A pulled row overwrites the user's row although it has operations: I3.
        PullClobbers = "pull-clobbers" breaks ["I3"];
        /// An operation leaves the outbox with the mark that it was sent, before any answer: I2.
        AckBeforeCommit = "ack-before-commit" breaks ["I2"];
        /// A page's cursor is committed when the page arrives, before its rows are: I6.
        CursorOutsideTransaction = "cursor-outside-transaction" breaks ["I6"];
        /// A merge goes out by force and covers what came after the record it was merged with: I8.
        ForcedMerge = "forced-merge" breaks ["I8"];
        /// A tail takes its head's new version without being merged with the new record: I8.
        RebaseMovesStampOnly = "rebase-moves-stamp-only" breaks ["I8"];
        /// What a pull parked is the base of the merge, so the others' edits look undone here: I8.
        ParkedAsBase = "parked-as-base" breaks ["I8"];
        /// An edit on an unknown version takes the fetched one without being merged with it: I8.
        FetchedVersionAsBase = "fetched-version-as-base" breaks ["I8"];
        /// The key stays although content or precondition have changed since it was sent: I5.
        KeyReused = "key-reused" breaks ["I5"];
        /// The queue is ordered by the device's clock instead of by the order of writing: I4.
        OrderByClock = "order-by-clock" breaks ["I4"];
        /// An edit folds into an operation that may have been applied already: I5.
        FoldIntoSent = "fold-into-sent" breaks ["I5"];
        /// 404 or 410 acknowledges an upsert, which is gone without a decision: I2.
        NotFoundAcksUpsert = "not-found-acks-upsert" breaks ["I2"];
        /// A full resync drops the operations of rows that the server no longer has: I2.
        PurgePending = "purge-pending" breaks ["I2"];
        /// What waits behind a head is sent along with it, unchecked, without its answer: I4.
        ParallelOps = "parallel-ops" breaks ["I4"];
        /// A page token goes out with a keyset that has moved since the chain began: I6.
        TokenWithMovedCursor = "token-with-moved-cursor" breaks ["I6", "I7"];
        /// A page shorter than asked for ends the kind, whatever the server's cap or token: I7.
        ShortPageEndsKind = "short-page-ends-kind" breaks ["I7"];
        /// The server's stamps are cut to milliseconds when they are read, so that a version is none that
        /// the server gave: I9.
        TruncatedStamps = "truncated-stamps" breaks ["I9"];
        /// An answer is written back although something newer lies parked: I9.
        LateAnswerWins = "late-answer-wins" breaks ["I9"];
        /// The sweep of a full resync removes what the list lacked, unasked: I7.
        SweepUnconfirmed = "sweep-unconfirmed" breaks ["I7"];
        /// A call made during a run gets that run's result instead of a run of its own: I10.
        LostWakeUp = "lost-wake-up" breaks ["I10"];
        /// A verdict is sent without having been saved, so that a crash forgets it: I5.
        VerdictNotDurable = "verdict-not-durable" breaks ["I5"];
        /// A 2xx with a tombstone counts as success of an upsert: I2.
        TombstoneIsSuccess = "tombstone-is-success" breaks ["I2"];
        /// A create overwrites whatever has its id on the server: I8.
        CreateWithoutPrecondition = "create-without-precondition" breaks ["I8"];
        /// A conflict is merged as if nobody knew the base, so that what one side removed from a
        /// list comes back: I8.
        MergeWithoutBase = "merge-without-base" breaks ["I8"];
        /// A discard restores the base although a newer state lies parked: I9.
        DiscardForgetsParked = "discard-forgets-parked" breaks ["I9", "I7"];
        /// The refusal of a head takes the edit that waits behind it along: I2.
        TailLostWithHead = "tail-lost-with-head" breaks ["I2"];
        /// A refusal clears an earlier attempt whose answer was lost, so that edits fold into an
        /// operation that was applied: I5.
        RefusalSpeaksForAll = "refusal-speaks-for-all" breaks ["I5"];
        /// A waiting deletion is sent although the record is not what the user saw: I8.
        DeletesUnseen = "deletes-unseen" breaks ["I8"];
        /// A quarantined row that the table refuses once more is dropped: I7.
        QuarantineDropped = "quarantine-dropped" breaks ["I7"];
        /// Answers of a server that was restored from a backup are used as if nothing had happened:
        /// what the server lost stays in the replica.
        EpochIgnored = "epoch-ignored" breaks ["I7", "I2", "I10"];
        /// What the server lost with a restored backup is overwritten without having been exported: I2.
        LostRowsDropped = "lost-rows-dropped" breaks ["I2"];
        /// Another account's data is cleared, but for the cursors: I7.
        AccountKeepsCursor = "account-keeps-cursor" breaks ["I7", "I6"];
        /// An engine that lost its lease works on as if it had it: I9.
        FenceUnchecked = "fence-unchecked" breaks ["I9", "I4", "I6"];
        /// The lease is taken over although its holder is at work, so that no run gets to its end:
        /// I10.
        TakenTooEarly = "taken-too-early" breaks ["I10", "I4"];
        /// A child is sent before its parent's creation is through: I4.
        ParentOrderIgnored = "parent-order-ignored" breaks ["I4"];
        /// A row comes into its table although its parent is not there: I7.
        OrphanApplied = "orphan-applied" breaks ["I7"];
        /// A parent's row goes although rows refer to it: I7.
        ParentRemovedFirst = "parent-removed-first" breaks ["I7"];
        /// What was written under an older version of the table's schema goes out as it is: I8.
        UpcastSkipped = "upcast-skipped" breaks ["I8", "I2", "I7", "I3", "I9"];
        /// A table that gains a column does not fill it with what was kept beside the table: I8.
        ExtraNotFilled = "extra-not-filled" breaks ["I8", "I2", "I7", "I3"];
        /// A copy of a device's database keeps the ids of its operations: I2.
        CloneKeepsOpIds = "clone-keeps-op-ids" breaks ["I2", "I5", "I8"];
        /// What travels is what the table has columns for; the server's other fields go with the next
        /// edit: I8.
        UnknownFieldsDropped = "unknown-fields-dropped" breaks ["I8", "I2"];
        /// A column that stays on the device goes out with an edit: I7.
        LocalOnlySent = "local-only-sent" breaks ["I7"];
        /// A row of the server's takes the place of the whole row, columns included that stay on the
        /// device: I3.
        LocalOnlyCleared = "local-only-cleared" breaks ["I3"];
        /// It is noted that a table's rows are adopted before they are, so that a process that dies in
        /// between leaves them unsent: I1.
        AdoptionNotedFirst = "adoption-noted-first" breaks ["I1"];
        /// Rows that are the server's are created there, as if they were the user's: I1.
        ServersRowsQueued = "servers-rows-queued" breaks ["I1"];
        /// An edit's time is the device's, whatever is known of the server's clock: I12.
        ClockUncorrected = "clock-uncorrected" breaks ["I12"];
        /// An operation into which a newer edit was folded keeps the older one's time: I12.
        FoldKeepsTime = "fold-keeps-time" breaks ["I12"];
        /// How an update goes out is decided anew for each attempt: I5.
        BodyDecidedAnew = "body-decided-anew" breaks ["I5"];
        /// Updates go out in part to servers that lose what a body lacks: I2, I8.
        PartUndeclared = "part-undeclared" breaks ["I2", "I8"];
        /// An operation is sent although its table is only pulled: I4.
        PullOnlySent = "pull-only-sent" breaks ["I4"];
        /// Of two values of a field the smaller one is kept where the greater one was to be: I8.
        GreatestLost = "greatest-lost" breaks ["I8"];
        /// An increment whose answer was lost counts as arrived when the record says what it wanted,
        /// whoever added that: I8.
        EqualIncrementLost = "equal-increment-lost" breaks ["I8"];
        /// Operations go in the order of writing, however urgent their kinds are: I4.
        UrgentSentLate = "urgent-sent-late" breaks ["I4"];
        /// All kinds are pulled at once, however urgent they are: I4.
        UrgentPulledLate = "urgent-pulled-late" breaks ["I4"];
        /// What a merge function is asked about in another round is what the last round decided: I8.
        MergeAskedTwice = "merge-asked-twice" breaks ["I8"];
        /// What a merge function returns goes out as it is, system fields included: I8.
        MergeTrusted = "merge-trusted" breaks ["I8"];
    }

    impl Defect {
        /// The defect of this name.
        #[must_use]
        pub fn named(name: &str) -> Option<Self> {
            Self::ALL.into_iter().find(|defect| defect.name() == name)
        }
    }

    thread_local! {
        /// `None` = this thread never said anything.
        static PLANTED: Cell<Option<Option<Defect>>> = const { Cell::new(None) };
    }

    /// Plants this defect in the current thread, instead of any other; `None` = none, whatever
    /// `SYNC_PLANTED` says.
    pub fn plant(defect: Option<Defect>) {
        PLANTED.set(Some(defect));
    }

    /// Is this defect planted in the current thread?
    #[must_use]
    pub fn is_planted(defect: Defect) -> bool {
        PLANTED.get().unwrap_or_else(everywhere) == Some(defect)
    }

    /// What is planted in threads that say nothing.
    fn everywhere() -> Option<Defect> {
        static NAMED: OnceLock<Option<Defect>> = OnceLock::new();
        *NAMED.get_or_init(|| {
            let name = std::env::var("SYNC_PLANTED").ok()?;
            let defect = Defect::named(&name);
            // To hunt for a defect that is not there would find nothing and prove nothing.
            assert!(defect.is_some(), "SYNC_PLANTED: no defect {name:?}");
            defect
        })
    }

    #[cfg(test)]
    mod tests {
        use std::collections::BTreeSet;
        use std::thread;

        use super::{Defect, is_planted, plant};

        #[test]
        fn a_defect_is_planted_in_its_own_thread_only() {
            plant(Some(Defect::ForcedMerge));
            assert!(is_planted(Defect::ForcedMerge));
            assert!(!is_planted(Defect::PullClobbers));
            let elsewhere = thread::spawn(|| {
                plant(None);
                Defect::ALL.into_iter().any(is_planted)
            });
            assert!(!elsewhere.join().unwrap());
            assert!(is_planted(Defect::ForcedMerge));
            plant(None);
            assert!(!is_planted(Defect::ForcedMerge));
        }

        #[test]
        fn every_defect_is_found_by_a_name_of_its_own_and_breaks_a_law() {
            let names: BTreeSet<&str> = Defect::ALL.into_iter().map(Defect::name).collect();
            assert_eq!(names.len(), Defect::ALL.len());
            for defect in Defect::ALL {
                assert_eq!(Defect::named(defect.name()), Some(defect));
                let is_law = |law: &&str| {
                    law.strip_prefix('I')
                        .is_some_and(|n| n.parse().is_ok_and(|n: u8| (1..=12).contains(&n)))
                };
                assert!(!defect.breaks().is_empty() && defect.breaks().iter().all(is_law));
            }
            assert_eq!(Defect::named("no such defect"), None);
        }
    }
}
