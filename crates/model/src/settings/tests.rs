//! Settings from outside: the table, who wins, and how mistakes are told.

use crate::{ByteSize, Format, ListenerDocument, Override, SourceFile, read, settings};

fn given(pointer: &str, value: &str, origin: &str) -> Override {
    Override { pointer: pointer.to_owned(), value: value.to_owned(), origin: origin.to_owned() }
}

fn file(text: &str) -> SourceFile {
    SourceFile { name: "portway.yaml".to_owned(), text: text.to_owned(), format: Format::Yaml }
}

#[test]
fn the_table_has_every_leaf() {
    let table = settings();
    let find =
        |pointer: &str| table.iter().find(|setting| setting.pointer == pointer).cloned().unwrap();
    let head = find("/gateway/bounds/head_bytes");
    assert_eq!(
        (head.env.as_str(), head.flag.as_str(), head.default.as_str()),
        ("PORTWAY_BOUNDS_HEAD_BYTES", "--bounds-head-bytes", "32KiB")
    );
    assert_eq!(find("/gateway/bounds/http2/stall_timeout").flag, "--bounds-http2-stall-timeout");
    assert!(find("/gateway/listen").is_list);
    assert_eq!(find("/gateway/listen").default, "127.0.0.1:8080");
    assert!(!find("/gateway/admin").is_list);
    let mut names: Vec<&str> = table.iter().map(|setting| setting.flag.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), table.len(), "two settings have the same flag");
    assert!(table.iter().all(|setting| !setting.doc.is_empty()));
}

#[test]
fn later_ones_win_over_earlier_ones_and_over_the_file() {
    let files = [file(
        "portway: 1\ngateway: { admin: '127.0.0.1:1', bounds: { head_bytes: 4KiB, target_bytes: 1KiB } }\n",
    )];
    let overrides = [
        given(
            "/gateway/bounds/head_bytes",
            "16KiB",
            "environment variable PORTWAY_BOUNDS_HEAD_BYTES",
        ),
        given("/gateway/bounds/head_bytes", "65536", "flag --bounds-head-bytes"),
        given("/gateway/listen", "0.0.0.0:80, [::]:81", "flag --listen"),
        given("/gateway/workers", "3", "flag --workers"),
    ];
    let (documents, diagnostics) = read(&files, &overrides);
    assert_eq!(diagnostics, []);
    let gateway = documents.document.gateway.unwrap();
    assert_eq!(gateway.admin, "127.0.0.1:1");
    assert_eq!(gateway.bounds.head_bytes, ByteSize::from_bytes(65_536));
    assert_eq!(gateway.bounds.target_bytes, ByteSize::from_bytes(1_024));
    assert_eq!(
        gateway.listen,
        [ListenerDocument::new("0.0.0.0:80"), ListenerDocument::new("[::]:81")]
    );
    assert_eq!(gateway.workers, Some(3));
    assert_eq!(documents.sources.locate("/gateway/workers").to_string(), "flag --workers");
    assert_eq!(documents.sources.locate("/gateway/listen/1").to_string(), "flag --listen");
    assert_eq!(documents.sources.locate("/gateway/admin").to_string(), "portway.yaml:2:19");
}

#[test]
fn without_a_gateway_in_any_file() {
    let files = [file("portway: 1\n")];
    let (documents, diagnostics) =
        read(&files, &[given("/gateway/admin", "off", "environment variable PORTWAY_ADMIN")]);
    assert_eq!(diagnostics, []);
    assert_eq!(documents.document.gateway.unwrap().admin, "off");
    assert_eq!(
        documents.sources.locate("/gateway/admin").to_string(),
        "environment variable PORTWAY_ADMIN"
    );
}

#[test]
fn mistakes_are_told_where_they_come_from() {
    let overrides = [
        given("/gateway/admin", "localhost:1", "environment variable PORTWAY_ADMIN"),
        given("/gateway/workers", "many", "flag --workers"),
        given("/gateway/listen", "", "flag --listen"),
        given("/gateway/bounds/head_byte", "1", "flag --bounds-head-byte"),
        given("/services/shop/path", "/", "flag --path"),
    ];
    for files in
        [vec![], vec![file("portway: 1\n")], vec![file("portway: 1\ngateway: { admin: off }\n")]]
    {
        let (_, diagnostics) = read(&files, &overrides);
        let told: Vec<String> = diagnostics
            .iter()
            .map(|told| format!("{}: {} ({})", told.location, told.message, told.fix))
            .collect();
        let expected = [
            r#"environment variable PORTWAY_ADMIN: gateway.admin: "localhost:1" is not an address to listen on: names are not resolved here (write 127.0.0.1:1)"#,
            r#"flag --bounds-head-byte: gateway.bounds.head_byte is not a setting that can be given here (did you mean "/gateway/bounds/head_bytes"?)"#,
            "flag --listen: gateway.listen is empty, but needs at least one ()",
            "flag --path: services.shop.path is not a setting that can be given here ()",
            "flag --workers: gateway.workers is a text, but should be a whole number ()",
        ];
        assert_eq!(told, expected);
    }
}
