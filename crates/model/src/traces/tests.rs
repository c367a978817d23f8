//! Shares as they are written.

use crate::Share;

fn check(text: &str, millionths: Option<u32>) {
    let share = text.parse::<Share>().ok();
    assert_eq!(share.map(Share::millionths), millionths, "{text}");
    if let Some(share) = share {
        assert_eq!(share.to_string().parse::<Share>().ok(), Some(share), "{text}");
    }
}

#[test]
fn shares() {
    check("0%", Some(0));
    check("1%", Some(10_000));
    check("0.05%", Some(500));
    check("0.0001%", Some(1));
    check("12.5%", Some(125_000));
    check("100%", Some(1_000_000));
    check("100.0001%", None);
    check("101%", None);
    check("1", None);
    check("-1%", None);
    check("1.%", None);
    check(".5%", None);
    check("1e1%", None);
    check("0.00001%", None);
    check("9999999999%", None);
    check("%", None);
}

#[test]
fn a_share_is_written_short() {
    assert_eq!(Share::from_millionths(500).to_string(), "0.05%");
    assert_eq!(Share::from_millionths(10_000).to_string(), "1%");
    assert_eq!(Share::from_millionths(u32::MAX).to_string(), "100%");
}
