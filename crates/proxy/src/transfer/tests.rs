//! Moments that a whole gateway meets too rarely to wait for.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Duration, sleep, timeout};

use super::*;
use crate::incoming::{Arrived, Http1Incoming};
use crate::outgoing::Http1Outgoing;
use crate::stream::Stream;
use portway_http1::Framing;

/// Both ends of a connection.
async fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    let (here, there) = tokio::join!(TcpStream::connect(address), listener.accept());
    (here.expect("it connects"), there.expect("it accepts").0)
}

/// Fills a connection until it takes nothing more; says how many bytes that were.
async fn fill(stream: &TcpStream) -> usize {
    let mut filled = 0;
    loop {
        if let Ok(count) = stream.try_write(&[b'.'; 1 << 16]) {
            filled += count;
        } else if timeout(Duration::from_millis(50), stream.writable()).await.is_err() {
            // A socket grows for a while after it first says that it is full; now it does not.
            return filled;
        }
    }
}

#[tokio::test]
async fn the_end_of_a_body_is_written_once_though_it_found_no_room() {
    let (mut caller, ours) = pair().await;
    let request =
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
    caller.write_all(request).await.expect("sent");
    let mut http1 = Http1Incoming::new(Stream::Plain(ours));
    let arrived = poll_fn(|cx| http1.poll_request(cx, &HeadLimits::default())).await;
    assert!(matches!(arrived, Arrived::Request(_)));
    let mut incoming = Incoming::Http1(http1);

    let (ours, mut backend) = pair().await;
    let filled = fill(&ours).await;
    let mut outgoing = Outgoing::Http1(Http1Outgoing::new(Stream::Plain(ours)));
    outgoing.begin(Framing::Chunked);
    let mut upload = Upload::new();
    for _ in 0..3 {
        let polled = poll_fn(|cx| Poll::Ready(upload.poll(cx, &mut incoming, &mut outgoing))).await;
        assert!(polled.is_ok() && !upload.is_over(), "there is no room");
    }
    let mut read = vec![0; filled + b"3\r\nabc\r\n0\r\n\r\n".len()];
    let reading = backend.read_exact(&mut read);
    let moving = poll_fn(|cx| {
        let _ = upload.poll(cx, &mut incoming, &mut outgoing);
        if upload.is_over() { Poll::Ready(()) } else { Poll::Pending }
    });
    let (count, ()) = tokio::join!(reading, moving);
    count.expect("read");
    assert!(read.ends_with(b".3\r\nabc\r\n0\r\n\r\n"));
    drop(outgoing);
    assert_eq!(backend.read(&mut read).await.expect("closed"), 0, "nothing stands behind the end");
}

#[tokio::test]
async fn a_backend_may_pause_as_long_as_it_may_after_a_caller_that_was_slow() {
    let (mut caller, ours) = pair().await;
    let filled = fill(&ours).await;
    let mut incoming = Incoming::Http1(Http1Incoming::new(Stream::Plain(ours)));

    let (ours, mut backend) = pair().await;
    backend.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nabc").await.expect("sent");
    let mut outgoing = Outgoing::Http1(Http1Outgoing::new(Stream::Plain(ours)));
    let limits = HeadLimits::default();
    let head = poll_fn(|cx| outgoing.poll_head(cx, RequestKind::Other, &limits)).await;
    outgoing.consume_head(&head.expect("a head"));

    let clock = WorkerClock::start();
    let deadlines = BodyDeadlines { crowd: None, call_ms: 60_000, idle_ms: 60_000, write_ms: 300 };
    let mut timer = Timer::new(clock.base());
    let (mut upload, mut download) = (Upload::new(), Download::new(None, None));
    let carried = carry(
        &mut incoming,
        &mut outgoing,
        &mut upload,
        &mut download,
        &mut timer,
        (&clock, &deadlines),
    );
    let peers = async {
        let mut read = vec![0; filled + 6];
        caller.read_exact(&mut read[..filled + 3]).await.expect("read");
        // Longer than a caller may take, less than a backend may.
        sleep(Duration::from_millis(600)).await;
        backend.write_all(b"def").await.expect("sent");
        caller.read_exact(&mut read[filled + 3..]).await.expect("read");
        assert!(read.ends_with(b".abcdef"));
    };
    let (carried, told) = tokio::join!(carried, timeout(Duration::from_secs(5), peers));
    carried.expect("nobody was too slow");
    told.expect("the caller has all of it");
}

#[tokio::test]
async fn a_body_that_is_always_ready_lets_others_have_their_turn() {
    let (mut caller, ours) = pair().await;
    let head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n";
    caller.write_all(head).await.expect("sent");
    let mut http1 = Http1Incoming::new(Stream::Plain(ours));
    let arrived = poll_fn(|cx| http1.poll_request(cx, &HeadLimits::default())).await;
    assert!(matches!(arrived, Arrived::Request(_)));
    let mut incoming = Incoming::Http1(http1);
    let ready = fill(&caller).await;

    let (ours, _backend) = pair().await;
    let mut outgoing = Outgoing::Http1(Http1Outgoing::new(Stream::Plain(ours)));
    outgoing.begin(Framing::Length(100_000_000));
    let mut upload = Upload::new();
    let polled = poll_fn(|cx| Poll::Ready(upload.poll(cx, &mut incoming, &mut outgoing))).await;
    assert!(polled.is_ok());
    // As far as it got, it did not go on for as long as there was more.
    assert!(ready > 2 * TURN_BYTES, "only {ready} bytes wait");
    assert!(upload.bytes < 2 * TURN_BYTES as u64, "{} bytes in one turn", upload.bytes);
    assert!(upload.bytes >= TURN_BYTES as u64, "{} bytes in one turn", upload.bytes);
}
