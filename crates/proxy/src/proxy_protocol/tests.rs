//! PROXY headers of both versions, whole and broken.

use proptest::prelude::*;

use super::*;

fn header(source: Option<&str>, len: usize) -> Parsed {
    Parsed::Header(Header { source: source.map(|text| text.parse().unwrap()), len })
}

/// Every shorter piece needs more; the whole, with and without the caller's bytes after it, is a header.
#[track_caller]
fn check(bytes: &[u8], source: Option<&str>) {
    for end in 0..bytes.len() {
        assert_eq!(parse(&bytes[..end]), Parsed::NeedMore, "the first {end} bytes");
    }
    assert_eq!(parse(bytes), header(source, bytes.len()));
    let followed = [bytes, b"GET / HTTP/1.1\r\n\r\n"].concat();
    assert_eq!(parse(&followed), header(source, bytes.len()));
}

/// Is refused, at the latest when it is whole and the caller's bytes have begun.
#[track_caller]
fn check_invalid(bytes: &[u8]) {
    let followed = [bytes, b"GET / HTTP/1.1\r\n\r\n"].concat();
    assert_eq!(parse(&followed), Parsed::Invalid, "{}", bytes.escape_ascii());
    // Once refused, more bytes do not help; and no beginning of it is a header.
    let mut refused = false;
    for end in 0..=followed.len() {
        match parse(&followed[..end]) {
            Parsed::NeedMore => assert!(!refused, "{end} bytes of {}", bytes.escape_ascii()),
            Parsed::Invalid => refused = true,
            Parsed::Header(_) => panic!("a header at {end} of {}", bytes.escape_ascii()),
        }
    }
}

fn v2(command: u8, family: u8, body: &[u8]) -> Vec<u8> {
    let mut out = V2_START.to_vec();
    out.extend([command, family]);
    out.extend((body.len() as u16).to_be_bytes());
    out.extend(body);
    out
}

const V4_BODY: [u8; 12] = [203, 0, 113, 7, 10, 0, 0, 1, 0xD9, 0x03, 0x01, 0xBB];

fn v4_with(tlvs: &[u8]) -> Vec<u8> {
    v2(0x21, 0x11, &[&V4_BODY, tlvs].concat())
}

fn v6_body(source: &str) -> Vec<u8> {
    let mut body = source.parse::<Ipv6Addr>().unwrap().octets().to_vec();
    body.extend([0; 16]);
    body.extend([0x10, 0x00, 0x01, 0xBB]);
    body
}

#[test]
fn lines_of_version_1() {
    check(b"PROXY TCP4 203.0.113.7 10.0.0.1 55555 443\r\n", Some("203.0.113.7:55555"));
    check(
        b"PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n",
        Some("255.255.255.255:65535"),
    );
    check(b"PROXY TCP4 0.0.0.0 0.0.0.0 0 0\r\n", Some("0.0.0.0:0"));
    check(b"PROXY TCP6 2001:db8::7 2001:db8::1 55555 443\r\n", Some("[2001:db8::7]:55555"));
    check(b"PROXY TCP6 ::ffff:203.0.113.7 ::1 1 2\r\n", Some("203.0.113.7:1"));
    check(b"PROXY UNKNOWN\r\n", None);
    check(b"PROXY UNKNOWN ffff:f...f:ffff whatever 65535 x\r\n", None);
    let longest = b"PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n";
    assert_eq!(longest.len(), V1_BYTES_MAX);
    check(longest, None);
}

#[test]
fn lines_that_are_none() {
    for line in [
        &b"GET / HTTP/1.1\r\n"[..],
        b"PROXY\r\n",
        b"PROXY \r\n",
        b"proxy TCP4 1.2.3.4 5.6.7.8 1 2\r\n",
        b"PROXY  TCP4 1.2.3.4 5.6.7.8 1 2\r\n",
        b"PROXY TCP4  1.2.3.4 5.6.7.8 1 2\r\n",
        b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2 \r\n",
        b"PROXY TCP4 1.2.3.4 5.6.7.8 1\r\n",
        b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2 3\r\n",
        b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\n",
        b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\rX",
        b"PROXY TCP4 1.2.3.4 5.6.7.8 01 2\r\n",
        b"PROXY TCP4 1.2.3.4 5.6.7.8 +1 2\r\n",
        b"PROXY TCP4 1.2.3.4 5.6.7.8 -1 2\r\n",
        b"PROXY TCP4 1.2.3.4 5.6.7.8 65536 2\r\n",
        b"PROXY TCP4 1.2.3.4 5.6.7.8  2\r\n",
        b"PROXY TCP4 01.2.3.4 5.6.7.8 1 2\r\n",
        b"PROXY TCP4 1.2.3 5.6.7.8 1 2\r\n",
        b"PROXY TCP4 ::1 ::1 1 2\r\n",
        b"PROXY TCP6 1.2.3.4 5.6.7.8 1 2\r\n",
        b"PROXY TCP6 fe80::1%eth0 ::1 1 2\r\n",
        b"PROXY UDP4 1.2.3.4 5.6.7.8 1 2\r\n",
        b"PROXY tcp4 1.2.3.4 5.6.7.8 1 2\r\n",
        b"PROXY UNKNOWNX\r\n",
        b"PROXY TCP4\t1.2.3.4 5.6.7.8 1 2\r\n",
        b"PROXY TCP4 \xff 5.6.7.8 1 2\r\n",
    ] {
        check_invalid(line);
    }
    let mut long = b"PROXY UNKNOWN ".to_vec();
    long.resize(V1_BYTES_MAX, b'x');
    assert_eq!(parse(&long), Parsed::Invalid);
    long.pop();
    assert_eq!(parse(&long), Parsed::NeedMore);
    long.push(b'\r');
    assert_eq!(parse(&long), Parsed::Invalid, "no room for the LF");
}

#[test]
fn headers_of_version_2() {
    check(&v4_with(b""), Some("203.0.113.7:55555"));
    check(&v2(0x21, 0x21, &v6_body("2001:db8::7")), Some("[2001:db8::7]:4096"));
    check(&v2(0x21, 0x21, &v6_body("::ffff:203.0.113.7")), Some("203.0.113.7:4096"));
    check(&v2(0x20, 0x00, b""), None);
    check(&v2(0x20, 0x11, &V4_BODY), None);
    check(&v2(0x20, 0xFF, b"anything"), None);
    check(&v2(0x21, 0x00, b"anything"), None);
    check(&v2(0x21, 0x31, &[0; V2_UNIX_BYTES]), None);
    check(&v2(0x21, 0x32, &[0; V2_UNIX_BYTES]), None);
}

#[test]
fn tlvs_of_version_2() {
    check(&v4_with(&[0x02, 0, 4, b'h', b'o', b's', b't']), Some("203.0.113.7:55555"));
    check(&v4_with(&[0x04, 0, 0]), Some("203.0.113.7:55555"));
    check(&v4_with(&[0x04, 0, 2, 0, 0, 0xEA, 0, 1, 7]), Some("203.0.113.7:55555"));
    let mut big = vec![0x04];
    big.extend(((V2_BODY_BYTES_MAX - 12 - 3) as u16).to_be_bytes());
    big.resize(V2_BODY_BYTES_MAX - 12, 0);
    let big = v4_with(&big);
    assert_eq!(big.len(), HEADER_BYTES_MAX);
    check(&big, Some("203.0.113.7:55555"));
}

#[test]
fn checksums_of_version_2() {
    // RFC 3720 §B.4: 32 bytes of zeros, and of ones.
    assert_eq!(!crc32c(!0, &[0; 32]), 0x8A91_36AA);
    assert_eq!(!crc32c(!0, &[0xFF; 32]), 0x62A8_AB43);
    let mut right = v4_with(&[0x04, 0, 1, 9, TLV_CRC32C, 0, 4, 0, 0, 0, 0, 0x04, 0, 0]);
    let crc = !crc32c(!0, &right);
    let at = V2_FIXED_BYTES + 12 + 4 + 3;
    right[at..at + 4].copy_from_slice(&crc.to_be_bytes());
    check(&right, Some("203.0.113.7:55555"));
    // A changed kind of the checksum itself makes it another, unknown TLV.
    for byte in (V2_FIXED_BYTES..right.len()).filter(|byte| *byte != at - 3) {
        let mut wrong = right.clone();
        wrong[byte] ^= 0x10;
        assert_eq!(parse(&wrong), Parsed::Invalid, "byte {byte} was changed");
    }
    check_invalid(&v4_with(&[TLV_CRC32C, 0, 3, 0, 0, 0]));
}

#[test]
fn headers_that_are_none() {
    check_invalid(&v2(0x11, 0x11, &V4_BODY));
    check_invalid(&v2(0x31, 0x11, &V4_BODY));
    check_invalid(&v2(0x22, 0x11, &V4_BODY));
    check_invalid(&v2(0x2F, 0x11, &V4_BODY));
    for family in [0x01, 0x10, 0x12, 0x13, 0x20, 0x22, 0x30, 0x33, 0x41, 0xFF] {
        check_invalid(&v2(0x21, family, &[0; 300]));
    }
    check_invalid(&v2(0x21, 0x11, &V4_BODY[..11]));
    check_invalid(&v2(0x21, 0x21, &[0; 35]));
    check_invalid(&v2(0x21, 0x31, &[0; V2_UNIX_BYTES - 1]));
    // TLVs that end early or claim more than there is (CVE-2026-47692 is of this kind).
    for tlvs in [
        &[0x04][..],
        &[0x04, 0],
        &[0x04, 0, 1],
        &[0x04, 0xFF, 0xFF, 1],
        &[0x04, 0, 1, 7, 0],
        &[0xEA, 0x10, 0],
    ] {
        check_invalid(&v4_with(tlvs));
    }
    check_invalid(&v2(0x21, 0x11, &[0; V2_BODY_BYTES_MAX + 1]));
    let mut wrong = v4_with(b"");
    wrong[11] = b'\r';
    check_invalid(&wrong);
    // A TLS hello, and HTTP/2.
    check_invalid(&[0x16, 3, 1, 2, 0]);
    assert_eq!(parse(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), Parsed::Invalid);
}

proptest! {
    #[test]
    fn more_bytes_never_change_a_verdict(seed in 0..4_usize, cut in 0..40_usize, noise in proptest::collection::vec(any::<u8>(), 0..60)) {
        let with_tlv = v4_with(&[4, 0, 1, 7]);
        let start: &[u8] = [&b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n"[..], V2_START, &with_tlv, b""][seed];
        let bytes = [&start[..cut.min(start.len())], &noise].concat();
        let whole = parse(&bytes);
        for end in 0..bytes.len() {
            match parse(&bytes[..end]) {
                Parsed::NeedMore => {}
                verdict => prop_assert_eq!(verdict, whole),
            }
        }
        if let Parsed::Header(header) = whole {
            prop_assert!(header.len <= bytes.len() && header.len <= HEADER_BYTES_MAX);
        }
    }
}
