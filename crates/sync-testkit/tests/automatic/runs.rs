//! When runs begin, what they pull, and how long they wait.

use std::time::Duration;

use sync_core::TransportErrorKind;
use sync_core::transport::Wakeup;
use sync_testkit::{Call, TransportFault};

use crate::app::{App, HOUR, MINUTE, MOMENT, PAUSE, SECOND, changed, kind};

#[tokio::test]
async fn a_wake_up_pulls_what_it_names_a_moment_later() {
    let app = App::new().await;
    let channel = app.server.channel();
    let app = app.started().await;
    channel.unbounded_send(changed("notes")).unwrap();
    app.pass(PAUSE - MOMENT).await;
    assert_eq!(app.server.pulled(), [""; 0]);
    app.pass(MOMENT).await;
    assert_eq!(app.server.pulled(), ["notes"]);
    app.pass(MINUTE).await;
    assert_eq!(app.server.pulled(), [""; 0], "it was answered once");
}

#[tokio::test]
async fn wake_ups_that_come_together_are_one_run() {
    let app = App::new().await;
    let channel = app.server.channel();
    let app = app.started().await;
    for name in ["notes", "labels", "notes", "notes", "labels"] {
        channel.unbounded_send(changed(name)).unwrap();
        app.pass(PAUSE / 10).await;
    }
    app.pass(PAUSE / 2).await;
    assert_eq!(app.server.pulled(), ["labels", "notes"]);
    app.pass(MINUTE).await;
    assert_eq!(app.server.pulled(), [""; 0]);
}

#[tokio::test]
async fn missed_events_wake_up_every_kind_and_a_stranger_none() {
    let app = App::new().await;
    let channel = app.server.channel();
    let app = app.started().await;
    channel.unbounded_send(changed("strangers")).unwrap();
    app.pass(MINUTE).await;
    assert_eq!(app.server.pulled(), [""; 0]);
    channel.unbounded_send(Wakeup::Everything).unwrap();
    app.pass(PAUSE).await;
    assert_eq!(app.server.pulled(), ["labels", "notes"]);
}

#[tokio::test]
async fn what_changed_before_the_channel_was_open_is_looked_for() {
    let app = App::new().await;
    let _channel = app.server.channel();
    let opening = app.script.hold(Call::Wakeups);
    app.engine.start_auto();
    app.pass(MINUTE).await;
    assert_eq!(app.server.pulled(), ["labels", "notes"]);
    opening.release();
    app.pass(PAUSE).await;
    assert_eq!(app.server.pulled(), ["labels", "notes"]);
}

#[tokio::test]
async fn wake_ups_during_a_run_are_answered_by_one_run_after_it() {
    let app = App::new().await;
    let channel = app.server.channel();
    let app = app.started().await;
    let on_its_way = app.script.hold(Call::Pull);
    channel.unbounded_send(changed("notes")).unwrap();
    app.pass(PAUSE).await;
    for _ in 0..3 {
        channel.unbounded_send(changed("labels")).unwrap();
    }
    on_its_way.release();
    app.pass(Duration::ZERO).await;
    assert_eq!(app.server.pulled(), ["notes"]);
    app.pass(PAUSE).await;
    assert_eq!(app.server.pulled(), ["labels"]);
}

#[tokio::test]
async fn a_kind_is_pulled_again_after_a_run_that_failed_and_not_before_the_back_off() {
    let app = App::new().await;
    let channel = app.server.channel();
    let app = app.started().await;
    let lost = TransportFault::Before(TransportErrorKind::Offline);
    app.script.next(Call::Pull, lost);
    channel.unbounded_send(changed("notes")).unwrap();
    app.pass(PAUSE).await;
    // Whoever wakes it up meanwhile waits too.
    channel.unbounded_send(changed("labels")).unwrap();
    app.pass(10 * SECOND - MOMENT).await;
    assert_eq!(app.server.pulled(), [""; 0]);
    app.pass(MOMENT).await;
    assert_eq!(app.server.pulled(), ["labels", "notes"]);
}

#[tokio::test]
async fn a_kind_that_cannot_be_pulled_backs_off_alone() {
    let app = App::new().await;
    let channel = app.server.channel();
    app.server.state().refused = Some(kind("labels"));
    let app = app.started().await;
    app.write("a").await;
    channel.unbounded_send(changed("notes")).unwrap();
    channel.unbounded_send(changed("labels")).unwrap();
    app.pass(PAUSE).await;
    assert_eq!(
        (app.server.pulled(), app.server.pushes()),
        (vec!["notes".to_owned()], 1)
    );
    app.pass(10 * SECOND - 2 * PAUSE).await;
    assert_eq!(app.server.pulled(), ["labels"]);
    app.pass(20 * SECOND - MOMENT).await;
    assert_eq!(app.server.pulled(), [""; 0]);
    app.server.state().refused = None;
    app.pass(MOMENT).await;
    assert_eq!(app.server.pulled(), ["labels"]);
    app.pass(4 * MINUTE).await;
    assert_eq!(app.server.pulled(), [""; 0], "it is in order again");
}

#[tokio::test]
async fn a_server_that_asks_for_a_pause_gets_it_whoever_wakes_up_or_edits() {
    let app = App::new().await;
    let channel = app.server.channel();
    let app = app.started().await;
    let asked = 10 * MINUTE;
    app.script
        .next(Call::Pull, TransportFault::Unavailable(asked));
    channel.unbounded_send(changed("notes")).unwrap();
    app.pass(PAUSE).await;
    channel.unbounded_send(changed("notes")).unwrap();
    app.write("a").await;
    app.pass(asked - MOMENT).await;
    assert_eq!(
        (app.server.pulled(), app.server.pushes()),
        (Vec::new(), 0),
        "longer than the back-off and the interval"
    );
    app.pass(MOMENT).await;
    assert_eq!(app.server.pulled(), ["labels", "notes"]);
    assert_eq!(app.server.pushes(), 1);
}

#[tokio::test]
async fn a_pause_that_a_push_is_asked_for_holds_for_pulls_too() {
    let app = App::new().await.started().await;
    let busy = TransportFault::Unavailable(10 * MINUTE);
    app.script.next(Call::Push, busy);
    app.write("a").await;
    app.pass(PAUSE).await;
    app.pass(10 * MINUTE - MOMENT).await;
    assert_eq!((app.server.pulled().len(), app.server.pushes()), (0, 0));
    app.pass(MOMENT).await;
    assert_eq!((app.server.pulled().len(), app.server.pushes()), (2, 1));
}

#[tokio::test]
async fn of_several_pauses_that_are_asked_for_the_longest_counts() {
    for (first, second) in [(20 * SECOND, MINUTE), (MINUTE, 20 * SECOND)] {
        let app = App::new().await;
        app.script
            .next(Call::Pull, TransportFault::Unavailable(first))
            .next(Call::Pull, TransportFault::Unavailable(second));
        app.engine.start_auto();
        app.pass(MINUTE - MOMENT).await;
        assert_eq!(app.server.pulled(), [""; 0]);
        app.pass(MOMENT).await;
        assert_eq!(app.server.pulled(), ["labels", "notes"]);
    }
}

#[tokio::test]
async fn no_server_holds_automatic_runs_up_for_longer_than_the_ceiling() {
    for call in [Call::Pull, Call::Push] {
        let app = App::new().await;
        app.write("a").await;
        let busy = TransportFault::Unavailable(1_000 * HOUR);
        app.script.next(call, busy);
        app.engine.start_auto();
        app.pass(Duration::ZERO).await;
        app.server.pulled();
        app.pass(HOUR - MOMENT).await;
        assert_eq!(app.server.pulled(), [""; 0]);
        app.pass(MOMENT).await;
        assert_eq!(app.server.pulled(), ["labels", "notes"]);
    }
}

#[tokio::test]
async fn an_interval_without_end_leaves_runs_to_edits_and_wake_ups() {
    let app = App::with(|config| config.with_auto_interval(Duration::MAX)).await;
    let channel = app.server.channel();
    let app = app.started().await;
    app.pass(1_000 * HOUR).await;
    assert_eq!(app.server.pulled(), [""; 0]);
    channel.unbounded_send(changed("notes")).unwrap();
    app.pass(PAUSE).await;
    assert_eq!(app.server.pulled(), ["notes"]);
}
