//! `cargo run -p axum-server [FILE [ADDRESS]]`

#[tokio::main]
async fn main() {
    if let Err(why) = serve().await {
        eprintln!("{why}");
        std::process::exit(1);
    }
}

async fn serve() -> Result<(), String> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if words.iter().any(|word| word.starts_with('-')) {
        return Err("usage: axum-server [FILE [ADDRESS]] (server.db 127.0.0.1:8080)".into());
    }
    let file = words.first().map_or("server.db", String::as_str);
    let address = words.get(1).map_or("127.0.0.1:8080", String::as_str);
    let app = axum_server::app(file).await;
    let app = app.map_err(|why| format!("cannot open {file}: {why}"))?;
    let cannot = |why| format!("cannot serve on {address}: {why}");
    let listener = tokio::net::TcpListener::bind(address).await;
    let listener = listener.map_err(cannot)?;
    println!("serving {file} on http://{address}");
    axum::serve(listener, app).await.map_err(cannot)
}
