//! `sync`: one run, with a progress bar if it takes long.

use std::pin::pin;
use std::time::Duration;

use futures::StreamExt as _;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::json;
use sync_core::{PhaseEnd, SyncEvent, SyncPhase, SyncReport};

use super::Manner;
use crate::app::App;
use crate::failure::{Exit, Failure};
use crate::screen::{self, count};

/// A run that is shorter shows no bar.
const LONG: Duration = Duration::from_millis(500);

pub(super) async fn run(app: &App, manner: &Manner) -> Result<Exit, Failure> {
    let report = followed(app).await?;
    if manner.json {
        screen::json(&summary(&report))?;
    }
    if let Some(reason) = interrupted(&report) {
        let what = format!("the sync did not get through: {reason}");
        let advice = match report.pending {
            0 => "run it again later".to_owned(),
            waiting => {
                let waits = count(waiting, "change waits", "changes wait");
                format!("run it again later; {waits} here, nothing is lost")
            }
        };
        return Err(Failure {
            exit: Exit::Offline,
            ..Failure::new(what, advice)
        });
    }
    if !manner.json {
        tell(&report);
    }
    if report.open_conflicts > 0 {
        return Ok(Exit::Conflicts);
    }
    Ok(Exit::Done)
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

fn tell(report: &SyncReport) {
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
    if report.stuck > 0 {
        let stuck = count(report.stuck, "change was", "changes were");
        screen::line(format_args!("{stuck} set aside: todo-cli outbox"));
    }
}

fn summary(report: &SyncReport) -> serde_json::Value {
    let stats = &report.stats;
    json!({
        "complete": report.is_complete(),
        "sent": stats.pushed,
        "received": stats.pulled,
        "conflicts_merged": stats.conflicts_resolved,
        "conflicts_open": report.open_conflicts,
        "waiting": report.pending,
        "stuck": report.stuck,
    })
}
