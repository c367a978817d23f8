//! Durations and sizes: what is read, what is refused and why.

use proptest::prelude::*;

use super::{BYTES_MAX, ByteSize, DURATION_MS_MAX, Duration};

#[track_caller]
fn duration(text: &str, expected: Option<u64>) {
    assert_eq!(text.parse::<Duration>().ok().map(Duration::as_ms), expected, "{text}");
}

#[track_caller]
fn size(text: &str, expected: Option<u64>) {
    assert_eq!(text.parse::<ByteSize>().ok().map(ByteSize::as_bytes), expected, "{text}");
}

#[test]
fn durations() {
    duration("1ms", Some(1));
    duration("3s", Some(3_000));
    duration("007s", None);
    duration("012s", None);
    duration("10m", Some(600_000));
    duration("24h", Some(86_400_000));
    duration("366d", Some(DURATION_MS_MAX));
    for text in [
        "",
        "3",
        "s",
        "0s",
        "367d",
        "1.5s",
        "-1s",
        "3 s",
        "3S",
        "1m30s",
        "99999999999999999999d",
        "３s",
    ] {
        duration(text, None);
    }
}

#[test]
fn sizes() {
    size("0", Some(0));
    size("4096", Some(4_096));
    size("0", Some(0));
    size("010", None);
    size("01KiB", None);
    size("1B", Some(1));
    size("64KiB", Some(65_536));
    size("1MB", Some(1_000_000));
    size("1048576GiB", Some(BYTES_MAX));
    for text in
        ["", "KiB", "1.5MB", "-1", "1 KiB", "1k", "1048577GiB", "99999999999999999999", "1TB"]
    {
        size(text, None);
    }
}

proptest! {
    #[test]
    fn durations_are_read_again(ms in 1..=DURATION_MS_MAX, unit in prop::sample::select(vec![1, 1_000, 60_000, 3_600_000])) {
        let duration = Duration::from_ms((ms / unit).max(1) * unit.min(ms));
        prop_assume!(duration.as_ms() <= DURATION_MS_MAX);
        prop_assert_eq!(duration.to_string().parse(), Ok(duration));
    }

    #[test]
    fn sizes_are_read_again(bytes in 0..=BYTES_MAX, shift in 0..40_u32) {
        let size = ByteSize::from_bytes(bytes >> shift << shift);
        prop_assert_eq!(size.to_string().parse(), Ok(size));
    }

    #[test]
    fn nothing_panics(text in "\\PC{0,40}") {
        let _ = text.parse::<Duration>();
        let _ = text.parse::<ByteSize>();
    }
}
