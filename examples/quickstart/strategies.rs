//! What each strategy made of the same conflict.

use serde_json::Value;
use sync_core::{Conflict, ConflictStrategy, Record, Resolution, SyncEntity, SyncEvent};
use sync_testkit::MockServer;

use crate::model::{DIARIES, DailyFeeling};
use crate::screen::Screen;
use crate::story::{DAY, Outcome};

/// A table: what met what, and what came of it in each diary.
pub(crate) fn show(server: &MockServer, events: &[SyncEvent], screen: &Screen) -> Outcome<()> {
    let (conflict, _) = decision(DailyFeeling::KIND, events)?;
    let mut rows = vec![
        row("before", conflict.base_record(), ""),
        row("device A", conflict.local.as_ref(), "edited offline"),
        row(
            "server",
            conflict.server_record(),
            "device B's edit, an hour later",
        ),
        row("", None, ""),
    ];
    for (kind, strategy) in DIARIES {
        let (_, resolution) = decision(kind, events)?;
        let result = server.get(kind, DAY).map(Record::try_from).transpose()?;
        let decided = who_decided(strategy, resolution);
        rows.push(row(&format!("{strategy:?}"), result.as_ref(), decided));
    }
    screen.table(["", "mood", "energy", "notes", "who decided"], &rows);
    Ok(())
}

fn row(name: &str, record: Option<&Record>, decided: &str) -> [String; 5] {
    let cell = |field: &str| match record.and_then(|record| record.get(field)) {
        None => String::new(),
        Some(Value::Null) => "-".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(value) => value.to_string(),
    };
    let [mood, energy, notes] = ["mood", "energy", "notes"].map(cell);
    [name.to_owned(), mood, energy, notes, decided.to_owned()]
}

/// The conflict in a diary, and how it was settled.
fn decision<'e>(diary: &str, events: &'e [SyncEvent]) -> Outcome<(&'e Conflict, &'e Resolution)> {
    let mut decisions = events.iter().filter_map(|event| match event {
        SyncEvent::ConflictResolved {
            conflict,
            resolution,
            ..
        } => Some((&**conflict, resolution)),
        _ => None,
    });
    let found = decisions.find(|(conflict, _)| conflict.kind.as_str() == diary);
    found.ok_or_else(|| format!("nobody decided the conflict in {diary}").into())
}

fn who_decided(strategy: ConflictStrategy, resolution: &Resolution) -> &'static str {
    match (strategy, resolution) {
        (ConflictStrategy::AutoPreserve, _) => "each field: who changed it",
        (ConflictStrategy::ServerWins, _) => "always the server",
        (ConflictStrategy::ClientWins, _) => "always the device",
        (ConflictStrategy::LastWriteWins, Resolution::AcceptServer) => "the later edit: B's",
        (ConflictStrategy::LastWriteWins, _) => "the later edit: A's",
        (ConflictStrategy::Merge, _) => "the app's merge function",
        (ConflictStrategy::Manual, _) => "the app's resolver",
        _ => "a newer strategy",
    }
}
