//! Servers that do what no HTTP library would: what they send is bytes without an end.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// What is sent after a request, byte for byte.
#[derive(Debug, Clone)]
pub(crate) struct Raw {
    /// Once.
    pub(crate) first: Vec<u8>,
    /// Then this, again and again, until the client has had enough.
    pub(crate) forever: Vec<u8>,
    /// So long before each.
    pub(crate) every: Option<Duration>,
}

impl Raw {
    pub(crate) fn endless(first: &str, forever: impl AsRef<[u8]>) -> Self {
        Self {
            first: first.as_bytes().to_vec(),
            forever: forever.as_ref().to_vec(),
            every: None,
        }
    }

    pub(crate) fn dripping(first: &str, forever: &str) -> Self {
        Self {
            every: Some(Duration::from_millis(10)),
            ..Self::endless(first, forever)
        }
    }

    /// Serves every connection so; the base URL.
    pub(crate) async fn serve(self) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                let raw = self.clone();
                tokio::spawn(async move {
                    let mut request = [0; 4096];
                    let _ = socket.read(&mut request).await;
                    let mut sent = socket.write_all(&raw.first).await;
                    while sent.is_ok() {
                        if let Some(pause) = raw.every {
                            // Dripping is a matter of pace: without one it floods or stands still.
                            tokio::time::sleep(pause).await;
                        }
                        sent = socket.write_all(&raw.forever).await;
                    }
                });
            }
        });
        url
    }
}
