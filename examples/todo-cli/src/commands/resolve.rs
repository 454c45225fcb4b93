//! `conflicts resolve`: deciding them, by a side or by asking.

use std::io::{self, IsTerminal as _};

use serde_json::json;
use sync_core::{Conflict, Resolution};

use super::{Manner, conflicts};
use crate::app::App;
use crate::arguments::Side;
use crate::failure::{Exit, Failure};
use crate::ids::{self, short};
use crate::prompt::{Decision, Prompt};
use crate::queue::{self, Dispute};
use crate::screen;
use crate::table;
use crate::todo::Todo;

pub(super) async fn run(
    app: &App,
    manner: &Manner,
    end: Option<&str>,
    take: Option<Side>,
) -> Result<Exit, Failure> {
    let mut open = queue::conflicts(&app.engine).await?;
    if let Some(end) = end {
        let id = the_one(end, &open)?;
        open.retain(|dispute| dispute.id() == id);
    }
    let asks = take.is_none() && !open.is_empty();
    if asks && (manner.json || !io::stdin().is_terminal()) {
        return Err(Failure::usage(
            "nobody is there to be asked",
            "give --take here or --take server",
        ));
    }
    let mut decided = 0;
    for dispute in &open {
        let decision = match take {
            Some(side) => Decision::Take(side),
            None => ask(dispute)?,
        };
        if settle(app, manner, dispute, decision).await? {
            decided += 1;
        }
    }
    let left = open.len() - decided;
    tell(manner, decided, left)?;
    Ok(if left > 0 {
        Exit::Conflicts
    } else {
        Exit::Done
    })
}

fn the_one(end: &str, open: &[Dispute]) -> Result<String, Failure> {
    let missing = Failure::new(
        format!("no conflict waits of a to-do whose id ends with {end:?}"),
        "`todo-cli conflicts` lists them",
    );
    ids::the_one(end, open.iter().map(Dispute::id), missing).map(str::to_owned)
}

/// A person can decide what can be shown to them.
fn ask(dispute: &Dispute) -> Result<Decision, Failure> {
    match &dispute.todos {
        Ok(conflict) => ask_about(conflict),
        Err(why) => {
            conflicts::unreadable(dispute, why);
            Ok(Decision::Later)
        }
    }
}

fn ask_about(conflict: &Conflict<Todo>) -> Result<Decision, Failure> {
    let (typed, shown) = (io::stdin().lock(), io::stdout().lock());
    Ok(Prompt {
        typed,
        shown,
        width: table::width(),
    }
    .decide(conflict)?)
}

/// `false`: it is still open. A side is taken as it is, also if it cannot be read as a to-do.
async fn settle(
    app: &App,
    manner: &Manner,
    dispute: &Dispute,
    decision: Decision,
) -> Result<bool, Failure> {
    let (engine, records) = (&app.engine, &dispute.records);
    let decided = match (decision, &dispute.todos) {
        (Decision::Take(Side::Here), _) => {
            queue::resolve(engine, records, Resolution::AcceptClient).await?
        }
        (Decision::Take(Side::Server), _) => {
            queue::resolve(engine, records, Resolution::AcceptServer).await?
        }
        (Decision::Merged(todo), Ok(shown)) => {
            queue::resolve(engine, shown, Resolution::AcceptMerged(todo)).await?
        }
        (Decision::Later | Decision::Merged(_), _) => return Ok(false),
    };
    if !decided && !manner.json {
        let id = short(dispute.id());
        screen::line(format_args!(
            "{id} has changed meanwhile: sync, and look again"
        ));
    }
    Ok(decided)
}

fn tell(manner: &Manner, decided: usize, left: usize) -> Result<(), Failure> {
    if manner.json {
        return screen::json(&json!({"decided": decided, "open": left}));
    }
    screen::line(match (decided, left) {
        (0, 0) => "no conflicts".to_owned(),
        (_, 0) => format!("{decided} decided; the next sync sends it"),
        _ => format!("{decided} decided, {left} left for later"),
    });
    Ok(())
}
