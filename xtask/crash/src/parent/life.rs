//! One life of the process, from its start to the kill.

use std::io::{BufRead as _, BufReader};
use std::mem;
use std::ops::Range;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use crate::child::Orders;
use crate::line::Line;
use crate::phase::Phase;
use crate::{CHILD, Result};

/// A process that was aimed at lives no longer, wherever it is.
const LONGEST_LIFE: Duration = Duration::from_secs(5);
/// One that was not aimed at lives so many milliseconds.
const LIFE_BY_CHANCE: Range<u64> = 10..250;
/// One that is to come to rest, which takes it less than a second, lives no longer.
const LONGEST_REST: Duration = Duration::from_secs(30);
/// How often other devices act.
const PACE: Duration = Duration::from_millis(4);
/// At which time of its coming a phase is hit.
const LATEST_COMING: u32 = 6;
/// So many microseconds at most after the coming.
const LATEST_SHOT: u64 = 1_000;
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
        thread::spawn(move || pass_on(out, &sender));
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
        let mut shot = Shot::new(aim, dice);
        let mut acted = Instant::now();
        while Instant::now() < shot.at {
            match self.hear(shot.at.min(acted + PACE))? {
                Heard::Line => {
                    if let (Some(Line::Phase(phase)), Some(aim)) = (self.heard.last(), aim)
                        && *phase == aim
                    {
                        shot.phase_comes(dice);
                    }
                }
                Heard::Nothing => {}
                Heard::End => return Err(self.gave_up()),
            }
            if acted.elapsed() >= PACE {
                acted = Instant::now();
                others(dice);
            }
        }
        // SIGKILL: nothing of the process runs after this. What it had told is still in the pipe.
        self.child.kill()?;
        let told: Vec<String> = self.lines.iter().collect();
        for text in told {
            self.heard.push(read(&text)?);
        }
        Ok(self.ended())
    }

    /// Waits until it has come to rest by itself.
    pub(crate) fn rest(mut self) -> Result<Ended> {
        let latest = Instant::now() + LONGEST_REST;
        while Instant::now() < latest {
            if self.hear(latest)? == Heard::End {
                return if self.child.wait()?.success() {
                    Ok(self.ended())
                } else {
                    Err(self.gave_up())
                };
            }
        }
        Err(format!("it did not come to rest within {LONGEST_REST:?}").into())
    }

    /// Waits for a line until this moment.
    fn hear(&mut self, latest: Instant) -> Result<Heard> {
        let wait = latest.saturating_duration_since(Instant::now());
        match self.lines.recv_timeout(wait) {
            Ok(text) => {
                self.heard.push(read(&text)?);
                Ok(Heard::Line)
            }
            Err(RecvTimeoutError::Timeout) => Ok(Heard::Nothing),
            Err(RecvTimeoutError::Disconnected) => Ok(Heard::End),
        }
    }

    fn ended(mut self) -> Ended {
        let heard = mem::take(&mut self.heard);
        Ended { heard }
    }

    fn gave_up(&mut self) -> Box<dyn std::error::Error + Send + Sync> {
        match self.child.wait() {
            Ok(status) => format!("the process ended by itself: {status}").into(),
            Err(error) => error.into(),
        }
    }
}

impl Drop for Life {
    /// No process outlives what is known of it; killing one that has ended does nothing.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Heard {
    Line,
    Nothing,
    End,
}

/// When the process is to be killed.
struct Shot {
    at: Instant,
    /// The phase must come so often yet.
    comings: u32,
}

impl Shot {
    fn new(aim: Option<Phase>, dice: &mut fastrand::Rng) -> Self {
        let lives = match aim {
            Some(_) => LONGEST_LIFE,
            None => Duration::from_millis(dice.u64(LIFE_BY_CHANCE)),
        };
        Self {
            at: Instant::now() + lives,
            comings: match aim {
                // It comes but once.
                Some(Phase::Building) => 1,
                _ => dice.u32(1..=LATEST_COMING),
            },
        }
    }

    /// The phase that is aimed at begins.
    fn phase_comes(&mut self, dice: &mut fastrand::Rng) {
        self.comings = self.comings.saturating_sub(1);
        if self.comings == 0 {
            let delay = Duration::from_micros(dice.u64(..LATEST_SHOT));
            self.at = self.at.min(Instant::now() + delay);
        }
    }
}

/// Passes on whole lines; the kill may have cut off the last one.
fn pass_on(out: ChildStdout, lines: &Sender<String>) {
    let mut out = BufReader::new(out);
    let mut text = String::new();
    while matches!(out.read_line(&mut text), Ok(1..)) {
        let Some(line) = text.strip_suffix('\n') else {
            return;
        };
        if lines.send(line.to_owned()).is_err() {
            return;
        }
        text.clear();
    }
}

fn read(text: &str) -> Result<Line> {
    Line::read(text).ok_or_else(|| format!("the process said {text:?}").into())
}
