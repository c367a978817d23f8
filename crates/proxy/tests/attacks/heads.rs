//! Bombs: heads that are small on the wire and large in memory.

use portway_testkit::Http2;
use portway_testkit::frames::{block, flag, kind, request};

use super::target::{QUICK, Target};

/// A field as a literal that goes into the table (RFC 7541 §6.2.1), then named again by one byte.
fn indexed(name: &[u8], value: &[u8], times: usize) -> Vec<u8> {
    let mut block = vec![0x40, name.len() as u8];
    block.extend_from_slice(name);
    // A length of seven bits and more.
    let mut left = value.len() - 0x7F;
    block.push(0x7F);
    while left >= 0x80 {
        block.push(left as u8 | 0x80);
        left >>= 7;
    }
    block.push(left as u8);
    block.extend_from_slice(value);
    // The newest entry of the table is number 62.
    block.extend(std::iter::repeat_n(0x80 | 62, times));
    block
}

#[test]
fn c20_a_bomb_of_indexed_fields() {
    let target = Target::new(QUICK, 100);
    for (name, value) in [(&b"x"[..], vec![b'y'; 3_900]), (b"cookie", vec![b'c'; 3_900])] {
        for times in [5, 100, 10_000] {
            let mut http2 = Http2::connect(target.gateway.address(), &[]);
            let bomb = [request("GET", "/"), indexed(name, &value, times)].concat();
            let stream = http2.ask(bomb);
            let outcome = http2.outcome(stream);
            match times {
                5 => assert_eq!(outcome.expect("an answer").status(), 200),
                _ => assert!(
                    outcome
                        .is_none_or(|frame| frame.kind != kind::HEADERS || frame.status() == 431),
                    "{times} fields of {} bytes",
                    value.len()
                ),
            }
        }
    }
    assert_eq!(target.backend.received().iter().filter(|got| got.head.len() > 100_000).count(), 0);
    target.stood();
}

#[test]
fn c20_crumbs_of_cookies_are_counted_one_by_one() {
    let target = Target::new(QUICK, 100);
    for (crumbs, status) in [(50, 200), (150, 431), (700, 431)] {
        let mut http2 = Http2::connect(target.gateway.address(), &[]);
        let crumb: (&[u8], &[u8]) = (b"cookie", b"");
        let bomb = [request("GET", "/"), block(&vec![crumb; crumbs])].concat();
        let stream = http2.ask(bomb);
        assert_eq!(http2.outcome(stream).expect("an answer").status(), status, "{crumbs}");
    }
    assert!(target.reached("head_fields") >= 2.0);
    target.stood();
}

#[test]
fn c20_the_heads_of_a_connection_are_weighed_together() {
    // Streams that are answered into a window that is shut, each with a large head.
    let target = Target::new(QUICK, 100);
    let connections = 20;
    let mut all: Vec<Http2> =
        (0..connections).map(|_| Http2::connect(target.gateway.address(), &[(4, 0)])).collect();
    let large = [request("GET", "/"), block(&[(b"x-large", &[b'x'; 8_000])])].concat();
    let mut refused = 0;
    for http2 in &mut all {
        let mut last = 0;
        for _ in 0..60 {
            last = http2.ask(&large[..]);
        }
        while let Some(frame) = http2.next_frame() {
            if frame.kind == kind::RST_STREAM && frame.code() == 7 {
                refused += 1;
            }
            if frame.stream == last {
                break;
            }
        }
    }
    // 256 KiB hold some thirty of them.
    assert!(refused >= connections * 20, "only {refused} streams were refused");
    target.held();
    assert!(target.reached("http2.connection_head_bytes") >= f64::from(connections * 20));
    target.stood();
}

#[test]
fn f1_a_head_that_does_not_end() {
    let target = Target::new(QUICK, 100);
    for frames in [
        // A block that goes on, a frame that does not end, the head of a frame that does not end.
        vec![(kind::HEADERS, 0, request("GET", "/"))],
        vec![(kind::HEADERS, 0, request("GET", "/")), (kind::CONTINUATION, 0, Vec::new())],
    ] {
        let mut http2 = Http2::connect(target.gateway.address(), &[]);
        for (kind, flags, payload) in frames {
            http2.frame(kind, flags, 1, payload);
        }
        assert_eq!(http2.goodbye(), Some(11));
    }
    for cut in [
        &b"\0\0\x08\x06"[..],
        b"\0\0\x20\x01\x05\0\0\0\x01\x82",
        b"\0\x40\x00\x01\x05\0\0\0\x01",
        b"\0\0\x08\x06\0\0\0\0\0\0\0",
    ] {
        let mut http2 = Http2::connect(target.gateway.address(), &[]);
        http2.send(cut);
        assert_eq!(http2.goodbye(), Some(11), "{cut:?}");
    }
    assert_eq!(target.reached("head_timeout"), 6.0);
    // Byte by byte, for ever.
    let mut http2 = Http2::connect(target.gateway.address(), &[]);
    let begun = std::time::Instant::now();
    http2.frame(kind::HEADERS, flag::END_STREAM, 1, request("GET", "/"));
    while http2.frame(kind::CONTINUATION, 0, 1, b"\0".to_vec()) {
        assert!(begun.elapsed().as_secs() < 5, "it goes on");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    target.stood();
}
