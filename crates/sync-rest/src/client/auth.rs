//! The `Authorization` header: from the provider, renewed once for all requests that were refused
//! together.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use futures::FutureExt;
use futures::future::{BoxFuture, Shared};
use reqwest::header::HeaderValue;
use sync_core::transport::{TransportError, TransportErrorKind};

use crate::token::{TokenError, TokenProvider};

type Refresh = Shared<BoxFuture<'static, Result<(), Arc<TokenError>>>>;

#[derive(Debug)]
pub(super) struct Auth {
    provider: Arc<dyn TokenProvider>,
    /// Whose tokens are accepted: the configured account, else that of the first request or token
    /// that names one.
    account: OnceLock<String>,
    renewal: Mutex<Renewal>,
}

#[derive(Debug, Default)]
struct Renewal {
    /// Grows with each finished refresh.
    generation: u64,
    running: Option<Refresh>,
}

/// A header and the number of refreshes before it.
pub(super) struct Credentials {
    pub(super) header: HeaderValue,
    pub(super) generation: u64,
}

impl Auth {
    pub(super) fn new(provider: Arc<dyn TokenProvider>, account: Option<String>) -> Self {
        Self {
            provider,
            account: account.map(OnceLock::from).unwrap_or_default(),
            renewal: Mutex::default(),
        }
    }

    /// The token for a request of this account; `None` = nobody said whose it is.
    pub(super) async fn credentials(
        &self,
        account: Option<&str>,
    ) -> Result<Credentials, TransportError> {
        let generation = self.renewal().generation;
        let token = self.provider.token().await;
        let token = token.map_err(|error| no_token(Arc::new(error)))?;
        for named in account.into_iter().chain(token.account()) {
            if self.account.get_or_init(|| named.to_owned()) != named {
                let message = "the token belongs to another account than this engine or \
                               transport: build an engine with a transport for each account";
                return Err(unauthorized(message));
            }
        }
        let mut header = HeaderValue::from_str(token.secret())
            .map_err(|_| unauthorized("the token cannot be sent as a header"))?;
        header.set_sensitive(true);
        Ok(Credentials { header, generation })
    }

    /// Renews the token that was refused, unless that happened meanwhile.
    pub(super) async fn refresh(&self, refused: u64) -> Result<(), TransportError> {
        let Some(refresh) = self.join(refused) else {
            return Ok(());
        };
        let result = refresh.await;
        let mut renewal = self.renewal();
        if renewal.generation == refused {
            renewal.generation += 1;
            renewal.running = None;
        }
        result.map_err(|error| no_token(error).with_status(401).with_maybe_sent(true))
    }

    fn join(&self, refused: u64) -> Option<Refresh> {
        let mut renewal = self.renewal();
        (renewal.generation == refused).then(|| {
            let start = || {
                let provider = Arc::clone(&self.provider);
                let refresh = async move { provider.refresh().await.map_err(Arc::new) };
                refresh.boxed().shared()
            };
            renewal.running.get_or_insert_with(start).clone()
        })
    }

    fn renewal(&self) -> std::sync::MutexGuard<'_, Renewal> {
        self.renewal.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn no_token(error: Arc<TokenError>) -> TransportError {
    let (kind, message) = if error.is_passing() {
        (TransportErrorKind::Unavailable, "no token could be had now")
    } else {
        (
            TransportErrorKind::Unauthorized,
            "no token could be had: sign in again",
        )
    };
    TransportError::new(kind, message)
        .with_maybe_sent(false)
        .with_source(error)
}

fn unauthorized(message: &str) -> TransportError {
    TransportError::new(TransportErrorKind::Unauthorized, message).with_maybe_sent(false)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::Auth;
    use crate::token::{Token, TokenError, TokenProvider};

    #[derive(Debug, Default)]
    struct Counting(AtomicUsize);

    #[async_trait::async_trait]
    impl TokenProvider for Counting {
        async fn token(&self) -> Result<Token, TokenError> {
            Ok(Token::bearer("secret"))
        }
        async fn refresh(&self) -> Result<(), TokenError> {
            self.0.fetch_add(1, Ordering::SeqCst);
            Ok(())
        }
    }

    #[tokio::test]
    async fn a_refusal_that_arrives_late_does_not_renew_a_renewed_token() {
        let provider = Arc::new(Counting::default());
        let auth = Auth::new(Arc::clone(&provider) as Arc<dyn TokenProvider>, None);
        let (early, late) = (auth.credentials(None).await, auth.credentials(None).await);
        auth.refresh(early.unwrap().generation).await.unwrap();
        auth.refresh(late.unwrap().generation).await.unwrap();
        assert_eq!(provider.0.load(Ordering::SeqCst), 1);
        let renewed = auth.credentials(None).await.unwrap();
        auth.refresh(renewed.generation).await.unwrap();
        assert_eq!(provider.0.load(Ordering::SeqCst), 2);
    }
}
