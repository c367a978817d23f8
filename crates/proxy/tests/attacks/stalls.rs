//! Callers that take little or nothing: of their windows, or of their sockets.

use std::time::{Duration, Instant};

use portway_testkit::Http2;
use portway_testkit::frames::{flag, kind, request};

use super::target::{QUICK, Target};

#[test]
fn c20_windows_that_stay_shut() {
    // Of answers small and large: what waits has a deadline, wherever it waits.
    for answer_bytes in [100, 3_000, 2_000_000] {
        let target = Target::new(QUICK, answer_bytes);
        let mut all: Vec<Http2> =
            (0..5).map(|_| Http2::connect(target.gateway.address(), &[(4, 0)])).collect();
        for http2 in &mut all {
            for _ in 0..80 {
                http2.ask(request("GET", "/"));
            }
        }
        let begun = Instant::now();
        for http2 in &mut all {
            let mut reset = 0;
            while reset < 80 {
                let frame = http2.next_frame().expect("the connection is open");
                reset += usize::from(frame.kind == kind::RST_STREAM);
            }
        }
        // The backend takes its time for all these calls.
        assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
        assert!(target.reached("http2.stall_timeout") >= 400.0);
        target.stood();
    }
}

#[test]
fn f1_windows_that_open_byte_by_byte() {
    let target = Target::new(QUICK, 100_000);
    let mut http2 = Http2::connect(target.gateway.address(), &[(4, 1)]);
    let stream = http2.ask(request("GET", "/"));
    let begun = Instant::now();
    loop {
        http2.frame(kind::WINDOW_UPDATE, 0, stream, [0, 0, 0, 1]);
        let frame = http2.next_frame().expect("the connection is open");
        if frame.kind == kind::RST_STREAM {
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(5), "it goes on");
        std::thread::sleep(Duration::from_millis(20));
    }
    target.stood();
}

#[test]
fn c20_a_socket_that_is_not_read() {
    // The windows are wide open, so that only the socket says no.
    let target = Target::new(QUICK, 1_000_000);
    let mut all: Vec<Http2> = (0..4)
        .map(|_| {
            let mut http2 = Http2::connect(target.gateway.address(), &[(4, 0x7FFF_FFFF)]);
            http2.frame(kind::WINDOW_UPDATE, 0, 0, 0x7FFE_FFFF_u32.to_be_bytes());
            for _ in 0..100 {
                http2.ask(request("GET", "/"));
            }
            http2
        })
        .collect();
    let due = Instant::now() + Duration::from_secs(20);
    while target.reached("write_timeout") < 4.0 && Instant::now() < due {
        target.held();
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(target.reached("write_timeout") >= 4.0, "{}", target.reached("write_timeout"));
    let target = target.stood();
    for http2 in &mut all {
        while http2.next_frame().is_some() {}
    }
    assert!(target.is_left(Duration::from_secs(5)));
}

#[test]
fn f1_a_body_that_does_not_come_and_a_connection_that_idles() {
    let settings = QUICK.replace("bounds: {", "bounds: { body_timeout: 300ms,");
    let target = Target::new(&settings, 100);
    let mut http2 = Http2::connect(target.gateway.address(), &[]);
    let stream = http2.stream();
    http2.frame(kind::HEADERS, flag::END_HEADERS, stream, request("POST", "/a"));
    http2.frame(kind::DATA, 0, stream, *b"abc");
    assert_eq!(http2.outcome(stream).expect("an answer").status(), 408);
    // Pings keep no connection that has no streams.
    let begun = Instant::now();
    while http2.frame(kind::PING, 0, 0, [0; 8]) && begun.elapsed() < Duration::from_secs(8) {
        std::thread::sleep(Duration::from_millis(100));
    }
    assert!(begun.elapsed() < Duration::from_secs(8), "it is still open");
    assert!(target.reached("idle_timeout") >= 1.0);
    target.stood();
}

#[test]
fn c20_uploads_that_nobody_takes_are_held_within_windows() {
    let target = Target::new(QUICK, 100);
    let mut all: Vec<Http2> = (0..10)
        .map(|_| {
            let mut http2 = Http2::connect(target.gateway.address(), &[]);
            http2.set_write_patience(Duration::from_millis(200));
            // Frames of one byte cost most to hold.
            for _ in 0..5 {
                let stream = http2.stream();
                http2.frame(kind::HEADERS, flag::END_HEADERS, stream, request("POST", "/a"));
                let data: Vec<u8> = (0..2_000)
                    .flat_map(|_| portway_testkit::Frame::new(kind::DATA, 0, stream, *b"x").bytes())
                    .collect();
                http2.send(data);
            }
            http2
        })
        .collect();
    target.held();
    for http2 in &mut all {
        http2.goodbye();
    }
    target.stood();
}
