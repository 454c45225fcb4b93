//! Several operations in one request.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sync_core::contents::Contents;

/// The body of `POST /batch`.
///
/// ```
/// # use sync_rest::wire::{BatchOpKind, BatchRequest, BatchResponse, BatchResult};
/// fn answer(request: BatchRequest) -> BatchResponse {
///     let mut response = BatchResponse::default();
///     for op in request.ops {
///         let result = match (op.op_kind, op.payload) {
///             (BatchOpKind::Upsert, Some(record)) => BatchResult {
///                 data: Some(record), // as it was stored, with its new stamp
///                 ..BatchResult::new(op.op_id, 200)
///             },
///             (BatchOpKind::Upsert, None) => BatchResult::new(op.op_id, 400),
///             (BatchOpKind::Delete, _) => BatchResult::new(op.op_id, 204),
///         };
///         response.results.push(result);
///     }
///     response
/// }
/// ```
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct BatchRequest {
    /// The operations, of different records.
    pub ops: Vec<BatchOp>,
}

/// Upsert or delete.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BatchOpKind {
    /// Create or update.
    Upsert,
    /// Delete.
    Delete,
}

/// One operation of a batch.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BatchOp {
    /// The idempotency key of this operation and round; the result bears it too.
    pub op_id: String,
    /// Type of the record.
    pub kind: String,
    /// Id of the record.
    pub id: String,
    /// What is to be done.
    #[serde(rename = "type")]
    pub op_kind: BatchOpKind,
    /// The record of an upsert.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload: Option<Value>,
    /// The verbatim stamp that the operation was made against.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_updated_at: Option<Value>,
    /// The record must not exist yet.
    #[serde(default, skip_serializing_if = "is_false")]
    pub if_absent: bool,
    /// The fields that the user changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changed_fields: Option<Vec<String>>,
    /// Overwrite whatever is there.
    #[serde(default, skip_serializing_if = "is_false")]
    pub force: bool,
}

/// Without contents.
impl fmt::Debug for BatchOp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BatchOp")
            .field("op_id", &self.op_id)
            .field("kind", &self.kind)
            .field("id", &self.id)
            .field("op_kind", &self.op_kind)
            .field("payload", &self.payload.as_ref().map(Contents))
            .field("base_updated_at", &self.base_updated_at)
            .field("if_absent", &self.if_absent)
            .field("changed_fields", &self.changed_fields)
            .field("force", &self.force)
            .finish()
    }
}

/// The answer to `POST /batch`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct BatchResponse {
    /// One result for each operation, in any order.
    pub results: Vec<BatchResult>,
}

/// What became of one operation of a batch.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BatchResult {
    /// [`BatchOp::op_id`].
    pub op_id: String,
    /// The status that the operation alone would have got.
    pub status_code: u16,
    /// The stored record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Value>,
    /// Information only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<Value>,
    /// The body that the operation alone would have got: a conflict body, a message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Value>,
}

/// Without contents.
impl fmt::Debug for BatchResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BatchResult")
            .field("op_id", &self.op_id)
            .field("status_code", &self.status_code)
            .field("data", &self.data.as_ref().map(Contents))
            .field("version", &self.version)
            .field("error", &self.error.as_ref().map(Contents))
            .finish()
    }
}

impl BatchResult {
    /// A result without a body.
    #[must_use]
    pub fn new(op_id: impl Into<String>, status_code: u16) -> Self {
        Self {
            op_id: op_id.into(),
            status_code,
            data: None,
            version: None,
            error: None,
        }
    }
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature that serde's skip_serializing_if asks for"
)]
fn is_false(flag: &bool) -> bool {
    !flag
}
