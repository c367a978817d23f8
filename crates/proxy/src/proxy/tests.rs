//! The life of the workers, from outside of them.

use portway_contract::{LoadFault, Loader};
use portway_model::{AppKey, Format, SecretRef, SourceFile};

use super::*;

/// There are no files and no secrets.
struct Nothing;

impl Loader for Nothing {
    fn load(&self, _: &str) -> Result<Vec<u8>, LoadFault> {
        Err(LoadFault::NotFound)
    }
}

impl portway_snapshot::Files for Nothing {
    fn fingerprint(&self, _: &str) -> Option<u64> {
        None
    }
}

impl portway_snapshot::Secrets for Nothing {
    fn resolve(&self, _: &SecretRef) -> Result<String, String> {
        Err("there are none".to_owned())
    }

    fn key_sha256(&self, _: &AppKey) -> Result<[u8; 32], String> {
        Err("there are none".to_owned())
    }
}

fn start(runtime: &tokio::runtime::Runtime) -> Running {
    let text = "portway: 1\n".to_owned();
    let file = SourceFile { name: "test.yaml".to_owned(), text, format: Format::Yaml };
    let (documents, _) = portway_model::read(&[file], &[]);
    let (compiled, found) = portway_snapshot::compile(&documents, &Nothing, &Nothing, None);
    let settings = Settings {
        listeners: vec![Listen {
            address: ([127, 0, 0, 1], 0).into(),
            tls: None,
            proxy_protocol: false,
            inherited: Vec::new(),
        }],
        workers: 2,
        log: None,
        drain_timeout: Duration::from_secs(30),
        control: runtime.handle().clone(),
        files_max: 1_024,
        telling: Telling::default(),
    };
    let compiled = compiled.unwrap_or_else(|| panic!("{found:?}"));
    bind(settings, compiled).unwrap().run().unwrap()
}

#[test]
fn a_worker_that_dies_is_missed() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let running = start(&runtime);
    running.inner.commands.send_replace(Command::Panic);
    let why = runtime.block_on(running.lost_worker());
    assert!(why.ends_with(" panicked"), "{why}");
    assert!(!running.workers_move());
    runtime.block_on(running.drain());
}

#[test]
fn a_drain_closes_the_sockets_and_loses_no_worker() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let running = start(&runtime);
    let address = running.addresses()[0];
    assert_eq!(running.listeners_for_handover().unwrap().len(), 1);
    assert!(listener::is_taken(address).is_err());
    runtime.block_on(running.drain());
    assert!(running.listeners_for_handover().is_err());
    listener::is_taken(address).unwrap();
    let lost = async {
        tokio::select! {
            biased;
            why = running.lost_worker() => Some(why),
            () = std::future::ready(()) => None,
        }
    };
    assert_eq!(runtime.block_on(lost), None);
}
