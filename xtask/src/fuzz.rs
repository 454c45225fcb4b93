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
    let place = Place {
        root,
        target: target_folder,
    };
    place.build(&chosen)?;
    for target in chosen {
        println!("{target:<12} {}", place.fuzz(target, wanted.seconds)?);
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
            _ => {
                return Err(
                    format!("unknown argument `{argument}`: --seconds N, --target T").into(),
                );
            }
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

/// Where the workspace is, and where its files go.
#[derive(Clone, Copy)]
struct Place<'a> {
    root: &'a Utf8Path,
    target: &'a Utf8Path,
}

impl Place<'_> {
    fn build(self, chosen: &[&String]) -> Result<()> {
        let mut command = self.cargo_fuzz("build");
        // One target is built alone, several with all the others.
        if let [one] = chosen {
            command.arg(one);
        }
        if command
            .status()
            .map_err(|error| not_started(&error))?
            .success()
        {
            return Ok(());
        }
        Err("the fuzz targets do not build".into())
    }

    /// Fuzzes one target, and says in a line what was done.
    fn fuzz(self, target: &str, seconds: u32) -> Result<String> {
        let files = self.target.join("fuzz");
        let (corpus, found) = (
            files.join("corpus").join(target),
            files.join("found").join(target),
        );
        fs::create_dir_all(&corpus)?;
        fs::create_dir_all(&found)?;
        let mut command = self.cargo_fuzz("run");
        command
            .args([
                target,
                corpus.as_str(),
                self.root.join("fuzz/seeds").join(target).as_str(),
                "--",
            ])
            .args([
                format!("-max_total_time={seconds}"),
                format!("-artifact_prefix={found}/"),
            ])
            .args(["-print_final_stats=1", "-print_funcs=0"])
            .args(LIMITS);
        let output = command.output().map_err(|error| not_started(&error))?;
        let said = String::from_utf8_lossy(&output.stderr);
        if output.status.success() {
            let units = statistic(&said, "number_of_executed_units");
            let memory = statistic(&said, "peak_rss_mb");
            return Ok(format!("{seconds} s, {units} inputs, at most {memory} MB"));
        }
        eprintln!("{said}");
        Err(format!("`{target}` found something: it lies in {found}").into())
    }

    /// Safe code needs no address sanitizer; without it the build is quick.
    fn cargo_fuzz(self, what: &str) -> Command {
        let mut command = Command::new(tool(self.target));
        command
            .current_dir(self.root)
            .env("CARGO_TARGET_DIR", self.target.join("fuzz"))
            // The flags of coverage are stable, but cargo-fuzz may add one that is not.
            .env("RUSTC_BOOTSTRAP", "1")
            .args([what, "--fuzz-dir", "fuzz", "--sanitizer", "none"]);
        command
    }
}

fn not_started(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => {
            "cargo-fuzz is not installed; `bash .ci/install-tools` installs it".to_owned()
        }
        _ => format!("cannot start cargo-fuzz: {error}"),
    }
}

/// A number that libFuzzer tells at its end.
fn statistic<'a>(said: &'a str, name: &str) -> &'a str {
    let lines = said.lines();
    let mut values = lines.filter_map(|line| line.strip_prefix("stat::")?.strip_prefix(name));
    values
        .next()
        .map_or("?", |value| value.trim_start_matches(':').trim())
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
    fn what_the_fuzzer_tells_is_read() {
        let said = "#5 DONE\nstat::peak_rss_mb:              62\n";
        assert_eq!(statistic(said, "peak_rss_mb"), "62");
        assert_eq!(statistic(said, "number_of_executed_units"), "?");
    }

    #[test]
    fn every_target_has_seeds() {
        let root = Utf8Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        for target in targets(&root).unwrap() {
            let seeds = root.join("fuzz/seeds").join(&target);
            assert!(
                seeds
                    .read_dir_utf8()
                    .is_ok_and(|mut files| files.next().is_some()),
                "{seeds}"
            );
        }
    }
}
