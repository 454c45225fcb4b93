//! `sync`: one run, or two, with a progress bar if it takes long.

use std::pin::pin;
use std::time::Duration;

use futures::StreamExt as _;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::{Value, json};
use sync_core::{PhaseEnd, SyncEvent, SyncPhase, SyncReport};

use super::Manner;
use crate::app::App;
use crate::failure::{Exit, Failure};
use crate::screen::{self, count};
use crate::waiting::{self, State, Waiting};

/// A run that is shorter shows no bar.
const LONG: Duration = Duration::from_millis(500);

pub(super) async fn run(app: &App, manner: &Manner) -> Result<Exit, Failure> {
    let report = synced(app).await?;
    let mut left = waiting::all(app).await?;
    left.retain(|change| change.state != State::Conflict);
    if manner.json {
        screen::json(&summary(&report, &left))?;
    }
    if let Some(reason) = interrupted(&report) {
        return Err(not_through(&reason, report.pending));
    }
    if !manner.json {
        tell(&report, &left);
    }
    Ok(if !left.is_empty() {
        Exit::Incomplete
    } else if report.open_conflicts > 0 {
        Exit::Conflicts
    } else {
        Exit::Done
    })
}

/// One run, and another one if that has work already: a conflict whose to-do has moved on at the
/// server is judged anew by the run after the one that learned of it.
async fn synced(app: &App) -> Result<SyncReport, Failure> {
    let first = followed(app).await?;
    let is_due = |change: &Waiting| change.is_due;
    if !first.is_complete() || !waiting::all(app).await?.iter().any(is_due) {
        return Ok(first);
    }
    let mut both = followed(app).await?;
    both.stats.pushed += first.stats.pushed;
    both.stats.pulled += first.stats.pulled;
    both.stats.conflicts_resolved += first.stats.conflicts_resolved;
    Ok(both)
}

fn not_through(reason: &str, waiting: u64) -> Failure {
    let what = format!("the sync did not get through: {reason}");
    let advice = match waiting {
        0 => "run it again later".to_owned(),
        _ => {
            let waits = count(waiting, "change waits", "changes wait");
            format!("run it again later; {waits} here, nothing is lost")
        }
    };
    Failure {
        exit: Exit::Incomplete,
        ..Failure::new(what, advice)
    }
}

/// One run; the bar goes to standard error, and only to a terminal.
async fn followed(app: &App) -> Result<SyncReport, Failure> {
    let bar = ProgressBar::hidden();
    let style = ProgressStyle::with_template("{spinner} {msg} {pos} ({elapsed})");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
    let mut events = app.engine.events();
    let mut long = pin!(tokio::time::sleep(LONG));
    let mut shown = false;
    let mut run = pin!(app.engine.sync());
    let report = loop {
        tokio::select! {
            biased;
            report = &mut run => break report,
            () = &mut long, if !shown => {
                shown = true;
                bar.set_draw_target(ProgressDrawTarget::stderr());
                bar.enable_steady_tick(Duration::from_millis(100));
            }
            Some(event) = events.next() => follow(&bar, &event),
        }
    };
    bar.finish_and_clear();
    Ok(report?)
}

fn follow(bar: &ProgressBar, event: &SyncEvent) {
    match event {
        SyncEvent::SyncStarted { phase } => {
            bar.set_position(0);
            bar.set_message(match phase {
                SyncPhase::Push => "sending",
                SyncPhase::Pull => "receiving",
            });
        }
        SyncEvent::SyncWaiting => {
            bar.set_message("waiting for another program that syncs this file")
        }
        SyncEvent::PullPageProcessed {
            page_size: rows, ..
        }
        | SyncEvent::PushBatchProcessed {
            batch_size: rows, ..
        } => {
            bar.inc(*rows);
        }
        _ => {}
    }
}

/// Why a half of the run did not do all there was to do.
fn interrupted(report: &SyncReport) -> Option<String> {
    [&report.push, &report.pull]
        .into_iter()
        .find_map(|end| match end {
            PhaseEnd::Completed | PhaseEnd::Skipped => None,
            PhaseEnd::Offline { reason, .. } | PhaseEnd::Failed { reason } => Some(reason.clone()),
            PhaseEnd::AuthRequired => {
                Some("the server wants a sign-in, which this example does not have".to_owned())
            }
            PhaseEnd::ServerRestored => {
                Some("the server was restored from a backup and is read anew".to_owned())
            }
            _ => Some("it stopped for a reason that this program does not know".to_owned()),
        })
}

fn tell(report: &SyncReport, left: &[Waiting]) {
    let stats = &report.stats;
    screen::line(format_args!(
        "{} sent, {} received",
        stats.pushed, stats.pulled
    ));
    let merged = stats.conflicts_resolved;
    if merged > 0 {
        screen::line(format_args!(
            "{} merged",
            count(merged, "conflict was", "conflicts were")
        ));
    }
    if report.open_conflicts > 0 {
        let open = count(report.open_conflicts, "conflict waits", "conflicts wait");
        screen::line(format_args!("{open} for you: todo-cli conflicts resolve"));
    }
    if !left.is_empty() {
        tell_left(left);
    }
}

fn tell_left(left: &[Waiting]) {
    let what = count(left.len() as u64, "change", "changes");
    screen::line(format_args!(
        "{what} did not get through; nothing is lost\n"
    ));
    screen::table(&waiting::rows(left));
    screen::line("");
    if waiting::count(left, State::Stuck) > 0 {
        screen::line("what is stuck waits until you say: todo-cli outbox retry");
    }
    if waiting::count(left, State::Stuck) < left.len() {
        screen::line("a later sync tries again by itself");
    }
    screen::line("to give a change up: todo-cli outbox discard ID");
}

fn summary(report: &SyncReport, left: &[Waiting]) -> Value {
    let stats = &report.stats;
    json!({
        "complete": report.is_complete() && report.pending == 0,
        "reason": interrupted(report),
        "sent": stats.pushed,
        "received": stats.pulled,
        "conflicts_merged": stats.conflicts_resolved,
        "conflicts_open": report.open_conflicts,
        "waiting": report.pending,
        "refused": waiting::count(left, State::Refused),
        "stuck": waiting::count(left, State::Stuck),
        "left": left.iter().map(Waiting::json).collect::<Vec<_>>(),
    })
}
