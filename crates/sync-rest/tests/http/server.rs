//! A server that answers each request with scripted bytes and keeps what it received.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::future::BoxFuture;
use sync_core::transport::{PushChange, PushOp, PushRequest};
use sync_core::{
    Clock, EntityId, Entropy, Env, Kind, OpId, Precondition, Record, Timestamp, Version,
};
use sync_rest::{RestTransport, RestTransportBuilder};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A request as it arrived.
#[derive(Debug, Clone)]
pub(crate) struct Received {
    pub(crate) line: String,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
}

impl Received {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    pub(crate) fn body(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    /// Everything but the host, headers sorted by name.
    pub(crate) fn text(&self) -> String {
        let headers = self.headers.iter().filter(|(name, _)| *name != "host");
        let headers = headers.map(|(name, value)| format!("{name}: {value}\n"));
        let headers = headers.collect::<String>();
        format!("{}\n{headers}\n{}", self.line, self.body())
    }
}

/// What the server does with a request.
#[derive(Debug, Clone)]
pub(crate) enum Reply {
    /// Sends these bytes and closes.
    Bytes(Vec<u8>),
    /// Sends these bytes and keeps the connection open without another word.
    Stall(Vec<u8>),
    /// Closes without a word.
    Drop,
}

impl Reply {
    pub(crate) fn new(status: u16, headers: &[(&str, &str)], body: impl AsRef<[u8]>) -> Self {
        let body = body.as_ref();
        let mut head = format!("HTTP/1.1 {status} Scripted\r\nconnection: close\r\n");
        for (name, value) in headers {
            head += &format!("{name}: {value}\r\n");
        }
        if status != 204 {
            head += &format!("content-length: {}\r\n", body.len());
        }
        Self::Bytes([head.as_bytes(), b"\r\n", body].concat())
    }

    pub(crate) fn json(status: u16, body: impl AsRef<[u8]>) -> Self {
        Self::new(status, &[("content-type", "application/json")], body)
    }

    pub(crate) fn empty(status: u16) -> Self {
        Self::new(status, &[], "")
    }
}

type Script = dyn Fn(usize, &Received) -> Reply + Send + Sync;

/// A running server; it stops with the test's runtime.
pub(crate) struct Server {
    pub(crate) url: String,
    received: Arc<Mutex<Vec<Received>>>,
}

impl Server {
    /// Answers the nth request as the script says.
    pub(crate) async fn scripted(
        script: impl Fn(usize, &Received) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let received = Arc::<Mutex<Vec<Received>>>::default();
        let (log, script): (_, Arc<Script>) = (Arc::clone(&received), Arc::new(script));
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(serve(socket, Arc::clone(&log), Arc::clone(&script)));
            }
        });
        Self { url, received }
    }

    /// Gives every request the same answer.
    pub(crate) async fn always(reply: Reply) -> Self {
        Self::scripted(move |_, _| reply.clone()).await
    }

    pub(crate) fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap().clone()
    }

    pub(crate) fn only(&self) -> Received {
        let mut received = self.received();
        assert_eq!(received.len(), 1, "{received:#?}");
        received.remove(0)
    }

    pub(crate) fn builder(&self) -> RestTransportBuilder {
        RestTransport::builder(format!("{}/api", self.url))
    }

    pub(crate) fn transport(&self) -> RestTransport {
        self.builder().build().unwrap()
    }
}

async fn serve(mut socket: TcpStream, log: Arc<Mutex<Vec<Received>>>, script: Arc<Script>) {
    let Some(request) = read_request(&mut socket).await else {
        return;
    };
    let reply = {
        let mut log = log.lock().unwrap();
        log.push(request.clone());
        script(log.len() - 1, &request)
    };
    match reply {
        Reply::Bytes(bytes) => {
            let _ = socket.write_all(&bytes).await;
            let _ = socket.shutdown().await;
        }
        Reply::Stall(bytes) => {
            let _ = socket.write_all(&bytes).await;
            std::future::pending::<()>().await;
        }
        Reply::Drop => {}
    }
}

async fn read_request(socket: &mut TcpStream) -> Option<Received> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(at) = bytes.windows(4).position(|part| part == b"\r\n\r\n") {
            break at;
        }
        if socket.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let mut lines = head.split("\r\n");
    let line = lines.next().unwrap().to_owned();
    let headers: BTreeMap<_, _> = lines
        .map(|line| line.split_once(": ").unwrap())
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let length = headers.get("content-length");
    let length = length.map_or(0, |length| length.parse::<usize>().unwrap());
    let mut body = bytes.split_off(end + 4);
    while body.len() < length {
        if socket.read_buf(&mut body).await.ok()? == 0 {
            return None;
        }
    }
    Some(Received {
        line,
        headers,
        body,
    })
}

/// A world in which it is always the same time.
#[derive(Debug)]
pub(crate) struct Frozen(pub(crate) Timestamp);

impl Frozen {
    pub(crate) fn env(now: &str) -> Env {
        let now = Timestamp::parse(now).unwrap();
        Env::new(Arc::new(Self(now.clone())), Arc::new(Self(now)))
    }
}

impl Clock for Frozen {
    fn now(&self) -> Timestamp {
        self.0.clone()
    }
    fn monotonic(&self) -> Duration {
        Duration::ZERO
    }
    fn sleep(&self, _: Duration) -> BoxFuture<'static, ()> {
        Box::pin(std::future::pending())
    }
}

impl Entropy for Frozen {
    fn uuid(&self) -> uuid::Uuid {
        uuid::Uuid::nil()
    }
    fn next_u64(&self) -> u64 {
        0
    }
}

pub(crate) fn record(json: &str) -> Record {
    serde_json::from_str(json).unwrap()
}

pub(crate) fn kind() -> Kind {
    Kind::new("todos").unwrap()
}

pub(crate) fn id(text: &str) -> EntityId {
    EntityId::new(text).unwrap()
}

pub(crate) fn if_base(stamp: &str) -> Precondition {
    Precondition::IfBase {
        version: Version::new(Timestamp::parse(stamp).unwrap()),
    }
}

pub(crate) fn op(entity: &str, change: PushChange, precondition: Precondition) -> PushOp {
    let op_id = OpId::new(format!("op-{entity}")).unwrap();
    let key = op_id.as_str().to_owned();
    PushOp::new(key, op_id, kind(), id(entity), change, precondition)
}

pub(crate) fn upsert(json: &str) -> PushChange {
    PushChange::Upsert {
        record: record(json),
        changed: None,
    }
}

/// An edit of `e1` that any server accepts.
pub(crate) fn edit() -> PushRequest {
    let change = upsert(r#"{"id":"e1","title":"L"}"#);
    PushRequest::new(vec![op("e1", change, if_base("2024-01-01T00:00:00Z"))])
}
