//! Floods: many frames that cost their sender next to nothing.

use portway_testkit::Http2;
use portway_testkit::frames::{Frame, block, flag, kind, request};

use super::target::{QUICK, Target};

/// What the gateway says when a caller breaks the rules, or asks for too much (RFC 9113 §7).
const PROTOCOL_ERROR: u32 = 1;
const ENHANCE_YOUR_CALM: u32 = 11;
/// The most frames of an attack that a connection may survive.
const FRAMES: u32 = 1_000;

/// Sends an attack's frames, `number` by `number`, and gives the code of the `GOAWAY`.
fn attack(
    target: &Target,
    at_once: bool,
    mut frames: impl FnMut(u32) -> Vec<Frame>,
) -> Option<u32> {
    let mut http2 = Http2::connect(target.gateway.address(), &[]);
    let (mut sent, mut bytes) = (0, Vec::new());
    for number in 0.. {
        let next = frames(number);
        sent += next.len() as u32;
        if sent > FRAMES {
            break;
        }
        bytes.extend(next.iter().flat_map(Frame::bytes));
        if !at_once && !http2.send(std::mem::take(&mut bytes)) {
            break;
        }
    }
    http2.send(bytes);
    http2.goodbye()
}

/// An attack ends its connection within a thousand frames, and only that.
fn check(name: &str, mut frames: impl FnMut(u32) -> Vec<Frame>) -> Target {
    let mut target = Target::new(QUICK, 100);
    for at_once in [true, false] {
        let code = attack(&target, at_once, &mut frames);
        // Frame by frame, the last words may meet a caller that is still talking.
        let is_told = code.is_some() || !at_once;
        assert!(is_told, "{name}: the connection ended without a word, or did not end");
        // Some of them are errors of the connection at once.
        assert!(
            matches!(code, None | Some(PROTOCOL_ERROR | ENHANCE_YOUR_CALM)),
            "{name}: {code:?}"
        );
    }
    target = target.stood();
    assert!(target.is_left(std::time::Duration::from_secs(5)), "{name}: connections stay");
    target
}

fn stream(number: u32) -> u32 {
    2 * number + 1
}

fn head(number: u32, flags: u8) -> Frame {
    Frame::new(kind::HEADERS, flags, stream(number), request("GET", "/"))
}

const WHOLE: u8 = flag::END_HEADERS | flag::END_STREAM;

#[test]
fn f3_pings() {
    let target = check("pings", |_| vec![Frame::new(kind::PING, 0, 0, [0; 8])]);
    assert!(target.reached("http2.frames") >= 2.0);
}

#[test]
fn f3_settings() {
    check("settings", |_| vec![Frame::new(kind::SETTINGS, 0, 0, [0, 4, 0, 1, 0, 0])]);
}

#[test]
fn f3_priorities() {
    check("priorities", |n| vec![Frame::new(kind::PRIORITY, 0, stream(n), [0, 0, 0, 0, 1])]);
}

#[test]
fn f3_windows_of_one_byte() {
    check("windows", |_| vec![Frame::new(kind::WINDOW_UPDATE, 0, 0, [0, 0, 0, 1])]);
}

#[test]
fn f3_frames_of_no_known_kind() {
    check("unknown", |_| vec![Frame::new(0xAA, 0xFF, 0, *b"whatever")]);
}

#[test]
fn f3_empty_data() {
    check("empty data", |n| match n {
        0 => vec![Frame::new(kind::HEADERS, flag::END_HEADERS, 1, request("POST", "/a"))],
        _ => vec![Frame::new(kind::DATA, 0, 1, [])],
    });
}

#[test]
fn f3_continuations() {
    check("continuations", |n| match n {
        0 => vec![Frame::new(kind::HEADERS, 0, 1, request("GET", "/"))],
        _ => vec![Frame::new(kind::CONTINUATION, 0, 1, [])],
    });
    check("long continuations", |n| match n {
        0 => vec![Frame::new(kind::HEADERS, 0, 1, request("GET", "/"))],
        _ => vec![Frame::new(kind::CONTINUATION, 0, 1, block(&[(b"x", &[b'y'; 1000])]))],
    });
}

#[test]
fn f3_rapid_resets() {
    check("rapid resets", |n| {
        vec![head(n, WHOLE), Frame::new(kind::RST_STREAM, 0, stream(n), [0, 0, 0, 8])]
    });
    // Of streams that cost a call to a backend that does not answer yet.
    let target = check("rapid resets, bodies", |n| {
        let reset = Frame::new(kind::RST_STREAM, 0, stream(n), [0, 0, 0, 8]);
        vec![
            Frame::new(kind::HEADERS, flag::END_HEADERS, stream(n), request("POST", "/a")),
            Frame::new(kind::DATA, 0, stream(n), *b"a"),
            reset,
        ]
    });
    assert!(target.backend.received().len() < 1_000_000);
}

#[test]
fn f3_resets_of_what_has_ended() {
    check("resets of what has ended", |n| match n {
        0 => vec![head(0, WHOLE), Frame::new(kind::RST_STREAM, 0, 1, [0, 0, 0, 8])],
        _ => vec![Frame::new(kind::RST_STREAM, 0, 1, [0, 0, 0, 8])],
    });
}

#[test]
fn f3_made_you_reset() {
    // A window that grows by nothing (RFC 9113 §6.9) makes the gateway reset the stream.
    check("window of nothing", |n| {
        vec![
            head(n, flag::END_HEADERS),
            Frame::new(kind::WINDOW_UPDATE, 0, stream(n), [0, 0, 0, 0]),
        ]
    });
    // One that grows too far.
    check("window too large", |n| {
        vec![
            head(n, flag::END_HEADERS),
            Frame::new(kind::WINDOW_UPDATE, 0, stream(n), [0x7F, 0xFF, 0xFF, 0xFF]),
        ]
    });
    // A body that is longer than its head said.
    check("lengths that lie", |n| {
        let lying = [request("POST", "/a"), block(&[(b"content-length", b"1")])].concat();
        vec![
            Frame::new(kind::HEADERS, flag::END_HEADERS, stream(n), lying),
            Frame::new(kind::DATA, flag::END_STREAM, stream(n), *b"abc"),
        ]
    });
    // Payload for a stream that has ended.
    check("payload behind the end", |n| {
        vec![head(n, WHOLE), Frame::new(kind::DATA, 0, stream(n), *b"abc")]
    });
    // A head that is malformed.
    check("malformed heads", |n| {
        vec![Frame::new(kind::HEADERS, WHOLE, stream(n), block(&[(b":method", b"GET")]))]
    });
}

#[test]
fn f3_more_streams_than_there_may_be() {
    check("streams", |n| {
        vec![Frame::new(kind::HEADERS, flag::END_HEADERS, stream(n), request("POST", "/a"))]
    });
}

/// Calls that are reset as soon as they are made, on one connection after the other: a million of them if
/// `PORTWAY_FAULTS` is `full`.
#[test]
fn f3_a_million_resets() {
    const AT_ONCE: u32 = 100;
    let is_full = std::env::var_os("PORTWAY_FAULTS").is_some_and(|value| value == "full");
    let many = if is_full { 1_000_000 } else { 20_000 };
    let target = Target::new(QUICK, 100);
    let begun = std::time::Instant::now();
    let (mut sent, mut connections) = (0, 0);
    while sent < many {
        let mut http2 = Http2::connect(target.gateway.address(), &[]);
        connections += 1;
        let mut number = 0;
        loop {
            let frames = (number..number + AT_ONCE).flat_map(|number| {
                let reset = Frame::new(kind::RST_STREAM, 0, stream(number), [0, 0, 0, 8]);
                [head(number, WHOLE), reset].map(|frame| frame.bytes()).concat()
            });
            if !http2.send(frames.collect::<Vec<u8>>()) {
                break;
            }
            number += AT_ONCE;
            assert!(number < 1_000_000, "one connection resets for ever");
        }
        sent += number;
        target.held();
    }
    let each = sent / connections;
    println!(
        "f3: {sent} calls reset on {connections} connections ({each} each) in {:.1?}",
        begun.elapsed()
    );
    assert!(target.is_left(std::time::Duration::from_secs(5)), "connections stay");
    target.stood();
}
