//! Tests of TLS: which certificate is shown, reloading, who may use a connection, and trust towards backends.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls_pki_types::pem::PemObject;
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::failure::{Failure, Fault};

/// An authority and a directory for the files that it makes.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
    directory: tempfile::TempDir,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), pem, directory: tempfile::tempdir().unwrap() }
    }

    fn path(&self, file: &str) -> PathBuf {
        self.directory.path().join(file)
    }

    /// Files of a certificate for these names, under this file name.
    fn certificate(&self, file: &str, names: &[&str]) -> CertificateFiles {
        self.certificate_of(
            file,
            &CertificateParams::new(
                names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>(),
            )
            .unwrap(),
        )
    }

    fn certificate_of(&self, file: &str, params: &CertificateParams) -> CertificateFiles {
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let files = CertificateFiles {
            cert: self.path(&format!("{file}.crt")),
            key: self.path(&format!("{file}.key")),
        };
        std::fs::write(&files.cert, certificate.pem()).unwrap();
        std::fs::write(&files.key, key.serialize_pem()).unwrap();
        files
    }

    fn ca(&self) -> PathBuf {
        let path = self.path("ca.crt");
        std::fs::write(&path, &self.pem).unwrap();
        path
    }
}

fn served(certificates: &[CertificateFiles]) -> TlsFiles {
    TlsFiles { certificates: certificates.to_vec(), min_version: MinVersion::Tls12, clients: None }
}

/// A client of the tests: trusts the authority.
fn client(authority: &Authority) -> ClientTlsFiles {
    ClientTlsFiles { ca: Some(authority.ca()), ..ClientTlsFiles::default() }
}

/// Accepts TLS connections for ever; gives its address.
async fn serve(acceptor: tokio_rustls::TlsAcceptor) -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                use tokio::io::{AsyncReadExt, AsyncWriteExt};
                let Ok(mut stream) = acceptor.accept(stream).await else { return };
                let _ = stream.write_all(b"well").await;
                let _ = stream.read(&mut [0; 1]).await;
            });
        }
    });
    address
}

/// The first certificate that a server shows to this name, and the protocol; or the failure.
async fn shown(
    address: std::net::SocketAddr,
    files: &ClientTlsFiles,
    name: &str,
    http2: bool,
) -> Result<(Vec<u8>, Option<Vec<u8>>), Failure> {
    let tls = ClientTlsStore::default().client(files, name, http2).unwrap();
    let connected = connect(&tls, TcpStream::connect(address).await.unwrap()).await;
    let stream = connected.map_err(|_| Failure::unsent(Fault::TlsFailed))?;
    let connection = stream.get_ref().1;
    Ok((
        connection.peer_certificates().unwrap()[0].to_vec(),
        connection.alpn_protocol().map(<[u8]>::to_vec),
    ))
}

fn der(files: &CertificateFiles) -> Vec<u8> {
    rustls_pki_types::CertificateDer::from_pem_file(&files.cert).unwrap().to_vec()
}

#[tokio::test]
async fn the_name_chooses_the_certificate() {
    let authority = Authority::new();
    let first = authority.certificate("first", &["first.test"]);
    let wild = authority.certificate("wild", &["*.shop.test", "shop.test"]);
    let exact = authority.certificate("exact", &["a.shop.test"]);
    let tls = ServerTls::load(&served(&[first.clone(), wild.clone(), exact.clone()])).unwrap();
    let address = serve(tls.acceptor()).await;
    let client = client(&authority);
    for (name, expected) in [
        ("first.test", Some(&first)),
        ("shop.test", Some(&wild)),
        ("b.shop.test", Some(&wild)),
        ("B.Shop.Test", Some(&wild)),
        ("a.shop.test", Some(&exact)),
        ("A.SHOP.TEST", Some(&exact)),
        // The first is shown, which is not for these names: the client refuses it.
        ("a.b.shop.test", None),
        ("other.test", None),
    ] {
        let shown = shown(address, &client, name, false).await.map(|(certificate, _)| certificate);
        assert_eq!(shown, expected.map(der).ok_or(Failure::unsent(Fault::TlsFailed)), "{name}");
    }
}

#[tokio::test]
async fn the_protocol_is_agreed_on() {
    let authority = Authority::new();
    let files = authority.certificate("shop", &["shop.test"]);
    let client = client(&authority);
    let both =
        serve(ServerTls::load(&served(std::slice::from_ref(&files))).unwrap().acceptor()).await;
    assert_eq!(
        shown(both, &client, "shop.test", true).await.unwrap().1.as_deref(),
        Some(b"h2".as_slice())
    );
    assert_eq!(
        shown(both, &client, "shop.test", false).await.unwrap().1.as_deref(),
        Some(b"http/1.1".as_slice())
    );
    // A target that knows no ALPN does not speak HTTP/2.
    let plain = serve(plain_acceptor(&files, None)).await;
    assert_eq!(
        shown(plain, &client, "shop.test", true).await.unwrap_err(),
        Failure::unsent(Fault::TlsFailed)
    );
    assert_eq!(shown(plain, &client, "shop.test", false).await.unwrap().1, None);
}

/// A server without ALPN that asks for certificates of the authority in this file, if any.
fn plain_acceptor(files: &CertificateFiles, client_ca: Option<&Path>) -> tokio_rustls::TlsAcceptor {
    let certificate = rustls_pki_types::CertificateDer::from_pem_file(&files.cert).unwrap();
    let key = rustls_pki_types::PrivateKeyDer::from_pem_file(&files.key).unwrap();
    let builder = rustls::ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap();
    let builder = match client_ca {
        None => builder.with_no_client_auth(),
        Some(path) => {
            let mut roots = rustls::RootCertStore::empty();
            roots.add(rustls_pki_types::CertificateDer::from_pem_file(path).unwrap()).unwrap();
            let verifier = rustls::server::WebPkiClientVerifier::builder_with_provider(
                Arc::new(roots),
                provider(),
            )
            .build()
            .unwrap();
            builder.with_client_cert_verifier(verifier)
        }
    };
    tokio_rustls::TlsAcceptor::from(Arc::new(
        builder.with_single_cert(vec![certificate], key).unwrap(),
    ))
}

#[tokio::test]
async fn the_lowest_version_holds() {
    let authority = Authority::new();
    let files = authority.certificate("shop", &["shop.test"]);
    let mut roots = rustls::RootCertStore::empty();
    roots
        .add(rustls_pki_types::CertificateDer::from_pem_slice(authority.pem.as_bytes()).unwrap())
        .unwrap();
    let old = rustls::ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS12])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let old = tokio_rustls::TlsConnector::from(Arc::new(old));
    for (min_version, expected) in [(MinVersion::Tls12, true), (MinVersion::Tls13, false)] {
        let tls = ServerTls::load(&TlsFiles {
            certificates: vec![files.clone()],
            min_version,
            clients: None,
        })
        .unwrap();
        let stream = TcpStream::connect(serve(tls.acceptor()).await).await.unwrap();
        assert_eq!(
            old.connect("shop.test".try_into().unwrap(), stream).await.is_ok(),
            expected,
            "{min_version:?}"
        );
    }
    assert_eq!("1.3".parse(), Ok(MinVersion::Tls13));
    assert!("1.1".parse::<MinVersion>().is_err());
}

#[tokio::test]
async fn changed_files_are_shown_and_broken_ones_are_not() {
    let authority = Authority::new();
    let files = authority.certificate("shop", &["shop.test"]);
    let tls = ServerTls::load(&served(std::slice::from_ref(&files))).unwrap();
    let address = serve(tls.acceptor()).await;
    let client = client(&authority);
    let first = der(&files);
    assert_eq!(shown(address, &client, "shop.test", false).await.unwrap().0, first);
    assert_eq!(tls.reload(), Ok(false));

    authority.certificate("shop", &["shop.test", "new.test"]);
    assert_eq!(tls.reload(), Ok(true));
    let second = shown(address, &client, "new.test", false).await.unwrap().0;
    assert_ne!(first, second);

    let good_key = std::fs::read(&files.key).unwrap();
    for (broken, message) in [
        ("", "has no private key"),
        ("-----BEGIN PRIVATE KEY-----\nAAAA", "has no private key"),
        (
            KeyPair::generate().unwrap().serialize_pem().as_str(),
            "does not belong to the certificate",
        ),
    ] {
        std::fs::write(&files.key, broken).unwrap();
        let mistakes = tls.reload().unwrap_err();
        assert!(mistakes[0].contains("shop.key") && mistakes[0].contains(message), "{mistakes:?}");
        assert!(!mistakes[0].contains("AAAA"), "{mistakes:?}");
        assert_eq!(shown(address, &client, "new.test", false).await.unwrap().0, second);
    }
    std::fs::write(&files.key, good_key).unwrap();
    assert_eq!(tls.reload(), Ok(false));
    std::fs::remove_file(&files.cert).unwrap();
    assert!(tls.reload().unwrap_err()[0].contains("shop.crt: cannot be read"));
    assert_eq!(shown(address, &client, "new.test", false).await.unwrap().0, second);
}

#[test]
fn every_broken_file_is_named() {
    let authority = Authority::new();
    let good = authority.certificate("good", &["good.test"]);
    std::fs::write(authority.path("empty.crt"), "").unwrap();
    let files = served(&[
        CertificateFiles { cert: authority.path("gone.crt"), key: authority.path("gone.key") },
        CertificateFiles { cert: authority.path("empty.crt"), key: good.key.clone() },
        good,
    ]);
    let mistakes = ServerTls::load(&files).unwrap_err();
    assert_eq!(mistakes.len(), 3, "{mistakes:?}");
    assert!(
        mistakes[0].contains("gone.crt")
            && mistakes[1].contains("gone.key")
            && mistakes[2].contains("empty.crt")
    );
    assert!(ServerTls::load(&served(&[])).is_err());
}

#[test]
fn keys_are_never_shown() {
    let authority = Authority::new();
    let files = authority.certificate("shop", &["shop.test"]);
    let key = std::fs::read_to_string(&files.key).unwrap();
    let secret = key.lines().nth(1).unwrap();
    let tls = ServerTls::load(&served(std::slice::from_ref(&files)))
        .map(|tls| format!("{tls:?}"))
        .unwrap();
    let towards =
        ClientTlsFiles { cert: Some(files.cert), key: Some(files.key), ca: Some(authority.ca()) };
    let client = ClientTlsStore::default().client(&towards, "shop.test", false).unwrap();
    assert!(!tls.contains(secret) && !format!("{client:?}").contains(secret));
}

#[test]
fn names_and_dates_are_read() {
    let authority = Authority::new();
    let mut params =
        CertificateParams::new(["Shop.Test", "*.shop.test", "10.0.0.1", "::1"].map(str::to_owned))
            .unwrap();
    params.not_before = rcgen::date_time_ymd(2020, 1, 1);
    params.not_after = rcgen::date_time_ymd(2040, 1, 1);
    let tls = ServerTls::load(&served(&[authority.certificate_of("shop", &params)])).unwrap();
    let view = &tls.certificates()[0];
    assert_eq!(*view.names.dns, ["shop.test".into(), "*.shop.test".into()]);
    assert_eq!(
        *view.names.ips,
        ["10.0.0.1".parse::<std::net::IpAddr>().unwrap(), "::1".parse().unwrap()]
    );
    assert_eq!((view.names.not_before_s, view.names.not_after_s), (1_577_836_800, 2_208_988_800));
}

#[test]
fn who_may_use_a_connection() {
    let certificate = |dns: &[&str], ips: &[&str]| CertificateNames {
        dns: dns.iter().map(|name| (*name).into()).collect(),
        ips: ips.iter().map(|ip| ip.parse().unwrap()).collect(),
        ..CertificateNames::default()
    };
    let shop = certificate(&["shop.test", "*.shop.test"], &["10.0.0.1"]);
    for (sni, host, expected) in [
        (Some("shop.test"), "shop.test", true),
        (Some("SHOP.test"), "shop.TEST", true),
        (Some("shop.test"), "shop.test.", true),
        (Some("shop.test."), "shop.test", true),
        (Some("a.shop.test"), "a.shop.test", true),
        // The certificate has both, and still one connection is for one name.
        (Some("shop.test"), "a.shop.test", false),
        (Some("a.shop.test"), "b.shop.test", false),
        (Some("a.shop.test"), "*.shop.test", false),
        (Some("a.b.shop.test"), "a.b.shop.test", false),
        (Some(".shop.test"), ".shop.test", false),
        (Some("other.test"), "other.test", false),
        (Some("shop.test"), "evilshop.test", false),
        (Some("shop.test"), "shop.test..", false),
        (Some("shop.test"), "", false),
        (Some("shop.test"), "10.0.0.1", false),
        (Some("10.0.0.1"), "10.0.0.1", false),
        (None, "shop.test", true),
        (None, "a.shop.test", true),
        (None, "other.test", false),
        (None, "10.0.0.1", true),
        (None, "127.0.0.1", true),
        (None, "::1", true),
        (None, "", false),
    ] {
        assert_eq!(sni_agrees(sni, host, &shop), expected, "SNI {sni:?}, host {host:?}");
    }
}

#[test]
fn the_certificate_that_counts_is_the_one_for_the_sni() {
    let authority = Authority::new();
    let first = authority.certificate("first", &["first.test"]);
    let second = authority.certificate("second", &["second.test"]);
    let tls = ServerTls::load(&served(&[first, second])).unwrap();
    for (sni, host, expected) in [
        (Some("second.test"), "second.test", true),
        (Some("first.test"), "second.test", false),
        (None, "first.test", true),
        (None, "second.test", false),
        (Some("unknown.test"), "first.test", false),
        (Some("unknown.test"), "unknown.test", false),
    ] {
        assert_eq!(tls.sni_agrees(sni, host), expected, "SNI {sni:?}, host {host:?}");
    }
    let long = "a".repeat(70_000);
    assert!(!tls.sni_agrees(Some(&long), &long));
}

#[tokio::test]
async fn backends_must_prove_who_they_are() {
    let authority = Authority::new();
    let trusted = client(&authority);
    let mut expired = CertificateParams::new(vec!["shop.test".to_owned()]).unwrap();
    expired.not_before = rcgen::date_time_ymd(2019, 1, 1);
    expired.not_after = rcgen::date_time_ymd(2020, 1, 1);
    let mut early = CertificateParams::new(vec!["shop.test".to_owned()]).unwrap();
    early.not_before = rcgen::date_time_ymd(2090, 1, 1);
    early.not_after = rcgen::date_time_ymd(2091, 1, 1);
    let stranger = Authority::new();
    for (what, files, expected) in [
        ("right", authority.certificate("right", &["shop.test"]), true),
        ("wrong name", authority.certificate("name", &["other.test"]), false),
        ("expired", authority.certificate_of("expired", &expired), false),
        ("not yet valid", authority.certificate_of("early", &early), false),
        ("wrong authority", stranger.certificate("stranger", &["shop.test"]), false),
    ] {
        let address = serve(ServerTls::load(&served(&[files])).unwrap().acceptor()).await;
        let result = shown(address, &trusted, "shop.test", false).await.map(drop);
        assert_eq!(
            result,
            if expected { Ok(()) } else { Err(Failure::unsent(Fault::TlsFailed)) },
            "{what}"
        );
    }
    // Trust in the system's authorities does not reach the tests' own.
    let files = authority.certificate("right", &["shop.test"]);
    let address = serve(ServerTls::load(&served(&[files])).unwrap().acceptor()).await;
    assert!(shown(address, &ClientTlsFiles::default(), "shop.test", false).await.is_err());
}

#[tokio::test]
async fn backends_with_an_address_for_a_name() {
    let authority = Authority::new();
    let files = authority.certificate("ip", &["127.0.0.1"]);
    let address = serve(ServerTls::load(&served(&[files])).unwrap().acceptor()).await;
    assert!(shown(address, &client(&authority), "127.0.0.1", false).await.is_ok());
    assert!(shown(address, &client(&authority), "127.0.0.2", false).await.is_err());
}

#[tokio::test]
async fn backends_that_ask_for_a_certificate_get_it() {
    use tokio::io::AsyncReadExt;
    let authority = Authority::new();
    let files = authority.certificate("shop", &["shop.test"]);
    let own = authority.certificate("gateway", &["gateway.test"]);
    let address = serve(plain_acceptor(&files, Some(&authority.ca()))).await;
    let with = ClientTlsFiles { cert: Some(own.cert), key: Some(own.key), ..client(&authority) };
    let stranger = Authority::new();
    let theirs = stranger.certificate("gateway", &["gateway.test"]);
    let wrong =
        ClientTlsFiles { cert: Some(theirs.cert), key: Some(theirs.key), ..client(&authority) };
    for (what, files, expected) in
        [("with", &with, true), ("without", &client(&authority), false), ("wrong", &wrong, false)]
    {
        let tls = ClientTlsStore::default().client(files, "shop.test", false).unwrap();
        // In TLS 1.3 the server's refusal comes with the first bytes that are read.
        let heard = match connect(&tls, TcpStream::connect(address).await.unwrap()).await {
            Ok(mut stream) => stream.read_exact(&mut [0; 4]).await.is_ok(),
            Err(_) => false,
        };
        assert_eq!(heard, expected, "{what}");
    }
}

#[test]
fn equal_files_give_the_same_configuration() {
    let authority = Authority::new();
    let store = ClientTlsStore::default();
    let files = client(&authority);
    let one = store.client(&files, "shop.test", false).unwrap();
    let same = store.client(&files, "shop.test", false).unwrap();
    let other_name = store.client(&files, "other.test", false).unwrap();
    let http2 = store.client(&files, "shop.test", true).unwrap();
    assert!(Arc::ptr_eq(&one.config, &same.config) && one.identity() == same.identity());
    assert!(
        Arc::ptr_eq(&one.config, &other_name.config) && one.identity() != other_name.identity()
    );
    assert!(!Arc::ptr_eq(&one.config, &http2.config) && one.identity() != http2.identity());
    std::fs::write(authority.path("ca.crt"), &Authority::new().pem).unwrap();
    assert_ne!(store.client(&files, "shop.test", false).unwrap().identity(), one.identity());
}

#[test]
fn files_of_backends_that_cannot_be_used_are_named() {
    let authority = Authority::new();
    let own = authority.certificate("gateway", &["gateway.test"]);
    let gone = authority.path("gone.pem");
    let store = ClientTlsStore::default();
    let check = |files: &ClientTlsFiles, name: &str, message: &str| {
        let mistakes = store.client(files, name, false).unwrap_err();
        assert!(mistakes[0].contains(message), "{mistakes:?}");
    };
    let none = ClientTlsFiles::default;
    check(
        &ClientTlsFiles { ca: Some(gone.clone()), ..none() },
        "shop.test",
        "gone.pem: cannot be read",
    );
    check(
        &ClientTlsFiles { ca: Some(own.key.clone()), ..none() },
        "shop.test",
        "has no certificate",
    );
    check(
        &ClientTlsFiles { cert: Some(own.cert.clone()), ..none() },
        "shop.test",
        "belong together",
    );
    check(
        &ClientTlsFiles { cert: Some(own.cert.clone()), key: Some(own.cert.clone()), ..none() },
        "shop.test",
        "has no private key",
    );
    let other = authority.certificate("other", &["other.test"]);
    check(
        &ClientTlsFiles { cert: Some(own.cert), key: Some(other.key), ..none() },
        "shop.test",
        "does not belong",
    );
    check(&none(), "not a name", "is neither a DNS name nor an address");
}

/// When a certificate counts that is good from 2020 to 2030, on one connection: moments in their order, in seconds since 1970.
fn check_times(until: Option<i32>, stale_allowed: bool, moments: &[(i64, bool)]) {
    let authority = Authority::new();
    let mut params = CertificateParams::new(vec!["a.test".to_owned()]).unwrap();
    params.not_before = rcgen::date_time_ymd(2020, 1, 1);
    params.not_after = rcgen::date_time_ymd(2030, 1, 1);
    let files = authority.certificate_of("client", &params);
    let list = until.map(|until| {
        let params = rcgen::CertificateRevocationListParams {
            this_update: rcgen::date_time_ymd(2020, 1, 1),
            next_update: rcgen::date_time_ymd(until, 1, 1),
            crl_number: rcgen::SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: Vec::new(),
            key_identifier_method: rcgen::KeyIdMethod::Sha256,
        };
        let path = authority.path("list.crl");
        std::fs::write(&path, params.signed_by(&authority.issuer).unwrap().der()).unwrap();
        path
    });
    let trust = clients::Trust::load(&ClientsFiles {
        ca: authority.ca(),
        crl: list.into_iter().collect(),
        stale_allowed,
        required: false,
    });
    let clients = Arc::new(clients::Clients::new(false, trust.unwrap()));
    let chain = [rustls_pki_types::CertificateDer::from_pem_file(&files.cert).unwrap()];
    let shown = ShownCertificate::read(&clients, &chain).unwrap();
    for (second, expected) in moments {
        let unix_ms = u64::try_from(*second).unwrap() * 1_000;
        assert_eq!(shown.at(unix_ms).is_some(), *expected, "{until:?} {second}");
    }
}

/// Also on a connection that stands, and whichever way the clock is set.
#[test]
fn a_client_certificate_counts_until_it_or_a_list_ends() {
    let (y2020, y2025, y2030) = (1_577_836_800, 1_735_689_600, 1_893_456_000);
    let whole = [
        (y2020 - 1, false),
        (y2020, true),
        (y2025, true),
        (y2030, true),
        (y2030 + 1, false),
        (y2030 + 2, false),
        (y2025, true),
        (y2020 - 1, false),
    ];
    check_times(None, false, &whole);
    check_times(Some(2025), true, &whole);
    let listed = [(y2020, true), (y2025 - 1, true), (y2025, false), (y2030, false), (y2020, true)];
    check_times(Some(2025), false, &listed);
}

#[test]
fn files_of_client_certificates_that_cannot_be_used_are_named() {
    let authority = Authority::new();
    let (ca, crl) = (authority.ca(), authority.path("list.crl"));
    let load = |ca: &Path| {
        let crl = vec![crl.clone()];
        let files = ClientsFiles { ca: ca.to_owned(), crl, stale_allowed: false, required: false };
        clients::Trust::load(&files).map(drop).unwrap_err().join("; ")
    };
    assert!(load(&ca).contains("list.crl: cannot be read"));
    for broken in
        ["", "broken", "-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n", &authority.pem]
    {
        std::fs::write(&crl, broken).unwrap();
        assert!(load(&ca).contains("list.crl: "), "{broken}");
        assert!(check_revocations(&crl).is_err(), "{broken}");
    }
    assert!(load(&authority.path("none.crt")).contains("none.crt: cannot be read"));
}
