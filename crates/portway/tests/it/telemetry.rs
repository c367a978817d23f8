//! Spans at a collector, exemplars at the admin listener, and a dashboard that asks for what there is: all with
//! the built binary.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use portway_testkit::{Backend, BlackHole, Client, Received};

use crate::program::{Gateway, directory, outcome, portway, repository};

/// A gateway with these settings, one service before `backend`, and what stands in `more`.
fn start(settings: &str, backend: SocketAddr) -> (Gateway, tempfile::TempDir) {
    let document = format!(
        "portway: 1\ngateway:\n  listen: [ '127.0.0.1:0' ]\n  admin: '127.0.0.1:0'\n  drain_timeout: 2s\n{settings}\
         services:\n  shop:\n    routes: [ 'GET /orders/{{id}}', 'POST /orders' ]\n    auth: public\n    limits: [ '1000/s' ]\n    backend: 'http://{backend}'\n"
    );
    let folder = directory(&[("portway.yaml", &document), ("token.txt", "t0p-s3cret\n")]);
    (Gateway::start(portway(folder.path(), &["run"])), folder)
}

fn get(address: SocketAddr, path: &str) -> u16 {
    Client::ask(
        address,
        format!("GET {path} HTTP/1.1\r\nHost: api.test\r\nConnection: close\r\n\r\n"),
    )
    .status
}

fn metrics(gateway: &Gateway, accept: &str) -> portway_testkit::Answer {
    let admin = gateway.admin.expect("there is an admin listener");
    let request = format!(
        "GET /metrics HTTP/1.1\r\nHost: localhost\r\nAccept: {accept}\r\nConnection: close\r\n\r\n"
    );
    Client::ask(admin, request)
}

/// The value of a sample, 0 if there is none.
fn sample(gateway: &Gateway, series: &str) -> f64 {
    let text = metrics(gateway, "text/plain").text();
    let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    line.map_or(0.0, |value| value.parse().expect("a number"))
}

/// Waits until `is_so`, at most ten seconds.
fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let until = Instant::now() + Duration::from_secs(10);
    while !is_so() {
        assert!(Instant::now() < until, "{what} did not come");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn requests(collector: &Backend) -> Vec<Received> {
    collector.received()
}

#[test]
fn spans_reach_a_collector() {
    let (backend, collector) = (Backend::polite(), Backend::polite());
    let settings = format!(
        "  traces:\n    to: 'http://{}'\n    sample: 100%\n    headers: {{ X-Token: {{ file: token.txt }} }}\n    resource: {{ deployment.environment.name: test }}\n",
        collector.address()
    );
    let (gateway, _folder) = start(&settings, backend.address());
    assert_eq!(get(gateway.address, "/orders/7"), 200);
    wait_until("a request to the collector", || !requests(&collector).is_empty());
    let request = collector.last();
    assert_eq!(request.line(), "POST /v1/traces HTTP/1.1");
    assert_eq!(request.values("content-type"), ["application/x-protobuf"]);
    assert_eq!(request.values("x-token"), ["t0p-s3cret"]);
    let (resource, spans) = portway_testkit::spans::read_request(&request.body);
    assert_eq!(resource["service.name"], "portway");
    assert_eq!(resource["deployment.environment.name"], "test");
    let sent = spans.len() as f64;
    // Phases that take their time on a busy machine have spans, too.
    let kinds = |kind| spans.iter().filter(|span| span.kind == kind).count();
    assert_eq!((kinds(2), kinds(3)), (1, 1), "{spans:#?}");
    assert_eq!(spans[0].name, "GET /orders/{id}");
    wait_until("the count of spans", || {
        sample(&gateway, "portway_trace_spans_total{result=\"sent\"}") == sent
    });
}

#[test]
fn the_last_spans_are_sent_when_it_stops() {
    let (backend, collector) = (Backend::polite(), Backend::polite());
    let settings = format!("  traces: {{ to: 'http://{}', sample: 100% }}\n", collector.address());
    let (mut gateway, _folder) = start(&settings, backend.address());
    for number in 0..5 {
        assert_eq!(get(gateway.address, &format!("/orders/{number}")), 200);
    }
    gateway.signal("TERM");
    assert!(gateway.child.wait().expect("it ends").success());
    let spans: usize = requests(&collector)
        .iter()
        .flat_map(|request| portway_testkit::spans::read_request(&request.body).1)
        .filter(|span| span.kind != 1)
        .count();
    assert_eq!(spans, 10);
}

#[test]
fn f15_no_collector_is_no_trouble_for_calls() {
    let (backend, hole) = (Backend::polite(), BlackHole::new());
    for to in [Backend::nobody(), hole.address()] {
        let settings = format!("  traces: {{ to: 'http://{to}', sample: 100% }}\n");
        let (mut gateway, _folder) = start(&settings, backend.address());
        for number in 0..200 {
            assert_eq!(get(gateway.address, &format!("/orders/{number}")), 200);
        }
        gateway.signal("TERM");
        assert!(gateway.child.wait().expect("it ends").success(), "it stops in time");
    }
}

#[test]
fn f15_a_full_disk_for_the_log_is_no_trouble_for_calls() {
    if !std::path::Path::new("/dev/full").exists() {
        return println!("SKIPPED: there is no /dev/full");
    }
    let backend = Backend::polite();
    let (gateway, _folder) = start(
        "  log: { to: /dev/full, fields: [ status, 'header:User-Agent' ] }\n",
        backend.address(),
    );
    for number in 0..50 {
        assert_eq!(get(gateway.address, &format!("/orders/{number}")), 200);
    }
    wait_until("the count of lost lines", || {
        sample(&gateway, "portway_log_lines_total{result=\"dropped\"}") == 50.0
    });
    assert_eq!(sample(&gateway, "portway_log_lines_total{result=\"written\"}"), 0.0);
}

#[test]
fn mistakes_in_what_is_told_are_told() {
    let check = |settings: &str, said: &[&str]| {
        let document = format!(
            "portway: 1\ngateway:\n{settings}\nservices:\n  shop: {{ routes: [ 'GET /' ], auth: [ key: {{ header: X-Tenant-Ticket }} ], backend: 'http://127.0.0.1:1' }}\n"
        );
        let folder = directory(&[("portway.yaml", &document)]);
        let (code, out, err) =
            outcome(&portway(folder.path(), &["check"]).output().expect("it runs"));
        assert_eq!(code, 1, "{settings}\n{out}{err}");
        for word in said {
            assert!(format!("{out}{err}").contains(word), "{word}: {out}{err}");
        }
    };
    check("  log: { fields: [ tiem ] }", &["unknown-log-field", "did you mean \"time\"?"]);
    check(
        "  log: { fields: [ 'header:Authorization' ] }",
        &["log-field-secret", "may carry credentials"],
    );
    check(
        "  log: { fields: [ 'header:X-Tenant-Ticket' ] }",
        &["log-field-secret", "carries keys of callers"],
    );
    check("  log: { fields: [ 'query:access_token' ] }", &["log-field-secret"]);
    check("  log: { fields: [ time, time ] }", &["log-field-twice"]);
    check(
        "  log: { fields: [ 'header:X-Forwarded-For' ] }\n  privacy: { client: hash }",
        &["log-field-secret", "privacy.client"],
    );
    check("  traces: { sample: 10% }", &["traces-to-nowhere"]);
    check("  traces: { to: 'http://c', sample: 101% }", &["more than 100%"]);
    check("  traces: { to: 'ftp://c' }", &["the scheme is one of"]);
    check("  traces: { to: 'http://c', headers: { Host: { env: A } } }", &["collector-header"]);
    check("  traces: { to: 'http://c', headers: { X-Token: plain-s3cret } }", &["headers"]);
}

#[test]
fn a_scraper_that_asks_for_openmetrics_gets_it() {
    let backend = Backend::polite();
    let (gateway, _folder) = start("", backend.address());
    get(gateway.address, "/orders/7");
    let open = metrics(&gateway, "application/openmetrics-text;version=1.0.0,text/plain;q=0.3");
    assert_eq!(
        open.value("content-type"),
        Some("application/openmetrics-text; version=1.0.0; charset=utf-8")
    );
    assert!(open.text().ends_with("# EOF\n"));
    let plain = metrics(&gateway, "*/*");
    assert_eq!(plain.value("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    assert!(!plain.text().contains("# EOF"));
}

/// Everything that a query names: metrics, and labels that it picks by or groups by.
fn named(query: &str) -> (BTreeSet<String>, BTreeSet<String>) {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let words = |text: &str| -> Vec<String> {
        text.split(|c| !is_word(c)).filter(|word| !word.is_empty()).map(str::to_owned).collect()
    };
    // Texts in quotes are values of labels.
    let bare: String = query.split('"').step_by(2).collect::<Vec<_>>().join("\"\"");
    let metrics = words(&bare).into_iter().filter(|word| word.starts_with("portway_")).collect();
    let mut labels = BTreeSet::new();
    for part in bare.split('{').skip(1) {
        let inside = part.split('}').next().expect("it is closed");
        labels.extend(inside.split(',').filter_map(|pick| words(pick).into_iter().next()));
    }
    for part in bare.split(" by (").skip(1) {
        labels.extend(words(part.split(')').next().expect("it is closed")));
    }
    (metrics, labels)
}

/// All texts under a key, wherever it stands.
fn texts(value: &serde_json::Value, key: &str, found: &mut Vec<String>) {
    match value {
        serde_json::Value::Object(map) => {
            for (name, inner) in map {
                match inner {
                    serde_json::Value::String(text) if name == key => found.push(text.clone()),
                    _ => texts(inner, key, found),
                }
            }
        }
        serde_json::Value::Array(items) => items.iter().for_each(|item| texts(item, key, found)),
        _ => {}
    }
}

/// Metrics with the labels that their samples have.
fn served(text: &str) -> BTreeMap<String, BTreeSet<String>> {
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (metrics, labels) = named(line);
        for metric in metrics {
            found.entry(metric).or_default().extend(labels.clone());
        }
    }
    found
}

#[test]
fn the_dashboard_and_the_alerts_ask_for_what_is_served() {
    let (backend, collector) = (Backend::polite(), Backend::polite());
    let settings = format!("  traces: {{ to: 'http://{}' }}\n", collector.address());
    let (gateway, _folder) = start(&settings, backend.address());
    for path in ["/orders/7", "/nowhere"] {
        get(gateway.address, path);
    }
    wait_until("the count of a call", || {
        sample(&gateway, "portway_calls_total{service=\"shop\",class=\"2xx\"}") == 1.0
    });
    let served = served(&metrics(&gateway, "text/plain").text());

    let folder = repository().join("examples/grafana");
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).expect("it is there");
    let dashboard: serde_json::Value = serde_json::from_str(&read("portway.json")).expect("JSON");
    let mut queries = Vec::new();
    texts(&dashboard, "expr", &mut queries);
    assert!(queries.len() > 30, "{}", queries.len());
    let rules = read("rules.yaml");
    queries.extend(
        rules.lines().filter_map(|line| Some(line.trim().strip_prefix("expr: ")?.to_owned())),
    );
    for variable in dashboard["templating"]["list"].as_array().expect("a list") {
        let Some(query) = variable["definition"].as_str() else { continue };
        let (what, label) = query
            .strip_prefix("label_values(")
            .and_then(|rest| rest.strip_suffix(')')?.rsplit_once(", "))
            .expect("a query of labels");
        queries.push(format!("sum by ({label}) ({what})"));
    }
    for query in &queries {
        let (metrics, labels) = named(query);
        assert!(!metrics.is_empty(), "{query} asks for nothing");
        for metric in &metrics {
            let has =
                served.get(metric).unwrap_or_else(|| panic!("{metric} is not served: {query}"));
            for label in &labels {
                // The scraper adds who was asked.
                assert!(
                    label == "instance" || has.contains(label),
                    "{metric} has no {label}: {query}"
                );
            }
        }
    }
    // What a legend shows is there to be shown.
    let mut legends = Vec::new();
    texts(&dashboard, "legendFormat", &mut legends);
    let all: BTreeSet<&String> = served.values().flatten().collect();
    for legend in legends.iter().flat_map(|legend| legend.split("{{").skip(1)) {
        let label = legend.split("}}").next().expect("it is closed").to_owned();
        assert!(label == "instance" || all.contains(&label), "{label}");
    }
}
