//! The life of an entity that has operations: pure decisions, without any I/O.
//!
//! [`Entity`] is loaded in one transaction, asked or told one thing, and saved in the same
//! transaction. Everything that the law says about operations is in these files: how writes fold
//! ([`write`]), what happens next ([`next`]), what an answer does ([`settle`]), how a conflict is
//! judged ([`judge`]), what a pulled record does ([`pulled`]), how what an older app left is lifted
//! ([`lift`]), and how an edit of another device joins ([`carried`]).

mod body;
mod carried;
mod complete;
mod content;
mod entity;
mod history;
mod judge;
mod lift;
mod merged;
mod next;
#[cfg(sync_planted)]
mod planted;
mod pulled;
mod restored;
mod row;
mod save;
mod settle;
mod verdict;
mod write;

pub(crate) use carried::Carried;
pub(crate) use content::{has_landed, same_content, strip_for_server};
pub(crate) use entity::{Entity, Refused, Rules};
pub(crate) use judge::{Flow, Found};
pub(crate) use lift::was_held_up;
pub(crate) use next::{Attempt, FetchWhy, Next};
pub(crate) use restored::{is_lost, with_stamp};
