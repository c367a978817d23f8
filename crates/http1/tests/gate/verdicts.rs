//! Every message of the corpus has its verdict, whole, cut in two at every position, and byte by
//! byte.

use std::fmt::Debug;

use portway_http1::{Framing, Reject, RequestHead, ResponseHead};

use crate::corpus::{Entry, asked, read, unescaped};
use crate::reading::{self, Message, Verdict};

#[test]
fn requests() {
    check_all("request", 290, |entry, pieces| {
        let found = reading::request(pieces);
        (found, entry.verdict.clone())
    });
}

#[test]
fn responses() {
    check_all("response", 100, |entry, pieces| {
        let (kind, verdict) = asked(&entry.verdict);
        (reading::response(pieces, kind), verdict.to_owned())
    });
}

#[test]
fn bodies() {
    check_all("body", 80, |entry, pieces| (reading::chunked(pieces), entry.verdict.clone()));
}

#[test]
fn connection_names_a_few_fields_only() {
    let head = |fields: &[usize]| {
        let mut head = String::from("GET / HTTP/1.1\r\nHost: a\r\n");
        for names in fields {
            let names: Vec<String> = (0..*names).map(|number| format!("x{number}")).collect();
            head += &format!("Connection: {}\r\n", names.join(","));
        }
        head + "\r\n"
    };
    for (fields, verdict) in [
        (&[32][..], Verdict::Ok),
        (&[33], Verdict::Reject(Reject::Connection)),
        (&[20, 12], Verdict::Ok),
        (&[20, 13], Verdict::Reject(Reject::Connection)),
    ] {
        assert_eq!(reading::request(&[head(fields).as_bytes()]).verdict, verdict, "{fields:?}");
    }
}

fn check_all<H: Facts + PartialEq + Debug>(
    folder: &str,
    at_least: usize,
    read_pieces: impl Fn(&Entry, &[&[u8]]) -> (Message<H>, String),
) {
    let entries = read(folder);
    assert!(entries.len() >= at_least, "only {} entries in {folder}", entries.len());
    let mut wrong = Vec::new();
    for entry in &entries {
        let (whole, expected) = read_pieces(entry, &[&entry.bytes]);
        if let Err(why) = compare(&whole, &expected, entry.bytes.len()) {
            wrong.push(format!("{}: expected `{expected}`, but {why}", entry.name));
        }
        check_cuts(entry, &whole, |pieces| read_pieces(entry, pieces).0);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn check_cuts<H: PartialEq + Debug>(
    entry: &Entry,
    whole: &Message<H>,
    read: impl Fn(&[&[u8]]) -> Message<H>,
) {
    let bytes = &entry.bytes;
    let crumbs: Vec<&[u8]> = bytes.chunks(1).collect();
    assert_eq!(&read(&crumbs), whole, "{} byte by byte", entry.name);
    // Long messages are long by repetition: their middle is cut at every 97th position only.
    let step = |at: usize| if at > 400 && at + 400 < bytes.len() { 97 } else { 1 };
    let mut at = 0;
    while at <= bytes.len() {
        let (one, two) = bytes.split_at(at);
        assert_eq!(&read(&[one, two]), whole, "{} cut at {at}", entry.name);
        assert_eq!(&read(&[one, b"", two]), whole, "{} cut at {at} with a pause", entry.name);
        at += step(at);
    }
}

/// What a verdict line may say about a head.
trait Facts {
    fn framing(&self) -> Framing;
    fn persistent(&self) -> bool;
    fn upgrade(&self) -> bool;
    fn expect_continue(&self) -> bool;
}

impl Facts for RequestHead {
    fn framing(&self) -> Framing {
        self.framing
    }
    fn persistent(&self) -> bool {
        self.persistent
    }
    fn upgrade(&self) -> bool {
        self.upgrade
    }
    fn expect_continue(&self) -> bool {
        self.expect_continue
    }
}

impl Facts for ResponseHead {
    fn framing(&self) -> Framing {
        self.framing
    }
    fn persistent(&self) -> bool {
        self.persistent
    }
    fn upgrade(&self) -> bool {
        self.upgrade
    }
    fn expect_continue(&self) -> bool {
        false
    }
}

impl Facts for () {
    fn framing(&self) -> Framing {
        Framing::Chunked
    }
    fn persistent(&self) -> bool {
        true
    }
    fn upgrade(&self) -> bool {
        false
    }
    fn expect_continue(&self) -> bool {
        false
    }
}

fn compare<H: Facts>(found: &Message<H>, expected: &str, len: usize) -> Result<(), String> {
    let verdict = match found.verdict {
        Verdict::Ok => "ok".to_owned(),
        Verdict::More => "more".to_owned(),
        Verdict::Reject(reject) => format!("reject {}", reject.word()),
    };
    let Some(facts) = expected.strip_prefix(&verdict) else {
        return Err(format!("found `{verdict}`"));
    };
    for fact in facts.split_ascii_whitespace() {
        let holds = match fact.split_once('=') {
            Some((name, value)) => holds_value(found, name, value, len),
            None => holds_word(found, fact),
        };
        if !holds {
            return Err(format!("`{fact}` does not hold"));
        }
    }
    Ok(())
}

fn holds_value<H: Facts>(found: &Message<H>, name: &str, value: &str, len: usize) -> bool {
    let number = || value.parse::<usize>().unwrap();
    match name {
        "payload" => found.body.payload == unescaped(value),
        "rest" => len - found.consumed == number(),
        "fields" => found.fields.len() == number(),
        "trailers" => found.body.trailers.len() == number(),
        "dropped" => found.body.dropped == number(),
        "host" => found.host == value.as_bytes(),
        "framing" => {
            let word = match found.head.as_ref().unwrap().framing() {
                Framing::None => "none",
                Framing::Length(_) => "length",
                Framing::Chunked => "chunked",
                Framing::UntilClose => "close",
            };
            word == value
        }
        other => panic!("unknown fact {other}"),
    }
}

fn holds_word<H: Facts>(found: &Message<H>, word: &str) -> bool {
    let head = found.head.as_ref().unwrap();
    match word {
        "close" => !head.persistent(),
        "persistent" => head.persistent(),
        "upgrade" => head.upgrade(),
        "continue" => head.expect_continue(),
        other => panic!("unknown fact {other}"),
    }
}
