//! Known names are found in every case, and near misses are not.

use super::Known;

#[test]
fn every_name_is_found_in_any_case() {
    for known in Known::all() {
        let name = known.name();
        assert_eq!(Known::from_name(name.as_bytes()), known, "{name}");
        assert_eq!(Known::from_name(name.to_uppercase().as_bytes()), known, "{name}");
    }
    assert_eq!(Known::Other.name(), "");
}

#[test]
fn near_misses_are_other() {
    for known in Known::all() {
        let name = known.name().as_bytes();
        for index in 0..name.len() {
            for byte in 0..=255 {
                let mut near = name.to_vec();
                near[index] = byte;
                let found = Known::from_name(&near);
                assert_eq!(found == known, near.eq_ignore_ascii_case(name), "{near:?}");
            }
        }
        assert_ne!(Known::from_name(&name[1..]), known);
    }
    assert_eq!(Known::from_name(b""), Known::Other);
    assert_eq!(Known::from_name(&[b'x'; 300]), Known::Other);
}
