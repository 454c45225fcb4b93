//! The rows: about 330 bytes of JSON each, with random ids, which are the hard case for an index.

use serde::{Deserialize, Serialize};
use sync_core::SyncEntity;

/// One row.
#[derive(Debug, Clone, Serialize, Deserialize, SyncEntity)]
#[sync(kind = "task")]
pub(crate) struct Task {
    pub(crate) id: String,
    pub(crate) title: String,
    pub(crate) notes: String,
    pub(crate) done: bool,
    pub(crate) priority: i64,
    pub(crate) tags: Vec<String>,
    pub(crate) updated_at: String,
}

const WORDS: [&str; 16] = [
    "review", "deploy", "invoice", "call", "garden", "paint", "update", "meeting", "order",
    "repair", "travel", "budget", "design", "school", "launch", "archive",
];

/// A number that looks random and is the same in every run.
fn mixed(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

fn word(number: u64) -> &'static str {
    WORDS[(number & 15) as usize]
}

fn words(seed: u64, length: usize) -> String {
    let mut text = String::with_capacity(length + 8);
    let mut state = seed;
    while text.len() < length {
        state = mixed(state);
        text.push_str(word(state));
        text.push(' ');
    }
    text.truncate(length);
    text.trim_end().to_owned()
}

fn random_uuid(number: u64) -> String {
    let (high, low) = (mixed(number * 2 + 1), mixed(number * 2 + 2));
    let high = (high & !0xf000) | 0x4000;
    let low = (low & 0x3fff_ffff_ffff_ffff) | 0x8000_0000_0000_0000;
    format!(
        "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
        high >> 32,
        (high >> 16) & 0xffff,
        high & 0xffff,
        low >> 48,
        low & 0xffff_ffff_ffff
    )
}

/// The row of this number; stamps ascend with it.
pub(crate) fn task(number: u64) -> Task {
    let seed = mixed(number.wrapping_mul(31));
    let second = number / 10;
    Task {
        id: random_uuid(number),
        title: words(seed, 40),
        notes: words(seed ^ 0x5555, 120),
        done: number.is_multiple_of(3),
        priority: i64::from((number % 5) as u8),
        tags: vec![word(seed >> 8).to_owned(), word(seed >> 12).to_owned()],
        updated_at: format!(
            "2025-10-{:02}T{:02}:{:02}:{:02}.{:06}Z",
            1 + (second / 86_400) % 28,
            second / 3_600 % 24,
            second / 60 % 60,
            second % 60,
            number % 10 * 100_000
        ),
    }
}
