//! What the app says in its own type: merge rules of fields, resolvers and merge functions.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sync_core::{
    Conflict, EntityWriter, MergeFunction, Resolution, SyncEngine, SyncEntity, TableConfig,
    resolve_typed,
};
use sync_rest::RestTransport;
use sync_sqlx::SqliteStore;
use sync_testkit::{Fault, MockServer, Route};

const ARTICLES: &str = "articles";

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, SyncEntity)]
#[sync(kind = "articles")]
struct Article {
    id: String,
    name: String,
    #[sync(merge = "sum_delta")]
    stock: i64,
    #[sync(merge = "max")]
    best_price: Option<f64>,
    #[sync(merge = "union")]
    tags: Vec<String>,
    #[sync(merge = "server")]
    shelf: String,
    #[sync(local_only)]
    pinned: Option<bool>,
}

struct Shop {
    engine: SyncEngine,
    articles: EntityWriter<Article>,
}

async fn shop(server: &MockServer, table: TableConfig) -> Shop {
    let store = SqliteStore::open_in_memory().await.unwrap();
    store.create_table::<Article>().await.unwrap();
    let rest = RestTransport::builder(server.url()).build().unwrap();
    let builder = SyncEngine::builder(store, rest).table_with::<Article>(table);
    let engine = builder.build().await.unwrap();
    Shop {
        articles: engine.writer().unwrap(),
        engine,
    }
}

impl Shop {
    async fn sync(&self) {
        let report = self.engine.sync().await.unwrap();
        assert!(report.is_complete(), "{report:?}");
    }

    async fn edit(&self, change: impl FnOnce(&mut Article) + Send) {
        assert!(self.articles.update_with("pen", change).await.unwrap());
    }

    async fn pen(&self) -> Article {
        self.articles.get("pen").await.unwrap().unwrap()
    }

    async fn pending(&self) -> u64 {
        self.engine.outbox().count().await.unwrap()
    }
}

async fn server_with_pen() -> MockServer {
    let server = MockServer::start().await.unwrap();
    let pen = json!({"id": "pen", "name": "Pen", "stock": 10, "best_price": 2.5, "tags": ["a"], "shelf": "A1", "colour": "blue"});
    server.seed(ARTICLES, [pen]).unwrap();
    server
}

fn stored(server: &MockServer) -> Value {
    server.get(ARTICLES, "pen").unwrap()
}

/// Two shops that have the pen.
async fn two_shops(server: &MockServer, table: fn() -> TableConfig) -> (Shop, Shop) {
    let (one, other) = (shop(server, table()).await, shop(server, table()).await);
    one.sync().await;
    other.sync().await;
    (one, other)
}

#[tokio::test]
async fn each_field_that_both_changed_is_settled_by_its_own_rule() {
    let server = server_with_pen().await;
    let (one, other) = two_shops(&server, TableConfig::new).await;
    one.edit(|pen| {
        (pen.stock, pen.best_price, pen.shelf) = (12, Some(4.0), "B1".to_owned());
        pen.tags = vec!["x".to_owned()];
    })
    .await;
    other
        .edit(|pen| {
            (pen.stock, pen.best_price, pen.shelf) = (7, Some(3.0), "C1".to_owned());
            pen.tags = vec!["a".to_owned(), "y".to_owned()];
        })
        .await;
    one.sync().await;
    other.sync().await;
    one.sync().await;
    let pen = stored(&server);
    assert_eq!(pen["stock"], 9);
    assert_eq!(pen["best_price"], 4.0);
    assert_eq!(pen["shelf"], "B1");
    assert_eq!(pen["tags"].as_array().unwrap().len(), 3, "{pen}");
    assert_eq!(pen["colour"], "blue");
    assert_eq!(one.pen().await, other.pen().await);
}

#[tokio::test]
async fn two_equal_increments_are_two() {
    let server = server_with_pen().await;
    let (one, other) = two_shops(&server, TableConfig::new).await;
    for shop in [&one, &other] {
        shop.edit(|pen| pen.stock += 2).await;
    }
    for shop in [&one, &other, &one] {
        shop.sync().await;
    }
    assert_eq!(stored(&server)["stock"], 14);
    assert_eq!((one.pen().await.stock, other.pen().await.stock), (14, 14));
}

#[tokio::test]
async fn an_increment_that_a_pull_met_before_it_was_sent_counts_too() {
    let server = server_with_pen().await;
    let (one, other) = two_shops(&server, TableConfig::new).await;
    one.edit(|pen| pen.stock += 2).await;
    other.edit(|pen| pen.stock += 2).await;
    one.sync().await;
    let options = sync_core::SyncOptions::default().no_push();
    other.engine.sync_with(options).await.unwrap();
    other.edit(|pen| pen.stock -= 1).await;
    other.sync().await;
    assert_eq!(stored(&server)["stock"], 13);
}

#[tokio::test]
async fn an_increment_whose_answer_was_lost_counts_once() {
    let server = server_with_pen().await;
    let shop = shop(&server, TableConfig::new()).await;
    shop.sync().await;
    shop.edit(|pen| pen.stock += 2).await;
    let lost = server.fault(Fault::drop_after()).on(Route::Push);
    shop.engine.sync().await.unwrap();
    assert_eq!(lost.hits(), 1);
    shop.sync().await;
    assert_eq!(
        (stored(&server)["stock"].as_i64(), shop.pending().await),
        (Some(12), 0)
    );
}

#[tokio::test]
async fn an_increment_made_while_another_is_on_its_way_counts_once() {
    let server = server_with_pen().await;
    let (one, other) = two_shops(&server, TableConfig::new).await;
    one.edit(|pen| pen.stock += 2).await;
    let lost = server.fault(Fault::drop_after()).on(Route::Push);
    one.engine.sync().await.unwrap();
    assert_eq!(lost.hits(), 1);
    one.edit(|pen| pen.stock += 5).await;
    other.edit(|pen| pen.stock += 10).await;
    for shop in [&one, &other, &one] {
        shop.sync().await;
    }
    assert_eq!(stored(&server)["stock"], 27);
}

/// Both stocks, and what the type does not know stays.
fn add_stocks() -> TableConfig {
    TableConfig::new().merge(MergeFunction::typed(|local: &Article, server: &Article| {
        Article {
            stock: local.stock + server.stock,
            ..local.clone()
        }
    }))
}

#[tokio::test]
async fn a_merge_function_works_on_the_apps_type_and_keeps_what_that_does_not_know() {
    let server = server_with_pen().await;
    let (one, other) = two_shops(&server, add_stocks).await;
    one.edit(|pen| pen.stock = 1).await;
    other
        .articles
        .update_with("pen", |pen| pen.pinned = Some(true))
        .await
        .unwrap();
    other.edit(|pen| pen.name = "Red pen".to_owned()).await;
    one.sync().await;
    other.sync().await;
    let pen = stored(&server);
    assert_eq!(
        (&pen["stock"], &pen["name"]),
        (&json!(11), &json!("Red pen"))
    );
    assert_eq!(pen["colour"], "blue");
    assert_eq!(pen.get("pinned"), None);
    assert_eq!(other.pen().await.pinned, Some(true));
}

fn ask() -> TableConfig {
    TableConfig::new().resolver(resolve_typed(|conflict: Conflict<Article>| async move {
        let base = conflict.base_record().map_or(0, |pen| pen.stock);
        let (Some(mine), Some(theirs)) = (&conflict.local, conflict.server_record()) else {
            return Ok(Resolution::AcceptServer);
        };
        let name = format!("{}+{}-{base}", mine.stock, theirs.stock);
        Ok(Resolution::AcceptMerged(Article {
            name,
            ..theirs.clone()
        }))
    }))
}

#[tokio::test]
async fn a_resolver_sees_both_sides_and_the_base_in_the_apps_type() {
    let server = server_with_pen().await;
    let (one, other) = two_shops(&server, ask).await;
    one.edit(|pen| pen.stock = 1).await;
    other.edit(|pen| pen.stock = 3).await;
    one.sync().await;
    other.sync().await;
    let pen = stored(&server);
    assert_eq!(
        (&pen["name"], &pen["colour"]),
        (&json!("3+1-10"), &json!("blue"))
    );
}

#[tokio::test]
async fn a_record_that_is_not_of_the_apps_type_puts_the_conflict_off_and_loses_nothing() {
    for table in [add_stocks, ask] {
        let server = server_with_pen().await;
        let shop = shop(&server, table()).await;
        shop.sync().await;
        shop.edit(|pen| pen.stock = 3).await;
        server.update(ARTICLES, "pen", json!({"name": 7}));
        shop.sync().await;
        let ops = shop
            .engine
            .outbox()
            .list(&sync_core::store::OpQuery::default())
            .await
            .unwrap();
        assert_eq!(ops.len(), 1);
        assert_eq!(ops[0].status, sync_core::OpStatus::Deferred);
        let reason = ops[0].last_error.clone().unwrap();
        assert!(reason.contains("expected a string"), "{reason}");
        assert_eq!(shop.pen().await.stock, 3);
    }
}

#[tokio::test]
async fn a_float_that_json_cannot_hold_is_an_error_that_names_the_field_and_writes_nothing() {
    let server = MockServer::start().await.unwrap();
    let shop = shop(&server, TableConfig::new()).await;
    let pen = Article {
        id: "pen".to_owned(),
        name: "Pen".to_owned(),
        stock: 1,
        best_price: Some(f64::NAN),
        tags: Vec::new(),
        shelf: String::new(),
        pinned: None,
    };
    let error = shop.articles.insert(&pen).await.unwrap_err().to_string();
    assert!(error.contains("`best_price`: JSON has no NaN"), "{error}");
    assert_eq!(shop.articles.get("pen").await.unwrap(), None);
    assert_eq!(shop.pending().await, 0);
}
