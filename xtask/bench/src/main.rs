//! Measures the library beside raw SQLite on the same work: the arms run alternately, each in a
//! process of its own, the server in another; what counts is the ratio within one run.
//!
//! W1 pulls rows over HTTP into an empty SQLite file; W3 is one durable local write with its outbox
//! entry per transaction; "many" is W3 by many writers at once, with every commit on the disk.

mod data;
mod measure;
mod ours;
mod raw;
mod server;

use std::path::Path;
use std::process::{ExitCode, Stdio};

use measure::{Measured, median};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

const ROWS: u64 = 100_000;
const WRITES: u64 = 10_000;
const MANY_WRITES: u64 = 4_000;
const WRITERS: u64 = 16;
const PAGE: u32 = 1_000;
const PAIRS: usize = 5;

/// What is promised; the bench fails when it does not hold.
const W1_AT_LEAST: f64 = 0.6;
const W1_RSS_MB: f64 = 64.0;
const W3_AT_MOST: f64 = 2.0;
const MANY_AT_LEAST: f64 = 1.0;

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match arguments[..] {
        [] => compare().await,
        ["server", rows] => match rows.parse() {
            Ok(rows) => server::serve(rows).await,
            Err(error) => Err(format!("{rows:?} is no number of rows: {error}").into()),
        },
        ["arm", arm, workload, url] => run_arm(arm, workload, url).await,
        _ => Err("usage: bench".into()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// One run of one arm on a fresh file.
async fn run_arm(arm: &str, workload: &str, url: &str) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("bench.db");
    let measured = match (arm, workload) {
        ("raw", "w1") => raw::pull(url, &file).await?,
        ("ours", "w1") => ours::pull(url, &file).await?,
        ("raw", "w3") => raw::write(&file, WRITES)?.measured(),
        ("raw", "many") => raw::write_synced(&file, MANY_WRITES)?,
        ("ours", "many") => ours::write_at_once(&file, MANY_WRITES, WRITERS).await?,
        ("ours", "w3") => ours::write(&file, WRITES).await?.measured(),
        _ => return Err(format!("no arm {arm:?} for {workload:?}").into()),
    };
    println!("{}", serde_json::to_string(&measured)?);
    Ok(())
}

/// Runs both arms of both workloads and prints absolutes and ratios.
async fn compare() -> Result<()> {
    let program = std::env::current_exe()?;
    let (mut server, url) = start_server(&program).await?;
    let mut pairs = Vec::new();
    for workload in ["w1", "w3", "many"] {
        let mut runs: Vec<(Measured, Measured)> = Vec::new();
        for _ in 0..PAIRS {
            let raw = child(&program, "raw", workload, &url).await?;
            runs.push((raw, child(&program, "ours", workload, &url).await?));
        }
        pairs.push(runs);
    }
    server.kill().await?;
    let [w1, w3, many] = pairs
        .try_into()
        .map_err(|_| "three workloads were measured")?;
    let holds = [report_w1(&w1), report_w3(&w3), report_many(&many)];
    if holds == [true; 3] {
        Ok(())
    } else {
        Err("a promise does not hold".into())
    }
}

fn report_w1(runs: &[(Measured, Measured)]) -> bool {
    let ratio = median(
        runs.iter()
            .map(|(raw, ours)| ours.rows_per_second / raw.rows_per_second),
    );
    let rss = median(runs.iter().map(|(_, ours)| ours.rss_mb));
    println!("W1  pull {ROWS} rows over HTTP into an empty file, medians of {PAIRS} pairs");
    println!(
        "      raw SQLite, a transaction per page {:>9.0} rows/s {:>6.1} MB",
        median(runs.iter().map(|(raw, _)| raw.rows_per_second)),
        median(runs.iter().map(|(raw, _)| raw.rss_mb))
    );
    println!(
        "      this library                       {:>9.0} rows/s {rss:>6.1} MB",
        median(runs.iter().map(|(_, ours)| ours.rows_per_second))
    );
    println!("      ratio {ratio:.2} (promised: at least {W1_AT_LEAST}, {W1_RSS_MB} MB at most)");
    ratio >= W1_AT_LEAST && rss <= W1_RSS_MB
}

fn report_w3(runs: &[(Measured, Measured)]) -> bool {
    let ratio = median(runs.iter().map(|(raw, ours)| ours.p50_us / raw.p50_us));
    println!("W3  one local write with its outbox entry, {WRITES} times, medians of {PAIRS} pairs");
    for (name, arm) in [("raw SQLite  ", 0), ("this library", 1)] {
        let pick = |run: &(Measured, Measured)| if arm == 0 { run.0 } else { run.1 };
        println!(
            "      {name}                        p50 {:>6.1} µs   p99 {:>7.1} µs",
            median(runs.iter().map(|run| pick(run).p50_us)),
            median(runs.iter().map(|run| pick(run).p99_us))
        );
    }
    println!("      ratio {ratio:.2} (promised: at most {W3_AT_MOST})");
    ratio <= W3_AT_MOST
}

fn report_many(runs: &[(Measured, Measured)]) -> bool {
    let ratios = runs
        .iter()
        .map(|(raw, ours)| ours.rows_per_second / raw.rows_per_second);
    let ratio = median(ratios);
    println!("many  {MANY_WRITES} writes, every commit synced to disk, medians of {PAIRS} pairs");
    println!(
        "      raw SQLite, one after the other    {:>9.0} rows/s",
        median(runs.iter().map(|(raw, _)| raw.rows_per_second))
    );
    println!(
        "      this library, {WRITERS} writers at once   {:>9.0} rows/s",
        median(runs.iter().map(|(_, ours)| ours.rows_per_second))
    );
    println!("      ratio {ratio:.2} (promised: at least {MANY_AT_LEAST})");
    ratio >= MANY_AT_LEAST
}

async fn start_server(program: &Path) -> Result<(Child, String)> {
    let rows = ROWS.to_string();
    let mut command = Command::new(program);
    command
        .args(["server", &rows])
        .stdout(Stdio::piped())
        .kill_on_drop(true);
    let mut server = command.spawn()?;
    let output = server.stdout.take().ok_or("the server has no output")?;
    let url = BufReader::new(output).lines().next_line().await?;
    Ok((server, url.ok_or("the server did not start")?))
}

async fn child(program: &Path, arm: &str, workload: &str, url: &str) -> Result<Measured> {
    let output = Command::new(program)
        .args(["arm", arm, workload, url])
        .stderr(Stdio::inherit())
        .output()
        .await?;
    if !output.status.success() {
        return Err(format!("the {arm} arm of {workload} failed").into());
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}
