//! Typed identifiers: nothing in this library confuses an entity with an operation.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::contents::shortened;

/// Servers take addresses of a few thousand bytes, and encoding may triple an id.
const LONGEST_ENTITY_ID: usize = 2048;

/// Why a text cannot be an identifier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidId {
    /// The kind is not usable in a URL or in a table of the library.
    #[error(
        "kind {0:?} is not url-safe: use letters, digits, `-`, `_`, `.` or `~`, at least one and not only dots"
    )]
    Kind(String),
    /// The entity id is empty, or could not be addressed by a URL.
    #[error(
        "entity id {0:?} is not usable: it must not be empty, `.`, `..`, contain a NUL character or have more than 2048 bytes"
    )]
    Entity(String),
    /// The operation id is empty.
    #[error("operation id must not be empty")]
    Op,
}

macro_rules! text_id {
    ($name:ident, $what:literal) => {
        impl $name {
            #[doc = concat!("The ", $what, " as text.")]
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", &*self.0)
            }
        }
        impl TryFrom<String> for $name {
            type Error = InvalidId;
            fn try_from(text: String) -> Result<Self, InvalidId> {
                Self::new(text)
            }
        }
        impl TryFrom<&str> for $name {
            type Error = InvalidId;
            fn try_from(text: &str) -> Result<Self, InvalidId> {
                Self::new(text)
            }
        }
        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0.as_ref().to_owned()
            }
        }
        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }
    };
}

/// The type of an entity on the server, for example `daily_feeling`: unique, url-safe.
///
/// ```
/// # use sync_core::Kind;
/// assert!(Kind::new("todos").is_ok());
/// assert!(Kind::new(" todos").is_err());
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Kind(Arc<str>);

impl Kind {
    /// Checks the text and makes it a kind.
    ///
    /// # Errors
    /// [`InvalidId::Kind`] unless it consists of letters, digits, `-`, `_`, `.` and `~`.
    pub fn new(text: impl AsRef<str>) -> Result<Self, InvalidId> {
        let text = text.as_ref();
        let safe = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '~');
        if text.chars().all(|c| c == '.') || !text.chars().all(safe) {
            return Err(InvalidId::Kind(shortened(text)));
        }
        Ok(Self(text.into()))
    }
}
text_id!(Kind, "kind");

/// The identity of one entity: non-empty text, made by the client.
///
/// [`EntityId::generate`] makes a UUIDv7, whose order of creation keeps database indexes fast.
///
/// ```
/// # use sync_core::EntityId;
/// let fresh = EntityId::generate(); // a UUID that sorts by time
/// assert!(fresh.is_uuid());
/// assert!(EntityId::new("milk").is_ok());
/// assert!(EntityId::new("").is_err());
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EntityId(Arc<str>);

impl EntityId {
    /// Checks the text and makes it an entity id.
    ///
    /// # Errors
    /// [`InvalidId::Entity`] if it is empty, `.` or `..`, or longer than 2048 bytes (no URL can
    /// address those), or has a NUL.
    pub fn new(text: impl AsRef<str>) -> Result<Self, InvalidId> {
        let text = text.as_ref();
        let unusable = matches!(text, "" | "." | "..") || text.contains('\0');
        if unusable || text.len() > LONGEST_ENTITY_ID {
            return Err(InvalidId::Entity(shortened(text)));
        }
        Ok(Self(text.into()))
    }

    /// A fresh UUIDv7 of the system clock. Code that must be repeatable asks [`crate::Env`].
    #[must_use]
    pub fn generate() -> Self {
        Self::from(Uuid::now_v7())
    }

    /// Is this id a UUID, that is: cannot somebody else have made the same one by accident?
    #[must_use]
    pub fn is_uuid(&self) -> bool {
        Uuid::try_parse(&self.0).is_ok()
    }
}
text_id!(EntityId, "entity id");

impl From<Uuid> for EntityId {
    fn from(uuid: Uuid) -> Self {
        Self(uuid.to_string().into())
    }
}

/// The identity of one queued operation.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct OpId(Arc<str>);

impl OpId {
    /// Makes an operation id of a text, usually a UUID.
    ///
    /// # Errors
    /// [`InvalidId::Op`] if it is empty.
    pub fn new(text: impl AsRef<str>) -> Result<Self, InvalidId> {
        let text = text.as_ref();
        if text.is_empty() {
            return Err(InvalidId::Op);
        }
        Ok(Self(text.into()))
    }

    /// The idempotency key of this operation in the given round (semantics 3, *Key*):
    /// the id itself in round 0, afterwards a UUIDv5 of id and round, so that the same content
    /// always bears the same key and other content never does, also after a crash.
    ///
    /// ```
    /// # use sync_core::OpId;
    /// let op = OpId::new("0190a5a0-0000-7000-8000-000000000001").unwrap();
    /// assert_eq!(op.idempotency_key(0), op.as_str());
    /// assert_ne!(op.idempotency_key(1), op.idempotency_key(2));
    /// ```
    #[must_use]
    pub fn idempotency_key(&self, round: u32) -> String {
        if round == 0 {
            return self.as_str().to_owned();
        }
        let namespace = Uuid::try_parse(self.as_str())
            .unwrap_or_else(|_| Uuid::new_v5(&Uuid::NAMESPACE_OID, self.as_str().as_bytes()));
        Uuid::new_v5(&namespace, round.to_string().as_bytes()).to_string()
    }
}
text_id!(OpId, "operation id");

impl From<Uuid> for OpId {
    fn from(uuid: Uuid) -> Self {
        Self(uuid.to_string().into())
    }
}
