//! The counters as Prometheus text, version 0.0.4.

use std::fmt::{Display, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};

use super::block::{BUCKETS, Block, CLASSES, CheckSlot, ListenerSlot, OperationSlot, ServiceSlot};
use super::event::{AnswerResult, Bound, Event, Gauge, Label, OutcomeId, Wire};
use super::exemplar::{self, Exemplar};
use super::family::{self, Family, Kind};
use super::form::MetricsForm;
use super::names::{NONE, Names, OTHER};
use super::view::{BackendView, EndpointView, Views};
use super::{BUCKETS_US, Metrics};

/// Backends that are shown.
const BACKENDS_MAX: usize = 1000;
/// Endpoints that are shown, of all backends together.
const ENDPOINTS_MAX: usize = 2000;

const CLASS_LABELS: [&str; CLASSES] = ["1xx", "2xx", "3xx", "4xx", "5xx"];
const BUCKET_LABELS: [&str; BUCKETS] = [
    "0.0005", "0.001", "0.0025", "0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1",
    "2.5", "10", "+Inf",
];
/// The same as OpenMetrics writes numbers.
const OPEN_BUCKET_LABELS: [&str; BUCKETS] = [
    "0.0005", "0.001", "0.0025", "0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1.0",
    "2.5", "10.0", "+Inf",
];
const _: () = assert!(BUCKETS_US.len() + 1 == BUCKET_LABELS.len());

/// Everything that one scrape reads.
pub(super) struct Scrape<'a> {
    pub(super) metrics: &'a Metrics,
    pub(super) names: &'a Names,
    pub(super) blocks: &'a [Arc<Block>],
    pub(super) views: &'a Views<'a>,
}

pub(super) fn render(scrape: &Scrape<'_>, form: MetricsForm) -> String {
    let mut page = Page { text: String::new(), is_open: form == MetricsForm::OpenMetrics };
    scrape.process(&mut page);
    scrape.services(&mut page);
    scrape.operations(&mut page);
    scrape.checks(&mut page);
    scrape.outcomes(&mut page);
    scrape.listeners(&mut page);
    scrape.bounds(&mut page);
    scrape.events(&mut page);
    scrape.gauges(&mut page);
    scrape.backends(&mut page);
    scrape.endpoints(&mut page);
    scrape.snapshot(&mut page);
    scrape.log(&mut page);
    scrape.spans(&mut page);
    scrape.names(&mut page);
    if page.is_open {
        page.text.push_str("# EOF\n");
    }
    page.text
}

/// The text so far. Writing to a `String` cannot fail, so what `write!` answers is not looked at.
struct Page {
    text: String,
    /// OpenMetrics 1.0.0 in place of Prometheus' own.
    is_open: bool,
}

impl Page {
    fn family(&mut self, family: &Family) {
        let Family { name, help, .. } = family;
        // There, a counter is called without the suffix that its samples have.
        let name = match family.kind {
            Kind::Counter if self.is_open => name.strip_suffix("_total").unwrap_or(name),
            _ => name,
        };
        let _ = write!(self.text, "# HELP {name} {help}\n# TYPE {name} {}\n", family.kind.word());
    }

    fn sample(&mut self, family: &Family, labels: &[(&str, &str)], value: impl Display) {
        self.sample_named(family.name, "", labels, value);
    }

    fn sample_named(
        &mut self,
        name: &str,
        suffix: &str,
        labels: &[(&str, &str)],
        value: impl Display,
    ) {
        self.series(name, suffix, labels);
        let _ = writeln!(self.text, " {value}");
    }

    /// The name of a sample.
    fn series(&mut self, name: &str, suffix: &str, labels: &[(&str, &str)]) {
        self.text.push_str(name);
        self.text.push_str(suffix);
        for (index, (label, text)) in labels.iter().enumerate() {
            self.text.push(if index == 0 { '{' } else { ',' });
            self.text.push_str(label);
            self.text.push_str("=\"");
            push_label(&mut self.text, text);
            self.text.push('"');
        }
        if !labels.is_empty() {
            self.text.push('}');
        }
    }

    fn lone(&mut self, family: &Family, value: impl Display) {
        self.family(family);
        self.sample(family, &[], value);
    }
}

/// A label's value: the format escapes backslash, quote and newline; other controls are made visible.
fn push_label(text: &mut String, value: &str) {
    for c in value.chars() {
        match c {
            '\\' => text.push_str("\\\\"),
            '"' => text.push_str("\\\""),
            '\n' => text.push_str("\\n"),
            c if c.is_control() => text.push('\u{FFFD}'),
            c => text.push(c),
        }
    }
}

/// A count of parts of a second, as seconds, exactly.
struct Seconds {
    whole: u64,
    fraction: u64,
    digits: usize,
}

impl Seconds {
    fn from_us(us: u64) -> Self {
        Self { whole: us / 1_000_000, fraction: us % 1_000_000, digits: 6 }
    }

    fn from_ms(ms: u64) -> Self {
        Self { whole: ms / 1000, fraction: ms % 1000, digits: 3 }
    }
}

impl Display for Seconds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{:0digits$}", self.whole, self.fraction, digits = self.digits)
    }
}

/// One service, all workers added up.
struct ServiceSum<'a> {
    name: &'a str,
    classes: [u64; CLASSES],
    buckets: [u64; BUCKETS],
    total_us: u64,
    bytes_in: u64,
    bytes_out: u64,
    exemplars: [Option<Exemplar>; BUCKETS],
}

impl Scrape<'_> {
    fn process(&self, page: &mut Page) {
        page.family(&family::BUILD_INFO);
        page.sample(&family::BUILD_INFO, &[("version", env!("CARGO_PKG_VERSION"))], 1);
        page.lone(&family::START_TIME, Seconds::from_ms(self.metrics.started_unix_ms));
        page.lone(&family::WORKERS, self.blocks.len());
    }

    /// The services that were ever called.
    fn service_sums(&self) -> Vec<ServiceSum<'_>> {
        let sum_of = |(place, name)| {
            let slots: Vec<&ServiceSlot> =
                self.blocks.iter().filter_map(|block| block.services.seen(place)).collect();
            let sum =
                |pick: fn(&ServiceSlot) -> &AtomicU64| total(slots.iter().map(|slot| pick(slot)));
            ServiceSum {
                name,
                classes: std::array::from_fn(|class| {
                    total(slots.iter().map(|slot| &slot.classes[class]))
                }),
                buckets: std::array::from_fn(|bucket| {
                    total(slots.iter().map(|slot| &slot.buckets[bucket]))
                }),
                total_us: sum(|slot| &slot.total_us),
                bytes_in: sum(|slot| &slot.bytes_in),
                bytes_out: sum(|slot| &slot.bytes_out),
                exemplars: exemplar::latest(
                    slots.iter().filter_map(|slot| slot.exemplars.get()).map(|boxed| &**boxed),
                ),
            }
        };
        let names = self.names.services.iter().map(|name| &**name).enumerate();
        names.map(sum_of).filter(|sum| sum.buckets.iter().any(|count| *count > 0)).collect()
    }

    fn services(&self, page: &mut Page) {
        let sums = self.service_sums();
        page.family(&family::CALLS);
        for sum in &sums {
            for (label, count) in
                CLASS_LABELS.iter().zip(sum.classes).filter(|(_, count)| *count > 0)
            {
                page.sample(&family::CALLS, &[("service", sum.name), ("class", label)], count);
            }
        }
        page.family(&family::DURATION);
        for sum in &sums {
            durations(page, sum);
        }
        page.family(&family::RECEIVED);
        for sum in &sums {
            page.sample(&family::RECEIVED, &[("service", sum.name)], sum.bytes_in);
        }
        page.family(&family::SENT);
        for sum in &sums {
            page.sample(&family::SENT, &[("service", sum.name)], sum.bytes_out);
        }
    }

    fn operations(&self, page: &mut Page) {
        let label = |place: u16| &*self.names.services[usize::from(place)];
        let rows: Vec<_> = (self.names.operations.iter().enumerate())
            .map(|(place, (service, name))| {
                let slots: Vec<&OperationSlot> =
                    self.blocks.iter().filter_map(|block| block.operations.seen(place)).collect();
                let classes: [u64; CLASSES] = std::array::from_fn(|class| {
                    total(slots.iter().map(|slot| &slot.classes[class]))
                });
                (label(*service), &**name, classes, total(slots.iter().map(|slot| &slot.total_us)))
            })
            .filter(|(.., classes, _)| classes.iter().any(|count| *count > 0))
            .collect();
        page.family(&family::OPERATION_CALLS);
        for (service, operation, classes, _) in &rows {
            for (class, count) in CLASS_LABELS.iter().zip(classes).filter(|(_, count)| **count > 0)
            {
                let labels = [("service", *service), ("operation", *operation), ("class", *class)];
                page.sample(&family::OPERATION_CALLS, &labels, count);
            }
        }
        page.family(&family::OPERATION_SECONDS);
        for (service, operation, _, us) in &rows {
            let labels = [("service", *service), ("operation", *operation)];
            page.sample(&family::OPERATION_SECONDS, &labels, Seconds::from_us(*us));
        }
    }

    /// What came of checks against contracts, where there were any.
    fn checks(&self, page: &mut Page) {
        let label = |place: u16| &*self.names.services[usize::from(place)];
        let rows: Vec<_> = (self.names.operations.iter().enumerate())
            .map(|(place, (service, name))| {
                let slots = self.blocks.iter().filter_map(move |block| block.checks.seen(place));
                (label(*service), &**name, slots.collect::<Vec<&CheckSlot>>())
            })
            .filter(|(.., slots)| !slots.is_empty())
            .collect();
        let sample =
            |page: &mut Page, family, kind, word, pick: &dyn Fn(&CheckSlot) -> &AtomicU64| {
                for (service, operation, slots) in &rows {
                    let count = total(slots.iter().map(|slot| pick(slot)));
                    if count > 0 {
                        let labels =
                            [("service", *service), ("operation", *operation), (kind, word)];
                        page.sample(family, &labels, count);
                    }
                }
            };
        let breaches = &family::OPERATION_BREACHES;
        page.family(breaches);
        sample(page, breaches, "action", "reported", &|slot| &slot.reported);
        sample(page, breaches, "action", "refused", &|slot| &slot.refused);
        page.family(&family::ANSWERS_CHECKED);
        for result in AnswerResult::ALL {
            let index = *result as usize;
            let answers = &family::ANSWERS_CHECKED;
            sample(page, answers, "result", result.word(), &|slot| &slot.answers[index]);
        }
    }

    fn outcomes(&self, page: &mut Page) {
        page.family(&family::OUTCOMES);
        for (index, word) in OutcomeId::words().enumerate() {
            let count = total(self.blocks.iter().map(|block| &block.outcomes[index]));
            page.sample(&family::OUTCOMES, &[("outcome", word)], count);
        }
    }

    fn listeners(&self, page: &mut Page) {
        let count = |index: usize, pick: fn(&ListenerSlot) -> &AtomicU64| {
            total(self.blocks.iter().map(|block| pick(&block.listeners[index])))
        };
        let listeners = || self.metrics.listeners.iter().map(|address| &**address).enumerate();
        page.family(&family::ACCEPTED);
        for (index, address) in listeners() {
            page.sample(
                &family::ACCEPTED,
                &[("listener", address)],
                count(index, |slot| &slot.accepted),
            );
        }
        page.family(&family::CONNECTIONS);
        for (index, address) in listeners() {
            for wire in Wire::ALL {
                let open = level(
                    self.blocks.iter().map(|block| &block.listeners[index].open[*wire as usize]),
                );
                page.sample(
                    &family::CONNECTIONS,
                    &[("listener", address), ("protocol", wire.word())],
                    open,
                );
            }
        }
        page.family(&family::HANDSHAKES);
        for (index, address) in listeners() {
            let ok = count(index, |slot| &slot.handshakes_ok);
            let failed = count(index, |slot| &slot.handshakes_failed);
            page.sample(&family::HANDSHAKES, &[("listener", address), ("result", "ok")], ok);
            page.sample(
                &family::HANDSHAKES,
                &[("listener", address), ("result", "failed")],
                failed,
            );
        }
    }

    fn bounds(&self, page: &mut Page) {
        page.family(&family::BOUNDS_REACHED);
        for bound in Bound::ALL {
            let index = *bound as usize;
            let of_workers = total(self.blocks.iter().map(|block| &block.bounds[index]));
            let of_others = self.metrics.shared.bounds[index].load(Relaxed);
            page.sample(
                &family::BOUNDS_REACHED,
                &[("bound", bound.word())],
                of_workers.wrapping_add(of_others),
            );
        }
    }

    fn events(&self, page: &mut Page) {
        let values = Event::ALL.iter().map(|event| {
            let index = *event as usize;
            let of_workers = total(self.blocks.iter().map(|block| &block.events[index]));
            (
                event.series(),
                of_workers.wrapping_add(self.metrics.shared.events[index].load(Relaxed)),
            )
        });
        listed(page, values);
    }

    fn gauges(&self, page: &mut Page) {
        let values = Gauge::ALL.iter().map(|gauge| {
            (gauge.series(), level(self.blocks.iter().map(|block| &block.gauges[*gauge as usize])))
        });
        listed(page, values);
    }

    fn backends(&self, page: &mut Page) {
        let shown = &self.views.backends[..self.views.backends.len().min(BACKENDS_MAX)];
        page.family(&family::BACKEND_IN_FLIGHT);
        for view in shown {
            page.sample(&family::BACKEND_IN_FLIGHT, &[("backend", view.backend)], view.in_flight);
        }
        page.family(&family::BACKEND_QUEUE);
        for view in shown {
            page.sample(&family::BACKEND_QUEUE, &[("backend", view.backend)], view.waiting);
        }
        let mut each = |family: &Family, value: fn(&BackendView<'_>) -> u64| {
            page.family(family);
            for view in shown {
                page.sample(family, &[("backend", view.backend)], value(view));
            }
        };
        each(&family::BACKEND_AWAITING, |view| view.awaiting);
        each(&family::BACKEND_LIMIT, |view| view.awaiting_max);
        each(&family::BACKEND_LIMITED, |view| u64::from(view.is_limited));
        page.family(&family::BACKEND_REFUSED);
        for view in shown {
            for (priority, refused) in portway_model::Priority::ALL.iter().zip(view.refused) {
                let labels = [("backend", view.backend), ("priority", priority.word())];
                page.sample(&family::BACKEND_REFUSED, &labels, refused);
            }
        }
    }

    fn endpoints(&self, page: &mut Page) {
        let all = || {
            self.views
                .backends
                .iter()
                .flat_map(|view| view.endpoints.iter().map(move |end| (view, end)))
        };
        let backends_omitted = self.views.backends.len().saturating_sub(BACKENDS_MAX);
        page.lone(
            &family::VIEWS_OMITTED,
            all().count().saturating_sub(ENDPOINTS_MAX) + backends_omitted,
        );
        let shown: Vec<_> = all()
            .take(ENDPOINTS_MAX)
            .map(|(view, end)| (view, end, end.address.to_string()))
            .collect();
        let mut each = |family: &Family, value: fn(&EndpointView) -> u64| {
            page.family(family);
            for (view, end, address) in &shown {
                let view: &BackendView<'_> = view;
                page.sample(
                    family,
                    &[("backend", view.backend), ("endpoint", address)],
                    value(end),
                );
            }
        };
        each(&family::ENDPOINT_UP, |end| u64::from(end.up));
        each(&family::ENDPOINT_BREAKER, |end| end.breaker as u64);
        each(&family::ENDPOINT_IN_FLIGHT, |end| end.in_flight);
    }

    fn snapshot(&self, page: &mut Page) {
        let Some(snapshot) = &self.views.snapshot else { return };
        page.family(&family::SNAPSHOT_INFO);
        page.sample(&family::SNAPSHOT_INFO, &[("hash", snapshot.hash)], 1);
        page.lone(&family::SNAPSHOT_PUBLISHED, Seconds::from_ms(snapshot.published_unix_ms));
        let age_ms = self.views.now_unix_ms.saturating_sub(snapshot.published_unix_ms);
        page.lone(&family::SNAPSHOT_AGE, Seconds::from_ms(age_ms));
        page.lone(&family::SNAPSHOT_FAULTY, u8::from(snapshot.last_load_failed));
    }

    fn log(&self, page: &mut Page) {
        let Some(log) = &self.views.log else { return };
        page.family(&family::LOG_LINES);
        page.sample(&family::LOG_LINES, &[("result", "written")], log.written);
        page.sample(&family::LOG_LINES, &[("result", "dropped")], log.dropped);
        page.lone(&family::LOG_ERRORS, log.errors);
    }

    fn spans(&self, page: &mut Page) {
        let Some(spans) = &self.views.spans else { return };
        page.family(&family::TRACE_SPANS);
        for (result, count) in
            [("sent", spans.sent), ("dropped", spans.dropped), ("refused", spans.refused)]
        {
            page.sample(&family::TRACE_SPANS, &[("result", result)], count);
        }
        page.family(&family::TRACE_REQUESTS);
        for (result, count) in [("ok", spans.requests_ok), ("failed", spans.requests_failed)] {
            page.sample(&family::TRACE_REQUESTS, &[("result", result)], count);
        }
    }

    fn names(&self, page: &mut Page) {
        let own = |names: usize, without: u16| names.saturating_sub(usize::from(without) + 1);
        page.family(&family::SERIES);
        page.sample(&family::SERIES, &[("kind", "service")], own(self.names.services.len(), NONE));
        page.sample(
            &family::SERIES,
            &[("kind", "operation")],
            own(self.names.operations.len(), OTHER),
        );
        page.family(&family::SERIES_CEILING);
        page.sample(
            &family::SERIES_CEILING,
            &[("kind", "service")],
            self.metrics.ceilings.services,
        );
        page.sample(
            &family::SERIES_CEILING,
            &[("kind", "operation")],
            self.metrics.ceilings.operations,
        );
    }
}

/// The histogram of one service.
fn durations(page: &mut Page, sum: &ServiceSum<'_>) {
    let name = family::DURATION.name;
    let mut so_far = 0_u64;
    let edges = if page.is_open { &OPEN_BUCKET_LABELS } else { &BUCKET_LABELS };
    for ((edge, count), exemplar) in edges.iter().zip(sum.buckets).zip(&sum.exemplars) {
        so_far = so_far.wrapping_add(count);
        page.series(name, "_bucket", &[("service", sum.name), ("le", edge)]);
        let _ = write!(page.text, " {so_far}");
        if let Some(exemplar) = exemplar.filter(|_| page.is_open) {
            let (seconds, at) =
                (Seconds::from_us(exemplar.total_us), Seconds::from_ms(exemplar.unix_ms));
            let _ = write!(page.text, " # {{trace_id=\"{}\"}} {seconds} {at}", exemplar.trace_id());
        }
        page.text.push('\n');
    }
    page.sample_named(name, "_sum", &[("service", sum.name)], Seconds::from_us(sum.total_us));
    page.sample_named(name, "_count", &[("service", sum.name)], so_far);
}

/// Samples whose families stand together, with a head before the first of each.
fn listed<V: Display>(
    page: &mut Page,
    values: impl Iterator<Item = ((&'static Family, Option<Label>), V)>,
) {
    let mut last = "";
    for ((family, label), value) in values {
        if family.name != last {
            page.family(family);
            last = family.name;
        }
        page.sample(family, label.as_slice(), value);
    }
}

fn total<'a>(counters: impl Iterator<Item = &'a AtomicU64>) -> u64 {
    counters.fold(0, |sum, counter| sum.wrapping_add(counter.load(Relaxed)))
}

/// A gauge moved by several workers. They are read one after the other, so a thing that changes hands
/// in between could be missed below zero: never shown.
fn level<'a>(gauges: impl Iterator<Item = &'a AtomicI64>) -> i64 {
    gauges.fold(0_i64, |sum, gauge| sum.wrapping_add(gauge.load(Relaxed))).max(0)
}
