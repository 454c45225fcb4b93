//! The live channel: opened, lost, opened again.

use sync_core::TransportErrorKind;
use sync_testkit::{Call, TransportFault};

use crate::app::{App, MINUTE, MOMENT, PAUSE, SECOND, calm, changed};

#[tokio::test]
async fn a_channel_that_is_lost_is_opened_again_after_a_back_off() {
    let app = App::new().await;
    let first = app.server.channel();
    let app = app.started().await;
    let second = app.server.channel();
    drop(first);
    app.pass(10 * SECOND - MOMENT).await;
    assert_eq!(app.server.openings(), 0);
    app.pass(MOMENT).await;
    assert_eq!(app.server.openings(), 1);
    app.pass(PAUSE).await;
    assert_eq!(
        app.server.pulled(),
        [""; 0],
        "it tells itself what was missed"
    );
    second.unbounded_send(changed("notes")).unwrap();
    app.pass(PAUSE).await;
    assert_eq!(app.server.pulled(), ["notes"]);
}

#[tokio::test]
async fn a_channel_that_does_not_open_is_asked_for_less_and_less_often() {
    let app = App::new().await;
    let fails = TransportFault::Before(TransportErrorKind::Offline);
    app.script.next_times(3, Call::Wakeups, &fails);
    app.engine.start_auto();
    for wait in [10, 20, 30] {
        app.pass(wait * SECOND - MOMENT).await;
        assert_eq!(app.server.openings(), 0);
        app.pass(MOMENT).await;
    }
    assert_eq!(app.server.openings(), 1);
}

#[tokio::test]
async fn only_a_channel_that_held_for_a_while_makes_up_for_failures() {
    for (held, wait) in [(MINUTE, 20), (3 * MINUTE, 10)] {
        let app = App::new().await;
        let fails = TransportFault::Before(TransportErrorKind::Offline);
        app.script.next(Call::Wakeups, fails);
        let channel = app.server.channel();
        let app = app.started().await;
        app.pass(10 * SECOND).await;
        assert_eq!(app.server.openings(), 1);
        app.pass(held).await;
        drop(channel);
        app.pass(wait * SECOND - MOMENT).await;
        assert_eq!(app.server.openings(), 0);
        app.pass(MOMENT).await;
        assert_eq!(app.server.openings(), 1);
    }
}

#[tokio::test]
async fn a_channel_is_not_asked_for_before_the_server_wants_it() {
    let app = App::new().await;
    let busy = TransportFault::Unavailable(10 * MINUTE);
    app.script.next(Call::Wakeups, busy);
    let app = app.started().await;
    app.pass(10 * MINUTE - PAUSE - MOMENT).await;
    assert_eq!(app.server.openings(), 0);
    assert_eq!(app.server.pulled().len(), 2, "runs do not wait for it");
    app.pass(MOMENT).await;
    assert_eq!(app.server.openings(), 1);
}

#[tokio::test]
async fn no_channel_is_asked_for_while_runs_are_to_pause() {
    let app = App::new().await;
    let busy = TransportFault::Unavailable(10 * MINUTE);
    app.script.next_times(2, Call::Pull, &busy);
    app.engine.start_auto();
    app.pass(10 * MINUTE - MOMENT).await;
    assert_eq!(app.server.openings(), 0);
    app.pass(MOMENT).await;
    assert_eq!(app.server.openings(), 1);
}

#[tokio::test]
async fn a_server_without_a_channel_is_asked_for_one_as_seldom_as_for_changes() {
    let app = App::new().await.started().await;
    app.pass(5 * MINUTE - PAUSE - MOMENT).await;
    assert_eq!((app.server.openings(), app.server.pulled().len()), (0, 0));
    app.pass(MOMENT).await;
    assert_eq!((app.server.openings(), app.server.pulled().len()), (1, 2));
}

#[tokio::test]
async fn the_channel_closes_with_automatic_runs() {
    let app = App::new().await;
    let channel = app.server.channel();
    let app = app.started().await;
    assert!(!channel.is_closed());
    app.engine.stop_auto();
    calm().await;
    assert!(channel.is_closed());
}

#[tokio::test]
async fn listening_keeps_no_engine_alive() {
    let app = App::new().await;
    let channel = app.server.channel();
    let app = app.started().await;
    drop(app.engine);
    calm().await;
    assert!(channel.is_closed());
}
