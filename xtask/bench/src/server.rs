//! The server of both arms, in a process of its own: rows are kept as text, a page is put together.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Query, State};
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::get;
use serde::Deserialize;

use crate::{Result, data};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    limit: usize,
    page_token: Option<usize>,
}

/// Serves so many rows on a free port and prints its address.
pub(crate) async fn serve(rows: u64) -> Result<()> {
    let texts: Result<Vec<String>> = (0..rows)
        .map(|number| Ok(serde_json::to_string(&data::task(number))?))
        .collect();
    let router = Router::new()
        .route("/task", get(page))
        .with_state(Arc::new(texts?));
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await?;
    println!("http://{}", listener.local_addr()?);
    Ok(axum::serve(listener, router).await?)
}

async fn page(State(rows): State<Arc<Vec<String>>>, Query(page): Query<Page>) -> impl IntoResponse {
    let start = page.page_token.unwrap_or(0).min(rows.len());
    let end = (start + page.limit).min(rows.len());
    let token = if end < rows.len() {
        format!("\"{end}\"")
    } else {
        "null".to_owned()
    };
    let body = format!(
        "{{\"items\":[{}],\"nextPageToken\":{token}}}",
        rows[start..end].join(",")
    );
    ([(CONTENT_TYPE, "application/json")], body)
}
