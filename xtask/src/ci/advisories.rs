//! The RustSec database from an archive, laid out so that cargo-deny finds it without a network.

use super::runner::Runner;
use crate::Result;
use cargo_metadata::camino::{Utf8Path, Utf8PathBuf};
use std::{
    env,
    fs::{self, File},
    process::Command,
};

/// Names the archive: a `.tar.gz` of the advisory database, its `crates` folder at the top.
const ARCHIVE_VARIABLE: &str = "ADVISORY_DB";

/// `deny.toml` reads the folder of databases from here.
pub(super) const FOLDER_VARIABLE: &str = "ADVISORY_DB_FOLDER";

/// cargo-deny names a database's folder after its address and a hash of that address; this is the default one's.
const DATABASE: &str = "advisory-db-3157b0e258782691";

/// Unpacks the archive that `ADVISORY_DB` names and returns the folder of databases; `None` if it names none.
pub(super) fn unpack_chosen(runner: &Runner) -> Result<Option<Utf8PathBuf>> {
    let archive = env::var(ARCHIVE_VARIABLE).unwrap_or_default();
    if archive.is_empty() {
        return Ok(None);
    }
    let databases = runner.target().join("advisory-dbs");
    unpack(&runner.root().join(archive), &databases)?;
    Ok(Some(databases))
}

fn unpack(archive: &Utf8Path, databases: &Utf8Path) -> Result<()> {
    let file = File::open(archive).map_err(|error| {
        format!("cannot open {archive}, which {ARCHIVE_VARIABLE} names: {error}")
    })?;
    if databases.exists() {
        fs::remove_dir_all(databases)?;
    }
    let database = databases.join(DATABASE);
    fs::create_dir_all(database.join(".git"))?;
    // cargo-deny reads a database's age off this file; a snapshot is as old as whoever supplies it wants
    fs::write(database.join(".git/FETCH_HEAD"), "")?;
    let status = Command::new("tar")
        .args(["-xzf", "-"])
        .current_dir(&database)
        .stdin(file)
        .status()
        .map_err(|error| format!("cannot start tar to unpack {archive}: {error}"))?;
    if !status.success() {
        return Err(format!("tar could not unpack {archive} ({status})").into());
    }
    if !database.join("crates").is_dir() {
        return Err(format!(
            "{archive} is no advisory database: it has no `crates` folder at its top"
        )
        .into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_archive_is_an_error_that_names_it_and_the_variable() {
        let missing = Utf8Path::new("no/such/archive.tar.gz");
        let error = unpack(missing, Utf8Path::new("no/such/folder"))
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("no/such/archive.tar.gz") && error.contains("ADVISORY_DB"),
            "{error}"
        );
    }
}
