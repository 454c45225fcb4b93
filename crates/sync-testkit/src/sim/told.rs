//! How a schedule reads, step by step.

use std::fmt;

use super::schedule::{Schedule, Step};

fn name(client: u8) -> char {
    char::from(b'A' + client)
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User { client, act } => write!(f, "{}: {act:?}", name(*client)),
            Self::DieWriting {
                client,
                act,
                awaits,
            } => write!(
                f,
                "{}: dies after {awaits} awaits of {act:?}",
                name(*client)
            ),
            Self::Ask {
                client,
                what,
                after_seconds,
            } => write!(
                f,
                "{}: asks for {what:?} after {after_seconds} s",
                name(*client)
            ),
            Self::Go {
                client,
                until,
                fates,
            } => write!(f, "{}: goes on, {until:?} {fates:?}", name(*client)),
            Self::Crash { client } => write!(f, "{}: crashes", name(*client)),
            Self::StandStill { client } => {
                write!(f, "{}: stands still, another process starts", name(*client))
            }
            Self::Wake { client } => write!(f, "{}: what stood still wakes", name(*client)),
            Self::SwitchStrategy { client, strategy } => {
                write!(f, "{}: starts again with {strategy:?}", name(*client))
            }
            Self::Turn { client, table, way } => {
                write!(
                    f,
                    "{}: starts again, table {table} goes {way:?}",
                    name(*client)
                )
            }
            Self::Guest {
                client,
                discards,
                awaits,
            } => write!(
                f,
                "{}: a guest comes, the owner gives up what waits: {discards}, dies after {awaits:?}",
                name(*client)
            ),
            Self::Update { client } => write!(f, "{}: the app is updated", name(*client)),
            Self::Copy { from, to } => write!(f, "{}: a copy of {}", name(*to), name(*from)),
            Self::SetClock { client, seconds } => {
                write!(f, "{}: the clock is set by {seconds} s", name(*client))
            }
            Self::Wait { seconds } => write!(f, "{seconds} s pass"),
            Self::Deliver { newest } => {
                let which = if *newest { "newest" } else { "oldest" };
                write!(f, "the {which} late request arrives")
            }
            Self::Server { act } => write!(f, "server: {act:?}"),
        }
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:?}", self.setup)?;
        for (number, step) in self.steps.iter().enumerate() {
            writeln!(f, "{:4}. {step}", number + 1)?;
        }
        Ok(())
    }
}
