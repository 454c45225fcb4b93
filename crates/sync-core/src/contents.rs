//! What `Debug` shows of records: names, not contents.
//!
//! An app's log, a panic's message and a bug report are full of `Debug` output, and what people keep
//! in their records does not belong there. So the types of this library show which record it is and
//! which fields it has; what lies in the fields is shown as `…`. Tests and simulations want the rest:
//! [`show_in_debug`].

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};

/// Longest text of somebody else that is repeated in a message of this library.
const LONGEST: usize = 80;

static SHOWN: AtomicBool = AtomicBool::new(false);

/// From now on `Debug` shows the contents of records, in this whole process. For tests; an app that
/// calls this writes its users' data into its logs.
pub fn show_in_debug() {
    SHOWN.store(true, Ordering::Relaxed);
}

/// Does `Debug` show contents?
#[must_use]
pub fn are_shown() -> bool {
    SHOWN.load(Ordering::Relaxed)
}

/// A value whose `Debug` is `…`, unless contents [are shown](show_in_debug); for `Debug`
/// implementations of adapters.
///
/// ```
/// use sync_core::contents::Contents;
///
/// assert_eq!(format!("{:?}", Contents("dear diary")), "…");
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Contents<T>(pub T);

impl<T: fmt::Debug> fmt::Debug for Contents<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if are_shown() {
            self.0.fmt(f)
        } else {
            f.write_str("…")
        }
    }
}

/// A text as messages repeat it: its beginning, if it is long.
pub(crate) fn shortened(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}… ({} bytes)", &text[..end], text.len()),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_long_is_cut_between_characters() {
        assert_eq!(shortened("short"), "short");
        let long = "ü".repeat(81);
        assert_eq!(shortened(&long), format!("{}… (162 bytes)", "ü".repeat(80)));
    }
}
