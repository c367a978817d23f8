//! Buffers of a thread: lent while bytes are under way, given back when nothing is.
//!
//! A connection that idles holds none. What is read for a head goes through one scratch buffer of the
//! thread into a small one, so that thousands of calls under way lie close together. Assumes one
//! runtime per thread, so that the pool needs no lock. Leaves the meaning of the bytes to `http1`.

use std::cell::RefCell;
use std::io;
use std::ops::{Deref, DerefMut};
use std::task::{Context, Poll, ready};

use portway_http1::Field;

use crate::stream::Stream;

/// What a request head is kept in; larger ones grow.
const SMALL_BYTES: usize = 1 << 10;
/// A small buffer that grew beyond this is freed rather than kept.
const KEPT_SMALL_BYTES: usize = 4 << 10;
/// What is read at once for a head.
const SCRATCH_BYTES: usize = 16 << 10;
/// What is read at once of an answer whose caller may not take it.
const LITTLE_BYTES: usize = 4 << 10;
/// What a body and an answer are read into: large enough that a 100 KiB answer takes two reads.
const LARGE_BYTES: usize = 64 << 10;
/// Buffers kept by a thread, per size; more are freed when they come back.
const KEPT_SMALL: usize = 1_024;
const KEPT_LARGE: usize = 64;
const KEPT_OUT: usize = 1_024;
/// An output buffer that grew beyond this is freed rather than kept.
const KEPT_OUT_BYTES: usize = 64 << 10;

thread_local! {
    static POOL: RefCell<Pool> = RefCell::default();
    static SCRATCH: RefCell<Vec<u8>> = RefCell::new(vec![0; SCRATCH_BYTES]);
}

#[derive(Default)]
struct Pool {
    small: Stack<Box<Bytes>>,
    large: Stack<Box<Bytes>>,
    out: Stack<Vec<u8>>,
}

/// Buffers at rest; the one used last is lent first.
struct Stack<T> {
    kept: Vec<T>,
    /// The fewest that were here since the last look: nobody needed those.
    fewest: usize,
}

impl<T> Default for Stack<T> {
    fn default() -> Self {
        Self { kept: Vec::new(), fewest: 0 }
    }
}

impl<T> Stack<T> {
    fn pop(&mut self) -> Option<T> {
        let popped = self.kept.pop();
        self.fewest = self.fewest.min(self.kept.len());
        popped
    }

    fn push(&mut self, buffer: T, most: usize) {
        if self.kept.len() < most {
            self.kept.push(buffer);
        }
    }

    /// Frees what nobody needed since the last call.
    fn shrink(&mut self) {
        self.kept.drain(..self.fewest);
        self.fewest = self.kept.len();
    }
}

/// Frees the buffers that were not needed since the last call; called now and then by each worker.
pub(crate) fn shrink() {
    POOL.with_borrow_mut(|pool| {
        pool.small.shrink();
        pool.large.shrink();
        pool.out.shrink();
    });
}

/// Bytes that were read, and the fields of the head that was found in them.
pub(crate) struct Bytes {
    /// As long as its capacity, so that nothing is ever initialised twice.
    storage: Vec<u8>,
    start: usize,
    end: usize,
    /// Fields of the head at the front.
    pub(crate) fields: Vec<Field>,
}

impl Bytes {
    fn new(size: usize) -> Self {
        Self { storage: vec![0; size], start: 0, end: 0, fields: Vec::new() }
    }

    /// What was read and not yet consumed.
    pub(crate) fn unread(&self) -> &[u8] {
        &self.storage[self.start..self.end]
    }

    /// The unread bytes, and the fields to parse them into.
    pub(crate) fn parts(&mut self) -> (&[u8], &mut Vec<Field>) {
        (&self.storage[self.start..self.end], &mut self.fields)
    }

    fn clear(&mut self) {
        self.start = 0;
        self.end = 0;
    }

    /// Room behind what is there: moved to the front, or doubled, if there is none.
    fn room(&mut self) -> &mut [u8] {
        if self.start == self.end {
            self.clear();
        } else if self.end == self.storage.len() {
            if self.start > 0 {
                self.storage.copy_within(self.start..self.end, 0);
                self.end -= self.start;
                self.start = 0;
            } else {
                self.storage.resize(self.storage.len() * 2, 0);
            }
        }
        &mut self.storage[self.end..]
    }

    /// Appends bytes that came another way than through `poll_fill`.
    pub(crate) fn extend(&mut self, bytes: &[u8]) {
        if self.start == self.end {
            self.clear();
        }
        let end = self.end + bytes.len();
        if end > self.storage.len() {
            self.storage.resize(end.next_power_of_two(), 0);
        }
        self.storage[self.end..end].copy_from_slice(bytes);
        self.end = end;
    }
}

/// A buffer lent by the thread's pool; given back when dropped.
pub(crate) struct Lent(Option<Box<Bytes>>);

impl Lent {
    /// For a head.
    pub(crate) fn small() -> Self {
        let kept = POOL.with_borrow_mut(|pool| pool.small.pop());
        Self(Some(kept.unwrap_or_else(|| Box::new(Bytes::new(SMALL_BYTES)))))
    }

    /// For a body, or for an answer.
    pub(crate) fn large() -> Self {
        let kept = POOL.with_borrow_mut(|pool| pool.large.pop());
        Self(Some(kept.unwrap_or_else(|| Box::new(Bytes::new(LARGE_BYTES)))))
    }
}

impl Deref for Lent {
    type Target = Bytes;

    fn deref(&self) -> &Bytes {
        self.0.as_ref().expect("only drop takes it")
    }
}

impl DerefMut for Lent {
    fn deref_mut(&mut self) -> &mut Bytes {
        self.0.as_mut().expect("only drop takes it")
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let Some(mut bytes) = self.0.take() else { return };
        bytes.clear();
        bytes.fields.clear();
        // A thread that ends drops its pool first; what comes later is simply freed.
        let _ = POOL.try_with(|pool| {
            let mut pool = pool.borrow_mut();
            match bytes.storage.len() {
                ..=KEPT_SMALL_BYTES => pool.small.push(bytes, KEPT_SMALL),
                LARGE_BYTES => pool.large.push(bytes, KEPT_LARGE),
                _ => {}
            }
        });
    }
}

/// Which size of buffer to borrow when bytes arrive.
#[derive(Clone, Copy)]
pub(crate) enum Size {
    /// What came, and not much of it.
    Little,
    Small,
    Large,
}

/// What a connection has received and nobody has consumed. Holds a buffer only while there is
/// something in it.
#[derive(Default)]
pub(crate) struct Inbox(Option<Lent>);

impl Inbox {
    pub(crate) fn bytes(&self) -> &[u8] {
        self.0.as_ref().map_or(&[], |lent| lent.unread())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// The buffer with something in it, if there is one.
    pub(crate) fn lent(&mut self) -> Option<&mut Lent> {
        self.0.as_mut()
    }

    pub(crate) fn consume(&mut self, count: usize) {
        let Some(lent) = self.0.as_mut() else { return };
        lent.start = (lent.start + count).min(lent.end);
        if lent.start == lent.end {
            self.0 = None;
        }
    }

    /// Takes the buffer whose first `len` bytes are a head; what follows the head stays here.
    pub(crate) fn split_head(&mut self, len: usize) -> Option<Lent> {
        let mut head = self.0.take()?;
        let rest = head.start + len..head.end;
        if !rest.is_empty() {
            let mut lent =
                if rest.len() > KEPT_SMALL_BYTES { Lent::large() } else { Lent::small() };
            lent.extend(&head.storage[rest]);
            self.0 = Some(lent);
        }
        head.end = head.start + len;
        Some(head)
    }

    /// Reads once, behind what is there. 0 is the end of the stream.
    pub(crate) fn poll_fill(
        &mut self,
        cx: &mut Context<'_>,
        stream: &mut Stream,
        size: Size,
    ) -> Poll<io::Result<usize>> {
        match size {
            Size::Little => return self.poll_fill_small(cx, stream, LITTLE_BYTES),
            Size::Small => return self.poll_fill_small(cx, stream, SCRATCH_BYTES),
            Size::Large => {}
        }
        let mut lent = self.0.take().unwrap_or_else(Lent::large);
        let polled = stream.poll_read(cx, lent.room());
        if let Poll::Ready(Ok(count)) = polled {
            lent.end += count;
        }
        if lent.start != lent.end {
            self.0 = Some(lent);
        }
        polled
    }
}

impl Inbox {
    /// Reads into the thread's scratch buffer and keeps what came.
    fn poll_fill_small(
        &mut self,
        cx: &mut Context<'_>,
        stream: &mut Stream,
        most: usize,
    ) -> Poll<io::Result<usize>> {
        SCRATCH.with_borrow_mut(|scratch| {
            let count = ready!(stream.poll_read(cx, &mut scratch[..most]))?;
            if count > 0 {
                self.0.get_or_insert_with(Lent::small).extend(&scratch[..count]);
            }
            Poll::Ready(Ok(count))
        })
    }
}

/// A growing buffer of bytes to write, lent by the thread's pool.
pub(crate) fn lend_out() -> Vec<u8> {
    POOL.with_borrow_mut(|pool| pool.out.pop()).unwrap_or_default()
}

/// Gives it back.
pub(crate) fn give_back_out(mut out: Vec<u8>) {
    if out.capacity() == 0 || out.capacity() > KEPT_OUT_BYTES {
        return;
    }
    out.clear();
    let _ = POOL.try_with(|pool| {
        pool.borrow_mut().out.push(out, KEPT_OUT);
    });
}

/// What is to be written to a connection: heads and small pieces are gathered, large ones go
/// straight from where they are. Holds a buffer only while there is something in it.
#[derive(Default)]
pub(crate) struct Outbox {
    bytes: Vec<u8>,
    written: usize,
    /// Payload bytes of the chunk that was begun and is not complete.
    chunk_left: usize,
}

/// Pieces up to this size are copied behind what is gathered: cheaper than a vectored write.
const GATHER_BYTES: usize = 4 << 10;
/// Nothing is gathered beyond this.
const GATHERED_BYTES: usize = 16 << 10;

impl Outbox {
    /// The buffer to append a head to.
    pub(crate) fn bytes(&mut self) -> &mut Vec<u8> {
        if self.bytes.capacity() == 0 {
            self.bytes = lend_out();
        }
        &mut self.bytes
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.len() == self.written
    }

    /// Forgets what was not written; used when an attempt is given up.
    pub(crate) fn clear(&mut self) {
        self.release();
        self.chunk_left = 0;
    }

    fn release(&mut self) {
        self.written = 0;
        give_back_out(std::mem::take(&mut self.bytes));
    }

    /// Takes some of `data`, which is payload, and says how much. Call with the rest.
    pub(crate) fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        stream: &mut Stream,
        data: &[u8],
        chunked: bool,
    ) -> Poll<io::Result<usize>> {
        if chunked && self.chunk_left == 0 {
            portway_http1::write_chunk_head(self.bytes(), data.len());
            self.chunk_left = data.len();
        }
        let data = if chunked { &data[..data.len().min(self.chunk_left)] } else { data };
        let taken = if data.len() <= GATHER_BYTES && self.bytes.len() + data.len() <= GATHERED_BYTES
        {
            self.bytes().extend_from_slice(data);
            data.len()
        } else {
            ready!(self.poll_write_both(cx, stream, data))?
        };
        if chunked {
            self.chunk_left -= taken;
            if self.chunk_left == 0 {
                self.bytes().extend_from_slice(portway_http1::CHUNK_END);
            }
        }
        Poll::Ready(Ok(taken))
    }

    /// Writes what is gathered, then from `data`; ready once some of `data` was taken.
    fn poll_write_both(
        &mut self,
        cx: &mut Context<'_>,
        stream: &mut Stream,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        loop {
            let gathered = self.bytes.len() - self.written;
            let count = if gathered == 0 {
                ready!(stream.poll_write(cx, data))?
            } else {
                let both = [io::IoSlice::new(&self.bytes[self.written..]), io::IoSlice::new(data)];
                ready!(stream.poll_write_vectored(cx, &both))?
            };
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            if count < gathered {
                self.written += count;
                continue;
            }
            if gathered > 0 {
                self.release();
            }
            if count > gathered {
                return Poll::Ready(Ok(count - gathered));
            }
        }
    }

    /// Writes all that is gathered.
    pub(crate) fn poll_flush(
        &mut self,
        cx: &mut Context<'_>,
        stream: &mut Stream,
    ) -> Poll<io::Result<()>> {
        while !self.is_empty() {
            let count = ready!(stream.poll_write(cx, &self.bytes[self.written..]))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.written += count;
        }
        if self.bytes.capacity() > 0 {
            self.release();
        }
        stream.poll_flush(cx)
    }
}
