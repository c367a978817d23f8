//! hyper's second opinion, over pipes in memory: on every message of the corpus and on thousands
//! of changed ones, this crate is never the laxer; where it is the stricter, the reason stands in
//! `STRICTER`; where both accept, they have read the same.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::convert::Infallible;
use std::rc::Rc;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::body::{Body as _, Incoming};
use hyper::header::HeaderMap;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use portway_http1::{Method, Reject, RequestHead, RequestKind, ResponseHead, Target};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

use crate::corpus::{self, asked};
use crate::mutate::{Random, mutated};
use crate::reading::{self, Message, Pair, Verdict};

const CHANGES: usize = 12_000;

/// Seeds above this length are long by repetition only.
const LONG: usize = 1500;

const CHUNKED_REQUEST: &[u8] = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";

const CHUNKED_RESPONSE: &[u8] = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

/// Why something that hyper lets pass is refused here.
const STRICTER: &[(Reject, &str)] = &[
    (Reject::RequestLine, "hyper takes any number of empty lines before a request"),
    (Reject::StatusLine, "hyper takes a status line with empty lines before it"),
    (Reject::Status, "hyper takes every three digits from 100 to 999"),
    (Reject::LineEnd, "hyper takes a bare LF as a line end (RFC 9112 §2.2 lets it)"),
    (Reject::HeadTooLarge, "hyper's bound is higher"),
    (Reject::TargetTooLong, "hyper's bound is higher"),
    (Reject::Target, "hyper cuts fragments off, takes raw UTF-8, and any form for any method"),
    (Reject::HostMissing, "hyper leaves Host to its user"),
    (Reject::HostRepeated, "hyper leaves Host to its user"),
    (Reject::HostInvalid, "hyper leaves Host to its user"),
    (Reject::HostDisagrees, "hyper leaves Host to its user"),
    (Reject::LengthAndCoding, "hyper lets the coding win (RFC 9112 §6.3 lets it)"),
    (Reject::LengthRepeated, "hyper takes equal lengths (RFC 9112 §6.3 lets it)"),
    (Reject::LengthInvalid, "hyper takes every number below 2^64, with zeros before it"),
    (Reject::TransferCoding, "hyper takes other codings before chunked, or alone in a response"),
    (Reject::Connection, "hyper looks for the words it knows only"),
    (Reject::Expectation, "hyper leaves what it does not know to its user"),
    (Reject::UnaskedUpgrade, "hyper does not ask a 101 for its fields"),
    (Reject::BodyOnEmptyStatus, "hyper ignores framing fields on a status without a body"),
    (Reject::ChunkSize, "hyper takes white space behind the size"),
    (Reject::ChunkLine, "hyper takes nearly any bytes as an extension"),
    (Reject::TrailersTooLarge, "hyper's bound is higher"),
];

/// A message as hyper has read it.
#[derive(Clone, Debug, Default)]
struct Seen {
    /// Method and target, or status.
    texts: Vec<String>,
    fields: Vec<Pair>,
    payload: Vec<u8>,
    trailers: Vec<Pair>,
    /// Whether the body came to its end.
    whole: bool,
}

fn pairs(map: &HeaderMap) -> Vec<Pair> {
    let mut pairs: Vec<Pair> = map
        .iter()
        .map(|(name, value)| (name.as_str().as_bytes().to_vec(), value.as_bytes().to_vec()))
        .collect();
    pairs.sort_by(|one, two| one.0.cmp(&two.0));
    pairs
}

/// Fields as a header map has them: lower case, by name, in order within a name.
fn as_map(fields: &[Pair]) -> Vec<Pair> {
    let lower = |(name, value): &Pair| (name.to_ascii_lowercase(), value.clone());
    let mut pairs: Vec<Pair> = fields.iter().map(lower).collect();
    pairs.sort_by(|one, two| one.0.cmp(&two.0));
    pairs
}

async fn read_body(mut body: Incoming, seen: &mut Seen) {
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else { return };
        match frame.into_data() {
            Ok(data) => seen.payload.extend_from_slice(&data),
            Err(frame) => seen.trailers = pairs(frame.trailers_ref().unwrap()),
        }
    }
    seen.whole = true;
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(future)
}

async fn close_after(mut pipe: DuplexStream, bytes: &[u8]) -> DuplexStream {
    pipe.write_all(bytes).await.unwrap();
    pipe.shutdown().await.unwrap();
    pipe
}

/// The requests that hyper's server hands to its service before it gives up.
async fn hyper_requests(bytes: &[u8]) -> Vec<Seen> {
    let (near, far) = duplex(1 << 20);
    let _kept = close_after(near, bytes).await;
    let all = Rc::new(RefCell::new(Vec::new()));
    let handed = all.clone();
    let service = service_fn(move |request: Request<Incoming>| {
        let handed = handed.clone();
        async move {
            let (head, body) = request.into_parts();
            let uri = head.uri;
            let mut seen = Seen {
                texts: vec![
                    head.method.to_string(),
                    uri.authority().map(ToString::to_string).unwrap_or_default(),
                    uri.path().to_owned(),
                    uri.query().unwrap_or("(none)").to_owned(),
                ],
                fields: pairs(&head.headers),
                ..Seen::default()
            };
            read_body(body, &mut seen).await;
            handed.borrow_mut().push(seen);
            Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new()))
        }
    });
    let server = hyper::server::conn::http1::Builder::new()
        .half_close(true)
        .serve_connection(TokioIo::new(far), service);
    let _ = server.await;
    all.take()
}

/// The response that hyper's client makes of it, if it does.
async fn hyper_response(bytes: &[u8], kind: RequestKind) -> Option<Seen> {
    let (mut near, far) = duplex(1 << 20);
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(far)).await.unwrap();
    let mut request = Request::new(Empty::<Bytes>::new());
    match kind {
        RequestKind::Head => *request.method_mut() = hyper::Method::HEAD,
        RequestKind::Connect => {
            *request.method_mut() = hyper::Method::CONNECT;
            *request.uri_mut() = "a:80".parse().unwrap();
        }
        RequestKind::Upgrade => {
            let headers = request.headers_mut();
            headers.insert("connection", "upgrade".parse().unwrap());
            headers.insert("upgrade", "websocket".parse().unwrap());
        }
        RequestKind::Other => {}
    }
    let answer = async {
        let response = sender.send_request(request).await.ok()?;
        let (head, body) = response.into_parts();
        let mut seen = Seen {
            texts: vec![head.status.as_str().to_owned()],
            fields: pairs(&head.headers),
            whole: body.is_end_stream(),
            ..Seen::default()
        };
        if head.status != 101 && !(kind == RequestKind::Connect && head.status.is_success()) {
            read_body(body, &mut seen).await;
        }
        Some(seen)
    };
    let peer = async {
        let mut read = vec![0; 1024];
        let mut length = 0;
        while !read[..length].ends_with(b"\r\n\r\n") {
            length += near.read(&mut read[length..]).await.unwrap();
        }
        close_after(near, bytes).await
    };
    let (answer, _, _) = tokio::join!(answer, connection.with_upgrades(), peer);
    answer
}

/// What two readings of a message came to, when they do not contradict each other.
enum Agreement {
    /// Both have read the same.
    Same,
    /// Refused here, taken by hyper, for a reason that is explained.
    Stricter(Reject),
    /// Neither has taken it.
    Neither,
}

/// How often each agreement came up.
#[derive(Default)]
struct Tally {
    same: usize,
    neither: usize,
    stricter: BTreeSet<&'static str>,
    wrong: Vec<String>,
}

impl Tally {
    fn add(&mut self, found: Result<Agreement, String>) {
        match found {
            Ok(Agreement::Same) => self.same += 1,
            Ok(Agreement::Neither) => self.neither += 1,
            Ok(Agreement::Stricter(reject)) => {
                self.stricter.insert(reject.word());
            }
            Err(why) => self.wrong.push(why),
        }
    }

    /// Fails with what was wrong, or if too few messages were taken by both to mean anything.
    fn report(&self, same_at_least: usize) {
        let Tally { same, neither, wrong, .. } = self;
        let shown = wrong[..wrong.len().min(20)].join("\n");
        assert!(wrong.is_empty(), "{} differences:\n{shown}", wrong.len());
        assert!(
            *same >= same_at_least,
            "only {same} messages were taken by both, {neither} by none"
        );
    }
}

fn check_refusal(name: &str, reject: Reject, taken: bool) -> Result<Agreement, String> {
    let explained = STRICTER.iter().any(|(known, _)| *known == reject);
    match (taken, explained) {
        (false, _) => Ok(Agreement::Neither),
        (true, true) => Ok(Agreement::Stricter(reject)),
        (true, false) => Err(format!("{name}: refused as {}, but hyper takes it", reject.word())),
    }
}

fn check_request(name: &str, bytes: &[u8]) -> Result<Agreement, String> {
    let ours = reading::request(&[bytes]);
    let theirs = block_on(hyper_requests(bytes));
    let first = theirs.first();
    let shown = String::from_utf8_lossy(bytes).into_owned();
    match (ours.verdict, first) {
        (Verdict::Reject(reject), seen) => {
            check_refusal(name, reject, seen.is_some_and(|seen| seen.whole))
        }
        (Verdict::More, Some(seen)) if seen.whole => {
            Err(format!("{name}: unfinished, but hyper has read it whole: {shown:?}"))
        }
        (Verdict::More, _) => Ok(Agreement::Neither),
        (Verdict::Ok, Some(seen)) if seen.whole => same_request(&ours, seen, bytes)
            .map(|()| Agreement::Same)
            .map_err(|why| format!("{name}: {why}: {shown:?}")),
        (Verdict::Ok, seen) => {
            Err(format!("{name}: accepted, but hyper refuses it ({seen:?}): {shown:?}"))
        }
    }
}

fn same_request(ours: &Message<RequestHead>, seen: &Seen, bytes: &[u8]) -> Result<(), String> {
    let head = ours.head.unwrap();
    let method = String::from_utf8_lossy(head.method.as_bytes(bytes)).into_owned();
    let text = |span: portway_http1::Span| String::from_utf8_lossy(span.of(bytes)).into_owned();
    let query = |query: Option<_>| query.map_or("(none)".to_owned(), text);
    let texts = match head.target {
        Target::Origin { path, query: after } => {
            vec![method, String::new(), text(path), query(after)]
        }
        Target::Absolute { authority, path, query: after, .. } => {
            let path = if path.is_empty() { "/".to_owned() } else { text(path) };
            vec![method, text(authority), path, query(after)]
        }
        Target::Authority(authority) => vec![method, text(authority), String::new(), query(None)],
        Target::Asterisk => vec![method, String::new(), "*".to_owned(), query(None)],
    };
    if texts != seen.texts {
        return Err(format!("{texts:?} is not {:?}", seen.texts));
    }
    same_rest(ours, seen)
}

fn same_rest<H>(ours: &Message<H>, seen: &Seen) -> Result<(), String> {
    let fields = as_map(&ours.fields);
    if fields != seen.fields {
        return Err(format!("fields {fields:?} are not {:?}", seen.fields));
    }
    if ours.body.payload != seen.payload {
        return Err(format!("payload {:?} is not {:?}", ours.body.payload, seen.payload));
    }
    let kept = as_map(&ours.body.trailers);
    match kept.iter().find(|pair| !seen.trailers.contains(pair)) {
        Some(pair) => Err(format!("trailer {pair:?} is not in {:?}", seen.trailers)),
        None => Ok(()),
    }
}

fn check_response(name: &str, bytes: &[u8], kind: RequestKind) -> Result<Agreement, String> {
    let ours = reading::response(&[bytes], kind);
    let shown = String::from_utf8_lossy(bytes).into_owned();
    if ours.head.is_some_and(|head| head.status < 200 && head.status != 101) {
        // hyper passes over interim responses and shows the one after them
        return Ok(Agreement::Neither);
    }
    let theirs = block_on(hyper_response(bytes, kind));
    match (ours.verdict, theirs) {
        (Verdict::Reject(reject), seen) => {
            check_refusal(name, reject, seen.is_some_and(|seen| seen.whole))
        }
        (Verdict::More, Some(seen)) if seen.whole => {
            Err(format!("{name}: unfinished, but hyper has read it whole: {shown:?}"))
        }
        (Verdict::More, _) => Ok(Agreement::Neither),
        (Verdict::Ok, Some(seen)) => same_response(&ours, &seen)
            .map(|()| Agreement::Same)
            .map_err(|why| format!("{name}: {why}: {shown:?}")),
        (Verdict::Ok, None) => Err(format!("{name}: accepted, but hyper refuses it: {shown:?}")),
    }
}

fn same_response(ours: &Message<ResponseHead>, seen: &Seen) -> Result<(), String> {
    let head = ours.head.unwrap();
    if head.status.to_string() != seen.texts[0] {
        return Err(format!("{} is not {}", head.status, seen.texts[0]));
    }
    if head.upgrade {
        return Ok(());
    }
    if !seen.whole {
        return Err("hyper refuses its body".to_owned());
    }
    same_rest(ours, seen)
}

#[test]
fn requests_of_the_corpus() {
    let mut tally = Tally::default();
    for entry in corpus::read("request") {
        tally.add(check_request(&entry.name, &entry.bytes));
    }
    tally.report(60);
}

#[test]
fn responses_of_the_corpus() {
    let mut tally = Tally::default();
    for entry in corpus::read("response") {
        tally.add(check_response(&entry.name, &entry.bytes, asked(&entry.verdict).0));
    }
    tally.report(25);
}

/// Bodies are put behind a head of each side.
#[test]
fn bodies_of_the_corpus() {
    let mut tally = Tally::default();
    for entry in corpus::read("body") {
        tally.add(check_request(&entry.name, &[CHUNKED_REQUEST, &entry.bytes].concat()));
        let response = [CHUNKED_RESPONSE, &entry.bytes].concat();
        tally.add(check_response(&entry.name, &response, RequestKind::Other));
    }
    tally.report(30);
}

/// The list above explains what happens and nothing else.
#[test]
fn every_explanation_is_needed() {
    let mut tally = Tally::default();
    for entry in corpus::read("request") {
        tally.add(check_request(&entry.name, &entry.bytes));
    }
    for entry in corpus::read("response") {
        tally.add(check_response(&entry.name, &entry.bytes, asked(&entry.verdict).0));
    }
    for entry in corpus::read("body") {
        tally.add(check_request(&entry.name, &[CHUNKED_REQUEST, &entry.bytes].concat()));
    }
    let explained: BTreeSet<_> = STRICTER.iter().map(|(reject, _)| reject.word()).collect();
    assert_eq!(explained, tally.stricter);
}

/// Behind an accepted message both find the next one at the same place.
#[test]
fn both_agree_where_a_request_ends() {
    let next = b"GET /the/next HTTP/1.1\r\nHost: n\r\n\r\n";
    let mut checked = 0;
    for entry in corpus::read("request") {
        let ours = reading::request(&[&entry.bytes]);
        let Some(head) = ours.head else { continue };
        let goes_on = head.persistent && !head.upgrade && head.method != Method::Connect;
        if ours.verdict != Verdict::Ok || !goes_on {
            continue;
        }
        let bytes = [&entry.bytes[..ours.consumed], next].concat();
        let theirs = block_on(hyper_requests(&bytes));
        assert_eq!(theirs.len(), 2, "{}", entry.name);
        assert_eq!(theirs[1].texts[2], "/the/next", "{}", entry.name);
        checked += 1;
    }
    assert!(checked > 40, "only {checked}");
}

/// Seeds for changes: every other one is a good message, or hardly any would be good afterwards.
struct Seeds {
    good: Vec<(Vec<u8>, RequestKind)>,
    all: Vec<(Vec<u8>, RequestKind)>,
}

impl Seeds {
    fn read(folder: &str, before_bodies: &[u8]) -> Seeds {
        let mut seeds = Seeds { good: Vec::new(), all: Vec::new() };
        for (folder, before) in [(folder, &b""[..]), ("body", before_bodies)] {
            for entry in corpus::read(folder) {
                let (kind, verdict) = asked(&entry.verdict);
                let seed = ([before, &entry.bytes].concat(), kind);
                if seed.0.len() >= LONG {
                    continue;
                }
                if verdict.starts_with("ok") {
                    seeds.good.push(seed.clone());
                }
                seeds.all.push(seed);
            }
        }
        seeds
    }

    fn changed(&self, random: &mut Random) -> (Vec<u8>, RequestKind) {
        let seeds = if random.below(2) == 0 { &self.all } else { &self.good };
        let (bytes, kind) = &seeds[random.below(seeds.len())];
        (mutated(bytes, random), *kind)
    }
}

#[test]
fn changed_requests() {
    let seeds = Seeds::read("request", CHUNKED_REQUEST);
    let mut random = Random::new(2);
    let mut tally = Tally::default();
    for round in 0..CHANGES {
        let (bytes, _) = seeds.changed(&mut random);
        tally.add(check_request(&format!("change {round}"), &bytes));
    }
    tally.report(CHANGES / 10);
}

#[test]
fn changed_responses() {
    let seeds = Seeds::read("response", CHUNKED_RESPONSE);
    let mut random = Random::new(3);
    let mut tally = Tally::default();
    for round in 0..CHANGES {
        let (bytes, kind) = seeds.changed(&mut random);
        tally.add(check_response(&format!("change {round}"), &bytes, kind));
    }
    tally.report(CHANGES / 10);
}
