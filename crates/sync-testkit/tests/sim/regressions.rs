//! What the simulator found, each in its shortest schedule; docs/testing.md tells what it was.

use sync_testkit::sim::Act::{Delete, Discard, Offend, Write};
use sync_testkit::sim::Asked::{Pull, Push, Resync, Sync};
use sync_testkit::sim::{Deletion, Fate, Habits, Paging, Revival, ServerAct, Setup, Step, Until};

use crate::scenes::{A, B, NOTES, THINGS, holds, run, server_write, spoil, user, world, write};

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
