//! What the process tells its parent, one line each, through its standard output.

use std::fmt;

use crate::phase::Phase;

/// What a user does to a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Act {
    /// Writes a value that bears the number of the write, creating the record if need be.
    Write,
    Delete,
    /// Gives up everything that waits for the record.
    Discard,
}

/// One thing that the process tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Line {
    /// What it does from now on.
    Phase(Phase),
    /// A write begins.
    Begins {
        number: u64,
        act: Act,
        kind: String,
        id: String,
    },
    /// The write returned: it is acknowledged.
    Done(u64),
    /// The write found nothing to do.
    Skipped(u64),
    /// A conflict of this record was decided for the server's side.
    Decided { kind: String, id: String },
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Phase(phase) => write!(f, "phase {phase}"),
            Self::Begins {
                number,
                act,
                kind,
                id,
            } => {
                let act = match act {
                    Act::Write => "writes",
                    Act::Delete => "deletes",
                    Act::Discard => "discards",
                };
                write!(f, "{act} {number} {kind} {id}")
            }
            Self::Done(number) => write!(f, "done {number}"),
            Self::Skipped(number) => write!(f, "skipped {number}"),
            Self::Decided { kind, id } => write!(f, "decided {kind} {id}"),
        }
    }
}

impl Line {
    /// Reads a whole line; `None` for one that nobody tells.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let words: Vec<&str> = text.split(' ').collect();
        let begins = |act, number: &str, kind: &str, id: &str| {
            Some(Self::Begins {
                number: number.parse().ok()?,
                act,
                kind: kind.to_owned(),
                id: id.to_owned(),
            })
        };
        match words[..] {
            ["phase", name] => Phase::named(name).map(Self::Phase),
            ["writes", number, kind, id] => begins(Act::Write, number, kind, id),
            ["deletes", number, kind, id] => begins(Act::Delete, number, kind, id),
            ["discards", number, kind, id] => begins(Act::Discard, number, kind, id),
            ["done", number] => number.parse().ok().map(Self::Done),
            ["skipped", number] => number.parse().ok().map(Self::Skipped),
            ["decided", kind, id] => Some(Self::Decided {
                kind: kind.to_owned(),
                id: id.to_owned(),
            }),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_read_as_it_was_told() {
        let begins = |act| Line::Begins {
            number: 7,
            act,
            kind: "notes".to_owned(),
            id: "notes-1".to_owned(),
        };
        let mut lines = vec![
            begins(Act::Write),
            begins(Act::Delete),
            begins(Act::Discard),
            Line::Done(7),
            Line::Skipped(8),
            Line::Decided {
                kind: "labels".to_owned(),
                id: "labels-2".to_owned(),
            },
            Line::Phase(Phase::Between),
        ];
        lines.extend(Phase::AIMED_AT.map(Line::Phase));
        for line in lines {
            assert_eq!(Line::read(&line.to_string()), Some(line));
        }
    }

    #[test]
    fn a_line_that_nobody_tells_is_not_read() {
        for text in ["", "phase", "phase nowhere", "writes x notes n", "done"] {
            assert_eq!(Line::read(text), None, "{text:?}");
        }
    }
}
