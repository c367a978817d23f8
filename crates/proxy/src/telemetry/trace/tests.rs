//! W3C trace context: continued, or begun anew.

use proptest::prelude::*;

use super::*;

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const PARENT: &str = "b7ad6b7169203331";

fn random() -> Random {
    Random::from_seed([7; 32])
}

/// What goes on to the backend is the caller's trace, another span, and the flags.
#[track_caller]
fn check_continued(traceparent: &str, flags: &str) {
    let context = TraceContext::from_field(Some(traceparent.as_bytes()), &random());
    assert!(context.is_continued(), "{traceparent}");
    assert_eq!(context.trace_id(), TRACE.as_bytes());
    assert_ne!(context.span_id(), PARENT.as_bytes());
    let out = context.traceparent();
    assert_eq!(
        std::str::from_utf8(&out).unwrap(),
        format!("00-{TRACE}-{}-{flags}", context.span_id().escape_ascii())
    );
}

#[track_caller]
fn check_new(traceparent: &str) {
    let context = TraceContext::from_field(Some(traceparent.as_bytes()), &random());
    assert!(!context.is_continued(), "{traceparent}");
    assert_ne!(context.trace_id(), TRACE.as_bytes(), "{traceparent}");
    let out = context.traceparent();
    assert!(parse_traceparent(&out).is_some(), "what is made is valid");
    assert!(out.ends_with(b"-03"));
}

#[test]
fn valid_parents_are_continued() {
    check_continued(&format!("00-{TRACE}-{PARENT}-01"), "01");
    check_continued(&format!("00-{TRACE}-{PARENT}-00"), "00");
    check_continued(&format!("00-{TRACE}-{PARENT}-03"), "03");
    check_continued(&format!("00-{TRACE}-{PARENT}-ff"), "03");
    check_continued(&format!("00-{TRACE}-{PARENT}-08"), "00");
}

#[test]
fn versions_to_come_are_read_as_far_as_they_are_known() {
    check_continued(&format!("01-{TRACE}-{PARENT}-01"), "01");
    check_continued(&format!("fe-{TRACE}-{PARENT}-03"), "01");
    check_continued(&format!("cc-{TRACE}-{PARENT}-01-what-the-future-will-be-like"), "01");
    check_continued(&format!("cc-{TRACE}-{PARENT}-01-"), "01");
    check_new(&format!("cc-{TRACE}-{PARENT}-01.what"));
    check_new(&format!("cc-{TRACE}-{PARENT}-011"));
}

#[test]
fn invalid_parents_begin_a_new_trace() {
    for invalid in [
        String::new(),
        "00".to_owned(),
        format!("ff-{TRACE}-{PARENT}-01"),
        format!("00-{TRACE}-{PARENT}-01-more"),
        format!("00-{TRACE}-{PARENT}-01 "),
        format!(" 00-{TRACE}-{PARENT}-01"),
        format!("00-{TRACE}-{PARENT}-0"),
        format!("00-{TRACE}-{PARENT}-0g"),
        format!("00-{TRACE}-{PARENT}-0F"),
        format!("00-{TRACE}-{PARENT}_01"),
        format!("00_{TRACE}-{PARENT}-01"),
        format!("00-{TRACE}_{PARENT}-01"),
        format!("0x-{TRACE}-{PARENT}-01"),
        format!("0-{TRACE}-{PARENT}-001"),
        format!("00-{}-{PARENT}-01", "0".repeat(32)),
        format!("00-{TRACE}-{}-01", "0".repeat(16)),
        format!("00-{}-{PARENT}-01", TRACE.to_uppercase()),
        format!("00-{TRACE}-{}-01", PARENT.to_uppercase()),
        format!("00-{}-{PARENT}-01", TRACE.replace('0', ".")),
        format!("00-{}é-{PARENT}-01", &TRACE[2..]),
    ] {
        check_new(&invalid);
    }
}

struct Fields<'a>(&'a [&'a str]);

impl portway_policy::Headers for Fields<'_> {
    fn first(&self, _: &str) -> Option<&[u8]> {
        self.0.first().map(|value| value.as_bytes())
    }
    fn each(&self, name: &str, see: &mut dyn FnMut(&[u8])) {
        assert_eq!(name, "traceparent");
        self.0.iter().for_each(|value| see(value.as_bytes()));
    }
}

#[test]
fn a_repeated_parent_is_none() {
    let parent = format!("00-{TRACE}-{PARENT}-01");
    let continued = |fields: &[&str]| TraceContext::of(&Fields(fields), &random()).is_continued();
    assert!(continued(&[&parent]));
    assert!(!continued(&[]));
    assert!(!continued(&[&parent, &parent]));
    assert!(!continued(&[&parent, ""]));
}

#[track_caller]
fn check_state(field: &str, valid: bool) {
    assert_eq!(is_tracestate([field.as_bytes()].into_iter()), valid, "{field}");
}

#[test]
fn all_fields_are_one_state() {
    let check = |fields: &[&str], valid: bool| {
        let fields_of = fields.iter().map(|field| field.as_bytes());
        assert_eq!(is_tracestate(fields_of), valid, "{fields:?}");
    };
    check(&["a=1", "b=2"], true);
    check(&["a=1", "", "b=2,c=3"], true);
    check(&["a=1", "a=2"], false);
    check(&["a=1", "no state"], false);
    let half: Vec<String> = (0..17).map(|n| format!("k{n}=1")).collect();
    let rest: Vec<String> = (17..33).map(|n| format!("k{n}=1")).collect();
    let (half, rest) = (half.join(","), rest.join(","));
    check(&[&half, &rest], false);
    check(&[&half, rest.rsplit_once(',').expect("several").0], true);
    let members = |from: usize| -> String {
        (from..from + 8).map(|n| format!("k{n}={},", "v".repeat(256))).collect()
    };
    check(&[&members(0)], true);
    check(&[&members(0), &members(8)], false);
}

#[test]
fn states() {
    for valid in [
        "rojo=00f067aa0ba902b7",
        "rojo=1,congo=t61rcWkgMzE",
        "rojo=1 , \tcongo=2",
        "rojo=1,,",
        "a/b*c_d-e0=!~",
        "fw529a3039@dt=FfA",
        "0tenant@system=1",
        "a= x",
    ] {
        check_state(valid, true);
    }
    for invalid in [
        "",
        ",",
        " ",
        "rojo",
        "=1",
        "rojo=",
        "rojo=1=2",
        "Rojo=1",
        "0rojo=1",
        "rojo=1,rojo=2",
        "a@=1",
        "@a=1",
        "a@0=1",
        "a@b@c=1",
        "a=\u{e9}",
        "a=\x7f",
        "a =1",
    ] {
        check_state(invalid, false);
    }
    let members =
        |count: usize| (0..count).map(|index| format!("k{index}=1")).collect::<Vec<_>>().join(",");
    check_state(&members(32), true);
    check_state(&members(33), false);
    check_state(&format!("{}=1", "a".repeat(256)), true);
    check_state(&format!("{}=1", "a".repeat(257)), false);
    check_state(&format!("{}@{}=1", "a".repeat(241), "b".repeat(14)), true);
    check_state(&format!("{}@{}=1", "a".repeat(242), "b".repeat(14)), false);
    check_state(&format!("a@{}=1", "b".repeat(15)), false);
    check_state(&format!("a={}", "1".repeat(256)), true);
    check_state(&format!("a={}", "1".repeat(257)), false);
}

#[test]
fn request_ids_of_ours_sort_by_time() {
    let random = random();
    let ids: Vec<String> = [0, 1, 255, 1_795_508_554_042]
        .map(|ms| RequestId::make(ms, &random).as_str().to_owned())
        .into();
    assert!(ids.is_sorted());
    assert!(ids.iter().all(|id| id.len() == REQUEST_ID_BYTES));
    assert_eq!(u64::from_str_radix(&ids[3][..12], 16).unwrap(), 1_795_508_554_042);
    assert_ne!(RequestId::make(5, &random), RequestId::make(5, &random));
}

#[test]
fn only_sane_ids_are_kept() {
    let random = random();
    let longest = "x".repeat(REQUEST_ID_BYTES_MAX);
    for kept in [
        "7",
        "f47ac10b-58cc-4372-a567-0e02b2c3d479",
        "Root=1-67891233-abcdef012345678912345678",
        "a_b.c~d+e/f=g:h@i",
        &longest,
    ] {
        assert_eq!(RequestId::choose(Some(kept.as_bytes()), 0, &random).as_str(), kept);
    }
    let too_long = "x".repeat(REQUEST_ID_BYTES_MAX + 1);
    for replaced in ["", " ", "a b", "a\"b", "a,b", "<b>", "é", "a\tb", &too_long] {
        let id = RequestId::choose(Some(replaced.as_bytes()), 0, &random);
        assert_eq!(id.as_str().len(), REQUEST_ID_BYTES, "{replaced}");
    }
    assert_eq!(RequestId::choose(None, 0, &random).as_bytes().len(), REQUEST_ID_BYTES);
}

#[test]
fn the_generator_is_xoshiro256_plus_plus() {
    // The reference implementation's first numbers for the state 1, 2, 3, 4.
    let mut seed = [0; 32];
    (1..=4).for_each(|word: u8| seed[8 * (usize::from(word) - 1)] = word);
    let random = Random::from_seed(seed);
    let numbers: Vec<u64> = (0..4).map(|_| random.next_u64()).collect();
    assert_eq!(numbers, [41_943_041, 58_720_359, 3_588_806_011_781_223, 3_591_011_842_654_386]);
}

#[test]
fn generators_differ_and_never_stand_still() {
    assert_ne!(Random::from_system().next_u64(), Random::from_system().next_u64());
    let zeros = Random::from_seed([0; 32]);
    assert_ne!(zeros.next_u64(), zeros.next_u64());
}

proptest! {
    #[test]
    fn hex_is_hex(number in any::<u64>()) {
        let digits = hex8(number);
        prop_assert_eq!(ascii(&digits), format!("{number:016x}"));
    }

    #[test]
    fn any_parent_gives_a_valid_one(field in proptest::collection::vec(any::<u8>(), 0..80), seed in any::<[u8; 32]>()) {
        let context = TraceContext::from_field(Some(&field), &Random::from_seed(seed));
        prop_assert!(parse_traceparent(&context.traceparent()).is_some());
        is_tracestate([&field[..]].into_iter());
    }
}
