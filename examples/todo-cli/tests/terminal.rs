//! Two people with a list each, a server between them, and a conflict that one of them decides.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "the lints spare tests, but not the helpers beside them"
)]

mod support;

use std::net::TcpListener;

use serde_json::Value;
use support::{Device, Server, Terminal};

/// What a device has, as the program tells it to other programs.
fn list(device: &Device) -> Vec<Value> {
    serde_json::from_str(&device.tell(&["list", "--all", "--json"])).unwrap()
}

fn add(device: &Device, title: &str) -> String {
    let added: Value = serde_json::from_str(&device.tell(&["add", title, "--json"])).unwrap();
    added["id"].as_str().unwrap().to_owned()
}

/// Two devices with the same to-do, edited on both; the first has sent its edit.
fn disputed(server: &Server) -> (Device, Device, String) {
    let (ann, ben) = (Device::new(&server.url), Device::new(&server.url));
    let id = add(&ann, "Buy milk");
    ann.tell(&["sync"]);
    ben.tell(&["sync"]);
    ann.tell(&[
        "edit",
        &id,
        "--title",
        "Buy rice milk",
        "--due",
        "2026-12-24",
    ]);
    ben.tell(&[
        "edit",
        &id,
        "--title",
        "Buy oat milk",
        "--notes",
        "two litres",
    ]);
    ann.tell(&["sync"]);
    (ann, ben, id)
}

#[test]
fn a_conflict_is_shown_and_merged_field_by_field_and_both_lists_end_up_equal() {
    let server = Server::start();
    let (ann, ben, id) = disputed(&server);

    let mut sync = ben.terminal(&["sync"]);
    sync.expect("1 conflict waits for you: todo-cli conflicts resolve");
    assert_eq!(sync.end().0, 3, "an open conflict has its exit code");
    assert_eq!(
        list(&ben)[0]["title"],
        "Buy oat milk",
        "nothing is lost meanwhile"
    );

    let mut resolve = ben.terminal(&["conflicts", "resolve"]);
    resolve.expect("was changed here and on the server.");
    resolve.expect("before");
    for row in [
        &[
            "title",
            "Buy milk",
            "Buy oat milk",
            "Buy rice milk",
            "you decide",
        ][..],
        &["done", "no", "no", "no"],
        &["notes", "-", "two litres", "-", "from here"],
        &["due", "-", "-", "2026-12-24", "from the server"],
    ] {
        for cell in row {
            resolve.expect(cell);
        }
    }
    resolve
        .expect("title: take what is [h]ere, what the [s]erver has, [t]ype another, or [l]ater?");
    resolve.answer("t");
    resolve.expect("new title:");
    resolve.answer("Buy oat and rice milk");
    resolve.expect("Merged");
    resolve.expect("Buy oat and rice milk");
    resolve.expect("Save it?");
    resolve.answer("y");
    resolve.expect("1 decided; the next sync sends it");
    assert_eq!(resolve.end().0, 0);

    ben.tell(&["sync"]);
    ann.tell(&["sync"]);
    let expected = serde_json::json!([{
        "id": id, "title": "Buy oat and rice milk", "done": false, "notes": "two litres", "due": "2026-12-24",
        "sync": "synced",
    }]);
    assert_eq!(Value::from(list(&ann)), expected);
    assert_eq!(Value::from(list(&ben)), expected);
    assert_eq!(ben.tell(&["outbox"]), "nothing waits to be sent\n");
    assert_eq!(ben.tell(&["conflicts"]), "no conflicts\n");
}

#[test]
fn a_conflict_that_is_put_off_stays_until_a_side_is_taken() {
    let server = Server::start();
    let (ann, ben, id) = disputed(&server);
    assert_eq!(ben.code(&["sync"]), 3);
    let mut resolve = ben.terminal(&["conflicts", "resolve"]);
    resolve.expect("[l]ater?");
    resolve.answer("l");
    resolve.expect("0 decided, 1 left for later");
    assert_eq!(resolve.end().0, 3);
    assert_eq!(ben.code(&["sync"]), 3);

    ben.tell(&["conflicts", "resolve", &id, "--take", "server"]);
    ben.tell(&["sync"]);
    assert_eq!(list(&ben), list(&ann));
    assert_eq!(list(&ben)[0]["title"], "Buy rice milk");
}

#[test]
fn a_decision_can_be_taken_back_once_the_server_has_it() {
    let server = Server::start();
    let (ann, ben, id) = disputed(&server);
    assert_eq!(ben.code(&["sync"]), 3);
    ben.tell(&["conflicts", "resolve", "--take", "here"]);
    let output = ben.run(&["conflicts", "undo", &id]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("run `todo-cli sync` first"));
    ben.tell(&["sync"]);
    let history = ben.tell(&["conflicts", "history"]);
    assert!(
        history.contains("Buy oat milk  Buy rice milk  here     Buy oat milk"),
        "{history}"
    );
    ben.tell(&["conflicts", "undo", &id]);
    ben.tell(&["sync"]);
    ann.tell(&["sync"]);
    assert_eq!(list(&ben), list(&ann));
    assert_eq!(list(&ann)[0]["title"], "Buy rice milk");
}

#[test]
fn what_was_removed_elsewhere_comes_back_if_that_is_wanted() {
    let server = Server::start();
    let (ann, ben) = (Device::new(&server.url), Device::new(&server.url));
    let id = add(&ann, "Buy milk");
    ann.tell(&["sync"]);
    ben.tell(&["sync"]);
    ann.tell(&["rm", &id]);
    ben.tell(&["edit", &id, "--title", "Buy oat milk"]);
    ann.tell(&["sync"]);
    assert_eq!(ben.code(&["sync"]), 3);
    let mut resolve = ben.terminal(&["conflicts", "resolve"]);
    resolve.expect("was changed here and removed on the server.");
    resolve.expect("Keep what is [h]ere");
    resolve.answer("h");
    assert_eq!(resolve.end().0, 0);
    ben.tell(&["sync"]);
    ann.tell(&["sync"]);
    assert_eq!(list(&ann), list(&ben));
    assert_eq!(list(&ann)[0]["title"], "Buy oat milk");
}

#[test]
fn edits_of_different_fields_are_merged_without_a_question() {
    let server = Server::start();
    let (ann, ben) = (Device::new(&server.url), Device::new(&server.url));
    let id = add(&ann, "Buy milk");
    ann.tell(&["sync"]);
    ben.tell(&["sync"]);
    ann.tell(&["done", &id]);
    ben.tell(&["edit", &id, "--notes", "two litres"]);
    ann.tell(&["sync"]);
    assert!(ben.tell(&["sync"]).contains("1 conflict was merged"));
    ann.tell(&["sync"]);
    assert_eq!(list(&ann), list(&ben));
    assert_eq!(
        (&list(&ann)[0]["done"], &list(&ann)[0]["notes"]),
        (&true.into(), &"two litres".into())
    );
}

#[test]
fn a_sync_that_takes_long_shows_how_far_it_is_to_terminals_only() {
    // Somebody accepts connections and never answers.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let device = Device::new(&format!("http://{}", silent.local_addr().unwrap()));
    add(&device, "Buy milk");
    let mut sync = device.terminal(&["sync"]);
    sync.expect("sending");
    drop(silent);
    sync.expect("1 change waits here, nothing is lost");
    assert_eq!(sync.end().0, 4);
    let output = device.run(&["sync"]);
    assert!(!String::from_utf8_lossy(&output.stderr).contains("sending"));
}

#[test]
fn colours_are_for_terminals_only() {
    let device = Device::new("");
    add(&device, "Buy milk");
    let shown = |terminal: Terminal| terminal.end().1;
    assert!(shown(device.terminal(&["list"])).contains('\u{1b}'));
    assert!(shown(device.terminal(&["show", "nothing"])).contains('\u{1b}'));
    assert!(!device.tell(&["list"]).contains('\u{1b}'));
    assert!(!device.run(&["show", "nothing"]).stderr.contains(&0x1b));
}
