//! The page of metrics is valid, adds up the workers, and has a ceiling.

use std::collections::{BTreeMap, BTreeSet};

use portway_policy::Reason;

use super::*;
use crate::failure::Fault;
use crate::telemetry::sink::LogCounts;
use crate::telemetry::spans::SpanCounts;

fn metrics(services: u16, operations: u16) -> Metrics {
    Metrics::new(
        Ceilings { services, operations },
        &["127.0.0.1:8080", "[::1]:8443"],
        1_795_508_554_042,
    )
}

/// Samples by name and labels, as read by a strict reader of the format 0.0.4.
#[derive(Debug, Default)]
struct Page {
    kinds: BTreeMap<String, String>,
    samples: BTreeMap<String, f64>,
}

impl Page {
    fn of(metrics: &Metrics) -> Self {
        Self::read(&metrics.render(MetricsForm::Plain, &Views::default()))
    }

    #[track_caller]
    fn read(text: &str) -> Self {
        let mut page = Self::default();
        let mut family = String::new();
        let mut helped = BTreeSet::new();
        assert!(text.ends_with('\n'));
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("# HELP ") {
                let (name, help) = rest.split_once(' ').expect("a help text");
                assert!(
                    !help.contains('\\') && helped.insert(name.to_owned()),
                    "HELP twice: {line}"
                );
            } else if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').expect("a type");
                assert!(
                    helped.contains(name) && matches!(kind, "counter" | "gauge" | "histogram"),
                    "{line}"
                );
                assert!(
                    page.kinds.insert(name.to_owned(), kind.to_owned()).is_none(),
                    "TYPE twice: {line}"
                );
                assert_eq!(kind == "counter", name.ends_with("_total"), "{line}");
                name.clone_into(&mut family);
            } else {
                page.sample(line, &family);
            }
        }
        page
    }

    fn sample(&mut self, line: &str, family: &str) {
        let (series, value) = line.rsplit_once(' ').expect("a value");
        let name = series.split('{').next().unwrap();
        assert!(
            name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_'),
            "{line}"
        );
        let base = match self.kinds[family].as_str() {
            "histogram" => ["_bucket", "_sum", "_count"]
                .iter()
                .find_map(|suffix| name.strip_suffix(suffix))
                .unwrap(),
            _ => name,
        };
        assert_eq!(base, family, "stands under the wrong head: {line}");
        if let Some(labels) = series.strip_prefix(name).filter(|labels| !labels.is_empty()) {
            check_labels(labels);
        }
        let value: f64 = value.parse().expect(line);
        assert!(self.samples.insert(series.to_owned(), value).is_none(), "twice: {series}");
    }

    #[track_caller]
    fn check(&self, series: &str, expected: f64) {
        assert_eq!(self.samples.get(series).copied(), Some(expected), "{series}");
    }
}

/// `{name="value",…}` with nothing unescaped in the values.
fn check_labels(labels: &str) {
    let mut rest = labels.strip_prefix('{').unwrap().strip_suffix('}').unwrap();
    loop {
        let (name, value) = rest.split_once("=\"").unwrap();
        assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{labels}");
        let mut escaped = false;
        let end = value.find(|c: char| {
            let ends = c == '"' && !escaped;
            escaped = c == '\\' && !escaped;
            assert!(!c.is_control());
            ends
        });
        let end = end.unwrap_or_else(|| panic!("no end of a value: {labels}"));
        match value[end + 1..].strip_prefix(',') {
            Some(next) => rest = next,
            None => return assert_eq!(&value[end + 1..], "", "{labels}"),
        }
    }
}

#[test]
fn a_fresh_page_is_valid_and_has_the_fixed_series() {
    let page = Page::of(&metrics(10, 10));
    page.check("portway_outcomes_total{outcome=\"ok\"}", 0.0);
    page.check("portway_bounds_reached_total{bound=\"http2.resets\"}", 0.0);
    page.check("portway_connections{listener=\"[::1]:8443\",protocol=\"http/2\"}", 0.0);
    page.check("portway_start_time_seconds", 1_795_508_554.042);
    assert!(!page.samples.keys().any(|series| series.contains("service=")));
}

#[test]
fn workers_are_added_up() {
    let metrics = metrics(10, 10);
    let workers = [metrics.worker(), metrics.worker()];
    let series = metrics.series("shop", "getOrder");
    for worker in &workers {
        worker.count(series, 200, 500, 10, 100);
        worker.count(series, 404, 501, 0, 1);
        worker.count(series, 503, 20_000_000, 0, 1);
        worker.outcome(OutcomeId::OK);
        worker.outcome(Fault::NoTarget.into());
        worker.outcome(Reason::RateLimited.into());
    }
    let page = Page::of(&metrics);
    page.check("portway_workers", 2.0);
    page.check("portway_calls_total{service=\"shop\",class=\"2xx\"}", 2.0);
    page.check("portway_calls_total{service=\"shop\",class=\"4xx\"}", 2.0);
    page.check("portway_calls_total{service=\"shop\",class=\"5xx\"}", 2.0);
    page.check("portway_call_duration_seconds_bucket{service=\"shop\",le=\"0.0005\"}", 2.0);
    page.check("portway_call_duration_seconds_bucket{service=\"shop\",le=\"0.001\"}", 4.0);
    page.check("portway_call_duration_seconds_bucket{service=\"shop\",le=\"10\"}", 4.0);
    page.check("portway_call_duration_seconds_bucket{service=\"shop\",le=\"+Inf\"}", 6.0);
    page.check("portway_call_duration_seconds_count{service=\"shop\"}", 6.0);
    page.check("portway_call_duration_seconds_sum{service=\"shop\"}", 40.002_002);
    page.check("portway_received_bytes_total{service=\"shop\"}", 20.0);
    page.check("portway_sent_bytes_total{service=\"shop\"}", 204.0);
    page.check(
        "portway_operation_calls_total{service=\"shop\",operation=\"getOrder\",class=\"2xx\"}",
        2.0,
    );
    page.check(
        "portway_operation_seconds_total{service=\"shop\",operation=\"getOrder\"}",
        40.002_002,
    );
    page.check("portway_outcomes_total{outcome=\"ok\"}", 2.0);
    page.check("portway_outcomes_total{outcome=\"no-target\"}", 2.0);
    page.check("portway_outcomes_total{outcome=\"rate-limited\"}", 2.0);
}

#[test]
fn classes_of_status() {
    let metrics = metrics(10, 0);
    let worker = metrics.worker();
    for status in [101, 204, 301, 499, 599] {
        worker.count(metrics.series("shop", ""), status, 0, 0, 0);
    }
    let page = Page::of(&metrics);
    for (class, count) in [("1xx", 1.0), ("2xx", 1.0), ("3xx", 1.0), ("4xx", 1.0), ("5xx", 1.0)] {
        page.check(&format!("portway_calls_total{{service=\"shop\",class=\"{class}\"}}"), count);
    }
}

#[test]
fn a_name_keeps_its_place() {
    let metrics = metrics(10, 10);
    let first = metrics.series("shop", "getOrder");
    metrics.series("other", "getOrder");
    assert_eq!(metrics.series("shop", "getOrder"), first);
    assert_ne!(metrics.series("other", "getOrder"), first);
    assert_eq!(metrics.series("", ""), SeriesId::NOWHERE);
}

#[test]
fn beyond_the_ceiling_all_is_counted_together() {
    let metrics = metrics(2, 3);
    let worker = metrics.worker();
    for service in 0..50 {
        for operation in 0..4 {
            worker.count(
                metrics.series(&format!("s{service}"), &format!("o{operation}")),
                200,
                1,
                0,
                0,
            );
        }
    }
    worker.count(SeriesId::NOWHERE, 404, 1, 0, 0);
    let page = Page::of(&metrics);
    page.check("portway_calls_total{service=\"s0\",class=\"2xx\"}", 4.0);
    page.check("portway_calls_total{service=\"s1\",class=\"2xx\"}", 4.0);
    page.check("portway_calls_total{service=\"_other\",class=\"2xx\"}", 192.0);
    page.check("portway_calls_total{service=\"-\",class=\"4xx\"}", 1.0);
    page.check("portway_operation_calls_total{service=\"s0\",operation=\"o2\",class=\"2xx\"}", 1.0);
    page.check(
        "portway_operation_calls_total{service=\"_other\",operation=\"_other\",class=\"2xx\"}",
        197.0,
    );
    page.check("portway_metrics_names{kind=\"service\"}", 2.0);
    page.check("portway_metrics_names_ceiling{kind=\"service\"}", 2.0);
    page.check("portway_metrics_names{kind=\"operation\"}", 3.0);
    page.check("portway_metrics_names_ceiling{kind=\"operation\"}", 3.0);
}

#[test]
fn the_greatest_ceiling_has_room() {
    let metrics = metrics(u16::MAX, u16::MAX);
    let worker = metrics.worker();
    for index in 0..70_000 {
        worker.count(metrics.series("shop", &index.to_string()), 200, 0, 0, 0);
    }
    let page = Page::of(&metrics);
    let counted = page
        .samples
        .iter()
        .filter(|(series, _)| series.starts_with("portway_operation_calls_total"));
    assert_eq!(counted.map(|(_, value)| value).sum::<f64>(), 70_000.0);
}

#[test]
fn connections_move_and_change_hands() {
    let metrics = metrics(1, 0);
    let (one, two) = (metrics.worker(), metrics.worker());
    one.connection_opened(0);
    one.connection_opened(0);
    two.connection_became(0, Wire::Unknown, Wire::Http1);
    two.connection_became(0, Wire::Http1, Wire::Upgraded);
    one.connection_closed(0, Wire::Unknown);
    one.handshake(1, true);
    one.handshake(1, false);
    one.connection_opened(7);
    two.gauge(Gauge::CallsInFlight, -1);
    let page = Page::of(&metrics);
    page.check("portway_connections_accepted_total{listener=\"127.0.0.1:8080\"}", 2.0);
    page.check("portway_connections{listener=\"127.0.0.1:8080\",protocol=\"unknown\"}", 0.0);
    page.check("portway_connections{listener=\"127.0.0.1:8080\",protocol=\"http/1\"}", 0.0);
    page.check("portway_connections{listener=\"127.0.0.1:8080\",protocol=\"upgraded\"}", 1.0);
    page.check("portway_tls_handshakes_total{listener=\"[::1]:8443\",result=\"ok\"}", 1.0);
    page.check("portway_tls_handshakes_total{listener=\"[::1]:8443\",result=\"failed\"}", 1.0);
    page.check("portway_calls_in_flight", 0.0);
}

#[test]
fn events_and_bounds_of_all_threads() {
    let metrics = metrics(1, 0);
    let worker = metrics.worker();
    for event in Event::ALL {
        worker.add(*event);
        metrics.add(*event);
    }
    for bound in Bound::ALL {
        worker.bound(*bound);
        metrics.bound(*bound);
    }
    let page = Page::of(&metrics);
    for event in Event::ALL {
        let (family, label) = event.series();
        let labels = label.map_or(String::new(), |(name, value)| format!("{{{name}=\"{value}\"}}"));
        page.check(&format!("{}{labels}", family.name), 2.0);
    }
    for bound in Bound::ALL {
        page.check(&format!("portway_bounds_reached_total{{bound=\"{}\"}}", bound.word()), 2.0);
    }
}

fn endpoint(port: u16) -> EndpointView {
    EndpointView {
        address: ([10, 0, 0, 7], port).into(),
        up: port != 2,
        breaker: Breaker::HalfOpen,
        in_flight: 4,
    }
}

#[test]
fn what_is_looked_at_is_shown() {
    let backends = [BackendView {
        backend: "shop/get\"Order\\\n",
        in_flight: 8,
        waiting: 3,
        awaiting: 7,
        awaiting_max: 9,
        is_limited: true,
        refused: [4, 5, 6, 0],
        endpoints: vec![endpoint(1), endpoint(2)],
    }];
    let views = Views {
        now_unix_ms: 62_500,
        snapshot: Some(SnapshotView {
            hash: "abc",
            published_unix_ms: 1_250,
            last_load_failed: true,
        }),
        backends: &backends,
        spans: None,
        log: Some(LogCounts { written: 5, dropped: 6, errors: 7 }),
    };
    let page = Page::read(&metrics(1, 1).render(MetricsForm::Plain, &views));
    let backend = "backend=\"shop/get\\\"Order\\\\\\n\"";
    page.check(&format!("portway_backend_calls_in_flight{{{backend}}}"), 8.0);
    page.check(&format!("portway_backend_queue{{{backend}}}"), 3.0);
    page.check(&format!("portway_backend_calls_awaiting{{{backend}}}"), 7.0);
    page.check(&format!("portway_backend_calls_awaiting_limit{{{backend}}}"), 9.0);
    page.check(&format!("portway_backend_overloaded{{{backend}}}"), 1.0);
    page.check(&format!("portway_backend_refused_total{{{backend},priority=\"normal\"}}"), 5.0);
    page.check(&format!("portway_endpoint_up{{{backend},endpoint=\"10.0.0.7:1\"}}"), 1.0);
    page.check(&format!("portway_endpoint_up{{{backend},endpoint=\"10.0.0.7:2\"}}"), 0.0);
    page.check(&format!("portway_endpoint_breaker{{{backend},endpoint=\"10.0.0.7:2\"}}"), 1.0);
    page.check("portway_snapshot_info{hash=\"abc\"}", 1.0);
    page.check("portway_snapshot_published_seconds", 1.25);
    page.check("portway_snapshot_age_seconds", 61.25);
    page.check("portway_snapshot_last_load_failed", 1.0);
    page.check("portway_log_lines_total{result=\"dropped\"}", 6.0);
    page.check("portway_log_errors_total", 7.0);
}

#[test]
fn endpoints_have_a_ceiling_too() {
    let endpoints: Vec<_> = (1..=2100).map(endpoint).collect();
    let backends = [BackendView {
        backend: "shop",
        in_flight: 0,
        waiting: 0,
        awaiting: 0,
        awaiting_max: 0,
        is_limited: false,
        refused: [0; 4],
        endpoints,
    }];
    let page = Page::read(
        &metrics(1, 1)
            .render(MetricsForm::Plain, &Views { backends: &backends, ..Views::default() }),
    );
    page.check("portway_metrics_endpoints_omitted", 100.0);
    assert_eq!(
        page.samples.keys().filter(|series| series.starts_with("portway_endpoint_up{")).count(),
        2000
    );
}

#[test]
fn closed_lists_are_in_the_order_of_their_numbers() {
    assert!(Event::ALL.iter().enumerate().all(|(index, event)| *event as usize == index));
    assert!(Bound::ALL.iter().enumerate().all(|(index, bound)| *bound as usize == index));
    assert!(Gauge::ALL.iter().enumerate().all(|(index, gauge)| *gauge as usize == index));
    assert!(Wire::ALL.iter().enumerate().all(|(index, wire)| *wire as usize == index));
    let words: Vec<&str> = OutcomeId::words().collect();
    assert_eq!(words.len(), OutcomeId::COUNT);
    assert!(
        Reason::ALL.iter().all(|reason| words[OutcomeId::from(*reason).index()] == reason.word())
    );
    assert!(Fault::ALL.iter().all(|fault| words[OutcomeId::from(*fault).index()] == fault.word()));
    assert_eq!(words.iter().collect::<BTreeSet<_>>().len(), words.len());
}

/// Families as the page has them with everything shown, and as `docs/metrics.md` lists them.
#[test]
fn families_are_those_of_the_page_and_of_the_document() {
    let metrics = metrics(1, 1);
    metrics.worker().count(metrics.series("shop", "getOrder"), 200, 1, 1, 1);
    let views = Views {
        snapshot: Some(SnapshotView { hash: "", published_unix_ms: 0, last_load_failed: false }),
        log: Some(LogCounts::default()),
        spans: Some(SpanCounts::default()),
        ..Views::default()
    };
    let page = Page::read(&metrics.render(MetricsForm::Plain, &views));
    let names: BTreeSet<&str> = FAMILIES.iter().map(|family| family.name).collect();
    assert_eq!(page.kinds.keys().map(String::as_str).collect::<BTreeSet<_>>(), names);
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/metrics.md");
    let document = std::fs::read_to_string(path).unwrap();
    for family in FAMILIES {
        let labels: Vec<String> = family.labels.iter().map(|label| format!("`{label}`")).collect();
        let row = format!(
            "| `{}` | {} | {} | {} |",
            family.name,
            family.kind.word(),
            labels.join(", "),
            family.help
        );
        assert!(document.lines().any(|line| line == row), "docs/metrics.md lacks this row:\n{row}");
    }
    assert_eq!(
        document.lines().filter(|line| line.starts_with("| `portway_")).count(),
        FAMILIES.len()
    );
}

/// A strict reader of OpenMetrics 1.0.0, as far as it is written here: gives samples with exemplars.
fn read_open(text: &str) -> Vec<(String, String)> {
    let body = text.strip_suffix("# EOF\n").expect("it ends with # EOF");
    let (mut family, mut kind) = (String::new(), String::new());
    let mut exemplars = Vec::new();
    let mut seen = BTreeSet::new();
    for line in body.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let name = rest.split_once(' ').expect("a name and a text").0;
            assert!(seen.insert(name.to_owned()), "{name} comes twice");
            name.clone_into(&mut family);
            continue;
        }
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, word) = rest.split_once(' ').expect("a name and a kind");
            assert_eq!(name, family);
            word.clone_into(&mut kind);
            assert!(word != "counter" || !name.ends_with("_total"), "{name}");
            continue;
        }
        assert!(!line.starts_with('#') && !line.is_empty(), "{line}");
        let (sample, exemplar) = match line.split_once(" # ") {
            Some((sample, exemplar)) => (sample, Some(exemplar)),
            None => (line, None),
        };
        let (series, value) = sample.rsplit_once(' ').expect("a value");
        value.parse::<f64>().expect("a number");
        let name = series.split('{').next().expect("a name");
        let suffix =
            name.strip_prefix(&*family).unwrap_or_else(|| panic!("{name} is not of {family}"));
        let allowed: &[&str] = match &*kind {
            "counter" => &["_total"],
            "histogram" => &["_bucket", "_sum", "_count"],
            "gauge" => &[""],
            other => panic!("{other}"),
        };
        assert!(allowed.contains(&suffix), "{name} of a {kind}");
        if suffix == "_bucket" {
            let edge = series
                .split("le=\"")
                .nth(1)
                .and_then(|rest| rest.split('"').next())
                .expect("an edge");
            assert!(edge == "+Inf" || edge.contains('.'), "{edge}");
        }
        if let Some(exemplar) = exemplar {
            assert_eq!(suffix, "_bucket");
            exemplars.push((series.to_owned(), exemplar.to_owned()));
        }
    }
    exemplars
}

#[test]
fn openmetrics_with_exemplars() {
    let metrics = metrics(4, 4);
    let (one, two) = (metrics.worker(), metrics.worker());
    let shop = metrics.series("shop", "get");
    let trace = |digit: char| digit.to_string().repeat(32);
    for (worker, us, digit, at) in [
        (&one, 700, 'a', 5_000),
        (&two, 800, 'b', 6_000),
        (&one, 900, 'c', 5_500),
        (&one, 40_000, 'd', 1),
    ] {
        worker.count(shop, 200, us, 0, 0);
        worker.exemplar(shop, us, trace(digit).as_bytes(), at);
    }
    one.exemplar(shop, 1, b"not a trace", 9_000);
    let exemplars = read_open(&metrics.render(MetricsForm::OpenMetrics, &Views::default()));
    let bucket =
        |edge| format!("portway_call_duration_seconds_bucket{{service=\"shop\",le=\"{edge}\"}}");
    assert_eq!(
        exemplars,
        [
            (bucket("0.001"), format!("{{trace_id=\"{}\"}} 0.000800 6.000", trace('b'))),
            (bucket("0.05"), format!("{{trace_id=\"{}\"}} 0.040000 0.001", trace('d'))),
        ]
    );
    Page::read(&metrics.render(MetricsForm::Plain, &Views::default()));
}

#[test]
fn the_form_that_a_scraper_wants() {
    let check = |accept: &str, expected| {
        assert_eq!(MetricsForm::accepted(accept), expected, "{accept}");
    };
    use MetricsForm::{OpenMetrics, Plain};
    check("", Plain);
    check("*/*", Plain);
    check("text/plain", Plain);
    check("application/openmetrics-text", OpenMetrics);
    check("Application/OpenMetrics-Text; version=1.0.0; charset=utf-8", OpenMetrics);
    check("application/openmetrics-text;version=2.0.0", Plain);
    check("application/openmetrics-text;q=0", Plain);
    check("application/openmetrics-text;q=0.1,text/plain;q=0.9", Plain);
    check("application/openmetrics-text;q=banana", Plain);
    // As Prometheus 3 asks.
    check(
        "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
        OpenMetrics,
    );
    check(&"a,".repeat(10_000), Plain);
}
