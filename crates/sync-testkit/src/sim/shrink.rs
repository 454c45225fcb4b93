//! Makes a failing schedule as short as it can be while it breaks the same invariant.

use super::schedule::{Fate, Schedule, Step, Until};
use super::{Outcome, Simulation};

/// So many schedules are tried at most.
const TRIES: u32 = 1_500;

pub(crate) struct Shrinker<'a> {
    simulation: &'a Simulation,
    invariant: &'static str,
    tries: u32,
}

impl<'a> Shrinker<'a> {
    pub(crate) fn new(simulation: &'a Simulation, invariant: &'static str) -> Self {
        Self {
            simulation,
            invariant,
            tries: TRIES,
        }
    }

    fn fails(&mut self, schedule: &Schedule) -> bool {
        if self.tries == 0 {
            return false;
        }
        self.tries -= 1;
        self.outcome(schedule).is_some()
    }

    /// The outcome, if the schedule still breaks the invariant.
    fn outcome(&self, schedule: &Schedule) -> Option<Outcome> {
        let outcome = self.simulation.replay(schedule);
        let broken = outcome.violations.first()?;
        (broken.invariant == self.invariant).then_some(outcome)
    }

    pub(crate) fn shrink(mut self, mut schedule: Schedule, failed_at: Option<usize>) -> Schedule {
        if let Some(step) = failed_at {
            let mut cut = schedule.clone();
            cut.steps.truncate(step + 1);
            if self.fails(&cut) {
                schedule = cut;
            }
        }
        loop {
            let before = schedule.clone();
            self.leave_out(&mut schedule);
            self.simplify(&mut schedule);
            if schedule == before || self.tries == 0 {
                return schedule;
            }
        }
    }

    /// Leaves out runs of steps, long ones first.
    fn leave_out(&mut self, schedule: &mut Schedule) {
        let mut size = (schedule.steps.len() / 2).max(1);
        loop {
            let mut end = schedule.steps.len();
            while end > 0 {
                let start = end.saturating_sub(size);
                let mut shorter = schedule.clone();
                shorter.steps.drain(start..end);
                if self.fails(&shorter) {
                    *schedule = shorter;
                }
                end = start.min(schedule.steps.len());
            }
            if size == 1 {
                return;
            }
            size = (size / 2).max(1);
        }
    }

    /// Simpler worlds and simpler steps.
    fn simplify(&mut self, schedule: &mut Schedule) {
        for change in setups() {
            let mut simpler = schedule.clone();
            change(&mut simpler);
            if simpler != *schedule && self.fails(&simpler) {
                *schedule = simpler;
            }
        }
        for place in 0..schedule.steps.len() {
            for simpler_step in simpler(&schedule.steps[place]) {
                let mut simpler = schedule.clone();
                simpler.steps[place] = simpler_step;
                if self.fails(&simpler) {
                    *schedule = simpler;
                    break;
                }
            }
        }
    }
}

type Change = fn(&mut Schedule);

/// Each makes one thing of a world as it is in the simplest one.
fn setups() -> Vec<Change> {
    use super::server::Habits;
    vec![
        |schedule| schedule.setup.habits = Habits::default(),
        |schedule| schedule.setup.clients = 2,
        |schedule| schedule.setup.rows = 1,
        |schedule| schedule.setup.clocks_differ = false,
        |schedule| schedule.setup.push_concurrency = 1,
        |schedule| schedule.setup.max_batch = 1,
        |schedule| schedule.setup.page_size = 50,
        |schedule| schedule.setup.coalesce = true,
        |schedule| schedule.setup.slow_resolvers = false,
        |schedule| schedule.setup.existing = None,
        |schedule| schedule.setup.terms.clear(),
        |schedule| schedule.setup.rules.clear(),
        |schedule| schedule.setup.forges = false,
        |schedule| schedule.setup.habits.takes_parts = false,
        |schedule| {
            if let Some(existing) = &mut schedule.setup.existing {
                existing.dies_after = None;
            }
        },
        |schedule| schedule.setup.habits.trims = false,
        |schedule| schedule.setup.habits.tags = false,
        |schedule| schedule.setup.habits.epochs = false,
        |schedule| schedule.setup.habits.bodies = true,
        |schedule| schedule.setup.habits.declares = true,
        |schedule| schedule.setup.habits.cap = None,
        |schedule| schedule.setup.habits.stores_conflicts = false,
        |schedule| schedule.setup.habits.shows_conflicts = true,
        |schedule| schedule.setup.habits.checks_absence = true,
        |schedule| schedule.setup.habits.keys = Habits::default().keys,
        |schedule| schedule.setup.habits.deletion = Habits::default().deletion,
        |schedule| schedule.setup.habits.revival = Habits::default().revival,
        |schedule| schedule.setup.habits.stamps = Habits::default().stamps,
        |schedule| schedule.setup.habits.paging = Habits::default().paging,
    ]
}

fn simpler(step: &Step) -> Vec<Step> {
    let Step::Go {
        client,
        until,
        fates,
    } = step
    else {
        return Vec::new();
    };
    let with = |until: Until, fates: Vec<Fate>| Step::Go {
        client: *client,
        until,
        fates,
    };
    let mut all = Vec::new();
    if !fates.is_empty() {
        all.push(with(*until, Vec::new()));
    }
    if *until != Until::End {
        all.push(with(Until::End, fates.clone()));
    }
    for place in 0..fates.len() {
        if fates[place] != Fate::Arrives {
            let mut fewer = fates.clone();
            fewer[place] = Fate::Arrives;
            all.push(with(*until, fewer));
        }
    }
    all
}
