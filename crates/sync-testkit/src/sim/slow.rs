//! Resolvers that take their time: a run may end, its user write and its process die before there
//! is an answer.

use std::sync::Arc;

use sync_core::{ConflictResolver, resolve_fn};

use super::link::{SimLink, lock};
use super::pause::pause;
use super::schedule::Setup;
use super::users::{decide, number_of};

/// Lets resolvers take their time in half of the worlds. It is drawn apart, so that everything else
/// stays what it was.
pub(super) fn draw(seed: u64, setup: &mut Setup) {
    let mut rng = fastrand::Rng::with_seed(seed.rotate_left(29) ^ 0x736c_6f77);
    setup.slow_resolvers = rng.bool();
}

/// Somebody who is asked, and counts as forgotten if nobody waits for the answer any more.
struct Asked {
    link: SimLink,
    is_answered: bool,
}

impl Asked {
    fn new(link: SimLink) -> Self {
        lock(&link.own).questions += 1;
        lock(&link.world).counters.count("answer takes its time");
        Self {
            link,
            is_answered: false,
        }
    }

    fn answers(mut self) {
        self.is_answered = true;
        lock(&self.link.world).counters.count("late answer");
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        lock(&self.link.own).questions -= 1;
        if !self.is_answered {
            lock(&self.link.world).counters.count("question forgotten");
        }
    }
}

/// Decides now this, now that; if it is slow, some answers come only after it was looked for them
/// so often. What it does follows from the conflict alone.
pub(super) fn resolver(is_slow: bool, link: &SimLink) -> Arc<dyn ConflictResolver> {
    let link = link.clone();
    resolve_fn(move |conflict| {
        let link = link.clone();
        async move {
            let looks = number_of(&conflict) / 5 % 8;
            if is_slow && looks > 0 {
                let asked = Asked::new(link);
                for _ in 0..looks {
                    pause().await;
                }
                asked.answers();
            }
            Ok(decide(&conflict))
        }
    })
}
