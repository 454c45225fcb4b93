//! What goes wrong with the next request.

use std::collections::{BTreeMap, VecDeque};

use sync_core::OpId;

/// What becomes of one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    None,
    /// The request is lost on its way.
    Lost,
    /// The answer is lost on its way.
    AnswerLost,
    /// The server refuses a push (403).
    Refuse,
}

impl Fault {
    /// Does a request that only reads fail?
    pub(crate) fn hits_reads(self) -> bool {
        !matches!(self, Self::None | Self::Refuse)
    }
}

/// Where faults come from.
#[derive(Debug)]
pub(crate) struct Faults {
    planned: VecDeque<Fault>,
    refused: BTreeMap<OpId, u32>,
}

impl Faults {
    pub(crate) fn planned() -> Self {
        Self {
            planned: VecDeque::new(),
            refused: BTreeMap::new(),
        }
    }

    pub(crate) fn plan(&mut self, faults: &[Fault]) {
        self.planned = faults.iter().copied().collect();
    }

    /// From now on nothing fails.
    pub(crate) fn stop(&mut self) {
        self.planned.clear();
    }

    pub(crate) fn next(&mut self) -> Fault {
        self.planned.pop_front().unwrap_or(Fault::None)
    }

    /// No server refuses one operation for ever here.
    pub(crate) fn may_refuse(&mut self, op: &OpId) -> bool {
        let refused = self.refused.entry(op.clone()).or_default();
        *refused += 1;
        *refused <= 2
    }
}
