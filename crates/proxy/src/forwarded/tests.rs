//! Whom we believe about the caller's address, and how far.

use proptest::prelude::*;

use super::*;

struct Fields<'a>(&'a [(&'a str, &'a str)]);

impl Headers for Fields<'_> {
    fn first(&self, name: &str) -> Option<&[u8]> {
        self.0
            .iter()
            .find(|(field, _)| field.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_bytes())
    }
    fn each(&self, name: &str, see: &mut dyn FnMut(&[u8])) {
        for (_, value) in self.0.iter().filter(|(field, _)| field.eq_ignore_ascii_case(name)) {
            see(value.as_bytes());
        }
    }
}

fn nets() -> Vec<IpNet> {
    ["10.0.0.0/8", "2001:db8:aa::/48"].iter().map(|net| net.parse().unwrap()).collect()
}

#[track_caller]
fn check(peer: &str, fields: &[(&str, &str)], expected: &str) {
    let client = client_address(peer.parse().unwrap(), &Fields(fields), &nets());
    assert_eq!(client.to_string(), expected, "from {peer} with {fields:?}");
}

const XFF: &str = "X-Forwarded-For";

#[test]
fn fields_of_an_untrusted_peer_are_not_looked_at() {
    check("203.0.113.7", &[], "203.0.113.7");
    check("203.0.113.7", &[(XFF, "10.0.0.1")], "203.0.113.7");
    check("203.0.113.7", &[("Forwarded", "for=127.0.0.1")], "203.0.113.7");
    check("2001:db8:ab::1", &[(XFF, "127.0.0.1")], "2001:db8:ab::1");
    check("::ffff:203.0.113.7", &[(XFF, "127.0.0.1")], "203.0.113.7");
    let nobody = client_address("127.0.0.1".parse().unwrap(), &Fields(&[(XFF, "1.2.3.4")]), &[]);
    assert_eq!(nobody.to_string(), "127.0.0.1");
}

#[test]
fn a_trusted_chain_is_followed_from_the_right() {
    check("10.0.0.2", &[], "10.0.0.2");
    check("10.0.0.2", &[(XFF, "203.0.113.7")], "203.0.113.7");
    check("10.0.0.2", &[("x-forwarded-for", "203.0.113.7")], "203.0.113.7");
    check("10.0.0.2", &[(XFF, "203.0.113.7, 10.0.0.9")], "203.0.113.7");
    check("10.0.0.2", &[(XFF, "10.0.0.8, 10.0.0.9")], "10.0.0.8");
    check("10.0.0.2", &[(XFF, "203.0.113.7,10.0.0.9"), (XFF, "10.0.0.3")], "203.0.113.7");
    check("10.0.0.2", &[(XFF, "10.0.0.3"), (XFF, "203.0.113.7")], "203.0.113.7");
    check("2001:db8:aa::1", &[(XFF, "2001:db8:bb::7")], "2001:db8:bb::7");
    check("::ffff:10.0.0.2", &[(XFF, "::ffff:203.0.113.7, ::FFFF:10.0.0.9")], "203.0.113.7");
}

#[test]
fn what_stands_left_of_the_client_is_a_claim() {
    check("10.0.0.2", &[(XFF, "127.0.0.1, 203.0.113.7")], "203.0.113.7");
    check("10.0.0.2", &[(XFF, "10.0.0.1, 203.0.113.7")], "203.0.113.7");
    check("10.0.0.2", &[(XFF, "127.0.0.1"), (XFF, "203.0.113.7")], "203.0.113.7");
    check("10.0.0.2", &[(XFF, "127.0.0.1, 203.0.113.7, 10.0.0.9")], "203.0.113.7");
    check("10.0.0.2", &[(XFF, "\"), 203.0.113.7")], "203.0.113.7");
    check("10.0.0.2", &[(XFF, &("10.0.0.1,".repeat(3000) + "203.0.113.7"))], "203.0.113.7");
    // A chain that never ends is followed for so long, and its address is a trusted one.
    check("10.0.0.2", &[(XFF, &("127.0.0.1,".to_owned() + &"10.0.0.1,".repeat(3000)))], "10.0.0.1");
    check("10.0.0.2", &[(XFF, &("203.0.113.7".to_owned() + &",".repeat(100)))], "10.0.0.2");
}

#[test]
fn what_is_not_an_address_ends_the_chain() {
    for garbage in [
        "unknown",
        "_hidden",
        "localhost",
        "203.0.113",
        "0203.0.113.7",
        "203.0.113.7:port",
        "203.0.113.7:99999",
        "[2001:db8::1",
        "2001:db8::1]",
        "[203.0.113.7]",
        "fe80::1%eth0",
        "1.2.3.4 5.6.7.8",
        "0x7f.1",
        "2130706433",
        "\"203.0.113.7\"",
        "203.0.113.7;x",
        "é",
        "[[::1]]",
    ] {
        check("10.0.0.2", &[(XFF, garbage)], "10.0.0.2");
        check("10.0.0.2", &[(XFF, &format!("203.0.113.7, {garbage}, 10.0.0.9"))], "10.0.0.9");
        check("10.0.0.2", &[(XFF, "203.0.113.7"), (XFF, garbage)], "10.0.0.2");
        check("10.0.0.2", &[(XFF, &format!("{garbage}, 203.0.113.7"))], "203.0.113.7");
    }
}

#[test]
fn ports_brackets_and_empty_elements() {
    check("10.0.0.2", &[(XFF, "203.0.113.7:4711")], "203.0.113.7");
    check("10.0.0.2", &[(XFF, "[2001:db8:bb::7]:4711")], "2001:db8:bb::7");
    check("10.0.0.2", &[(XFF, "[2001:db8:bb::7]")], "2001:db8:bb::7");
    check("10.0.0.2", &[(XFF, " ,, 203.0.113.7\t, ,")], "203.0.113.7");
    check("10.0.0.2", &[(XFF, "")], "10.0.0.2");
    check("10.0.0.2", &[(XFF, ",")], "10.0.0.2");
    check("10.0.0.2", &[(XFF, "203.0.113.7"), (XFF, "")], "203.0.113.7");
}

#[test]
fn forwarded_of_rfc_7239() {
    let forwarded = |value, expected| check("10.0.0.2", &[("Forwarded", value)], expected);
    forwarded("for=203.0.113.7", "203.0.113.7");
    forwarded("For=\"203.0.113.7\"", "203.0.113.7");
    forwarded("FOR=\"[2001:db8:bb::7]:4711\"", "2001:db8:bb::7");
    forwarded("proto=https;for=203.0.113.7;by=10.0.0.1", "203.0.113.7");
    forwarded("for=127.0.0.1, for=203.0.113.7;proto=http, for=10.0.0.9", "203.0.113.7");
    forwarded("for=203.0.113.7;host=\"a,b;for=127.0.0.1\"", "203.0.113.7");
    forwarded("for=203.0.113.7;host=\"a\\\",for=127.0.0.1;x=\\\"\"", "203.0.113.7");
    forwarded("for=unknown, for=10.0.0.9", "10.0.0.9");
    forwarded("for=_secret", "10.0.0.2");
    forwarded("proto=https", "10.0.0.2");
    forwarded("for=203.0.113.7;for=127.0.0.1", "10.0.0.2");
    forwarded("for=\"203.0.113.7", "10.0.0.2");
    check(
        "10.0.0.2",
        &[("Forwarded", "for=127.0.0.1"), ("Forwarded", "for=203.0.113.7")],
        "203.0.113.7",
    );
}

#[test]
fn a_quote_opened_on_the_left_swallows_nothing() {
    for start in
        ["for=\"", "for=\"127.0.0.1", "for=127.0.0.1;host=\"", "\\\"", "for=\"\\", "\"\"\""]
    {
        check("10.0.0.2", &[("Forwarded", &format!("{start}, for=203.0.113.7"))], "203.0.113.7");
    }
}

#[test]
fn x_forwarded_for_goes_before_forwarded() {
    check("10.0.0.2", &[("Forwarded", "for=127.0.0.1"), (XFF, "203.0.113.7")], "203.0.113.7");
    check("10.0.0.2", &[("Forwarded", "for=127.0.0.1"), (XFF, "unknown")], "10.0.0.2");
}

#[test]
fn the_scheme_of_the_client() {
    let scheme = |fields: &[(&str, &str)]| client_scheme(&Fields(fields));
    assert_eq!(scheme(&[]), None);
    assert_eq!(scheme(&[("X-Forwarded-Proto", "https")]), Some(Scheme::Https));
    assert_eq!(scheme(&[("X-Forwarded-Proto", "https, HTTP")]), Some(Scheme::Http));
    assert_eq!(scheme(&[("X-Forwarded-Proto", "ftp")]), None);
}

#[track_caller]
fn check_replaced(name: &str, from_untrusted: bool, from_trusted: bool) {
    assert_eq!(
        is_replaced(name.as_bytes(), false),
        from_untrusted,
        "{name} from an untrusted peer"
    );
    assert_eq!(is_replaced(name.as_bytes(), true), from_trusted, "{name} from a trusted proxy");
}

#[test]
fn names_in_every_spelling() {
    for name in [
        "x-forwarded-for",
        "X-FORWARDED-FOR",
        "X_Forwarded_For",
        "x.forwarded.for",
        "X-Forwarded_For",
        "x-forwarded-proto",
        "X-Forwarded-Host",
        "x-forwarded-port",
        "Forwarded",
        "FORWARDED",
        "x_real_ip",
    ] {
        check_replaced(name, true, true);
    }
    for name in ["X-Forwarded-Prefix", "x-forwarded-server", "X-Real-IP", "x-forwarded-client-cert"]
    {
        check_replaced(name, true, false);
    }
    for name in [
        "",
        "x",
        "f",
        "Via",
        "X-Forwarded",
        "XForwarded-For",
        "x-forwarder-for",
        "Forwarded-For",
        "From",
    ] {
        check_replaced(name, false, false);
    }
}

#[track_caller]
fn check_written(peer: &str, trusted: bool, fields: &[(&str, &str)], expected: &str) {
    let peer = Hop::new(peer.parse().unwrap());
    let headers = Fields(fields);
    let forwarding = Forwarding {
        peer: &peer,
        trusted,
        scheme: Scheme::Https,
        host: b"api.test:8443",
        http2: false,
        headers: &headers,
    };
    let mut out = Vec::new();
    forwarding.write(&mut out);
    assert_eq!(String::from_utf8(out).unwrap(), expected.replace('\n', "\r\n"));
}

const FRESH: &str = "\
X-Forwarded-For: 203.0.113.7
X-Forwarded-Proto: https
X-Forwarded-Host: api.test:8443
Forwarded: for=203.0.113.7;host=\"api.test:8443\";proto=https
Via: 1.1 portway
";

#[test]
fn an_untrusted_peer_begins_the_chain() {
    check_written("203.0.113.7", false, &[], FRESH);
    check_written("::ffff:203.0.113.7", false, &[], FRESH);
    let forged = [
        (XFF, "127.0.0.1"),
        ("Forwarded", "for=127.0.0.1;proto=http;host=evil"),
        ("X-Forwarded-Proto", "http"),
        ("X-Forwarded-Host", "evil.test"),
        ("X-Forwarded-Port", "1"),
    ];
    check_written("203.0.113.7", false, &forged, FRESH);
}

#[test]
fn a_trusted_proxy_continues_it() {
    let fields = [
        (XFF, "203.0.113.7, 10.0.0.9"),
        (XFF, "10.0.0.3"),
        ("Forwarded", "for=203.0.113.7;proto=http"),
        ("X-Forwarded-Proto", "http"),
        ("X-Forwarded-Host", "shop.example"),
        ("X-Forwarded-Port", "8080"),
    ];
    check_written(
        "10.0.0.2",
        true,
        &fields,
        "\
X-Forwarded-For: 203.0.113.7, 10.0.0.9, 10.0.0.3, 10.0.0.2
X-Forwarded-Proto: http
X-Forwarded-Host: shop.example
X-Forwarded-Port: 8080
Forwarded: for=203.0.113.7, for=10.0.0.9, for=10.0.0.3, for=10.0.0.2;host=\"api.test:8443\";proto=https
Via: 1.1 portway
",
    );
}

#[test]
fn what_a_trusted_proxy_passes_on_is_looked_at() {
    let fields = [
        (XFF, "203.0.113.7\u{e9}"),
        (XFF, ""),
        ("Forwarded", "for=1.1.1.1"),
        ("Forwarded", "for=\""),
        ("Forwarded", "for=8.8.8.8"),
        ("X-Forwarded-Proto", "javascript"),
        ("X-Forwarded-Host", "a,b"),
        ("X-Forwarded-Port", "80 80"),
    ];
    check_written(
        "2001:db8:aa::1",
        true,
        &fields,
        "\
X-Forwarded-For: 2001:db8:aa::1
X-Forwarded-Proto: https
X-Forwarded-Host: api.test:8443
Forwarded: for=8.8.8.8, for=\"[2001:db8:aa::1]\";host=\"api.test:8443\";proto=https
Via: 1.1 portway
",
    );
}

#[test]
fn a_host_that_would_need_quoting_is_left_out() {
    let peer = Hop::new("203.0.113.7".parse().unwrap());
    let headers = Fields(&[]);
    let forwarding = Forwarding {
        peer: &peer,
        trusted: false,
        scheme: Scheme::Http,
        host: b"a\"b",
        http2: true,
        headers: &headers,
    };
    let mut seen = Vec::new();
    forwarding.each(&mut Vec::new(), &mut |name, value| {
        seen.push((name, String::from_utf8(value.to_vec()).unwrap()))
    });
    let expected = [
        ("x-forwarded-for", "203.0.113.7"),
        ("x-forwarded-proto", "http"),
        ("forwarded", "for=203.0.113.7;proto=http"),
        ("via", "2.0 portway"),
    ];
    assert_eq!(seen, expected.map(|(name, value)| (name, value.to_owned())));
}

#[test]
fn the_longest_address_fits() {
    let text = "2001:1db8:1111:2222:3333:4444:5555:6666";
    assert_eq!(Hop::new(text.parse().unwrap()).as_bytes(), text.as_bytes());
}

proptest! {
    #[test]
    fn no_list_moves_the_client_that_a_trusted_proxy_saw(claim in "[ -~]{0,80}") {
        let xff = format!("{claim}, 203.0.113.7");
        prop_assert_eq!(client_address("10.0.0.2".parse().unwrap(), &Fields(&[(XFF, &xff)]), &nets()).to_string(), "203.0.113.7");
        let forwarded = format!("{claim}, for=203.0.113.7;proto=https;host=\"a:1\"");
        prop_assert_eq!(client_address("10.0.0.2".parse().unwrap(), &Fields(&[("forwarded", &forwarded)]), &nets()).to_string(), "203.0.113.7");
    }

    #[test]
    fn whatever_a_proxy_passes_on_the_lines_stay_lines(a in any::<String>(), b in any::<String>()) {
        let peer = Hop::new("10.0.0.2".parse().unwrap());
        let fields = [(XFF, &*a), ("Forwarded", &b), ("X-Forwarded-Host", &a), ("X-Forwarded-Proto", &b), ("X-Forwarded-Port", &a)];
        let headers = Fields(&fields);
        let forwarding = Forwarding { peer: &peer, trusted: true, scheme: Scheme::Http, host: b.as_bytes(), http2: false, headers: &headers };
        let mut out = Vec::new();
        forwarding.write(&mut out);
        let text = String::from_utf8(out).unwrap();
        for line in text.strip_suffix("\r\n").unwrap().split("\r\n") {
            let lower = line.to_ascii_lowercase();
            let is_ours = Field::ALL.iter().any(|field| lower.strip_prefix(field.name()).is_some_and(|rest| rest.starts_with(": ")));
            prop_assert!(is_ours, "a foreign line");
            prop_assert!(line.bytes().all(|byte| matches!(byte, b' '..=b'~' | b'\t')));
        }
    }
}
