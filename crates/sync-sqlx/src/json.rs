//! Reading JSON back that lies in the database.

use serde::de::DeserializeOwned;

/// A record may be nested as deep as the wire allows (128), inside a note of the library's own.
const DEEPEST: usize = 160;

/// Parses JSON a little deeper than `serde_json` does by itself, so that what was once accepted can
/// always be read again; text of another origin that is deeper still is an error, never an overflow.
pub(crate) fn read<T: DeserializeOwned>(text: &str) -> Result<T, serde_json::Error> {
    serde_json::from_str(text).or_else(|error| {
        if depth(text) > DEEPEST {
            return Err(error);
        }
        let mut reader = serde_json::Deserializer::from_str(text);
        reader.disable_recursion_limit();
        let value = T::deserialize(&mut reader)?;
        reader.end()?;
        Ok(value)
    })
}

/// How deep lists and objects lie in each other, text aside.
fn depth(text: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let (mut in_text, mut escaped) = (false, false);
    for byte in text.bytes() {
        match (in_text, byte) {
            (true, _) if escaped => escaped = false,
            (true, b'\\') => escaped = true,
            (_, b'"') => in_text = !in_text,
            (false, b'[' | b'{') => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            (false, b']' | b'}') => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn nested(levels: usize) -> String {
        format!("{}{}", "[".repeat(levels), "]".repeat(levels))
    }

    #[test]
    fn a_record_as_deep_as_the_wire_allows_is_read_back() {
        for levels in [1, 127, 128, 140, DEEPEST] {
            assert!(read::<Value>(&nested(levels)).is_ok(), "{levels}");
        }
    }

    #[test]
    fn text_that_is_far_deeper_is_an_error_and_no_overflow() {
        assert!(read::<Value>(&nested(200_000)).is_err());
    }

    #[test]
    fn brackets_inside_text_do_not_count() {
        let text = format!(r#"["{}\"[","x"]"#, "[".repeat(500));
        assert_eq!(depth(&text), 1);
        assert!(read::<Value>("[1] 2").is_err(), "nothing may follow");
    }
}
