//! The fuzz targets: a workspace of its own under `fuzz/`, built with coverage flags into a folder of its own.

use crate::{Result, workspace};
use cargo_metadata::camino::{Utf8Path, Utf8PathBuf};
use std::{env, fs, io, process::Command};

/// What a target may take: more is found as a defect.
const LIMITS: [&str; 3] = ["-rss_limit_mb=1024", "-timeout=10", "-max_len=65536"];

/// What the arguments ask for.
#[derive(Debug, PartialEq, Eq)]
struct Wanted {
    seconds: u32,
    target: Option<String>,
}

/// Runs each target for a while; `--seconds N` each (30), `--target T` only one.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let wanted = wanted(arguments)?;
    let metadata = workspace::metadata()?;
    let (root, target_folder) = (&metadata.workspace_root, &metadata.target_directory);
    let targets = targets(root)?;
    let chosen: Vec<&String> = targets
        .iter()
        .filter(|target| wanted.target.as_ref().is_none_or(|name| name == *target))
        .collect();
    if chosen.is_empty() {
        return Err(format!("no such target; the targets are {}", targets.join(", ")).into());
    }
    let files = target_folder.join("fuzz");
    cargo_fuzz(root, target_folder, "build", &chosen_flag(&chosen))?;
    for target in chosen {
        let (corpus, found) = (files.join("corpus").join(target), files.join("found").join(target));
        fs::create_dir_all(&corpus)?;
        fs::create_dir_all(&found)?;
        let seconds = format!("-max_total_time={}", wanted.seconds);
        let found = format!("-artifact_prefix={found}/");
        let seeds = root.join("fuzz/seeds").join(target);
        let mut arguments = vec![target.as_str(), corpus.as_str(), seeds.as_str(), "--"];
        arguments.extend([seconds.as_str(), found.as_str(), "-print_final_stats=1", "-verbosity=0"]);
        arguments.extend(LIMITS);
        println!("\nfuzzing {target} for {} s", wanted.seconds);
        cargo_fuzz(root, target_folder, "run", &arguments)?;
    }
    Ok(())
}

fn wanted(arguments: &[String]) -> Result<Wanted> {
    let mut wanted = Wanted {
        seconds: 30,
        target: None,
    };
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        let value = arguments.next();
        let value = value.ok_or_else(|| format!("`{argument}` wants a value"))?;
        match argument.as_str() {
            "--seconds" => wanted.seconds = value.parse()?,
            "--target" => wanted.target = Some(value.clone()),
            _ => return Err(format!("unknown argument `{argument}`: --seconds N, --target T").into()),
        }
    }
    Ok(wanted)
}

/// The targets by name: one file each.
fn targets(root: &Utf8Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for file in root.join("fuzz/fuzz_targets").read_dir_utf8()? {
        let file = file?;
        names.extend(file.path().file_stem().map(str::to_owned));
    }
    names.sort();
    Ok(names)
}

/// One target is built alone, all together.
fn chosen_flag<'a>(chosen: &[&'a String]) -> Vec<&'a str> {
    match chosen {
        [one] => vec![one.as_str()],
        _ => Vec::new(),
    }
}

/// Safe code needs no address sanitizer; without it the build is quick and works on a stable compiler.
fn cargo_fuzz(root: &Utf8Path, target: &Utf8Path, what: &str, arguments: &[&str]) -> Result<()> {
    let status = Command::new(tool(target))
        .current_dir(root)
        .env("CARGO_TARGET_DIR", target.join("fuzz"))
        // the flags of coverage are stable, but cargo-fuzz may add one that is not
        .env("RUSTC_BOOTSTRAP", "1")
        .args([what, "--fuzz-dir", "fuzz", "--sanitizer", "none"])
        .args(arguments)
        .status()
        .map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => {
                "cargo-fuzz is not installed; `bash .ci/install-tools` installs it".to_owned()
            }
            _ => format!("cannot start cargo-fuzz: {error}"),
        })?;
    if status.success() {
        return Ok(());
    }
    Err(format!(
        "`cargo fuzz {what}` failed ({status}); what was found lies in {}",
        target.join("fuzz/found")
    )
    .into())
}

fn tool(target: &Utf8Path) -> Utf8PathBuf {
    let name = format!("cargo-fuzz{}", env::consts::EXE_SUFFIX);
    let installed = target.join("ci-tools/bin").join(&name);
    if installed.exists() {
        installed
    } else {
        name.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(arguments: &[&str]) -> Result<Wanted> {
        let arguments: Vec<String> = arguments.iter().map(|text| (*text).to_owned()).collect();
        wanted(&arguments)
    }

    #[test]
    fn time_and_target_can_be_chosen() {
        let all = Wanted {
            seconds: 30,
            target: None,
        };
        assert_eq!(ask(&[]).unwrap(), all);
        let one = Wanted {
            seconds: 5,
            target: Some("merge".to_owned()),
        };
        assert_eq!(ask(&["--seconds", "5", "--target", "merge"]).unwrap(), one);
    }

    #[test]
    fn what_cannot_be_meant_is_an_error() {
        for arguments in [&["--seconds"][..], &["--seconds", "x"], &["--time", "5"]] {
            assert!(ask(arguments).is_err(), "{arguments:?}");
        }
    }

    #[test]
    fn every_target_has_seeds() {
        let root = Utf8Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        for target in targets(&root).unwrap() {
            let seeds = root.join("fuzz/seeds").join(&target);
            assert!(seeds.read_dir_utf8().is_ok_and(|mut files| files.next().is_some()), "{seeds}");
        }
    }
}
