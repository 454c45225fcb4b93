//! The shortest interleavings in which a plausible reading of the law loses or revives data.

use serde_json::{Value, json};
use sync_core::{ConflictStrategy, SoftDelete, SyncEvent};

use crate::device::fields;
use crate::faults::Fault::{AnswerLost, Lost, None as Fine, Refuse};
use crate::faults::Faults;
use crate::server::{GOOD, Habits};
use crate::world::{ID, World};

const A: usize = 0;
const B: usize = 1;

const WITHOUT_KEYS: Habits = Habits {
    honours_keys: false,
    ..GOOD
};

struct Story(World);

impl Story {
    fn new(habits: Habits, strategy: ConflictStrategy) -> Self {
        Self(World::new(
            habits,
            strategy,
            SoftDelete::Purge,
            Faults::planned(),
        ))
    }

    /// Both devices have the record.
    fn shared(habits: Habits, strategy: ConflictStrategy) -> Self {
        let mut story = Self::new(habits, strategy);
        story.create(A).sync(A, &[]).sync(B, &[]);
        story
    }

    fn create(&mut self, device: usize) -> &mut Self {
        self.write(
            device,
            json!({"a": "a0", "b": "b0", "c": "c0", "t": ["t0"]}),
        )
    }

    fn write(&mut self, device: usize, edit: Value) -> &mut Self {
        self.0.devices[device].write(ID, &fields(edit));
        self
    }

    fn delete(&mut self, device: usize) -> &mut Self {
        self.0.devices[device].delete(ID);
        self
    }

    fn sync(&mut self, device: usize, faults: &[crate::faults::Fault]) -> &mut Self {
        self.0.sync(device, faults);
        self
    }

    /// Everything settles; server and devices agree on this, `null` = deleted.
    fn ends_with(&mut self, expected: Value) {
        self.0.settle().unwrap();
        let log =
            |device: &crate::device::Device| device.link.log.lock().unwrap().lines.join("\n  ");
        let logs: Vec<String> = self.0.devices.iter().map(log).collect();
        let story = format!("\nA:\n  {}\nB:\n  {}", logs[A], logs[B]);
        let server = self.0.on_server().map_or(Value::Null, Value::Object);
        assert_eq!(server, expected, "on the server{story}");
        for device in &self.0.devices {
            let row = device.row(ID).map_or(Value::Null, |mut row| {
                row.retain(|name, _| crate::device::FIELDS.contains(&name.as_str()));
                Value::Object(row)
            });
            assert_eq!(row, expected, "on {}{story}", device.name);
        }
    }
}

fn record(a: &str, b: &str, c: &str) -> Value {
    json!({"a": a, "b": b, "c": c, "t": ["t0"]})
}

#[test]
fn a_tail_is_replayed_against_what_the_user_saw_not_against_the_merge_that_was_sent() {
    let mut story = Story::shared(GOOD, ConflictStrategy::AutoPreserve);
    story.write(A, json!({"t": ["t0", "A1"]})).sync(A, &[]);
    story
        .write(B, json!({"t": ["t0", "B1"]}))
        .sync(B, &[Fine, AnswerLost, Lost]);
    story.write(B, json!({"t": ["t0", "B1", "B2"]}));
    story.ends_with(json!({"a": "a0", "b": "b0", "c": "c0", "t": ["t0", "B1", "B2", "A1"]}));
}

#[test]
fn an_edit_that_folds_into_a_verdict_drops_the_verdict() {
    let mut story = Story::shared(GOOD, ConflictStrategy::AutoPreserve);
    story.write(A, json!({"a": "A1"})).sync(A, &[]);
    story
        .write(B, json!({"b": "B1"}))
        .sync(B, &[Fine, Refuse, Lost]);
    story.write(B, json!({"c": "B2"}));
    story.ends_with(record("A1", "B1", "B2"));
}

#[test]
fn a_head_that_landed_is_recognised_before_its_tail_folds_in() {
    let mut story = Story::shared(WITHOUT_KEYS, ConflictStrategy::ServerWins);
    story
        .write(A, json!({"a": "A1"}))
        .sync(A, &[AnswerLost, Lost]);
    story.write(A, json!({"b": "A2"}));
    story.ends_with(record("A1", "A2", "c0"));
}

#[test]
fn a_head_that_landed_does_not_hold_up_the_deletion_behind_it() {
    let mut story = Story::shared(WITHOUT_KEYS, ConflictStrategy::AutoPreserve);
    story
        .write(A, json!({"a": "A1"}))
        .sync(A, &[AnswerLost, Lost])
        .delete(A);
    story.ends_with(Value::Null);
}

#[test]
fn a_waiting_deletion_meets_the_edit_that_the_merge_brought_in() {
    let mut story = Story::shared(GOOD, ConflictStrategy::AutoPreserve);
    story.write(A, json!({"a": "A1"})).sync(A, &[]);
    story
        .write(B, json!({"b": "B1"}))
        .sync(B, &[Fine, AnswerLost, Lost])
        .delete(B);
    story.ends_with(record("A1", "B1", "c0"));
}

#[test]
fn a_refusal_speaks_for_its_own_attempt_only() {
    let mut story = Story::shared(WITHOUT_KEYS, ConflictStrategy::ServerWins);
    story
        .write(A, json!({"a": "A1"}))
        .sync(A, &[AnswerLost, Lost])
        .sync(A, &[Refuse, Lost]);
    story.write(A, json!({"b": "A2"}));
    story.ends_with(record("A1", "A2", "c0"));
}

#[test]
fn an_old_conflict_answered_again_yields_to_the_newer_parked_state() {
    let habits = Habits {
        remembers_conflicts: true,
        ..GOOD
    };
    let mut story = Story::shared(habits, ConflictStrategy::ServerWins);
    story.write(A, json!({"a": "A1"})).sync(A, &[]);
    story
        .write(B, json!({"b": "B1"}))
        .sync(B, &[AnswerLost, Lost]);
    story.write(A, json!({"a": "A2"})).sync(A, &[]);
    story.sync(B, &[Lost, Fine]);
    story.ends_with(record("A2", "b0", "c0"));
}

#[test]
fn a_success_without_a_record_fetches_where_something_is_parked() {
    let habits = Habits {
        answers_with_record: false,
        ..GOOD
    };
    let mut story = Story::shared(habits, ConflictStrategy::AutoPreserve);
    story
        .write(B, json!({"b": "B1"}))
        .sync(B, &[AnswerLost, Lost])
        .sync(A, &[]);
    story.write(A, json!({"a": "A1"})).sync(A, &[]);
    story.sync(B, &[Lost, Fine]);
    story.ends_with(record("A1", "B1", "c0"));
}

#[test]
fn a_second_deletion_is_not_the_tombstone_that_a_re_creation_carried() {
    let mut story = Story::shared(GOOD, ConflictStrategy::AutoPreserve);
    story.delete(B).sync(B, &[]);
    story
        .write(A, json!({"a": "A1"}))
        .sync(A, &[Fine, Lost, Lost]);
    story
        .write(B, json!({"a": "a0", "b": "B9", "c": "c0", "t": ["t0"]}))
        .sync(B, &[]);
    story.delete(B).sync(B, &[]);
    story.ends_with(record("A1", "b0", "c0"));
}

#[test]
fn a_pull_recognises_what_landed_before_somebody_else_edits_it() {
    let mut story = Story::shared(WITHOUT_KEYS, ConflictStrategy::AutoPreserve);
    story
        .write(A, json!({"a": "A1"}))
        .sync(A, &[AnswerLost, Fine])
        .sync(B, &[]);
    story.write(B, json!({"a": "B1"})).sync(B, &[]);
    story.ends_with(record("B1", "b0", "c0"));
}

#[test]
fn a_forced_push_that_is_repeated_looks_first() {
    let habits = Habits {
        cannot_compare: true,
        ..GOOD
    };
    let mut story = Story::shared(habits, ConflictStrategy::AutoPreserve);
    story
        .write(A, json!({"a": "A1"}))
        .sync(A, &[Fine, Lost, Lost]);
    story.write(B, json!({"b": "B1"})).sync(B, &[]);
    story.ends_with(record("A1", "B1", "c0"));
}

#[test]
fn a_create_that_nobody_checks_looks_before_it_is_repeated() {
    let habits = Habits {
        checks_if_absent: false,
        ..WITHOUT_KEYS
    };
    let mut story = Story::new(habits, ConflictStrategy::ServerWins);
    story
        .create(A)
        .sync(A, &[Fine, AnswerLost, Lost])
        .sync(B, &[]);
    story.write(B, json!({"a": "B1"})).sync(B, &[]);
    story.ends_with(record("B1", "b0", "c0"));
}

#[test]
fn a_device_that_restarted_learns_before_it_judges_that_the_server_recognises_a_repeat() {
    let habits = Habits {
        checks_if_absent: false,
        ..GOOD
    };
    let mut story = Story::new(habits, ConflictStrategy::AutoPreserve);
    story.create(A).sync(A, &[Fine, AnswerLost, Lost]);
    story.0.devices[A].crash();
    story.sync(B, &[]).write(B, json!({"a": "B1"})).sync(B, &[]);
    story.ends_with(record("B1", "b0", "c0"));
}

#[test]
fn a_conflict_that_was_put_off_is_looked_at_again_only_when_its_server_record_changes() {
    let mut story = Story::shared(GOOD, ConflictStrategy::Manual);
    let detected = |story: &mut Story| {
        let events = story.0.devices[B].new_events();
        let detected = |event: &&SyncEvent| matches!(event, SyncEvent::ConflictDetected { .. });
        events.iter().filter(detected).count()
    };
    story.write(A, json!({"a": "A1"})).sync(A, &[]);
    // Nobody is there to decide, and the pull of the same run brings the record that it met.
    story.write(B, json!({"b": "B1"})).sync(B, &[]);
    assert_eq!(detected(&mut story), 1);
    story.sync(B, &[]).sync(B, &[]);
    assert_eq!(detected(&mut story), 0, "nothing has changed since");
    story.write(A, json!({"a": "A2"})).sync(A, &[]);
    story.sync(B, &[]).sync(B, &[]);
    assert_eq!(detected(&mut story), 1, "the server's record has changed");
}
