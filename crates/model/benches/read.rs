//! How long a large document takes to read, in YAML and in JSON: `cargo bench -p portway-model`.
//!
//! Prints milliseconds per reading, the best of several, for documents that are right and for one that has
//! a single mistake (which is when places have to be worked out).
#![expect(clippy::print_stdout, reason = "printing figures is what it is for")]

use std::time::Instant;

use portway_model::{Format, SourceFile, read};

const SERVICES: usize = 20_000;
const ROUNDS: usize = 5;

fn document() -> String {
    let service = |index: usize| {
        format!(
            "  s{index}:\n    contract: contracts/s{index}.yaml\n    path: /s{index}\n    backend: http://10.0.0.7:8000\n    \
             auth: [key]\n    limits: [ \"200/s\", \"20/s per app\" ]\n    operations:\n      \
             createOrder: {{ limits: [ \"2/s per app\" ], timeout: 3s }}\n"
        )
    };
    format!("portway: 1\nservices:\n{}", (0..SERVICES).map(service).collect::<String>())
}

/// Reads it several times and prints the best time.
fn measure(what: &str, file: SourceFile, mistakes: usize) {
    let files = [file];
    let best = (0..ROUNDS).map(|_| {
        let start = Instant::now();
        let (_, diagnostics) = read(&files, &[]);
        assert_eq!(diagnostics.len(), mistakes, "the document is not what it should be");
        start.elapsed()
    });
    let best = best.min().unwrap_or_default();
    println!(
        "{what}: {SERVICES} services, {} KiB, {:.0} ms",
        files[0].text.len() >> 10,
        best.as_secs_f64() * 1e3
    );
}

fn main() {
    let file = |name: &str, text: String| SourceFile {
        format: Format::of_file(name),
        name: name.to_owned(),
        text,
    };
    let yaml = document();
    let (documents, _) = read(&[file("a.yaml", yaml.clone())], &[]);
    let json =
        serde_json::to_string(&documents.document).expect("a document can be written as JSON");
    measure("yaml", file("a.yaml", yaml.clone()), 0);
    measure(
        "yaml with a mistake",
        file("a.yaml", yaml.replacen("timeout: 3s", "timeout: 3", 1)),
        1,
    );
    measure("json", file("a.json", json), 0);
}
