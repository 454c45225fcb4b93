//! Who we are to the server.

use std::error::Error;
use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use secrecy::{ExposeSecret, SecretString};

/// The value of an `Authorization` header, and whose it is. `Debug` does not show it.
///
/// ```
/// # use sync_rest::Token;
/// let token = Token::bearer("secret").with_account("user-7");
/// assert!(!format!("{token:?}").contains("secret"));
/// let other_scheme = Token::header("Basic dXNlcjpwYXNz");
/// ```
#[derive(Debug, Clone)]
pub struct Token {
    header: SecretString,
    account: Option<String>,
}

impl Token {
    /// `Authorization: Bearer {secret}`.
    #[must_use]
    pub fn bearer(secret: impl Into<SecretString>) -> Self {
        let secret = secret.into();
        Self::header(format!("Bearer {}", secret.expose_secret()))
    }

    /// `Authorization: {header}`, whatever the scheme.
    #[must_use]
    pub fn header(header: impl Into<SecretString>) -> Self {
        Self {
            header: header.into(),
            account: None,
        }
    }

    /// Names the account. A token of another account than before is refused, so that nobody's
    /// changes are sent in another's name.
    #[must_use]
    pub fn with_account(mut self, account: impl Into<String>) -> Self {
        self.account = Some(account.into());
        self
    }

    /// The account, where it is named.
    #[must_use]
    pub fn account(&self) -> Option<&str> {
        self.account.as_deref()
    }

    pub(crate) fn secret(&self) -> &str {
        self.header.expose_secret()
    }
}

/// Why there is no token. The message must not contain secrets.
///
/// ```
/// # use sync_rest::TokenError;
/// assert!(!TokenError::denied("please sign in").is_passing());
/// assert!(TokenError::unavailable("the sign-in service is down").is_passing());
/// ```
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct TokenError {
    message: String,
    passing: bool,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl TokenError {
    /// Nobody is signed in, or the renewal was refused: the user has to act.
    #[must_use]
    pub fn denied(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            passing: false,
            source: None,
        }
    }

    /// The token service cannot be reached now; later it may.
    #[must_use]
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self {
            passing: true,
            ..Self::denied(message)
        }
    }

    /// The same error with its cause.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// May it pass without the user?
    #[must_use]
    pub fn is_passing(&self) -> bool {
        self.passing
    }
}

/// Where tokens come from.
///
/// ```
/// use async_trait::async_trait;
/// use sync_rest::{Token, TokenError, TokenProvider};
///
/// #[derive(Debug)]
/// struct Session;
///
/// #[async_trait]
/// impl TokenProvider for Session {
///     async fn token(&self) -> Result<Token, TokenError> {
///         Ok(Token::bearer("from-the-key-chain").with_account("user-1"))
///     }
///     async fn refresh(&self) -> Result<(), TokenError> {
///         Err(TokenError::denied("please sign in"))
///     }
/// }
/// ```
#[async_trait]
pub trait TokenProvider: Debug + Send + Sync + 'static {
    /// The token for the next request; asked before each one, so it should be at hand.
    ///
    /// # Errors
    /// [`TokenError`] if there is none: the request is not sent.
    async fn token(&self) -> Result<Token, TokenError>;

    /// Renews the token after the server refused it.
    ///
    /// # Concurrency
    /// Requests that were refused together share one call.
    ///
    /// # Errors
    /// [`TokenError`] if it cannot be renewed: the refused requests fail.
    async fn refresh(&self) -> Result<(), TokenError>;
}

#[async_trait]
impl<P: TokenProvider + ?Sized> TokenProvider for Arc<P> {
    async fn token(&self) -> Result<Token, TokenError> {
        (**self).token().await
    }

    async fn refresh(&self) -> Result<(), TokenError> {
        (**self).refresh().await
    }
}

/// One token that never changes, for service accounts and tests.
///
/// ```
/// # use sync_rest::{RestTransport, StaticToken, Token};
/// let token = StaticToken::new(Token::bearer("secret"));
/// let builder = RestTransport::builder("https://example.org/api").auth(token);
/// ```
#[derive(Debug, Clone)]
pub struct StaticToken(Token);

impl StaticToken {
    /// Always this token.
    #[must_use]
    pub fn new(token: Token) -> Self {
        Self(token)
    }
}

#[async_trait]
impl TokenProvider for StaticToken {
    async fn token(&self) -> Result<Token, TokenError> {
        Ok(self.0.clone())
    }

    async fn refresh(&self) -> Result<(), TokenError> {
        Err(TokenError::denied("a static token cannot be renewed"))
    }
}
