//! `cargo run -p axum-server [FILE] [ADDRESS]`

use std::error::Error;

use axum_server::{Records, app};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1).peekable();
    if arguments.peek().is_some_and(|first| first.starts_with('-')) {
        println!("usage: axum-server [FILE] [ADDRESS]   (server.db, 127.0.0.1:8080)");
        return Ok(());
    }
    let file = arguments.next().unwrap_or_else(|| "server.db".to_owned());
    let address = arguments.next();
    let address = address.unwrap_or_else(|| "127.0.0.1:8080".to_owned());
    let records = Records::open(&file).await?;
    let listener = TcpListener::bind(&address).await?;
    println!("serving {file} on http://{}", listener.local_addr()?);
    Ok(axum::serve(listener, app(records)).await?)
}
