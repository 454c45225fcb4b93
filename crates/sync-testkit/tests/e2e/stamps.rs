//! Stamps of every style: kept verbatim, compared as instants, and no cause of a conflict.

use serde_json::json;
use sync_core::Timestamp;
use sync_testkit::{MockServer, MockServerBuilder, StampStyle};

use crate::setup::{NOTES, assert_fields, converge, device, seed_note, server_with_note};

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
