//! Setting a transport up.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use reqwest::Url;
use sync_core::transport::{Capabilities, TransportError, TransportErrorKind};
use sync_core::{Env, Kind};

use super::auth::Auth;
use super::http::Http;
use super::live::Channel;
use super::request::{Requests, configuration, extra_header};
use super::transport::RestTransport;
use crate::route::KindRoute;
use crate::token::TokenProvider;
use crate::wire::path;

/// Sets a [`RestTransport`] up.
///
/// ```
/// # fn main() -> Result<(), sync_core::TransportError> {
/// # use std::time::Duration;
/// # use sync_rest::{KindRoute, RestTransport};
/// let transport = RestTransport::builder("http://localhost:8080/api?tenant=7")
///     .kind("todos", KindRoute::new().path("v2/tasks"))
///     .batch(true)
///     .request_timeout(Duration::from_secs(20))
///     .build()?;
/// # Ok(())
/// # }
/// ```
pub struct RestTransportBuilder {
    base_url: String,
    provider: Option<Arc<dyn TokenProvider>>,
    account: Option<String>,
    client: Option<reqwest::Client>,
    plain_http: bool,
    routes: Vec<(String, KindRoute)>,
    batch: bool,
    batch_path: String,
    batch_size: u32,
    connect_timeout: Duration,
    request_timeout: Duration,
    response_limit: usize,
    env: Env,
}

impl RestTransportBuilder {
    pub(super) fn new(base_url: String) -> Self {
        Self {
            base_url,
            provider: None,
            account: None,
            client: None,
            plain_http: false,
            routes: Vec::new(),
            batch: false,
            batch_path: path::BATCH.to_owned(),
            batch_size: 100,
            connect_timeout: Duration::from_secs(10),
            request_timeout: Duration::from_secs(30),
            response_limit: 64 * 1024 * 1024,
            env: Env::system(),
        }
    }

    /// Where tokens come from. Default: no `Authorization` header.
    #[must_use]
    pub fn auth(mut self, provider: impl TokenProvider) -> Self {
        self.provider = Some(Arc::new(provider));
        self
    }

    /// The account whose tokens are accepted. Default: the engine's
    /// ([`sync_core::SyncEngineBuilder::account`]), else that of the first token that names one.
    /// Tokens that name none are sent.
    #[must_use]
    pub fn account(mut self, account: impl Into<String>) -> Self {
        self.account = Some(account.into());
        self
    }

    /// Lets the base URL be `http://` to another machine than this one. Everybody on the way can then
    /// read the token and all records, and change them: only for a network that you trust. Without
    /// it, plain http is for `localhost`, `127.0.0.0/8` and `[::1]`.
    #[must_use]
    pub fn allow_plain_http(mut self) -> Self {
        self.plain_http = true;
        self
    }

    /// An HTTP client of your own, for proxies, certificates or a shared pool. Build it with
    /// `redirect(Policy::none())`, `gzip(true)` and without a time-out for the whole request, which
    /// would cut the live channel; [`connect_timeout`](Self::connect_timeout) is then yours to set.
    #[must_use]
    pub fn client(mut self, client: reqwest::Client) -> Self {
        self.client = Some(client);
        self
    }

    /// How a kind is reached, where the server differs from the protocol.
    #[must_use]
    pub fn kind(mut self, kind: impl Into<String>, route: KindRoute) -> Self {
        self.routes.push((kind.into(), route));
        self
    }

    /// Does the server take several operations in one request? Default: no.
    #[must_use]
    pub fn batch(mut self, batch: bool) -> Self {
        self.batch = batch;
        self
    }

    /// Path of batches below the base URL. Default: `batch`.
    #[must_use]
    pub fn batch_path(mut self, path: impl Into<String>) -> Self {
        self.batch_path = path.into();
        self
    }

    /// The most operations of a batch, at least 1. Default: 100.
    #[must_use]
    pub fn batch_size(mut self, operations: u32) -> Self {
        self.batch_size = operations;
        self
    }

    /// How long a connection may take to open. Default: 10 s.
    #[must_use]
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// How long a request may take until its answer is complete. Default: 30 s.
    #[must_use]
    pub fn request_timeout(mut self, timeout: Duration) -> Self {
        self.request_timeout = timeout;
        self
    }

    /// The largest answer that is read, in bytes after decompression. Default: 64 MiB.
    #[must_use]
    pub fn response_limit(mut self, bytes: usize) -> Self {
        self.response_limit = bytes;
        self
    }

    /// Where the time comes from. Default: the machine.
    #[must_use]
    pub fn env(mut self, env: Env) -> Self {
        self.env = env;
        self
    }

    /// The transport.
    ///
    /// # Errors
    /// [`TransportErrorKind::Configuration`] if the base URL, a kind or a header cannot be used, if
    /// the base URL is plain http to another machine, or no HTTP client can be made, as for https on a machine without CA certificates.
    pub fn build(self) -> Result<RestTransport, TransportError> {
        let base = parse_base(&self.base_url)?;
        if base.scheme() == "http" && !self.plain_http && !is_this_machine(&base) {
            let message = "base URL is plain http to another machine, which sends tokens and records \
                           unencrypted: use https, or say `allow_plain_http()` for a network that you trust";
            return Err(TransportError::new(
                TransportErrorKind::Configuration,
                message,
            ));
        }
        let client = match self.client {
            Some(client) => client,
            None => build_client(&base, self.connect_timeout)?,
        };
        let batch_size = if self.batch { self.batch_size } else { 1 };
        Ok(RestTransport {
            capabilities: Capabilities::new(origin(&base)).with_max_batch(batch_size),
            channel: Channel::default(),
            http: Http {
                client,
                auth: self
                    .provider
                    .map(|provider| Auth::new(provider, self.account)),
                request_timeout: self.request_timeout,
                response_limit: self.response_limit,
                env: self.env,
                features: std::sync::RwLock::default(),
            },
            requests: Requests {
                base,
                batch_path: path::segments(&self.batch_path),
                routes: check_routes(self.routes)?,
                usual: KindRoute::new(),
            },
        })
    }
}

impl fmt::Debug for RestTransportBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The base URL may bear keys in its query.
        f.debug_struct("RestTransportBuilder")
            .field("routes", &self.routes)
            .field("batch", &self.batch)
            .field("batch_path", &self.batch_path)
            .field("batch_size", &self.batch_size)
            .field("connect_timeout", &self.connect_timeout)
            .field("request_timeout", &self.request_timeout)
            .field("response_limit", &self.response_limit)
            .finish_non_exhaustive()
    }
}

fn parse_base(text: &str) -> Result<Url, TransportError> {
    let refuse = |what: &str| {
        let message = format!("base URL {what}, like https://example.org/api");
        TransportError::new(TransportErrorKind::Configuration, message)
    };
    let mut url = Url::parse(text.trim())
        .map_err(|error| refuse("needs a scheme and a host").with_source(error))?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err(refuse("needs the scheme http or https and a host"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(refuse("must not contain credentials: use a token provider"));
    }
    url.set_fragment(None);
    Ok(url)
}

/// Does the address surely never leave this machine? A name other than `localhost` might.
fn is_this_machine(base: &Url) -> bool {
    let host = base.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']');
    let is_loopback = |address: IpAddr| match address {
        IpAddr::V4(address) => address.is_loopback(),
        IpAddr::V6(address) => address.is_loopback(),
    };
    host == "localhost" || address.parse().is_ok_and(is_loopback)
}

fn check_routes(
    routes: Vec<(String, KindRoute)>,
) -> Result<BTreeMap<Kind, KindRoute>, TransportError> {
    let check = |(kind, route): (String, KindRoute)| {
        let kind = Kind::new(kind).map_err(|error| configuration("a route's kind", error))?;
        for (name, value) in &route.headers {
            extra_header(name, value)?;
        }
        Ok((kind, route))
    };
    routes.into_iter().map(check).collect()
}

/// Names the server for cursors: the base URL, its query only as a fingerprint, for it may bear keys.
fn origin(base: &Url) -> String {
    let mut url = base.clone();
    url.set_query(None);
    let name = url.as_str().trim_end_matches('/').to_owned();
    match base.query() {
        None | Some("") => name,
        Some(query) => format!("{name}#{:016x}", fingerprint(query)),
    }
}

/// FNV-1a: the same in every version of every compiler, unlike the standard library's hasher.
fn fingerprint(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

fn build_client(base: &Url, connect_timeout: Duration) -> Result<reqwest::Client, TransportError> {
    let builder = reqwest::Client::builder()
        .user_agent(concat!("sync-rest/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(connect_timeout)
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .referer(false);
    let builder = match base.scheme() {
        "http" => without_certificates(builder),
        _ => builder,
    };
    builder.build().map_err(|error| {
        let what = "no HTTP client could be made: install the system's CA certificates \
                    (for example the package ca-certificates), point SSL_CERT_FILE to them, \
                    or pass a client of your own";
        configuration(what, error.without_url())
    })
}

/// Without https nothing is verified, so a machine without CA certificates will do.
#[cfg(feature = "rustls")]
fn without_certificates(builder: reqwest::ClientBuilder) -> reqwest::ClientBuilder {
    builder.tls_certs_only([])
}

#[cfg(not(feature = "rustls"))]
fn without_certificates(builder: reqwest::ClientBuilder) -> reqwest::ClientBuilder {
    builder
}
