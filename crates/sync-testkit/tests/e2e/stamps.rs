//! Stamps of every style: kept verbatim, compared as instants, and no cause of a conflict.

use std::time::Duration;

use serde_json::json;
use sync_core::Timestamp;
use sync_testkit::{Fault, MockServer, MockServerBuilder, Route, StampStyle};

use crate::setup::{NOTES, assert_fields, converge, device, seed_note, server_with_note};

const A_YEAR: Duration = Duration::from_secs(365 * 24 * 3600);

async fn stamps_cause_no_conflict(builder: MockServerBuilder, what: &str) {
    let server = builder.start().await.unwrap();
    seed_note(&server);
    let (here, there) = (device(&server).await, device(&server).await);
    for round in 0..3 {
        for (device, field) in [(&here, "mood"), (&there, "energy")] {
            device.sync_fully().await;
            for step in 0..2 {
                device
                    .edit("n1", json!({field: 10 * (round + 1) + step}))
                    .await;
                let report = device.sync_fully().await;
                let told = (report.stats.pushed, report.stats.conflicts);
                assert_eq!(told, (1, 0), "{what}, round {round}");
            }
        }
    }
    let names = [here.event_names(), there.event_names()].concat();
    assert!(
        !names.contains(&"PreconditionUnreliable".to_owned()),
        "{what}"
    );
    converge(&server, &[&here, &there]).await;
    assert_fields(
        server.get(NOTES, "n1").as_ref(),
        &json!({"mood": 31, "energy": 31}),
    );
}

macro_rules! stamps {
    ($($name:ident: $style:ident;)*) => {$(
        #[tokio::test]
        async fn $name() {
            let builder = MockServer::builder().stamps(StampStyle::$style);
            stamps_cause_no_conflict(builder.clone(), "each its own").await;
            stamps_cause_no_conflict(builder.clone().coarse(true), "shared").await;
            stamps_cause_no_conflict(builder.clone().bodies(false), "no bodies").await;
            stamps_cause_no_conflict(builder.page_tokens(false).etags(true), "keyset, tags").await;
        }
    )*};
}

stamps! {
    hazard_e26_microsecond_stamps_cause_no_conflict: Micros;
    e2e_millisecond_stamps_cause_no_conflict: Millis;
    e2e_second_stamps_cause_no_conflict: Seconds;
    e2e_nanosecond_stamps_cause_no_conflict: Nanos;
    e2e_stamps_with_an_offset_cause_no_conflict: Offset;
    hazard_e27_unix_second_stamps_cause_no_conflict: UnixSeconds;
    e2e_unix_millisecond_stamps_cause_no_conflict: UnixMillis;
}

#[tokio::test]
async fn hazard_e26_stamps_are_sent_back_exactly_as_they_came() {
    for style in [
        StampStyle::Nanos,
        StampStyle::Offset,
        StampStyle::UnixMillis,
    ] {
        let server = MockServer::builder().stamps(style).start().await.unwrap();
        seed_note(&server);
        let here = device(&server).await;
        here.sync_fully().await;
        let stamp = server.get(NOTES, "n1").unwrap()["updated_at"].clone();
        here.edit("n1", json!({"mood": 5})).await;
        here.sync_fully().await;
        let sent = server.pushes()[0].body.clone().unwrap();
        assert_eq!(sent["_baseUpdatedAt"], stamp);
    }
}

#[tokio::test]
async fn hazard_e59_a_device_clock_that_is_wrong_decides_nothing() {
    for wrong in ["1999-01-01T00:00:00Z", "2099-01-01T00:00:00Z"] {
        let server = server_with_note().await;
        let here = device(&server).await;
        here.world.set_wall(&Timestamp::parse(wrong).unwrap());
        here.sync_fully().await;
        here.edit("n1", json!({"mood": 5})).await;
        server.update(NOTES, "n1", json!({"body": "theirs"}));
        here.sync_fully().await;
        converge(&server, &[&here]).await;
        assert_fields(
            server.get(NOTES, "n1").as_ref(),
            &json!({"mood": 5, "body": "theirs"}),
        );
    }
}

#[tokio::test]
async fn e2e_a_clock_set_back_a_year_while_running_loses_nothing_and_holds_nothing_up() {
    let server = server_with_note().await;
    let here = device(&server).await;
    here.sync_fully().await;
    // An edit that is refused waits for its back-off, by a clock that is then set back.
    server.fault(Fault::status(422)).on(Route::Put);
    here.edit("n1", json!({"mood": 5})).await;
    here.sync().await;
    let waits = here.ops().await.remove(0);
    assert_eq!(waits.try_count, 1);
    assert!(waits.next_attempt_at.is_some());
    let last_year = here.world.env().now().minus(A_YEAR);

    here.world.set_wall(&last_year);
    here.create("n2", json!({"title": "written last year"}))
        .await;
    server.update(NOTES, "n1", json!({"body": "theirs"}));
    // Nobody waits for a year.
    here.sync_fully().await;
    here.edit("n2", json!({"title": "edited last year"})).await;
    here.sync_fully().await;

    let now = last_year.plus(A_YEAR);
    here.world.set_wall(&now);
    here.edit("n2", json!({"mood": 2})).await;
    converge(&server, &[&here]).await;
    assert_fields(
        server.get(NOTES, "n1").as_ref(),
        &json!({"mood": 5, "body": "theirs"}),
    );
    assert_fields(
        server.get(NOTES, "n2").as_ref(),
        &json!({"title": "edited last year", "mood": 2}),
    );
}

#[tokio::test]
async fn e2e_a_clock_set_back_a_year_during_a_run_does_not_disturb_it() {
    let server = server_with_note().await;
    let here = device(&server).await;
    here.sync_fully().await;
    here.edit("n1", json!({"mood": 5})).await;
    let gate = server.hold(Route::Push);
    let back = async {
        gate.arrived().await;
        here.world.set_wall(&here.world.env().now().minus(A_YEAR));
        server.update(NOTES, "n1", json!({"body": "theirs"}));
        gate.release();
    };
    let (report, ()) = tokio::join!(here.sync(), back);
    assert!(report.is_complete(), "{report:?}");
    converge(&server, &[&here]).await;
    assert_fields(
        server.get(NOTES, "n1").as_ref(),
        &json!({"mood": 5, "body": "theirs"}),
    );
}
