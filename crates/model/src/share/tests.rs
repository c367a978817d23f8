//! Shares as they are written.

use super::Share;

#[test]
fn shares_are_read_and_written() {
    let check = |text: &str, expected: Option<(u32, &str)>| {
        let read = text.parse::<Share>().ok();
        assert_eq!(read.map(|share| share.0), expected.map(|(steps, _)| steps), "{text}");
        if let (Some(share), Some((_, shown))) = (read, expected) {
            assert_eq!(share.to_string(), shown);
        }
    };
    check("1%", Some((1_000, "1%")));
    check("0.05%", Some((50, "0.05%")));
    check("12.345%", Some((12_345, "12.345%")));
    check("99.5%", Some((99_500, "99.5%")));
    check("100%", Some((100_000, "100%")));
    check("100.0%", Some((100_000, "100%")));
    for text in [
        "", "%", "1", "0%", "0.000%", "1.%", ".5%", "0.0001%", "101%", "100.1%", "01%", "-1%",
        "1e1%", "1 %",
    ] {
        check(text, None);
    }
}

#[test]
fn a_share_takes_its_part_of_all_numbers() {
    let share: Share = "25%".parse().expect("a share");
    let taken = (0..10_000_u64).filter(|n| share.takes(n * (u64::MAX / 10_000))).count();
    assert!((2_499..=2_501).contains(&taken), "{taken}");
    let all: Share = "100%".parse().expect("a share");
    assert!(all.takes(u64::MAX) && all.takes(0));
    let least: Share = "0.001%".parse().expect("a share");
    assert!(least.takes(0) && !least.takes(u64::MAX));
}
