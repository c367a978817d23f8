//! The calls that the demo shows: each as a line to try by hand, and with what must come back.
//!
//! One table feeds both, so that what is printed is what is checked.

use std::fmt;

use super::client::Answer;
use super::live::TICKS;

/// One call.
pub struct Call {
    /// What it shows.
    pub shows: &'static str,
    /// Method.
    pub method: &'static str,
    /// Path with query. `KEY` stands for the demo's key.
    pub path: &'static str,
    /// Header fields; `KEY` as above.
    pub headers: &'static [(&'static str, &'static str)],
    /// Body.
    pub body: &'static str,
    /// How often it is made; the last answer counts.
    pub times: u32,
    /// Whether it is one of the lines that are printed.
    pub printed: bool,
    /// A word to send over the WebSocket after the switch.
    pub echo: Option<&'static str>,
    /// What must come back.
    pub promised: Promise,
}

/// What must come back.
pub struct Promise {
    /// Status.
    pub status: u16,
    /// Header fields with a part of their value; an empty part asks only that the field is there.
    pub headers: &'static [(&'static str, &'static str)],
    /// Parts of the body.
    pub body: &'static [&'static str],
}

const KEYED: &[(&str, &str)] = &[("x-api-key", "KEY")];
const PROBLEM: &[(&str, &str)] = &[("content-type", "application/problem+json")];

/// All calls, in the order in which they are made.
pub const CALLS: &[Call] = &[
    Call {
        shows: "without a key: refused, and told why",
        promised: Promise { status: 401, headers: PROBLEM, body: &["credentials-missing"] },
        ..Call::get("/shop/orders")
    },
    Call {
        shows: "with the key: what the module answers",
        headers: KEYED,
        promised: Promise {
            status: 200,
            headers: &[("content-type", "application/json")],
            body: &["kettle"],
        },
        ..Call::get("/shop/orders")
    },
    Call {
        shows: "three a minute and no more: the fourth is told when to come back",
        method: "POST",
        headers: &[("x-api-key", "KEY"), ("content-type", "application/json")],
        body: r#"{"item":"cup","quantity":1}"#,
        times: 4,
        promised: Promise {
            status: 429,
            headers: &[("retry-after", ""), ("content-type", "application/problem+json")],
            body: &["rate-limited"],
        },
        ..Call::get("/shop/orders")
    },
    Call {
        shows: "what the contract does not have is not there",
        headers: KEYED,
        promised: Promise { status: 404, headers: PROBLEM, body: &["not-found"] },
        ..Call::get("/shop/nothing")
    },
    Call {
        shows: "the old application, which gets a password that callers never see",
        headers: KEYED,
        promised: Promise {
            status: 200,
            headers: &[("content-type", "text/xml")],
            body: &["Shenzhen"],
        },
        ..Call::get("/erp/customer.do?id=7")
    },
    Call {
        shows: "server-sent events, as they happen",
        promised: Promise {
            status: 200,
            headers: &[("content-type", "text/event-stream")],
            body: &["data: 1", "data: 5"],
        },
        ..Call::get("/live/ticks")
    },
    Call {
        shows: "a wrong key is answered like none",
        headers: &[("x-api-key", "guess")],
        printed: false,
        promised: Promise { status: 401, headers: PROBLEM, body: &["credentials-invalid"] },
        ..Call::get("/shop/orders")
    },
    Call {
        shows: "a method that the contract does not have",
        method: "DELETE",
        headers: KEYED,
        printed: false,
        promised: Promise {
            status: 405,
            headers: &[("allow", "GET")],
            body: &["method-not-allowed"],
        },
        ..Call::get("/shop/orders")
    },
    Call {
        shows: "the page of the old application that nobody outside should reach",
        headers: KEYED,
        printed: false,
        promised: Promise { status: 404, headers: PROBLEM, body: &["not-found"] },
        ..Call::get("/erp/admin.do")
    },
    Call {
        shows: "a form for the old application",
        method: "POST",
        headers: &[("x-api-key", "KEY"), ("content-type", "application/x-www-form-urlencoded")],
        body: "sku=K-2",
        printed: false,
        promised: Promise { status: 200, headers: &[], body: &["OK;42"] },
        ..Call::get("/erp/stock.do")
    },
    Call {
        shows: "a browser asks whether it may call",
        method: "OPTIONS",
        headers: &[("origin", "https://shop.example"), ("access-control-request-method", "GET")],
        printed: false,
        promised: Promise {
            status: 204,
            headers: &[("access-control-allow-origin", "*")],
            body: &[],
        },
        ..Call::get("/live/ticks")
    },
    Call {
        shows: "a WebSocket, with the key in the query",
        headers: &[
            ("connection", "Upgrade"),
            ("upgrade", "websocket"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ],
        echo: Some("hello"),
        printed: false,
        promised: Promise { status: 101, headers: &[("upgrade", "websocket")], body: &["hello"] },
        ..Call::get("/live/echo?api_key=KEY")
    },
];

impl Call {
    const fn get(path: &'static str) -> Self {
        Self {
            shows: "",
            method: "GET",
            path,
            headers: &[],
            body: "",
            times: 1,
            printed: true,
            echo: None,
            promised: Promise { status: 200, headers: &[], body: &[] },
        }
    }

    /// The header fields with the key in its place.
    pub fn headers_with(&self, key: &str) -> Vec<(String, String)> {
        self.headers
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.replace("KEY", key)))
            .collect()
    }

    /// The path with the key in its place.
    pub fn path_with(&self, key: &str) -> String {
        self.path.replace("KEY", key)
    }

    /// The line for a shell. `$KEY` stands for the key.
    pub fn line<'a>(&'a self, base: &'a str) -> impl fmt::Display + 'a {
        Line { call: self, base }
    }
}

struct Line<'a> {
    call: &'a Call,
    base: &'a str,
}

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let call = self.call;
        let streams = call.promised.headers.iter().any(|(_, value)| *value == "text/event-stream");
        f.write_str(if streams { "curl -iN" } else { "curl -i" })?;
        if call.method != "GET" && call.body.is_empty() {
            write!(f, " -X {}", call.method)?;
        }
        for (name, value) in call.headers {
            write!(f, " -H \"{name}: {}\"", value.replace("KEY", "$KEY"))?;
        }
        if !call.body.is_empty() {
            write!(f, " -d '{}'", call.body)?;
        }
        write!(f, " '{}{}'", self.base, call.path)
    }
}

impl Promise {
    /// What of the answer is not as promised, in words; nothing if all is.
    pub fn broken_by(&self, answer: &Answer) -> Vec<String> {
        let mut broken = Vec::new();
        if answer.status.as_u16() != self.status {
            broken.push(format!(
                "the status is {} instead of {}",
                answer.status.as_u16(),
                self.status
            ));
        }
        for (name, part) in self.headers {
            let value = answer.header(name);
            if value.is_empty() || !value.contains(part) {
                broken.push(format!("the header {name} is \"{value}\", without \"{part}\""));
            }
        }
        for part in self.body {
            if !answer.body.contains(part) {
                broken.push(format!("the body is without \"{part}\""));
            }
        }
        broken
    }
}

const _: () = assert!(TICKS == 5, "the promise of the stream names its last tick");
