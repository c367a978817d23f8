//! From a hash to the place of a count: open addressing with linear probing.
//!
//! Eight bytes a place: half of the hash and a number. Hashes come from a seeded hasher, so that nobody outside
//! can make them cluster. Grows by doubling, which copies eight bytes a count and reads none of them.

/// Marks an empty place.
const EMPTY: Entry = Entry { tag: 0, slot: u32::MAX };
/// Places of the smallest table.
const PLACES_MIN: usize = 8;

#[derive(Debug, Clone, Copy)]
struct Entry {
    tag: u32,
    slot: u32,
}

/// The index.
#[derive(Debug, Default)]
pub(super) struct Index {
    places: Box<[Entry]>,
    len: usize,
}

impl Index {
    /// The slot with this hash of which `is` says yes.
    #[inline]
    pub(super) fn find(&self, hash: u64, mut is: impl FnMut(u32) -> bool) -> Option<u32> {
        if self.places.is_empty() {
            return None;
        }
        let tag = tag(hash);
        let mut place = self.home(tag);
        loop {
            let entry = self.places[place];
            if entry.slot == EMPTY.slot {
                return None;
            }
            if entry.tag == tag && is(entry.slot) {
                return Some(entry.slot);
            }
            place = self.after(place);
        }
    }

    /// Adds a slot that is not there.
    pub(super) fn insert(&mut self, hash: u64, slot: u32) {
        // At most 3/4 full.
        if (self.len + 1) * 4 > self.places.len() * 3 {
            self.grow();
        }
        self.put(Entry { tag: tag(hash), slot });
        self.len += 1;
    }

    /// Removes a slot. What stands behind it moves up, so that no marks of removed places are left.
    pub(super) fn remove(&mut self, hash: u64, slot: u32) {
        if self.places.is_empty() {
            return;
        }
        let mut hole = self.home(tag(hash));
        loop {
            match self.places[hole].slot {
                found if found == slot => break,
                empty if empty == EMPTY.slot => return,
                _ => hole = self.after(hole),
            }
        }
        self.len -= 1;
        let mut next = self.after(hole);
        while self.places[next].slot != EMPTY.slot {
            let home = self.home(self.places[next].tag);
            // It may move into the hole if its home is not between the hole and its present place.
            if self.distance(home, next) >= self.distance(hole, next) {
                self.places[hole] = self.places[next];
                hole = next;
            }
            next = self.after(next);
        }
        self.places[hole] = EMPTY;
    }

    /// Memory in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.places.len() * size_of::<Entry>()
    }

    fn grow(&mut self) {
        let places = (self.places.len() * 2).max(PLACES_MIN);
        let old = std::mem::replace(&mut self.places, vec![EMPTY; places].into_boxed_slice());
        for entry in old.into_iter().filter(|entry| entry.slot != EMPTY.slot) {
            self.put(entry);
        }
    }

    fn put(&mut self, entry: Entry) {
        let mut place = self.home(entry.tag);
        while self.places[place].slot != EMPTY.slot {
            place = self.after(place);
        }
        self.places[place] = entry;
    }

    fn home(&self, tag: u32) -> usize {
        tag as usize & (self.places.len() - 1)
    }

    fn after(&self, place: usize) -> usize {
        (place + 1) & (self.places.len() - 1)
    }

    fn distance(&self, from: usize, to: usize) -> usize {
        to.wrapping_sub(from) & (self.places.len() - 1)
    }
}

/// The low half of the hash; the high half chooses the part of the table.
fn tag(hash: u64) -> u32 {
    hash as u32
}

#[cfg(test)]
mod tests;
