//! Dates, stages and readings.

use std::time::Duration;

use super::*;

#[test]
fn moments_as_rfc_3339() {
    let cases = [
        (0, "1970-01-01T00:00:00.000Z"),
        (951_782_399_999, "2000-02-28T23:59:59.999Z"),
        (951_782_400_000, "2000-02-29T00:00:00.000Z"),
        (1_709_251_199_000, "2024-02-29T23:59:59.000Z"),
        (1_798_761_600_001, "2027-01-01T00:00:00.001Z"),
        (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
    ];
    for (unix_ms, text) in cases {
        assert_eq!(rfc3339(SystemTime::UNIX_EPOCH + Duration::from_millis(unix_ms)), text);
    }
}

#[test]
fn a_failed_reading_leaves_what_serves() {
    let status = Status::default();
    assert_eq!(status.stage(), Stage::Starting);
    let load = |at_s, ok| Load {
        at: SystemTime::UNIX_EPOCH + Duration::from_secs(at_s),
        took_ms: 1,
        ok,
        diagnostics: Vec::new(),
    };
    status.loaded(load(10, true), Some(InForce::default()));
    status.enter(Stage::Serving);
    status.loaded(load(20, false), None);
    assert_eq!(status.stage(), Stage::Serving);
    assert_eq!(status.serving_since(), Some(SystemTime::UNIX_EPOCH + Duration::from_secs(10)));
}
