//! Documents of any content: read, every mistake located and shown. The first byte chooses the format.
#![no_main]

use libfuzzer_sys::fuzz_target;
use portway_model::{Format, SourceFile, read};

fuzz_target!(|data: &str| {
    let mut chars = data.chars();
    let format = match chars.next() {
        Some('J') => Format::Json,
        Some('T') => Format::Toml,
        _ => Format::Yaml,
    };
    let file = SourceFile { name: "fuzz".to_owned(), text: chars.as_str().to_owned(), format };
    let (documents, diagnostics) = read(&[file], &[]);
    for diagnostic in &diagnostics {
        let line = documents.sources.line_text(&diagnostic.location);
        let _ = diagnostic.render(line.as_deref(), true);
    }
});
