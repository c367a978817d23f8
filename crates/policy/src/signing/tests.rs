//! The texts are those that signatures are judged by: what a judge says would have had to be signed is what is told.

use portway_model as model;
use portway_model::{HmacAuth, HmacForm, SignatureAuth};

use super::*;
use crate::test_call::{Fields, Hands, call, keys};
use crate::{Body, Detail, MemoryCounters, World};

const DATE: (&str, &str) = ("X-Date", "Thu, 11 Mar 2021 08:29:58 GMT");
const DATE_S: i64 = 1_615_451_398;

fn hmac(form: HmacForm) -> Identify {
    let document = HmacAuth { form, ..HmacAuth::default() };
    Identify::compile(&model::Auth::AnyOf(vec![model::AuthKind::Hmac(document)]))
}

fn authorization(headers: &str) -> String {
    format!("hmac id=\"a\", algorithm=\"hmac-sha256\", headers=\"{headers}\", signature=\"x\"")
}

fn told(
    identify: &Identify,
    fields: &[(&'static str, &str)],
    body: Body<'_>,
) -> Option<Result<TextToSign, SignatureFault>> {
    let fields = Fields::of(fields);
    text_to_sign(identify, &Call { method: "POST", body, ..call(&fields, "b=2&a=1") })
}

#[test]
fn texts_of_each_kind() {
    let list = authorization("x-date");
    let pair = told(&hmac(HmacForm::KeyPair), &[DATE, ("Authorization", &list)], Body::None);
    let pair = pair.expect("signed").expect("right");
    assert_eq!(pair.text, b"x-date: Thu, 11 Mar 2021 08:29:58 GMT");
    assert_eq!(
        (pair.kind, pair.id.as_str(), pair.signed_at_s),
        ("hmac key_pair", "a", Some(DATE_S))
    );

    let fields =
        [DATE, ("Authorization", list.as_str()), ("Accept", "*/*"), ("Content-Type", "text/plain")];
    let app = told(&hmac(HmacForm::App), &fields, Body::Held(b"hello"));
    let app = app.expect("signed").expect("right");
    let expected = "x-date: Thu, 11 Mar 2021 08:29:58 GMT\nPOST\n*/*\ntext/plain\n\
                    NWQ0MTQwMmFiYzRiMmE3NmI5NzE5ZDkxMTAxN2M1OTI=\n/orders/7?a=1&b=2";
    assert_eq!(String::from_utf8_lossy(&app.text), expected);
}

/// What the judge of a wrong signature has, word for word.
#[test]
fn the_text_is_the_judges() {
    let identify = hmac(HmacForm::App);
    let list = authorization("x-date");
    for (body, fields) in [
        (Body::None, vec![DATE]),
        (Body::Held(b"hello"), vec![DATE]),
        (Body::Held(b"a=2"), vec![DATE, ("Content-Type", "application/x-www-form-urlencoded")]),
        (Body::Held(b"hello"), vec![DATE, ("Content-MD5", "x")]),
    ] {
        let mut fields = fields;
        fields.push(("Authorization", &list));
        let told = told(&identify, &fields, body).expect("signed").expect("right").text;
        let fields = Fields::of(&fields);
        let hands = Hands::default();
        hands.unix_ms.store(DATE_S.unsigned_abs() * 1_000, std::sync::atomic::Ordering::Relaxed);
        let (counters, keys) = (MemoryCounters::default(), keys(&[]));
        let world = World { clock: &hands, counters: &counters, keys: &keys };
        let asked = Call { method: "POST", body, ..call(&fields, "b=2&a=1") };
        let refusal = identify.identify(&asked, &world).expect_err("the signature is wrong");
        let Detail::Signature(fault) = refusal.detail else { panic!("{refusal:?}") };
        let SignatureFault::Mismatch { signed: Some(signed) } = *fault else { panic!("{fault:?}") };
        assert_eq!(String::from_utf8_lossy(&signed), String::from_utf8_lossy(&told));
    }
}

#[test]
fn what_shows_no_signature_has_no_text() {
    let message = Identify::compile(&model::Auth::AnyOf(vec![model::AuthKind::Signature(
        SignatureAuth::default(),
    )]));
    type Given<'a> = &'a [(&'static str, &'a str)];
    let cases: [(&Identify, Given<'_>, Option<SignatureFault>); 5] = [
        (&Identify::Public, &[], None),
        (&hmac(HmacForm::App), &[], None),
        (&hmac(HmacForm::App), &[("Authorization", "Bearer x")], None),
        (&hmac(HmacForm::App), &[("Authorization", "hmac x")], Some(SignatureFault::Format)),
        (&message, &[("Signature", "x")], Some(SignatureFault::InputInvalid)),
    ];
    for (identify, fields, expected) in cases {
        let told = told(identify, fields, Body::None);
        assert_eq!(told.map(|told| told.expect_err("wrong")), expected, "{fields:?}");
    }
}
