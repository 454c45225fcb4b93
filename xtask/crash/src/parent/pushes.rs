//! What was sent to the server, and how often it took effect.

use std::collections::{BTreeMap, VecDeque};

use sync_testkit::MockServer;

use super::ledger::{Ledger, Violation};
use crate::tables::mark;

/// So many requests are remembered that have not taken effect: an older one no longer will.
const REMEMBERED: usize = 2_000;

/// All pushes so far.
#[derive(Debug, Default)]
pub(crate) struct Pushes {
    /// How often each idempotency key took effect.
    applied: BTreeMap<String, u32>,
    /// Those that have not taken effect yet.
    open: VecDeque<Push>,
}

#[derive(Debug)]
struct Push {
    key: String,
    record: (String, String),
    text: Option<String>,
}

impl Pushes {
    /// How many took effect.
    pub(crate) fn applied(&self) -> usize {
        self.applied.len()
    }

    /// Looks at what came since the last look; notes in the ledger what the server took.
    pub(crate) fn look(&mut self, server: &MockServer, ledger: &mut Ledger) -> Vec<Violation> {
        let mut found: Vec<Violation> = server
            .reused_keys()
            .into_iter()
            .map(|key| Violation::new("I5", format!("key {key} came again with other content")))
            .collect();
        let requests = server.pushes();
        server.clear_recorded();
        for request in requests {
            let (Some(kind), Some(id)) = (request.kind(), request.id()) else {
                continue;
            };
            let Some(key) = request.header("x-idempotency-key") else {
                found.push(Violation::new(
                    "I5",
                    format!("{kind}/{id} came without a key"),
                ));
                continue;
            };
            let text = request.body.as_ref().and_then(|body| body["text"].as_str());
            self.open.push_back(Push {
                key: key.to_owned(),
                record: (kind.to_owned(), id.to_owned()),
                text: text.map(str::to_owned),
            });
        }
        let applied = &mut self.applied;
        self.open.retain(|push| {
            let times = server.applied(&push.key);
            if times == 0 {
                return true;
            }
            applied.insert(push.key.clone(), times);
            if let (Some(kept), Some(text)) = (ledger.records.get_mut(&push.record), &push.text) {
                let number = kept.writes.iter().find(|number| mark(**number) == *text);
                kept.accepted.extend(number.copied());
            }
            false
        });
        while self.open.len() > REMEMBERED {
            self.open.pop_front();
        }
        let twice = self.applied.iter().filter(|(_, times)| **times > 1);
        found.extend(twice.map(|(key, times)| {
            Violation::new("I5", format!("key {key} took effect {times} times"))
        }));
        found
    }
}
