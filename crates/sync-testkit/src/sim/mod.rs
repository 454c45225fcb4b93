//! A deterministic simulator that looks for lost data.
//!
//! A world is a few clients (the real engine, each on a store in memory), one server with the
//! habits of many, a network that delays, drops, doubles and reorders, clocks that are wrong,
//! processes that die at any await, and users who write, delete, discard and decide while all that
//! goes on. Everything follows from a seed: the same seed is the same run, to the byte. A checker
//! that reads nothing but the server's history, the databases and what the users did names the
//! invariant that is broken (`I1` to `I12`, see the project's law).
//!
//! An app's own tables, merge functions and resolvers can be simulated too. The invariants hold
//! whatever they return; of a merge function it is judged that it is asked about the newest state of
//! the server and the edit as its user left it, and that what it returned is what goes out. What it
//! must keep is for [`Simulation::rule`] to say:
//!
//! ```
//! use sync_core::{Column, ColumnType, Kind, MergeFunction, TableConfig, TableSchema};
//! use sync_testkit::sim::{SimTable, Simulation};
//!
//! let todos = TableSchema::new(Kind::new("todos").unwrap(), "todos", "id")
//!     .column(Column::new("id", ColumnType::Text))
//!     .column(Column::new("title", ColumnType::Text).nullable())
//!     .column(Column::new("tags", ColumnType::Json).nullable());
//! let mine = TableConfig::new().merge(MergeFunction::new(|local, server| {
//!     let mut merged = server.clone();
//!     merged.extend(local.clone());
//!     merged
//! }));
//! let simulation = Simulation::of([SimTable::new(todos, mine)]).steps(60);
//! let tested = simulation.check(0..10).unwrap_or_else(|failure| panic!("{failure}"));
//! println!("{tested}");
//! ```

mod acts;
mod arrival;
mod beyond;
mod check;
mod client;
mod counters;
mod evolve;
mod existing;
mod failures;
mod generate;
mod guest;
mod hasty;
mod kin;
mod later;
mod latest;
mod link;
mod local;
mod merging;
mod others;
mod pause;
mod processes;
mod quiet;
mod related;
mod rules;
mod ruling;
mod schedule;
mod seen;
mod server;
mod shrink;
mod slow;
mod tables;
mod terms;
mod told;
mod updates;
mod urgency;
mod users;
mod watch;
mod world;

use std::fmt;
use std::sync::Arc;

use sync_core::Kind;
use sync_core::json::JsonMap;

pub use check::Violation;
pub use counters::Counters;
pub use existing::Existing;
pub use rules::{FieldRule, MergeRule};
pub use schedule::{Act, Asked, Decision, Fate, Schedule, ServerAct, Setup, Step, Strategy, Until};
pub use server::{Deletion, Habits, Keys, Paging, Revival, Stamps};
pub use tables::{FieldKind, SimTable};
pub use terms::{Terms, Way};

use self::shrink::Shrinker;
use self::world::World;

/// What must hold of every record on the server at the end of a world.
type Rule = dyn Fn(&Kind, &JsonMap) -> Result<(), String> + Send + Sync;

/// What to simulate.
///
/// ```
/// # use sync_testkit::sim::Simulation;
/// let tested = Simulation::default().steps(20).check(0..3).unwrap_or_else(|failure| panic!("{failure}"));
/// assert_eq!(tested.seeds, 3);
/// ```
#[derive(Clone)]
pub struct Simulation {
    tables: Vec<SimTable>,
    steps: u32,
    rule: Option<Arc<Rule>>,
}

impl fmt::Debug for Simulation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Simulation")
            .field("tables", &self.tables)
            .field("steps", &self.steps)
            .finish_non_exhaustive()
    }
}

/// What became of one world.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// What was found broken, in the order of its discovery; empty = all is well.
    pub violations: Vec<Violation>,
    /// The step after which the first of them was noticed; `None` = at the end.
    pub failed_at: Option<usize>,
    /// So many steps were done.
    pub steps: u64,
    /// How often each thing happened.
    pub counters: Counters,
    /// What happened, line by line, if it was asked for.
    pub story: Vec<String>,
    /// All that lies in the databases and on the server at the end, as text.
    pub end: String,
}

/// Worlds in which nothing was found broken.
#[derive(Debug, Clone, Default)]
pub struct Tested {
    /// How many.
    pub seeds: u64,
    /// Their steps.
    pub steps: u64,
    /// How often each thing happened.
    pub counters: Counters,
}

/// A world in which an invariant broke, made as short as it can be.
#[derive(Debug, Clone)]
pub struct Failure {
    /// Its seed.
    pub seed: u64,
    /// What broke.
    pub violation: Violation,
    /// The shortest schedule that was found to break it.
    pub schedule: Schedule,
    /// What happens in it, line by line.
    pub story: Vec<String>,
}

impl Default for Simulation {
    /// The built-in tables, 200 steps.
    fn default() -> Self {
        Self {
            tables: SimTable::built_in(),
            steps: 200,
            rule: None,
        }
    }
}

impl Simulation {
    /// Simulates an app's own tables, with their own settings.
    #[must_use]
    pub fn of(tables: impl IntoIterator<Item = SimTable>) -> Self {
        Self {
            tables: tables.into_iter().collect(),
            ..Self::default()
        }
    }

    /// So many steps in each world.
    #[must_use]
    pub fn steps(mut self, steps: u32) -> Self {
        self.steps = steps;
        self
    }

    /// What the app itself expects of every live record on the server at the end of a world, beside
    /// the invariants; `Err` says what is wrong with it. Told as the broken rule `app`.
    ///
    /// ```
    /// # use sync_testkit::sim::Simulation;
    /// let simulation = Simulation::default().steps(20).rule(|kind, record| {
    ///     if record.contains_key("a") {
    ///         return Ok(());
    ///     }
    ///     Err(format!("a record of {kind} without its first field"))
    /// });
    /// assert!(simulation.check(0..3).is_ok());
    /// ```
    #[must_use]
    pub fn rule<F>(mut self, rule: F) -> Self
    where
        F: Fn(&Kind, &JsonMap) -> Result<(), String> + Send + Sync + 'static,
    {
        self.rule = Some(Arc::new(rule));
        self
    }

    /// What happens in the world of this seed.
    #[must_use]
    pub fn schedule(&self, seed: u64) -> Schedule {
        generate::schedule(seed, self.steps)
    }

    /// Lets the world of this seed happen.
    #[must_use]
    pub fn run(&self, seed: u64) -> Outcome {
        self.replay(&self.schedule(seed))
    }

    /// Lets exactly this happen.
    #[must_use]
    pub fn replay(&self, schedule: &Schedule) -> Outcome {
        self.happen(schedule, false)
    }

    /// [`Simulation::replay`], telling every request, answer and event.
    #[must_use]
    pub fn tell(&self, schedule: &Schedule) -> Outcome {
        self.happen(schedule, true)
    }

    fn happen(&self, schedule: &Schedule, with_story: bool) -> Outcome {
        // What is told of a world is read by its developer.
        sync_core::contents::show_in_debug();
        let tables = SimTable::of_world(&self.tables, schedule.setup.related);
        let tables = rules::tables_of(tables, &schedule.setup);
        let mut world = World::new(&schedule.setup, &tables, with_story);
        let mut failed_at = None;
        for (place, step) in schedule.steps.iter().enumerate() {
            world.step(step);
            if !world.violations.is_empty() {
                failed_at = Some(place);
                break;
            }
        }
        if failed_at.is_none() {
            world.end();
            if let Some(rule) = &self.rule {
                world.judge_by(&**rule);
            }
        }
        let steps = failed_at.map_or(schedule.steps.len(), |place| place + 1);
        world.into_outcome(failed_at, steps as u64)
    }

    /// The shortest schedule that breaks the same invariant as this one, as far as it is found.
    #[must_use]
    pub fn shrink(&self, schedule: &Schedule, violation: &Violation) -> Schedule {
        let failed_at = self.replay(schedule).failed_at;
        Shrinker::new(self, violation.invariant).shrink(schedule.clone(), failed_at)
    }

    /// Looks at the worlds of these seeds until one breaks an invariant.
    ///
    /// # Errors
    /// The first [`Failure`], shrunk.
    pub fn check(&self, seeds: std::ops::Range<u64>) -> Result<Tested, Box<Failure>> {
        let mut tested = Tested::default();
        for seed in seeds {
            let outcome = self.run(seed);
            if let Some(violation) = outcome.violations.first() {
                return Err(Box::new(self.failure(seed, violation.clone())));
            }
            tested.count(&outcome);
        }
        Ok(tested)
    }

    /// What is told of a world in which something broke.
    #[must_use]
    pub fn failure(&self, seed: u64, violation: Violation) -> Failure {
        let schedule = self.shrink(&self.schedule(seed), &violation);
        let outcome = self.tell(&schedule);
        Failure {
            seed,
            violation: outcome.violations.into_iter().next().unwrap_or(violation),
            schedule,
            story: outcome.story,
        }
    }
}

impl Tested {
    /// One world more.
    pub fn count(&mut self, outcome: &Outcome) {
        self.seeds += 1;
        self.steps += outcome.steps;
        self.counters.add(&outcome.counters);
    }

    /// Both together.
    pub fn add(&mut self, other: &Self) {
        self.seeds += other.seeds;
        self.steps += other.steps;
        self.counters.add(&other.counters);
    }
}

impl fmt::Display for Tested {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            seeds,
            steps,
            counters,
        } = self;
        write!(f, "{counters}{seeds} seeds, {steps} steps, 0 violations")
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let steps = self.schedule.steps.len();
        writeln!(f, "seed {} breaks {}", self.seed, self.violation)?;
        writeln!(f, "in {steps} steps:\n{}", self.schedule)?;
        for line in &self.story {
            writeln!(f, "{line}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Failure {}
