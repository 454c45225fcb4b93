//! Behaviours that a harness cannot show: named, never passed over in silence.

use std::io::Write;

use super::Ability;

/// A behaviour was not run, because the harness or the transport lacks this.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Skipped(pub Ability);

/// A behaviour was shown, or skipped. One that is broken panics.
pub type Outcome = Result<(), Skipped>;

/// What is to be said of a behaviour, or why its test fails.
pub(super) fn judge(
    name: &str,
    outcome: Outcome,
    listed: bool,
    strict: bool,
) -> Result<Option<String>, String> {
    match (outcome, listed) {
        (Ok(()), false) => Ok(None),
        (Ok(()), true) => Err(format!(
            "`{name}` is listed under `skips` and was not skipped: take it off the list"
        )),
        (Err(Skipped(lack)), true) => Ok(Some(format!("skipped as listed: {name}: {lack}"))),
        (Err(Skipped(lack)), false) if strict => Err(format!(
            "skipped: {name}: {lack}. Let the harness bring it about, or list it under `skips`"
        )),
        (Err(Skipped(lack)), false) => Ok(Some(format!("skipped: {name}: {lack}"))),
    }
}

/// Says it where the test harness does not swallow it.
pub(super) fn tell(note: &str) {
    // Who closed standard error does not want to hear it.
    let _ = writeln!(std::io::stderr(), "{note}");
}
