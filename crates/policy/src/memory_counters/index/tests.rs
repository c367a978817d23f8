//! The index against the table of the standard library.

use std::collections::HashMap;

use proptest::prelude::*;

use super::*;

proptest! {
    #[test]
    fn finds_what_is_there_and_nothing_else(
        // Few different hashes, many of them near each other: long probes and many moves on removal.
        steps in prop::collection::vec((0_u64..48, any::<bool>()), 1..600),
    ) {
        let mut index = Index::default();
        let mut known: HashMap<u64, u32> = HashMap::new();
        for (number, add) in steps {
            let hash = number / 3;
            let slot = u32::try_from(number).expect("small");
            if add && !known.contains_key(&number) {
                index.insert(hash, slot);
                known.insert(number, slot);
            } else if !add && known.remove(&number).is_some() {
                index.remove(hash, slot);
            }
            for number in 0..48_u64 {
                let expected = known.get(&number).copied();
                let found = index.find(number / 3, |slot| u64::from(slot) == number);
                prop_assert_eq!(found, expected);
            }
            prop_assert_eq!(index.len, known.len());
        }
    }
}
