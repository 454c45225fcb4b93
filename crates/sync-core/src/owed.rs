//! Kinds that must be pulled from zero before anything of them is sent: what the table no longer
//! holds of their records is known to the server alone (semantics 7).

use crate::id::Kind;
use crate::store::{StoreError, StoreTx};

/// How far a pull that is owed has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Owed {
    /// It has not begun.
    Due,
    /// It has begun, and its chain of pages has not ended.
    Begun,
}

impl Owed {
    const DUE: &str = "due";
    const BEGUN: &str = "begun";
}

fn note(kind: &Kind) -> String {
    format!("resync_owed:{kind}")
}

/// Does this kind owe a pull from zero?
pub(crate) async fn of(tx: &mut dyn StoreTx, kind: &Kind) -> Result<Option<Owed>, StoreError> {
    let noted = tx.meta(&note(kind)).await?;
    Ok(noted.map(|noted| {
        if noted == Owed::BEGUN {
            Owed::Begun
        } else {
            Owed::Due
        }
    }))
}

/// Notes how far it has come; `None` = it is done.
pub(crate) async fn put(
    tx: &mut dyn StoreTx,
    kind: &Kind,
    owed: Option<Owed>,
) -> Result<(), StoreError> {
    let text = owed.map(|owed| match owed {
        Owed::Due => Owed::DUE,
        Owed::Begun => Owed::BEGUN,
    });
    tx.put_meta(&note(kind), text).await
}
