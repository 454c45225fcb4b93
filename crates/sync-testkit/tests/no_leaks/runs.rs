//! Whole runs, conflicts and refused rows included.

use serde_json::json;
use sync_core::{ConflictStrategy, Resolution, TableConfig, resolve_fn};
use sync_testkit::{MockServer, Route};

use crate::app::{app, note};
use crate::said::{Said, secret};
use crate::servers::{faults, server_record};

#[tokio::test]
async fn runs_against_servers_that_repeat_what_they_are_sent_leak_nothing() {
    let said = Said::everything();
    for batch in [false, true] {
        for route in [Route::Push, Route::Pull, Route::Any] {
            let server = MockServer::start().await.unwrap();
            server
                .seed("notes", [server_record("n1", "seeded")])
                .unwrap();
            let app = app(&server.url(), TableConfig::new(), batch).await;
            app.sync().await;
            for (number, fault) in faults().into_iter().enumerate() {
                let id = format!("e{number}");
                app.notes()
                    .insert_and_enqueue(&note(&id, "written"))
                    .await
                    .unwrap();
                server.update(
                    "notes",
                    "n1",
                    server_record("n1", &format!("newer {number}")),
                );
                server.fault(fault).on(route.clone()).times(2);
                app.sync().await;
            }
            app.sync().await;
        }
    }
    said.holds_no_secret();
    let text = said.text();
    for said in [
        "sync_core::layers::trace",
        "sync_rest::client",
        "sqlx::query",
        "reqwest::connect",
        "hyper_util::client",
        "OperationFailed",
        "DataMerged",
        "AuthRequired",
    ] {
        assert!(text.contains(said), "{said} was not captured");
    }
}

#[tokio::test]
async fn conflicts_rows_that_do_not_fit_and_errors_leak_nothing() {
    let said = Said::everything();
    let resolver = resolve_fn(|conflict| async move {
        Said::everything().debug(&conflict);
        let mut merged = conflict.local.unwrap_or_default();
        merged
            .fields_mut()
            .insert("title".to_owned(), json!(secret("decided")));
        let resolution = Resolution::AcceptMerged(merged);
        Said::everything().debug(&resolution);
        Ok(resolution)
    });
    for table in [
        TableConfig::new(),
        TableConfig::new().strategy(ConflictStrategy::ServerWins),
        TableConfig::new().resolver(resolver),
    ] {
        said.debug(&table);
        let server = MockServer::start().await.unwrap();
        server
            .seed("notes", [server_record("n1", "seeded")])
            .unwrap();
        let app = app(&server.url(), table, false).await;
        app.sync().await;
        let mut edited = app.notes().get("n1").await.unwrap().unwrap();
        edited.title = secret("edited");
        app.notes().replace_and_enqueue(&edited).await.unwrap();
        server.update("notes", "n1", server_record("n1", "met"));
        app.sync().await;
        // A row that its table refuses, and one that is no record.
        server.update(
            "notes",
            "bad",
            json!({"title": null, "mood": secret("mood")}),
        );
        app.sync().await;
        // Errors of the app.
        let mut refused = note("n2", "x");
        refused.title = "no".to_owned();
        said.error(&app.notes().insert_and_enqueue(&refused).await.unwrap_err());
        said.error(&app.notes().insert_and_enqueue(&edited).await.unwrap_err());
        sqlx::query("UPDATE notes SET mood = ?1 WHERE id = 'n1'")
            .bind(secret("no number"))
            .execute(app.store.pool())
            .await
            .unwrap();
        said.error(&app.notes().get("n1").await.unwrap_err());
    }
    let server = MockServer::start().await.unwrap();
    let app = app(&server.url(), TableConfig::new(), false).await;
    drop(server);
    app.notes()
        .insert_and_enqueue(&note("n3", "offline"))
        .await
        .unwrap();
    app.sync().await;
    said.holds_no_secret();
}
