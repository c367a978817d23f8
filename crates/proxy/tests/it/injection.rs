//! Requests of HTTP/2 that would become two, or other ones, as lines of HTTP/1.1 (class C4): written frame by
//! frame, because no library sends them.
//!
//! The backend reads strictly: a head that is no head fails the test. What is compared is what it got.

use portway_testkit::frames::{Frame, block, field, flag, kind};
use portway_testkit::{Backend, Gateway, Http2, Received};

use crate::open;

/// A field by its bytes.
type Line<'a> = (&'a [u8], &'a [u8]);

/// What became of a request.
#[derive(Debug, PartialEq, Eq)]
enum Fate {
    /// The backend answered it.
    Served,
    /// The gateway said no: an answer of its own, a reset, or the end of the connection.
    Refused,
}

/// A gateway in front of a backend of HTTP/1.1.
struct Way {
    backend: Backend,
    gateway: Gateway,
    seen: usize,
}

impl Way {
    fn new() -> Self {
        let backend = Backend::polite();
        // Without the log, which is not looked at, thousands of calls are quick.
        let document = open(backend.address(), "").replace("calls: json", "calls: off");
        Self { gateway: Gateway::start(&document), backend, seen: 0 }
    }

    /// Sends a head, payload and trailers; says what became of it, and what the backend got.
    fn ask(&mut self, head: &[u8], body: Option<&[u8]>, trailers: &[Line<'_>]) -> (Fate, Received) {
        let mut http2 = Http2::connect(self.gateway.address(), &[]);
        let stream = http2.stream();
        let ends = |last: bool| if last { flag::END_STREAM } else { 0 };
        let flags = flag::END_HEADERS | ends(body.is_none() && trailers.is_empty());
        // In one piece: a call whose head says that nothing follows may be on its way before more comes.
        let mut sent = Frame::new(kind::HEADERS, flags, stream, head).bytes();
        if let Some(body) = body {
            sent.extend(Frame::new(kind::DATA, ends(trailers.is_empty()), stream, body).bytes());
        }
        if !trailers.is_empty() {
            let flags = flag::END_HEADERS | flag::END_STREAM;
            sent.extend(Frame::new(kind::HEADERS, flags, stream, block(trailers)).bytes());
        }
        http2.send(sent);
        let outcome = http2.outcome(stream);
        let is_served = outcome.is_some_and(|it| it.kind == kind::HEADERS && it.status() == 200);
        let new = self.backend.received_after(self.seen);
        assert_eq!(new.len(), usize::from(is_served), "{is_served}: {new:#?}");
        self.seen += new.len();
        match new.as_slice() {
            [got] => (Fate::Served, got.clone()),
            _ => (Fate::Refused, Received::default()),
        }
    }

    /// What became of a request without a body.
    fn get(&mut self, fields: &[Line<'_>]) -> (Fate, Received) {
        self.ask(&block(fields), None, &[])
    }
}

/// The pseudo-fields of a plain request.
const PLAIN: [Line<'static>; 4] =
    [(b":method", b"GET"), (b":scheme", b"http"), (b":authority", b"api.test"), (b":path", b"/a")];

fn plain<'a>(more: &[Line<'a>]) -> Vec<Line<'a>> {
    [PLAIN.as_slice(), more].concat()
}

/// Names of the fields that the backend got, in order.
fn names(got: &Received) -> Vec<&str> {
    got.head.lines().skip(1).filter_map(|line| Some(line.split_once(':')?.0)).collect()
}

/// A text with a byte in its middle.
fn around(front: &[u8], byte: u8, back: &[u8]) -> Vec<u8> {
    [front, &[byte], back].concat()
}

/// A target as it is forwarded: some characters that may not stand raw in a path are escaped.
fn escaped(target: &[u8]) -> String {
    let query = target.iter().position(|byte| *byte == b'?').unwrap_or(target.len());
    let mut text = String::new();
    for (at, byte) in target.iter().enumerate() {
        if at < query && b"\"<>[]^`{|}".contains(byte) {
            text += &format!("%{byte:02X}");
        } else {
            text.push(char::from(*byte));
        }
    }
    text
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[test]
fn c4_every_byte_of_a_name_is_refused_or_stays_in_it() {
    let mut way = Way::new();
    let (_, usual) = way.get(&plain(&[]));
    for byte in 0..=255 {
        for name in
            [around(b"x-in", byte, b"side"), around(b"", byte, b"x"), around(b"x", byte, b"")]
        {
            let (fate, got) = way.get(&plain(&[(b"x-one", b"1"), (&name, b"v"), (b"x-two", b"2")]));
            // Upper case is malformed (RFC 9113 §8.2.1).
            let is_good = is_token(byte) && !byte.is_ascii_uppercase();
            assert_eq!(fate == Fate::Served, is_good, "{byte:#04x} {name:?}");
            if is_good {
                let name = std::str::from_utf8(&name).expect("a token");
                assert_eq!(got.values(name), ["v"], "{}", got.head);
                assert_eq!((got.values("x-one"), got.values("x-two")), (vec!["1"], vec!["2"]));
                assert_eq!(names(&got).len(), names(&usual).len() + 3, "{}", got.head);
            }
        }
    }
    assert_eq!(way.get(&plain(&[(b"", b"v")])).0, Fate::Refused, "no name at all");
}

#[test]
fn c4_every_byte_of_a_value_is_refused_or_stays_in_it() {
    let mut way = Way::new();
    let (_, usual) = way.get(&plain(&[]));
    for byte in 0..=255 {
        for (front, back) in [(&b"a"[..], &b"b: c"[..]), (b"", b"c"), (b"a", b"")] {
            let value = around(front, byte, back);
            for name in [&b"x-value"[..], b"cookie"] {
                let (fate, got) = way.get(&plain(&[(name, &value), (b"x-two", b"2")]));
                // White space at an end is malformed (RFC 9113 §8.2.1).
                let is_space = matches!(byte, b' ' | b'\t');
                let is_inside = !front.is_empty() && !back.is_empty();
                let is_good = if is_space { is_inside } else { byte > b' ' && byte != 0x7F };
                assert_eq!(fate == Fate::Served, is_good, "{byte:#04x} {value:?}");
                if is_good {
                    let name = std::str::from_utf8(name).expect("a token");
                    let value = String::from_utf8_lossy(&value);
                    assert_eq!(got.values(name), [&*value], "{}", got.head);
                    assert_eq!(got.values("x-two"), ["2"], "{}", got.head);
                    assert_eq!(names(&got).len(), names(&usual).len() + 2, "{}", got.head);
                }
            }
        }
    }
}

#[test]
fn c4_every_byte_of_a_trailer_is_refused_or_stays_in_it() {
    let mut way = Way::new();
    let post = block(&plain(&[(b"x-head", b"1")]));
    for byte in 0..=255 {
        let name = around(b"x-in", byte, b"side");
        let value = around(b"a", byte, b"b: c");
        for (name, value) in [(&name[..], &b"v"[..]), (b"x-value", &value)] {
            // Nothing is asked of the fate: the head may have gone out when the trailers come.
            let mut http2 = Http2::connect(way.gateway.address(), &[]);
            let stream = http2.stream();
            http2.frame(kind::HEADERS, flag::END_HEADERS, stream, &post[..]);
            http2.frame(kind::DATA, 0, stream, *b"abc");
            let flags = flag::END_HEADERS | flag::END_STREAM;
            http2.frame(kind::HEADERS, flags, stream, field(name, value));
            let outcome = http2.outcome(stream);
            if outcome.is_none_or(|it| it.kind != kind::HEADERS || it.status() != 200) {
                continue;
            }
            let is_good = (is_token(byte) && !byte.is_ascii_uppercase())
                || (name == b"x-value" && (byte == b'\t' || (byte >= b' ' && byte != 0x7F)));
            let line = [name, b": ", value].concat();
            let line = String::from_utf8_lossy(&line).into_owned();
            let got = way.backend.last();
            assert_eq!(got.body, b"abc", "{byte:#04x}");
            // What may not pass is left out.
            assert_eq!(got.trailers, if is_good { vec![line] } else { Vec::new() }, "{byte:#04x}");
        }
    }
    // Every whole request that came was one of these.
    for got in way.backend.received() {
        assert_eq!((got.line(), got.values("x-head")), ("GET /a HTTP/1.1", vec!["1"]));
    }
    way.seen = way.backend.received().len();
    for name in [&b"content-length"[..], b"transfer-encoding", b"host", b":path", b"authorization"]
    {
        let (_, got) = way.ask(&post, Some(b"abc"), &[(name, b"3"), (b"x-fine", b"1")]);
        assert!(got.trailers.is_empty() || got.trailers == ["x-fine: 1"], "{:?}", got.trailers);
    }
}

#[test]
fn c4_every_byte_of_a_target_is_refused_or_stays_in_it() {
    let mut way = Way::new();
    let mut served = Vec::new();
    for byte in 0..=255 {
        for path in [around(b"/a", byte, b"c"), around(b"/a?b", byte, b"c"), around(b"", byte, b"")]
        {
            let (fate, got) = way.get(&[PLAIN[0], PLAIN[1], PLAIN[2], (b":path", &path)]);
            if fate == Fate::Served {
                // What comes behind a `#` is cut off before anybody looks.
                let kept = path.split(|byte| *byte == b'#').next().unwrap_or_default();
                // An empty path is `/`.
                let front = if kept.starts_with(b"/") { &b""[..] } else { b"/" };
                let path = [front, kept].concat();
                let line = format!("GET {} HTTP/1.1", escaped(&path));
                assert_eq!(got.line(), line, "{byte:#04x}");
                served.push(path);
            }
        }
    }
    for path in &served {
        assert!(path.iter().all(|byte| (b'!'..=b'~').contains(byte)), "{path:?}");
        let end = path.iter().position(|byte| *byte == b'?').unwrap_or(path.len());
        assert!(path.starts_with(b"/") || end == 0, "{path:?}");
        assert!(!path[..end].contains(&b'\\'), "{path:?}");
    }
    assert!(served.len() > 100, "{}", served.len());
}

#[test]
fn c4_every_byte_of_a_method_a_scheme_and_an_authority_is_refused_or_stays_in_it() {
    let mut way = Way::new();
    for byte in 0..=255 {
        let method = around(b"G", byte, b"T");
        let (fate, got) = way.get(&[(b":method", &method), PLAIN[1], PLAIN[2], PLAIN[3]]);
        assert_eq!(fate == Fate::Served, is_token(byte), "{byte:#04x}");
        if fate == Fate::Served {
            let line = format!("{} /a HTTP/1.1", String::from_utf8_lossy(&method));
            assert_eq!(got.line(), line);
        }
        let scheme = around(b"ht", byte, b"p");
        let (fate, got) = way.get(&[PLAIN[0], (b":scheme", &scheme), PLAIN[2], PLAIN[3]]);
        assert_eq!(fate == Fate::Served, byte == b't', "{byte:#04x}: {}", got.head);
        let authority = around(b"a", byte, b"b.test");
        for lines in [vec![(&b":authority"[..], &authority[..])], vec![(b"host", &authority)]] {
            let mut fields = vec![PLAIN[0], PLAIN[1], PLAIN[3]];
            fields.extend(lines);
            // Pseudo-fields stand in front.
            fields.sort_by_key(|(name, _)| name[0] != b':');
            let (fate, got) = way.get(&fields);
            let is_good = byte.is_ascii_alphanumeric() || b"-._~!$&'()*+;=".contains(&byte);
            assert!(fate == Fate::Refused || is_good, "{byte:#04x}: {}", got.head);
            if fate == Fate::Served {
                let host = String::from_utf8_lossy(&authority).to_lowercase();
                let said = got.values("x-forwarded-host");
                assert_eq!(said.len(), 1, "{}", got.head);
                assert_eq!(said[0].to_lowercase(), host, "{}", got.head);
                assert_eq!(got.values("host"), [way.backend.address().to_string()], "{}", got.head);
            }
        }
    }
}

#[test]
fn c4_pseudo_fields_that_are_odd_are_refused() {
    let mut way = Way::new();
    let [method, scheme, authority, path] = PLAIN;
    let x: Line<'_> = (b"x", b"1");
    let cases: &[(&str, &[Line<'_>])] = &[
        ("no method", &[scheme, authority, path]),
        ("no scheme", &[method, authority, path]),
        ("no path", &[method, scheme, authority]),
        ("no authority and no host", &[method, scheme, path]),
        ("an empty path", &[method, scheme, authority, (b":path", b"")]),
        ("an empty method", &[(b":method", b""), scheme, authority, path]),
        ("an empty authority", &[method, scheme, (b":authority", b""), path]),
        ("two methods", &[method, method, scheme, authority, path]),
        ("two other methods", &[method, (b":method", b"POST"), scheme, authority, path]),
        ("two schemes", &[method, scheme, scheme, authority, path]),
        ("two authorities", &[method, scheme, authority, authority, path]),
        ("two paths", &[method, scheme, authority, path, path]),
        ("two other paths", &[method, scheme, authority, path, (b":path", b"/b")]),
        ("a method behind a field", &[scheme, authority, path, x, method]),
        ("a path behind a field", &[method, scheme, authority, x, path]),
        ("an authority behind a field", &[method, scheme, path, x, authority]),
        ("one of an answer", &[method, scheme, authority, path, (b":status", b"200")]),
        ("one of nobody", &[method, scheme, authority, path, (b":evil", b"1")]),
        ("no name", &[method, scheme, authority, path, (b":", b"1")]),
        (
            "a protocol without CONNECT",
            &[method, scheme, authority, path, (b":protocol", b"websocket")],
        ),
        ("CONNECT", &[(b":method", b"CONNECT"), (b":authority", b"api.test:443")]),
        ("CONNECT with a path", &[(b":method", b"CONNECT"), scheme, authority, path]),
        (
            "CONNECT of another protocol",
            &[(b":method", b"CONNECT"), scheme, authority, path, (b":protocol", b"websocket")],
        ),
        ("a path without a slash", &[method, scheme, authority, (b":path", b"a")]),
        ("a path of another host", &[method, scheme, authority, (b":path", b"evil.test/a")]),
        ("two slashes", &[method, scheme, authority, (b":path", b"//evil.test/a")]),
        ("a whole address", &[method, scheme, authority, (b":path", b"http://evil.test/a")]),
        ("an asterisk", &[method, scheme, authority, (b":path", b"*")]),
        ("another scheme", &[method, (b":scheme", b"ftp"), authority, path]),
        (
            "a request in the path",
            &[method, scheme, authority, (b":path", b"/a HTTP/1.1\r\nhost: b\r\n\r\nGET /b")],
        ),
        (
            "a request in the method",
            &[(b":method", b"GET /b HTTP/1.1\r\nhost: b\r\n\r\nGET"), scheme, authority, path],
        ),
        ("a user", &[method, scheme, (b":authority", b"user@api.test"), path]),
        ("a list of hosts", &[method, scheme, (b":authority", b"api.test,evil.test"), path]),
        ("a path in the authority", &[method, scheme, (b":authority", b"api.test/b"), path]),
        ("a port that is none", &[method, scheme, (b":authority", b"api.test:99999"), path]),
        ("another host", &[method, scheme, authority, path, (b"host", b"evil.test")]),
        (
            "the same host twice",
            &[method, scheme, authority, path, (b"host", b"api.test"), (b"host", b"api.test")],
        ),
        ("two hosts", &[method, scheme, path, (b"host", b"api.test"), (b"host", b"evil.test")]),
        ("an empty host", &[method, scheme, authority, path, (b"host", b"")]),
    ];
    for (name, fields) in cases {
        assert_eq!(way.get(fields).0, Fate::Refused, "{name}");
    }
    assert_eq!(way.get(&PLAIN).0, Fate::Served);
    assert_eq!(way.get(&plain(&[(b"host", b"api.test")])).0, Fate::Served);
    assert_eq!(way.get(&[method, scheme, path, (b"host", b"api.test")]).0, Fate::Served);
}

#[test]
fn c4_fields_of_a_connection_are_refused_or_stay_behind() {
    let mut way = Way::new();
    let lines: [Line<'_>; 14] = [
        (b"connection", b"close"),
        (b"connection", b"x-forwarded-for"),
        (b"connection", b"upgrade"),
        (b"keep-alive", b"timeout=5"),
        (b"proxy-connection", b"keep-alive"),
        (b"transfer-encoding", b"chunked"),
        (b"transfer-encoding", b"identity"),
        (b"upgrade", b"websocket"),
        (b"upgrade", b"h2c"),
        (b"http2-settings", b"AAMAAABkAAQAAP__"),
        (b"te", b"gzip"),
        (b"te", b"trailers"),
        (b"proxy-authorization", b"Basic eA=="),
        (b"trailer", b"x-portway-app"),
    ];
    for line in lines {
        for body in [None, Some(&b"0\r\n\r\nGET /evil HTTP/1.1\r\nHost: a\r\n\r\n"[..])] {
            let (fate, got) = way.ask(&block(&plain(&[line, (b"x", b"1")])), body, &[]);
            let name = std::str::from_utf8(line.0).expect("a token");
            if fate == Fate::Served {
                assert_eq!(got.body, body.unwrap_or_default(), "{name}");
                assert_eq!(got.values("x-forwarded-for"), ["127.0.0.1"], "{name}");
                let framing = if body.is_some() { vec!["chunked"] } else { Vec::new() };
                assert_eq!(got.values("transfer-encoding"), framing, "{name}: {}", got.head);
                if name != "transfer-encoding" {
                    assert_eq!(got.values(name), Vec::<&str>::new(), "{}", got.head);
                }
            }
            // RFC 9113 §8.2.2 calls these malformed.
            let is_malformed = !matches!(
                (line.0, line.1),
                (b"te", b"trailers") | (b"http2-settings" | b"proxy-authorization" | b"trailer", _)
            );
            assert_eq!(fate == Fate::Refused, is_malformed, "{name}");
        }
    }
}

#[test]
fn c4_lengths_that_disagree_with_the_payload_never_make_a_request() {
    let mut way = Way::new();
    let evil = &b"GET /evil HTTP/1.1\r\nHost: a\r\n\r\n"[..];
    type Lengths<'a> = &'a [&'a [u8]];
    let cases: &[(Lengths<'_>, Option<&[u8]>)] = &[
        (&[b"0"], Some(evil)),
        (&[b"1"], Some(evil)),
        (&[b"1000"], Some(evil)),
        (&[b"1"], None),
        (&[b""], Some(b"abc")),
        (&[b"+3"], Some(b"abc")),
        (&[b"-3"], Some(b"abc")),
        (&[b"0x3"], Some(b"abc")),
        (&[b"3.0"], Some(b"abc")),
        (&[b"3 "], Some(b"abcd")),
        (&[b"3, 3"], Some(b"abc")),
        (&[b"3,4"], Some(b"abc")),
        (&[b"18446744073709551619"], Some(b"abc")),
        (&[b"99999999999999999999999"], Some(b"abc")),
        (&[b"3", b"0"], Some(b"abc")),
        (&[b"0", b"3"], Some(b"abc")),
        (&[b"3", b"30"], Some(b"abc")),
        (&[b"30", b"3"], Some(b"abc")),
    ];
    for (lengths, body) in cases {
        let fields: Vec<Line<'_>> =
            lengths.iter().map(|length| (&b"content-length"[..], *length)).collect();
        for trailers in [&[][..], &[(&b"x-sum"[..], &b"1"[..])]] {
            let head = block(&plain(&fields));
            let (fate, got) = way.ask(&head, *body, trailers);
            assert_eq!(fate, Fate::Refused, "{lengths:?} {body:?}: {}", got.head);
        }
    }
    // What agrees is passed on with one length.
    let (fate, got) = way.ask(&block(&plain(&[(b"content-length", b"3")])), Some(b"abc"), &[]);
    assert_eq!((fate, got.values("content-length")), (Fate::Served, vec!["3"]), "{}", got.head);
    assert_eq!(got.values("transfer-encoding"), Vec::<&str>::new());
    // A thing that a reader of chunks would take for more is only payload.
    let (fate, got) = way.ask(&block(&PLAIN), Some(b"0\r\n\r\nGET /evil HTTP/1.1\r\n\r\n"), &[]);
    assert_eq!((fate, got.body.len()), (Fate::Served, 27), "{}", got.head);
}

/// Names of ours in every spelling that a backend might fold into them, over HTTP/2 (class C8).
#[test]
fn c8_headers_of_the_gateway_cannot_be_forged_over_http2_either() {
    let mut way = Way::new();
    let ours = [
        "x-portway-app",
        "x-portway-plan",
        "x-forwarded-for",
        "x-forwarded-proto",
        "x-forwarded-host",
        "x-forwarded-port",
        "forwarded",
        "x-real-ip",
        "x-request-id",
        "traceparent",
    ];
    let post = block(&PLAIN);
    for name in ours {
        for spelling in [
            name.to_owned(),
            name.replace('-', "_"),
            name.replace('-', "."),
            name.replacen('-', "_", 1),
        ] {
            let forged: Line<'_> = (spelling.as_bytes(), b"forged");
            let twice = way.get(&plain(&[forged, (b"x-fine", b"1"), forged]));
            let trailing = way.ask(&post, Some(b"abc"), &[forged, (b"x-fine", b"1"), forged]);
            for (fate, got) in [twice, trailing] {
                assert_eq!(fate, Fate::Served, "{spelling}");
                assert!(!got.head.contains("forged"), "{spelling}: {}", got.head);
                assert!(
                    !got.trailers.concat().contains("forged"),
                    "{spelling}: {:?}",
                    got.trailers
                );
                assert!(got.head.contains("x-fine") || got.trailers == ["x-fine: 1"], "{spelling}");
                assert_eq!(got.values("x-forwarded-for"), ["127.0.0.1"], "{spelling}");
            }
        }
    }
}

/// Answers that are given early leave the connection to the backend and the caller's other streams in step
/// (class C3).
#[test]
fn c3_an_early_answer_over_http2_leaves_everything_in_step() {
    let backend = Backend::polite();
    let document = open(backend.address(), "").replace("auth: public", "auth: [ key ]");
    let gateway = Gateway::start(&(document + "apps:\n  phone: { keys: [ { env: A } ] }\n"));
    let mut http2 = Http2::connect(gateway.address(), &[]);
    let good = block(&plain(&[(b"x-api-key", b"secret-of-A")]));
    for _ in 0..5 {
        // Refused with a body under way, which then comes, or is given up.
        let refused = http2.stream();
        http2.frame(kind::HEADERS, flag::END_HEADERS, refused, block(&PLAIN));
        http2.frame(kind::DATA, 0, refused, *b"GET /evil HTTP/1.1\r\n");
        assert_eq!(http2.outcome(refused).expect("an answer").status(), 401);
        http2.frame(kind::DATA, flag::END_STREAM, refused, *b"Host: a\r\n\r\n");
        let served = http2.ask(&good[..]);
        assert_eq!(http2.outcome(served).expect("an answer").status(), 200);
    }
    let received = backend.received();
    assert_eq!(received.len(), 5);
    assert!(received.iter().all(|got| got.line() == "GET /a HTTP/1.1" && got.body.is_empty()));
}
