//! Connections that a load balancer carries on, and who it says they are from (class C10): the PROXY protocol
//! over the wire.

use portway_testkit::{Backend, Client, Ended, Gateway};

use crate::open_with;

const REQUEST: &str = "GET /a HTTP/1.1\r\nHost: a\r\n\r\n";
/// TCP over IPv4, 203.0.113.8:4000 to 192.0.2.1:80.
const V4: (u8, &[u8]) = (0x11, &[203, 0, 113, 8, 192, 0, 2, 1, 0x0F, 0xA0, 0, 80]);
/// LOCAL and PROXY of version 2.
const LOCAL: u8 = 0x20;
const PROXY: u8 = 0x21;

/// A gateway whose listener takes headers from these peers.
fn gateway(backend: &Backend, trusted: &str) -> Gateway {
    let settings = format!(
        "trusted_proxies: [ {trusted} ], listen: [ {{ address: '127.0.0.1:0', proxy_protocol: true }} ], bounds: {{ head_timeout: 300ms }}"
    );
    Gateway::start(&open_with(backend.address(), &settings, ""))
}

/// A header of version 2.
fn v2(command: u8, family: u8, body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(body.len()).expect("a short body").to_be_bytes();
    [&b"\r\n\r\n\0\r\nQUIT\n"[..], &[command, family], &length, body].concat()
}

/// TCP over IPv6 from an address.
fn v6(source: &str) -> Vec<u8> {
    let source: std::net::Ipv6Addr = source.parse().expect("an address");
    [&source.octets()[..], &[0; 16], &4000_u16.to_be_bytes(), &80_u16.to_be_bytes()].concat()
}

/// A value with its kind and length.
fn tlv(kind: u8, value: &[u8]) -> Vec<u8> {
    let length = u16::try_from(value.len()).expect("a short value").to_be_bytes();
    [&[kind], &length[..], value].concat()
}

/// CRC32c by its definition (RFC 3720 §B.4).
fn crc32c(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0_u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0x82F6_3B78 * (crc & 1)))
    })
}

/// A header with a checksum that is right, or with one bit of it wrong.
fn summed(is_right: bool) -> Vec<u8> {
    let mut header = v2(PROXY, V4.0, &[V4.1, &tlv(3, &[0; 4])].concat());
    let sum = crc32c(&header) ^ u32::from(!is_right);
    let at = header.len() - 4;
    header[at..].copy_from_slice(&sum.to_be_bytes());
    header
}

#[test]
fn c10_a_proxy_header_names_the_caller_before_anything_else() {
    let backend = Backend::polite();
    let gateway = gateway(&backend, "127.0.0.1");
    let with = |tlvs: &[Vec<u8>]| v2(PROXY, V4.0, &[V4.1, &tlvs.concat()].concat());
    let cases: &[(Vec<u8>, &str)] = &[
        (b"PROXY TCP4 203.0.113.7 192.0.2.1 4000 80\r\n".to_vec(), "203.0.113.7"),
        (b"PROXY TCP6 2001:db8::7 2001:db8::1 4000 80\r\n".to_vec(), "2001:db8::7"),
        // IPv4 within IPv6 is one caller, however it is written.
        (b"PROXY TCP6 ::ffff:203.0.113.7 ::1 4000 80\r\n".to_vec(), "203.0.113.7"),
        (b"PROXY TCP6 ::ffff:cb00:7107 ::1 4000 80\r\n".to_vec(), "203.0.113.7"),
        (v2(PROXY, V4.0, V4.1), "203.0.113.8"),
        (v2(PROXY, 0x21, &v6("2001:db8::8")), "2001:db8::8"),
        (v2(PROXY, 0x21, &v6("::ffff:203.0.113.8")), "203.0.113.8"),
        // What is not known, and the load balancer's own calls, come from the load balancer.
        (b"PROXY UNKNOWN\r\n".to_vec(), "127.0.0.1"),
        (b"PROXY UNKNOWN 203.0.113.7 192.0.2.1 4000 80\r\n".to_vec(), "127.0.0.1"),
        (v2(LOCAL, 0, &[]), "127.0.0.1"),
        (v2(LOCAL, V4.0, V4.1), "127.0.0.1"),
        (v2(LOCAL, V4.0, &[V4.1, &[0xFF; 100]].concat()), "127.0.0.1"),
        (v2(PROXY, 0, &[1, 2, 3]), "127.0.0.1"),
        (v2(PROXY, 0x31, &[b'/'; 216]), "127.0.0.1"),
        // Values beside the addresses: of TLS, of a name, without content, of a kind of nobody, many, large.
        (
            with(&[
                tlv(0x20, &[7, 0, 0, 0, 0]),
                tlv(2, b"api.test"),
                tlv(4, &[]),
                tlv(0xEA, b"vpce"),
            ]),
            "203.0.113.8",
        ),
        (with(&vec![tlv(4, &[0; 7]); 400]), "203.0.113.8"),
        (with(&[tlv(0xE0, &[b'\n'; 4_000])]), "203.0.113.8"),
        (with(&[tlv(2, b"GET /evil HTTP/1.1\r\nHost: a\r\n\r\n")]), "203.0.113.8"),
        (summed(true), "203.0.113.8"),
    ];
    for (number, (header, source)) in cases.iter().enumerate() {
        let request = [header, REQUEST.as_bytes()].concat();
        // In one piece, and cut where it hurts most.
        for cut in [request.len(), 1, header.len() - 1, header.len()] {
            let mut client = Client::connect(gateway.address());
            client.send(&request[..cut]);
            if cut < request.len() {
                assert!(client.is_open_after(std::time::Duration::from_millis(5)), "{number}");
                client.send(&request[cut..]);
            }
            assert_eq!(client.answer().status, 200, "{number}");
            let got = backend.last();
            assert_eq!(got.values("x-forwarded-for"), [*source], "{number}");
            assert_eq!(got.line(), "GET /a HTTP/1.1", "{number}");
        }
        // There is one header: a second one is no request.
        let mut client = Client::connect(gateway.address());
        client.send([header.as_slice(), header, REQUEST.as_bytes()].concat());
        assert_eq!(client.answer().status, 400, "{number}");
        assert_eq!(client.ended(), Ended::Closed, "{number}");
    }
    assert_eq!(backend.received().len(), 4 * cases.len());
}

#[test]
fn c10_what_is_no_proxy_header_ends_the_connection() {
    let backend = Backend::polite();
    let gateway = gateway(&backend, "127.0.0.1");
    let with = |tlvs: &[u8]| v2(PROXY, V4.0, &[V4.1, tlvs].concat());
    let cases: Vec<Vec<u8>> = vec![
        Vec::new(),
        REQUEST.as_bytes().to_vec(),
        b"PROXY TCP4 x\r\n".to_vec(),
        b"PROXY TCP4 203.0.113.7 192.0.2.1 4000 80\n".to_vec(),
        b"PROXY  TCP4 203.0.113.7 192.0.2.1 4000 80\r\n".to_vec(),
        b"PROXY TCP4 2001:db8::7 192.0.2.1 4000 80\r\n".to_vec(),
        b"PROXY TCP4 203.0.113.007 192.0.2.1 4000 80\r\n".to_vec(),
        b"PROXY TCP4 203.0.113.7 192.0.2.1 4000 65536\r\n".to_vec(),
        b"PROXY TCP4 203.0.113.7 192.0.2.1 4000 80 x\r\n".to_vec(),
        [&b"PROXY UNKNOWN "[..], &[b'x'; 200], b"\r\n"].concat(),
        b"proxy TCP4 203.0.113.7 192.0.2.1 4000 80\r\n".to_vec(),
        // A wrong version, command, family.
        v2(0x11, V4.0, V4.1),
        v2(0x22, V4.0, V4.1),
        v2(PROXY, 0x14, V4.1),
        v2(PROXY, 0x12, V4.1),
        // Addresses that are cut off.
        v2(PROXY, V4.0, &V4.1[..11]),
        v2(PROXY, 0x21, V4.1),
        v2(PROXY, 0x31, V4.1),
        // Values that are longer than their room, by one and by much; that have no room for their length.
        with(&[4, 0, 1]),
        with(&[4, 0xFF, 0xFF, 0]),
        with(&[4, 0]),
        with(&[&tlv(4, b"x")[..], &[0xEE]].concat()),
        with(&tlv(3, b"abc")),
        summed(false),
        // More than anybody sends.
        v2(PROXY, V4.0, &[V4.1, &tlv(4, &vec![0; 60_000])].concat()),
        v2(LOCAL, 0, &vec![0; 65_535]),
    ];
    for (number, header) in cases.iter().enumerate() {
        let mut client = Client::connect(gateway.address());
        client
            .send([header.as_slice(), if number == 0 { b"" } else { REQUEST.as_bytes() }].concat());
        assert_ne!(client.ended(), Ended::Open, "{number}");
        // Nothing is answered to whoever is not even there.
        assert_eq!(client.bytes(1), b"", "{number}");
    }
    assert!(backend.received().is_empty());
}

#[test]
fn c10_a_proxy_header_of_a_stranger_is_a_bad_request() {
    let backend = Backend::polite();
    // Somebody else is trusted.
    let gateway = gateway(&backend, "10.0.0.0/8, '::ffff:10.0.0.0/104', '::1'");
    let said = "X-Forwarded-For: 203.0.113.9\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: evil\r\nForwarded: for=203.0.113.9\r\nX-Real-Ip: 203.0.113.9\r\n";
    for header in [
        b"PROXY TCP4 203.0.113.7 192.0.2.1 4000 80\r\n".to_vec(),
        b"PROXY UNKNOWN\r\n".to_vec(),
        v2(PROXY, V4.0, V4.1),
        v2(LOCAL, 0, &[]),
        v2(PROXY, 0x21, &v6("::1")),
    ] {
        let answer = Client::ask(gateway.address(), [&header, REQUEST.as_bytes()].concat());
        assert_eq!(answer.status, 400, "{header:?}");
    }
    assert!(backend.received().is_empty());
    let request = format!("GET /a HTTP/1.1\r\nHost: a\r\n{said}\r\n");
    assert_eq!(Client::ask(gateway.address(), request).status, 200);
    let got = backend.last();
    assert_eq!(got.values("x-forwarded-for"), ["127.0.0.1"]);
    assert_eq!((got.values("x-forwarded-proto"), got.values("x-real-ip")), (vec!["http"], vec![]));
    assert_eq!(got.values("x-forwarded-host"), ["a"]);
}

#[test]
fn c10_what_a_header_names_is_believed_only_as_far_as_it_is_trusted_itself() {
    let backend = Backend::polite();
    let gateway = gateway(&backend, "127.0.0.0/8, 10.0.0.0/8");
    let ask = |header: &[u8], said: &str| {
        let request = format!("GET /a HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: {said}\r\n\r\n");
        let answer = Client::ask(gateway.address(), [header, request.as_bytes()].concat());
        assert_eq!(answer.status, 200, "{said}");
        backend.last().values("x-forwarded-for").join(", ")
    };
    // A caller behind the load balancer cannot say who it is.
    let stranger = b"PROXY TCP4 203.0.113.7 192.0.2.1 4000 80\r\n";
    assert_eq!(ask(stranger, "198.51.100.1"), "203.0.113.7");
    // Another proxy of ours behind it can, in whatever form its address comes.
    for header in [
        b"PROXY TCP4 10.0.0.3 192.0.2.1 4000 80\r\n".to_vec(),
        v2(PROXY, 0x21, &v6("::ffff:10.0.0.3")),
    ] {
        assert_eq!(ask(&header, "198.51.100.1"), "198.51.100.1, 10.0.0.3");
    }
    assert_eq!(ask(&v2(LOCAL, 0, &[]), "198.51.100.1"), "198.51.100.1, 127.0.0.1");
    let log = gateway.log(4);
    let mut clients: Vec<&str> = log
        .lines()
        .filter_map(|line| line.split("\"client\":\"").nth(1)?.split('"').next())
        .collect();
    // Workers write as they come.
    clients.sort_unstable();
    assert_eq!(clients, ["198.51.100.1", "198.51.100.1", "198.51.100.1", "203.0.113.7"]);
}
