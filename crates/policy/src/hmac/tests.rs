//! Signatures made by other hands (Python's `hmac` and `hashlib`, and the text of the product's documents), and
//! attacks on each part of them.

use portway_model::{HmacAuth, HmacForm, NonceUse};

use super::*;
use crate::test_call::{Fields, Hands, app, call, keys};
use crate::{Detail, Identified, Identify, MemoryCounters, MemoryKeys, Reason};

const PAIR_SECRET: &str = "xxxSNF0CEp3OhN4t91234567890AWrct960X9192";
const APP_SECRET: &str = "Dc44ACV2Da3Gm9JVaaaaaaaaumYRI4CZfVG8Qiuv";
/// Mon, 19 Mar 2018 12:08:40 GMT.
const PAIR_TIME_S: u64 = 1_521_461_320;
/// Thu, 11 Mar 2021 08:29:58 GMT.
const APP_TIME_S: u64 = 1_615_451_398;
const PAIR_DATE: (&str, &str) = ("X-Date", "Mon, 19 Mar 2018 12:08:40 GMT");
const APP_DATE: (&str, &str) = ("X-Date", "Thu, 11 Mar 2021 08:29:58 GMT");

/// A call as a caller makes it.
#[derive(Clone)]
struct Given {
    form: HmacForm,
    nonce: NonceUse,
    now_s: u64,
    method: &'static str,
    path: &'static str,
    query: &'static str,
    fields: Vec<(&'static str, &'static str)>,
    authorization: String,
    body: Option<&'static [u8]>,
}

/// What comes of it.
#[derive(Debug, PartialEq)]
enum Came {
    /// It is from the app `phone`.
    Phone,
    Fault(SignatureFault),
    Refused(Reason),
}

struct Stage {
    counters: MemoryCounters,
    keys: MemoryKeys,
}

impl Stage {
    fn new() -> Self {
        let phone = app("phone", None, None);
        let signer = |secret| Signer::new(Arc::clone(&phone), secret);
        let keys = keys(&[("k1", &phone)]).with_signers([
            ("AKID1".into(), signer(PAIR_SECRET)),
            ("APID1".into(), signer(APP_SECRET)),
        ]);
        Self { counters: MemoryCounters::default(), keys }
    }

    /// Asks once, and again with the body if that is wanted. Says whether it was.
    fn ask(&self, given: &Given) -> (Came, bool) {
        let mut fields = Fields::of(&given.fields);
        fields.0.push(("Authorization", given.authorization.clone().into_bytes()));
        let hands = Hands::default();
        hands.unix_ms.store(given.now_s * 1_000, std::sync::atomic::Ordering::Relaxed);
        let world = World { clock: &hands, counters: &self.counters, keys: &self.keys };
        let document = HmacAuth { form: given.form, nonce: given.nonce, ..HmacAuth::default() };
        let kinds =
            vec![model::AuthKind::Hmac(document), model::AuthKind::Key(model::KeyAuth::default())];
        let identify = Identify::compile(&model::Auth::AnyOf(kinds));
        let mut asked = Call {
            method: given.method,
            path: given.path,
            body: if given.body.is_some() { Body::Unread } else { Body::None },
            ..call(&fields, given.query)
        };
        let first = identify.identify(&asked, &world);
        let wanted = matches!(first, Ok(Identified::HoldBody(_)));
        let last = if wanted {
            asked.body = Body::Held(given.body.expect("only a body that is there is asked for"));
            identify.identify(&asked, &world)
        } else {
            first
        };
        (came(last), wanted)
    }
}

fn came(identified: Result<Identified, Refusal>) -> Came {
    match identified {
        Ok(Identified::Caller(app, _)) => {
            assert_eq!(app.expect("an app").name, "phone");
            Came::Phone
        }
        Ok(Identified::HoldBody(_)) => panic!("asked for the body twice"),
        Err(Refusal { reason, detail: Detail::Signature(fault) }) => {
            assert_eq!(reason, fault.reason());
            Came::Fault(*fault)
        }
        Err(refusal) => Came::Refused(refusal.reason),
    }
}

fn authorization(id: &str, algorithm: &str, headers: &str, signature: &str) -> String {
    format!(
        "hmac id=\"{id}\", algorithm=\"{algorithm}\", headers=\"{headers}\", signature=\"{signature}\""
    )
}

fn pair(
    fields: &[(&'static str, &'static str)],
    algorithm: &str,
    headers: &str,
    signature: &str,
) -> Given {
    Given {
        form: HmacForm::KeyPair,
        nonce: NonceUse::Off,
        now_s: PAIR_TIME_S,
        method: "GET",
        path: "/anything",
        query: "at=all",
        fields: fields.to_vec(),
        authorization: authorization("AKID1", algorithm, headers, signature),
        body: None,
    }
}

fn signed_app(
    (method, path, query): (&'static str, &'static str, &'static str),
    fields: &[(&'static str, &'static str)],
    (algorithm, headers, signature): (&str, &str, &str),
) -> Given {
    let mut all = vec![APP_DATE];
    all.extend_from_slice(fields);
    Given {
        form: HmacForm::App,
        nonce: NonceUse::Off,
        now_s: APP_TIME_S,
        method,
        path,
        query,
        fields: all,
        authorization: authorization("APID1", algorithm, headers, signature),
        body: None,
    }
}

fn with_body(given: Given, body: &'static [u8]) -> Given {
    Given { body: Some(body), ..given }
}

#[track_caller]
fn right(given: &Given, wants_body: bool) {
    assert_eq!(Stage::new().ask(given), (Came::Phone, wants_body));
}

#[track_caller]
fn fault(given: &Given, expected: SignatureFault) {
    let (came, _) = Stage::new().ask(given);
    assert_eq!(came, Came::Fault(expected));
}

#[track_caller]
fn mismatch(given: &Given) {
    let (came, _) = Stage::new().ask(given);
    assert!(matches!(came, Came::Fault(SignatureFault::Mismatch { .. })), "{came:?}");
}

const DATE_AND_SOURCE: [(&str, &str); 2] =
    [("Date", "Fri, 09 Oct 2015 00:00:00 GMT"), ("Source", "AndriodApp")];

#[test]
fn key_pair_vectors() {
    // The documented example with every algorithm: K1 to K4.
    for (algorithm, signature) in [
        ("hmac-sha1", "JSoM2DpQoL7/urawKpDOFBwbW7Y="),
        ("hmac-sha256", "XT81ew0vd0bg8oTxZm3yYrFNK+XYsxBq5g+Gh2iF9v4="),
        ("hmac-sha384", "dE+DcetKqNnKL0Sq7XOVYkeNxAnjY2p2U9wtQPbsiJzTcwMIGKw3lXwzYwZBr9ro"),
        (
            "hmac-sha512",
            "KEjH33jXEe+/7MVTQOUCBSNsaUfmf8cJABQig87LnORl9FE0LljEmY9pD6KzF6Dcfmox/ZZoB/n5Tf/GGG5H9g==",
        ),
    ] {
        right(&pair(&DATE_AND_SOURCE, algorithm, "date source", signature), false);
        right(&pair(&DATE_AND_SOURCE, algorithm, "Date Source", signature), false);
    }
    // K5 and K6.
    let source = [PAIR_DATE, ("Source", "AndriodApp")];
    right(&pair(&source, "hmac-sha1", "x-date source", "msIchJTjNIFfjlU6UCV9u1qp1/Q="), false);
    right(&pair(&[PAIR_DATE], "hmac-sha1", "x-date", "ah7ME/fiQJ6tpQaXbVhr1d4JYfU="), false);
    // A source without a value, and `Host` as the documents show it.
    let empty = [PAIR_DATE, ("Source", "")];
    right(&pair(&empty, "hmac-sha1", "x-date source", "aygGCHvN+TOSRiIj1SPtBsIr3Yg="), false);
    let host = [("Date", PAIR_DATE.1), ("Host", "shop.example")];
    right(&pair(&host, "hmac-sha1", "Date Host", "j7auloZ64PAwBDQWNZOCqSbHNWU="), false);
    // Over HTTP/2 there is no `Host`.
    let date = [("Date", PAIR_DATE.1)];
    right(&pair(&date, "hmac-sha1", "Date Host", "j7auloZ64PAwBDQWNZOCqSbHNWU="), false);
}

#[test]
fn the_clock_is_looked_at_where_x_date_is_signed() {
    let given = pair(&[PAIR_DATE], "hmac-sha1", "x-date", "ah7ME/fiQJ6tpQaXbVhr1d4JYfU=");
    for (away_s, is_right) in
        [(0, true), (900, true), (-900, true), (901, false), (-901, false), (86_400, false)]
    {
        let now_s = PAIR_TIME_S.checked_add_signed(away_s).expect("a time");
        let expected = if is_right { Came::Phone } else { Came::Fault(SignatureFault::OutOfDate) };
        assert_eq!(Stage::new().ask(&Given { now_s, ..given.clone() }).0, expected, "{away_s}");
    }
    // The signature is right, the date is none.
    let odd = [("X-Date", "2018-03-19T12:08:40Z")];
    fault(&pair(&odd, "hmac-sha1", "x-date", "x"), SignatureFault::DateInvalid);
    // `Date` has no clock.
    let old = pair(&DATE_AND_SOURCE, "hmac-sha1", "date source", "JSoM2DpQoL7/urawKpDOFBwbW7Y=");
    right(&Given { now_s: 4_000_000_000, ..old }, false);
}

const JSON: [(&str, &str); 2] =
    [("Accept", "application/json"), ("Content-Type", "application/json")];
const FORM_FIELDS: [(&str, &str); 2] =
    [("Accept", "application/json"), ("Content-Type", "application/x-www-form-urlencoded")];
const BODY: &[u8] = b"{\"arg1\":\"a\",\"arg2\":\"b\"}";
const HEX_MD5: &str = "MzNiMjk0MTJjZWIzMWQ5NmE1OGRiZDYyOWMwNWQ0ZGE=";
const RAW_MD5: &str = "M7KUEs6zHZaljb1inAXU2g==";
const A3: (&str, &str, &str) = ("hmac-sha1", "x-date", "3PayL0hwH1eg58x40A/eFuPQlYQ=");
const A4: (&str, &str, &str) = ("hmac-sha1", "x-date", "oOdWkL73jFIOSvEjGrQ7QV8LTPs=");
const GET_A: (&str, &str, &str) = ("hmac-sha1", "x-date", "8i5Ggrug7gcHaEcRt655XjXztgk=");
const DATA: (&str, &str, &str) = ("POST", "/data", "");

fn documented(signature: (&str, &str, &str)) -> Given {
    let fields = [FORM_FIELDS[0], FORM_FIELDS[1], ("Source", "apigw test")];
    with_body(signed_app(("POST", "/", ""), &fields, signature), b"p=test")
}

#[test]
fn app_vectors() {
    // The documented example: A1 and A2.
    let a1 = ("hmac-sha1", "source x-date", "jLN0+Qva7WIzoEvvT1A5/+naheA=");
    right(&documented(a1), true);
    right(
        &documented((
            "hmac-sha256",
            "source x-date",
            "zX/zhQp5Fb1EMtJlw4JNEf4ibgj2jSj6fyHtBXwujig=",
        )),
        true,
    );
    // The same parameter in the query.
    right(&Given { query: "p=test", body: None, ..documented(a1) }, false);
    // A3: the digest of the digits, sent or only signed. A4: the digest itself.
    let sent = |md5| [JSON[0], JSON[1], ("Content-MD5", md5)];
    right(&with_body(signed_app(DATA, &sent(HEX_MD5), A3), BODY), true);
    right(&with_body(signed_app(DATA, &JSON, A3), BODY), true);
    right(&with_body(signed_app(DATA, &sent(RAW_MD5), A4), BODY), true);
    right(&with_body(signed_app(DATA, &JSON, A4), BODY), true);
    // A5: parameters in order.
    let a5 = ("hmac-sha1", "x-date", "aUwrMPo4+RZKbLXrHeGUmQH00lM=");
    right(&signed_app(("GET", "/a", "c=1&b=3"), &JSON, a5), false);
    // A6: query and form together.
    let a6 = ("hmac-sha1", "x-date", "PaJ+503k3rEebvZbe+DSjYjHAsk=");
    let parts = signed_app(("POST", "/appParam", "type=fruit&name=clare"), &FORM_FIELDS, a6);
    right(&with_body(parts, b"password=333&fruitname=apple"), true);
    // A form without a body, which is none.
    let whole = "password=333&fruitname=apple&type=fruit&name=clare";
    right(&signed_app(("POST", "/appParam", whole), &FORM_FIELDS, a6), false);
}

#[test]
fn app_forms_beside_the_vectors() {
    right(&signed_app(("GET", "/a", ""), &[], GET_A), false);
    for path in ["/release/a", "/test/a", "/prepub/a"] {
        right(&signed_app(("GET", path, ""), &[], GET_A), false);
    }
    for path in ["/releases/a", "/release/test/a", "/Release/a", "/a/release", "//a"] {
        mismatch(&signed_app(("GET", path, ""), &[], GET_A));
    }
    let root = ("hmac-sha1", "x-date", "E9PfqwiNu+KmbEqDaZBQck2X+a0=");
    for path in ["/", "/release", "/release/"] {
        right(&signed_app(("GET", path, ""), &[], root), false);
    }
    // Values decoded, several of a name in order, a name without a value alone.
    let all = ("hmac-sha1", "x-date", "sfTp+pH4bmavaMswqVzuFeUz78o=");
    for query in ["a=2&a=1&b=&c=x+y&d=1%2B1&e=%C3%BC", "e=%c3%bc&d=1%2b1&&c=x%20y&b&a=1&%61=2"] {
        right(&signed_app(("GET", "/a", query), &[], all), false);
    }
    // Multipart counts as a body, not as a form.
    let multipart = [("Content-Type", "multipart/form-data; boundary=b")];
    let upload = (
        "hmac-sha512",
        "x-date",
        "nGkkLbj0xzzk1qnY1QofYQ4DYw3FTOXrrqnspC88u8wJ0aCRXRdhq4OAMthbbSil8Nm7Fvo1ZEflccVU6N8Z+Q==",
    );
    right(
        &with_body(signed_app(("POST", "/up", ""), &multipart, upload), b"--b\r\n\r\nx\r\n--b--"),
        true,
    );
    // Who signs no digest has not signed the body, and it is not waited for.
    let unsigned = ("hmac-sha1", "x-date", "IDBYtnSkUj4unUYF1e4OC50VovM=");
    right(&with_body(signed_app(DATA, &JSON, unsigned), BODY), false);
    // A digest of nothing.
    let md5 = [("Content-MD5", "ZDQxZDhjZDk4ZjAwYjIwNGU5ODAwOTk4ZWNmODQyN2U=")];
    let nothing = ("hmac-sha1", "x-date", "ZjgJABErYOe4XNEqzHpwlis+sIQ=");
    right(&signed_app(("GET", "/a", ""), &md5, nothing), false);
    right(&with_body(signed_app(("GET", "/a", ""), &md5, nothing), b""), true);
    mismatch(&with_body(signed_app(("GET", "/a", ""), &md5, nothing), b"x"));
    let host = ("hmac-sha256", "x-date host", "OoGx8XSDjhDHV7ELTxoj36bS3o5E2ox04CBno6petjk=");
    right(&signed_app(("GET", "/a", ""), &[("Host", "shop.example")], host), false);
}

#[test]
fn a_call_that_was_changed_is_refused() {
    let get = signed_app(("GET", "/a", ""), &[], GET_A);
    let json = with_body(signed_app(DATA, &[JSON[0], JSON[1], ("Content-MD5", HEX_MD5)], A3), BODY);
    let form = documented(("hmac-sha1", "source x-date", "jLN0+Qva7WIzoEvvT1A5/+naheA="));
    for changed in [
        Given { method: "DELETE", ..get.clone() },
        Given { method: "get", ..get.clone() },
        Given { path: "/b", ..get.clone() },
        Given { path: "/a/", ..get.clone() },
        Given { query: "a", ..get.clone() },
        Given { fields: vec![APP_DATE, ("Accept", "*/*")], ..get.clone() },
        Given { fields: vec![APP_DATE, ("Content-Type", "text/plain")], ..get.clone() },
        Given { fields: vec![APP_DATE, ("Content-MD5", RAW_MD5)], ..get.clone() },
        Given { fields: vec![("X-Date", "Thu, 11 Mar 2021 08:29:59 GMT")], ..get },
        // A part of the body, more of it, another one, none.
        with_body(json.clone(), &BODY[1..]),
        with_body(json.clone(), b"{\"arg1\":\"a\",\"arg2\":\"b\"} "),
        with_body(json.clone(), b""),
        Given { body: None, ..json.clone() },
        // Without the header that told the digest, and with another reading of it.
        with_body(signed_app(DATA, &JSON, A3), b"{}"),
        with_body(signed_app(DATA, &[JSON[0], JSON[1], ("Content-MD5", RAW_MD5)], A3), BODY),
        // Parameters that moved, came, went.
        with_body(form.clone(), b"p=tesT"),
        with_body(form.clone(), b"p=test&q"),
        Given { query: "q=1", ..form.clone() },
        Given { body: None, ..form.clone() },
        // A body that claims to be no form.
        Given {
            fields: vec![
                APP_DATE,
                ("Source", "apigw test"),
                JSON[0],
                ("Content-Type", "text/plain"),
            ],
            ..form
        },
    ] {
        mismatch(&changed);
    }
    // A signature over a digest is judged before the body is read.
    let wrong = signed_app(DATA, &[JSON[0], JSON[1], ("Content-MD5", RAW_MD5)], A3);
    let (came, wants_body) = Stage::new().ask(&with_body(wrong, BODY));
    assert!(matches!(came, Came::Fault(SignatureFault::Mismatch { .. })) && !wants_body);
}

#[test]
fn attacks_on_the_header() {
    use SignatureFault as Fault;
    let good = ("hmac-sha1", "x-date", "ah7ME/fiQJ6tpQaXbVhr1d4JYfU=");
    let with = |authorization: &str| Given {
        authorization: authorization.to_owned(),
        ..pair(&[PAIR_DATE], good.0, good.1, good.2)
    };
    let (id, algorithm, headers, signature) = (
        "id=\"AKID1\"",
        "algorithm=\"hmac-sha1\"",
        "headers=\"x-date\"",
        "signature=\"ah7ME/fiQJ6tpQaXbVhr1d4JYfU=\"",
    );
    // Any order, any blanks, any case of the scheme.
    right(&with(&format!("HMAC  {signature},{headers} ,  {algorithm}, {id}")), false);
    for (parts, expected) in [
        (vec![], Fault::IdOrSignatureMissing),
        (vec![id, algorithm, headers], Fault::IdOrSignatureMissing),
        (vec![algorithm, headers, signature], Fault::IdOrSignatureMissing),
        (vec![id, algorithm, headers, "signature=\"\""], Fault::IdOrSignatureMissing),
        (vec!["id=\"\"", algorithm, headers, signature], Fault::IdOrSignatureMissing),
        (vec![id, headers, signature], Fault::FieldsMissing),
        (vec![id, algorithm, signature], Fault::FieldsMissing),
        (vec![id, algorithm, "headers=\"\"", signature], Fault::FieldsMissing),
        (vec![id, algorithm, "headers=\" \"", signature], Fault::NoDate),
        (
            vec![id, algorithm, "headers=\"source\"", signature],
            Fault::HeaderMissing("source".into()),
        ),
        (vec![id, algorithm, "headers=\"x-date x-date\"", signature], Fault::Format),
        (vec![id, algorithm, "headers=\"x-date X-Date\"", signature], Fault::Format),
        (vec![id, algorithm, "headers=\"x-date:\"", signature], Fault::Format),
        (vec![id, algorithm, "headers=\"x-date,source\"", signature], Fault::Format),
        (vec![id, algorithm, "headers=\"x-date\tsource\"", signature], Fault::Format),
        (vec![id, algorithm, "headers=\":path x-date\"", signature], Fault::Format),
        (vec![id, id, algorithm, headers, signature], Fault::Format),
        (vec![id, algorithm, headers, signature, signature], Fault::Format),
        (vec![id, algorithm, headers, signature, "more=\"x\""], Fault::Format),
        (vec!["ID=\"AKID1\"", algorithm, headers, signature], Fault::Format),
        (vec!["id=AKID1", algorithm, headers, signature], Fault::Format),
        (vec!["id=\"AKID1", algorithm, headers, signature], Fault::Format),
        (vec![id, algorithm, headers, signature, ""], Fault::Format),
        (
            vec![id, "algorithm=\"hmac-md5\"", headers, signature],
            Fault::Algorithm("hmac-md5".into()),
        ),
        (
            vec![id, "algorithm=\"HMAC-SHA1\"", headers, signature],
            Fault::Algorithm("HMAC-SHA1".into()),
        ),
        (vec![id, "algorithm=\"none\"", headers, signature], Fault::Algorithm("none".into())),
    ] {
        fault(&with(&format!("hmac {}", parts.join(", "))), expected);
    }
    let many: Vec<String> = (0..33).map(|n| format!("h{n}")).collect();
    fault(
        &with(&authorization("AKID1", good.0, &many.join(" "), good.2)),
        Fault::HeaderMissing("h0".into()),
    );
    fault(&with("Basic QTpC"), Fault::Format);
    fault(&with("hmacid=\"AKID1\""), Fault::Format);
    fault(&with("hmac"), Fault::IdOrSignatureMissing);
    fault(
        &with(&authorization("AKID1", "hmac-sha1", "source x-date", "x")),
        Fault::HeaderMissing("source".into()),
    );
    // The name of the algorithm is told bounded and without what could disturb.
    let long = format!("\u{1b}[31m{}", "a".repeat(10_000));
    fault(
        &with(&authorization("AKID1", &long, "x-date", "x")),
        Fault::Algorithm(format!("[31m{}", "a".repeat(59)).into()),
    );
}

#[test]
fn wrong_keys_and_signatures_are_one() {
    let fields = [PAIR_DATE];
    let with = |id: &str, algorithm: &str, signature: &str| Given {
        authorization: authorization(id, algorithm, "x-date", signature),
        ..pair(&fields, "", "", "")
    };
    let same = SignatureFault::Mismatch { signed: None };
    for (id, algorithm, signature) in [
        ("AKID1", "hmac-sha1", "AAAAAAAAAAAAAAAAAAAAAAAAAAA="),
        ("AKID1", "hmac-sha1", "ah7ME/fiQJ6tpQaXbVhr1d4JYfU"),
        ("AKID1", "hmac-sha1", "ah7ME/fiQJ6tpQaXbVhr1d4JYfV="),
        ("AKID1", "hmac-sha1", "ah7ME_fiQJ6tpQaXbVhr1d4JYfU="),
        ("AKID1", "hmac-sha1", " ah7ME/fiQJ6tpQaXbVhr1d4JYfU="),
        ("AKID1", "hmac-sha1", "ah7M"),
        ("AKID1", "hmac-sha1", "="),
        ("AKID1", "hmac-sha256", "ah7ME/fiQJ6tpQaXbVhr1d4JYfU="),
        // Made with no secret at all, which nobody has.
        ("AKID1", "hmac-sha1", "8VxKSgxg17gWIRuyy/AdB6o9ROs="),
        ("AKID2", "hmac-sha1", "ah7ME/fiQJ6tpQaXbVhr1d4JYfU="),
        ("akid1", "hmac-sha1", "ah7ME/fiQJ6tpQaXbVhr1d4JYfU="),
        ("APID1", "hmac-sha1", "ah7ME/fiQJ6tpQaXbVhr1d4JYfU="),
        ("AKID1\u{fc}", "hmac-sha1", "ah7ME/fiQJ6tpQaXbVhr1d4JYfU="),
    ] {
        fault(&with(id, algorithm, signature), same.clone());
    }
    // In the form `app` an unknown id is told what it should have signed, as a known one is; also by the key that
    // stands in for those that are not there.
    let get = signed_app(("GET", "/a", ""), &[], GET_A);
    let signed = "x-date: Thu, 11 Mar 2021 08:29:58 GMT\nGET\n\n\n\n/a";
    for (id, signature) in
        [("APID1", "x"), ("APID2", GET_A.2), ("APID2", "1OQnbXd1/iy0Ex/UiuOGNUfbZVY=")]
    {
        let authorization = authorization(id, "hmac-sha1", "x-date", signature);
        let told = SignatureFault::Mismatch { signed: Some(signed.as_bytes().into()) };
        fault(&Given { authorization, ..get.clone() }, told);
    }
    // And its body is asked for alike.
    for id in ["APID1", "APID2"] {
        let mut given = with_body(signed_app(DATA, &JSON, A3), b"{}");
        given.authorization = authorization(id, "hmac-sha1", "x-date", A3.2);
        assert!(Stage::new().ask(&given).1, "{id}");
    }
}

#[test]
fn doubled_and_missing_headers() {
    use SignatureFault as Fault;
    let good = pair(&[PAIR_DATE], "hmac-sha1", "x-date", "ah7ME/fiQJ6tpQaXbVhr1d4JYfU=");
    let fields =
        |fields: &[(&'static str, &'static str)]| Given { fields: fields.to_vec(), ..good.clone() };
    fault(&fields(&[PAIR_DATE, PAIR_DATE]), Fault::Repeated);
    fault(&fields(&[PAIR_DATE, ("x-date", "x")]), Fault::Repeated);
    fault(&fields(&[]), Fault::HeaderMissing("x-date".into()));
    fault(&fields(&[("Date", PAIR_DATE.1)]), Fault::HeaderMissing("x-date".into()));
    fault(&fields(&[PAIR_DATE, ("Authorization", "hmac id=\"AKID2\"")]), Fault::Repeated);
    // Not signed, so it may stand there as often as it likes.
    right(&fields(&[PAIR_DATE, ("Source", "a"), ("Source", "b")]), false);
    // The form `app` covers these three whether they are listed or not.
    for name in ["Accept", "Content-Type", "Content-MD5"] {
        fault(&signed_app(("GET", "/a", ""), &[(name, "a"), (name, "a")], GET_A), Fault::Repeated);
    }
    // Required headers that are not in the list.
    let source = [PAIR_DATE, ("Source", "AndriodApp")];
    fault(&pair(&source, "hmac-sha1", "source", "x"), Fault::NoDate);
    let app = signed_app(("GET", "/a", ""), &[("Source", "a")], ("hmac-sha1", "source", "x"));
    fault(&app, Fault::DateInvalid);
    let date = signed_app(("GET", "/a", ""), &[("Date", APP_DATE.1)], ("hmac-sha1", "date", "x"));
    fault(&date, Fault::DateInvalid);
    // Another order than the one that was signed.
    mismatch(&pair(&source, "hmac-sha1", "source x-date", "msIchJTjNIFfjlU6UCV9u1qp1/Q="));
}

#[test]
fn one_form_is_never_taken_for_the_other() {
    let pair = pair(&[PAIR_DATE], "hmac-sha1", "x-date", "ah7ME/fiQJ6tpQaXbVhr1d4JYfU=");
    mismatch(&Given { form: HmacForm::App, ..pair });
    let app = signed_app(("GET", "/a", ""), &[], GET_A);
    mismatch(&Given { form: HmacForm::KeyPair, ..app });
}

#[test]
fn a_signature_beside_a_key() {
    let good = pair(&[PAIR_DATE], "hmac-sha1", "x-date", "ah7ME/fiQJ6tpQaXbVhr1d4JYfU=");
    let with = |authorization: &str, fields: &[(&'static str, &'static str)]| {
        let given = Given {
            authorization: authorization.to_owned(),
            fields: fields.to_vec(),
            ..good.clone()
        };
        Stage::new().ask(&given).0
    };
    assert_eq!(with("Bearer k1", &[]), Came::Phone);
    let invalid = Came::Refused(Reason::CredentialsInvalid);
    assert_eq!(with("Bearer k2", &[]), invalid);
    // Both, of the same app or of another: one of them was not meant.
    assert_eq!(with(&good.authorization, &[PAIR_DATE, ("X-Api-Key", "k1")]), invalid);
    assert_eq!(with(&good.authorization, &[PAIR_DATE, ("X-Api-Key", "k2")]), invalid);
}

#[test]
fn a_nonce_is_taken_once() {
    let nonce = ("X-Apigw-Nonce", "n-1");
    let signature = "nvRw7F1kSz0dcyPKu0Bw+FgyHMyFng1YLcPBCPlFj44=";
    let signed = pair(&[PAIR_DATE, nonce], "hmac-sha256", "x-date x-apigw-nonce", signature);
    let plain = pair(&[PAIR_DATE], "hmac-sha1", "x-date", "ah7ME/fiQJ6tpQaXbVhr1d4JYfU=");
    let unsigned = Given { fields: vec![PAIR_DATE, nonce], ..plain.clone() };
    let without_clock = pair(
        &[("Date", PAIR_DATE.1), nonce],
        "hmac-sha256",
        "date x-apigw-nonce",
        "AKklpFLssY0aU8d3S53u2O0f+SAWA3WGV20yvz8VGSw=",
    );
    let fault = |fault: SignatureFault| Came::Fault(fault);
    let invalid = || fault(SignatureFault::NonceInvalid);
    for (use_of, given, first, second) in [
        (NonceUse::Off, &signed, Came::Phone, Came::Phone),
        (NonceUse::Optional, &signed, Came::Phone, fault(SignatureFault::NonceUsed)),
        (NonceUse::Required, &signed, Came::Phone, fault(SignatureFault::NonceUsed)),
        (NonceUse::Optional, &plain, Came::Phone, Came::Phone),
        (NonceUse::Required, &plain, invalid(), invalid()),
        (NonceUse::Off, &unsigned, Came::Phone, Came::Phone),
        (NonceUse::Optional, &unsigned, invalid(), invalid()),
        (NonceUse::Off, &without_clock, Came::Phone, Came::Phone),
        (NonceUse::Optional, &without_clock, invalid(), invalid()),
    ] {
        let stage = Stage::new();
        let given = Given { nonce: use_of, ..given.clone() };
        assert_eq!(stage.ask(&given).0, first, "{use_of:?}");
        // At the far end of its time, too.
        let later = Given { now_s: given.now_s + 900, ..given };
        assert_eq!(stage.ask(&later).0, second, "{use_of:?}");
    }
    // A call that is refused uses no nonce up.
    let stage = Stage::new();
    let wrong = authorization("AKID1", "hmac-sha256", "x-date x-apigw-nonce", "x");
    let required = Given { nonce: NonceUse::Required, ..signed };
    let refused = stage.ask(&Given { authorization: wrong, ..required.clone() }).0;
    assert_eq!(refused, Came::Fault(SignatureFault::Mismatch { signed: None }));
    assert_eq!(stage.ask(&required).0, Came::Phone);
}

#[test]
fn parameters_are_bounded() {
    let many: &'static str = Box::leak("a&".repeat(1_001).into_boxed_str());
    let given = signed_app(("GET", "/a", many), &[], GET_A);
    fault(&given, SignatureFault::TooManyParameters);
    let form = with_body(signed_app(("POST", "/a", ""), &FORM_FIELDS, GET_A), many.as_bytes());
    fault(&form, SignatureFault::TooManyParameters);
    // What is told of a long text is bounded.
    let long: &'static str = Box::leak("a".repeat(100_000).into_boxed_str());
    let (came, _) = Stage::new().ask(&signed_app(("GET", "/a", long), &[], GET_A));
    let Came::Fault(SignatureFault::Mismatch { signed: Some(signed) }) = came else {
        panic!("{came:?}");
    };
    assert_eq!(signed.len(), TOLD_BYTES_MAX);
}

#[test]
fn a_secret_is_not_shown() {
    let signer = Signer::new(app("phone", None, None), APP_SECRET);
    assert!(!format!("{signer:?}").contains("Dc44"));
    assert!(!format!("{:?}", Stage::new().keys).contains("Dc44"));
}

#[test]
fn md5_of_the_standard() {
    // RFC 1321 §A.5.
    for (text, hex) in [
        ("", "d41d8cd98f00b204e9800998ecf8427e"),
        ("abc", "900150983cd24fb0d6963f7d28e17f72"),
        ("message digest", "f96b697d7cb7938d525a2f31aaf161d0"),
    ] {
        assert_eq!(hex_digest(text.as_bytes()), base64(hex.as_bytes()));
    }
}

#[test]
fn digits_without_the_zeros_in_front_are_taken_too() {
    // `{"n":1}` has the digest 082c26c8….
    let body = br#"{"n":1}"#;
    for (digits, taken) in [
        ("082c26c8a6bc75226a31da5495cc9292", true),
        ("82c26c8a6bc75226a31da5495cc9292", true),
        ("2c26c8a6bc75226a31da5495cc9292", false),
        ("0082c26c8a6bc75226a31da5495cc9292", false),
        ("082C26C8A6BC75226A31DA5495CC9292", false),
        ("", false),
    ] {
        assert_eq!(is_digest_of(base64(digits.as_bytes()).as_bytes(), body), taken, "{digits}");
    }
}
