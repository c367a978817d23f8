//! After a 101: bytes both ways, unread, until both sides have ended or nothing moves any more. When the gateway drains,
//! the caller of a WebSocket is told to go.

use std::future::poll_fn;
use std::io;
use std::task::{Context, Poll, ready};

use crate::buffer::{Inbox, Outbox, Size};
use crate::failure::Fault;
use crate::incoming::Http1Incoming;
use crate::outgoing::Http1Outgoing;
use crate::stream::Stream;
use crate::timer::Timer;
use crate::websocket::Farewell;
use crate::worker::WorkerClock;

/// One direction.
#[derive(Default)]
struct Direction {
    bytes: u64,
    source_ended: bool,
    ended: bool,
}

impl Direction {
    /// Ready when the source has ended and the sink has been told.
    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        (source, inbox): (&mut Stream, &mut Inbox),
        (sink, out): (&mut Stream, &mut Outbox),
        mut farewell: Option<&mut Farewell<'_>>,
    ) -> Poll<io::Result<()>> {
        loop {
            if let Some(words) = farewell.as_mut().and_then(|farewell| farewell.words()) {
                out.bytes().extend_from_slice(words);
            }
            if !inbox.is_empty() {
                let bytes = inbox.bytes();
                let Some(most) = farewell
                    .as_ref()
                    .map_or(Some(bytes.len()), |farewell| farewell.may_pass(bytes.len()))
                else {
                    inbox.consume(bytes.len());
                    continue;
                };
                let count = ready!(out.poll_send(cx, sink, &bytes[..most], false))?;
                if let Some(farewell) = &mut farewell {
                    farewell.passed(&bytes[..count]);
                }
                inbox.consume(count);
                self.bytes += count as u64;
                continue;
            }
            if self.source_ended {
                ready!(out.poll_flush(cx, sink))?;
                ready!(sink.poll_shutdown(cx))?;
                self.ended = true;
                return Poll::Ready(Ok(()));
            }
            match inbox.poll_fill(cx, source, Size::Large) {
                Poll::Ready(count) => self.source_ended = count? == 0,
                Poll::Pending => {
                    ready!(out.poll_flush(cx, sink))?;
                    return Poll::Pending;
                }
            }
        }
    }
}

/// Relays until both directions have ended. Gives the bytes up and down, and why it ended if not by
/// itself.
pub(crate) async fn relay(
    caller: &mut Http1Incoming,
    backend: &mut Http1Outgoing,
    timer: &mut Timer,
    clock: WorkerClock,
    (call_ms, idle_ms): (u64, u64),
    mut farewell: Option<Farewell<'_>>,
) -> (u64, u64, Result<(), Fault>) {
    let (mut up, mut down) = (Direction::default(), Direction::default());
    let mut seen = None;
    let ended = poll_fn(|cx| {
        if !up.ended
            && let Poll::Ready(Err(_)) = up.poll(
                cx,
                (&mut caller.stream, &mut caller.inbox),
                (&mut backend.stream, &mut backend.out),
                None,
            )
        {
            return Poll::Ready(Ok(()));
        }
        if !down.ended
            && let Poll::Ready(Err(_)) = down.poll(
                cx,
                (&mut backend.stream, &mut backend.inbox),
                (&mut caller.stream, &mut caller.out),
                farewell.as_mut(),
            )
        {
            return Poll::Ready(Ok(()));
        }
        // A backend that has ended has said its last word, whatever the caller still sends.
        if down.ended {
            return Poll::Ready(Ok(()));
        }
        let moved = (up.bytes, down.bytes);
        if seen != Some(moved) {
            seen = Some(moved);
            timer.set(call_ms.min(clock.now_ms() + idle_ms));
        }
        match timer.poll(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(()) if clock.now_ms() >= call_ms => Poll::Ready(Err(Fault::CallTimeout)),
            Poll::Ready(()) => Poll::Ready(Err(Fault::BackendBodyTimeout)),
        }
    })
    .await;
    (up.bytes, down.bytes, ended)
}
