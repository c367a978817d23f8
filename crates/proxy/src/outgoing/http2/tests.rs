//! Tests of connections to backends that fall silent. The time is the runtime's, and stands still unless it is moved
//! or everybody waits.

use std::future::poll_fn;
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use portway_http1::Framing;

use super::super::pulse::{DOUBT_MS, GONE_MS, QUIET_MS};
use super::{Http2Connection, Http2Outgoing};
use crate::failure::{Failure, Fault};
use crate::stream::Stream;
use crate::worker::WorkerClock;

/// A connection, and its other end, which says nothing.
async fn connection() -> (Rc<Http2Connection>, TcpStream, WorkerClock) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let ours = TcpStream::connect(listener.local_addr().expect("an address")).expect("accepted");
    let (theirs, _) = listener.accept().expect("a connection");
    ours.set_nonblocking(true).expect("a mode");
    let ours = tokio::net::TcpStream::from_std(ours).expect("a runtime");
    let clock = WorkerClock::start();
    let opened = Http2Connection::open(Stream::Plain(ours), 64 << 10, clock).await;
    (opened.expect("nothing is awaited"), theirs, clock)
}

/// A call that is put on it.
async fn call(connection: &Rc<Http2Connection>, clock: WorkerClock) -> Http2Outgoing {
    let mut call = Http2Outgoing::new(Rc::clone(connection), clock);
    call.head().extend_from_slice(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n");
    call.begin(Framing::None);
    call.finish(|_| {});
    poll_fn(|cx| call.poll_flush(cx)).await.expect("sent");
    call
}

async fn pass(ms: u64) {
    tokio::time::advance(Duration::from_millis(ms)).await;
}

fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .expect("a runtime");
    tokio::task::LocalSet::new().block_on(&runtime, test);
}

#[test]
fn a_connection_whose_other_end_is_gone_gets_no_more_calls_and_ends() {
    run(async {
        let (connection, _theirs, clock) = connection().await;
        pass(QUIET_MS).await;
        let asked_ms = clock.now_ms();
        let mut call = call(&connection, clock).await;
        assert!(connection.has_room(clock.now_ms()));
        pass(DOUBT_MS).await;
        assert!(!connection.has_room(clock.now_ms()), "others go elsewhere");
        let head = poll_fn(|cx| call.poll_head(cx)).await;
        assert_eq!(head.err(), Some(Failure::sent(Fault::BackendClosed)));
        assert_eq!(clock.now_ms(), asked_ms + GONE_MS);
        tokio::task::yield_now().await;
        assert!(connection.is_closed());
    });
}

#[test]
fn any_byte_is_a_sign_of_life() {
    run(async {
        let (connection, mut theirs, clock) = connection().await;
        pass(QUIET_MS).await;
        let mut call = call(&connection, clock).await;
        pass(DOUBT_MS).await;
        assert!(!connection.has_room(clock.now_ms()));
        // Empty settings; not even the ping is answered.
        theirs.write_all(&[0, 0, 0, 4, 0, 0, 0, 0, 0]).expect("sent");
        // Nobody sleeps meanwhile, so time stands still until they have come.
        while !connection.has_room(clock.now_ms()) {
            tokio::task::yield_now().await;
        }
        let waiting = poll_fn(|cx| Poll::Ready(call.poll_head(cx).is_pending())).await;
        assert!(waiting, "the call goes on");
        pass(10 * GONE_MS).await;
        tokio::task::yield_now().await;
        assert!(!connection.is_closed());
    });
}
