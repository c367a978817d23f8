//! A system clock that is set (fault row F9): an hour forward, an hour back, frozen, and back five seconds again and
//! again, while the time that passes goes on as it does.
//!
//! The built binary runs with `libfaketime`, which changes what it is told of the time of day, and nothing else.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use portway_testkit::Client;

use crate::program::{Gateway, backend, directory, get, portway, write};
use crate::{is_full, say, skip};

const HOUR_S: i64 = 3_600;
const DAY_S: i64 = 86_400;
/// Calls that the limit of the test allows in a second, and the quota in a day.
const RATE: u32 = 20;
const QUOTA: usize = 30;
const SECRET: &str = "a-secret-that-is-long-enough";

/// The library, where Debian and others put it.
fn library() -> Option<PathBuf> {
    let roots =
        ["/usr/lib", "/usr/lib64", "/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu"];
    let mut places = roots.iter().map(|root| Path::new(root).join("faketime/libfaketimeMT.so.1"));
    places.find(|place| place.exists())
}

/// The clock that the gateway sees.
struct Clock {
    file: PathBuf,
    /// What the gateway's clock is ahead of ours, in seconds.
    ahead_s: i64,
}

impl Clock {
    /// Sets it; `text` as `libfaketime` reads it. Never half written.
    fn write(&self, text: &str) {
        let new = self.file.with_extension("new");
        std::fs::write(&new, text).expect("it can be written");
        std::fs::rename(new, &self.file).expect("it can be renamed");
    }

    fn set(&mut self, ahead_s: i64) {
        self.ahead_s = ahead_s;
        self.write(&format!("{ahead_s:+}\n"));
        // The workers look at the clock ten times a second.
        std::thread::sleep(Duration::from_millis(300));
    }

    fn step(&mut self, seconds: i64) {
        self.set(self.ahead_s + seconds);
    }

    fn freeze(&self) {
        self.write(&format!("{}\n", date(self.now_s(), "+%Y-%m-%d %H:%M:%S")));
        std::thread::sleep(Duration::from_millis(300));
    }

    fn now_s(&self) -> i64 {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
        i64::try_from(now.as_secs()).expect("soon") + self.ahead_s
    }
}

fn date(unix_s: i64, form: &str) -> String {
    let mut command = Command::new("date");
    let output =
        command.env("LC_ALL", "C").args(["-u", "-d", &format!("@{unix_s}"), form]).output();
    String::from_utf8(output.expect("date is there").stdout).expect("text").trim().to_owned()
}

/// A gateway that believes that clock, which stands at noon.
fn start(library: &Path, folder: &Path, document: &str) -> (Gateway, Clock) {
    write(folder, "portway.yaml", document);
    let mut clock = Clock { file: folder.join("clock"), ahead_s: 0 };
    let to_noon = DAY_S / 2 - clock.now_s() % DAY_S;
    clock.set(to_noon);
    let mut command = portway(folder, &["run"]);
    command
        .env("LD_PRELOAD", library)
        .env("FAKETIME_TIMESTAMP_FILE", &clock.file)
        .env("FAKETIME_NO_CACHE", "1")
        .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
        .env("DONT_FAKE_MONOTONIC", "1")
        .env("TZ", "UTC");
    (Gateway::start(command), clock)
}

fn document() -> String {
    let backend = backend("hello");
    format!(
        "portway: 1\n\
         gateway: {{ listen: [\"127.0.0.1:0\"], admin: \"127.0.0.1:0\", log: {{ to: calls.log }}, bounds: {{ head_timeout: 2s }} }}\n\
         services:\n  \
         rate: {{ path: /rate, routes: [\"GET /\"], auth: public, limits: [\"{RATE}/s\"], backend: \"http://{backend}\" }}\n  \
         open: {{ path: /open, routes: [\"GET /\"], auth: public, backend: \"http://{backend}\" }}\n  \
         quota: {{ path: /quota, routes: [\"GET /\"], auth: [key], backend: \"http://{backend}\" }}\n  \
         signed: {{ path: /signed, routes: [\"GET /\"], auth: [hmac], backend: \"http://{backend}\" }}\n\
         apps:\n  \
         phone: {{ keys: [ {{ file: key }} ], hmac: [ {{ id: one, secret: {{ file: secret }} }} ], plan: daily }}\n\
         plans:\n  daily: {{ quota: {QUOTA}/day }}\n"
    )
}

/// Calls as fast as it goes for this long; how many were admitted.
fn saturate(address: SocketAddr, until: Instant) -> u32 {
    let mut client = Client::connect(address);
    let mut admitted = 0;
    while Instant::now() < until {
        let answer = client.send("GET /rate HTTP/1.1\r\nHost: a\r\n\r\n").answer();
        assert!(matches!(answer.status, 200 | 429), "{}", answer.head);
        if answer.status == 429 {
            // However the clock stands: a second is a second.
            assert_eq!(answer.value("retry-after"), Some("1"), "{}", answer.head);
            std::thread::sleep(Duration::from_millis(1));
        } else {
            admitted += 1;
        }
    }
    admitted
}

/// A status of a call that was signed at a time of the gateway's clock.
fn signed(address: SocketAddr, at_s: i64) -> (u16, String) {
    let date = date(at_s, "+%a, %d %b %Y %H:%M:%S GMT");
    let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, SECRET.as_bytes());
    let tag = aws_lc_rs::hmac::sign(&key, format!("x-date: {date}\nGET\n\n\n\n/signed").as_bytes());
    let authorization = format!(
        "hmac id=\"one\", algorithm=\"hmac-sha256\", headers=\"x-date\", signature=\"{}\"",
        base64(tag.as_ref())
    );
    get(address, "/signed", &[("X-Date", &date), ("Authorization", &authorization)])
}

fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let number = three.iter().fold(0_u32, |number, byte| number << 8 | u32::from(*byte));
        let number = number << (8 * (3 - three.len()));
        for place in 0..4 {
            let sign = LETTERS[(number >> (18 - 6 * place)) as usize & 63];
            text.push(if place <= three.len() { char::from(sign) } else { '=' });
        }
    }
    text
}

#[test]
fn f9_a_clock_that_is_set_loses_and_doubles_no_window() {
    let Some(library) = library() else { return skip("libfaketime is not here") };
    let folder = directory(&[("key", "a-key-that-is-long-enough"), ("secret", SECRET)]);
    let (gateway, mut clock) = start(&library, folder.path(), &document());
    // Its own answers have a date.
    let told = get(gateway.address, "/nowhere", &[]).1;
    let today = date(clock.now_s(), "+%d %b %Y 12:");
    assert!(told.contains(&today), "the gateway does not see the clock of the test: {told}");

    rates(&gateway, &mut clock);
    quotas(&gateway, &mut clock);
    signatures(&gateway, &mut clock);
    timers(&gateway, &mut clock);
    log(&gateway, folder.path());
}

/// A limit counts the time that passes.
fn rates(gateway: &Gateway, clock: &mut Clock) {
    let seconds = if is_full() { 60 } else { 4 };
    let begun = Instant::now();
    let until = begun + Duration::from_secs(seconds);
    let address = gateway.address;
    let caller = std::thread::spawn(move || saturate(address, until));
    let mut steps = [HOUR_S, -HOUR_S, -5, -5, HOUR_S, -HOUR_S, -5].iter().cycle();
    while Instant::now() < until {
        clock.step(*steps.next().expect("it is endless"));
        clock.freeze();
    }
    let admitted = caller.join().expect("it is answered");
    // In a window that slides, so many as in the whole seconds that were begun, and never more.
    let most = RATE * (u32::try_from(begun.elapsed().as_secs()).expect("soon") + 2);
    say(format_args!(
        "f9: {admitted} of {RATE}/s in {:.1?} while the clock was set",
        begun.elapsed()
    ));
    assert!(admitted <= most, "{admitted} were admitted, {most} may be");
    assert!(admitted >= RATE * 2, "{admitted} were admitted: windows were lost");
}

/// A day begins once, however often the clock passes midnight.
fn quotas(gateway: &Gateway, clock: &mut Clock) {
    let key = [("x-api-key", "a-key-that-is-long-enough")];
    let take =
        |most: usize| (0..most).filter(|_| get(gateway.address, "/quota", &key).0 == 200).count();
    let to_noon = DAY_S / 2 - clock.now_s() % DAY_S;
    clock.step(to_noon);
    assert_eq!(take(QUOTA - 10), QUOTA - 10);
    for step in [HOUR_S, -HOUR_S, -5, -5] {
        clock.step(step);
        assert_eq!(take(1), 1, "after {step} s");
    }
    assert_eq!(take(QUOTA), 6, "what is left of the day");
    // Over midnight, back, and over it again.
    let mut doubled = 0;
    for step in [13 * HOUR_S, -13 * HOUR_S, 13 * HOUR_S, -13 * HOUR_S] {
        clock.step(step);
        doubled += take(QUOTA + 5);
    }
    assert_eq!(doubled, QUOTA, "the next day was opened once");
}

/// A signature is judged by the clock as it stands.
fn signatures(gateway: &Gateway, clock: &mut Clock) {
    let at_s = clock.now_s();
    // The quota of that app is used up: 429 is what is said to a caller that is known.
    let check = |clock: &Clock, at_s: i64, expected: u16| {
        let (status, answer) = signed(gateway.address, at_s);
        assert_eq!(
            status,
            expected,
            "signed at {at_s}, the clock is at {}: {answer}",
            clock.now_s()
        );
    };
    check(clock, at_s, 429);
    clock.step(HOUR_S);
    check(clock, at_s, 401);
    check(clock, clock.now_s(), 429);
    clock.step(-HOUR_S);
    check(clock, at_s + HOUR_S, 401);
    check(clock, clock.now_s(), 429);
    clock.freeze();
    check(clock, clock.now_s(), 429);
}

/// Whoever sends nothing is gone after the time that passes.
fn timers(gateway: &Gateway, clock: &mut Clock) {
    for setting in ["+3600", "-3600", "freeze"] {
        match setting {
            "freeze" => clock.freeze(),
            step => clock.step(step.parse().expect("a number")),
        }
        let begun = Instant::now();
        let mut slow = Client::connect(gateway.address);
        slow.send("GET /open HT");
        assert_eq!(slow.answer_if_any().map(|answer| answer.status), Some(408), "{setting}");
        let waited = begun.elapsed();
        assert!(waited >= Duration::from_millis(1_500), "{setting}: cut after {waited:?}");
    }
    clock.step(0);
}

/// One line for each call, each of them of today or tomorrow, and none that took an hour.
fn log(gateway: &Gateway, folder: &Path) {
    let admin = gateway.admin.expect("it is watched");
    gateway.signal("HUP");
    let written = || {
        let page = get(admin, "/metrics", &[]).1;
        let lines = page.lines().filter(|line| line.starts_with("portway_calls_total"));
        lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum::<f64>() as usize
    };
    let begun = Instant::now();
    let mut text = String::new();
    while begun.elapsed() < Duration::from_secs(20) {
        text = std::fs::read_to_string(folder.join("calls.log")).expect("it is there");
        if text.lines().count() == written() && text.ends_with('\n') {
            break;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(text.lines().count(), written(), "lines and calls");
    for line in text.lines() {
        let call: serde_json::Value = serde_json::from_str(line).expect("a line is JSON");
        assert!(call["total_us"].as_u64().is_some_and(|us| us < 3_000_000_000), "{line}");
        assert!(call["time"].as_str().is_some_and(|time| time.len() == 24), "{line}");
    }
    say(format_args!("f9: {} lines for as many calls", text.lines().count()));
}
