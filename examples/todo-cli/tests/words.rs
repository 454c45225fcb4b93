//! What every command says for help, and when it cannot do what it was asked. `UPDATE_SNAPSHOTS=1` writes it anew.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "the lints spare tests, but not the helpers beside them"
)]

mod support;

use support::Device;
use support::snapshot::{assert_snapshot, transcript};

#[test]
fn every_command_explains_itself() {
    let help: &[&[&str]] = &[
        &["--version"],
        &["--help"],
        &["add", "--help"],
        &["list", "--help"],
        &["show", "--help"],
        &["edit", "--help"],
        &["done", "--help"],
        &["rm", "--help"],
        &["sync", "--help"],
        &["status", "--help"],
        &["outbox", "--help"],
        &["outbox", "list", "--help"],
        &["outbox", "retry", "--help"],
        &["outbox", "discard", "--help"],
        &["conflicts", "--help"],
        &["conflicts", "list", "--help"],
        &["conflicts", "resolve", "--help"],
        &["conflicts", "history", "--help"],
        &["conflicts", "undo", "--help"],
    ];
    assert_snapshot("help.txt", &transcript(&Device::new(""), help));
}

#[test]
fn every_failure_says_what_happened_and_what_to_do() {
    let device = Device::new("");
    std::fs::write(
        device.folder.path().join("letter.txt"),
        "no database, but a letter to a friend".repeat(200),
    )
    .unwrap();
    device.sql("server.db", "CREATE TABLE records (id TEXT)");
    let calls: &[&[&str]] = &[
        &[],
        &["lits"],
        &["add"],
        &["add", ""],
        &["add", "Milk", "--due", "soon"],
        &["list", "--al"],
        &["show"],
        &["show", "milk"],
        &["edit", "milk"],
        &["edit", "milk", "--title", "Oat milk"],
        &["done", "milk"],
        &["rm", "milk"],
        &["sync"],
        &["--server", "http://127.0.0.1:9", "sync"],
        &["--server", "http://example.org", "sync"],
        &["--server", "nowhere", "sync"],
        &["outbox", "discard", "milk"],
        &["conflicts", "resolve", "milk"],
        &["conflicts", "undo", "milk"],
        &["conflicts", "resolve", "--take", "mine"],
        &["status", "now"],
        &["outbox", "list", "all"],
        &["outbox", "retry", "milk"],
        &["outbox", "discard"],
        &["conflicts", "list", "--all"],
        &["conflicts", "history", "milk"],
        &["conflicts", "undo"],
        &["show", "milk", "--json"],
        &["show", "--json"],
        &["sync", "--json"],
        &["--server", "http://127.0.0.1:9", "sync", "--json"],
        &["--file", "server.db", "list"],
        &["--file", "letter.txt", "add", "Milk"],
        &["--file", "letter.txt", "list"],
        &["--file", "letter.txt", "show", "milk"],
        &[
            "--file",
            "letter.txt",
            "edit",
            "milk",
            "--title",
            "Oat milk",
        ],
        &["--file", "letter.txt", "done", "milk"],
        &["--file", "letter.txt", "rm", "milk"],
        &[
            "--file",
            "letter.txt",
            "--server",
            "http://127.0.0.1:9",
            "sync",
        ],
        &["--file", "letter.txt", "status"],
        &["--file", "letter.txt", "outbox", "list"],
        &["--file", "letter.txt", "outbox", "retry"],
        &["--file", "letter.txt", "outbox", "discard", "milk"],
        &["--file", "letter.txt", "conflicts", "list"],
        &["--file", "letter.txt", "conflicts", "resolve"],
        &["--file", "letter.txt", "conflicts", "history"],
        &["--file", "letter.txt", "conflicts", "undo", "milk"],
        &["--file", "no/such/folder.db", "list"],
    ];
    assert_snapshot("failures.txt", &transcript(&device, calls));
}

#[test]
fn everything_but_sync_works_without_a_server() {
    let device = Device::new("");
    let calls: &[&[&str]] = &[
        &["list"],
        &["status"],
        &["outbox"],
        &["outbox", "retry"],
        &["conflicts"],
        &["conflicts", "resolve"],
        &["conflicts", "history"],
    ];
    assert_snapshot("empty.txt", &transcript(&device, calls));
    device.tell(&[
        "add",
        "Buy milk",
        "--notes",
        "two litres",
        "--due",
        "2026-12-24",
    ]);
    device.tell(&["add", "Bake bread"]);
    let listed = device.tell(&["list"]);
    let id = listed.lines().nth(1).unwrap().split(' ').next().unwrap();
    assert!(
        listed
            .lines()
            .nth(1)
            .unwrap()
            .ends_with("[ ]  Buy milk    2026-12-24  pending"),
        "{listed}"
    );
    device.tell(&["edit", id, "--due", ""]);
    device.tell(&["done", id]);
    assert!(
        device
            .tell(&["show", id])
            .ends_with("title  Buy milk\ndone   yes\nnotes  two litres\ndue\nsync   pending\n")
    );
    assert_eq!(device.tell(&["list"]).lines().count(), 2);
    assert!(device.tell(&["status"]).contains("1 open, 1 done"));
    device.tell(&["rm", id]);
    assert_eq!(device.tell(&["list", "--all"]).lines().count(), 2);
    let waiting: serde_json::Value =
        serde_json::from_str(&device.tell(&["outbox", "--json"])).unwrap();
    assert_eq!(waiting[0]["change"], "add");
    let id = waiting[0]["id"].as_str().unwrap();
    assert!(
        device
            .tell(&["outbox", "discard", id])
            .starts_with("gave up 1 change of ")
    );
    assert_eq!(device.tell(&["list", "--all", "--json"]), "[]\n");
}

#[test]
fn what_waits_survives_a_server_that_is_away_and_goes_out_later() {
    let device = Device::new("http://127.0.0.1:9");
    device.tell(&["add", "Buy milk"]);
    assert_eq!(device.code(&["sync"]), 4);
    assert!(device.tell(&["status"]).contains("1 to be sent"));
    let server = support::Server::start();
    let device = Device {
        server: server.url.clone(),
        ..device
    };
    assert!(device.tell(&["sync"]).contains("1 sent"));
    assert!(device.tell(&["status"]).contains("0 to be sent"));
}
