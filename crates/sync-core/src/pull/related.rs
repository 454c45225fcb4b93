//! Rows of kinds that refer to each other: none without its parent, no parent away from under its
//! children (semantics 5 and 7).

use std::collections::BTreeSet;

use super::apply::RowsDone;
use super::incoming::Row;
use super::{KindOutcome, PullPhase};
use crate::error::SyncError;
use crate::id::{EntityId, Kind};
use crate::references::{self, HAS_CHILDREN, missing_parent, parents_here};
use crate::stats::SyncStats;
use crate::store::{Removal, StoreError, StoreTx};
use crate::table::Table;

impl PullPhase<'_> {
    /// Writes rows whose parents are here, in a tree level by level; the others wait. Tombstones
    /// without a parent join those that go.
    pub(super) async fn put_children(
        &self,
        tx: &mut dyn StoreTx,
        kind: &Kind,
        mut rows: Vec<Row>,
        generation: u32,
        gone: &mut Vec<Row>,
        done: &mut RowsDone,
    ) -> Result<(), StoreError> {
        let references = self.context.references.parents(kind);
        let records = rows.iter().map(|row| &row.record);
        let mut here = parents_here(tx, references, records).await?;
        let reason = |row: &Row, here: &BTreeSet<references::Key>| {
            missing_parent(references, (kind, &row.id), &row.record, here)
        };
        loop {
            let (ready, rest): (Vec<Row>, Vec<Row>) = rows
                .into_iter()
                .partition(|row| reason(row, &here).is_none());
            rows = rest;
            if ready.is_empty() {
                break;
            }
            let before = done.applied.len();
            self.put_rows(tx, kind, ready, generation, gone, done)
                .await?;
            if !self.context.references.form_a_tree(kind) {
                break;
            }
            let taken = done.applied.iter().skip(before);
            here.extend(taken.map(|id| (kind.clone(), id.clone())));
        }
        for row in rows {
            match reason(&row, &here) {
                Some(_) if row.is_deleted => gone.push(row),
                reason => {
                    let (key, row) = (row.id.to_string(), row.record.into());
                    let reason = reason.unwrap_or_default();
                    done.waiting.push(self.entry(kind, key, row, reason));
                }
            }
        }
        Ok(())
    }

    /// Removes rows that nobody refers to, in a tree from its leaves on; the others wait.
    pub(super) async fn remove_parents(
        &self,
        tx: &mut dyn StoreTx,
        kind: &Kind,
        mut rows: Vec<Row>,
        done: &mut RowsDone,
    ) -> Result<(), StoreError> {
        let references = &self.context.references;
        while !rows.is_empty() {
            let ids: Vec<EntityId> = rows.iter().map(|row| row.id.clone()).collect();
            let held = references::held_parents(tx, references, kind, &ids).await?;
            let (ready, rest): (Vec<Row>, Vec<Row>) =
                rows.into_iter().partition(|row| !held.contains(&row.id));
            rows = rest;
            if ready.is_empty() {
                break;
            }
            self.remove_rows(tx, kind, ready, done).await?;
            if !references.form_a_tree(kind) {
                break;
            }
        }
        for row in rows {
            let (key, row) = (row.id.to_string(), row.record.into());
            let entry = self.entry(kind, key, row, HAS_CHILDREN.to_owned());
            done.waiting.push(entry);
        }
        Ok(())
    }

    /// Removals without those of rows that somebody refers to.
    pub(super) async fn unreferred(
        &self,
        tx: &mut dyn StoreTx,
        kind: &Kind,
        mut removals: Vec<Removal>,
    ) -> Result<Vec<Removal>, StoreError> {
        let references = &self.context.references;
        if !references.children(kind).is_empty() {
            let ids: Vec<EntityId> = removals.iter().map(|own| own.id.clone()).collect();
            let held = references::held_parents(tx, references, kind, &ids).await?;
            removals.retain(|removal| !held.contains(&removal.id));
        }
        Ok(removals)
    }

    /// When all kinds were pulled: parents whose children have gone since may go, and children of
    /// other kinds than those that were pulled may have found their parents.
    pub(super) async fn settle_related(&self, pulled: &[Kind]) -> Vec<KindOutcome> {
        let references = &self.context.references;
        let mut outcomes = Vec::new();
        if references.is_empty() {
            return outcomes;
        }
        let levels = references.levels(self.context.tables.keys().cloned().collect());
        let mut touched: BTreeSet<Kind> = pulled.iter().cloned().collect();
        for kind in levels.iter().rev().flatten() {
            if !references.children(kind).is_empty() {
                outcomes.push(self.settle_kind(kind).await);
            }
        }
        for kind in levels.into_iter().flatten() {
            let mut parents = references.parents(&kind).iter();
            if !touched.contains(&kind) && parents.any(|parent| touched.contains(&parent.kind)) {
                outcomes.push(self.settle_kind(&kind).await);
                touched.insert(kind);
            }
        }
        outcomes
    }

    async fn settle_kind(&self, kind: &Kind) -> KindOutcome {
        let mut stats = SyncStats::default();
        let done = async {
            let table: &Table = self.context.table(kind)?;
            self.retry_quarantined(kind, table, &mut stats).await?;
            Ok::<(), SyncError>(())
        };
        let failure = done.await.err();
        KindOutcome {
            kind: kind.clone(),
            stats,
            failure,
        }
    }
}
