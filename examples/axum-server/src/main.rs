//! `cargo run -p axum-server [FILE] [ADDRESS]`

use std::error::Error;

use axum_server::{Records, listen, serve};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1).peekable();
    if arguments.peek().is_some_and(|first| first.starts_with('-')) {
        println!("usage: axum-server [FILE] [ADDRESS]   (server.db, 127.0.0.1:8080)");
        return Ok(());
    }
    let file = arguments.next().unwrap_or_else(|| "server.db".to_owned());
    let address = arguments
        .next()
        .unwrap_or_else(|| "127.0.0.1:8080".to_owned());
    let records = Records::open(&file).await?;
    let (listener, address) = listen(&address).await?;
    println!("serving {file} on http://{address}");
    Ok(serve(listener, records).await?)
}
