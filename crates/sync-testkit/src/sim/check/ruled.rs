//! What the rules of single fields promise of the end of a world (I8): nothing greater, or smaller,
//! than what is there was lost, and every increment counts once.

use serde_json::Value;
use sync_core::FieldMerge;
use sync_core::json::JsonMap;

use super::Violation;
use super::ledger::Record;
use crate::sim::ruling::{in_order, number};
use crate::sim::tables::{FieldKind, SimTable};

/// The increments of one field.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    sum: i64,
    count: u32,
    /// Somebody put something there that is no increment.
    is_unsure: bool,
}

impl Tally {
    fn add(&mut self, before: &Value, after: &Value) {
        match (number(before), number(after)) {
            _ if before == after => {}
            (Some(before), Some(number)) if !after.is_null() => {
                self.sum += number - before;
                self.count += 1;
            }
            _ => self.is_unsure = true,
        }
    }
}

impl Record {
    /// Somebody wrote the record, of which nothing was there if it is `None`.
    pub(super) fn count(&mut self, table: &SimTable, before: Option<&JsonMap>, after: &JsonMap) {
        if before.is_none() {
            self.creations += 1;
        }
        let of = |record: Option<&JsonMap>, name: &str| {
            let value = record.and_then(|record| record.get(name));
            value.cloned().unwrap_or(Value::Null)
        };
        for name in counters(table) {
            let tally = self.tallies.entry(name.to_owned()).or_default();
            tally.add(&of(before, name), &of(Some(after), name));
        }
    }
}

fn counters(table: &SimTable) -> impl Iterator<Item = &str> {
    let fields = table.fields.iter();
    let counters = fields.filter(|(_, kind, _)| *kind == FieldKind::Counter);
    counters.map(|(name, _, _)| name.as_str())
}

/// Is what was written into a field by several what its rule makes of it? Names what was judged.
pub(super) fn increments(
    table: &SimTable,
    record: &Record,
    end: &JsonMap,
    judged: &mut Vec<&'static str>,
) -> Vec<Violation> {
    // Who creates what somebody else has created knows no base, nor who brings something back.
    let has_one_past =
        record.creations == 1 && record.deleted.is_empty() && record.copied.is_empty();
    let mut found = Vec::new();
    for name in counters(table).filter(|_| has_one_past) {
        let Some(tally) = record.tallies.get(name).filter(|tally| !tally.is_unsure) else {
            continue;
        };
        let is = end.get(name).unwrap_or(&Value::Null);
        if table.rule(name) != FieldMerge::SumDelta {
            continue;
        }
        if record.writers.len() > 1 && tally.count > 1 {
            judged.push("sum of all increments");
        }
        if number(is) != Some(tally.sum) {
            let (sum, count) = (tally.sum, tally.count);
            let text = format!("{name} ends as {is}, and {count} increments make {sum}");
            found.push(Violation::new("I8", text));
        }
    }
    found
}

/// A value that gave way by a rule, although nobody replaced it knowingly and nothing that is
/// greater, or smaller, was ever written beside it. `Err`: nothing is promised of these values.
pub(super) fn gave_way<'a>(
    rule: FieldMerge,
    edits: &[(Value, Value)],
    alive: &[&'a Value],
    end: &Value,
) -> Result<Option<&'a Value>, NoPromise> {
    let wants_greatest = match rule {
        FieldMerge::Max => true,
        FieldMerge::Min => false,
        _ => return Err(NoPromise),
    };
    for value in alive.iter().filter(|value| **value != end) {
        let mut ancestors = vec![*value];
        while let Some((before, _)) = edits
            .iter()
            .find(|(_, after)| Some(&after) == ancestors.last())
            && !ancestors.contains(&before)
        {
            ancestors.push(before);
        }
        let mut is_beaten = false;
        for (_, other) in edits
            .iter()
            .filter(|(_, after)| !ancestors.contains(&after))
        {
            let (least, greatest) = in_order(value, other).ok_or(NoPromise)?;
            is_beaten |= *value == if wants_greatest { least } else { greatest };
        }
        if !is_beaten {
            return Ok(Some(value));
        }
    }
    Ok(None)
}

/// The field has no such rule, or values that it says nothing of.
pub(super) struct NoPromise;
