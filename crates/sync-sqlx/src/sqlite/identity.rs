//! What tells a file from a copy of it.

use std::fs::Metadata;
use std::path::Path;
use std::time::UNIX_EPOCH;

/// Where the file lies and since when, as far as the system tells; `None` for what is no file.
pub(crate) fn of(path: &Path) -> Option<String> {
    let metadata = std::fs::metadata(path).ok()?;
    let since = metadata.created().ok();
    let since = since.and_then(|since| since.duration_since(UNIX_EPOCH).ok());
    let since = since.map(|since| since.as_nanos().to_string());
    let parts: Vec<String> = place(&metadata).into_iter().chain(since).collect();
    (!parts.is_empty()).then(|| parts.join(":"))
}

#[cfg(unix)]
fn place(metadata: &Metadata) -> Option<String> {
    use std::os::unix::fs::MetadataExt;
    // A number of a file that is gone is soon given to another one, so it is not enough.
    Some(format!("{}:{}", metadata.dev(), metadata.ino()))
}

/// Elsewhere the library of the language tells only when the file was made.
#[cfg(not(unix))]
fn place(_metadata: &Metadata) -> Option<String> {
    None
}

#[cfg(test)]
mod tests {
    use super::of;

    #[test]
    fn a_copy_and_a_file_made_anew_are_others_a_renamed_one_is_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let [one, other, moved] = ["one", "other", "moved"].map(|name| folder.path().join(name));
        std::fs::write(&one, "content").unwrap();
        std::fs::copy(&one, &other).unwrap();
        let is = of(&one);
        assert!(is.is_some());
        assert_ne!(of(&other), is);
        std::fs::rename(&one, &moved).unwrap();
        assert_eq!(of(&moved), is);
        std::fs::remove_file(&moved).unwrap();
        assert_eq!(of(&moved), None);
        std::fs::copy(&other, &moved).unwrap();
        assert_ne!(of(&moved), is);
    }
}
