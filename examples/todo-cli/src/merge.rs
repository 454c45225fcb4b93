//! The three sides of a conflict, field by field.

use std::sync::Arc;

use sync_core::{Conflict, ConflictResolver, Resolution, resolve_typed};

use crate::arguments::{Side, due};
use crate::todo::Todo;

/// The fields that a person may have to decide about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Field {
    Title,
    Done,
    Notes,
    Due,
}

impl Field {
    pub(crate) const ALL: [Self; 4] = [Self::Title, Self::Done, Self::Notes, Self::Due];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Title => "title",
            Self::Done => "done",
            Self::Notes => "notes",
            Self::Due => "due",
        }
    }

    /// What it says, for people; empty = nothing.
    pub(crate) fn text(self, todo: &Todo) -> String {
        match self {
            Self::Title => todo.title.clone(),
            Self::Done => if todo.done { "yes" } else { "no" }.to_owned(),
            Self::Notes => todo.notes.clone().unwrap_or_default(),
            Self::Due => todo.due.clone().unwrap_or_default(),
        }
    }

    /// Makes it say what a person typed.
    pub(crate) fn set(self, todo: &mut Todo, text: &str) -> Result<(), String> {
        match self {
            Self::Title if text.trim().is_empty() => return Err("a to-do needs a title".to_owned()),
            Self::Title => todo.title = text.trim().to_owned(),
            Self::Done => {
                todo.done = match text {
                    "yes" => true,
                    "no" => false,
                    _ => return Err("yes or no".to_owned()),
                }
            }
            Self::Notes => todo.notes = Some(text.to_owned()).filter(|text| !text.is_empty()),
            Self::Due => todo.due = Some(due(text)?).filter(|text| !text.is_empty()),
        }
        Ok(())
    }

    fn copy(self, from: &Todo, to: &mut Todo) {
        match self {
            Self::Title => to.title.clone_from(&from.title),
            Self::Done => to.done = from.done,
            Self::Notes => to.notes.clone_from(&from.notes),
            Self::Due => to.due.clone_from(&from.due),
        }
    }

    fn same(self, one: &Todo, other: &Todo) -> bool {
        self.text(one) == self.text(other)
    }
}

/// A to-do that is there on both sides.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sides<'t> {
    /// Before either edit; `None` = both sides created it.
    pub(crate) base: Option<&'t Todo>,
    pub(crate) here: &'t Todo,
    pub(crate) server: &'t Todo,
}

impl<'t> Sides<'t> {
    /// `None`: it is not there on one of both sides.
    pub(crate) fn of(conflict: &'t Conflict<Todo>) -> Option<Self> {
        Some(Self {
            base: conflict.base_record(),
            here: conflict.local.as_ref()?,
            server: conflict.server_record()?,
        })
    }

    /// The side that alone changed a field; of equal values the server's. `None` = both changed it.
    pub(crate) fn decided(&self, field: Field) -> Option<Side> {
        let unchanged = |side| self.base.is_some_and(|base| field.same(base, side));
        if field.same(self.here, self.server) || unchanged(self.here) {
            Some(Side::Server)
        } else {
            unchanged(self.server).then_some(Side::Here)
        }
    }

    /// The server's to-do with what was changed here alone, and the fields that are left to decide.
    pub(crate) fn merged(&self) -> (Todo, Vec<Field>) {
        let mut merged = self.server.clone();
        let mut open = Vec::new();
        for field in Field::ALL {
            match self.decided(field) {
                Some(side) => self.take(field, side, &mut merged),
                None => open.push(field),
            }
        }
        (merged, open)
    }

    pub(crate) fn take(&self, field: Field, side: Side, merged: &mut Todo) {
        let from = match side {
            Side::Here => self.here,
            Side::Server => self.server,
        };
        field.copy(from, merged);
    }
}

/// Decides during a sync what needs nobody's opinion.
pub(crate) fn resolver() -> Arc<dyn ConflictResolver> {
    resolve_typed(|conflict: Conflict<Todo>| async move {
        Ok(match Sides::of(&conflict).map(|sides| sides.merged()) {
            Some((merged, open)) if open.is_empty() => Resolution::AcceptMerged(merged),
            _ => Resolution::Defer,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn milk(title: &str, notes: Option<&str>) -> Todo {
        Todo {
            id: "milk".into(),
            title: title.into(),
            done: false,
            notes: notes.map(str::to_owned),
            due: None,
        }
    }

    #[test]
    fn a_field_is_decided_unless_both_sides_changed_it_differently() {
        let base = milk("Milk", None);
        let here = milk("Oat milk", Some("two"));
        let mut server = milk("Rice milk", None);
        server.done = true;
        let sides = Sides {
            base: Some(&base),
            here: &here,
            server: &server,
        };
        let (merged, open) = sides.merged();
        assert_eq!(open, [Field::Title]);
        assert_eq!((merged.notes.as_deref(), merged.done), (Some("two"), true));
        let sides = Sides {
            base: None,
            ..sides
        };
        assert_eq!(sides.merged().1, [Field::Title, Field::Done, Field::Notes]);
    }

    #[test]
    fn what_a_person_types_is_checked() {
        let mut todo = milk("Milk", Some("two"));
        assert!(Field::Title.set(&mut todo, " ").is_err());
        assert!(Field::Due.set(&mut todo, "soon").is_err());
        assert!(Field::Done.set(&mut todo, "perhaps").is_err());
        assert_eq!(todo, milk("Milk", Some("two")));
        assert_eq!(Field::Notes.set(&mut todo, ""), Ok(()));
        assert_eq!(todo, milk("Milk", None));
    }
}
