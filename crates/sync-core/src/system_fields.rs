//! The fields of a record that belong to the sync machinery, not to the user.

/// The system fields that have a name of their own. Every key that begins with `_` is one as well: ask [`is_system_field`].
pub const SYSTEM_FIELDS: [&str; 11] = [
    "id",
    "ID",
    "uuid",
    "updatedAt",
    "updated_at",
    "createdAt",
    "created_at",
    "deletedAt",
    "deleted_at",
    "deletedAtLocal",
    "deleted_at_local",
];

/// Whether a **top-level** field of a record is a system field: never merged, never counted as changed by the user.
///
/// Inside a nested object the same names are ordinary data, so do not ask there.
///
/// ```
/// use sync_core::system_fields::is_system_field;
///
/// assert!(is_system_field("updated_at"));
/// assert!(is_system_field("_rev"));
/// assert!(!is_system_field("title"));
/// ```
#[must_use]
pub fn is_system_field(name: &str) -> bool {
    name.starts_with('_') || SYSTEM_FIELDS.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_named_field_is_a_system_field() {
        assert!(SYSTEM_FIELDS.iter().all(|name| is_system_field(name)));
    }

    #[test]
    fn names_are_compared_exactly() {
        for name in ["Id", "UUID", "updatedat", "id_", "title", ""] {
            assert!(!is_system_field(name), "{name}");
        }
    }
}
