//! What server and devices hold, and whether it is the same.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::Value;

/// Kind → id → record.
pub(crate) type Replica = BTreeMap<String, BTreeMap<String, Value>>;

/// The final states.
#[derive(Debug, Serialize)]
pub(crate) struct Replicas {
    pub(crate) server: Replica,
    pub(crate) device_a: Replica,
    pub(crate) device_b: Replica,
}

impl Replicas {
    /// Compares every field of every record.
    ///
    /// # Errors
    /// One line for each field that differs.
    pub(crate) fn check(&self) -> Result<(), String> {
        let devices = [("device A", &self.device_a), ("device B", &self.device_b)];
        let differences: Vec<String> = devices
            .iter()
            .flat_map(|(name, replica)| differences(name, replica, &self.server))
            .collect();
        if differences.is_empty() {
            Ok(())
        } else {
            let lines = differences.join("\n  ");
            Err(format!("the replicas are not equal\n  {lines}"))
        }
    }
}

/// How many records there are.
pub(crate) fn count(replica: &Replica) -> usize {
    replica.values().map(BTreeMap::len).sum()
}

fn differences(name: &str, device: &Replica, server: &Replica) -> Vec<String> {
    let (device, server) = (fields(device), fields(server));
    let places: BTreeSet<&String> = device.keys().chain(server.keys()).collect();
    let show = |value: Option<&&Value>| {
        value.map_or_else(|| "nothing".to_owned(), |value| value.to_string())
    };
    places
        .into_iter()
        .map(|place| (place, device.get(place), server.get(place)))
        .filter(|(_, mine, theirs)| mine != theirs)
        .map(|(place, mine, theirs)| {
            let (mine, theirs) = (show(mine), show(theirs));
            format!("{place}: {name} has {mine}, the server has {theirs}")
        })
        .collect()
}

/// Every field by its place: `kind/id.field`.
fn fields(replica: &Replica) -> BTreeMap<String, &Value> {
    let mut fields = BTreeMap::new();
    for (kind, records) in replica {
        for (id, record) in records {
            for (field, value) in record.as_object().into_iter().flatten() {
                fields.insert(format!("{kind}/{id}.{field}"), value);
            }
        }
    }
    fields
}
