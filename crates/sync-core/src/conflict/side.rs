//! What the sides of a conflict are made of.

use super::{Conflict, Resolution};
use crate::entity::{InvalidEntity, SyncEntity, entity_of, record_of};
use crate::record::Record;
use crate::version::ServerState;

/// What the sides of a conflict are: JSON records, or entities of the app's own type.
///
/// Every [`SyncEntity`] is one; it cannot be implemented for anything else.
pub trait ConflictSide: sealed::Sealed + Sized + Send + Sync {
    /// A record in this form.
    ///
    /// # Errors
    /// If it does not parse.
    #[doc(hidden)]
    fn of_record(record: &Record) -> Result<Self, InvalidEntity>;

    /// This as a record, with nothing that the type does not know.
    ///
    /// # Errors
    /// If it cannot be serialized.
    #[doc(hidden)]
    fn to_record(&self) -> Result<Record, InvalidEntity>;

    /// What is to be sent if this is what a conflict was merged to.
    ///
    /// # Errors
    /// If it cannot be serialized, or the type has no usable schema.
    #[doc(hidden)]
    fn merged(&self, conflict: &Conflict) -> Result<Record, InvalidEntity>;
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for crate::record::Record {}
    impl<T: crate::entity::SyncEntity> Sealed for T {}
}

impl ConflictSide for Record {
    fn of_record(record: &Record) -> Result<Self, InvalidEntity> {
        Ok(record.clone())
    }

    fn to_record(&self) -> Result<Record, InvalidEntity> {
        Ok(self.clone())
    }

    fn merged(&self, _: &Conflict) -> Result<Record, InvalidEntity> {
        Ok(self.clone())
    }
}

impl<T: SyncEntity> ConflictSide for T {
    fn of_record(record: &Record) -> Result<Self, InvalidEntity> {
        entity_of(record.clone())
    }

    fn to_record(&self) -> Result<Record, InvalidEntity> {
        record_of(self)
    }

    /// Over what else the record has: fields that the type does not know stay.
    fn merged(&self, conflict: &Conflict) -> Result<Record, InvalidEntity> {
        let schema = T::schema()?;
        let known = conflict.server_record().or(conflict.local.as_ref());
        let mut merged = known.cloned().unwrap_or_default();
        for (name, value) in record_of(self)?.into_fields() {
            let column = schema.by_field(&name);
            if !column.is_some_and(|column| column.local_only) {
                merged.fields_mut().insert(name, value);
            }
        }
        Ok(merged)
    }
}

impl<R> Conflict<R> {
    /// The same conflict with other sides. Of a tombstone that has no such form only the version is
    /// left.
    pub(super) fn try_map<S>(
        &self,
        form: impl Fn(&R) -> Result<S, InvalidEntity>,
    ) -> Result<Conflict<S>, InvalidEntity> {
        let state = |state: &ServerState<R>| -> Result<ServerState<S>, InvalidEntity> {
            Ok(match state {
                ServerState::Absent => ServerState::Absent,
                ServerState::Live { record, version } => ServerState::Live {
                    record: form(record)?,
                    version: version.clone(),
                },
                ServerState::Deleted { record, version } => ServerState::Deleted {
                    record: record.as_ref().and_then(|record| form(record).ok()),
                    version: version.clone(),
                },
            })
        };
        Ok(Conflict {
            kind: self.kind.clone(),
            entity_id: self.entity_id.clone(),
            op_id: self.op_id.clone(),
            local: self.local.as_ref().map(&form).transpose()?,
            server: state(&self.server)?,
            base: state(&self.base)?,
            changed_fields: self.changed_fields.clone(),
            local_time: self.local_time.clone(),
            server_time: self.server_time.clone(),
        })
    }
}

impl<R: ConflictSide> Conflict<R> {
    /// Is this conflict, seen in this form, what was shown?
    pub(crate) fn is_still(&self, now: &Conflict) -> bool {
        let now = now.try_map(R::of_record);
        let now = now.and_then(|now| now.try_map(R::to_record));
        matches!((self.try_map(R::to_record), now), (Ok(shown), Ok(now)) if shown == now)
    }
}

impl<R: ConflictSide> Resolution<R> {
    /// The same decision with JSON records.
    pub(crate) fn of_records(&self, conflict: &Conflict) -> Result<Resolution, InvalidEntity> {
        Ok(match self {
            Self::AcceptServer => Resolution::AcceptServer,
            Self::AcceptClient => Resolution::AcceptClient,
            Self::AcceptMerged(merged) => Resolution::AcceptMerged(merged.merged(conflict)?),
            Self::Defer => Resolution::Defer,
            Self::Discard => Resolution::Discard,
        })
    }
}
