//! What the record of a call costs: the log line (at most 400 ns), the counters, the ids, and the fields
//! that tell the backend who is calling. `cargo bench -p portway-proxy --bench telemetry`.

#![allow(missing_docs, reason = "criterion's macros make undocumented items")]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use portway_policy::{Headers, Scheme};
use portway_proxy::forwarded::{Forwarding, Hop, client_address};
use portway_proxy::telemetry::line::{push_chosen, push_line};
use portway_proxy::telemetry::span::{SpanParts, push_spans};
use portway_proxy::telemetry::stamp::Stamp;
use portway_proxy::telemetry::{
    CallRecord, Ceilings, LimitShown, LineWriter, LogFields, LogSink, LogTarget, Metrics,
    MetricsForm, OutcomeId, Privacy, Random, RequestId, Sampling, TraceContext, Views,
};

fn call<'a>() -> CallRecord<'a> {
    let mut call = CallRecord::new(1_795_508_554_042, [203, 0, 113, 7].into());
    call.request_id = b"019ab4f3a1ba00000000000000000001";
    call.trace_id = b"0af7651916cd43dd8448eb211c80319c";
    call.span_id = b"b7ad6b7169203331";
    call.method = b"GET";
    call.host = b"api.example.com";
    call.path = b"/shop/orders/7";
    call.service = "shop";
    call.operation = "getOrder";
    call.route = "/shop/orders/{orderId}";
    call.app = "phone";
    call.plan = "gold";
    call.status = 200;
    call.bytes_out = 512;
    call.total_us = 1234;
    call.phases_us = [1, 1, 0, 1, 0, 1, 1200, 30];
    call.tries = 1;
    call.target = Some(([10, 0, 0, 7], 8000).into());
    call.reused = true;
    call.limit = Some(LimitShown { name: "20/s per app", remaining: 19, reset_s: 1 });
    call.user_agent = b"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";
    call
}

fn lines(c: &mut Criterion) {
    let mut out = Vec::with_capacity(4096);
    let mut stamp = Stamp::default();
    c.bench_function("line, plain", |b| {
        b.iter(|| {
            out.clear();
            push_line(&mut out, black_box(&call()), &mut stamp);
            black_box(out.len())
        });
    });
    let mut hostile = call();
    hostile.path = b"/shop/\xff\"\x1b[31m/\r\n";
    c.bench_function("line, with escapes", |b| {
        b.iter(|| {
            out.clear();
            push_line(&mut out, black_box(&hostile), &mut stamp);
            black_box(out.len())
        });
    });
    let chosen = [
        "time",
        "request_id",
        "client",
        "method",
        "path",
        "status",
        "total_us",
        "header:X-Tenant",
        "query:lang",
        "target",
    ];
    let chosen = LogFields::new(&chosen.map(str::to_owned)).expect("there are fields");
    let gathered: [&[u8]; 2] = [b"blue", b"de"];
    let mut call_with = call();
    call_with.gathered = &gathered;
    c.bench_function("line, ten chosen fields", |b| {
        b.iter(|| {
            out.clear();
            push_chosen(&mut out, black_box(&call_with), &mut stamp, &chosen);
            black_box(out.len())
        });
    });
    let parts = SpanParts {
        server_id: *b"00f067aa0ba902b7",
        parent_id: None,
        flags: 1,
        began_us: 1,
        traced: None,
    };
    c.bench_function("span of a call", |b| {
        b.iter(|| {
            out.clear();
            push_spans(&mut out, black_box(&call()), &parts, || 1);
            black_box(out.len())
        });
    });
    let sampling = Sampling::new(&portway_model::Traces::default());
    let random = Random::from_system();
    let mut trace = TraceContext::from_field(None, &random);
    c.bench_function("sampling, decided", |b| {
        b.iter(|| black_box(sampling.decide(black_box(&mut trace), false, &random)))
    });
    let hashed = portway_model::Privacy {
        client: portway_model::ClientShown::Hash,
        ..portway_model::Privacy::default()
    };
    let privacy = Privacy::new(&hashed, Some("key")).expect("a key");
    c.bench_function("address, hashed", |b| {
        b.iter(|| black_box(privacy.client(black_box([203, 0, 113, 7].into()))))
    });
    let sink = LogSink::start(LogTarget::File("/dev/null".into())).expect("/dev/null");
    let mut writer = LineWriter::new(&sink);
    c.bench_function("line, handed to the writer", |b| b.iter(|| writer.write(black_box(&call()))));
}

fn counters(c: &mut Criterion) {
    let metrics = Metrics::new(Ceilings::default(), &["127.0.0.1:8080"], 0);
    let worker = metrics.worker();
    let series = metrics.series("shop", "getOrder");
    c.bench_function("count a call", |b| {
        b.iter(|| {
            worker.count(black_box(series), black_box(200), black_box(1234), 0, 512);
            worker.outcome(OutcomeId::OK);
        });
    });
    for service in 0..1000 {
        worker.count(metrics.series(&format!("s{service}"), "get"), 200, 1000, 1, 1);
    }
    c.bench_function("scrape, 1,000 services", |b| {
        b.iter(|| black_box(metrics.render(MetricsForm::Plain, &Views::default()).len()))
    });
}

fn ids(c: &mut Criterion) {
    let random = Random::from_system();
    let parent = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    c.bench_function("trace, new", |b| {
        b.iter(|| black_box(TraceContext::from_field(None, &random).traceparent()))
    });
    c.bench_function("trace, continued", |b| {
        b.iter(|| {
            black_box(TraceContext::from_field(Some(black_box(parent)), &random).traceparent())
        });
    });
    c.bench_function("request id", |b| {
        b.iter(|| black_box(RequestId::choose(None, 1_795_508_554_042, &random)).as_bytes().len());
    });
}

struct Fields(&'static [(&'static str, &'static str)]);

impl Headers for Fields {
    fn first(&self, name: &str) -> Option<&[u8]> {
        self.0.iter().find(|(field, _)| *field == name).map(|(_, value)| value.as_bytes())
    }
    fn each(&self, name: &str, see: &mut dyn FnMut(&[u8])) {
        self.0
            .iter()
            .filter(|(field, _)| *field == name)
            .for_each(|(_, value)| see(value.as_bytes()));
    }
}

fn forwarding(c: &mut Criterion) {
    let headers = Fields(&[("x-forwarded-for", "203.0.113.7, 10.0.0.9")]);
    let trusted = ["10.0.0.0/8".parse().expect("a net")];
    let peer = Hop::new([10, 0, 0, 2].into());
    c.bench_function("client behind two proxies", |b| {
        b.iter(|| client_address(black_box([10, 0, 0, 2].into()), &headers, &trusted));
    });
    let mut out = Vec::with_capacity(1024);
    for (name, is_trusted) in [("forwarding, untrusted", false), ("forwarding, continued", true)] {
        let forwarding = Forwarding {
            peer: &peer,
            trusted: is_trusted,
            scheme: Scheme::Https,
            host: b"api.example.com",
            http2: false,
            headers: &headers,
        };
        c.bench_function(name, |b| {
            b.iter(|| {
                out.clear();
                black_box(&forwarding).write(&mut out);
                black_box(out.len())
            });
        });
    }
}

criterion_group!(benches, lines, counters, ids, forwarding);
criterion_main!(benches);
