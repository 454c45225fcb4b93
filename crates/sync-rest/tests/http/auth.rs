//! Tokens: sent, renewed once for everybody, and never shown.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use sync_core::transport::{Transport, TransportErrorKind};
use sync_rest::{KindRoute, StaticToken, Token, TokenError, TokenProvider};

use super::server::{Received, Reply, Server, edit};

const SECRET: &str = "s3cr3t";

/// A session whose token is a number that each refresh raises.
#[derive(Debug, Default)]
struct Session {
    token: AtomicUsize,
    refreshes: AtomicUsize,
    refusal: Mutex<Option<TokenError>>,
}

#[async_trait]
impl TokenProvider for Session {
    async fn token(&self) -> Result<Token, TokenError> {
        let number = self.token.load(Ordering::SeqCst);
        Ok(Token::bearer(format!("{SECRET}-{number}")))
    }

    async fn refresh(&self) -> Result<(), TokenError> {
        self.refreshes.fetch_add(1, Ordering::SeqCst);
        // Lets the other requests arrive here before this one is done.
        for _ in 0..50 {
            tokio::task::yield_now().await;
        }
        if let Some(refusal) = self.refusal.lock().unwrap().take() {
            return Err(refusal);
        }
        self.token.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }
}

fn only_renewed(_: usize, request: &Received) -> Reply {
    match request.header("authorization") {
        Some("Bearer s3cr3t-1") => Reply::empty(204),
        _ => Reply::json(401, r#"{"error":"expired"}"#),
    }
}

#[tokio::test]
async fn a_refused_token_is_renewed_once_and_the_request_repeated() {
    let server = Server::scripted(only_renewed).await;
    let session = Arc::new(Session::default());
    let transport = server.builder().auth(Arc::clone(&session)).build().unwrap();
    transport.push(edit()).await.unwrap();
    transport.push(edit()).await.unwrap();
    assert_eq!(session.refreshes.load(Ordering::SeqCst), 1);
    let received = server.received();
    assert_eq!(received.len(), 3);
    assert_eq!(received[0].body, received[1].body);
    assert_eq!(
        received[0].header("x-idempotency-key"),
        received[1].header("x-idempotency-key")
    );
}

#[tokio::test]
async fn requests_that_are_refused_together_share_one_refresh() {
    // Nobody is answered before all have asked, so all are refused with the first token.
    let all = Arc::new(AtomicUsize::new(0));
    let server = Server::scripted(only_renewed).await;
    let session = Arc::new(Session::default());
    let transport = server.builder().auth(Arc::clone(&session)).build().unwrap();
    let pushes = (0..8).map(|_| async {
        all.fetch_add(1, Ordering::SeqCst);
        transport.push(edit()).await
    });
    for answer in futures::future::join_all(pushes).await {
        answer.unwrap();
    }
    assert_eq!(all.load(Ordering::SeqCst), 8);
    assert_eq!(session.refreshes.load(Ordering::SeqCst), 1);
    assert_eq!(server.received().len(), 16);
}

#[tokio::test]
async fn a_second_refusal_is_final() {
    let server = Server::always(Reply::empty(401)).await;
    let session = Arc::new(Session::default());
    let transport = server.builder().auth(Arc::clone(&session)).build().unwrap();
    let error = transport.push(edit()).await.unwrap_err();
    assert_eq!(error.kind(), TransportErrorKind::Unauthorized);
    assert_eq!(error.status(), Some(401));
    assert_eq!(server.received().len(), 2);
    assert_eq!(session.refreshes.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_refresh_that_fails_is_final_for_this_request_and_tried_for_the_next() {
    let server = Server::scripted(only_renewed).await;
    let session = Arc::new(Session::default());
    *session.refusal.lock().unwrap() = Some(TokenError::denied("please sign in"));
    let transport = server.builder().auth(Arc::clone(&session)).build().unwrap();
    let error = transport.push(edit()).await.unwrap_err();
    assert_eq!(error.kind(), TransportErrorKind::Unauthorized);
    assert_eq!(server.received().len(), 1);
    transport.push(edit()).await.unwrap();
    assert_eq!(session.refreshes.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_request_that_is_cancelled_does_not_take_the_refresh_with_it() {
    let server = Server::scripted(only_renewed).await;
    let session = Arc::new(Session::default());
    let transport = server.builder().auth(Arc::clone(&session)).build().unwrap();
    let cancelled = transport.push(edit());
    let survivor = transport.push(edit());
    let refreshing = async {
        while session.refreshes.load(Ordering::SeqCst) == 0 {
            tokio::task::yield_now().await;
        }
    };
    futures::pin_mut!(cancelled, refreshing);
    futures::future::select(cancelled, refreshing).await;
    survivor.await.unwrap();
    assert_eq!(session.refreshes.load(Ordering::SeqCst), 1);
}

/// A provider that never has a token.
#[derive(Debug)]
struct Nobody(fn(&'static str) -> TokenError);

#[async_trait]
impl TokenProvider for Nobody {
    async fn token(&self) -> Result<Token, TokenError> {
        Err((self.0)("no session"))
    }
    async fn refresh(&self) -> Result<(), TokenError> {
        Err((self.0)("no session"))
    }
}

#[tokio::test]
async fn without_a_token_nothing_is_sent() {
    let server = Server::always(Reply::empty(204)).await;
    let denied = Nobody(TokenError::denied);
    let passing = Nobody(TokenError::unavailable);
    for (provider, kind) in [
        (denied, TransportErrorKind::Unauthorized),
        (passing, TransportErrorKind::Unavailable),
    ] {
        let transport = server.builder().auth(provider).build().unwrap();
        let error = transport.push(edit()).await.unwrap_err();
        assert_eq!(error.kind(), kind);
        assert!(!error.maybe_sent());
    }
    assert!(server.received().is_empty());
}

/// Another account at each call.
#[derive(Debug, Default)]
struct Switching(AtomicUsize);

#[async_trait]
impl TokenProvider for Switching {
    async fn token(&self) -> Result<Token, TokenError> {
        let account = self.0.fetch_add(1, Ordering::SeqCst);
        Ok(Token::bearer(SECRET).with_account(account.to_string()))
    }
    async fn refresh(&self) -> Result<(), TokenError> {
        Ok(())
    }
}

#[tokio::test]
async fn a_token_of_another_account_is_not_sent() {
    let server = Server::always(Reply::empty(204)).await;
    let transport = server.builder().auth(Switching::default()).build().unwrap();
    transport.push(edit()).await.unwrap();
    let error = transport.push(edit()).await.unwrap_err();
    assert_eq!(error.kind(), TransportErrorKind::Unauthorized);
    let pinned = server.builder().auth(Switching::default()).account("me");
    let error = pinned.build().unwrap().push(edit()).await.unwrap_err();
    assert_eq!(error.kind(), TransportErrorKind::Unauthorized);
    assert_eq!(server.received().len(), 1);
}

#[tokio::test]
async fn secrets_are_in_no_debug_output_and_no_error() {
    let server = Server::always(Reply::empty(401)).await;
    let auth = StaticToken::new(Token::bearer(SECRET));
    let mut shown = format!("{auth:?}");
    let builder = sync_rest::RestTransport::builder(format!("{}/?key={SECRET}", server.url))
        .auth(auth)
        .kind(
            "todos",
            KindRoute::new()
                .header("X-Key", SECRET)
                .query("key", SECRET),
        );
    shown += &format!("{builder:?}");
    let transport = builder.build().unwrap();
    shown += &format!("{transport:?} {}", transport.capabilities().origin);
    let refused = transport.push(edit()).await.unwrap_err();
    let broken = Server::always(Reply::Drop).await;
    let broken = sync_rest::RestTransport::builder(format!("{}/?key={SECRET}", broken.url));
    let broken = broken.build().unwrap().push(edit()).await.unwrap_err();
    let offline = sync_rest::RestTransport::builder(format!("http://127.0.0.1:1/?key={SECRET}"));
    let offline = offline.build().unwrap().push(edit()).await.unwrap_err();
    let unusable = StaticToken::new(Token::bearer(format!("{SECRET}\n")));
    let unusable = server.builder().auth(unusable).build().unwrap();
    let unusable = unusable.push(edit()).await.unwrap_err();
    let bad = format!("http://user:{SECRET}@example.org");
    let bad_base = sync_rest::RestTransport::builder(bad).build().unwrap_err();
    for error in [refused, broken, offline, unusable, bad_base] {
        shown += &format!("{error:?} {error}");
        let mut source = std::error::Error::source(&error);
        while let Some(cause) = source {
            shown += &format!("{cause:?} {cause}");
            source = cause.source();
        }
    }
    assert!(!shown.contains(SECRET), "{shown}");
    let header = server.received()[0]
        .header("authorization")
        .map(str::to_owned);
    assert_eq!(header.as_deref(), Some("Bearer s3cr3t"));
}
