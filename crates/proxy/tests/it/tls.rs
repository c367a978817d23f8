//! TLS: which certificate, which host, which version, and what happens when files change.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use portway_testkit::{Backend, Certificates, Client, Ended, Gateway};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::open;

/// Asks over TLS for `host`, with `sni` as the name of the server; the answer's bytes, or why not.
fn ask(
    address: SocketAddr,
    folder: &Certificates,
    sni: &str,
    host: &str,
) -> Result<String, String> {
    let mut roots = RootCertStore::empty();
    for file in ["one.crt", "two.crt"] {
        if let Ok(pem) = std::fs::read(folder.path(file)) {
            let certificate =
                CertificateDer::from_pem_slice(&pem).map_err(|error| error.to_string())?;
            roots.add(certificate).map_err(|error| error.to_string())?;
        }
    }
    let config = ClientConfig::builder_with_provider(Arc::new(
        rustls::crypto::aws_lc_rs::default_provider(),
    ))
    .with_safe_default_protocol_versions()
    .map_err(|error| error.to_string())?
    .with_root_certificates(roots)
    .with_no_client_auth();
    let name = ServerName::try_from(sni.to_owned()).map_err(|error| error.to_string())?;
    let connection =
        ClientConnection::new(Arc::new(config), name).map_err(|error| error.to_string())?;
    let tcp = TcpStream::connect(address).map_err(|error| error.to_string())?;
    let mut stream = StreamOwned::new(connection, tcp);
    let request = format!("GET /a HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).map_err(|error| error.to_string())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).map_err(|error| error.to_string())?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

fn document(backend: &Backend, folder: &Certificates) -> String {
    let pair = |name: &str| {
        let (cert, key) =
            (folder.path(&format!("{name}.crt")), folder.path(&format!("{name}.key")));
        format!("{{ cert: '{}', key: '{}' }}", cert.display(), key.display())
    };
    let listen = format!(
        "listen: [ {{ address: '127.0.0.1:0', tls: {{ certificates: [ {}, {} ] }} }} ], bounds: {{ head_timeout: 300ms }}",
        pair("one"),
        pair("two")
    );
    crate::open_with(backend.address(), &listen, "")
}

fn certificates() -> Certificates {
    let folder = Certificates::new();
    folder.write("one", &["one.test"]);
    folder.write("two", &["two.test", "*.two.test"]);
    folder
}

#[test]
fn the_certificate_fits_the_name_and_the_host_must_fit_the_connection() {
    let (backend, folder) = (Backend::polite(), certificates());
    let gateway = Gateway::start(&document(&backend, &folder));
    for (sni, host, status) in [
        ("one.test", "one.test", "200"),
        ("one.test", "ONE.test:443", "200"),
        ("two.test", "two.test", "200"),
        ("a.two.test", "a.two.test", "200"),
        ("one.test", "two.test", "421"),
        ("a.two.test", "b.two.test", "421"),
        ("one.test", "127.0.0.1", "421"),
    ] {
        let answer = ask(gateway.address(), &folder, sni, host).expect("a handshake");
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{sni} {host}: {answer}");
        assert_eq!(answer.contains("\"misdirected\""), status == "421", "{sni} {host}: {answer}");
    }
    assert_eq!(backend.last().values("x-forwarded-proto"), ["https"]);
}

#[test]
fn what_is_told_over_tls_only_is_told_over_tls() {
    let said = "HTTP/1.1 302 Found\r\nLocation: http://localhost/x\r\nSet-Cookie: a=b\r\nContent-Length: 0\r\n\r\n";
    let (backend, folder) = (Backend::saying(said), certificates());
    let policy = "    answers: { mask: on, cookies: on, security_headers: on }\n";
    let gateway = Gateway::start(&(document(&backend, &folder) + policy));
    let answer = ask(gateway.address(), &folder, "one.test", "one.test").expect("a handshake");
    for line in [
        "Location: https://one.test/x",
        "Set-Cookie: a=b; Secure; HttpOnly; SameSite=Lax",
        "Strict-Transport-Security: max-age=31536000",
        "X-Content-Type-Options: nosniff",
    ] {
        assert!(answer.contains(&format!("\r\n{line}\r\n")), "{line}: {answer}");
    }
}

#[test]
fn certificates_are_read_again_and_a_broken_file_changes_nothing() {
    let (backend, folder) = (Backend::polite(), certificates());
    let gateway = Gateway::start(&document(&backend, &folder));
    assert!(gateway.reload_certificates().is_empty());
    folder.write("one", &["one.test", "new.test"]);
    assert!(gateway.reload_certificates().iter().all(Result::is_ok));
    let answer = ask(gateway.address(), &folder, "new.test", "new.test")
        .expect("the new certificate is shown");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let kept = std::fs::read(folder.path("one.crt")).expect("readable");
    std::fs::write(folder.path("one.crt"), "broken").expect("written");
    assert!(gateway.reload_certificates().iter().any(Result::is_err));
    std::fs::write(folder.path("one.crt"), kept).expect("written");
    ask(gateway.address(), &folder, "new.test", "new.test").expect("the old one is still shown");
}

#[test]
fn c21_a_handshake_has_a_deadline_and_plain_text_is_refused() {
    let (backend, folder) = (Backend::polite(), certificates());
    let gateway = Gateway::start(&document(&backend, &folder));
    for sent in [&b""[..], &[22, 3, 1, 2, 0], b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"] {
        let mut client = Client::connect(gateway.address());
        assert_ne!(client.send(sent).ended(), Ended::Open, "{sent:?}");
    }
    assert!(backend.received().is_empty());
}

#[test]
fn backends_are_verified() {
    let (inner, folder) = (Backend::polite(), certificates());
    // A second gateway is the backend that speaks TLS.
    let backend = Gateway::start(&document(&inner, &folder));
    let target = format!("https://{}", backend.address());
    let ca = folder.path("one.crt");
    for (tls, host, code) in [
        (format!("{{ ca: '{}', sni: one.test }}", ca.display()), "one.test", ""),
        (format!("{{ ca: '{}' }}", folder.path("two.crt").display()), "one.test", "tls-failed"),
        (format!("{{ ca: '{}', sni: two.test }}", ca.display()), "two.test", "tls-failed"),
        ("{ sni: one.test }".to_owned(), "one.test", "tls-failed"),
    ] {
        let more = format!(", host: {host}, tls: {tls}");
        let document =
            open(inner.address(), &more).replace(&format!("http://{}", inner.address()), &target);
        let gateway = Gateway::start(&document);
        let answer = Client::get(gateway.address(), "/a");
        assert_eq!(answer.problem(), code, "{tls}: {}", answer.text());
        assert_eq!(answer.status, if code.is_empty() { 200 } else { 502 });
    }
}
