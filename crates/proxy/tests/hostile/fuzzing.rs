//! What must hold of any bytes: shared by the fuzz targets and the tests over their seeds.

use std::net::IpAddr;

use portway_policy::{Headers, Scheme};
use portway_proxy::forwarded::{self, Field, Forwarding, Hop};
use portway_proxy::proxy_protocol::{HEADER_BYTES_MAX, Parsed, parse};

/// A verdict is never changed by further bytes, and a header lies within what was given.
pub(crate) fn proxy_protocol(data: &[u8]) {
    let whole = parse(data);
    match whole {
        Parsed::Header(header) => {
            assert!(header.len <= data.len() && header.len <= HEADER_BYTES_MAX);
            assert_eq!(parse(&data[..header.len]), whole);
            assert_eq!(parse(&data[..header.len - 1]), Parsed::NeedMore);
        }
        Parsed::NeedMore => assert!(data.len() < HEADER_BYTES_MAX),
        Parsed::Invalid => assert_eq!(parse(&[data, b"\r\n"].concat()), Parsed::Invalid),
    }
    let half = parse(&data[..data.len() / 2]);
    assert!(half == Parsed::NeedMore || half == whole);
}

/// Fields from lines `name: value`, or every line as one `X-Forwarded-For` and one `Forwarded`.
struct Lines<'a>(Vec<&'a [u8]>);

impl Headers for Lines<'_> {
    fn first(&self, _: &str) -> Option<&[u8]> {
        self.0.first().copied()
    }
    fn each(&self, name: &str, see: &mut dyn FnMut(&[u8])) {
        // The first byte of a line chooses its field, so that one input can have all of them.
        let wanted = Field::ALL.iter().position(|field| field.name() == name).unwrap_or_default();
        for line in &self.0 {
            if line.first().is_some_and(|byte| usize::from(byte % 6) == wanted) {
                see(&line[1..]);
            }
        }
    }
}

/// What a trusted proxy appended decides, whatever stands before it; and what is written is lines.
pub(crate) fn forwarded(data: &[u8]) {
    let trusted = ["10.0.0.0/8".parse().expect("a net")];
    let proxy = IpAddr::from([10, 0, 0, 2]);
    let claims = Lines(data.split(|byte| *byte == b'\n').collect());
    forwarded::client_address(proxy, &claims, &trusted);
    forwarded::client_scheme(&claims);
    let stranger = IpAddr::from([203, 0, 113, 7]);
    assert_eq!(forwarded::client_address(stranger, &claims, &trusted), stranger);

    // `\0` chooses X-Forwarded-For, `\x04` Forwarded.
    let value: Vec<u8> = data.iter().copied().filter(|byte| *byte != b'\n').collect();
    for (kind, appended) in
        [(b"\0", &b", 203.0.113.7"[..]), (b"\x04", b", for=203.0.113.7;proto=https")]
    {
        let line = [&kind[..], &value, appended].concat();
        assert_eq!(forwarded::client_address(proxy, &Lines(vec![&line]), &trusted), stranger);
    }

    for trusted in [false, true] {
        let peer = Hop::new(proxy);
        let (scheme, http2) = (Scheme::Http, false);
        let forwarding =
            Forwarding { peer: &peer, trusted, scheme, host: &value, http2, headers: &claims };
        let mut out = Vec::new();
        forwarding.write(&mut out);
        let text = String::from_utf8(out).expect("ASCII");
        for line in text.strip_suffix("\r\n").expect("whole lines").split("\r\n") {
            let (name, value) = line.split_once(": ").expect("a name");
            assert!(Field::ALL.iter().any(|field| field.name().eq_ignore_ascii_case(name)));
            assert!(value.bytes().all(|byte| matches!(byte, b' '..=b'~' | b'\t')));
        }
    }
    forwarded::is_replaced(data, true);
}
