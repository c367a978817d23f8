//! A page of an error that callers are not to see: a problem is sent in its place.
//!
//! The caller has its answer at once. What the application still says is thrown away afterwards, so that its
//! connection can be used again; if that is much, or takes long, the connection is closed instead.

use std::future::poll_fn;
use std::task::Poll;

use portway_http1::{Known, ResponseHead};

use crate::body::Part;
use crate::dispatch::Leg;
use crate::exchange::{self, Decision, Stop, Surroundings};
use crate::failure::Fault;
use crate::forward;
use crate::incoming::Incoming;
use crate::outgoing::Outgoing;
use crate::record::Record;
use crate::respond::Local;
use crate::timer::Timer;
use crate::upstream::Settings;

/// The most bytes of a page that are thrown away for the sake of a connection.
const PAGE_BYTES_MAX: usize = 64 << 10;
/// The longest that the rest of a page is waited for.
const PAGE_MS: u64 = 500;
/// The longest `Retry-After` that passes: a number or a date (RFC 9110 §10.2.3) is shorter.
const RETRY_AFTER_BYTES_MAX: usize = 64;

/// Answers with a problem of the same status. `log_bytes` of the page go into the log.
pub(crate) async fn answer(
    around: &Surroundings<'_>,
    decision: &Decision,
    incoming: &mut Incoming,
    leg: &mut Leg,
    head: &ResponseHead,
    (settings, log_bytes): (&Settings, usize),
    (timer, record): (&mut Timer, &mut Record),
) -> Result<(), Stop> {
    record.stopped(&Stop::Cut(Fault::BackendError));
    let mut local = Local::hidden(head.status, record);
    let (outgoing, upload) = leg.parts();
    if let Some(value) = retry_after(outgoing) {
        portway_http1::write_field(&mut local.lines, b"retry-after", value);
    }
    if let Some(state) = decision.permit.limit() {
        forward::write_limit(state, &mut local.lines);
    }
    let service = &around.live.snapshot.services[decision.service];
    exchange::allow_origin(around, service.cors.as_ref(), &mut local);
    exchange::guard_local(around, record, &mut local);
    outgoing.consume_head(head);
    record.bytes_in = upload.bytes;
    // Whoever has answered before it had the whole request wants no more of it.
    let is_sent = upload.is_over();
    exchange::send(around, &local, incoming, timer, record).await?;
    record.status = head.status;

    let clock = &around.worker.clock;
    timer.set(clock.now_ms() + PAGE_MS);
    let (whole, page) = read_page(outgoing, log_bytes, timer).await;
    if !page.is_empty() {
        record.more().error_page = page.into();
    }
    record.look(around.worker);
    if whole && is_sent {
        leg.release(around, record.now_us() / 1_000 + settings.keep_alive_ms);
    }
    Ok(())
}

/// When the application wants to be asked again, which gives nothing away.
fn retry_after(outgoing: &mut Outgoing) -> Option<&[u8]> {
    let (bytes, fields) = outgoing.answer();
    let field = fields.iter().find(|field| field.known == Known::RetryAfter)?;
    Some(field.value.of(bytes)).filter(|value| value.len() <= RETRY_AFTER_BYTES_MAX)
}

/// Reads a page to its end, if that is near; whether it was, and how the page began.
async fn read_page(outgoing: &mut Outgoing, keep: usize, timer: &mut Timer) -> (bool, Vec<u8>) {
    let mut page = Vec::new();
    let mut read = 0;
    let whole = poll_fn(|cx| {
        loop {
            match outgoing.poll_body(cx) {
                Poll::Ready(Ok(Part::Data)) => {
                    let data = outgoing.body();
                    let count = data.len();
                    let wanted = keep.saturating_sub(page.len()).min(count);
                    page.extend_from_slice(&data[..wanted]);
                    outgoing.consume(count);
                    read += count;
                    if read > PAGE_BYTES_MAX {
                        return Poll::Ready(false);
                    }
                }
                Poll::Ready(Ok(Part::End)) => return Poll::Ready(true),
                Poll::Ready(Err(_)) => return Poll::Ready(false),
                Poll::Pending => return timer.poll(cx).map(|()| false),
            }
        }
    })
    .await;
    (whole, page)
}
