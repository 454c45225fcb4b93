//! Telling a to-do by the end of its id.

use std::collections::BTreeSet;

use crate::failure::Failure;

/// The end of an id is what tells it from others: its beginning is the time at which it was made.
pub(crate) fn short(id: &str) -> &str {
    let start = id.char_indices().rev().nth(7).map_or(0, |(place, _)| place);
    &id[start..]
}

/// The one of these ids that is this one, or ends so; `missing` says what it means that there is none.
pub(crate) fn the_one<'i>(
    end: &str,
    ids: impl IntoIterator<Item = &'i str>,
    missing: Failure,
) -> Result<&'i str, Failure> {
    let mut found: BTreeSet<&str> = ids.into_iter().filter(|id| id.ends_with(end)).collect();
    if end.is_empty() {
        return Err(missing);
    }
    if let Some(whole) = found.get(end) {
        return Ok(whole);
    }
    match (found.pop_first(), found.is_empty()) {
        (None, _) => Err(missing),
        (Some(id), true) => Ok(id),
        (Some(first), false) => {
            let ids: Vec<&str> = [first].into_iter().chain(found).map(short).collect();
            let what = format!("{end:?} is the end of several ids: {}", ids.join(", "));
            Err(Failure::new(what, "give more of the one that you mean"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one<'i>(end: &str, ids: &[&'i str]) -> Result<&'i str, String> {
        let missing = Failure::new("none", "");
        the_one(end, ids.iter().copied(), missing).map_err(|failure| failure.what)
    }

    #[test]
    fn an_end_tells_one_id_or_none() {
        let ids = ["oat-milk", "rice-milk", "milk", "bread", "bread"];
        assert_eq!(one("oat-milk", &ids), Ok("oat-milk"));
        assert_eq!(one("t-milk", &ids), Ok("oat-milk"));
        assert_eq!(one("read", &ids), Ok("bread"), "the same one twice is one");
        assert_eq!(
            one("milk", &ids),
            Ok("milk"),
            "a whole id is never ambiguous"
        );
        assert_eq!(one("tea", &ids), Err("none".into()));
        assert_eq!(one("", &["bread"]), Err("none".into()));
        let several = "\"ilk\" is the end of several ids: milk, oat-milk, ice-milk";
        assert_eq!(one("ilk", &ids), Err(several.into()));
    }
}
