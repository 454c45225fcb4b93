//! Lists, element by element.

use std::collections::HashMap;

use serde_json::Value;

use super::value::{Base, Merged, merge_value};
use crate::json::ByValue;
use crate::record::object_id;

/// What makes an element the same one in another list.
#[derive(PartialEq, Eq, Hash, Clone, Copy)]
enum Identity<'a> {
    /// An object's own id.
    Id(ByValue<'a>),
    /// The element itself.
    Value(ByValue<'a>),
}

/// An element's identity, and how many of the same came before it. No two elements of a list have the same key, so that lists with
/// repetitions merge like sets: the third `"a"` is an addition to a list with two.
type Key<'a> = (Identity<'a>, usize);

/// Merges two lists that both sides changed; none if they are to be taken as a whole.
pub(super) fn merge_lists(
    local: &[Value],
    server: &[Value],
    base: Option<&[Value]>,
    depth: usize,
) -> Option<Merged> {
    if base.is_some_and(|base| {
        [local, server, base]
            .into_iter()
            .flatten()
            .all(is_part_of_whole)
    }) {
        return None;
    }
    let (local_items, server_items) = (identify(local), identify(server));
    let base_items: HashMap<_, _> = identify(base.unwrap_or_default()).into_iter().collect();
    let by_key: HashMap<_, _> = local_items.iter().copied().collect();
    // Without a base it is as if that had been empty: nothing can have been removed.
    let merge_item = |key: &Key<'_>, local: Option<&Value>, server: Option<&Value>| {
        merge_value(
            local,
            server,
            Base::Known(base_items.get(key).copied()),
            depth + 1,
        )
    };

    let mut merged = Placement::default();
    let mut position_of = HashMap::new();
    for (position, (key, item)) in (1..).zip(&server_items) {
        merged.put(
            position,
            merge_item(key, by_key.get(key).copied(), Some(*item)),
        );
        position_of.insert(*key, position);
    }
    let mut predecessor = if base.is_some() { 0 } else { server.len() + 1 };
    for (key, item) in &local_items {
        match position_of.get(key) {
            Some(position) if base.is_some() => predecessor = *position,
            Some(_) => {}
            None => merged.put(predecessor, merge_item(key, Some(*item), None)),
        }
    }
    Some(merged.into_list())
}

/// Numbers and lists as elements (of a vector, a matrix, a polygon) have their meaning from their position.
fn is_part_of_whole(item: &Value) -> bool {
    item.is_number() || item.is_array()
}

/// Gives each element its key, in the order of the list.
fn identify(items: &[Value]) -> Vec<(Key<'_>, &Value)> {
    let mut seen: HashMap<Identity<'_>, usize> = HashMap::new();
    items
        .iter()
        .map(|item| {
            let id = item.as_object().and_then(object_id);
            let identity = id.map_or(Identity::Value(ByValue(item)), |id| {
                Identity::Id(ByValue(id))
            });
            let count = seen.entry(identity).or_default();
            *count += 1;
            ((identity, *count), item)
        })
        .collect()
}

/// The merged elements while their places are being found. Positions count the server's elements from 1; a local addition has the
/// position of the server's element that it follows, or 0.
#[derive(Default)]
struct Placement {
    items: Vec<(usize, Value)>,
    contested: bool,
}

impl Placement {
    fn put(&mut self, position: usize, item: Merged) {
        self.contested |= item.contested;
        self.items.extend(item.value.map(|value| (position, value)));
    }

    /// The server's elements were put first, so a stable sort leaves each before the additions that follow it.
    fn into_list(mut self) -> Merged {
        self.items.sort_by_key(|(position, _)| *position);
        let items = self.items.into_iter().map(|(_, value)| value).collect();
        Merged {
            value: Some(Value::Array(items)),
            contested: self.contested,
        }
    }
}
