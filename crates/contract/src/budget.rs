//! What a parsed tree may cost.
//!
//! The memory of a tree is not proportional to its text: a one-member object takes seven bytes of JSON
//! and some 650 bytes as a B-tree node. So parsers charge every node to a [`Budget`] and stop when it is
//! spent.

/// Rough size of a value, in bytes.
const VALUE_BYTES: usize = 32;
/// Rough size of the first node of a non-empty object, in bytes: room for eleven members.
const OBJECT_BYTES: usize = 650;

/// Memory that is left, in bytes, and depth that is allowed.
#[derive(Clone, Debug)]
pub(crate) struct Budget {
    pub(crate) left_bytes: usize,
    pub(crate) depth: usize,
}

/// The budget is spent, or the nesting too deep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Spent {
    Memory,
    Depth,
    Aliases,
}

impl std::fmt::Display for Spent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Spent::Memory => "budget of memory spent",
            Spent::Depth => "budget of depth spent",
            Spent::Aliases => "budget of aliases spent",
        })
    }
}

impl Budget {
    /// Pays for a scalar whose text takes that many bytes on the heap.
    pub(crate) fn scalar(&mut self, heap_bytes: usize) -> Result<(), Spent> {
        self.pay(VALUE_BYTES + heap_bytes)
    }

    /// Pays for the `count`-th member of an object, its key included.
    pub(crate) fn member(&mut self, count: usize, key_bytes: usize) -> Result<(), Spent> {
        // A B-tree node holds eleven members, and is about two thirds full on average.
        let node = if count == 1 || count.is_multiple_of(8) { OBJECT_BYTES } else { 0 };
        self.pay(node + key_bytes)
    }

    pub(crate) fn pay(&mut self, bytes: usize) -> Result<(), Spent> {
        match self.left_bytes.checked_sub(bytes) {
            Some(left) => {
                self.left_bytes = left;
                Ok(())
            }
            None => Err(Spent::Memory),
        }
    }
}
