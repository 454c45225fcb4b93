//! What the sides of a conflict are made of.

use std::fmt;
use std::sync::Arc;

use super::{Conflict, Resolution};
use crate::entity::{InvalidEntity, SyncEntity, entity_of, over, record_of};
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

    /// What is to be sent if this is what a conflict was merged to, of which this side's form of
    /// [`Conflict::newest`] is the baseline.
    ///
    /// # Errors
    /// If it cannot be serialized, or the type has no usable schema.
    #[doc(hidden)]
    fn merged(
        &self,
        conflict: &Conflict,
        baseline: Option<&Record>,
    ) -> Result<Record, InvalidEntity>;
}

/// The conflict with JSON records that a typed one was made of. It says whether the sides are still
/// those: a type need not write the same record twice in the same way, as one with a `HashSet`. It
/// is no part of what a conflict says, so all are equal.
#[derive(Clone, Default)]
pub(crate) struct Source(Option<Arc<Conflict>>);

impl Source {
    pub(super) fn new(conflict: &Conflict) -> Self {
        Self(Some(Arc::new(conflict.clone())))
    }
}

impl PartialEq for Source {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("..")
    }
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

    fn merged(&self, _: &Conflict, _: Option<&Record>) -> Result<Record, InvalidEntity> {
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

    /// Over what else the record has: what the type does not know stays.
    fn merged(
        &self,
        conflict: &Conflict,
        baseline: Option<&Record>,
    ) -> Result<Record, InvalidEntity> {
        let schema = T::schema()?;
        let is_shared = |name: &str| {
            !schema
                .by_field(name)
                .is_some_and(|column| column.local_only)
        };
        let mut entity = record_of(self)?;
        entity.fields_mut().retain(|name, _| is_shared(name));
        let Some(newest) = conflict.newest() else {
            return Ok(entity);
        };
        let laid = baseline.and_then(|baseline| {
            let mut baseline = baseline.clone();
            baseline.fields_mut().retain(|name, _| is_shared(name));
            over::<T>(newest, &baseline, entity.clone())
        });
        Ok(laid.map_or_else(
            || {
                let mut whole = newest.clone();
                whole.fields_mut().extend(entity.into_fields());
                whole
            },
            |(merged, _)| merged,
        ))
    }
}

impl<R> Conflict<R> {
    /// What a merged record is laid over: the server's, or of a deleted one the local edit.
    fn newest(&self) -> Option<&R> {
        self.server_record().or(self.local.as_ref())
    }

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
            source: self.source.clone(),
        })
    }
}

impl<R: ConflictSide> Conflict<R> {
    /// What the newest record looks like in this form, to find what a decision changes in it. It is
    /// made of what is shown, for a type without an order shows another one each time.
    pub(crate) fn baseline(&self) -> Option<Record> {
        self.newest()?.to_record().ok()
    }

    /// Is this conflict, seen in this form, what was shown?
    pub(crate) fn is_still(&self, now: &Conflict) -> bool {
        if let Some(source) = &self.source.0 {
            return **source == *now;
        }
        let now = now.try_map(R::of_record);
        let now = now.and_then(|now| now.try_map(R::to_record));
        matches!((self.try_map(R::to_record), now), (Ok(shown), Ok(now)) if shown == now)
    }
}

impl<R: ConflictSide> Resolution<R> {
    /// The same decision with JSON records.
    pub(crate) fn of_records(
        &self,
        conflict: &Conflict,
        baseline: Option<&Record>,
    ) -> Result<Resolution, InvalidEntity> {
        Ok(match self {
            Self::AcceptServer => Resolution::AcceptServer,
            Self::AcceptClient => Resolution::AcceptClient,
            Self::AcceptMerged(merged) => {
                Resolution::AcceptMerged(merged.merged(conflict, baseline)?)
            }
            Self::Defer => Resolution::Defer,
            Self::Discard => Resolution::Discard,
        })
    }
}
