//! What a run of an arm measured, as one line of JSON between processes.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// One run of one arm.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Measured {
    /// Rows per second (W1).
    pub(crate) rows_per_second: f64,
    /// Median of one write in microseconds (W3).
    pub(crate) p50_us: f64,
    /// 99th percentile of one write in microseconds (W3).
    pub(crate) p99_us: f64,
    /// Greatest resident memory of the process in MiB; 0 where the system does not tell.
    pub(crate) rss_mb: f64,
}

impl Measured {
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
    pub(crate) fn rows(rows: u64, took: Duration) -> Self {
        let rows_per_second = rows as f64 / took.as_secs_f64();
        Self {
            rows_per_second,
            p50_us: 0.0,
            p99_us: 0.0,
            rss_mb: peak_rss_mb(),
        }
    }
}

/// How long single writes took.
#[derive(Debug, Default)]
pub(crate) struct Latencies(Vec<f64>);

impl Latencies {
    pub(crate) fn add(&mut self, took: Duration) {
        self.0.push(took.as_secs_f64() * 1e6);
    }

    pub(crate) fn measured(mut self) -> Measured {
        self.0.sort_by(f64::total_cmp);
        let at = |share: usize| {
            let last = self.0.len().saturating_sub(1);
            self.0.get(last * share / 100).copied().unwrap_or(0.0)
        };
        Measured {
            rows_per_second: 0.0,
            p50_us: at(50),
            p99_us: at(99),
            rss_mb: peak_rss_mb(),
        }
    }
}

/// The high-water mark of this process.
fn peak_rss_mb() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<f64>().ok());
    kib.unwrap_or(0.0) / 1024.0
}

/// The middle value.
pub(crate) fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
