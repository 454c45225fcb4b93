//! The code of `docs/existing-apis.md`.

use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::json;
use sync_core::{SyncEngine, TransportError};
use sync_rest::{KindRoute, RestTransport, Token, TokenError, TokenProvider};
use sync_sqlx::SqliteStore;
use sync_testkit::{FieldNames, MockServer};

use crate::todos::{Outcome, Todo, todo};

/// Where the app keeps its session.
#[derive(Debug)]
struct Session {
    account: String,
    token: Mutex<String>,
}

#[async_trait]
impl TokenProvider for Session {
    async fn token(&self) -> Result<Token, TokenError> {
        let token = self
            .token
            .lock()
            .map_err(|_| TokenError::denied("no session"))?;
        Ok(Token::bearer(token.clone()).with_account(&self.account))
    }

    async fn refresh(&self) -> Result<(), TokenError> {
        let renewed = ask_the_identity_service().await?;
        *self
            .token
            .lock()
            .map_err(|_| TokenError::denied("no session"))? = renewed;
        Ok(())
    }
}

async fn ask_the_identity_service() -> Result<String, TokenError> {
    tokio::task::yield_now().await;
    Ok("fresh".to_owned())
}

fn transport(url: &str, session: Session) -> Result<RestTransport, TransportError> {
    let todos = KindRoute::new()
        .path("v2/users/7/tasks") // instead of /todos
        .items_field("data") // {"data": […], "next": "…"}
        .next_token_field("next")
        .id_field("_id")
        .stamp_field("modified")
        .tombstone_field("removed")
        .rename("task_title", "title")
        .header("X-Tenant", "acme");
    RestTransport::builder(url)
        .auth(session)
        .kind("todos", todos)
        .request_timeout(Duration::from_secs(20))
        .build()
}

#[tokio::test]
async fn an_api_with_names_of_its_own_is_served() -> Outcome {
    let server = MockServer::builder()
        .base_path("api")
        .kind_path("todos", "v2/users/7/tasks")
        .envelope("data", "next")
        .field_names(FieldNames::new("_id", "modified", "removed", "made"))
        .require_token("fresh")
        .start()
        .await?;
    let there = json!({"_id": "bread", "task_title": "Bake bread", "done": false, "list_id": null});
    server.seed("todos", [there])?;
    let session = Session {
        account: "user-7".into(),
        token: Mutex::new("stale".into()),
    };
    let store = SqliteStore::open_in_memory().await?;
    store.create_table::<Todo>().await?;
    let engine = SyncEngine::builder(store, transport(&server.url(), session)?)
        .table::<Todo>()
        .build()
        .await?;
    let todos = engine.writer::<Todo>()?;
    todos.insert(&todo("milk", "Buy milk")).await?;
    let report = engine.sync().await?;
    assert!(report.is_complete(), "{report:?}");

    let bread = todos.get("bread").await?.ok_or("no bread")?;
    assert_eq!(bread.title, "Bake bread");
    let milk = server.get("todos", "milk").ok_or("no milk")?;
    assert_eq!(milk["task_title"], "Buy milk");
    todos.delete("bread").await?;
    engine.sync().await?;
    assert_eq!(server.get("todos", "bread"), None);
    Ok(())
}

#[tokio::test]
async fn a_bare_list_without_tokens_is_paged_by_its_rows() -> Outcome {
    let server = MockServer::builder().page_tokens(false).start().await?;
    server.seed(
        "todos",
        (0..5).map(|n| json!({"id": format!("{n}"), "title": "t", "done": false})),
    )?;

    let store = SqliteStore::open_in_memory().await?;
    store.create_table::<Todo>().await?;
    let rest = RestTransport::builder(server.url())
        .batch(true)
        .batch_size(50)
        .build()?;
    let engine = SyncEngine::builder(store, rest)
        .table_with::<Todo>(sync_core::TableConfig::new().page_size(2))
        .build()
        .await?;
    assert_eq!(engine.sync().await?.stats.pulled, 5);
    Ok(())
}
