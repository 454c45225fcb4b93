//! Settling a field by its own rule.

use serde_json::{Number, Value};

use super::value::{Base, Merged, merge_value};
use crate::field_merge::FieldMerge;
use crate::time::Timestamp;

impl FieldMerge {
    /// One value of two that both sides changed; `None` = as [`FieldMerge::Auto`].
    pub(super) fn settle(
        self,
        local: &Value,
        server: Option<&Value>,
        base: Base<'_>,
    ) -> Option<Merged> {
        match self {
            Self::Auto => None,
            Self::Local => Some(Merged::contested(Some(local))),
            Self::Server => Some(Merged::contested(Some(server.unwrap_or(&Value::Null)))),
            Self::Max => greater(local, server?).map(|local_is| {
                let local_is = if planted!(GreatestLost) {
                    !local_is
                } else {
                    local_is
                };
                pick(local_is, local, server)
            }),
            Self::Min => greater(local, server?).map(|local_is| pick(!local_is, local, server)),
            Self::SumDelta => sum_delta(local, server, base).map(Merged::of),
            Self::Union => match (local, server?) {
                (Value::Array(_), Value::Array(_)) | (Value::Object(_), Value::Object(_)) => {
                    Some(merge_value(Some(local), server, Base::Unknown, 0))
                }
                _ => None,
            },
        }
    }
}

fn pick(local: bool, mine: &Value, theirs: Option<&Value>) -> Merged {
    Merged::taken(if local { Some(mine) } else { theirs })
}

/// Is local the greater one? `None`: they cannot be compared.
fn greater(local: &Value, server: &Value) -> Option<bool> {
    match (local, server) {
        (Value::Number(local), Value::Number(server)) => match (exact(local), exact(server)) {
            (Some(local), Some(server)) => Some(local > server),
            _ => Some(local.as_f64()? > server.as_f64()?),
        },
        (Value::String(mine), Value::String(theirs)) => {
            match (Timestamp::from_json(local), Timestamp::from_json(server)) {
                (Ok(local), Ok(server)) => Some(local > server),
                _ => Some(mine > theirs),
            }
        }
        _ => None,
    }
}

/// Who clears the value adds nothing to it: that is no sum.
fn sum_delta(local: &Value, server: Option<&Value>, base: Base<'_>) -> Option<Value> {
    let zero = Number::from(0);
    let base = match base {
        Base::Known(None | Some(Value::Null)) => &zero,
        Base::Known(Some(Value::Number(base))) => base,
        Base::Known(Some(_)) | Base::Unknown => return None,
    };
    let (Value::Number(local), Value::Number(server)) = (local, server?) else {
        return None;
    };
    if let (Some(local), Some(server), Some(base)) = (exact(local), exact(server), exact(base)) {
        let sum = i64::try_from(server + (local - base)).ok()?;
        return Some(sum.into());
    }
    let sum = server.as_f64()? + (local.as_f64()? - base.as_f64()?);
    Number::from_f64(sum).map(Value::Number)
}

fn exact(number: &Number) -> Option<i128> {
    let unsigned = || number.as_u64().map(i128::from);
    number.as_i64().map(i128::from).or_else(unsigned)
}
