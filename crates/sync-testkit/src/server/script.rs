//! Which fault strikes which request, and how often.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::faults::{Effect, Fault, Route, Stage};
use super::reply::Reply;
use super::routes::Action;
use super::spoil::PageToken;

#[derive(Debug)]
struct Entry {
    fault: Fault,
    route: Route,
    record: Option<(String, String)>,
    skip: usize,
    left: usize,
    hits: usize,
}

/// All faults that are scripted, in the order in which they were.
#[derive(Debug, Clone, Default)]
pub(crate) struct Script(Arc<Mutex<Vec<Entry>>>);

impl Script {
    fn entries(&self) -> MutexGuard<'_, Vec<Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn add(&self, fault: Fault) -> ScriptedFault {
        let mut entries = self.entries();
        entries.push(Entry {
            fault,
            route: Route::Any,
            record: None,
            skip: 0,
            left: 1,
            hits: 0,
        });
        ScriptedFault {
            script: self.clone(),
            index: entries.len() - 1,
        }
    }

    pub(crate) fn clear(&self) {
        for entry in self.entries().iter_mut() {
            entry.left = 0;
        }
    }

    /// Takes what is due at this stage: every wait and switch, and the first that ends the request.
    pub(super) fn take(&self, stage: Stage, action: &Action) -> Vec<Effect> {
        let mut due = Vec::new();
        for entry in self.entries().iter_mut() {
            let spoils = matches!(entry.fault.effect, Effect::Spoil(_));
            if entry.fault.stage() != stage || spoils || !entry.strikes(action) {
                continue;
            }
            let effect = entry.fault.effect.clone();
            let ends = matches!(effect, Effect::Answer(_) | Effect::Drop);
            due.push(effect);
            if ends {
                break;
            }
        }
        due
    }

    /// Spoils an answer with whatever is due and fits it.
    pub(crate) fn spoil(
        &self,
        action: &Action,
        page_token: Option<PageToken<'_>>,
        reply: &mut Reply,
    ) {
        for entry in self.entries().iter_mut() {
            if let Effect::Spoil(spoil) = entry.fault.effect {
                let mut spoilt = reply.clone();
                let fits = spoil.apply(&mut spoilt, page_token);
                if fits && entry.strikes(action) {
                    *reply = spoilt;
                }
            }
        }
    }
}

impl Entry {
    /// Counts the request; is it hit?
    fn strikes(&mut self, action: &Action) -> bool {
        let about =
            |(kind, id): &(String, String)| action.kind() == Some(kind) && action.id() == Some(id);
        if self.left == 0 || !self.route.covers(action) || !self.record.as_ref().is_none_or(about) {
            return false;
        }
        if self.skip > 0 {
            self.skip -= 1;
            return false;
        }
        if self.left != usize::MAX {
            self.left -= 1;
        }
        self.hits += 1;
        true
    }
}

/// A fault that is in force: at first once and for any request, until told otherwise.
#[derive(Debug, Clone)]
pub struct ScriptedFault {
    script: Script,
    index: usize,
}

#[expect(
    clippy::must_use_candidate,
    reason = "the fault is in force also if the handle is dropped"
)]
impl ScriptedFault {
    fn change(self, change: impl FnOnce(&mut Entry)) -> Self {
        if let Some(entry) = self.script.entries().get_mut(self.index) {
            change(entry);
        }
        self
    }

    /// For these requests only.
    pub fn on(self, route: Route) -> Self {
        self.change(|entry| entry.route = route)
    }

    /// For requests about this one record only.
    pub fn only(self, kind: &str, id: &str) -> Self {
        self.change(|entry| entry.record = Some((kind.to_owned(), id.to_owned())))
    }

    /// So many times. Default: once.
    pub fn times(self, times: usize) -> Self {
        self.change(|entry| entry.left = times)
    }

    /// Until it is [removed](Self::remove).
    pub fn always(self) -> Self {
        self.times(usize::MAX)
    }

    /// Lets so many requests pass first.
    pub fn skip(self, requests: usize) -> Self {
        self.change(|entry| entry.skip = requests)
    }

    /// How many requests it has hit.
    #[must_use]
    pub fn hits(&self) -> usize {
        self.script
            .entries()
            .get(self.index)
            .map_or(0, |entry| entry.hits)
    }

    /// Takes it out of force.
    pub fn remove(&self) {
        if let Some(entry) = self.script.entries().get_mut(self.index) {
            entry.left = 0;
        }
    }
}
