//! Kills the process, looks at what it leaves, and lets the next one go on from there.

mod check;
mod file;
mod ledger;
mod life;
mod others;
mod proof;
mod pushes;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Instant;

use sync_testkit::MockServer;

use self::check::{Account, Server};
use self::file::File;
use self::ledger::{Ledger, Violation};
use self::life::{Ended, Life};
use self::others::Others;
use self::pushes::Pushes;
use crate::Result;
use crate::arguments::Arguments;
use crate::child::Orders;
use crate::line::Line;
use crate::phase::Phase;
use crate::tables::NOTES;

/// After so many kills the process may come to rest, and everything is compared.
const REST_EVERY: u32 = 20;
/// From so many kills on each phase must have been hit so often.
const ENOUGH: (u32, u32) = (150, 10);
/// Fewer kills must have hit each phase at least once from here on.
const SOME: u32 = 40;
/// So often at most others act between two lives.
const MOST_ACTS_BETWEEN: u32 = 40;

/// What was done and found.
struct Outcome {
    /// How often which phase was hit.
    hits: BTreeMap<Phase, u32>,
    kills: u32,
    summary: String,
    /// By the last look.
    found: Found,
}

/// What became of all writes, and what is wrong.
#[derive(Default)]
struct Found {
    account: Account,
    violations: Vec<Violation>,
}

/// What lies here and there after a life.
struct Look {
    file: File,
    server: Server,
    found: Found,
}

/// Does what is asked for.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    if arguments.planted {
        return proof::run(arguments.seed);
    }
    let started = Instant::now();
    let outcome = Campaign::new(arguments.seed, None)?.run(arguments.kills)?;
    println!("killed in the phase    times");
    for phase in Phase::AIMED_AT.into_iter().chain([Phase::Between]) {
        let hits = outcome.hits.get(&phase).copied().unwrap_or(0);
        println!("  {phase:<20} {hits:>5}");
    }
    println!("what became of the writes");
    for (fate, count) in &outcome.found.account {
        println!("  {:<44} {count:>6}", fate.name());
    }
    println!("{}", outcome.summary);
    let seconds = started.elapsed().as_secs_f64();
    println!(
        "{} kills, {} violations ({seconds:.1} s)",
        outcome.kills,
        outcome.found.violations.len()
    );
    for violation in &outcome.found.violations {
        eprintln!("{violation}");
    }
    if !outcome.found.violations.is_empty() {
        return Err("something was lost, or came to be what it must not be".into());
    }
    missed(&outcome)
}

/// A test that never hit a phase has proved nothing about it.
fn missed(outcome: &Outcome) -> Result<()> {
    let wanted = match outcome.kills {
        kills if kills >= ENOUGH.0 => ENOUGH.1,
        kills if kills >= SOME => 1,
        _ => 0,
    };
    let hits = |phase: &Phase| outcome.hits.get(phase).copied().unwrap_or(0);
    let missed = Phase::AIMED_AT.iter().filter(|phase| hits(phase) < wanted);
    let missed: Vec<&str> = missed.map(|phase| phase.name()).collect();
    if missed.is_empty() {
        Ok(())
    } else {
        Err(format!("hit fewer than {wanted} times: {}", missed.join(", ")).into())
    }
}

/// One file, one server, many lives.
struct Campaign {
    runtime: tokio::runtime::Runtime,
    server: MockServer,
    others: Others,
    ledger: Ledger,
    pushes: Pushes,
    folder: tempfile::TempDir,
    dice: fastrand::Rng,
    defect: Option<&'static str>,
    hits: BTreeMap<Phase, u32>,
    rests: u32,
}

impl Campaign {
    fn new(seed: u64, defect: Option<&'static str>) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()?;
        let server = runtime.block_on(MockServer::start())?;
        Ok(Self {
            others: Others::new(&server)?,
            server,
            runtime,
            ledger: Ledger::default(),
            pushes: Pushes::default(),
            folder: tempfile::tempdir()?,
            dice: fastrand::Rng::with_seed(seed),
            defect,
            hits: BTreeMap::new(),
            rests: 0,
        })
    }

    /// Kills until something is found, or so often.
    fn run(mut self, kills: u32) -> Result<Outcome> {
        let mut done = 0;
        let mut found = Found::default();
        while done < kills && found.violations.is_empty() {
            let ended = self.one_life()?;
            done += 1;
            *self.hits.entry(ended.phase()).or_default() += 1;
            found = self.look(&ended)?.found;
            if found.violations.is_empty() && (done % REST_EVERY == 0 || done == kills) {
                found = self.rest()?;
            }
        }
        let summary = format!(
            "{} writes acknowledged; {} were written and killed before they could say so, {} were not written at all\n{} pushes took effect; {} times everything came to rest and was compared",
            self.ledger.acknowledged,
            self.ledger.written_unheard,
            self.ledger.not_written,
            self.pushes.applied(),
            self.rests,
        );
        // Who still sends something to the server is not waited for.
        self.runtime.shutdown_background();
        Ok(Outcome {
            hits: self.hits,
            kills: done,
            summary,
            found,
        })
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("app.db")
    }

    fn orders(&mut self, aim: Option<Phase>, rests: bool) -> Orders {
        Orders {
            url: self.server.url(),
            file: self.path(),
            seed: self.dice.u64(..),
            first: self.ledger.next,
            aim,
            rests,
        }
    }

    /// Mostly the phase that was hit least; sometimes any moment.
    fn aim(&mut self) -> Option<Phase> {
        if self.dice.u8(..4) == 0 {
            return None;
        }
        let hits = |phase: &Phase| self.hits.get(phase).copied().unwrap_or(0);
        let fewest = Phase::AIMED_AT.iter().map(hits).min().unwrap_or(0);
        let rare = Phase::AIMED_AT.iter().copied();
        let rare: Vec<Phase> = rare.filter(|phase| hits(phase) == fewest).collect();
        Some(rare[self.dice.usize(..rare.len())])
    }

    fn one_life(&mut self) -> Result<Ended> {
        // Others do not wait for a process that is dead.
        for _ in 0..self.dice.u32(..MOST_ACTS_BETWEEN) {
            self.others.act(&mut self.dice);
        }
        let aim = self.aim();
        others::disturb(&self.server, aim, &mut self.dice);
        let life = Life::begin(&self.orders(aim, false), self.defect)?;
        let others = &mut self.others;
        life.kill(aim, &mut self.dice, |dice| others.act(dice))
    }

    /// What the process told, and what it left.
    fn look(&mut self, ended: &Ended) -> Result<Look> {
        for line in &ended.heard {
            self.ledger.hear(line);
            if let Line::Begins { kind, id, .. } = line
                && kind == NOTES
                && id.starts_with("created-")
            {
                self.others.hear_of_note(id);
            }
        }
        let file = File::read(&self.path())?;
        let mut violations: Vec<Violation> = self.ledger.killed(&file).into_iter().collect();
        violations.extend(self.pushes.look(&self.server, &mut self.ledger));
        let server = check::server_records(&self.server);
        let (account, more) = check::after_kill(&file, &server, &self.ledger, &self.others);
        violations.extend(more);
        let found = Found {
            account,
            violations,
        };
        Ok(Look {
            file,
            server,
            found,
        })
    }

    /// Lets the process do all there is to do, undisturbed, and compares everything.
    fn rest(&mut self) -> Result<Found> {
        others::refuse(&self.server);
        let life = Life::begin(&self.orders(None, true), self.defect)?;
        let ended = match life.rest() {
            Ok(ended) => ended,
            Err(error) => {
                let violation = Violation::new("I10", format!("no rest: {error}"));
                return Ok(Found {
                    violations: vec![violation],
                    ..Found::default()
                });
            }
        };
        let Look {
            file,
            server,
            mut found,
        } = self.look(&ended)?;
        let at_rest = check::at_rest(&file, &server, &self.ledger, &self.others);
        found.violations.extend(at_rest);
        self.others.rested();
        self.rests += 1;
        Ok(found)
    }
}
