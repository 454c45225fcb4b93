//! One life of the process, from its start to the kill.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use crate::child::Orders;
use crate::line::Line;
use crate::phase::Phase;
use crate::{CHILD, Result};

/// A process that was aimed at lives no longer, wherever it is.
const LONGEST_LIFE: Duration = Duration::from_secs(5);
/// The same for one that is to come to rest.
const LONGEST_REST: Duration = Duration::from_secs(90);
/// How often other devices act.
const PACE: Duration = Duration::from_millis(4);
/// At which time of its coming a phase is hit.
const LATEST_COMING: u32 = 6;
/// The variable that plants a defect.
const PLANTED: &str = "SYNC_PLANTED";

/// A process under way.
pub(crate) struct Life {
    child: Child,
    lines: Receiver<String>,
    heard: Vec<Line>,
}

/// What a process told before its end.
pub(crate) struct Ended {
    pub(crate) heard: Vec<Line>,
}

impl Ended {
    /// What it did at last.
    pub(crate) fn phase(&self) -> Phase {
        let mut phases = self.heard.iter().rev().filter_map(|line| match line {
            Line::Phase(phase) => Some(*phase),
            _ => None,
        });
        phases.next().unwrap_or(Phase::Building)
    }
}

impl Life {
    /// Starts the process, which is this program again; `defect` is planted in it.
    pub(crate) fn begin(orders: &Orders, defect: Option<&str>) -> Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg(CHILD).args(orders.words());
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        match defect {
            Some(defect) => command.env(PLANTED, defect),
            None => command.env_remove(PLANTED),
        };
        let mut child = command.spawn()?;
        let out = child.stdout.take().ok_or("the process has no output")?;
        let (sender, lines) = channel();
        // It ends with the process.
        thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(std::io::Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Ok(Self {
            child,
            lines,
            heard: Vec::new(),
        })
    }

    /// Kills it at a random moment: in the phase aimed at, or whatever it does. Other devices act
    /// meanwhile.
    pub(crate) fn kill(
        mut self,
        aim: Option<Phase>,
        dice: &mut fastrand::Rng,
        mut others: impl FnMut(&mut fastrand::Rng),
    ) -> Result<Ended> {
        let born = Instant::now();
        let mut comings = match aim {
            Some(Phase::Building) => 1,
            _ => dice.u32(1..=LATEST_COMING),
        };
        let mut end = match aim {
            Some(_) => born + LONGEST_LIFE,
            None => born + Duration::from_millis(dice.u64(10..300)),
        };
        let mut acted = born;
        while Instant::now() < end {
            let wait = end.duration_since(Instant::now()).min(PACE);
            match self.hear(wait)? {
                Heard::Line if aim.is_some() && self.last_phase() == aim => {
                    comings = comings.saturating_sub(1);
                    if comings == 0 {
                        let delay = Duration::from_micros(dice.u64(..1_000));
                        end = end.min(Instant::now() + delay);
                    }
                }
                Heard::Line | Heard::Nothing => {}
                Heard::End => return Err(self.gave_up()),
            }
            if acted.elapsed() >= PACE {
                acted = Instant::now();
                others(dice);
            }
        }
        // SIGKILL: nothing of the process runs after this.
        self.child.kill()?;
        self.child.wait()?;
        while self.hear(LONGEST_LIFE)? != Heard::End {}
        Ok(Ended { heard: self.heard })
    }

    /// Waits until it has come to rest by itself.
    pub(crate) fn rest(mut self) -> Result<Ended> {
        let born = Instant::now();
        while born.elapsed() < LONGEST_REST {
            if self.hear(PACE)? == Heard::End {
                return if self.child.wait()?.success() {
                    Ok(Ended { heard: self.heard })
                } else {
                    Err(self.gave_up())
                };
            }
        }
        self.child.kill()?;
        self.child.wait()?;
        Err(format!("it did not come to rest within {LONGEST_REST:?}").into())
    }

    fn last_phase(&self) -> Option<Phase> {
        match self.heard.last() {
            Some(Line::Phase(phase)) => Some(*phase),
            _ => None,
        }
    }

    fn hear(&mut self, wait: Duration) -> Result<Heard> {
        match self.lines.recv_timeout(wait) {
            Ok(text) => {
                let line = Line::read(&text);
                let line = line.ok_or_else(|| format!("the process said {text:?}"))?;
                self.heard.push(line);
                Ok(Heard::Line)
            }
            Err(RecvTimeoutError::Timeout) => Ok(Heard::Nothing),
            Err(RecvTimeoutError::Disconnected) => Ok(Heard::End),
        }
    }

    fn gave_up(&mut self) -> Box<dyn std::error::Error + Send + Sync> {
        match self.child.wait() {
            Ok(status) => format!("the process ended by itself: {status}").into(),
            Err(error) => error.into(),
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Heard {
    Line,
    Nothing,
    End,
}
