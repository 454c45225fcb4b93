//! Accounts on one file: nothing of one leaves, or is seen, under another.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::json;
use sync_core::{PhaseEnd, SignOut, SyncError};
use sync_rest::{Token, TokenError, TokenProvider};
use sync_testkit::MockServer;

use crate::setup::{Device, NOTES, Setup, server_with_note};

const ROWS: &str = "SELECT COUNT(*) FROM notes";
const KEPT: &str = "SELECT (SELECT COUNT(*) FROM sync_outbox) + (SELECT COUNT(*) FROM sync_shadow) \
                    + (SELECT COUNT(*) FROM sync_versions) + (SELECT COUNT(*) FROM sync_extra) \
                    + (SELECT COUNT(*) FROM sync_conflicts) + (SELECT COUNT(*) FROM sync_quarantine) \
                    + (SELECT COUNT(*) FROM sync_cursors) + (SELECT COUNT(*) FROM sync_conflict_history)";

/// Whoever is signed in.
#[derive(Debug)]
struct Session(&'static str);

#[async_trait]
impl TokenProvider for Session {
    async fn token(&self) -> Result<Token, TokenError> {
        Ok(Token::bearer(format!("token of {}", self.0)).with_account(self.0))
    }

    async fn refresh(&self) -> Result<(), TokenError> {
        Err(TokenError::denied("please sign in"))
    }
}

fn of(server: &MockServer, account: &'static str, session: &'static str) -> Setup {
    let setup = Setup::new(server).account(account);
    setup.rest(move |rest| rest.auth(Session(session)))
}

async fn next(device: Device, setup: Setup) -> Result<Device, SyncError> {
    let (folder, world) = (Arc::clone(&device.folder), device.world.clone());
    drop(device);
    setup.file_of(folder).world(&world).try_open().await
}

#[tokio::test]
async fn hazard_e63_the_edits_of_one_account_do_not_leave_with_the_token_of_another() {
    let server = server_with_note().await;
    let here = of(&server, "ann", "bea").open().await;
    here.create("n2", json!({"title": "ann's"})).await;
    let report = here.sync().await;
    assert_eq!(
        (report.push, report.pull),
        (PhaseEnd::AuthRequired, PhaseEnd::AuthRequired)
    );
    assert_eq!(report.pending, 1);
    assert!(server.recorded().is_empty(), "no token of bea's leaves");
    let here = next(here, of(&server, "ann", "ann")).await.unwrap();
    here.wait();
    here.sync_fully().await;
    assert!(server.get(NOTES, "n2").is_some());
}

#[tokio::test]
async fn hazard_e63_another_account_on_the_same_file_starts_from_nothing() {
    let server = server_with_note().await;
    let here = of(&server, "ann", "ann").open().await;
    here.sync_fully().await;
    here.edit("n1", json!({"mood": 5})).await;
    let (folder, world) = (Arc::clone(&here.folder), here.world.clone());
    let refused = next(here, of(&server, "bea", "bea")).await.err().unwrap();
    assert!(
        matches!(&refused, SyncError::OtherAccount { pending: 1, .. }),
        "{refused}"
    );
    assert!(refused.to_string().contains("notes/n1"), "{refused}");

    let again = of(&server, "ann", "ann").file_of(folder).world(&world);
    let here = again.open().await;
    assert_eq!((here.count(ROWS).await, here.ops().await.len()), (1, 1));
    server.update(NOTES, "n1", json!({"body": "theirs"}));
    here.sync_fully().await;
    assert_eq!(here.engine.conflicts().history(9).await.unwrap().len(), 1);
    let here = next(here, of(&server, "bea", "bea")).await.unwrap();
    assert_eq!((here.count(ROWS).await, here.count(KEPT).await), (0, 0));
    here.sync_fully().await;
    assert!(here.live("n1").await.is_some());
}

#[tokio::test]
async fn e2e_signing_out_leaves_an_empty_file_for_whoever_comes_next() {
    let server = server_with_note().await;
    let here = of(&server, "ann", "ann").open().await;
    here.sync_fully().await;
    here.create("n2", json!({"title": "never sent"})).await;
    here.edit("n1", json!({"mood": 5})).await;
    let refused = here.engine.sign_out(SignOut::RefusePending).await;
    assert!(matches!(refused, Err(SyncError::Unsent { pending: 2, .. })));
    assert_eq!(here.count(ROWS).await, 2);
    let discarded = here.engine.sign_out(SignOut::DiscardPending).await.unwrap();
    assert_eq!(discarded.len(), 2);
    assert_eq!((here.count(ROWS).await, here.count(KEPT).await), (0, 0));
    assert!(
        here.event_names()
            .contains(&"OperationsDiscarded".to_owned())
    );
    let late = here.try_create("n3", json!({})).await;
    assert!(matches!(late, Err(SyncError::ShutDown)));
    let here = next(here, of(&server, "bea", "bea")).await.unwrap();
    here.sync_fully().await;
    assert_eq!(here.count(ROWS).await, 1);
    assert!(server.get(NOTES, "n2").is_none());
}
