//! What happens, from the first sync to the last.

use std::error::Error;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use sync_core::{Record, SyncEvent, SyncReport};
use sync_testkit::MockServer;

use crate::device::Device;
use crate::model::{DIARIES, DailyFeeling, TERRITORIES, Territory};
use crate::replicas::{Replica, Replicas, count};
use crate::screen::Screen;
use crate::strategies;

pub(crate) type Outcome<T> = Result<T, Box<dyn Error>>;

/// The day that both devices write about.
pub(crate) const DAY: &str = "2026-01-01";
const DAY_BEFORE: &str = "2025-12-31";
const DAY_AFTER: &str = "2026-01-02";

/// Tells the whole story, and returns how it ends.
pub(crate) async fn tell(folder: &Path, screen: &Screen) -> Outcome<Replicas> {
    screen.line("Two devices, one server, and no network for a while");
    let server = start_server().await?;
    let a = Device::open("device A", folder, &server.url()).await?;
    let b = Device::open("device B", folder, &server.url()).await?;

    screen.heading("1  The first sync");
    first_sync(&a, &server, screen).await?;
    first_sync(&b, &server, screen).await?;

    screen.heading("2  The network is gone, the work goes on");
    server.set_online(false).await?;
    work_on_device_a(&a, screen).await?;
    work_on_device_b(&b, screen).await?;
    sync_in_vain(&a, screen).await?;

    screen.heading("3  An hour later the network is back");
    server.set_online(true).await?;
    server.advance(Duration::from_secs(3600));
    sync(&b, screen).await?;
    let events = sync(&a, screen).await?;
    sync(&b, screen).await?;

    screen.heading("4  What became of the edits");
    tell_outcome(&b, screen).await?;

    screen.heading("5  One conflict, six strategies");
    strategies::show(&server, &events, screen)?;

    screen.heading("6  The check");
    let replicas = Replicas {
        server: server_replica(&server),
        device_a: a.replica().await?,
        device_b: b.replica().await?,
    };
    let [here, on_a, on_b] = [&replicas.server, &replicas.device_a, &replicas.device_b].map(count);
    let records = format!("{here} records, {} {on_a}, {} {on_b}", a.name, b.name);
    screen.says("server", format_args!("{records}; every field is compared"));
    a.close().await?;
    b.close().await?;
    Ok(replicas)
}

/// A server with the territories and, for each strategy, a diary of two days.
async fn start_server() -> Outcome<MockServer> {
    let server = MockServer::start().await?;
    server.seed(
        "territories",
        serde_json::from_str::<Vec<Value>>(TERRITORIES)?,
    )?;
    for (kind, _) in DIARIES {
        let day = |id, notes| json!({"id": id, "mood": 3, "energy": null, "notes": notes});
        server.seed(kind, [day(DAY_BEFORE, "To be deleted"), day(DAY, "Old")])?;
    }
    // What was just written is read once more by the next pull; a minute later nothing is new.
    server.advance(Duration::from_secs(60));
    Ok(server)
}

async fn first_sync(device: &Device, server: &MockServer, screen: &Screen) -> Outcome<()> {
    let bar = screen.bar(device.name, count(&server_replica(server)));
    let (report, _) = device.sync_with(&bar).await?;
    bar.finish_and_clear();
    completed(device, &report)?;
    let (records, took) = (report.stats.pulled, report.took.as_millis());
    screen.says(
        device.name,
        format_args!("has {records} records after {took} ms"),
    );
    Ok(())
}

async fn work_on_device_a(a: &Device, screen: &Screen) -> Outcome<()> {
    for (kind, _) in DIARIES {
        let edit = DailyFeeling::new(DAY, 5, None, "My notes");
        let record = Record::try_from(serde_json::to_value(edit)?)?;
        a.engine.records(kind)?.replace(record).await?;
    }
    screen.says(
        a.name,
        "1 January: mood 3 → 5, notes \"Old\" → \"My notes\"",
    );
    screen.says("", "in six diaries, one for each conflict strategy");

    let diary = a.engine.writer::<DailyFeeling>()?;
    let snow = DailyFeeling::new(DAY_AFTER, 8, Some(6), "First snow");
    diary.insert(&snow).await?;
    screen.says(a.name, "2 January: a new entry, \"First snow\"");

    let before = japan(a).await?;
    let mut japan = before.clone();
    japan.population += 1;
    let territories = a.engine.writer::<Territory>()?;
    territories.update(&before, &japan).await?;
    let (from, to) = (before.population, japan.population);
    let what = format!("{}: population {from} → {to}", names(&japan));
    screen.says(a.name, what);
    Ok(())
}

async fn work_on_device_b(b: &Device, screen: &Screen) -> Outcome<()> {
    for (kind, _) in DIARIES {
        let edit = DailyFeeling::new(DAY, 3, Some(7), "Old");
        let record = Record::try_from(serde_json::to_value(edit)?)?;
        b.engine.records(kind)?.replace(record).await?;
    }
    screen.says(b.name, "1 January: energy 7, in the same six diaries");

    let diary = b.engine.writer::<DailyFeeling>()?;
    diary.delete(DAY_BEFORE).await?;
    screen.says(b.name, "31 December: the entry is deleted");

    let before = japan(b).await?;
    let mut japan = before.clone();
    japan.languages.push("ain".to_owned());
    let territories = b.engine.writer::<Territory>()?;
    territories.update(&before, &japan).await?;
    screen.says(
        b.name,
        format_args!("{}: one language more, \"ain\"", names(&japan)),
    );
    Ok(())
}

async fn sync_in_vain(device: &Device, screen: &Screen) -> Outcome<()> {
    let (report, _) = device.sync().await?;
    if report.is_complete() {
        return Err("a sync without a network claims to be complete".into());
    }
    let waiting = report.pending;
    let what = format!("sync: no network; {waiting} edits wait in the outbox, none is lost");
    screen.says(device.name, what);
    Ok(())
}

async fn sync(device: &Device, screen: &Screen) -> Outcome<Vec<SyncEvent>> {
    let (report, events) = device.sync().await?;
    completed(device, &report)?;
    let stats = report.stats;
    let conflicts = match (stats.conflicts, stats.conflicts_resolved) {
        (0, _) => String::new(),
        (found, settled) => format!("; {found} conflicts, {settled} settled"),
    };
    let what = format!(
        "sync: {} sent, {} received{conflicts}",
        stats.pushed, stats.pulled
    );
    screen.says(device.name, what);
    Ok(events)
}

/// With a network, everything has to get through.
fn completed(device: &Device, report: &SyncReport) -> Outcome<()> {
    if report.is_complete() && report.pending == 0 {
        return Ok(());
    }
    Err(format!(
        "{}: the sync did not get everything done: {report:?}",
        device.name
    )
    .into())
}

async fn tell_outcome(device: &Device, screen: &Screen) -> Outcome<()> {
    let diary = device.engine.writer::<DailyFeeling>()?;
    let japan = japan(device).await?;
    let (population, languages) = (japan.population, japan.languages.join(" "));
    screen.says("Japan", "both edits live: they concern different fields");
    screen.says(
        "",
        format_args!("population {population} from A, languages {languages} from B"),
    );
    if let Some(day) = diary.get(DAY_AFTER).await? {
        screen.says(
            "2 January",
            format_args!("\"{}\" arrived on {}", day.notes, device.name),
        );
    }
    if diary.get(DAY_BEFORE).await?.is_none() {
        screen.says("31 Dec.", "deleted everywhere");
    }
    screen.says(
        "1 January",
        "both devices edited it, so each diary's strategy decides:",
    );
    Ok(())
}

async fn japan(device: &Device) -> Outcome<Territory> {
    let found = device.engine.writer::<Territory>()?.get("jp").await?;
    Ok(found.ok_or("there is no record territories/jp")?)
}

/// The name in English and in its own script.
fn names(territory: &Territory) -> String {
    format!("{} ({})", territory.name, territory.native_name)
}

fn server_replica(server: &MockServer) -> Replica {
    let kinds = server.kinds().into_iter();
    kinds
        .map(|kind| (kind.clone(), server.all(&kind)))
        .collect()
}
