//! The code of `docs/tables-and-derive.md`.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use sync_core::{
    Column, ColumnType, FieldMerge, Kind, Record, SyncEngine, SyncEntity, TableConfig, TableSchema,
    Timestamp,
};
use sync_rest::RestTransport;
use sync_sqlx::SqliteStore;
use sync_testkit::MockServer;

use crate::shown::page;
use crate::todos::{List, Outcome, Todo};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, SyncEntity)]
#[sync(kind = "articles", table = "shop_articles")]
#[serde(rename_all = "camelCase")]
struct Article {
    id: String,
    name: String,
    #[serde(rename = "qty")]
    #[sync(column = "stock", merge = "sum_delta")]
    in_stock: i64,
    price: Option<f64>,
    #[sync(text)]
    state: State,
    #[sync(merge = "union")]
    tags: Vec<String>,
    size: Option<Size>,
    #[sync(blob)]
    #[serde(with = "sync_core::base64", default)]
    thumbnail: Option<Vec<u8>>,
    #[sync(local_only)]
    is_open: Option<bool>,
    #[serde(skip)]
    cached_label: String,
    #[sync(extra)]
    #[serde(flatten)]
    rest: Map<String, Value>,
    updated_at: Option<Timestamp>,
    deleted_at: Option<Timestamp>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum State {
    Draft,
    OnSale,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Size {
    width: u32,
    height: u32,
}

#[test]
fn the_page_shows_the_statement_that_creates_the_table() {
    let page = page("tables-and-derive.md");
    let sql = Article::create_table_sql();
    assert!(page.contains(&format!("```sql\n{sql}\n```")), "{sql}");
}

#[tokio::test]
async fn every_form_of_field_travels_and_comes_back() -> Outcome {
    let server = MockServer::start().await?;
    let (here, there) = (shop(&server).await?, shop(&server).await?);
    let pen = Article {
        id: "pen".into(),
        name: "Pen".into(),
        in_stock: 10,
        price: Some(2.5),
        state: State::OnSale,
        tags: vec!["office".into()],
        size: Some(Size {
            width: 1,
            height: 14,
        }),
        thumbnail: Some(vec![0, 255]),
        is_open: Some(true),
        cached_label: String::new(),
        rest: Map::new(),
        updated_at: None,
        deleted_at: None,
    };
    here.writer::<Article>()?.insert(&pen).await?;
    here.sync().await?;
    let stored = server.get("articles", "pen").ok_or("no pen")?;
    assert_eq!(stored["qty"], 10);
    assert_eq!(stored["state"], "onsale");
    assert_eq!(stored["thumbnail"], "AP8=");
    assert!(stored.get("isOpen").is_none() && stored.get("cachedLabel").is_none());

    server.update("articles", "pen", json!({"colour": "blue"}));
    there.sync().await?;
    let articles = there.writer::<Article>()?;
    let pulled = articles.get("pen").await?.ok_or("no pen")?;
    assert_eq!((pulled.is_open, &pulled.state), (None, &State::OnSale));
    assert_eq!(pulled.rest["colour"], "blue");
    assert!(pulled.updated_at.is_some());
    articles.update_with("pen", |pen| pen.in_stock -= 1).await?;
    there.sync().await?;
    let stored = server.get("articles", "pen").ok_or("no pen")?;
    assert_eq!(
        stored["colour"], "blue",
        "what the type does not know stays"
    );
    assert_eq!(stored["qty"], 9);
    Ok(())
}

async fn shop(server: &MockServer) -> Result<SyncEngine, Box<dyn std::error::Error>> {
    let store = SqliteStore::open_in_memory().await?;
    store.create_table::<Article>().await?;
    let transport = RestTransport::builder(server.url()).build()?;
    let builder = SyncEngine::builder(store, transport);
    Ok(builder.table::<Article>().build().await?)
}

#[tokio::test]
async fn every_difference_is_in_one_error() -> Outcome {
    let store = SqliteStore::open_in_memory().await?;
    let sql = "CREATE TABLE todos (id TEXT, title INTEGER NOT NULL, done INTEGER NOT NULL, \
               list_id TEXT NOT NULL, deleted_at TEXT, created_by TEXT NOT NULL)";
    sqlx::query(sql).execute(store.pool()).await?;
    let transport = RestTransport::new("http://127.0.0.1:9")?;
    let engine = SyncEngine::builder(store, transport)
        .table::<Todo>()
        .table::<List>()
        .build()
        .await;
    let error = engine.err().ok_or("it was built")?.to_string();
    let page = page("tables-and-derive.md");
    for line in error.lines() {
        assert!(page.contains(line), "{error}");
    }
    Ok(())
}

#[tokio::test]
async fn a_table_without_a_type() -> Outcome {
    let store = SqliteStore::open_in_memory().await?;
    let server = MockServer::start().await?;
    let transport = RestTransport::builder(server.url()).build()?;
    sqlx::query("CREATE TABLE counters (id TEXT PRIMARY KEY, n INTEGER, seen INTEGER)")
        .execute(store.pool())
        .await?;

    let counters = TableSchema::new(Kind::new("counters")?, "counters", "id")
        .column(Column::new("id", ColumnType::Text))
        .column(Column::new("n", ColumnType::Integer).merge(FieldMerge::SumDelta))
        .column(
            Column::new("seen", ColumnType::Boolean)
                .local_only()
                .nullable(),
        );
    let engine = SyncEngine::builder(store, transport)
        .schema(counters, TableConfig::new())
        .build()
        .await?;
    let visits = json!({"id": "visits", "n": 1});
    let records = engine.records("counters")?;
    records.insert(Record::try_from(visits)?).await?;

    engine.sync().await?;
    assert_eq!(server.get("counters", "visits").ok_or("none")?["n"], 1);
    Ok(())
}

#[tokio::test]
async fn values_that_cannot_be_kept_exactly_are_errors_at_the_write() -> Outcome {
    let server = MockServer::start().await?;
    let shop = shop(&server).await?;
    let articles = shop.records("articles")?;
    let big = json!({"id": "a", "name": "A", "qty": 10_000_000_000_000_000_000_u64, "state": "draft", "tags": []});
    let refused = articles.insert(Record::try_from(big)?).await.err();
    let refused = refused.ok_or("it was kept")?.to_string();
    assert!(refused.contains("64 bits"), "{refused}");
    let nul = json!({"id": "b", "name": "a\0b", "qty": 1, "state": "draft", "tags": []});
    articles.insert(Record::try_from(nul)?).await?;
    let kept = shop.writer::<Article>()?.get("b").await?.ok_or("none")?;
    assert_eq!(kept.name, "a\0b");
    shop.sync().await?;
    assert_eq!(server.get("articles", "b").ok_or("none")?["name"], "a\0b");
    let mut odd = kept.clone();
    odd.price = Some(f64::NAN);
    let refused = shop.writer::<Article>()?.replace(&odd).await;
    let refused = refused.err().ok_or("a NaN was kept")?.to_string();
    assert!(refused.contains("NaN"), "{refused}");
    Ok(())
}
