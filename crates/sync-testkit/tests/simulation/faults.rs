//! What goes wrong with the next request.

use std::collections::{BTreeMap, VecDeque};

use sync_core::OpId;

/// What becomes of one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    None,
    /// Nothing leaves the device, and it knows.
    NotLeft,
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
    /// Random numbers and how many of a hundred requests fail; `None` = only what is planned.
    random: Option<(fastrand::Rng, u32)>,
    refused: BTreeMap<OpId, u32>,
}

impl Faults {
    pub(crate) fn planned() -> Self {
        Self {
            planned: VecDeque::new(),
            random: None,
            refused: BTreeMap::new(),
        }
    }

    pub(crate) fn random(rng: fastrand::Rng, percent: u32) -> Self {
        Self {
            random: Some((rng, percent)),
            ..Self::planned()
        }
    }

    pub(crate) fn plan(&mut self, faults: &[Fault]) {
        self.planned = faults.iter().copied().collect();
    }

    /// From now on nothing fails.
    pub(crate) fn stop(&mut self) {
        self.planned.clear();
        self.random = None;
    }

    pub(crate) fn next(&mut self) -> Fault {
        if let Some(fault) = self.planned.pop_front() {
            return fault;
        }
        let Some((rng, percent)) = &mut self.random else {
            return Fault::None;
        };
        if rng.u32(0..100) >= *percent {
            return Fault::None;
        }
        let kinds = [
            Fault::NotLeft,
            Fault::Lost,
            Fault::AnswerLost,
            Fault::AnswerLost,
            Fault::AnswerLost,
            Fault::Refuse,
        ];
        kinds[rng.usize(..kinds.len())]
    }

    /// No server refuses one operation for ever here.
    pub(crate) fn may_refuse(&mut self, op: &OpId) -> bool {
        let refused = self.refused.entry(op.clone()).or_default();
        *refused += 1;
        *refused <= 2
    }
}
