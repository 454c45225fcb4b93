//! What the user was told to be written, and what became of it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde_json::{Map, Value};

use super::file::{File, Key};
use crate::line::{Act, Line};
use crate::tables::{LABELS, NOTES, TALLIES, mark};

/// Something that must not be, and which invariant it breaks.
#[derive(Debug, Clone)]
pub(crate) struct Violation {
    pub(crate) law: &'static str,
    pub(crate) what: String,
}

impl Violation {
    pub(crate) fn new(law: &'static str, what: impl Into<String>) -> Self {
        let what = what.into();
        Self { law, what }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.law, self.what)
    }
}

/// What became of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fate {
    OnServer,
    /// The user wrote the same value again before it was sent, or after it was refused.
    Replaced,
    Pending,
    Stuck,
    /// The table's strategy took it, and an event said so.
    Decided,
    /// The same, but the process died between the commit and the event.
    DecidedUnheard,
    /// Its user gave it up by name.
    Discarded,
    /// Its user deleted the record.
    Deleted,
}

impl Fate {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::OnServer => "on the server",
            Self::Replaced => "written over by their user",
            Self::Pending => "pending",
            Self::Stuck => "stuck",
            Self::Decided => "decided by a strategy, with an event",
            Self::DecidedUnheard => "decided, killed before the event was heard",
            Self::Discarded => "discarded by name",
            Self::Deleted => "deleted with their record by their user",
        }
    }
}

/// What is known of one record.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    /// The writes that took place, by number.
    pub(crate) writes: Vec<u64>,
    pub(crate) is_deleted: bool,
    /// Everything up to this write was given up.
    given_up: Option<u64>,
    /// An event said that everything up to this write gave way.
    decided: Option<u64>,
    /// The writes whose value the server took.
    pub(crate) accepted: BTreeSet<u64>,
}

#[derive(Debug)]
struct Begun {
    number: u64,
    act: Act,
    key: Key,
}

impl Begun {
    /// Is it in its row, and is it in the outbox?
    fn places(&self, file: &File) -> (bool, bool) {
        let (row, ops) = (file.live(&self.key), file.ops_of(&self.key));
        if self.act == Act::Delete {
            let is_gone = row.is_none();
            let is_queued = ops.iter().any(|op| op.payload.is_none());
            // A record that nobody else knows leaves no operation behind.
            return (is_gone, is_queued || is_gone && ops.is_empty());
        }
        if self.key.0 == TALLIES {
            // It is written only where nothing waits; a sum does not say what it is made of.
            return (!ops.is_empty(), !ops.is_empty());
        }
        let mut payloads = ops.iter().filter_map(|op| op.payload.as_ref()?.as_object());
        (
            row.is_some_and(|row| self.is_in(&row.fields)),
            payloads.any(|payload| self.is_in(payload)),
        )
    }

    /// Does a record bear the mark of this write?
    fn is_in(&self, fields: &Map<String, Value>) -> bool {
        let mark = mark(self.number);
        if self.key.0 == NOTES {
            fields
                .get("tokens")
                .is_some_and(|list| contains(list, &mark))
        } else {
            fields.get("text").is_some_and(|text| *text == mark)
        }
    }
}

/// All writes.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    pub(crate) records: BTreeMap<Key, Kept>,
    begun: Option<Begun>,
    /// The number of the next write.
    pub(crate) next: u64,
    pub(crate) acknowledged: u64,
    /// Killed before the acknowledgement, and found written, or found not written.
    pub(crate) written_unheard: u64,
    pub(crate) not_written: u64,
}

impl Ledger {
    pub(crate) fn hear(&mut self, line: &Line) {
        match line {
            Line::Phase(_) => {}
            Line::Begins {
                number,
                act,
                kind,
                id,
            } => {
                self.next = number + 1;
                self.begun = Some(Begun {
                    number: *number,
                    act: *act,
                    key: (kind.clone(), id.clone()),
                });
            }
            Line::Done(_) => {
                if let Some(begun) = self.begun.take() {
                    self.acknowledged += 1;
                    self.took_place(begun);
                }
            }
            Line::Skipped(_) => self.begun = None,
            Line::Decided { kind, id } => {
                let kept = self.records.entry((kind.clone(), id.clone())).or_default();
                kept.decided = kept.writes.last().copied().or(kept.decided);
            }
        }
    }

    fn took_place(&mut self, begun: Begun) {
        let kept = self.records.entry(begun.key).or_default();
        match begun.act {
            Act::Write => kept.writes.push(begun.number),
            Act::Delete => kept.is_deleted = true,
            Act::Discard => kept.given_up = Some(begun.number),
        }
    }

    /// The process was killed: of the write under way everything is there or nothing.
    pub(crate) fn killed(&mut self, file: &File) -> Option<Violation> {
        let begun = self.begun.take()?;
        if begun.act == Act::Discard {
            // Perhaps it was done; what it would have taken is excused either way.
            self.took_place(begun);
            return None;
        }
        let (in_row, in_queue) = begun.places(file);
        if in_row != in_queue {
            let what = format!("{begun:?}: in the row {in_row}, in the outbox {in_queue}");
            return Some(Violation::new("I1", what));
        }
        if in_row {
            self.written_unheard += 1;
            self.took_place(begun);
        } else {
            self.not_written += 1;
        }
        None
    }

    /// What became of a write; `None` = it is lost.
    pub(crate) fn fate(
        &self,
        key: &Key,
        number: u64,
        file: &File,
        server: Option<&Value>,
        touched: &BTreeSet<Key>,
    ) -> Option<Fate> {
        let kept = self.records.get(key)?;
        let queued = || {
            let op = file.ops_of(key).iter().find(|op| {
                let bears = |payload: &Value| match key.0.as_str() {
                    NOTES => contains(&payload["tokens"], &mark(number)),
                    TALLIES => kept.writes.last() == Some(&number),
                    _ => payload["text"] == mark(number).as_str(),
                };
                op.payload.as_ref().is_some_and(bears)
            });
            op.map(|op| {
                if op.is_stuck {
                    Fate::Stuck
                } else {
                    Fate::Pending
                }
            })
        };
        if kept.is_deleted {
            return Some(Fate::Deleted);
        }
        if key.0 == NOTES {
            let is_there = server.is_some_and(|note| contains(&note["tokens"], &mark(number)));
            return is_there.then_some(Fate::OnServer).or_else(queued);
        }
        if key.0 == TALLIES {
            // Whether the sum is right shows when all is at rest.
            return Some(queued().unwrap_or(Fate::OnServer));
        }
        if kept.accepted.contains(&number) {
            return Some(Fate::OnServer);
        }
        if let Some(fate) = queued() {
            return Some(fate);
        }
        if kept.given_up.is_some_and(|last| number < last) {
            return Some(Fate::Discarded);
        }
        if kept.writes.last() != Some(&number) {
            return Some(Fate::Replaced);
        }
        if key.0 != LABELS {
            return None;
        }
        if kept.decided.is_some_and(|last| number <= last) {
            return Some(Fate::Decided);
        }
        touched.contains(key).then_some(Fate::DecidedUnheard)
    }
}

/// Has a list this element?
pub(crate) fn contains(list: &Value, element: &str) -> bool {
    let mut elements = list.as_array().into_iter().flatten();
    elements.any(|other| other == element)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::parent::file::{Queued, Row};
    use crate::tables::{FLAGS, record};

    fn begun() -> Ledger {
        let mut ledger = Ledger::default();
        ledger.hear(&Line::Begins {
            number: 7,
            act: Act::Write,
            kind: FLAGS.to_owned(),
            id: "a".to_owned(),
        });
        ledger
    }

    fn file(in_row: bool, in_queue: bool) -> File {
        let key = || (FLAGS.to_owned(), "a".to_owned());
        let mut file = File::default();
        if in_row {
            let fields = Map::from_iter([("text".to_owned(), json!("w7"))]);
            let is_deleted = false;
            file.rows.insert(key(), Row { fields, is_deleted });
        }
        if in_queue {
            let payload = Some(record("a", "w7", &[]));
            let is_stuck = false;
            file.ops.insert(key(), vec![Queued { payload, is_stuck }]);
        }
        file
    }

    #[test]
    fn a_write_that_was_killed_is_there_whole_or_not_at_all() {
        for (in_row, in_queue) in [(true, false), (false, true)] {
            let violation = begun().killed(&file(in_row, in_queue));
            assert_eq!(violation.map(|violation| violation.law), Some("I1"));
        }
        for whole in [true, false] {
            assert!(begun().killed(&file(whole, whole)).is_none());
        }
    }

    #[test]
    fn a_deletion_that_was_killed_is_there_whole_or_not_at_all() {
        let deleting = || {
            let mut ledger = begun();
            ledger.begun = ledger.begun.map(|begun| Begun {
                act: Act::Delete,
                ..begun
            });
            ledger
        };
        let gone = |is_queued: bool| {
            let mut file = file(false, is_queued);
            let ops = file.ops.values_mut().flatten();
            ops.for_each(|op| op.payload = None);
            file
        };
        // Nobody else knew the record: nothing is left of it.
        assert!(deleting().killed(&gone(false)).is_none());
        assert!(deleting().killed(&gone(true)).is_none());
        assert!(deleting().killed(&file(true, true)).is_none());
        let violation = deleting().killed(&file(false, true));
        assert_eq!(violation.map(|violation| violation.law), Some("I1"));
    }

    #[test]
    fn an_acknowledged_write_that_is_nowhere_is_lost() {
        let key = (FLAGS.to_owned(), "a".to_owned());
        let mut ledger = begun();
        ledger.hear(&Line::Done(7));
        let fate = |file: &File| ledger.fate(&key, 7, file, None, &BTreeSet::new());
        assert_eq!(fate(&file(true, true)), Some(Fate::Pending));
        assert_eq!(fate(&file(true, false)), None);
    }
}
