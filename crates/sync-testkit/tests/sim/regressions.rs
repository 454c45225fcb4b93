//! What the simulator found, each in its shortest schedule; docs/testing.md tells what it was.

use sync_testkit::sim::Act::{Delete, Discard, Offend, Write};
use sync_testkit::sim::Asked::{Pull, Push, Resync, Sync};
use sync_testkit::sim::{
    Act, Asked, Deletion, Fate, Habits, Paging, Revival, Schedule, ServerAct, Setup, Simulation,
    Step, Strategy, Until,
};

const A: u8 = 0;
const B: u8 = 1;

/// The things, the notes.
const THINGS: u8 = 0;
const NOTES: u8 = 1;
/// The parts, each of a thing.
const PARTS: u8 = 2;

fn world(habits: Habits) -> Setup {
    Setup {
        seed: 0,
        clients: 2,
        rows: 1,
        strategy: Strategy::AutoPreserve,
        keeps_deleted: true,
        coalesce: true,
        page_size: 50,
        push_concurrency: 1,
        max_batch: 1,
        clocks_differ: false,
        habits,
        related: false,
        old_apps: 0,
        slow_resolvers: false,
    }
}

fn user(client: u8, act: Act) -> Step {
    Step::User { client, act }
}

fn write(client: u8, table: u8, fields: u16) -> Step {
    let (row, removes) = (0, false);
    let act = Write {
        table,
        row,
        fields,
        removes,
    };
    user(client, act)
}

fn server_write(table: u8, field: u8) -> Step {
    let (row, commits_late) = (0, false);
    let act = ServerAct::Write {
        table,
        row,
        field,
        commits_late,
    };
    Step::Server { act }
}

fn spoil(table: u8) -> Step {
    let act = ServerAct::Spoil { table, row: 0 };
    Step::Server { act }
}

/// A whole run in which the requests meet these fates.
fn run(client: u8, what: Asked, fates: &[Fate]) -> [Step; 2] {
    let ask = Step::Ask {
        client,
        what,
        after_seconds: 200,
    };
    let go = Step::Go {
        client,
        until: Until::End,
        fates: fates.to_vec(),
    };
    [ask, go]
}

fn holds(setup: Setup, parts: &[&[Step]]) {
    let steps = parts.concat();
    let schedule = Schedule { setup, steps };
    let simulation = Simulation::default();
    let outcome = simulation.replay(&schedule);
    let story = || simulation.tell(&schedule).story.join("\n");
    let found = outcome.violations.first();
    assert!(found.is_none(), "{}\n{}", found.unwrap(), story());
}

#[test]
fn giving_up_a_refused_edit_brings_what_the_cursor_has_passed() {
    let offend = Offend {
        table: NOTES,
        row: 0,
    };
    let discard = Discard {
        table: NOTES,
        row: 0,
    };
    let habits = Habits {
        paging: Paging::Cursor,
        ..Habits::default()
    };
    holds(
        world(habits),
        &[
            &[write(A, NOTES, 1)],
            &run(A, Sync, &[]),
            &run(B, Sync, &[]),
            &[user(B, offend), write(A, NOTES, 1)],
            &run(A, Sync, &[]),
            &run(B, Sync, &[]),
            &run(B, Sync, &[]),
            &[write(B, NOTES, 1), user(B, discard)],
            &run(B, Pull, &[]),
        ],
    );
}

#[test]
fn a_run_that_resumes_an_old_chain_brings_what_came_since() {
    let habits = Habits {
        paging: Paging::Tokens,
        ..Habits::default()
    };
    let setup = Setup {
        rows: 2,
        page_size: 1,
        ..world(habits)
    };
    let other_row = Write {
        table: NOTES,
        row: 1,
        fields: 1,
        removes: false,
    };
    holds(
        setup,
        &[
            &[server_write(NOTES, 0), user(B, other_row)],
            &run(B, Sync, &[]),
            &[user(B, other_row)],
            &run(A, Sync, &[Fate::Arrives, Fate::Lost, Fate::Arrives]),
            &run(B, Sync, &[]),
            &run(A, Sync, &[]),
        ],
    );
}

#[test]
fn a_refused_answer_without_a_body_stays_in_quarantine() {
    let habits = Habits {
        bodies: false,
        paging: Paging::Cursor,
        ..Habits::default()
    };
    holds(
        world(habits),
        &[&[
            server_write(THINGS, 0),
            write(B, THINGS, 0b11000),
            spoil(THINGS),
        ]],
    );
}

#[test]
fn giving_up_what_a_server_does_not_revive_leaves_it_deleted() {
    let habits = Habits {
        deletion: Deletion::Hidden,
        revival: Revival::Refused,
        ..Habits::default()
    };
    let delete = ServerAct::Delete {
        table: NOTES,
        row: 0,
    };
    holds(
        world(habits),
        &[
            &[write(A, NOTES, 1)],
            &run(A, Sync, &[]),
            &[write(A, NOTES, 1), Step::Server { act: delete }],
        ],
    );
}

#[test]
fn a_row_whose_answer_the_table_refused_can_be_deleted() {
    let delete = Delete {
        table: THINGS,
        row: 0,
    };
    holds(
        world(Habits::default()),
        &[
            &[
                server_write(THINGS, 0),
                write(A, THINGS, 0b1000),
                spoil(THINGS),
            ],
            &run(A, Sync, &[]),
            &[user(A, delete)],
        ],
    );
}

#[test]
fn an_edit_of_a_row_whose_answer_the_table_refused_reverts_nothing() {
    holds(
        world(Habits::default()),
        &[
            &[write(A, THINGS, 0b11000), write(B, THINGS, 0b10)],
            &run(A, Sync, &[]),
            &[spoil(THINGS), write(A, THINGS, 0b10)],
            &run(B, Sync, &[]),
            &[write(B, THINGS, 0b100)],
            &run(A, Sync, &[]),
            &[write(A, THINGS, 0b110)],
        ],
    );
}

#[test]
fn a_resync_that_clears_spares_what_lies_in_quarantine() {
    let clears = Resync { clear_data: true };
    holds(
        world(Habits::default()),
        &[
            &[write(B, THINGS, 0b10000)],
            &run(B, Sync, &[]),
            &run(A, Pull, &[]),
            &[spoil(THINGS)],
            &run(A, Sync, &[]),
            &run(A, clears, &[]),
        ],
    );
}

#[test]
fn an_interrupted_chain_does_not_skip_what_commits_late() {
    let habits = Habits {
        cap: Some(1),
        ..Habits::default()
    };
    let setup = Setup {
        rows: 5,
        ..world(habits)
    };
    let other_app = |row, commits_late| {
        let (table, field) = (NOTES, 0);
        let act = ServerAct::Write {
            table,
            row,
            field,
            commits_late,
        };
        Step::Server { act }
    };
    let row_3 = Write {
        table: NOTES,
        row: 3,
        fields: 1,
        removes: false,
    };
    let all = Resync { clear_data: false };
    let [ask, finish] = run(A, all, &[Fate::Status(403)]);
    let begin = Step::Go {
        client: A,
        until: Until::Requests(3),
        fates: Vec::new(),
    };
    holds(
        setup,
        &[
            &[other_app(2, false), other_app(1, true), user(A, row_3)],
            &run(A, all, &[]),
            &[ask, begin, finish],
        ],
    );
}

#[test]
fn deleting_and_creating_anew_keeps_what_was_merged_in_unseen() {
    let setup = Setup {
        coalesce: false,
        ..world(Habits::default())
    };
    let delete = Delete {
        table: THINGS,
        row: 0,
    };
    holds(
        setup,
        &[
            &[write(B, THINGS, 0b1000), write(A, THINGS, 0b1000)],
            &run(A, Sync, &[]),
            &run(B, Push, &[Fate::Arrives, Fate::NotLeft]),
            &[user(B, delete), write(B, THINGS, 0b1000)],
        ],
    );
}

#[test]
fn a_deletion_behind_several_edits_takes_nothing_that_its_user_never_saw() {
    let setup = Setup {
        coalesce: false,
        ..world(Habits::default())
    };
    let delete = Delete {
        table: THINGS,
        row: 0,
    };
    holds(
        setup,
        &[
            &[write(B, THINGS, 0b1000)],
            &run(B, Sync, &[]),
            &[write(A, THINGS, 0b10)],
            &run(A, Sync, &[Fate::Arrives, Fate::Status(403)]),
            &[write(A, THINGS, 0b10), user(A, delete)],
        ],
    );
}

#[test]
fn a_push_that_pulls_after_a_restore_claims_no_pull() {
    let habits = Habits {
        epochs: true,
        ..Habits::default()
    };
    let server = |act| Step::Server { act };
    holds(
        world(habits),
        &[
            &[write(A, THINGS, 2)],
            &run(A, Push, &[]),
            &[write(A, THINGS, 4)],
            &[server(ServerAct::Backup), server(ServerAct::Restore)],
            &[server_write(NOTES, 0)],
            &run(A, Push, &[]),
        ],
    );
}

#[test]
fn two_pushes_at_once_do_not_wait_for_each_other_when_the_lease_is_not_certain() {
    let setup = Setup {
        push_concurrency: 2,
        ..world(Habits {
            declares: true,
            ..Habits::default()
        })
    };
    let ask = Step::Ask {
        client: A,
        what: Push,
        after_seconds: 0,
    };
    // The lease is taken, and time passes until the run goes on.
    let go = Step::Go {
        client: A,
        until: Until::Awaits(2),
        fates: Vec::new(),
    };
    holds(
        setup,
        &[&[write(A, THINGS, 1), write(A, NOTES, 1), ask, go]],
    );
}

/// A world in which parts refer to things.
fn with_parts(habits: Habits) -> Setup {
    Setup {
        keeps_deleted: false,
        related: true,
        ..world(habits)
    }
}

#[test]
fn a_removal_that_children_hold_back_takes_a_row_to_nothing_older() {
    let delete = Step::Server {
        act: ServerAct::Delete {
            table: THINGS,
            row: 0,
        },
    };
    for deletion in [Deletion::Shown, Deletion::Hard] {
        let habits = Habits {
            declares: false,
            deletion,
            ..Habits::default()
        };
        let setup = Setup {
            strategy: Strategy::ServerWins,
            ..with_parts(habits)
        };
        let until = Until::Requests(2);
        let goes = Step::Go {
            client: B,
            until,
            fates: Vec::new(),
        };
        let [asks, _] = run(B, Push, &[]);
        holds(
            setup,
            &[
                &[write(A, THINGS, 16)],
                &run(A, Sync, &[]),
                &[write(A, PARTS, 2), write(B, THINGS, 8), write(B, PARTS, 1)],
                &run(B, Push, &[Fate::Arrives, Fate::AnswerLost]),
                &[write(B, THINGS, 2), asks, goes, write(B, THINGS, 8)],
                std::slice::from_ref(&delete),
            ],
        );
    }
}

#[test]
fn a_child_waits_for_a_parent_that_was_written_later() {
    holds(
        with_parts(Habits::default()),
        &[
            &[write(A, PARTS, 1), write(A, THINGS, 1)],
            &[write(A, PARTS, 2), write(A, PARTS, 2)],
            &run(A, Sync, &[Fate::AnswerLost]),
            &run(A, Sync, &[]),
        ],
    );
}

#[test]
fn what_a_judgement_adds_to_a_child_waits_for_its_parent() {
    let setup = Setup {
        coalesce: false,
        keeps_deleted: true,
        ..with_parts(Habits {
            declares: true,
            ..Habits::default()
        })
    };
    let ask = Step::Ask {
        client: A,
        what: Sync,
        after_seconds: 1,
    };
    let goes = Step::Go {
        client: A,
        until: Until::Awaits(2),
        fates: Vec::new(),
    };
    holds(
        setup,
        &[
            &[write(B, PARTS, 2)],
            &run(B, Sync, &[]),
            &[ask, goes, write(A, NOTES, 16), write(A, PARTS, 1)],
            &[write(A, THINGS, 1), write(A, PARTS, 2)],
            &run(A, Sync, &[]),
        ],
    );
}

#[test]
fn what_a_restored_server_shows_comes_into_force_from_quarantine_too() {
    let row = |client, table, row, fields| {
        let removes = false;
        let act = Write {
            table,
            row,
            fields,
            removes,
        };
        user(client, act)
    };
    let late = ServerAct::Write {
        table: THINGS,
        row: 3,
        field: 0,
        commits_late: true,
    };
    let server = |act| Step::Server { act };
    let setup = Setup {
        rows: 5,
        ..with_parts(Habits {
            declares: true,
            deletion: Deletion::Hard,
            epochs: true,
            ..Habits::default()
        })
    };
    let delete = Delete {
        table: THINGS,
        row: 0,
    };
    holds(
        setup,
        &[
            &[
                row(B, PARTS, 1, 3),
                row(A, THINGS, 2, 16),
                row(B, THINGS, 0, 1),
            ],
            &[
                row(B, PARTS, 0, 2),
                row(B, PARTS, 0, 2),
                server(late),
                row(B, PARTS, 4, 3),
            ],
            &run(B, Sync, &[]),
            &[row(A, PARTS, 0, 2), server(ServerAct::Backup)],
            &run(A, Sync, &[]),
            &[user(A, delete), server(ServerAct::Restore)],
        ],
    );
}
