//! How it looks: headings, lines, a progress bar, a table. Colours and the bar are for terminals
//! only.

use std::fmt::Display;
use std::io::Write as _;

use console::style;
use indicatif::{ProgressBar, ProgressStyle};

/// Standard output, or silence.
pub(crate) struct Screen {
    speaks: bool,
}

impl Screen {
    pub(crate) fn new(speaks: bool) -> Self {
        Self { speaks }
    }

    /// One line. That nobody reads it is no failure.
    pub(crate) fn line(&self, text: &str) {
        if self.speaks {
            let _ = writeln!(std::io::stdout(), "{text}");
        }
    }

    /// The beginning of a chapter.
    pub(crate) fn heading(&self, text: &str) {
        self.line(&format!("\n{}", style(text).bold()));
    }

    /// What somebody does or finds.
    pub(crate) fn says(&self, who: &str, what: impl Display) {
        self.line(&format!("  {} {what}", style(format!("{who:<9}")).cyan()));
    }

    /// A table; the last column is as wide as it likes. Numbers stand on the right.
    pub(crate) fn table(&self, head: [&str; 5], rows: &[[String; 5]]) {
        let mut widths = head.map(str::len);
        for row in rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        let [a, b, c, d, _] = widths;
        let line = |cells: [&str; 5]| {
            let [strategy, mood, energy, notes, who] = cells;
            format!("  {strategy:<a$}  {mood:>b$}  {energy:>c$}  {notes:<d$}  {who}")
        };
        self.line(&style(line(head)).dim().to_string());
        for row in rows {
            self.line(line(row.each_ref().map(String::as_str)).trim_end());
        }
    }

    /// A text that is good news.
    pub(crate) fn good(&self, text: &str) -> String {
        style(text).green().bold().to_string()
    }

    /// A bar for so many records; it shows itself on a terminal only.
    pub(crate) fn bar(&self, who: &str, records: usize) -> ProgressBar {
        if !self.speaks {
            return ProgressBar::hidden();
        }
        let bar = ProgressBar::new(u64::try_from(records).unwrap_or(u64::MAX));
        let template = "  {prefix:<9} {bar:40.cyan/dim} {pos}/{len} records";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.with_prefix(who.to_owned())
    }
}
