//! What does not get through: conflicts, refusals, and what a person is told about them.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "the lints spare tests, but not the helpers beside them"
)]

mod support;

use serde_json::{Value, json};
use support::snapshot::{assert_snapshot, transcript};
use support::{Device, Server};

/// A record as the server keeps it.
fn todo(title: &str) -> Value {
    json!({"title": title, "done": false, "notes": null, "due": null})
}

/// A device with two to-dos, both of which were edited here and on the server.
fn disputed(server: &Server) -> Device {
    let device = Device::new(&server.url);
    for id in ["oat-milk", "rice-milk"] {
        server.put(id, &todo("Buy milk"));
    }
    device.tell(&["sync"]);
    for id in ["oat-milk", "rice-milk"] {
        server.put(id, &todo("One litre"));
        device.tell(&["edit", id, "--title", "Two litres"]);
    }
    device
}

#[test]
fn conflicts_and_what_can_be_done_about_them() {
    let server = Server::start();
    let device = disputed(&server);
    let mut told = transcript(
        &device,
        &[
            &["sync"],
            &["sync", "--json"],
            &["list"],
            &["list", "--json"],
            &["status"],
            &["outbox"],
            &["outbox", "--json"],
            &["conflicts"],
            &["show", "milk"],
            &["edit", "milk", "--title", "Buy water"],
            &["done", "milk"],
            &["rm", "milk"],
            &["outbox", "discard", "milk"],
            &["conflicts", "resolve"],
            &["conflicts", "resolve", "--json"],
            &["conflicts", "resolve", "milk", "--take", "here"],
            &["conflicts", "resolve", "oat-milk", "--take", "here"],
            &["conflicts", "resolve", "--take", "server"],
            &["conflicts", "history"],
            &["conflicts", "undo", "milk"],
            &["conflicts", "undo", "oat-milk"],
            &["outbox", "discard", "oat-milk"],
            &["conflicts", "undo", "oat-milk"],
            &["sync"],
        ],
    );
    server.put("rice-milk", &todo("Buy water"));
    told.push_str(&transcript(
        &device,
        &[&["sync"], &["conflicts", "undo", "rice-milk"]],
    ));
    assert_snapshot("conflicts.txt", &told);
}

#[test]
fn what_the_server_refuses_is_told_with_its_reason() {
    let server = Server::start();
    let device = disputed(&server);
    server.put("bread", &todo("Bake bread"));
    server.put("cake", &todo("Bake a cake"));
    assert_eq!(device.code(&["sync"]), 3);
    device.tell(&["conflicts", "resolve", "rice-milk", "--take", "server"]);
    device.tell(&["edit", "bread", "--title", "Bake much bread"]);
    device.tell(&["rm", "cake"]);
    server.refuse(Some("the list is closed"));
    let mut told = transcript(&device, &[&["sync"], &["status"], &["outbox"]]);
    device.sql("todos.db", "UPDATE sync_outbox SET next_attempt_at = NULL");
    told.push_str(&transcript(&device, &[&["sync", "--json"]]));
    device.sql(
        "todos.db",
        "UPDATE sync_outbox SET status = 'stuck', try_count = 5 WHERE entity_id = 'bread'",
    );
    told.push_str(&transcript(
        &device,
        &[
            &["sync"],
            &["list"],
            &["status", "--json"],
            &["outbox", "retry"],
        ],
    ));
    server.refuse(None);
    device.tell(&["conflicts", "resolve", "--take", "server"]);
    device.tell(&["outbox", "discard", "cake"]);
    told.push_str(&transcript(&device, &[&["sync"], &["sync", "--json"]]));
    assert_snapshot("refused.txt", &told);
}

#[test]
fn a_conflict_whose_to_do_moved_on_is_judged_anew_by_the_same_sync() {
    let server = Server::start();
    let device = disputed(&server);
    assert_eq!(device.code(&["sync"]), 3);
    server.put("oat-milk", &todo("Three litres"));
    assert_eq!(device.code(&["sync"]), 3, "it is a conflict again");
    let conflicts = device.json(&["conflicts"]);
    let titles: Vec<&Value> = conflicts
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["server"]["title"])
        .collect();
    assert!(titles.contains(&&json!("Three litres")), "{titles:?}");
    server.put("oat-milk", &todo("Two litres"));
    server.put("rice-milk", &todo("Two litres"));
    assert_eq!(device.code(&["sync"]), 0, "both sides say the same");
    assert_eq!(device.json(&["outbox"]), json!([]));
}

#[test]
fn a_conflict_that_cannot_be_read_blocks_no_other_and_a_side_can_be_taken() {
    for side in ["here", "server"] {
        let server = Server::start();
        let device = disputed(&server);
        let mut strange = todo("One litre");
        strange["done"] = Value::Null;
        server.put("rice-milk", &strange);
        assert_eq!(device.code(&["sync"]), 3);
        assert_eq!(device.json(&["status"])["conflicts"], 2);
        let told = transcript(
            &device,
            &[
                &["conflicts"],
                &["conflicts", "resolve", "oat-milk", "--take", "server"],
                &["conflicts", "resolve", "rice-milk", "--take", side],
                &["sync"],
                &["conflicts"],
                &["list"],
                &["status"],
            ],
        );
        assert_snapshot(&format!("unreadable-{side}.txt"), &told);
    }
}

#[test]
fn a_server_that_nobody_can_reach_concerns_sync_alone() {
    let device = Device::new("nowhere");
    device.tell(&["add", "Buy milk"]);
    assert_eq!(device.tell(&["list"]).lines().count(), 2);
    assert!(device.tell(&["status"]).contains("nowhere"));
    let told = transcript(&device, &[&["sync"], &["add"]]);
    assert_snapshot("nowhere.txt", &told);
}

#[test]
fn the_file_of_another_program_is_left_as_it_is() {
    let device = Device::new("");
    device.sql("server.db", "CREATE TABLE records (id TEXT)");
    let file = device.folder.path().join("server.db");
    let before = std::fs::read(&file).unwrap();
    assert_eq!(device.code(&["--file", "server.db", "list"]), 1);
    assert_eq!(std::fs::read(&file).unwrap(), before);
}
