//! The fake outside world.

use std::time::Duration;

use futures::FutureExt;
use sync_core::Timestamp;
use sync_testkit::FakeEnv;

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn the_same_seed_gives_the_same_ids_and_numbers() {
    let draw = |seed| {
        let env = FakeEnv::new(seed).env();
        (env.entity_id(), env.op_id(), env.next_u64())
    };
    assert_eq!(draw(7), draw(7));
    assert_ne!(draw(7), draw(8));
}

#[test]
fn ids_are_uuids_in_order_of_creation_even_when_the_wall_clock_jumps_back() {
    let world = FakeEnv::new(7);
    let env = world.env();
    let first = env.entity_id();
    world.set_wall(&Timestamp::from_unix_millis(0));
    let second = env.entity_id();
    assert!(first < second);
    let uuid = uuid::Uuid::parse_str(first.as_str()).unwrap();
    assert_eq!(uuid.get_version_num(), 7);
}

#[test]
fn time_stands_still_until_it_is_advanced() {
    let world = FakeEnv::new(7);
    let env = world.env();
    assert_eq!(env.now().to_string(), "2026-01-01T00:00:00.000000Z");
    world.advance(SECOND);
    assert_eq!(env.now().to_string(), "2026-01-01T00:00:01.000000Z");
    assert_eq!(env.monotonic(), SECOND);
}

#[test]
fn a_jump_of_the_wall_clock_leaves_monotonic_time_and_sleeps_alone() {
    let world = FakeEnv::new(7);
    let env = world.env();
    let mut nap = Box::pin(env.sleep(SECOND));
    assert!(nap.as_mut().now_or_never().is_none());
    world.set_wall(&Timestamp::parse("2036-01-01T00:00:00Z").unwrap());
    assert!(nap.as_mut().now_or_never().is_none());
    assert_eq!(env.monotonic(), Duration::ZERO);
    world.advance(SECOND);
    assert!(nap.now_or_never().is_some());
    assert_eq!(env.now().to_string(), "2036-01-01T00:00:01.000000Z");
}

#[tokio::test]
async fn a_sleeper_is_awaited_and_woken() {
    let world = FakeEnv::new(7);
    let env = world.env();
    let wake = async {
        world.sleepers(2).await;
        world.advance(2 * SECOND);
    };
    futures::join!(env.sleep(SECOND), env.sleep(2 * SECOND), wake);
    assert_eq!(world.slept(), [SECOND, 2 * SECOND]);
}

#[test]
fn the_next_sleep_can_be_advanced_to() {
    let world = FakeEnv::new(7);
    let env = world.env();
    assert!(!world.advance_to_next());
    let mut short = Box::pin(env.sleep(SECOND));
    let mut long = Box::pin(env.sleep(3 * SECOND));
    assert!(short.as_mut().now_or_never().is_none() && long.as_mut().now_or_never().is_none());
    assert!(world.advance_to_next());
    assert!(short.now_or_never().is_some() && long.as_mut().now_or_never().is_none());
    drop(long);
    assert!(!world.advance_to_next(), "who was cancelled sleeps no more");
}

#[test]
fn short_sleeps_can_pass_by_themselves() {
    let world = FakeEnv::new(7);
    let env = world.env();
    world.auto_advance(10 * SECOND);
    assert!(env.sleep(10 * SECOND).now_or_never().is_some());
    assert!(env.sleep(30 * SECOND).now_or_never().is_none());
    assert_eq!(env.monotonic(), 10 * SECOND);
    assert_eq!(world.slept(), [10 * SECOND, 30 * SECOND]);
}
