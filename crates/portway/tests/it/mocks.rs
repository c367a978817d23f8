//! The page on mocks against the example that it speaks of.

use crate::program::{Gateway, directory, portway, repository, write};

/// A request as `curl` would send it; as much of its options as the page uses.
fn request(command: &str) -> String {
    let (mut method, mut path, mut lines) = ("GET".to_owned(), String::new(), String::new());
    let mut rest = command;
    let mut words = Vec::new();
    while !rest.is_empty() {
        let (word, after) = match rest.strip_prefix('\'') {
            Some(quoted) => quoted.split_once('\'').expect("a closing quote"),
            None => rest.split_once(' ').unwrap_or((rest, "")),
        };
        words.push(word);
        rest = after.trim_start();
    }
    let mut words = words.into_iter();
    while let Some(word) = words.next() {
        match word {
            "curl" | "-s" => {}
            "-X" => method = words.next().expect("a method").to_owned(),
            "-H" => lines.push_str(&format!("{}\r\n", words.next().expect("a field"))),
            address => {
                path = address.strip_prefix("localhost:8080").expect("the address").to_owned();
            }
        }
    }
    format!("{method} {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{lines}\r\n")
}

fn answer(gateway: &Gateway, request: &str) -> String {
    use std::io::{Read as _, Write as _};
    let mut stream = std::net::TcpStream::connect(gateway.address).expect("it listens");
    stream.write_all(request.as_bytes()).expect("it is sent");
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("text");
    text.split_once("\r\n\r\n").expect("a head").1.trim_end().to_owned()
}

#[test]
fn docs_mock_page_says_what_happens() {
    let root = repository();
    let page = std::fs::read_to_string(root.join("docs/mock.md")).expect("it is there");
    let document =
        std::fs::read_to_string(root.join("examples/mock/portway.yaml")).expect("it is there");
    let document = document.replace(
        "portway: 1",
        "portway: 1\ngateway: { listen: [\"127.0.0.1:0\"], admin: \"127.0.0.1:0\" }",
    );
    let directory = directory(&[("portway.yaml", &document)]);
    let contract = std::fs::read_to_string(root.join("examples/mock/contracts/pets.yaml"));
    write(directory.path(), "contracts/pets.yaml", &contract.expect("it is there"));
    let gateway = Gateway::start(portway(directory.path(), &["run"]));
    let mut lines = page.lines().peekable();
    let mut count = 0;
    while let Some(line) = lines.next() {
        let Some(command) = line.strip_prefix("$ ") else { continue };
        let expected = lines.next().expect("what it answers");
        let body = answer(&gateway, &request(command));
        let mut rest = &*body;
        for part in expected.split('…') {
            let at = rest.find(part).unwrap_or_else(|| panic!("{command}: {body}"));
            rest = &rest[at + part.len()..];
        }
        assert!(expected.contains('…') || body == expected, "{command}: {body}");
        count += 1;
    }
    assert!(count >= 6, "only {count} commands were found");
}
