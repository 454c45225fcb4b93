//! Setting a transport up.

use std::process::Command;

use sync_core::transport::{Transport, TransportErrorKind};
use sync_rest::{KindRoute, RestTransport};

fn refusal(base: &str) -> String {
    let error = RestTransport::builder(base).build().unwrap_err();
    assert_eq!(error.kind(), TransportErrorKind::Configuration);
    error.to_string()
}

#[test]
fn a_base_url_needs_a_scheme_and_a_host() {
    for base in [
        "",
        "example.org/api",
        "/api",
        "localhost:8080",
        "ftp://example.org",
        "file:///x",
        "http://",
    ] {
        let message = refusal(base);
        assert!(message.contains("scheme"), "{base}: {message}");
    }
    assert!(refusal("http://me@example.org").contains("token provider"));
    assert!(refusal("http://me:pw@example.org").contains("token provider"));
}

#[test]
fn kinds_and_headers_are_checked_at_once() {
    let build = |kind: &str, route| {
        let builder = RestTransport::builder("http://localhost").kind(kind, route);
        builder.build().map(|_| ()).map_err(|error| error.kind())
    };
    let refused = Err(TransportErrorKind::Configuration);
    assert_eq!(build("to dos", KindRoute::new()), refused);
    assert_eq!(build("todos", KindRoute::new().header("a b", "c")), refused);
    assert_eq!(build("todos", KindRoute::new().header("a", "b\n")), refused);
    assert_eq!(build("todos", KindRoute::new().header("a", "b")), Ok(()));
}

#[test]
fn servers_and_tenants_are_told_apart_without_showing_keys() {
    let origin = |base: &str| {
        let builder = RestTransport::builder(base).allow_plain_http();
        builder.build().unwrap().capabilities().origin
    };
    assert_eq!(
        origin("http://Example.org:80/api/"),
        "http://example.org/api"
    );
    assert_eq!(origin("http://example.org/api"), "http://example.org/api");
    assert_eq!(origin("http://example.org?"), "http://example.org");
    let tenant = origin("http://example.org/api?tenant=7");
    assert_eq!(tenant, "http://example.org/api#c3263728e41a63ad");
    assert_ne!(tenant, origin("http://example.org/api?tenant=8"));
}

/// Set in the child process of the next test.
const CHILD: &str = "SYNC_REST_WITHOUT_CERTIFICATES";

#[test]
fn a_machine_without_ca_certificates_is_told_what_to_do() {
    if std::env::var_os(CHILD).is_some() {
        assert!(RestTransport::builder("http://localhost").build().is_ok());
        assert!(refusal("https://localhost").contains("CA certificates"));
        return;
    }
    // The places are read from the environment, which only a process of its own may change.
    let output = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "setup::a_machine_without_ca_certificates_is_told_what_to_do",
        ])
        .env(CHILD, "1")
        .env("SSL_CERT_FILE", "/nonexistent/file.pem")
        .env("SSL_CERT_DIR", "/nonexistent/directory")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && text.contains("1 passed"),
        "{text}"
    );
}
