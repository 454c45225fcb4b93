//! `cargo xtask ci`: what a change must pass, as steps that can also be run one by one.

mod advisories;
mod runner;

use crate::{Result, crash, fuzz, hazards, parity, sim, tidy, workspace};
use runner::Runner;
use std::time::{Duration, Instant};

struct Step {
    name: &'static str,
    run: fn(&Runner) -> Result<()>,
}

/// Cheap and telling steps first; `test` covers documentation tests too, so that nothing runs twice.
const STEPS: &[Step] = &[
    Step {
        name: "fmt",
        run: |runner| runner.cargo(&["fmt", "--all", "--", "--check"]),
    },
    Step {
        name: "tidy",
        run: |_| tidy::run(&[]),
    },
    Step {
        name: "clippy",
        run: |runner| {
            let features = runner.portable_features();
            runner.cargo(&[
                "clippy",
                "--workspace",
                "--all-targets",
                "--features",
                &features,
                "--",
                "-D",
                "warnings",
            ])
        },
    },
    Step {
        name: "test",
        run: |runner| runner.cargo(&["test", "--workspace"]),
    },
    Step {
        name: "sim",
        run: |_| sim::run(&["--seeds".to_owned(), "2000".to_owned()]),
    },
    Step {
        name: "planted",
        run: |_| sim::run(&["--planted".to_owned()]),
    },
    Step {
        name: "hazards",
        run: |_| hazards::run(&["--prove".to_owned()]),
    },
    Step {
        name: "parity",
        run: |_| parity::run(&[]),
    },
    Step {
        name: "crash",
        run: |_| crash::run(&["--kills".to_owned(), "60".to_owned()]),
    },
    Step {
        name: "crash-planted",
        run: |_| crash::run(&["--planted".to_owned()]),
    },
    Step {
        name: "fuzz",
        run: |_| fuzz::run(&[]),
    },
    Step {
        name: "sqlcipher",
        run: sqlcipher,
    },
    Step {
        name: "features",
        run: each_feature_alone,
    },
    Step {
        name: "doc",
        run: |runner| {
            let features = runner.portable_features();
            runner.cargo_with_env(
                ("RUSTDOCFLAGS", "-D warnings"),
                &["doc", "--workspace", "--features", &features, "--no-deps"],
            )
        },
    },
    Step {
        name: "unused",
        run: |runner| runner.tool("cargo-shear", &["--deny-warnings"]),
    },
    Step {
        name: "deny",
        run: deny,
    },
];

pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let steps = chosen(arguments)?;
    let runner = Runner::new(&workspace::metadata()?);
    let mut durations: Vec<(&str, Duration)> = Vec::new();
    for step in steps {
        println!("\n== {} (alone: cargo xtask ci {})", step.name, step.name);
        let start = Instant::now();
        let outcome = (step.run)(&runner);
        let duration = start.elapsed();
        outcome.map_err(|error| {
            let (name, seconds) = (step.name, duration.as_secs_f32());
            format!("step `{name}` failed after {seconds:.1} s: {error}\nrun it again with: cargo xtask ci {name}")
        })?;
        println!("== {} passed in {:.1} s", step.name, duration.as_secs_f32());
        durations.push((step.name, duration));
    }
    println!("\nall steps passed:");
    for (name, duration) in durations {
        println!("  {name:<13} {:>7.1} s", duration.as_secs_f32());
    }
    Ok(())
}

/// The steps that `arguments` ask for, in the order of the table: all, the named ones, or all but those after `--skip`.
fn chosen(arguments: &[String]) -> Result<Vec<&'static Step>> {
    let (mut named, mut skipped) = (Vec::new(), Vec::new());
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        if argument == "--skip" {
            skipped.push(known(
                arguments
                    .next()
                    .ok_or("`--skip` wants the name of a step")?,
            )?);
        } else {
            named.push(known(argument)?);
        }
    }
    let is_chosen = |step: &&Step| {
        (named.is_empty() || named.contains(&step.name)) && !skipped.contains(&step.name)
    };
    Ok(STEPS.iter().filter(is_chosen).collect())
}

fn known(name: &str) -> Result<&'static str> {
    let names = || STEPS.iter().map(|step| step.name);
    let known = names().find(|known| *known == name);
    known.ok_or_else(|| {
        let names: Vec<_> = names().collect();
        format!("unknown step `{name}`; the steps are {}", names.join(", ")).into()
    })
}

/// A feature that builds only together with another is broken for those who choose it alone.
fn each_feature_alone(runner: &Runner) -> Result<()> {
    for (package, features) in runner.library_features() {
        let without_any = std::iter::once("");
        for feature in without_any.chain(features.iter().map(String::as_str)) {
            runner.cargo(&[
                "clippy",
                "--package",
                package,
                "--no-default-features",
                "--features",
                feature,
                "--",
                "-D",
                "warnings",
            ])?;
        }
    }
    // off by default, so `test` does not see it
    runner.cargo(&[
        "test",
        "--package",
        "sync-core",
        "--lib",
        "--features",
        "backoff",
        "backoff",
    ])
}

/// The encrypted database: its own build of SQLite, which wants OpenSSL's headers.
fn sqlcipher(runner: &Runner) -> Result<()> {
    let with = |command: &'static [&'static str]| {
        let chosen: &[&str] = &["--package", "sync-sqlx", "--features", runner::SQLCIPHER];
        runner.cargo(&[&command[..1], chosen, &command[1..]].concat())
    };
    with(&["clippy", "--all-targets", "--", "-D", "warnings"])?;
    with(&["test", "--test", "encrypted"])?;
    with(&["run", "--example", "encrypted"])
}

/// Licences, bans and sources always; advisories from the snapshot that `ADVISORY_DB` names. Nothing is downloaded
/// but the crates themselves.
fn deny(runner: &Runner) -> Result<()> {
    runner.cargo(&["fetch", "--locked"])?;
    let check = [
        "--locked",
        "--offline",
        "check",
        "licenses",
        "bans",
        "sources",
    ];
    let Some(databases) = advisories::unpack_chosen(runner)? else {
        println!("ADVISORY_DB is not set: advisories are not checked");
        return runner.tool("cargo-deny", &check);
    };
    runner.tool_with_env(
        "cargo-deny",
        (advisories::FOLDER_VARIABLE, databases.as_str()),
        &[&check[..], &["advisories"]].concat(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(arguments: &[&str]) -> Result<Vec<&'static str>> {
        let arguments: Vec<String> = arguments.iter().map(|text| (*text).to_owned()).collect();
        Ok(chosen(&arguments)?.iter().map(|step| step.name).collect())
    }

    #[test]
    fn without_arguments_every_step_runs() {
        assert_eq!(names(&[]).unwrap().len(), STEPS.len());
    }

    #[test]
    fn named_steps_run_in_the_order_of_the_table() {
        assert_eq!(names(&["test", "fmt"]).unwrap(), ["fmt", "test"]);
    }

    #[test]
    fn skipped_steps_do_not_run() {
        let left = names(&["--skip", "test", "--skip", "fmt"]).unwrap();
        assert_eq!(left.len(), STEPS.len() - 2);
        assert!(!left.contains(&"test") && !left.contains(&"fmt"));
    }

    #[test]
    fn an_unknown_step_is_an_error_that_lists_the_steps() {
        for arguments in [&["tset"][..], &["--skip", "tset"], &["--skip"]] {
            assert!(names(arguments).is_err(), "{arguments:?}");
        }
        let error = names(&["tset"]).unwrap_err().to_string();
        assert!(
            error.contains("`tset`") && error.contains("clippy"),
            "{error}"
        );
    }
}
