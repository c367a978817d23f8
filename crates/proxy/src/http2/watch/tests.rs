//! Frames are followed alike however they are cut.

use super::*;

fn frame(kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![0, 0, payload.len() as u8, kind, flags, 0, 0, 0, 1];
    frame.extend_from_slice(payload);
    frame
}

/// What is seen of `frames` behind a preface, cut after every so many bytes.
fn check(frames: &[Vec<u8>], heads: u32, others: u32, amid: bool) {
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    bytes.extend(frames.concat());
    for step in 1..=bytes.len() {
        let mut followed = Frames::received();
        let mut sum = Seen::default();
        for piece in bytes.chunks(step) {
            let seen = followed.follow(piece);
            sum.heads += seen.heads;
            sum.others += seen.others;
        }
        assert_eq!(sum, Seen { heads, others, ..Seen::default() }, "{frames:?} by {step}");
        assert_eq!(followed.is_amid(), amid, "{frames:?} by {step}");
    }
}

#[test]
fn frames_are_counted_by_kind() {
    check(&[], 0, 0, false);
    check(&[frame(4, 0, b""), frame(6, 0, &[0; 8]), frame(8, 0, &[0; 4])], 0, 3, false);
    check(&[frame(1, 5, &[0x82; 20]), frame(3, 0, &[0; 4])], 1, 1, false);
    check(&[frame(1, 4, b"x"), frame(0, 0, b""), frame(0, 1, b"abc")], 1, 0, false);
    check(&[frame(200, 255, b"unknown")], 0, 1, false);
}

#[test]
fn streams_that_are_refused_are_seen_however_they_are_cut() {
    let bytes = [
        frame(3, 0, &[0, 0, 0, 7]),
        frame(0, 1, &[3; 9]),
        frame(3, 0, &[0, 0, 0, 8]),
        frame(3, 0, &[7, 0, 0, 0]),
        frame(3, 0, &[0, 0, 0, 7]),
    ]
    .concat();
    for step in 1..=bytes.len() {
        let mut followed = Frames::sent();
        let refused = bytes.chunks(step).map(|piece| followed.follow(piece).refused);
        assert_eq!(refused.sum::<u32>(), 2, "by {step}");
    }
}

#[test]
fn what_has_not_ended_is_seen() {
    check(&[frame(1, 0, b"x")], 1, 0, true);
    check(&[frame(1, 0, b"x"), frame(9, 0, b"y")], 1, 1, true);
    check(&[frame(1, 0, b"x"), frame(9, 4, b"y")], 1, 1, false);
    check(&[frame(1, 4, b"xyz")[..10].to_vec()], 1, 0, true);
    check(&[frame(6, 0, &[0; 8])[..4].to_vec()], 0, 0, true);
    // Payload that is awaited is for the stream to wait for.
    check(&[frame(0, 0, b"xyz")[..10].to_vec()], 0, 0, false);
}
