//! The table of phases.

use super::*;

#[test]
fn phases_stand_in_their_order_with_a_reason_each() {
    for (index, phase) in Phase::ALL.iter().enumerate() {
        assert_eq!(*phase as usize, index);
        assert_eq!(phase.word(), format!("{phase:?}").to_lowercase());
        assert!(
            phase.reason().ends_with('.') && phase.reason().matches(". ").count() == 0,
            "one sentence: {phase:?}"
        );
    }
    assert_eq!(Phase::Record as usize + 1, Phase::ALL.len());
}
