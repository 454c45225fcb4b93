//! Merging an edited record with a newer one of the server.
//!
//! All functions are pure: they look at two or three versions of one record and return a new one.
//!
//! | function | in a word | for |
//! |---|---|---|
//! | [`default_merge`] | local fields that are not null over the server's record | simple records |
//! | [`deep_merge`] | the same at every depth, nulls included | nested settings |
//! | [`preserving_merge`] | both sides keep what they changed, and the result says who lost | the default strategy |
//! | [`preserving_merge_with`] | the same, where single fields have rules of their own ([`FieldMerge`]) | counters, sets, maxima |
//!
//! # How `preserving_merge` decides
//!
//! The *base* is the record that both sides started from. With it, each value is judged by who changed it:
//!
//! | local | server | result | contested |
//! |---|---|---|---|
//! | as in the base | anything | server | no |
//! | changed | as in the base | local | no |
//! | changed | changed to the same | either | no |
//! | changed | changed to something else | objects and lists: looked into; else local | yes, if a side lost something |
//! | edited | removed (a key inside an object, an element of a list) | the edit stays, whoever made it | yes |
//!
//! Without a base nobody knows who changed what, so nothing is removed:
//!
//! | local | server | result | contested |
//! |---|---|---|---|
//! | absent or null | anything | server | no |
//! | a value | absent or null | local | no |
//! | a value | another value | objects and lists: looked into; else local | if a value of the server was covered |
//!
//! - **Fields.** System fields stay the server's ([`crate::system_fields`]). If a changed set is given, so do all fields outside it.
//!   At the top level an absent field means "not touched": to clear a field, set it to null. With a base that had a value, or with
//!   the field in the changed set, such a null clears; otherwise it keeps the server's value.
//! - **Objects** merge key by key. Two objects with different ids (the first of `id`, `ID`, `uuid`) are two things, and local
//!   replaces the server's as a whole.
//! - **Lists** merge element by element. Elements with an id are matched by it and merged; others are matched by equality, and count:
//!   a second equal element is an addition.
//!   - *With a base*: what either side added stays, what either side removed goes. The order is the server's; a local addition
//!     follows the element that it follows locally. Lists of numbers or of lists (points, matrices) mean something only as a whole:
//!     local's is taken.
//!   - *Without*: the server's list, then the local elements that it lacks.
//! - **Depth.** Values nested deeper than 128 levels are not looked into: if both sides changed them, local's is taken.
//!
//! Values are compared by the rules of [`crate::json`].

mod fields;
mod list;
mod overlay;
mod policy;
mod value;

use std::collections::BTreeSet;
use std::fmt;

pub use crate::field_merge::FieldMerge;
pub use fields::{preserving_merge, preserving_merge_with};
pub use overlay::{deep_merge, default_merge};

use crate::contents::Contents;
use crate::json::JsonMap;

/// What [`preserving_merge`] made of two records, and where each field came from.
///
/// The names are those of top-level fields; system fields are in none of the sets.
#[derive(Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct MergeResult {
    /// The merged record.
    pub data: JsonMap,
    /// Fields with something of local's that the server's record does not have.
    pub local_fields: BTreeSet<String>,
    /// Fields with the server's value or parts of it. A field that is in both sets was put together from both sides.
    pub server_fields: BTreeSet<String>,
    /// Fields in which a side lost something: the other one's value was kept.
    pub contested_fields: BTreeSet<String>,
}

impl fmt::Debug for MergeResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MergeResult")
            .field("data", &Contents(&self.data))
            .field("local_fields", &self.local_fields)
            .field("server_fields", &self.server_fields)
            .field("contested_fields", &self.contested_fields)
            .finish()
    }
}
