//! placeholder replaced by the merge branch
use serde::{Deserialize, Serialize};
/// Names.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ChangedFields(std::collections::BTreeSet<String>);
