//! Client certificates: who gets in, who is taken for whom, and what happens when that changes.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use portway_testkit::{Backend, Gateway};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, ExtendedKeyUsagePurpose,
    IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams, SanType, SerialNumber,
    date_time_ymd,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ClientConfig, ClientConnection, HandshakeKind, RootCertStore, StreamOwned};

const FUTURE: i32 = 2090;

/// An authority, which signs others too.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    der: CertificateDer<'static>,
    pem: String,
}

fn authority_params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::new(Vec::new()).expect("no names");
    params.distinguished_name.push(rcgen::DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

impl Authority {
    fn new(name: &str) -> Self {
        let (params, key) = (authority_params(name), KeyPair::generate().expect("a key"));
        let made = params.self_signed(&key).expect("a certificate");
        let (der, pem) = (made.der().clone(), made.pem());
        Self { issuer: Issuer::new(params, key), der, pem }
    }

    fn below(&self, name: &str) -> Self {
        let (params, key) = (authority_params(name), KeyPair::generate().expect("a key"));
        let made = params.signed_by(&key, &self.issuer).expect("a certificate");
        let (der, pem) = (made.der().clone(), made.pem());
        Self { issuer: Issuer::new(params, key), der, pem }
    }

    fn sign(&self, params: &CertificateParams) -> Identity {
        let key = KeyPair::generate().expect("a key");
        let made = params.signed_by(&key, &self.issuer).expect("a certificate");
        Identity { chain: vec![made.der().clone()], key: key.serialize_der() }
    }

    /// Revokes some serial numbers; the list counts until a year.
    fn revoke(&self, serials: &[u64], until: i32) -> String {
        let revoked = |serial: &u64| RevokedCertParams {
            serial_number: SerialNumber::from(*serial),
            revocation_time: date_time_ymd(2020, 1, 1),
            reason_code: None,
            invalidity_date: None,
        };
        let params = CertificateRevocationListParams {
            this_update: date_time_ymd(2020, 1, 1),
            next_update: date_time_ymd(until, 1, 1),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: serials.iter().map(revoked).collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        params.signed_by(&self.issuer).expect("a list").pem().expect("as text")
    }
}

/// A certificate with its key.
#[derive(Clone)]
struct Identity {
    chain: Vec<CertificateDer<'static>>,
    key: Vec<u8>,
}

impl Identity {
    fn through(mut self, authority: &Authority) -> Self {
        self.chain.push(authority.der.clone());
        self
    }

    fn sha256(&self) -> String {
        let digest = portway_policy::sha256(&self.chain[0]);
        digest.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

fn san(name: &str) -> SanType {
    let text = |text: &str| text.try_into().expect("ASCII");
    match name.split_once('=') {
        Some(("uri", uri)) => SanType::URI(text(uri)),
        Some(("email", email)) => SanType::Rfc822Name(text(email)),
        Some(("ip", ip)) => SanType::IpAddress(ip.parse().expect("an address")),
        _ => SanType::DnsName(text(name)),
    }
}

/// A client's certificate with these names, number 7.
fn named(names: &[&str]) -> CertificateParams {
    let mut params = CertificateParams::new(Vec::new()).expect("no names");
    params.subject_alt_names = names.iter().map(|name| san(name)).collect();
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    params.serial_number = Some(SerialNumber::from(7));
    params.use_authority_key_identifier_extension = true;
    params.not_after = date_time_ymd(FUTURE, 1, 1);
    params
}

/// The gateway's files, the backend, and who signs.
struct World {
    folder: tempfile::TempDir,
    backend: Backend,
    root: Authority,
    server: CertificateDer<'static>,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let hosts = ["api.test".to_owned(), "*.wild.test".to_owned()];
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new(hosts).expect("names");
        let made = params.self_signed(&key).expect("a certificate");
        let root = Authority::new("root");
        let write = |name: &str, text: &str| {
            std::fs::write(folder.path().join(name), text).expect("written");
        };
        write("server.crt", &made.pem());
        write("server.key", &key.serialize_pem());
        write("ca.crt", &root.pem);
        let server = made.der().clone();
        Self { folder, backend: Backend::polite(), root, server }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).expect("written");
    }

    fn document(&self, clients: &str, apps: &str) -> String {
        let file = |name: &str| Path::display(&self.path(name)).to_string();
        format!(
            "gateway:\n  workers: 1\n  log: {{ calls: json }}\n  drain_timeout: 2s\n  listen:\n  - address: '127.0.0.1:0'\n    \
             tls:\n      certificates: [ {{ cert: '{}', key: '{}' }} ]\n      clients: {{ ca: '{}'{clients} }}\n\
             apps:\n{apps}services:\n  app:\n    routes: [ '* /a' ]\n    auth: [mtls]\n    backend: {{ targets: 'http://{}' }}\n  \
             open:\n    path: /open\n    routes: [ '* /a' ]\n    auth: public\n    backend: {{ targets: 'http://{}' }}\n",
            file("server.crt"),
            file("server.key"),
            file("ca.crt"),
            self.backend.address(),
            self.backend.address(),
        )
    }

    fn start(&self, clients: &str, certificates: &str) -> Gateway {
        let apps = format!("  billing: {{ certificates: [ {certificates} ] }}\n");
        Gateway::start(&self.document(clients, &apps))
    }

    fn config(&self, identity: Option<&Identity>) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        roots.add(self.server.clone()).expect("a certificate");
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(roots);
        match identity {
            None => config.with_no_client_auth(),
            Some(identity) => {
                let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(identity.key.clone()));
                let key = rustls::crypto::aws_lc_rs::sign::any_supported_type(&key);
                // Not compared with the certificate: that is for the gateway to do.
                let pair = CertifiedKey::new(identity.chain.clone(), key.expect("a key"));
                config.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(pair)))
            }
        }
    }

    /// The status that a client with this certificate gets, and the code of the problem; 0 if there is no connection.
    fn ask(&self, address: SocketAddr, identity: Option<&Identity>) -> (u16, String) {
        let config = Arc::new(self.config(identity));
        Talk::open(address, &config, "api.test")
            .and_then(|mut talk| talk.get("/a", "api.test", ""))
            .unwrap_or_default()
    }
}

/// A connection.
struct Talk(StreamOwned<ClientConnection, TcpStream>);

impl Talk {
    fn open(address: SocketAddr, config: &Arc<ClientConfig>, sni: &str) -> Option<Self> {
        let name = ServerName::try_from(sni.to_owned()).expect("a name");
        let connection = ClientConnection::new(Arc::clone(config), name).expect("a client");
        let tcp = TcpStream::connect(address).ok()?;
        tcp.set_read_timeout(Some(std::time::Duration::from_secs(20))).ok()?;
        Some(Self(StreamOwned::new(connection, tcp)))
    }

    fn get(&mut self, path: &str, host: &str, more: &str) -> Option<(u16, String)> {
        let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n{more}\r\n");
        self.0.write_all(request.as_bytes()).ok()?;
        let mut bytes = Vec::new();
        while !bytes.windows(4).any(|four| four == b"\r\n\r\n") {
            let mut piece = [0; 4096];
            match self.0.read(&mut piece).ok()? {
                0 => return None,
                count => bytes.extend_from_slice(&piece[..count]),
            }
        }
        let (head, mut body) = {
            let text = String::from_utf8_lossy(&bytes).into_owned();
            let (head, body) = text.split_once("\r\n\r\n")?;
            (head.to_owned(), body.to_owned())
        };
        let length = head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok())?
        });
        while body.len() < length.unwrap_or(0) {
            let mut piece = [0; 4096];
            let count = self.0.read(&mut piece).ok().filter(|count| *count > 0)?;
            body.push_str(&String::from_utf8_lossy(&piece[..count]));
        }
        let code = body.split("\"code\":\"").nth(1).and_then(|rest| rest.split('"').next());
        let status = head.split(' ').nth(1)?.parse().ok()?;
        Some((status, code.unwrap_or_default().to_owned()))
    }

    fn handshake(&self) -> Option<HandshakeKind> {
        self.0.conn.handshake_kind()
    }
}

fn no() -> (u16, String) {
    (0, String::new())
}

fn ok() -> (u16, String) {
    (200, String::new())
}

fn invalid() -> (u16, String) {
    (401, "credentials-invalid".to_owned())
}

const BILLING: &str = "{ dns: billing.example }";

#[test]
fn attacks_on_the_chain() {
    let world = World::new();
    let gateway = world.start("", BILLING);
    let root = &world.root;
    let with = |edit: &dyn Fn(&mut CertificateParams)| {
        let mut params = named(&["billing.example"]);
        edit(&mut params);
        params
    };
    let good = named(&["billing.example"]);
    let middle = root.below("middle");
    let other = Authority::new("root");
    let self_signed = {
        let key = KeyPair::generate().expect("a key");
        let made = good.self_signed(&key).expect("a certificate");
        Identity { chain: vec![made.der().clone()], key: key.serialize_der() }
    };
    let expired = with(&|params| {
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2021, 1, 1);
    });
    let early = with(&|params| params.not_before = date_time_ymd(2080, 1, 1));
    let for_servers =
        with(&|params| params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth]);
    let for_nothing = with(&|params| params.extended_key_usages.clear());
    // A client's certificate that signs another one.
    let client = root.sign(&good);
    let client_key = KeyPair::try_from(client.key.as_slice()).expect("a key");
    let key = KeyPair::generate().expect("a key");
    let below =
        good.signed_by(&key, &Issuer::new(good.clone(), client_key)).expect("a certificate");
    let forged = Identity {
        chain: vec![below.der().clone(), client.chain[0].clone()],
        key: key.serialize_der(),
    };
    let swapped = Identity { chain: client.chain.clone(), key: root.sign(&good).key };
    for (what, identity, expected) in [
        ("good", client.clone(), ok()),
        ("with a chain", middle.sign(&good).through(&middle), ok()),
        ("without usages", root.sign(&for_nothing), ok()),
        ("a chain with a gap", middle.sign(&good), no()),
        ("an unknown authority with the same name", other.sign(&good), no()),
        ("that brings its authority", other.sign(&good).through(&other), no()),
        ("signed by itself", self_signed, no()),
        ("signed by a client", forged, no()),
        ("with another key", swapped, no()),
        ("expired", root.sign(&expired), no()),
        ("not yet valid", root.sign(&early), no()),
        ("a server's", root.sign(&for_servers), no()),
    ] {
        assert_eq!(world.ask(gateway.address(), Some(&identity)), expected, "{what}");
    }
    let missing = (401, "credentials-missing".to_owned());
    assert_eq!(world.ask(gateway.address(), None), missing, "no certificate");
}

#[test]
fn attacks_on_the_names() {
    let world = World::new();
    let root = &world.root;
    let pinned = root.sign(&named(&[]));
    let same_name = root.sign(&named(&[]));
    let names = format!(
        "{BILLING}, {{ uri: 'spiffe://example.org/billing' }}, {{ email: ops@Example.org }}, {{ ip: 192.0.2.7 }}, {{ sha256: {} }}",
        pinned.sha256().to_ascii_uppercase()
    );
    let gateway = world.start("", &names);
    for (names, expected) in [
        (&["billing.example"][..], ok()),
        (&["BILLING.example"], ok()),
        (&["other.example", "billing.example"], ok()),
        (&["uri=spiffe://example.org/billing"], ok()),
        (&["email=ops@EXAMPLE.org"], ok()),
        (&["ip=192.0.2.7"], ok()),
        (&[], invalid()),
        (&["*.example"], invalid()),
        (&["billing.example."], invalid()),
        (&["billing.example\0.evil.test"], invalid()),
        (&["billing.example\0"], invalid()),
        (&["xn--blling-p9a.example"], invalid()),
        (&["a.billing.example"], invalid()),
        (&["example"], invalid()),
        (&["uri=spiffe://example.org/billing/"], invalid()),
        (&["uri=SPIFFE://example.org/billing"], invalid()),
        (&["uri=billing.example"], invalid()),
        (&["email=OPS@example.org"], invalid()),
        (&["192.0.2.7"], invalid()),
    ] {
        let identity = root.sign(&named(names));
        assert_eq!(world.ask(gateway.address(), Some(&identity)), expected, "{names:?}");
    }
    assert_eq!(world.ask(gateway.address(), Some(&pinned)), ok(), "by SHA-256");
    assert_eq!(world.ask(gateway.address(), Some(&same_name)), invalid(), "another SHA-256");
    // The common name says nothing.
    let mut params = named(&[]);
    params.distinguished_name.push(rcgen::DnType::CommonName, "billing.example");
    assert_eq!(world.ask(gateway.address(), Some(&root.sign(&params))), invalid(), "common name");
}

#[test]
fn attacks_on_the_revocation_lists() {
    let world = World::new();
    let (root, path) = (&world.root, world.path("list.crl"));
    let middle = root.below("middle");
    let direct = root.sign(&named(&["billing.example"]));
    let below = middle.sign(&named(&["billing.example"])).through(&middle);
    let other = Authority::new("other");
    let lists = |stale: &str| format!(", crl: [ '{}' ]{stale}", path.display());
    let (deny, allow) = (lists(""), lists(", crl_stale: allow"));
    let none = [];
    for (what, clients, list, of_direct, of_below) in [
        ("nobody is revoked", &deny, root.revoke(&none, FUTURE), ok(), no()),
        (
            "both authorities have a list",
            &deny,
            root.revoke(&none, FUTURE) + &middle.revoke(&none, FUTURE),
            ok(),
            ok(),
        ),
        (
            "revoked by the first",
            &deny,
            root.revoke(&[7], FUTURE) + &middle.revoke(&none, FUTURE),
            no(),
            ok(),
        ),
        (
            "revoked by the second",
            &deny,
            root.revoke(&none, FUTURE) + &middle.revoke(&[7], FUTURE),
            ok(),
            no(),
        ),
        ("the list of another authority", &deny, other.revoke(&none, FUTURE), no(), no()),
        (
            "another authority of the same name",
            &deny,
            Authority::new("root").revoke(&none, FUTURE),
            no(),
            no(),
        ),
        ("out of date", &deny, root.revoke(&none, 2021), no(), no()),
        ("out of date and allowed", &allow, root.revoke(&none, 2021), ok(), no()),
        ("revoked, out of date and allowed", &allow, root.revoke(&[7], 2021), no(), no()),
    ] {
        std::fs::write(&path, list).expect("written");
        let gateway = world.start(clients, BILLING);
        assert_eq!(world.ask(gateway.address(), Some(&direct)), of_direct, "direct: {what}");
        assert_eq!(world.ask(gateway.address(), Some(&below)), of_below, "below: {what}");
    }
}

/// What is read anew counts for connections that stand, and for sessions that are taken up again.
#[test]
fn c24_a_revoked_certificate_is_refused_on_connections_and_sessions_that_are_there() {
    let world = World::new();
    world.write("list.crl", &world.root.revoke(&[], FUTURE));
    let clients = format!(", crl: [ '{}' ]", world.path("list.crl").display());
    let gateway = world.start(&clients, BILLING);
    let identity = world.root.sign(&named(&["billing.example"]));
    for version in [&rustls::version::TLS13, &rustls::version::TLS12] {
        world.write("list.crl", &world.root.revoke(&[], FUTURE));
        gateway.reload_certificates();
        let mut config = world.config(Some(&identity));
        if version.version == rustls::ProtocolVersion::TLSv1_2 {
            let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(identity.key.clone()));
            let mut roots = RootCertStore::empty();
            roots.add(world.server.clone()).expect("a certificate");
            let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
            config = ClientConfig::builder_with_provider(provider)
                .with_protocol_versions(&[version])
                .expect("a version")
                .with_root_certificates(roots)
                .with_client_auth_cert(identity.chain.clone(), key)
                .expect("a pair");
        }
        config.enable_early_data = true;
        let config = Arc::new(config);
        let open = || Talk::open(gateway.address(), &config, "api.test").expect("a connection");
        let mut standing = open();
        assert_eq!(standing.get("/a", "api.test", ""), Some(ok()), "{version:?}");
        assert_eq!(standing.handshake(), Some(HandshakeKind::Full));
        let mut resumed = open();
        assert!(resumed.0.conn.early_data().is_none(), "nothing is sent before the handshake");
        assert_eq!(resumed.get("/a", "api.test", ""), Some(ok()), "{version:?}");
        assert_eq!(resumed.handshake(), Some(HandshakeKind::Resumed), "{version:?}");

        world.write("list.crl", &world.root.revoke(&[7], FUTURE));
        assert!(gateway.reload_certificates().iter().all(Result::is_ok));
        for path in ["/a", "/open/a"] {
            assert_eq!(standing.get(path, "api.test", ""), Some(invalid()), "{version:?} {path}");
        }
        assert_eq!(open().get("/a", "api.test", ""), None, "{version:?}: a session taken up again");

        // A file that is broken changes nothing.
        world.write("list.crl", "broken");
        assert!(gateway.reload_certificates().iter().any(Result::is_err));
        assert_eq!(standing.get("/a", "api.test", ""), Some(invalid()), "{version:?}");
        world.write("list.crl", &world.root.revoke(&[], FUTURE));
        assert!(gateway.reload_certificates().iter().all(Result::is_ok));
        assert_eq!(standing.get("/a", "api.test", ""), Some(ok()), "{version:?}: and back");
        // An authority that is trusted no more.
        world.write("ca.crt", &Authority::new("new").pem);
        assert!(gateway.reload_certificates().iter().all(Result::is_ok));
        assert_eq!(standing.get("/a", "api.test", ""), Some(invalid()), "{version:?}");
        world.write("ca.crt", &world.root.pem);
    }
}

#[test]
fn c24_names_of_servers_change_nothing_about_who_calls() {
    let world = World::new();
    let gateway = world.start("", BILLING);
    let identity = world.root.sign(&named(&["billing.example"]));
    let nobody = Arc::new(world.config(None));
    let billing = Arc::new(world.config(Some(&identity)));
    for (sni, host, status) in [
        ("api.test", "api.test", 200),
        ("API.test", "api.TEST", 200),
        ("api.test", "api.test.", 200),
        ("a.wild.test", "a.wild.test", 200),
        ("a.wild.test", "b.wild.test", 421),
        ("api.test", "a.wild.test", 421),
        ("api.test", "127.0.0.1", 421),
    ] {
        let ask = |config| {
            let mut talk = Talk::open(gateway.address(), config, sni).expect("a connection");
            talk.get("/a", host, "").map(|(status, _)| status)
        };
        assert_eq!(ask(&billing), Some(status), "{sni} {host}");
        let refused = if status == 421 { 421 } else { 401 };
        assert_eq!(ask(&nobody), Some(refused), "{sni} {host}, without a certificate");
    }
    // Without a name at all.
    let mut config = world.config(None);
    config.enable_sni = false;
    let mut talk = Talk::open(gateway.address(), &Arc::new(config), "api.test").expect("open");
    assert_eq!(talk.get("/a", "api.test", "").map(|(status, _)| status), Some(401));
}

#[test]
fn where_certificates_are_required_nobody_comes_in_without() {
    let world = World::new();
    let gateway = world.start(", required: true", BILLING);
    let stranger = world.root.sign(&named(&["stranger.example"]));
    assert_eq!(world.ask(gateway.address(), None), no());
    assert_eq!(world.ask(gateway.address(), Some(&stranger)), invalid());
    let config = Arc::new(world.config(Some(&stranger)));
    let mut talk = Talk::open(gateway.address(), &config, "api.test").expect("a connection");
    assert_eq!(
        talk.get("/open/a", "api.test", ""),
        Some(ok()),
        "what is open is open to strangers"
    );
}

#[test]
fn a_certificate_in_a_header_is_none() {
    let world = World::new();
    let gateway = world.start("", BILLING);
    let identity = world.root.sign(&named(&["billing.example"]));
    let more = "X-Forwarded-Client-Cert: Hash=00;URI=spiffe://evil\r\nX_SSL_Client_Verify: SUCCESS\r\nClient-Cert: :AAAA:\r\nX-Portway-App: ops\r\nX-Kept: 1\r\n";
    let ask = |identity: Option<&Identity>| {
        let config = Arc::new(world.config(identity));
        let mut talk = Talk::open(gateway.address(), &config, "api.test").expect("a connection");
        talk.get("/a", "api.test", more).expect("an answer")
    };
    assert_eq!(ask(None), (401, "credentials-missing".to_owned()));
    assert_eq!(ask(Some(&identity)), ok());
    let seen = world.backend.last();
    assert_eq!(seen.values("x-portway-app"), ["billing"]);
    assert_eq!(seen.values("x-kept"), ["1"]);
    for name in ["x-forwarded-client-cert", "x_ssl_client_verify", "client-cert"] {
        assert!(seen.values(name).is_empty(), "{name}");
    }
}

/// The same over HTTP/2: one connection with a certificate, and one without.
#[test]
fn c24_http2_is_no_way_round() {
    let world = World::new();
    let gateway = world.start("", BILLING);
    let identity = world.root.sign(&named(&["billing.example"]));
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    for (identity, expected) in [(Some(&identity), 200), (None, 401)] {
        let mut config = world.config(identity);
        config.alpn_protocols = vec![b"h2".to_vec()];
        let status = runtime.block_on(async {
            let tcp = tokio::net::TcpStream::connect(gateway.address()).await.expect("connected");
            let name = ServerName::try_from("api.test").expect("a name");
            let tls = tokio_rustls::TlsConnector::from(Arc::new(config));
            let tls = tls.connect(name, tcp).await.expect("a handshake");
            let (mut calls, connection) = h2::client::handshake(tls).await.expect("HTTP/2");
            tokio::spawn(connection);
            let request = http::Request::get("https://api.test/a").body(()).expect("a request");
            let (answer, _) = calls.send_request(request, true).expect("sent");
            answer.await.expect("an answer").status().as_u16()
        });
        assert_eq!(status, expected);
    }
}
