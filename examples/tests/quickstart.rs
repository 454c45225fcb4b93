//! The quickstart keeps its promises: equal replicas, a readable story, nothing left behind.
#![expect(
    clippy::unwrap_used,
    reason = "the lints spare tests, but not the helpers beside them"
)]

mod support;

use std::path::PathBuf;

use serde_json::{Value, json};
use support::run;

fn states() -> Value {
    serde_json::from_str(&run("quickstart", &["--json"]).stdout()).unwrap()
}

#[test]
fn server_and_both_devices_end_up_with_the_same_records() {
    let states = states();
    assert_eq!(states["server"], states["device_a"]);
    assert_eq!(states["server"], states["device_b"]);
    assert_eq!(states.as_object().unwrap().len(), 3);
}

#[test]
fn everything_is_there_and_the_deleted_entry_is_not() {
    let server = &states()["server"];
    assert_eq!(server["territories"].as_object().unwrap().len(), 250);
    assert_eq!(server["territories"]["jp"]["native_name"], "日本");
    let diary = server["daily_feeling"].as_object().unwrap();
    assert_eq!(
        diary.keys().collect::<Vec<_>>(),
        ["2026-01-01", "2026-01-02"]
    );
}

#[test]
fn edits_of_different_fields_of_one_record_both_live() {
    let original: Vec<Value> =
        serde_json::from_str(include_str!("../data/territories.json")).unwrap();
    let mut japan = original
        .into_iter()
        .find(|record| record["id"] == "jp")
        .unwrap();
    japan["population"] = json!(japan["population"].as_i64().unwrap() + 1);
    japan["languages"]
        .as_array_mut()
        .unwrap()
        .push(json!("ain"));
    let mut result = states()["server"]["territories"]["jp"].clone();
    result["updated_at"] = japan["updated_at"].clone();
    assert_eq!(result, japan);
}

#[test]
fn each_strategy_settles_the_conflict_in_its_own_way() {
    let states = states();
    for (kind, mood, energy, notes) in [
        ("daily_feeling", 5, json!(7), "My notes"),
        ("daily_feeling_server_wins", 3, json!(7), "Old"),
        ("daily_feeling_client_wins", 5, json!(null), "My notes"),
        ("daily_feeling_last_write_wins", 3, json!(7), "Old"),
        ("daily_feeling_merge", 5, json!(7), "Old + My notes"),
        ("daily_feeling_manual", 4, json!(7), "We talked"),
    ] {
        let mut record = states["server"][kind]["2026-01-01"].clone();
        record.as_object_mut().unwrap().remove("updated_at");
        let expected = json!({"id": "2026-01-01", "mood": mood, "energy": energy, "notes": notes});
        assert_eq!(record, expected, "{kind}");
    }
}

#[test]
fn the_story_fits_eighty_columns_without_colours_and_ends_well() {
    let run = run("quickstart", &[]);
    let story = run.stdout();
    assert_eq!(story.lines().last(), Some("all replicas equal"));
    assert_eq!(story.lines().find(|line| line.chars().count() > 80), None);
    assert!(!story.contains('\u{1b}'), "{story}");
    assert!(run.output.stderr.is_empty());
}

#[test]
fn nothing_is_left_behind() {
    for options in [&[][..], &["--json"]] {
        let run = run("quickstart", options);
        run.stdout();
        assert_eq!(run.left_behind(), [] as [PathBuf; 0]);
    }
}

#[test]
fn help_is_given_and_unknown_options_are_refused() {
    let help = run("quickstart", &["--help"]).stdout();
    assert!(help.contains("--json"));
    assert_eq!(help.lines().find(|line| line.chars().count() > 80), None);
    let refused = run("quickstart", &["--jsno"]).output;
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("--jsno"));
    assert!(refused.stdout.is_empty());
}

#[test]
fn the_quick_start_shows_what_its_program_prints() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/quick-start.md");
    let page = std::fs::read_to_string(page).unwrap();
    let shown = page.split("```text\n").nth(1).unwrap();
    let shown = shown.split("```").next().unwrap();
    assert_eq!(run("two_devices", &[]).stdout(), shown);
}
