//! An immutable table from short texts to numbers.
//!
//! Smaller than a `HashMap` and without its keyed hash: what stands in it was written by the operator, and
//! what is looked up in it does not stay, so nobody can fill it with collisions.

use crate::text_hash::hash;

/// Texts to numbers.
#[derive(Debug, Default)]
pub(crate) struct Index {
    /// Places in `entries`, counted from 1; 0 is empty. A power of two, at most half full.
    slots: Box<[u32]>,
    entries: Box<[(Box<str>, u32)]>,
}

impl Index {
    /// From pairs; of equal texts the last one counts.
    pub(crate) fn build(pairs: &[(&str, u32)]) -> Index {
        let size = if pairs.is_empty() { 0 } else { (pairs.len() * 2).next_power_of_two() };
        let mut slots = vec![0_u32; size].into_boxed_slice();
        let entries: Box<[(Box<str>, u32)]> =
            pairs.iter().map(|(text, number)| (Box::from(*text), *number)).collect();
        for (place, (text, _)) in entries.iter().enumerate() {
            let mut slot = hash(text.as_bytes()) as usize & (size - 1);
            while slots[slot] != 0 && *entries[slots[slot] as usize - 1].0 != **text {
                slot = (slot + 1) & (size - 1);
            }
            slots[slot] = place as u32 + 1;
        }
        Index { slots, entries }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The number of a text.
    #[inline]
    pub(crate) fn get(&self, text: &str) -> Option<u32> {
        let mask = self.slots.len().checked_sub(1)?;
        let mut slot = hash(text.as_bytes()) as usize & mask;
        loop {
            let place = self.slots[slot].checked_sub(1)?;
            let (known, number) = &self.entries[place as usize];
            if **known == *text {
                return Some(*number);
            }
            slot = (slot + 1) & mask;
        }
    }
}
