//! What the simulator found where records refer to one another, each in its shortest schedule.

use sync_testkit::sim::Act::{Delete, Write};
use sync_testkit::sim::Asked::{Push, Sync};
use sync_testkit::sim::{Deletion, Fate, Habits, ServerAct, Setup, Step, Strategy, Until};

use crate::scenes::{A, B, NOTES, PARTS, THINGS, holds, run, user, with_parts, write};

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

#[test]
fn a_child_accepted_before_it_was_pulled_never_comes_back_under_an_older_version() {
    let delete = ServerAct::Delete {
        table: PARTS,
        row: 0,
    };
    let habits = Habits {
        bodies: false,
        declares: true,
        deletion: Deletion::Hard,
        ..Habits::default()
    };
    holds(
        with_parts(habits),
        &[
            &[write(B, THINGS, 1), write(B, PARTS, 2)],
            &run(B, Push, &[]),
            &[write(A, PARTS, 1)],
            &run(A, Push, &[]),
            &[Step::Server { act: delete }],
        ],
    );
}
