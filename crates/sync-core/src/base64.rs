//! Bytes as base64 text in JSON, for columns of bytes.
//!
//! ```
//! # use serde::{Deserialize, Serialize};
//! # use sync_core::SyncEntity;
//! #[derive(Serialize, Deserialize, SyncEntity)]
//! #[sync(kind = "photos")]
//! struct Photo {
//!     id: String,
//!     #[sync(blob)]
//!     #[serde(with = "sync_core::base64")]
//!     pixels: Vec<u8>,
//!     #[sync(blob)]
//!     #[serde(with = "sync_core::base64", default)]
//!     thumbnail: Option<Vec<u8>>,
//! }
//! let photo = Photo { id: "p1".into(), pixels: vec![0, 255], thumbnail: None };
//! assert_eq!(serde_json::to_value(&photo).unwrap()["pixels"], "AP8=");
//! ```

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Values that are bytes, or no bytes: `Vec<u8>` and `Option<Vec<u8>>`.
pub trait Bytes: Sized {
    /// The bytes, if there are any.
    fn bytes(&self) -> Option<&[u8]>;
    /// The value with these bytes; `None` if it cannot be without.
    fn from_bytes(bytes: Option<Vec<u8>>) -> Option<Self>;
}

impl Bytes for Vec<u8> {
    fn bytes(&self) -> Option<&[u8]> {
        Some(self)
    }

    fn from_bytes(bytes: Option<Vec<u8>>) -> Option<Self> {
        bytes
    }
}

impl Bytes for Option<Vec<u8>> {
    fn bytes(&self) -> Option<&[u8]> {
        self.as_deref()
    }

    fn from_bytes(bytes: Option<Vec<u8>>) -> Option<Self> {
        Some(bytes)
    }
}

/// For `#[serde(with = "sync_core::base64")]`.
///
/// # Errors
/// As the serializer does.
pub fn serialize<T: Bytes, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
    let text = value.bytes().map(|bytes| STANDARD.encode(bytes));
    text.serialize(serializer)
}

/// For `#[serde(with = "sync_core::base64")]`.
///
/// # Errors
/// If it is no base64 text, or null where bytes are needed.
pub fn deserialize<'de, T: Bytes, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    let bytes = text.map(|text| STANDARD.decode(text)).transpose();
    let bytes = bytes.map_err(|_| de::Error::custom("a text is not base64"))?;
    T::from_bytes(bytes).ok_or_else(|| de::Error::custom("bytes are missing"))
}
