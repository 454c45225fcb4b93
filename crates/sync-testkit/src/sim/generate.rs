//! Draws a schedule from a seed. Every world has some habits, faults and kinds of acts and lacks
//! others: what is rare everywhere is frequent somewhere.

use super::later;
use super::schedule::{
    Act, Asked, Decision, Fate, Schedule, ServerAct, Setup, Step, Strategy, Until,
};
use super::server::{Deletion, Habits, Keys, Paging, Revival, Stamps};

/// What may happen in one world.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is drawn on its own")]
struct Mood {
    /// So many of a hundred requests fail.
    faults: u32,
    crashes: bool,
    clocks: bool,
    deletes: bool,
    clears: bool,
    discards: bool,
    offends: bool,
    spoils: bool,
    restores: bool,
    other_apps: bool,
    commits_late: bool,
    resyncs: bool,
    switches: bool,
    long_waits: bool,
    /// Many runs only push.
    halves: bool,
    /// Somebody writes while a run is under way, rather than between runs.
    busy: bool,
    /// One failure is preferred.
    favourite: Fate,
}

pub(crate) fn schedule(seed: u64, steps: u32) -> Schedule {
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut setup = setup(seed, &mut rng);
    let mood = mood(&mut rng);
    let mut drawn = Vec::with_capacity(steps as usize);
    while drawn.len() < steps as usize {
        draw(&mut rng, &setup, &mood, &mut drawn);
    }
    later::add(seed, steps, &mut setup, &mut drawn);
    Schedule {
        setup,
        steps: drawn,
    }
}

fn one_in(rng: &mut fastrand::Rng, number: u32) -> bool {
    rng.u32(..number) == 0
}

fn setup(seed: u64, rng: &mut fastrand::Rng) -> Setup {
    let strategy = if rng.u32(..100) < 55 {
        Strategy::AutoPreserve
    } else {
        Strategy::ALL[rng.usize(..Strategy::ALL.len())]
    };
    Setup {
        seed,
        clients: [2, 2, 2, 3, 3, 4, 5][rng.usize(..7)],
        rows: [1, 1, 2, 2, 3, 5][rng.usize(..6)],
        strategy,
        keeps_deleted: rng.bool(),
        coalesce: !one_in(rng, 8),
        page_size: [1, 2, 3, 50][rng.usize(..4)],
        push_concurrency: [1, 1, 2, 4][rng.usize(..4)],
        max_batch: [1, 1, 1, 2, 4][rng.usize(..5)],
        clocks_differ: rng.bool(),
        habits: habits(rng),
        related: false,
        old_apps: 0,
        slow_resolvers: false,
        existing: None,
        terms: Vec::new(),
        forges: false,
        rules: Vec::new(),
    }
}

fn habits(rng: &mut fastrand::Rng) -> Habits {
    let mut habits = Habits {
        paging: [Paging::Keyset, Paging::Tokens, Paging::Cursor][rng.usize(..3)],
        stamps: [Stamps::Micros, Stamps::Micros, Stamps::Shared][rng.usize(..3)],
        declares: rng.bool(),
        ..Habits::default()
    };
    if one_in(rng, 4) {
        habits.bodies = false;
    }
    if one_in(rng, 5) {
        habits.keys = [Keys::Ignored, Keys::Forgotten(2), Keys::Forgotten(5)][rng.usize(..3)];
    }
    if one_in(rng, 8) {
        habits.checks_absence = false;
    }
    if one_in(rng, 5) {
        habits.stores_conflicts = true;
    }
    if one_in(rng, 6) {
        habits.shows_conflicts = false;
    }
    if one_in(rng, 4) {
        habits.deletion = [Deletion::Hidden, Deletion::Hard][rng.usize(..2)];
    }
    if one_in(rng, 8) {
        habits.revival = [Revival::Refused, Revival::Pretended][rng.usize(..2)];
    }
    if one_in(rng, 8) {
        habits.stamps = Stamps::Truncated;
    }
    if one_in(rng, 5) {
        habits.trims = true;
    }
    if one_in(rng, 4) {
        habits.cap = Some(rng.u8(1..4));
    }
    if one_in(rng, 5) {
        habits.tags = true;
    }
    habits
}

fn mood(rng: &mut fastrand::Rng) -> Mood {
    const FAVOURITES: [Fate; 8] = [
        Fate::AnswerLost,
        Fate::Late,
        Fate::Lost,
        Fate::NotLeft,
        Fate::Twice,
        Fate::Status(500),
        Fate::Status(403),
        Fate::LeavesOut,
    ];
    Mood {
        faults: [0, 20, 40, 60][rng.usize(..4)],
        crashes: rng.bool(),
        clocks: one_in(rng, 3),
        deletes: rng.bool(),
        clears: one_in(rng, 3),
        discards: one_in(rng, 6),
        offends: one_in(rng, 6),
        spoils: one_in(rng, 6),
        restores: one_in(rng, 14),
        other_apps: rng.bool(),
        commits_late: one_in(rng, 3),
        resyncs: one_in(rng, 3),
        switches: one_in(rng, 12),
        long_waits: one_in(rng, 6),
        halves: rng.bool(),
        busy: rng.bool(),
        favourite: FAVOURITES[rng.usize(..FAVOURITES.len())],
    }
}

fn fate(rng: &mut fastrand::Rng, mood: &Mood) -> Fate {
    const OTHERS: [Fate; 18] = [
        Fate::NotLeft,
        Fate::Lost,
        Fate::AnswerLost,
        Fate::AnswerLost,
        Fate::AnswerLost,
        Fate::Late,
        Fate::Twice,
        Fate::BrokenBody,
        Fate::Portal,
        Fate::Status(401),
        Fate::Status(403),
        Fate::Status(404),
        Fate::Status(413),
        Fate::Status(422),
        Fate::Status(429),
        Fate::Status(500),
        Fate::Status(503),
        Fate::LeavesOut,
    ];
    if rng.u32(..100) >= mood.faults {
        return Fate::Arrives;
    }
    match rng.u32(..5) {
        0 | 1 => mood.favourite,
        2 => Fate::Muddled,
        _ => OTHERS[rng.usize(..OTHERS.len())],
    }
}

fn go(rng: &mut fastrand::Rng, mood: &Mood, client: u8) -> Step {
    let until = match rng.u32(..10) {
        0..2 => Until::Awaits(rng.u8(1..4)),
        2..4 => Until::Awaits(rng.u8(4..60)),
        4..6 => Until::Requests(rng.u8(1..4)),
        _ => Until::End,
    };
    let count = if mood.faults == 0 { 0 } else { rng.usize(..5) };
    let mut fates: Vec<Fate> = (0..count).map(|_| fate(rng, mood)).collect();
    while fates.last() == Some(&Fate::Arrives) {
        fates.pop();
    }
    Step::Go {
        client,
        until,
        fates,
    }
}

/// The place of a table: the first, with all its fields, more often than the others.
fn table(rng: &mut fastrand::Rng) -> u8 {
    if rng.u32(..4) == 0 { 1 } else { 0 }
}

fn act(rng: &mut fastrand::Rng, mood: &Mood) -> Act {
    let (table, row) = (table(rng), rng.u8(..5));
    match rng.u32(..40) {
        0..4 if mood.deletes => Act::Delete { table, row },
        4..7 if mood.clears => Act::Clear {
            table,
            row,
            field: rng.u8(..8),
        },
        7 if mood.offends => Act::Offend { table, row },
        8 | 9 if mood.discards => Act::Discard { table, row },
        10 => Act::Resolve {
            decision: [Decision::Server, Decision::Client, Decision::Merged][rng.usize(..3)],
        },
        11 => Act::Retry,
        _ => {
            let one = 1 << rng.u16(..5);
            let another = if one_in(rng, 3) { 1 << rng.u16(..5) } else { 0 };
            Act::Write {
                table,
                row,
                fields: one | another,
                removes: rng.u32(..3) == 0,
            }
        }
    }
}

fn server_act(rng: &mut fastrand::Rng, mood: &Mood) -> ServerAct {
    let (table, row) = (table(rng), rng.u8(..5));
    match rng.u32(..20) {
        0 if mood.deletes => ServerAct::Delete { table, row },
        1 if mood.spoils => ServerAct::Spoil { table: 0, row },
        2 if mood.resyncs => ServerAct::ExpireCursors,
        3 | 4 if mood.restores => ServerAct::Backup,
        5 if mood.restores => ServerAct::Restore,
        _ => ServerAct::Write {
            table,
            row,
            field: rng.u8(..5),
            commits_late: mood.commits_late && rng.bool(),
        },
    }
}

fn draw(rng: &mut fastrand::Rng, setup: &Setup, mood: &Mood, steps: &mut Vec<Step>) {
    let client = rng.u8(..setup.clients);
    match rng.u32(..100) {
        0..30 => steps.push(Step::User {
            client,
            act: act(rng, mood),
        }),
        30..33 if mood.crashes => steps.push(Step::DieWriting {
            client,
            act: act(rng, mood),
            awaits: rng.u8(1..12),
        }),
        33..60 => {
            let what = match rng.u32(..20) {
                1 | 2 => Asked::Pull,
                3..8 if mood.halves => Asked::Push,
                0 if mood.resyncs => Asked::Resync {
                    clear_data: one_in(rng, 4),
                },
                _ => Asked::Sync,
            };
            steps.push(Step::Ask {
                client,
                what,
                after_seconds: [0, 1, 200, 200, 600][rng.usize(..5)],
            });
            if mood.busy {
                steps.push(go(rng, mood, client));
                steps.push(Step::User {
                    client,
                    act: act(rng, mood),
                });
            }
            steps.push(go(rng, mood, client));
        }
        60..78 => steps.push(go(rng, mood, client)),
        78..80 if mood.crashes => steps.push(Step::Crash { client }),
        80 if mood.switches => steps.push(Step::SwitchStrategy {
            client,
            strategy: Strategy::ALL[rng.usize(..Strategy::ALL.len())],
        }),
        81 if mood.clocks => steps.push(Step::SetClock {
            client,
            seconds: [-31_536_000, -86_400, -300, 300, 86_400, 31_536_000][rng.usize(..6)],
        }),
        82..84 => steps.push(Step::Wait {
            seconds: match rng.u32(..8) {
                0 if mood.long_waits => 8 * 24 * 3600,
                0..4 => 1,
                _ => rng.u32(1..600),
            },
        }),
        84..89 if setup.clients > 1 => scene(rng, setup, mood, steps),
        89 | 90 => steps.push(Step::Deliver { newest: rng.bool() }),
        91..100 if mood.other_apps => steps.push(Step::Server {
            act: server_act(rng, mood),
        }),
        _ => {}
    }
}

/// Two users at one row, one of them on a bad line: where edits, answers and repeats meet.
fn scene(rng: &mut fastrand::Rng, setup: &Setup, mood: &Mood, steps: &mut Vec<Step>) {
    let (table, row) = (table(rng), rng.u8(..5));
    let one = rng.u8(..setup.clients);
    let other = (one + 1) % setup.clients;
    let write = |rng: &mut fastrand::Rng, client| Step::User {
        client,
        act: Act::Write {
            table,
            row,
            fields: 1 << rng.u16(..5),
            removes: false,
        },
    };
    let ask = |client, what| Step::Ask {
        client,
        what,
        after_seconds: 200,
    };
    let go = |client, fates| Step::Go {
        client,
        until: Until::End,
        fates,
    };
    for client in [one, other] {
        steps.extend([ask(client, Asked::Sync), go(client, Vec::new())]);
    }
    steps.extend([write(rng, one), write(rng, other)]);
    steps.extend([ask(other, Asked::Sync), go(other, Vec::new())]);
    for _ in 0..3 {
        let what = [Asked::Push, Asked::Push, Asked::Sync, Asked::Pull][rng.usize(..4)];
        let bad = [
            Fate::AnswerLost,
            Fate::AnswerLost,
            Fate::Status(403),
            mood.favourite,
        ];
        let bad = bad[rng.usize(..4)];
        let fates = match rng.u32(..3) {
            0 => Vec::new(),
            1 => vec![bad],
            _ => vec![Fate::Arrives, bad],
        };
        steps.push(ask(one, what));
        if one_in(rng, 3) {
            // The user writes while the request is under way.
            steps.push(Step::Go {
                client: one,
                until: Until::Requests(rng.u8(1..3)),
                fates,
            });
            steps.extend([write(rng, one), go(one, Vec::new())]);
        } else {
            steps.push(go(one, fates));
        }
        match rng.u32(..4) {
            0 => steps.push(write(rng, one)),
            1 | 2 if mood.deletes => steps.push(Step::User {
                client: one,
                act: Act::Delete { table, row },
            }),
            _ => {}
        }
    }
    if mood.resyncs {
        let what = Asked::Resync { clear_data: false };
        steps.extend([ask(other, what), go(other, vec![mood.favourite; 4])]);
    }
}
