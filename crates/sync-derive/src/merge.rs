//! What `merge = "…"` says.

use darling::Error;
use proc_macro2::{Ident, Span};
use syn::LitStr;

use crate::types::ColumnType;

/// A variant of `sync_core::FieldMerge`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MergeRule {
    Local,
    Server,
    Max,
    Min,
    SumDelta,
    Union,
}

const RULES: [(MergeRule, &str, &str); 6] = [
    (MergeRule::Local, "local", "Local"),
    (MergeRule::Server, "server", "Server"),
    (MergeRule::Max, "max", "Max"),
    (MergeRule::Min, "min", "Min"),
    (MergeRule::SumDelta, "sum_delta", "SumDelta"),
    (MergeRule::Union, "union", "Union"),
];

impl MergeRule {
    /// The rule that the user named, if values of this column can be settled by it.
    pub(crate) fn read(text: &LitStr, ty: Option<ColumnType>) -> darling::Result<Self> {
        let name = text.value();
        let Some((rule, ..)) = RULES.into_iter().find(|(_, known, _)| *known == name) else {
            let known = RULES.map(|(_, known, _)| format!("`{known}`")).join(", ");
            return Err(
                Error::custom(format!("unknown merge rule `{name}`: use one of {known}"))
                    .with_span(text),
            );
        };
        match ty.and_then(|ty| rule.objection(ty)) {
            None => Ok(rule),
            Some(objection) => Err(Error::custom(objection).with_span(text)),
        }
    }

    pub(crate) fn name(self) -> &'static str {
        self.row().1
    }

    pub(crate) fn variant(self) -> Ident {
        Ident::new(self.row().2, Span::call_site())
    }

    fn row(self) -> (Self, &'static str, &'static str) {
        let row = RULES.into_iter().find(|(rule, ..)| *rule == self);
        row.unwrap_or(RULES[0])
    }

    /// The rule of `sync_core::Column::merge`.
    fn objection(self, ty: ColumnType) -> Option<&'static str> {
        use ColumnType::{Blob, Boolean, Integer, Json, Real};
        match self {
            Self::SumDelta if !matches!(ty, Integer | Real) => {
                Some("`sum_delta` adds numbers: use an integer or a float, or another rule")
            }
            Self::Max | Self::Min if matches!(ty, Json | Blob | Boolean) => Some(
                "`max` and `min` compare numbers, texts or points in time: use such a type, or \
                 another rule",
            ),
            Self::Union if ty != Json => {
                Some("`union` joins lists or objects: use such a type, or another rule")
            }
            _ => None,
        }
    }
}
