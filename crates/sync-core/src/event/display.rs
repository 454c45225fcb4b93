//! Events as lines of a log.

use std::fmt;

use super::SyncEvent;
use crate::contents::Contents;

impl fmt::Display for SyncEvent {
    /// One line without any content of records, fit for a log. What the server, a table or a
    /// resolver said may repeat contents, so it is left out: the event's fields have it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FullResyncStarted { kind, reason } => {
                write!(f, "FullResyncStarted({kind}, {reason:?})")
            }
            Self::SyncStarted { phase } => write!(f, "SyncStarted({phase:?})"),
            Self::SyncProgress {
                phase,
                done,
                total: Some(total),
            } => {
                write!(f, "SyncProgress({phase:?}, {done}/{total})")
            }
            Self::SyncProgress {
                phase,
                done,
                total: None,
            } => {
                write!(f, "SyncProgress({phase:?}, {done})")
            }
            Self::SyncCompleted { took, stats } => {
                write!(f, "SyncCompleted({} ms, {stats})", took.as_millis())
            }
            Self::SyncError {
                phase,
                kind: Some(kind),
                will_retry,
                ..
            } => write!(f, "SyncError({phase:?}, {kind}, retry: {will_retry})"),
            Self::SyncError {
                phase, will_retry, ..
            } => write!(f, "SyncError({phase:?}, retry: {will_retry})"),
            Self::SyncWaiting => f.write_str("SyncWaiting"),
            Self::AuthRequired => f.write_str("AuthRequired"),
            Self::ConflictDetected { conflict, strategy } => {
                write!(
                    f,
                    "ConflictDetected({}/{}, {strategy})",
                    conflict.kind, conflict.entity_id
                )
            }
            Self::ConflictResolved {
                conflict,
                resolution,
                ..
            } => {
                write!(
                    f,
                    "ConflictResolved({}/{}, {resolution})",
                    conflict.kind, conflict.entity_id
                )
            }
            Self::ConflictUnresolved { conflict, .. } => {
                write!(
                    f,
                    "ConflictUnresolved({}/{})",
                    conflict.kind, conflict.entity_id
                )
            }
            Self::DataMerged {
                kind,
                entity_id,
                local_fields,
                server_fields,
                ..
            } => write!(
                f,
                "DataMerged({kind}/{entity_id}, local: {}, server: {})",
                local_fields.join(" "),
                server_fields.join(" ")
            ),
            Self::PreconditionUnreliable { kind, entity_id } => {
                write!(f, "PreconditionUnreliable({kind}/{entity_id})")
            }
            Self::CacheUpdate {
                kind,
                upserts,
                deletes,
            } => {
                write!(
                    f,
                    "CacheUpdate({kind}, upserts: {upserts}, deletes: {deletes})"
                )
            }
            Self::OperationPushed {
                kind,
                entity_id,
                is_delete,
                ..
            } => {
                let what = if *is_delete { "delete" } else { "upsert" };
                write!(f, "OperationPushed({what} {kind}/{entity_id})")
            }
            Self::OperationFailed {
                kind,
                entity_id,
                will_retry,
                ..
            } => {
                write!(
                    f,
                    "OperationFailed({kind}/{entity_id}, retry: {will_retry})"
                )
            }
            Self::OperationsDiscarded {
                kind,
                entity_id,
                op_ids,
            } => {
                write!(
                    f,
                    "OperationsDiscarded({kind}/{entity_id}, {} operations)",
                    op_ids.len()
                )
            }
            Self::PullPageProcessed {
                kind,
                page_size,
                total_done,
            } => {
                write!(
                    f,
                    "PullPageProcessed({kind}, {page_size} rows, {total_done} in all)"
                )
            }
            Self::PushBatchProcessed {
                batch_size,
                success_count,
                error_count,
                conflict_count,
            } => {
                write!(
                    f,
                    "PushBatchProcessed({batch_size}: {success_count} taken, {error_count} failed, {conflict_count} in conflict)"
                )
            }
            Self::RowQuarantined { kind, key, .. } => write!(f, "RowQuarantined({kind}/{key})"),
            Self::StoreCopied { operations } => {
                write!(f, "StoreCopied({operations} operations)")
            }
            Self::SweepHeld {
                kind,
                candidates,
                of,
            } => {
                write!(f, "SweepHeld({kind}, {candidates} of {of} rows)")
            }
            Self::ServerRestored { before, now } => write!(f, "ServerRestored({before} -> {now})"),
            Self::Lagged(missed) => write!(f, "Lagged({missed})"),
        }
    }
}

/// As `Display`; what was said only where [contents are shown](crate::contents).
impl fmt::Debug for SyncEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)?;
        let said = match self {
            Self::SyncError { error, .. } | Self::OperationFailed { error, .. } => error,
            Self::ConflictUnresolved { reason, .. } | Self::RowQuarantined { reason, .. } => reason,
            _ => return Ok(()),
        };
        write!(f, ": {:?}", Contents(said))
    }
}
