//! Random walks: two users edit one record through crashes, faults and half-done runs; afterwards
//! the invariants must hold.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use sync_core::json::JsonMap;
use sync_core::{ConflictStrategy, SoftDelete};

use crate::check::Ledger;
use crate::device::FIELDS;
use crate::faults::Faults;
use crate::server::{GOOD, Habits};
use crate::world::{ID, World};

/// Walks per server and strategy; `SYNC_WALKS=5000` in the environment asks for more.
fn seeds() -> u64 {
    let asked = std::env::var("SYNC_WALKS").ok();
    asked.and_then(|number| number.parse().ok()).unwrap_or(60)
}

const STRATEGIES: [ConflictStrategy; 3] = [
    ConflictStrategy::AutoPreserve,
    ConflictStrategy::ServerWins,
    ConflictStrategy::ClientWins,
];

/// One walk, fully determined by its seed.
struct Walk {
    rng: fastrand::Rng,
    world: World,
    ledger: Ledger,
    values: u32,
}

impl Walk {
    fn new(habits: Habits, strategy: ConflictStrategy, seed: u64) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed);
        let soft_delete = if rng.bool() {
            SoftDelete::Keep
        } else {
            SoftDelete::Purge
        };
        let faults = Faults::random(fastrand::Rng::with_seed(rng.u64(..)), 45);
        let world = World::new(habits, strategy, soft_delete, faults);
        Self {
            rng,
            world,
            ledger: Ledger::default(),
            values: 0,
        }
    }

    fn run(mut self) -> Vec<String> {
        let steps = 12 + self.rng.u32(0..29);
        for _ in 0..steps {
            self.step();
            self.ledger.observe(&mut self.world);
        }
        self.ledger.say("--- the network is healed");
        if let Err(unsettled) = self.world.settle() {
            self.ledger.fail(format!("I10 {unsettled}"));
        }
        self.ledger.observe(&mut self.world);
        self.ledger.judge(&self.world);
        self.ledger.into_failures(&self.world)
    }

    fn step(&mut self) {
        let device = self.rng.usize(..2);
        let is_live = self.world.devices[device].row(ID).is_some();
        let was_born = !self.world.server.lock().unwrap().history.is_empty();
        match self.rng.u32(..100) {
            // Only one device creates the record.
            0..30 if is_live || was_born || device == 0 => self.edit(device),
            30..36 if is_live => {
                self.ledger.deleted(self.world.devices[device].name);
                self.world.devices[device].delete(ID);
            }
            36..40 => {
                self.ledger
                    .say(format!("{} crashes", self.world.devices[device].name));
                self.world.devices[device].crash();
            }
            40.. => {
                for _ in 0..[1, 1, 2, 4, 8][self.rng.usize(..5)] {
                    self.world.devices[device].step();
                }
            }
            _ => {}
        }
    }

    fn edit(&mut self, device: usize) {
        let row = self.world.devices[device].row(ID);
        let chosen: BTreeSet<&str> = match &row {
            None => FIELDS.into_iter().collect(),
            Some(_) => (0..[1, 1, 1, 2][self.rng.usize(..4)])
                .map(|_| FIELDS[self.rng.usize(..4)])
                .collect(),
        };
        let mut edit = JsonMap::new();
        for field in chosen {
            let before = row.as_ref().map_or(Value::Null, |row| row[field].clone());
            let after = if field == "t" {
                self.edited_list(device, &before)
            } else {
                self.fresh(device)
            };
            edit.insert(field.to_owned(), after);
        }
        let device = &self.world.devices[device];
        self.ledger.wrote(device.name, row.as_ref(), &edit);
        device.write(ID, &edit);
    }

    /// One element more, or one less.
    fn edited_list(&mut self, device: usize, before: &Value) -> Value {
        let mut list = before.as_array().cloned().unwrap_or_default();
        if !list.is_empty() && self.rng.u32(..100) < 35 {
            list.remove(self.rng.usize(..list.len()));
        } else {
            list.push(self.fresh(device));
        }
        json!(list)
    }

    /// A value that nobody wrote before.
    fn fresh(&mut self, device: usize) -> Value {
        self.values += 1;
        json!(format!(
            "{}{}",
            self.world.devices[device].name, self.values
        ))
    }
}

/// Walks with every strategy; shows the shortest failing story.
fn walk(habits: Habits) {
    let mut failed = Vec::new();
    for strategy in STRATEGIES {
        for seed in 0..seeds() {
            let failures = Walk::new(habits, strategy, seed).run();
            if !failures.is_empty() {
                failed.push((
                    failures.len(),
                    format!("{strategy}, seed {seed}:\n{}", failures.join("\n")),
                ));
            }
        }
    }
    failed.sort();
    let all = seeds() * 3;
    assert!(
        failed.is_empty(),
        "{} of {all} walks fail; the shortest: {}",
        failed.len(),
        failed[0].1
    );
}

#[test]
fn all_is_well_on_a_good_server() {
    walk(GOOD);
}

#[test]
fn all_is_well_where_successes_bring_no_record() {
    walk(Habits {
        answers_with_record: false,
        ..GOOD
    });
}

#[test]
fn all_is_well_where_creates_are_not_checked() {
    walk(Habits {
        checks_if_absent: false,
        ..GOOD
    });
}

#[test]
fn nothing_is_lost_where_keys_are_not_honoured() {
    walk(Habits {
        honours_keys: false,
        ..GOOD
    });
}

#[test]
fn all_is_well_where_conflicts_are_answered_again() {
    walk(Habits {
        remembers_conflicts: true,
        ..GOOD
    });
}

#[test]
fn all_is_well_where_tombstones_are_not_shown() {
    walk(Habits {
        shows_tombstones: false,
        ..GOOD
    });
}

#[test]
fn nothing_is_lost_where_versions_cannot_be_compared() {
    walk(Habits {
        cannot_compare: true,
        ..GOOD
    });
}
