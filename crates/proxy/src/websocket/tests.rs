//! Tests of where frames end.

use super::*;

/// A frame of a kind with so many bytes in it.
fn frame(kind: u8, payload: usize, masked: bool) -> Vec<u8> {
    let mask = if masked { 0x80 } else { 0 };
    let mut bytes = vec![0x80 | kind];
    match payload {
        ..126 => bytes.push(mask | payload as u8),
        126..65_536 => {
            bytes.push(mask | 126);
            bytes.extend((payload as u16).to_be_bytes());
        }
        _ => {
            bytes.push(mask | 127);
            bytes.extend((payload as u64).to_be_bytes());
        }
    }
    if masked {
        bytes.extend([0x88; 4]);
    }
    // Payload that looks like frames.
    bytes.extend(std::iter::repeat_n(0x88, payload));
    bytes
}

#[test]
fn frames_end_where_they_end_however_they_are_cut() {
    for payload in [0, 1, 125, 126, 127, 300, 65_535, 65_536, 70_000] {
        for masked in [false, true] {
            let bytes = [frame(2, payload, masked), frame(9, 3, masked)].concat();
            let first = bytes.len() - frame(9, 3, masked).len();
            for piece in [1, 2, 3, 7, 1_000, bytes.len()] {
                let (mut frames, mut at) = (Frames::default(), 0);
                for part in bytes.chunks(piece) {
                    assert_eq!(frames.to_end() == 0, at == 0 || at == first, "{payload} at {at}");
                    assert!(at + frames.to_end() as usize <= bytes.len());
                    frames.pass(part);
                    at += part.len();
                }
                assert_eq!((frames.to_end(), frames.closed), (0, false), "{payload} {piece}");
            }
        }
    }
}

#[test]
fn a_close_is_seen_as_a_frame_and_not_within_one() {
    let mut frames = Frames::default();
    frames.pass(&frame(1, 10, false));
    assert!(!frames.closed);
    frames.pass(&frame(8, 2, false));
    assert!(frames.closed);
    assert_eq!(frames.to_end(), 0);
}

#[test]
fn a_length_without_end_is_no_trouble() {
    let mut frames = Frames::default();
    frames.pass(&[0x82, 127]);
    frames.pass(&[0xff; 8]);
    assert_eq!(frames.to_end(), u64::MAX);
    frames.pass(&[0; 100]);
    assert_eq!(frames.to_end(), u64::MAX - 100);
}
