//! The kinds and what they refer to.

use std::collections::BTreeMap;

use crate::id::Kind;
use crate::schema::{ColumnType, TableSchema};
use crate::table::Table;

/// A field that holds the id of an entity of a kind. Seen from the parent, the kind is the child's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reference {
    pub(crate) field: String,
    pub(crate) kind: Kind,
}

/// Who refers to whom.
#[derive(Debug, Clone, Default)]
pub(crate) struct References {
    parents: BTreeMap<Kind, Vec<Reference>>,
    children: BTreeMap<Kind, Vec<Reference>>,
    /// How many kinds must come before; the others refer to nobody.
    depth: BTreeMap<Kind, usize>,
}

impl References {
    /// Reads and checks what the tables declare; says everything that is wrong with it.
    pub(crate) fn new(tables: &BTreeMap<Kind, Table>) -> Result<Self, Vec<String>> {
        let mut this = Self::default();
        let mut problems = Vec::new();
        for (kind, table) in tables {
            for (field, parent) in &table.references {
                problems.extend(problem_of_field(&table.schema, field));
                let parent = Kind::new(parent)
                    .ok()
                    .filter(|parent| tables.contains_key(parent))
                    .ok_or_else(|| problem_of_kind(kind, field, parent, tables));
                match parent {
                    Ok(parent) => this.add(kind, field, &parent),
                    Err(problem) => problems.push(problem),
                }
            }
        }
        if let Some(circle) = this.circle() {
            problems.push(circle);
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        for kind in this.parents.keys() {
            let depth = this.depth_of(kind);
            this.depth.insert(kind.clone(), depth);
        }
        Ok(this)
    }

    fn add(&mut self, kind: &Kind, field: &str, parent: &Kind) {
        let reference = |kind: &Kind| Reference {
            field: field.to_owned(),
            kind: kind.clone(),
        };
        let parents = self.parents.entry(kind.clone()).or_default();
        if !parents.contains(&reference(parent)) {
            parents.push(reference(parent));
            let children = self.children.entry(parent.clone()).or_default();
            children.push(reference(kind));
        }
    }

    /// The kinds that a kind needs, itself left out: within one kind, rows decide.
    fn other_parents(&self, kind: &Kind) -> impl Iterator<Item = &Kind> {
        let parents = self.parents(kind).iter().map(|reference| &reference.kind);
        parents.filter(move |parent| *parent != kind)
    }

    /// Kinds that refer to each other in a circle, as a message.
    fn circle(&self) -> Option<String> {
        let mut done = Vec::new();
        for kind in self.parents.keys() {
            let mut path = vec![kind];
            if let Some(circle) = self.circle_from(&mut path, &mut done) {
                return Some(format!(
                    "kinds refer to each other in a circle, {circle}: a parent must come before \
                     its children, so leave one of these references out"
                ));
            }
        }
        None
    }

    fn circle_from<'a>(
        &'a self,
        path: &mut Vec<&'a Kind>,
        done: &mut Vec<&'a Kind>,
    ) -> Option<String> {
        let kind = *path.last()?;
        if done.contains(&kind) {
            return None;
        }
        for parent in self.other_parents(kind) {
            if let Some(start) = path.iter().position(|before| *before == parent) {
                let circle = path[start..].iter().chain([&parent]);
                let names: Vec<&str> = circle.map(|kind| kind.as_str()).collect();
                return Some(names.join(" -> "));
            }
            path.push(parent);
            if let Some(circle) = self.circle_from(path, done) {
                return Some(circle);
            }
            path.pop();
        }
        done.push(kind);
        None
    }

    fn depth_of(&self, kind: &Kind) -> usize {
        let parents = self.other_parents(kind);
        parents
            .map(|parent| 1 + self.depth_of(parent))
            .max()
            .unwrap_or(0)
    }

    /// Does nobody refer to anybody?
    pub(crate) fn is_empty(&self) -> bool {
        self.parents.is_empty()
    }

    /// What entities of this kind refer to.
    pub(crate) fn parents(&self, kind: &Kind) -> &[Reference] {
        self.parents.get(kind).map_or(&[], Vec::as_slice)
    }

    /// Which kinds refer to this one, and by which fields.
    pub(crate) fn children(&self, kind: &Kind) -> &[Reference] {
        self.children.get(kind).map_or(&[], Vec::as_slice)
    }

    /// Is this kind a parent or a child?
    pub(crate) fn concern(&self, kind: &Kind) -> bool {
        self.parents.contains_key(kind) || self.children.contains_key(kind)
    }

    /// Is this kind its own parent, as folders in folders are?
    pub(crate) fn form_a_tree(&self, kind: &Kind) -> bool {
        let mut parents = self.parents(kind).iter();
        parents.any(|reference| reference.kind == *kind)
    }

    /// How many kinds must come before this one.
    pub(crate) fn depth(&self, kind: &Kind) -> usize {
        self.depth.get(kind).copied().unwrap_or(0)
    }

    /// The kinds in groups, parents before their children; one group if nobody refers to anybody.
    pub(crate) fn levels(&self, kinds: Vec<Kind>) -> Vec<Vec<Kind>> {
        let mut levels: BTreeMap<usize, Vec<Kind>> = BTreeMap::new();
        for kind in kinds {
            let depth = self.depth(&kind);
            levels.entry(depth).or_default().push(kind);
        }
        levels.into_values().collect()
    }
}

fn problem_of_field(schema: &TableSchema, field: &str) -> Option<String> {
    let kind = &schema.kind;
    let table = &schema.table;
    match schema.by_field(field) {
        None => Some(format!(
            "{kind}: the reference {field:?} is no field with a column of table {table:?}: add the column, or mend the name"
        )),
        Some(column) if column.local_only => Some(format!(
            "{kind}: the reference {field:?} of table {table:?} stays on this device: refer by a field that is synced"
        )),
        Some(column) if !matches!(column.ty, ColumnType::Text | ColumnType::Integer) => {
            Some(format!(
                "{kind}: the reference {field:?} of table {table:?} is of type {:?} and cannot hold an id: use Text or Integer",
                column.ty
            ))
        }
        Some(_) => None,
    }
}

fn problem_of_kind(
    kind: &Kind,
    field: &str,
    parent: &str,
    tables: &BTreeMap<Kind, Table>,
) -> String {
    let known: Vec<&str> = tables.keys().map(Kind::as_str).collect();
    format!(
        "{kind}: the field {field:?} refers to kind {parent:?}, which is not registered: register its table, or mend the name (registered: {})",
        known.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conflict::ConflictStrategy;
    use crate::schema::Column;
    use crate::table::TableConfig;

    fn tables(declared: &[(&str, &[(&str, &str)])]) -> BTreeMap<Kind, Table> {
        let table = |(name, references): &(&str, &[(&str, &str)])| {
            let kind = Kind::new(name).unwrap();
            let schema = TableSchema::new(kind.clone(), *name, "id")
                .column(Column::new("id", ColumnType::Text))
                .column(Column::new("x", ColumnType::Text).nullable())
                .column(Column::new("y", ColumnType::Text).nullable());
            let config = references
                .iter()
                .fold(TableConfig::new(), |config, (field, kind)| {
                    config.references(*field, *kind)
                });
            let table = Table::new(schema, config, ConflictStrategy::AutoPreserve, 10);
            (kind, table)
        };
        declared.iter().map(table).collect()
    }

    #[test]
    fn a_circle_is_named_kind_by_kind() {
        let tables = tables(&[
            ("a", &[("x", "b")]),
            ("b", &[("x", "c")]),
            ("c", &[("x", "b")]),
        ]);
        let problems = References::new(&tables).unwrap_err();
        assert_eq!(problems.len(), 1);
        assert!(problems[0].contains("b -> c -> b"), "{problems:?}");
    }

    #[test]
    fn a_kind_with_two_ways_to_one_parent_is_no_circle() {
        let tables = tables(&[
            ("a", &[]),
            ("b", &[("x", "a")]),
            ("c", &[("x", "a"), ("y", "b")]),
        ]);
        let references = References::new(&tables).unwrap();
        let kinds: Vec<Kind> = tables.keys().rev().cloned().collect();
        let levels = references.levels(kinds);
        let names: Vec<Vec<&str>> = levels
            .iter()
            .map(|level| level.iter().map(Kind::as_str).collect())
            .collect();
        assert_eq!(names, [["a"], ["b"], ["c"]]);
    }

    #[test]
    fn a_kind_may_refer_to_itself() {
        let tables = tables(&[("a", &[("x", "a")])]);
        let references = References::new(&tables).unwrap();
        assert!(references.form_a_tree(&Kind::new("a").unwrap()));
    }
}
