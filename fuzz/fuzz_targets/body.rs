//! A media type, a line feed and a body: judging never panics or hangs, and what is wrong is told in bounds.

#![no_main]

use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;
use portway_contract::request::{Head, RequestChecks, Wanted, Wish, compile};
use portway_contract::schema::PROBLEMS_MAX;
use portway_contract::{Limits, NoFiles, read};

/// A head with a media type in it.
struct Typed<'a>(&'a [u8]);

impl Head for Typed<'_> {
    fn path(&self, _: usize) -> Option<&str> {
        None
    }

    fn query(&self) -> &str {
        ""
    }

    fn header(&self, name: &str, see: &mut dyn FnMut(&[u8])) {
        if name == "content-type" {
            see(self.0);
        }
    }
}

fn checks() -> &'static RequestChecks {
    static CHECKS: OnceLock<RequestChecks> = OnceLock::new();
    CHECKS.get_or_init(|| {
        let text = include_bytes!("../corpus/body.yaml");
        let outcome = read("body.yaml", text, &NoFiles, &Limits::default());
        let contract = outcome.contract.expect("a contract");
        let (mut all, _) = compile(&contract, |_| Some(Wanted::default()));
        all.remove(0).expect("checked")
    })
}

fuzz_target!(|bytes: &[u8]| {
    let at = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len());
    let (media, body) = (&bytes[..at], bytes.get(at + 1..).unwrap_or_default());
    if let Wish::Hold(plan) = checks().wish(&Typed(media), true) {
        let misfits = checks().body(&plan, body);
        assert!(misfits.len() <= PROBLEMS_MAX);
    }
});
