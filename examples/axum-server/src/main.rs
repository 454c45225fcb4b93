//! `cargo run -p axum-server [FILE] [ADDRESS]`

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let file = arguments.next().unwrap_or_else(|| "server.db".into());
    let address = arguments.next().unwrap_or_else(|| "127.0.0.1:8080".into());
    let listener = tokio::net::TcpListener::bind(&address).await?;
    println!("serving {file} on http://{address}");
    Ok(axum::serve(listener, axum_server::app(&file).await?).await?)
}
