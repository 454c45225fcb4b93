//! Whose data lies in a database: opening under an account, and signing out.

use serde_json::{Value, json};
use sync_core::store::Store;
use sync_core::{OpStatus, SignOut, SyncError, SyncEvent, TableConfig, TxMode};

use crate::device::{Device, ID, builder_of, id, kind, marked, purging, told};
use crate::server::{accepted, live, record, stamp};

fn row(id: &str, a: &str) -> Value {
    json!({"id": id, "a": a, "updated_at": stamp(1).to_json()})
}

/// A device of this account that pulled a row.
async fn of(account: &str) -> Device {
    let mut device = Device::new(marked(), purging()).await;
    device.engine = builder_of(&device, purging())
        .account(account)
        .build()
        .await
        .unwrap();
    device.server.declares("if-absent");
    device.server.lists(row(ID, "first"));
    device.pull().await;
    device
}

async fn reopen(device: &mut Device, account: &str) -> Result<(), SyncError> {
    let builder = builder_of(device, purging()).account(account);
    device.engine = builder.build().await?;
    Ok(())
}

/// All that the library keeps of the kind.
async fn kept(device: &Device) -> String {
    let mut tx = device.store.begin(TxMode::Read).await.unwrap();
    let kind = kind();
    let versions = tx.versions(&kind, &[id()]).await.unwrap();
    let quarantine = tx.quarantined(&kind, None, 10).await.unwrap();
    let shadows = tx.idle_shadows(&kind, None, 10).await.unwrap();
    let cursor = tx.cursor(&kind).await.unwrap().map(|_| "a cursor");
    let conflicts = tx.conflicts(None).await.unwrap();
    format!("{versions:?} {quarantine:?} {shadows:?} {cursor:?} {conflicts:?}")
}

const NOTHING: &str = "[] [] [] None []";

#[tokio::test]
async fn another_account_finds_nothing_of_the_first_one() {
    let mut device = of("ann").await;
    device.server.lists_all(vec![
        row(ID, "first"),
        json!({"id": "bad"}),
        json!({"id": "gone", "updated_at": stamp(2).to_json(), "deleted_at": stamp(2).to_json()}),
    ]);
    device.pull().await;
    assert_ne!(kept(&device).await, NOTHING);
    reopen(&mut device, "bea").await.unwrap();
    assert_eq!(device.store.rows(&kind()), []);
    assert_eq!(kept(&device).await, NOTHING);
    let mut tx = device.store.begin(TxMode::Read).await.unwrap();
    let gone = [sync_core::EntityId::new("gone").unwrap()];
    assert_eq!(tx.versions(&kind(), &gone).await.unwrap(), []);
    drop(tx);
    device.server.pulls();
    device.server.lists(row(ID, "second"));
    device.pull().await;
    assert_eq!(device.server.pulls()[0].since, None, "from zero");
    assert_eq!(device.row().unwrap().get("a"), Some(&json!("second")));
}

#[tokio::test]
async fn the_same_account_finds_everything() {
    let mut device = of("ann").await;
    let before = kept(&device).await;
    device.change("a", "mine").await;
    reopen(&mut device, "ann").await.unwrap();
    assert_eq!(device.ops().await.len(), 1);
    assert_eq!(device.row().unwrap().get("a"), Some(&json!("mine")));
    assert!(before.contains("a cursor"));
}

#[tokio::test]
async fn opening_under_another_account_is_refused_while_something_waits() {
    let mut device = of("ann").await;
    device.change("a", "mine").await;
    for number in 0..6 {
        device.insert(json!({"id": format!("x{number}")})).await;
    }
    let before = kept(&device).await;
    let error = reopen(&mut device, "bea").await.unwrap_err();
    let text = error.to_string();
    let SyncError::OtherAccount { pending, which } = error else {
        panic!("{error:?}");
    };
    assert_eq!(pending, 7);
    assert_eq!(
        which,
        format!("notes/{ID}, notes/x0, notes/x1, notes/x2, notes/x3 and 2 more")
    );
    assert!(
        text.contains("sign_out") && text.contains("notes/x0"),
        "{text}"
    );
    assert_eq!(kept(&device).await, before);
    reopen(&mut device, "ann").await.unwrap();
    assert_eq!(device.ops().await.len(), 7);
}

#[tokio::test]
async fn rows_that_nobody_claims_stay_and_are_not_queued_for_another_account() {
    let mut device = of("ann").await;
    let mut tx = device.store.begin(TxMode::Write).await.unwrap();
    let own = record(json!({"id": "raw", "a": "past the library"}));
    assert!(tx.insert(&kind(), &own).await.unwrap());
    tx.commit().await.unwrap();
    reopen(&mut device, "bea").await.unwrap();
    assert_eq!(device.store.rows(&kind()).len(), 1);
    assert_eq!(device.ops().await, []);
}

#[tokio::test]
async fn unnamed_data_is_nobody_s_until_somebody_says_so() {
    let mut device = Device::with(marked(), purging(), json!({"id": ID, "a": 1})).await;
    device.change("a", 2).await;
    let error = reopen(&mut device, "ann").await.unwrap_err();
    assert!(error.to_string().contains("takes_unnamed_data"), "{error}");
    assert_eq!(device.ops().await.len(), 1);
    let builder = builder_of(&device, purging()).account("ann");
    device.engine = builder.takes_unnamed_data().build().await.unwrap();
    assert_eq!(device.ops().await.len(), 1);
    reopen(&mut device, "ann").await.unwrap();
    let error = reopen(&mut device, "bea").await.unwrap_err();
    assert!(matches!(error, SyncError::OtherAccount { .. }), "{error}");
}

#[tokio::test]
async fn a_database_of_an_account_is_not_opened_without_one() {
    let device = of("ann").await;
    let error = builder_of(&device, purging()).build().await.unwrap_err();
    assert!(
        error.to_string().contains("belongs to an account"),
        "{error}"
    );
    let error = builder_of(&device, purging()).account("").build().await;
    assert!(matches!(error, Err(SyncError::Config(_))));
}

#[tokio::test]
async fn a_kind_that_comes_back_under_another_account_is_cleared_then() {
    let mut device = of("ann").await;
    let labels =
        sync_core::TableSchema::new(sync_core::Kind::new("labels").unwrap(), "labels", "id")
            .column(sync_core::Column::new("id", sync_core::ColumnType::Text));
    let other = sync_core::SyncEngine::builder(device.store.clone(), device.server.clone());
    let other = other.schema(labels, TableConfig::new()).account("bea");
    drop(other.build().await.unwrap());
    assert_eq!(
        device.store.rows(&kind()).len(),
        1,
        "nobody knows the table now"
    );
    reopen(&mut device, "bea").await.unwrap();
    assert_eq!(device.store.rows(&kind()), []);
    assert_eq!(kept(&device).await, NOTHING);
}

#[tokio::test]
async fn signing_out_is_refused_while_something_waits_and_changes_nothing() {
    let device = of("ann").await;
    device.change("a", "mine").await;
    let error = device
        .engine
        .sign_out(SignOut::RefusePending)
        .await
        .unwrap_err();
    assert!(
        matches!(&error, SyncError::Unsent { pending: 1, which } if which.contains(ID)),
        "{error}"
    );
    assert_eq!(device.ops().await.len(), 1);
    device
        .server
        .answers(accepted(live(json!({"id": ID, "a": "mine"}), 2)));
    device.push().await;
    assert_eq!(
        device.engine.sign_out(SignOut::default()).await.unwrap(),
        []
    );
    assert_eq!(device.store.rows(&kind()), []);
}

#[tokio::test]
async fn signing_out_discards_by_name_and_ends_the_engine() {
    let mut device = of("ann").await;
    device.change("a", "mine").await;
    device.insert(json!({"id": "x"})).await;
    device.server.loses_a_push();
    device.push().await;
    let mut events = device.engine.events();
    let records = device.engine.records("notes").unwrap();
    let gone = device
        .engine
        .sign_out(SignOut::DiscardPending)
        .await
        .unwrap();
    let names: Vec<_> = gone
        .iter()
        .map(|(_, id, gone)| (id.as_str(), gone.maybe_applied))
        .collect();
    assert_eq!(names, [(ID, true), ("x", false)]);
    let told = told(&mut events).into_iter();
    let discarded = told.filter(|event| matches!(event, SyncEvent::OperationsDiscarded { .. }));
    assert_eq!(discarded.count(), 2);
    assert_eq!(device.store.rows(&kind()), []);
    assert_eq!(kept(&device).await, NOTHING);
    assert!(matches!(
        device.engine.sync().await,
        Err(SyncError::ShutDown)
    ));
    let late = records.insert(record(json!({"id": "late"}))).await;
    assert!(matches!(late, Err(SyncError::ShutDown)), "nobody's data");
    assert_eq!(device.store.rows(&kind()), []);
    reopen(&mut device, "bea").await.unwrap();
    assert_eq!(device.ops().await, []);
}

#[tokio::test]
async fn signing_out_takes_what_is_set_aside_with_it() {
    let device = of("ann").await;
    device.change("a", "mine").await;
    for _ in 0..3 {
        device.server.answers(crate::server::refused());
        device.push_later().await;
    }
    assert_eq!(device.op().await.status, OpStatus::Stuck);
    assert!(
        device
            .engine
            .sign_out(SignOut::RefusePending)
            .await
            .is_err()
    );
    assert_eq!(
        device
            .engine
            .sign_out(SignOut::DiscardPending)
            .await
            .unwrap()
            .len(),
        1
    );
}

#[tokio::test]
async fn a_crash_while_the_account_changes_leaves_the_old_or_the_new_state() {
    let mut polls = 0;
    loop {
        polls += 1;
        let mut device = of("ann").await;
        let before = (device.store.rows(&kind()), kept(&device).await);
        let mut opening = Box::pin(builder_of(&device, purging()).account("bea").build());
        let mut done = false;
        for _ in 0..polls {
            done = futures::poll!(&mut opening).is_ready();
            if done {
                break;
            }
        }
        drop(opening);
        let after = (device.store.rows(&kind()), kept(&device).await);
        let cleared = after == (vec![], NOTHING.to_owned());
        assert!(cleared || after == before, "{after:?}");
        reopen(&mut device, if cleared { "bea" } else { "ann" })
            .await
            .unwrap();
        if done {
            assert!(cleared);
            return;
        }
    }
}

#[tokio::test]
async fn an_engine_whose_account_signed_out_elsewhere_writes_and_syncs_nothing_any_more() {
    let mut device = of("ann").await;
    let elsewhere = device.engine.clone();
    reopen(&mut device, "ann").await.unwrap();
    device
        .engine
        .sign_out(SignOut::RefusePending)
        .await
        .unwrap();
    reopen(&mut device, "bea").await.unwrap();
    let records = elsewhere.records(kind().as_str()).unwrap();
    let written = records.insert(record(json!({"id": "x", "a": 1}))).await;
    assert!(matches!(written, Err(SyncError::ShutDown)), "{written:?}");
    device.server.lists(row(ID, "of ann"));
    assert!(elsewhere.sync().await.is_err());
    assert_eq!(device.store.rows(&kind()), []);
    assert_eq!(device.ops().await, []);
}
