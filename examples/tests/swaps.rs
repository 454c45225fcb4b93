//! The todo app does the same on every store and every transport.
#![expect(
    clippy::unwrap_used,
    reason = "the lints spare tests, but not the helpers beside them"
)]

mod support;

use support::run;

const TODOS: &str = "[ ] Bake bread\n[x] Buy milk\n";

#[test]
fn the_todo_app_runs_on_a_store_in_memory() {
    let run = run("swap_store", &[]);
    let stdout = run.stdout();
    assert!(stdout.contains(TODOS), "{stdout}");
    assert!(run.left_behind().is_empty());
    assert!(stdout.ends_with("server: \"Buy milk\"\n"), "{stdout}");
}

#[test]
fn the_todo_app_runs_on_a_transport_of_its_own() {
    let run = run("swap_transport", &[]);
    let stdout = run.stdout();
    assert!(stdout.starts_with("pushed 1,"), "{stdout}");
    assert!(stdout.contains(TODOS), "{stdout}");
    assert!(run.left_behind().is_empty());
}
