//! The field merge once more, as plainly as its rules are written (semantics 4 and 9): quadratic,
//! recursive, sharing no code with the library. What the rules leave open it leaves open too: the
//! order of a list that has equal elements.

use serde_json::{Map, Number, Value};

/// What the rules say about one value.
#[derive(Debug, Clone)]
pub(crate) enum Expected {
    Exactly(Value),
    Object(Vec<(String, Expected)>),
    /// With `false` in any order.
    List(Vec<Expected>, bool),
}

/// What the rules say about one record: its fields, null where there is none, and those in which a
/// side lost something.
#[derive(Debug)]
pub(crate) struct Judgement {
    pub(crate) fields: Vec<(String, Expected)>,
    pub(crate) contested: Vec<String>,
}

/// What both sides started from.
#[derive(Clone, Copy)]
enum Base<'a> {
    Unknown,
    Known(Option<&'a Value>),
}

type Object = Map<String, Value>;

const SYSTEM: [&str; 10] = [
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
];

fn is_system(name: &str) -> bool {
    SYSTEM.contains(&name) || name == "deleted_at_local" || name.starts_with('_')
}

/// Numbers by value, integers exactly; everything else by structure.
pub(crate) fn equal(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => equal_numbers(one, other),
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| equal(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            let in_other = |(name, value): (&String, &Value)| {
                other.get(name).is_some_and(|other| equal(value, other))
            };
            one.len() == other.len() && one.iter().all(in_other)
        }
        (one, other) => one == other,
    }
}

fn equal_numbers(one: &Number, other: &Number) -> bool {
    match (one.as_i128(), other.as_i128()) {
        (Some(one), Some(other)) => one == other,
        _ => one.as_f64() == other.as_f64(),
    }
}

fn equal_options(one: Option<&Value>, other: Option<&Value>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => equal(one, other),
        (one, other) => one.is_none() && other.is_none(),
    }
}

pub(crate) fn judge(
    local: &Object,
    server: &Object,
    base: Option<&Object>,
    changed: Option<&[&str]>,
) -> Judgement {
    let mut judgement = Judgement {
        fields: Vec::new(),
        contested: Vec::new(),
    };
    let mut names: Vec<&String> = local.keys().chain(server.keys()).collect();
    names.sort_unstable();
    names.dedup();
    for name in names {
        // At the top level a field that is not there is null.
        let or_null = |record: &'_ Object| record.get(name).cloned().unwrap_or_default();
        let theirs = or_null(server);
        let is_users = !is_system(name)
            && match changed {
                Some(changed) => changed.contains(&name.as_str()),
                None => base.is_some() || local.get(name).is_some_and(|value| !value.is_null()),
            };
        let mut is_contested = false;
        let expected = match local.get(name) {
            // Absent is no change, and clearing is null.
            Some(mine) if is_users => {
                let before = base.map(or_null);
                let base = match &before {
                    Some(before) => Base::Known(Some(before)),
                    None => Base::Unknown,
                };
                three_way(Some(mine), Some(&theirs), base, &mut is_contested)
            }
            _ => Some(Expected::Exactly(theirs)),
        };
        let expected = expected.unwrap_or(Expected::Exactly(Value::Null));
        judgement.fields.push((name.clone(), expected));
        if is_contested {
            judgement.contested.push(name.clone());
        }
    }
    judgement
}

/// One value of three; `None` is "not there".
fn three_way(
    mine: Option<&Value>,
    theirs: Option<&Value>,
    base: Base<'_>,
    contested: &mut bool,
) -> Option<Expected> {
    let whole = |value: Option<&Value>| value.cloned().map(Expected::Exactly);
    if let Base::Known(base) = base {
        if equal_options(theirs, base) {
            return whole(mine);
        }
        if equal_options(mine, base) {
            return whole(theirs);
        }
    }
    if equal_options(mine, theirs) {
        return whole(theirs);
    }
    match (mine, theirs) {
        (Some(Value::Object(mine)), Some(Value::Object(theirs)))
            if !different_ids(mine, theirs) =>
        {
            Some(objects(mine, theirs, base, contested))
        }
        (Some(Value::Array(mine)), Some(Value::Array(theirs))) => {
            lists(mine, theirs, base, contested)
        }
        (mine, theirs) => {
            let is_lost = matches!(base, Base::Known(_)) || theirs.is_some_and(|v| !v.is_null());
            *contested |= is_lost;
            // Edited on one side and removed on the other: it stays.
            whole(mine.or(theirs))
        }
    }
}

fn id_of(object: &Object) -> Option<&Value> {
    let is_id = |value: &&Value| !value.is_null() && value.as_str() != Some("");
    let ids = ["id", "ID", "uuid"].map(|name| object.get(name).filter(is_id));
    ids.into_iter().flatten().next()
}

fn different_ids(one: &Object, other: &Object) -> bool {
    matches!((id_of(one), id_of(other)), (Some(one), Some(other)) if !equal(one, other))
}

fn objects(mine: &Object, theirs: &Object, base: Base<'_>, contested: &mut bool) -> Expected {
    // An object that was another thing before says nothing about this one.
    let base = match base {
        Base::Known(Some(Value::Object(base)))
            if !different_ids(base, mine) && !different_ids(base, theirs) =>
        {
            Some(base)
        }
        _ => None,
    };
    let mut names: Vec<&String> = mine.keys().chain(theirs.keys()).collect();
    names.sort_unstable();
    names.dedup();
    let mut fields = Vec::new();
    for name in names {
        let (mine, theirs) = (mine.get(name), theirs.get(name));
        let value = match (base, mine, theirs) {
            (Some(base), ..) => three_way(mine, theirs, Base::Known(base.get(name)), contested),
            // Without a base neither an absent key nor null takes anything away.
            (None, None | Some(Value::Null), theirs) => theirs.cloned().map(Expected::Exactly),
            (None, ..) => match theirs {
                None => mine.cloned().map(Expected::Exactly),
                Some(_) => three_way(mine, theirs, Base::Unknown, contested),
            },
        };
        fields.extend(value.map(|value| (name.clone(), value)));
    }
    Expected::Object(fields)
}

/// Are these the same element? By id where both have one, else by structure.
fn same_element(one: &Value, other: &Value) -> bool {
    let id = |value: &'_ Value| value.as_object().and_then(id_of).cloned();
    match (id(one), id(other)) {
        (Some(one), Some(other)) => equal(&one, &other),
        (None, None) => equal(one, other),
        _ => false,
    }
}

fn find<'a>(list: &'a [Value], element: &Value) -> Option<&'a Value> {
    list.iter().find(|other| same_element(element, other))
}

fn lists(
    mine: &[Value],
    theirs: &[Value],
    base: Base<'_>,
    contested: &mut bool,
) -> Option<Expected> {
    let base = match base {
        Base::Known(Some(Value::Array(base))) => Some(base.as_slice()),
        _ => None,
    };
    let all = || {
        [mine, theirs, base.unwrap_or_default()]
            .into_iter()
            .flatten()
    };
    if base.is_some() && (all().all(Value::is_number) || all().all(Value::is_array)) {
        *contested = true;
        return Some(Expected::Exactly(Value::from(mine)));
    }
    let repeats = |list: &[Value]| {
        let mut rest = list.iter().enumerate();
        rest.any(|(place, element)| find(&list[..place], element).is_some())
    };
    if [mine, theirs, base.unwrap_or_default()]
        .into_iter()
        .any(repeats)
    {
        return Some(Expected::List(counted(mine, theirs, base), false));
    }
    // Each element with the one that it stands for.
    let mut merged: Vec<(&Value, Expected)> = Vec::new();
    for element in theirs {
        let before = base.and_then(|base| find(base, element));
        match find(mine, element) {
            Some(own) => {
                let base = base.map_or(Base::Unknown, |_| Base::Known(before));
                merged.extend(
                    three_way(Some(own), Some(element), base, contested).map(|e| (element, e)),
                );
            }
            None if before.is_none_or(|before| !equal(before, element)) => {
                *contested |= before.is_some();
                merged.push((element, Expected::Exactly(element.clone())));
            }
            None => {}
        }
    }
    for (place, element) in mine.iter().enumerate() {
        let before = base.and_then(|base| find(base, element));
        let is_edited = before.is_none_or(|before| !equal(before, element));
        if find(theirs, element).is_some() || !is_edited {
            continue;
        }
        *contested |= before.is_some();
        let standing = |own: &Value| {
            merged
                .iter()
                .position(|(other, _)| same_element(own, other))
        };
        let place = match base {
            Some(_) => {
                let predecessor = mine[..place].iter().rev().find_map(standing);
                predecessor.map_or(0, |place| place + 1)
            }
            None => merged.len(),
        };
        merged.insert(place, (element, Expected::Exactly(element.clone())));
    }
    let elements = merged.into_iter().map(|(_, expected)| expected).collect();
    Some(Expected::List(elements, true))
}

/// The elements of lists without ids, by how often each occurs.
fn counted(mine: &[Value], theirs: &[Value], base: Option<&[Value]>) -> Vec<Expected> {
    let mut merged = Vec::new();
    let mut seen: Vec<Value> = Vec::new();
    for element in mine.iter().chain(theirs) {
        if find(&seen, element).is_some() {
            continue;
        }
        seen.push(element.clone());
        let count = |list: &[Value]| {
            let equal = list.iter().filter(|other| same_element(element, other));
            i64::try_from(equal.count()).unwrap()
        };
        let (mine, theirs) = (count(mine), count(theirs));
        let count = match base {
            None => mine.max(theirs),
            Some(base) => {
                let was = count(base);
                let (here, there) = (mine - was, theirs - was);
                // One change made on both sides, or two that add up.
                let changes = match here.signum() * there.signum() {
                    -1 => here + there,
                    _ => [here, there]
                        .into_iter()
                        .max_by_key(|n| n.abs())
                        .unwrap_or(0),
                };
                was + changes
            }
        };
        merged.extend((0..count).map(|_| Expected::Exactly(element.clone())));
    }
    merged
}

/// Is this value what the rules say?
pub(crate) fn meets(actual: &Value, expected: &Expected) -> bool {
    match (expected, actual) {
        (Expected::Exactly(expected), actual) => equal(actual, expected),
        (Expected::Object(expected), Value::Object(actual)) => {
            let meets = |(name, expected): &(String, Expected)| {
                actual
                    .get(name)
                    .is_some_and(|actual| meets(actual, expected))
            };
            actual.len() == expected.len() && expected.iter().all(meets)
        }
        (Expected::List(expected, true), Value::Array(actual)) => {
            let mut pairs = actual.iter().zip(expected);
            actual.len() == expected.len()
                && pairs.all(|(actual, expected)| meets(actual, expected))
        }
        (Expected::List(expected, false), Value::Array(actual)) => {
            let mut rest: Vec<&Expected> = expected.iter().collect();
            actual.iter().all(|actual| {
                let place = rest.iter().position(|expected| meets(actual, expected));
                place.map(|place| rest.swap_remove(place)).is_some()
            }) && rest.is_empty()
        }
        _ => false,
    }
}
