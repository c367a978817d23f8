//! Tests of the signs of life, as stories.

use super::{ASKED_MAX, DOUBT_MS, GONE_MS, Pulse, QUIET_MS};

#[derive(Clone, Copy)]
enum Event {
    /// A call is put on the connection.
    Call,
    /// Bytes came.
    Bytes,
    /// An answer to a call came.
    Answer,
}
use Event::{Answer, Bytes, Call};

/// What is asked, and how it looks at `at_ms`, after some events: (questions, doubtful, given up at).
fn check(story: &[(u64, Event)], at_ms: u64, expected: (u32, bool, u64)) {
    let pulse = Pulse::new(0);
    let mut questions = 0;
    for (now_ms, event) in story {
        match event {
            Call => pulse.begin(*now_ms),
            Bytes => pulse.hear(*now_ms),
            Answer => {
                pulse.hear(*now_ms);
                pulse.answered();
            }
        }
        questions += u32::from(pulse.take_question());
    }
    assert_eq!((questions, pulse.is_doubtful(at_ms), pulse.gone_ms()), expected);
}

const Q: u64 = QUIET_MS;

#[test]
fn a_connection_that_is_heard_is_not_asked() {
    check(&[], 1_000_000, (0, false, u64::MAX));
    check(&[(Q - 1, Call)], 1_000_000, (0, false, u64::MAX));
    check(&[(5, Bytes), (Q + 4, Call)], 1_000_000, (0, false, u64::MAX));
}

#[test]
fn a_call_after_quiet_asks_once() {
    check(&[(Q, Call)], Q + DOUBT_MS - 1, (1, false, Q + GONE_MS));
    check(&[(Q, Call)], Q + DOUBT_MS, (1, true, Q + GONE_MS));
    // Others do not put the end off.
    check(&[(Q, Call), (Q + 900, Call), (Q + 999, Call)], Q + DOUBT_MS, (1, true, Q + GONE_MS));
}

#[test]
fn whatever_comes_is_an_answer() {
    check(&[(Q, Call), (Q + 5_000, Bytes)], Q + 9_000, (1, false, u64::MAX));
    check(&[(Q, Call), (Q + 1, Answer), (2 * Q, Call)], 9 * Q, (1, false, u64::MAX));
    check(&[(Q, Call), (Q + 1, Answer), (3 * Q, Call)], 3 * Q, (2, false, 3 * Q + GONE_MS));
}

#[test]
fn a_server_that_only_answers_questions_is_not_asked_for_ever() {
    let asking = |times: u64| -> Vec<(u64, Event)> {
        (1..=times).flat_map(|n| [(3 * n * Q, Call), (3 * n * Q + 1, Bytes)]).collect()
    };
    check(&asking(10), 1_000 * Q, (ASKED_MAX, false, u64::MAX));
    let mut fed = asking(10);
    fed.push((40 * Q, Answer));
    fed.push((50 * Q, Call));
    check(&fed, 50 * Q, (ASKED_MAX + 1, false, 50 * Q + GONE_MS));
}

#[test]
fn what_could_not_be_asked_is_not_held_against_it() {
    let pulse = Pulse::new(0);
    pulse.begin(Q);
    assert!(pulse.take_question());
    pulse.could_not_ask();
    assert!(!pulse.is_doubtful(100 * Q));
    assert_eq!(pulse.gone_ms(), u64::MAX);
}

#[test]
fn silence_is_measured_from_a_moment() {
    let pulse = Pulse::new(7);
    assert!(pulse.is_silent_since(7));
    pulse.hear(8);
    assert!(!pulse.is_silent_since(7) && pulse.is_silent_since(8));
}
