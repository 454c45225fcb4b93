//! Sending a request and collecting its answer within the limits.

use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use futures::future::{Either, select};
use reqwest::header::{AUTHORIZATION, HeaderMap, LOCATION};
use reqwest::{Method, Response, Url};
use sync_core::Env;
use sync_core::transport::{Features, TransportError, TransportErrorKind};
use tracing::debug;

use super::auth::{Auth, Credentials};
use super::request::Outgoing;
use crate::answer::{BodyBuffer, CheckedBody, Head, holds_without_body, too_large};

const MAX_REDIRECTS: usize = 5;

/// The line to one server.
#[derive(Debug)]
pub(super) struct Http {
    pub(super) client: reqwest::Client,
    pub(super) auth: Option<Auth>,
    pub(super) request_timeout: Duration,
    pub(super) response_limit: usize,
    pub(super) env: Env,
    /// What the server last declared.
    pub(super) features: RwLock<Features>,
}

impl Http {
    pub(super) fn features(&self) -> Features {
        let features = self.features.read();
        features.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// One request and its whole answer.
    pub(super) async fn exchange(
        &self,
        outgoing: &Outgoing,
    ) -> Result<(Head, CheckedBody), TransportError> {
        let response = self.open(outgoing, Some(self.request_timeout)).await?;
        let head = self.head(&response);
        let body = match self.collect(response).await {
            Ok(body) => body,
            Err(_) if holds_without_body(head.status) => CheckedBody::default(),
            Err(error) => return Err(error.with_status(head.status)),
        };
        debug!(status = head.status, "answered");
        Ok((head, body))
    }

    /// One request and an answer whose body stays open; only its head must come in time.
    pub(super) async fn stream(
        &self,
        outgoing: &Outgoing,
    ) -> Result<(Head, Response), TransportError> {
        let opened = Box::pin(self.open(outgoing, None));
        let waited = Box::pin(self.env.sleep(self.request_timeout));
        match select(opened, waited).await {
            Either::Left((response, _)) => {
                response.map(|response| (self.head(&response), response))
            }
            Either::Right(_) => Err(TransportError::new(
                TransportErrorKind::Timeout,
                "server did not answer in time",
            )),
        }
    }

    /// Sends; after a 401 once more with a renewed token.
    async fn open(
        &self,
        outgoing: &Outgoing,
        timeout: Option<Duration>,
    ) -> Result<Response, TransportError> {
        let Some(auth) = &self.auth else {
            return self.follow(outgoing, None, timeout).await;
        };
        let account = outgoing.account.as_deref();
        let credentials = auth.credentials(account).await?;
        let response = self.follow(outgoing, Some(&credentials), timeout).await?;
        if response.status() != reqwest::StatusCode::UNAUTHORIZED {
            return Ok(response);
        }
        drop(response);
        debug!("token refused, renewing it");
        auth.refresh(credentials.generation).await?;
        let renewed = auth.credentials(account).await?;
        self.follow(outgoing, Some(&renewed), timeout).await
    }

    /// Follows redirects of a read as long as they stay with this server.
    async fn follow(
        &self,
        outgoing: &Outgoing,
        credentials: Option<&Credentials>,
        timeout: Option<Duration>,
    ) -> Result<Response, TransportError> {
        let reads = outgoing.method == Method::GET;
        let mut url = outgoing.url.clone();
        for _ in 0..=MAX_REDIRECTS {
            let response = self.send(outgoing, &url, credentials, timeout).await?;
            let strayed = if reads {
                response.url().origin() != url.origin()
            } else {
                *response.url() != url
            };
            if strayed {
                return Err(redirect(
                    "the HTTP client followed a redirect by itself: build it with `redirect(Policy::none())`",
                    &response,
                ));
            }
            let next = reads.then(|| location(&response)).flatten();
            match next {
                None => return Ok(response),
                Some(next) if next.origin() == url.origin() => url = next,
                Some(_) => {
                    let what = "server redirects to another host, which is not followed";
                    return Err(redirect(what, &response));
                }
            }
        }
        let message = "server redirects in circles";
        Err(TransportError::new(TransportErrorKind::Protocol, message))
    }

    async fn send(
        &self,
        outgoing: &Outgoing,
        url: &Url,
        credentials: Option<&Credentials>,
        timeout: Option<Duration>,
    ) -> Result<Response, TransportError> {
        let mut request = self
            .client
            .request(outgoing.method.clone(), url.clone())
            .headers(outgoing.headers.clone());
        if let Some(credentials) = credentials {
            request = request.header(AUTHORIZATION, credentials.header.clone());
        }
        if let Some(timeout) = timeout {
            request = request.timeout(timeout);
        }
        if let Some(body) = &outgoing.body {
            request = request.body(body.clone());
        }
        request.send().await.map_err(failure)
    }

    fn head(&self, response: &Response) -> Head {
        let status = response.status().as_u16();
        let head = Head::read(status, &self.env.now(), |name| {
            text(response.headers(), name)
        });
        if let Some(declared) = &head.features {
            let mut features = self
                .features
                .write()
                .unwrap_or_else(PoisonError::into_inner);
            features.clone_from(declared);
        }
        head
    }

    async fn collect(&self, mut response: Response) -> Result<CheckedBody, TransportError> {
        let announced = response.content_length().unwrap_or(0);
        if usize::try_from(announced).is_ok_and(|length| length > self.response_limit) {
            return Err(too_large(self.response_limit));
        }
        let mut body = BodyBuffer::new(self.response_limit);
        while let Some(piece) = response.chunk().await.map_err(failure)? {
            body.push(&piece)?;
        }
        Ok(body.finish())
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// Where a redirect leads, without credentials that somebody put into it.
fn location(response: &Response) -> Option<Url> {
    let redirects = matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308);
    let target = response.headers().get(LOCATION).filter(|_| redirects)?;
    let mut url = response.url().join(target.to_str().ok()?).ok()?;
    url.set_username("").ok()?;
    url.set_password(None).ok()?;
    Some(url)
}

fn redirect(what: &str, response: &Response) -> TransportError {
    let error = TransportError::new(TransportErrorKind::Protocol, what);
    error.with_status(response.status().as_u16())
}

/// What a failed request means. The URL is left out: it may bear ids and keys.
fn failure(error: reqwest::Error) -> TransportError {
    let (kind, message) = if error.is_builder() {
        let what =
            "the request cannot be made: check the base URL, and the feature `rustls` for https";
        (TransportErrorKind::Configuration, what)
    } else if error.is_connect() {
        let what = "no connection to the server: check the network and the base URL";
        (TransportErrorKind::Offline, what)
    } else if error.is_timeout() {
        (TransportErrorKind::Timeout, "server did not answer in time")
    } else if error.is_decode() {
        (
            TransportErrorKind::BrokenBody,
            "server's answer could not be decoded",
        )
    } else {
        (
            TransportErrorKind::Interrupted,
            "the connection broke before the answer was complete",
        )
    };
    TransportError::new(kind, message).with_source(error.without_url())
}
