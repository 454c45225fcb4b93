//! How it looks. Colours are for terminals only; the `console` crate sees to that, and to `NO_COLOR`.

use std::fmt::Display;
use std::io::{self, Write as _};

use console::style;
use serde::Serialize;
use serde_json::json;

use crate::failure::Failure;
use crate::table;

/// One line. A pipe that was closed, as by `head`, is no failure of ours.
pub(crate) fn line(text: impl Display) {
    let mut out = io::stdout().lock();
    let _closed = writeln!(out, "{text}");
}

pub(crate) fn json(value: &impl Serialize) -> Result<(), Failure> {
    line(serde_json::to_string_pretty(value)?);
    Ok(())
}

/// A table under a heading that stands out.
pub(crate) fn table(rows: &[Vec<String>]) {
    for (place, text) in table::lines(rows, table::width()).iter().enumerate() {
        match place {
            0 => line(style(text).bold()),
            _ => line(text),
        }
    }
}

pub(crate) fn failure(failure: &Failure, json: bool) {
    let mut out = io::stderr().lock();
    if json {
        let told =
            json!({"error": failure.what, "try": failure.advice, "exit": failure.exit as u8});
        let _closed = writeln!(out, "{told:#}");
        return;
    }
    let head = style("error:").red().bold().for_stderr();
    let _closed = writeln!(out, "{head} {}", plain(&failure.what));
    if let Some(advice) = &failure.advice {
        let _closed = writeln!(
            out,
            "{} {}",
            style("  try:").bold().for_stderr(),
            plain(advice)
        );
    }
}

/// Text of other people's: what would steer the terminal is shown as a box.
pub(crate) fn plain(text: &str) -> String {
    let harmless = |letter: char| {
        if letter.is_control() {
            '\u{25a1}'
        } else {
            letter
        }
    };
    text.chars().map(harmless).collect()
}

/// "1 change", "2 changes".
pub(crate) fn count(number: u64, one: &str, more: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { more })
}
