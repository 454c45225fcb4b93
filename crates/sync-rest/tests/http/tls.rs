//! Whom the transport talks to: verified over https, asked for over http, and nobody else.

use std::sync::Arc;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use sync_core::transport::{FetchRequest, PullRequest, Transport, TransportErrorKind};
use sync_rest::{RestTransport, StaticToken, Token};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs::default_provider;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

use super::server::{Reply, Server, edit, id, kind};

/// A server with a certificate of its own making for this name; its port and certificate.
async fn self_signed(name: &str) -> (u16, reqwest::Certificate) {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed([name.to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let Ok(mut socket) = acceptor.accept(socket).await else {
                continue;
            };
            let mut request = [0; 4096];
            let _ = socket.read(&mut request).await;
            let answer = b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n";
            let _ = socket.write_all(answer).await;
            let _ = socket.shutdown().await;
        }
    });
    let certificate = reqwest::Certificate::from_der(cert.der()).unwrap();
    (port, certificate)
}

fn trusting(certificate: reqwest::Certificate) -> reqwest::Client {
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none());
    client.tls_certs_only([certificate]).build().unwrap()
}

#[tokio::test]
async fn a_certificate_that_nobody_vouches_for_is_refused_before_anything_is_sent() {
    let (port, certificate) = self_signed("localhost").await;
    let base = format!("https://localhost:{port}");
    // On a machine without any CA certificates there is not even a client.
    if let Ok(transport) = RestTransport::builder(&base).build() {
        let error = transport.push(edit()).await.unwrap_err();
        assert_eq!(error.kind(), TransportErrorKind::Offline);
        assert!(!error.maybe_sent());
    }
    // The server is sound: who trusts this certificate is served.
    let transport = RestTransport::builder(&base).client(trusting(certificate));
    transport.build().unwrap().push(edit()).await.unwrap();
}

#[tokio::test]
async fn a_certificate_of_another_host_is_refused() {
    let (port, certificate) = self_signed("other.example").await;
    let transport = RestTransport::builder(format!("https://localhost:{port}"));
    let transport = transport.client(trusting(certificate)).build().unwrap();
    let error = transport.push(edit()).await.unwrap_err();
    assert_eq!(error.kind(), TransportErrorKind::Offline);
    assert!(!error.maybe_sent());
}

#[test]
fn plain_http_to_another_machine_is_asked_for() {
    for base in [
        "http://example.org",
        "http://192.168.1.2:8080/api",
        "http://[2001:db8::1]/",
        "http://0.0.0.0",
        "http://localhost.example.org",
        "http://127.0.0.1.example.org",
        "http://mylocalhost",
    ] {
        let error = RestTransport::builder(base).build().unwrap_err();
        assert_eq!(error.kind(), TransportErrorKind::Configuration, "{base}");
        assert!(error.to_string().contains("allow_plain_http"), "{error}");
        assert!(
            RestTransport::builder(base)
                .allow_plain_http()
                .build()
                .is_ok(),
            "{base}"
        );
    }
    for base in [
        "http://localhost:8080/api",
        "http://LOCALHOST",
        "http://127.0.0.1",
        "http://127.8.9.10:1",
        "http://127.1",
        "http://[::1]:8080",
    ] {
        assert!(RestTransport::builder(base).build().is_ok(), "{base}");
    }
}

#[tokio::test]
async fn no_redirect_takes_a_request_with_its_token_elsewhere() {
    let elsewhere = Server::always(Reply::json(200, r#"{"items":[]}"#)).await;
    let port = elsewhere.url.rsplit_once(':').unwrap().1.to_owned();
    let own = Server::always(Reply::empty(204)).await;
    let own_address = own.url.trim_start_matches("http://").to_owned();
    for target in [
        format!("{}/api/todos", elsewhere.url),
        format!("http://localhost:{port}/api/todos"),
        format!("//127.0.0.1:{port}/api/todos"),
        format!("\\\\127.0.0.1:{port}\\api\\todos"),
        // Another scheme at the very same place.
        format!("https://{own_address}/api/todos"),
        // Credentials in an address, and a host that looks like a user.
        format!("http://{own_address}@127.0.0.1:{port}/api/todos"),
        "ftp://127.0.0.1/x".to_owned(),
        "file:///etc/passwd".to_owned(),
        "javascript:alert(1)".to_owned(),
    ] {
        for status in [301, 302, 303, 307, 308] {
            let reply = Reply::new(status, &[("location", target.as_str())], "");
            let server = Server::always(reply).await;
            let token = StaticToken::new(Token::bearer("s3cr3t"));
            let transport = server.builder().auth(token).build().unwrap();
            let fetched = transport.fetch(FetchRequest::new(kind(), id("e1"))).await;
            let kinds = [
                transport.pull(PullRequest::new(kind(), 3)).await.err(),
                fetched.err(),
                transport.health().await.err(),
                transport.wakeups().await.err(),
            ]
            .map(|error| error.map(|error| error.kind()));
            assert_eq!(kinds, [Some(TransportErrorKind::Protocol); 4], "{target}");
            let _ = transport.push(edit()).await;
            assert_eq!(server.received().len(), 5, "{target}");
        }
    }
    assert!(elsewhere.received().is_empty());
}
