//! What a head and a body cost, with `httparse` beside it for scale.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use portway_http1::{
    BodyDecoder, BodyLimits, Decoded, Field, Framing, HeadLimits, Known, LAST_CHUNK, Progress,
    RequestKind, parse_request, parse_response, write_chunk_head, write_field, write_status_line,
};

const SMALL: &[u8] = b"GET /a HTTP/1.1\r\nHost: example.com\r\n\r\n";

const BROWSER: &[u8] = b"GET /shop/orders/7?expand=items HTTP/1.1\r\n\
Host: www.example.com\r\n\
Connection: keep-alive\r\n\
Cache-Control: max-age=0\r\n\
Upgrade-Insecure-Requests: 1\r\n\
User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36\r\n\
Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8\r\n\
Sec-Fetch-Site: none\r\n\
Sec-Fetch-Mode: navigate\r\n\
Sec-Fetch-User: ?1\r\n\
Sec-Fetch-Dest: document\r\n\
Accept-Encoding: gzip, deflate, br, zstd\r\n\
Accept-Language: en-US,en;q=0.9,de;q=0.8\r\n\
Cookie: session=0123456789abcdef0123456789abcdef; theme=dark; consent=yes\r\n\r\n";

const RESPONSE: &[u8] = b"HTTP/1.1 200 OK\r\n\
Date: Tue, 03 Nov 2026 10:00:00 GMT\r\n\
Content-Type: application/json\r\n\
Content-Length: 27\r\n\
Server: shop\r\n\
Cache-Control: no-store\r\n\
X-Request-Id: 0123456789abcdef\r\n\r\n";

fn heads(c: &mut Criterion) {
    let limits = HeadLimits::default();
    let mut fields: Vec<Field> = Vec::with_capacity(100);
    for (name, bytes) in [("small", SMALL), ("browser", BROWSER)] {
        c.bench_function(&format!("request/{name}"), |b| {
            b.iter(|| {
                let mut progress = Progress::default();
                parse_request(black_box(bytes), &mut fields, &limits, &mut progress)
            });
        });
        c.bench_function(&format!("httparse/{name}"), |b| {
            b.iter(|| {
                let mut headers = [httparse::EMPTY_HEADER; 100];
                let mut request = httparse::Request::new(&mut headers);
                request.parse(black_box(bytes)).map(|status| status.unwrap())
            });
        });
    }
    c.bench_function("response/json", |b| {
        b.iter(|| {
            let mut progress = Progress::default();
            let asked = RequestKind::Other;
            parse_response(black_box(RESPONSE), &mut fields, asked, &limits, &mut progress)
        });
    });
    c.bench_function("request/browser byte by byte", |b| {
        b.iter(|| {
            let mut progress = Progress::default();
            for end in 1..=BROWSER.len() {
                let bytes = black_box(&BROWSER[..end]);
                let _ = black_box(parse_request(bytes, &mut fields, &limits, &mut progress));
            }
        });
    });
    c.bench_function("known/content-length", |b| {
        b.iter(|| Known::from_name(black_box(b"Content-Length")));
    });
}

fn decode(framing: Framing, bytes: &[u8]) -> usize {
    let mut decoder = BodyDecoder::new(framing, BodyLimits::default());
    let mut rest = bytes;
    let mut payload = 0;
    while !decoder.is_done() {
        match decoder.decode(rest).expect("a good body") {
            Decoded::Data { start, end, consumed } => {
                payload += black_box(&rest[start..end]).len();
                rest = &rest[consumed..];
            }
            Decoded::NeedMore { .. } => break,
            Decoded::Trailers { .. } | Decoded::End { .. } => {}
        }
    }
    payload
}

fn bodies(c: &mut Criterion) {
    let payload = vec![b'x'; 100 * 1024];
    let mut chunked = Vec::new();
    for chunk in payload.chunks(8 * 1024) {
        write_chunk_head(&mut chunked, chunk.len());
        chunked.extend_from_slice(chunk);
        chunked.extend_from_slice(b"\r\n");
    }
    chunked.extend_from_slice(LAST_CHUNK);
    let mut group = c.benchmark_group("body");
    group.throughput(Throughput::Bytes(payload.len() as u64));
    group.bench_function("chunked 100 KiB", |b| {
        b.iter(|| decode(Framing::Chunked, black_box(&chunked)));
    });
    let length = Framing::Length(payload.len() as u64);
    group.bench_function("length 100 KiB", |b| {
        b.iter(|| decode(length, black_box(&payload)));
    });
    group.finish();
}

fn writing(c: &mut Criterion) {
    let mut out = Vec::with_capacity(4096);
    c.bench_function("write/response head of 6", |b| {
        b.iter(|| {
            out.clear();
            write_status_line(&mut out, black_box(200));
            for _ in 0..6 {
                write_field(&mut out, black_box(b"content-type"), black_box(b"application/json"));
            }
            out.len()
        });
    });
}

criterion_group!(benches, heads, bodies, writing);
criterion_main!(benches);
