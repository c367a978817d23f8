//! Who waits, by priority: the highest first, and of one priority the longest waiting.
//!
//! Pure; the lock around it and what is granted are the gate's.

use std::collections::VecDeque;

use portway_model::Priority;

/// See the file's head.
#[derive(Debug)]
pub(super) struct Line<T> {
    /// By priority, the lowest first; each ordered by ticket.
    classes: [VecDeque<Waiter<T>>; CLASSES],
    len: usize,
    next_ticket: u64,
}

/// Priorities that there are.
pub(super) const CLASSES: usize = Priority::ALL.len();

#[derive(Debug)]
struct Waiter<T> {
    ticket: u64,
    since_ms: u64,
    what: T,
}

impl<T> Default for Line<T> {
    fn default() -> Self {
        Self { classes: std::array::from_fn(|_| VecDeque::new()), len: 0, next_ticket: 0 }
    }
}

impl<T> Line<T> {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// How many wait whose priority is no higher than the usual one.
    pub(super) fn len_of_usual(&self) -> usize {
        self.classes[..=Priority::Normal as usize].iter().map(VecDeque::len).sum()
    }

    /// Puts somebody at the end of its priority's part; gives its ticket.
    pub(super) fn push(&mut self, priority: Priority, since_ms: u64, what: T) -> u64 {
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        self.len += 1;
        self.classes[priority as usize].push_back(Waiter { ticket, since_ms, what });
        ticket
    }

    /// Who is next.
    pub(super) fn pop(&mut self) -> Option<T> {
        let waiter = self.classes.iter_mut().rev().find_map(VecDeque::pop_front)?;
        self.len -= 1;
        Some(waiter.what)
    }

    /// Somebody goes away. Whether it was still there.
    pub(super) fn remove(&mut self, priority: Priority, ticket: u64) -> bool {
        let class = &mut self.classes[priority as usize];
        let Ok(at) = class.binary_search_by_key(&ticket, |waiter| waiter.ticket) else {
            return false;
        };
        class.remove(at);
        self.len -= 1;
        true
    }

    /// Who came last of the lowest priority that waits, if that is lower than this one.
    pub(super) fn displace(&mut self, by: Priority) -> Option<(Priority, T)> {
        for priority in Priority::ALL.iter().filter(|lower| **lower < by) {
            if let Some(waiter) = self.classes[*priority as usize].pop_back() {
                self.len -= 1;
                return Some((*priority, waiter.what));
            }
        }
        None
    }

    /// Takes out, of the usual priority and below, who has waited for longer than `patience_ms`, and then who came last until
    /// no more than `most` are left.
    pub(super) fn trim(
        &mut self,
        most: usize,
        now_ms: u64,
        patience_ms: u64,
        mut out: impl FnMut(Priority, T),
    ) {
        let usual = || Priority::ALL.iter().filter(|priority| **priority <= Priority::Normal);
        for priority in usual() {
            let class = &mut self.classes[*priority as usize];
            while class.front().is_some_and(|it| now_ms.saturating_sub(it.since_ms) > patience_ms) {
                let waiter = class.pop_front().expect("there is a first one");
                self.len -= 1;
                out(*priority, waiter.what);
            }
        }
        let mut left = self.len_of_usual();
        for priority in usual() {
            while left > most
                && let Some(waiter) = self.classes[*priority as usize].pop_back()
            {
                left -= 1;
                self.len -= 1;
                out(*priority, waiter.what);
            }
        }
    }
}
