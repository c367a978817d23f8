//! What becomes of what serves when the documents are read again.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::cli;

const TEXT: &str = "portway: 1\nservices:\n  a: { routes: [\"GET /\"], backend: \"http://127.0.0.1:1\", auth: public }\n";

/// Something that serves the first snapshot for ever, and takes another one in its own way.
struct Stubborn {
    snapshot: Arc<Snapshot>,
    publish: fn() -> Result<(), Vec<String>>,
    rejected: Arc<AtomicUsize>,
}

impl Served for Stubborn {
    fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.snapshot)
    }
    fn publish(&self, _: Compiled) -> Result<(), Vec<String>> {
        (self.publish)()
    }
    fn rejected(&self) {
        self.rejected.fetch_add(1, Ordering::Relaxed);
    }
    fn reload_certificates(&self) -> Vec<Result<String, String>> {
        Vec::new()
    }
    fn reopen_log(&self) {}
}

/// Reads documents again that are published in some way: what is said, whether it went well, with which codes, and
/// how often it was rejected.
fn again(publish: fn() -> Result<(), Vec<String>>) -> (String, bool, Vec<&'static str>, usize) {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("portway.yaml"), TEXT).unwrap();
    let asked = cli::Documents { paths: vec![directory.path().into()] };
    let library = Library::find(&asked).unwrap();
    let secrets = ProcessSecrets::new(directory.path());
    let reading = library.compile(&[], &secrets, Looked::All, None);
    let rejected = Arc::<AtomicUsize>::default();
    let reload = Reload {
        library,
        overrides: Vec::new(),
        secrets,
        started_with: reading.gateway,
        served: Stubborn {
            snapshot: Arc::new(reading.compiled.unwrap().snapshot),
            publish,
            rejected: Arc::clone(&rejected),
        },
        status: Arc::default(),
        files_max: 1_024,
        certificates: Stamps::default(),
    };
    let said = reload.again();
    let load = reload.status.last_load().unwrap();
    let codes = load.diagnostics.iter().map(|found| found.code).collect();
    (said, load.ok, codes, rejected.load(Ordering::Relaxed))
}

#[test]
fn how_a_reading_went_is_said_and_kept() {
    let (said, ok, codes, rejected) = again(|| Ok(()));
    assert!(said.starts_with("the documents are live ("), "{said}");
    assert_eq!((ok, codes, rejected), (true, vec![], 0));
    let (said, ok, codes, _) = again(|| Err(vec!["ca.pem cannot be read".to_owned()]));
    assert!(said.starts_with("the documents have mistakes (1 error)"), "{said}");
    assert_eq!((ok, codes), (false, vec!["unusable-file"]));
}

#[test]
fn a_fault_of_our_own_does_not_end_the_reading() {
    let (said, ok, codes, rejected) = again(|| panic!("a fault that a test makes"));
    assert!(said.contains("a fault of Portway itself"), "{said}");
    assert_eq!((ok, codes, rejected), (false, vec!["internal-fault"], 1));
}

#[test]
fn settings_that_need_a_restart_stay_as_they_were() {
    let was = Gateway::default();
    let mut now = was.clone();
    now.workers = Some(7);
    now.bounds.head_fields = 5;
    let in_force = in_force(&was, now, 1_024);
    assert_eq!(in_force.need_restart, ["workers"]);
    assert_eq!(in_force.settings["bounds"]["head_fields"], 5);
    // As many as may be let in with so few files.
    assert_eq!(in_force.settings["bounds"]["connections"], 384);
    assert!(in_force.settings["workers"].is_null());
}
