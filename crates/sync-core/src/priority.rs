//! Which kinds come before which: those that the app called urgent, and what they refer to.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use crate::id::Kind;
use crate::references::References;
use crate::table::Table;

/// How urgent each kind is. A parent is as urgent as the most urgent kind that needs it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Priorities {
    of: BTreeMap<Kind, i32>,
}

impl Priorities {
    /// Of kinds that refer to each other in no circle.
    pub(crate) fn new(tables: &BTreeMap<Kind, Table>, references: &References) -> Self {
        let mut of: BTreeMap<Kind, i32> = tables
            .iter()
            .map(|(kind, table)| (kind.clone(), table.priority))
            .collect();
        // The deepest first: each hands on what its own children have handed to it.
        let mut kinds: Vec<&Kind> = tables.keys().collect();
        kinds.sort_by_key(|kind| Reverse(references.depth(kind)));
        for kind in kinds {
            let own = of.get(kind).copied().unwrap_or_default();
            for parent in references.parents(kind) {
                if let Some(parents) = of.get_mut(&parent.kind) {
                    *parents = own.max(*parents);
                }
            }
        }
        Self { of }
    }

    /// The kinds in groups of equal priority, the most urgent first, each in the order given.
    pub(crate) fn classes(&self, kinds: Vec<Kind>) -> Vec<Vec<Kind>> {
        let mut classes: BTreeMap<Reverse<i32>, Vec<Kind>> = BTreeMap::new();
        for kind in kinds {
            let priority = self.of.get(&kind).copied().unwrap_or_default();
            classes.entry(Reverse(priority)).or_default().push(kind);
        }
        classes.into_values().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conflict::ConflictStrategy;
    use crate::schema::{Column, ColumnType, TableSchema};
    use crate::table::TableConfig;

    fn classes(tables: &[(&str, i32, Option<&str>)]) -> Vec<Vec<String>> {
        let table = |(name, priority, parent): &(&str, i32, Option<&str>)| {
            let kind = Kind::new(name).unwrap();
            let schema = TableSchema::new(kind.clone(), *name, "id")
                .column(Column::new("id", ColumnType::Text))
                .column(Column::new("parent", ColumnType::Text).nullable());
            let own = TableConfig::new().priority(*priority);
            let own = match parent {
                Some(parent) => own.references("parent", *parent),
                None => own,
            };
            (
                kind,
                Table::new(schema, own, ConflictStrategy::AutoPreserve, 10),
            )
        };
        let tables: BTreeMap<Kind, Table> = tables.iter().map(table).collect();
        let references = References::new(&tables).unwrap();
        let classes = Priorities::new(&tables, &references).classes(tables.into_keys().collect());
        let names = |class: &Vec<Kind>| class.iter().map(ToString::to_string).collect();
        classes.iter().map(names).collect()
    }

    #[test]
    fn kinds_without_a_priority_are_one_class_between_the_urgent_and_the_idle_ones() {
        let classes = classes(&[
            ("a", 0, None),
            ("b", -1, None),
            ("c", 7, None),
            ("d", 0, None),
        ]);
        assert_eq!(classes, [vec!["c"], vec!["a", "d"], vec!["b"]]);
    }

    #[test]
    fn everything_that_an_urgent_kind_needs_is_as_urgent() {
        let classes = classes(&[
            ("grandparent", -5, None),
            ("parent", 0, Some("grandparent")),
            ("child", 3, Some("parent")),
            ("idle_child", -9, Some("grandparent")),
            ("other", 1, None),
        ]);
        let urgent = vec!["child", "grandparent", "parent"];
        assert_eq!(classes, [urgent, vec!["other"], vec!["idle_child"]]);
    }
}
