//! Shows that the test finds what it looks for: engines with a planted defect each.

use std::time::Instant;

use super::ledger::Violation;
use super::{Campaign, Outcome};
use crate::Result;

/// A defect that the test must find.
struct Planted {
    defect: &'static str,
    /// The invariants that may tell it, the one that it breaks first. Anything else that is found
    /// instead, a process that comes to no rest for example, proves nothing.
    laws: &'static [&'static str],
}

/// The last two show in no process that is left alone.
const DEFECTS: [Planted; 3] = [
    Planted {
        defect: "ack-before-commit",
        // A write under way stays in its row when its operation goes; a pull may take the row too.
        laws: &["I2", "I3", "I1"],
    },
    Planted {
        defect: "cursor-outside-transaction",
        laws: &["I6"],
    },
    Planted {
        defect: "verdict-not-durable",
        laws: &["I5"],
    },
];

/// So many kills at most for each of them: some ten times what it usually takes.
const MOST_KILLS: u32 = 400;

impl Planted {
    /// The violation that tells this defect.
    fn told<'a>(&self, violations: &'a [Violation]) -> Option<&'a Violation> {
        let of = |law: &&str| violations.iter().find(|violation| violation.law == *law);
        self.laws.iter().find_map(of)
    }
}

/// Plants one defect after the other; every one must be found.
pub(crate) fn run(seed: u64) -> Result<()> {
    if !cfg!(sync_planted) {
        return Err("this build has no planted defects: run `cargo xtask crash --planted`".into());
    }
    println!("| defect | kills | seconds | breaks | what the checker says |");
    println!("|---|---:|---:|---|---|");
    let mut escaped = Vec::new();
    for planted in &DEFECTS {
        let started = Instant::now();
        let outcome = Campaign::new(seed, Some(planted.defect))?.run(MOST_KILLS)?;
        let seconds = started.elapsed().as_secs_f64();
        let Planted { defect, .. } = planted;
        let Outcome { kills, found, .. } = outcome;
        match planted.told(&found.violations) {
            Some(Violation { law, what }) => {
                let what: String = what.chars().take(90).collect();
                println!("| {defect} | {kills} | {seconds:.1} | {law} | {what} … |");
            }
            None => {
                println!("| {defect} | {kills} | {seconds:.1} | | NOT FOUND |");
                escaped.push(*defect);
                for other in &found.violations {
                    eprintln!("{defect} would show in another way than as {other}");
                }
            }
        }
    }
    if escaped.is_empty() {
        Ok(())
    } else {
        Err(format!("not found: {}", escaped.join(", ")).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(planted: &Planted, laws: &[&'static str]) -> Option<&'static str> {
        let violations: Vec<Violation> = laws
            .iter()
            .map(|law| Violation::new(law, "something"))
            .collect();
        planted.told(&violations).map(|violation| violation.law)
    }

    #[test]
    fn a_defect_is_not_found_by_what_tells_another() {
        let [first, .., last] = &DEFECTS;
        assert_eq!(told(first, &["I3", "I2"]), Some("I2"));
        assert_eq!(told(first, &["I10", "I3"]), Some("I3"));
        assert_eq!(told(last, &["I10"]), None);
    }
}
