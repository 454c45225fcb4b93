//! Which fields the user changed: the set itself, and two ways to find it.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::json::{JsonMap, same_field};
use crate::system_fields::is_system_field;

/// The names of the top-level fields that the user changed, in order. On disk and on the wire it is a JSON array.
///
/// An empty set means that nothing changed. That nothing was *recorded* is `None` in an `Option<ChangedFields>`.
///
/// ```
/// use sync_core::changed_fields::ChangedFields;
///
/// let changed: ChangedFields = ["title", "mood"].into_iter().collect();
/// assert!(changed.contains("mood"));
/// assert_eq!(changed.iter().collect::<Vec<_>>(), ["mood", "title"]);
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ChangedFields(BTreeSet<String>);

impl ChangedFields {
    /// A set without any field.
    #[must_use]
    pub const fn new() -> Self {
        Self(BTreeSet::new())
    }

    /// Adds a field; `false` if it was there.
    pub fn insert(&mut self, field: impl Into<String>) -> bool {
        self.0.insert(field.into())
    }

    /// Whether the field is in the set.
    #[must_use]
    pub fn contains(&self, field: &str) -> bool {
        self.0.contains(field)
    }

    /// The names, sorted.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// How many fields there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no field.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn or_none(self) -> Option<Self> {
        (!self.is_empty()).then_some(self)
    }
}

impl<S: Into<String>> FromIterator<S> for ChangedFields {
    fn from_iter<I: IntoIterator<Item = S>>(fields: I) -> Self {
        Self(fields.into_iter().map(Into::into).collect())
    }
}

impl<S: Into<String>> Extend<S> for ChangedFields {
    fn extend<I: IntoIterator<Item = S>>(&mut self, fields: I) {
        self.0.extend(fields.into_iter().map(Into::into));
    }
}

impl IntoIterator for ChangedFields {
    type Item = String;
    type IntoIter = std::collections::btree_set::IntoIter<String>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

/// Finds the changed fields by comparing two versions of a record.
///
/// Values are compared by the rules of [`crate::json`]; a change anywhere inside a field names the top-level field.
#[derive(Debug, Clone, Copy)]
pub struct ChangedFieldsDiff;

impl ChangedFieldsDiff {
    /// The fields whose values differ. System fields are left out, and so are those in `ignored`.
    ///
    /// ```
    /// use serde_json::json;
    /// use sync_core::changed_fields::ChangedFieldsDiff;
    ///
    /// # let object = |value: serde_json::Value| value.as_object().cloned().unwrap_or_default();
    /// let before = object(json!({"id": "e1", "title": "old", "mood": 3, "draft": true}));
    /// let after = object(json!({"id": "e1", "title": "new", "mood": 3.0, "draft": false}));
    /// let changed = ChangedFieldsDiff::diff_maps(&before, &after, &["draft"]);
    /// assert_eq!(changed.iter().collect::<Vec<_>>(), ["title"]);
    /// ```
    #[must_use]
    pub fn diff_maps(before: &JsonMap, after: &JsonMap, ignored: &[&str]) -> ChangedFields {
        before
            .keys()
            .chain(after.keys())
            .filter(|field| !is_system_field(field) && !ignored.contains(&field.as_str()))
            .filter(|field| !same_field(before.get(*field), after.get(*field)))
            .cloned()
            .collect()
    }

    /// Like [`diff_maps`](Self::diff_maps), but `None` if nothing differs.
    ///
    /// ```
    /// use sync_core::changed_fields::ChangedFieldsDiff;
    /// use sync_core::json::JsonMap;
    ///
    /// assert_eq!(ChangedFieldsDiff::diff_or_none(&JsonMap::new(), &JsonMap::new(), &[]), None);
    /// ```
    #[must_use]
    pub fn diff_or_none(
        before: &JsonMap,
        after: &JsonMap,
        ignored: &[&str],
    ) -> Option<ChangedFields> {
        Self::diff_maps(before, after, ignored).or_none()
    }
}

/// Records the changed fields while an edited copy of a record is built.
///
/// The names are those of the payload (`due_date`), not of the Rust struct, where these differ.
///
/// ```
/// use sync_core::changed_fields::ChangedFieldsTracker;
///
/// struct Todo { title: String, done: bool }
/// let todo = Todo { title: "milk".into(), done: false };
///
/// let mut tracker = ChangedFieldsTracker::new();
/// let edited = Todo {
///     title: tracker.changed("title", &todo.title, "milk".into()),
///     done: tracker.changed("done", &todo.done, true),
/// };
/// assert!(edited.done && edited.title == "milk");
/// assert_eq!(tracker.fields().iter().collect::<Vec<_>>(), ["done"]);
/// ```
#[derive(Debug, Clone, Default)]
pub struct ChangedFieldsTracker {
    fields: ChangedFields,
}

impl ChangedFieldsTracker {
    /// A tracker that has seen no change.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            fields: ChangedFields::new(),
        }
    }

    /// Marks the field if `to` differs from `from`, and returns `to`.
    #[must_use = "the new value belongs into the edited record"]
    pub fn changed<T: PartialEq>(&mut self, field: impl Into<String>, from: &T, to: T) -> T {
        self.mark_if(field, *from != to);
        to
    }

    /// Marks the field if the condition holds.
    pub fn mark_if(&mut self, field: impl Into<String>, condition: bool) {
        if condition {
            self.mark(field);
        }
    }

    /// Marks the field as changed.
    pub fn mark(&mut self, field: impl Into<String>) {
        self.fields.insert(field);
    }

    /// The fields marked so far.
    #[must_use]
    pub const fn fields(&self) -> &ChangedFields {
        &self.fields
    }

    /// The fields marked, or `None` if there are none.
    #[must_use]
    pub fn fields_or_none(self) -> Option<ChangedFields> {
        self.fields.or_none()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_set_travels_as_a_sorted_array_without_repetition() {
        let changed: ChangedFields = serde_json::from_value(json!(["b", "a", "b"])).unwrap();
        assert_eq!(serde_json::to_value(&changed).unwrap(), json!(["a", "b"]));
        assert_eq!(changed.len(), 2);
    }

    #[test]
    fn sets_are_united_by_extending() {
        let mut changed: ChangedFields = ["a"].into_iter().collect();
        changed.extend(["b".to_owned()].into_iter().collect::<ChangedFields>());
        assert_eq!(changed.into_iter().collect::<Vec<_>>(), ["a", "b"]);
    }

    #[test]
    fn a_new_tracker_has_nothing() {
        let tracker = ChangedFieldsTracker::new();
        assert!(tracker.fields().is_empty());
        assert_eq!(tracker.fields_or_none(), None);
    }

    #[test]
    fn the_tracker_marks_what_differs_and_returns_the_new_value() {
        let mut tracker = ChangedFieldsTracker::new();
        assert_eq!(tracker.changed("same", &1, 1), 1);
        assert_eq!(tracker.changed("none", &None::<i32>, None), None);
        assert_eq!(tracker.changed("set", &None, Some(2)), Some(2));
        tracker.mark_if("unmarked", false);
        tracker.mark_if("marked", true);
        tracker.mark("plain");
        let fields = tracker.fields_or_none().unwrap();
        assert_eq!(
            fields.iter().collect::<Vec<_>>(),
            ["marked", "plain", "set"]
        );
    }

    #[test]
    fn an_absent_field_equals_null_at_the_top_level_only() {
        let object = |value: serde_json::Value| value.as_object().cloned().unwrap();
        let before = object(json!({"a": null, "gone": 1, "m": {}}));
        let after = object(json!({"b": null, "m": {"a": null}}));
        let changed = ChangedFieldsDiff::diff_maps(&before, &after, &[]);
        assert_eq!(changed.iter().collect::<Vec<_>>(), ["gone", "m"]);
    }
}
