//! Both sides of a conflict as one entity, for whoever asks a person about the rest.

use std::collections::BTreeSet;

use super::Conflict;
use crate::entity::{InvalidEntity, SyncEntity, entity_of, record_of};
use crate::merge::preserving_merge_with;
use crate::record::Record;

/// Two sides merged field by field, from [`Conflict::merged`].
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct MergedEntity<T> {
    /// What only one side changed, and what the merge rules of the type make of the rest.
    pub entity: T,
    /// The fields, named as in JSON, in which a side lost something: where no rule says otherwise,
    /// the entity says what the user's side says there.
    pub contested_fields: BTreeSet<String>,
}

impl<T: SyncEntity> Conflict<T> {
    /// Merges both sides as [`crate::ConflictStrategy::AutoPreserve`] would, by the rules of the type
    /// (`#[sync(merge = "…")]`); `None`: on one side it is deleted, so there is nothing to merge.
    ///
    /// A decision does not merge by itself: [`crate::Resolution::AcceptMerged`] sends what it is
    /// given. So a screen begins with this, asks about the contested fields, and loses none of the
    /// others.
    ///
    /// ```
    /// # use sync_core::{Conflict, Resolution, SyncEntity};
    /// # #[derive(Clone, serde::Serialize, serde::Deserialize, SyncEntity)]
    /// # #[sync(kind = "items")]
    /// # struct Item { id: String, title: String, #[sync(merge = "sum_delta")] stock: i64 }
    /// # fn ask_for_a_title(_: &Conflict<Item>) -> String { String::new() }
    /// fn decide(conflict: &Conflict<Item>) -> Result<Resolution<Item>, Box<dyn std::error::Error>> {
    ///     let Some(mut merged) = conflict.merged()? else {
    ///         return Ok(Resolution::AcceptServer); // one side deleted it: ask, or have a rule
    ///     };
    ///     if merged.contested_fields.contains("title") {
    ///         merged.entity.title = ask_for_a_title(conflict);
    ///     }
    ///     Ok(Resolution::AcceptMerged(merged.entity)) // with the increments of both sides
    /// }
    /// ```
    ///
    /// # Errors
    /// If a side cannot be converted to JSON, or what they are merged to is none of the type.
    pub fn merged(&self) -> Result<Option<MergedEntity<T>>, InvalidEntity> {
        let (Some(local), Some(server)) = (&self.local, self.server_record()) else {
            return Ok(None);
        };
        let (local, server) = (record_of(local)?, record_of(server)?);
        let base = self.base_record().map(record_of).transpose()?;
        let schema = T::schema()?;
        let merged = preserving_merge_with(
            local.fields(),
            server.fields(),
            base.as_ref().map(Record::fields),
            self.changed_fields.as_ref(),
            |field| schema.merge_rule(field),
        );
        Ok(Some(MergedEntity {
            entity: entity_of(Record::new(merged.data))?,
            contested_fields: merged.contested_fields,
        }))
    }
}
