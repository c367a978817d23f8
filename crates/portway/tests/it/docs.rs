//! The documents tell the truth: examples load, commands run, generated pages are up to date, names are those
//! of the code. `UPDATE_DOCS=1` writes the generated pages anew.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use portway_policy::{Phase, Reason};
use portway_proxy::failure::{Fault, Source};

use crate::guides::{GUIDES, is_of};
use crate::program::{directory, outcome, portway, repository, write};
use crate::repository::files;

/// A fenced block of a page.
pub(crate) struct Block {
    pub(crate) language: String,
    pub(crate) text: String,
    /// Page and line.
    pub(crate) place: String,
}

/// The fenced blocks of all pages.
pub(crate) fn blocks() -> Vec<Block> {
    let root = repository();
    let mut found = Vec::new();
    let mut pages = files(&root.join("docs"), ".md");
    pages.extend(["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md"].map(|name| root.join(name)));
    for page in pages {
        let text = std::fs::read_to_string(&page).expect("it is text");
        let name = page.strip_prefix(&root).unwrap_or(&page).display().to_string();
        let mut open: Option<Block> = None;
        for (index, line) in text.lines().enumerate() {
            match (line.trim_start().strip_prefix("```"), open.take()) {
                (Some(language), None) => {
                    let place = format!("{name}:{}", index + 1);
                    open = Some(Block {
                        language: language.trim().to_owned(),
                        text: String::new(),
                        place,
                    });
                }
                (Some(_), Some(block)) => found.push(block),
                (None, Some(mut block)) => {
                    let _ = writeln!(block.text, "{line}");
                    open = Some(block);
                }
                (None, None) => {}
            }
        }
        assert!(open.is_none(), "{name}: a block is not closed");
    }
    found
}

/// What examples refer to: a contract of any name, with these operations.
const CONTRACT: &str = include_str!("../../../../examples/demo/contracts/shop.yaml");

#[test]
fn every_document_on_a_page_loads() {
    let mut count = 0;
    for block in blocks()
        .iter()
        .filter(|block| block.language == "yaml" && block.text.contains("portway: 1"))
        .filter(|block| named(block).is_none())
    {
        let directory = directory(&[("portway.yaml", &block.text)]);
        // The files that it includes, as far as they have names.
        for name in block
            .text
            .split(['"', ' ', ',', '[', ']'])
            .filter(|word| word.ends_with(".yaml") && !word.contains('*'))
        {
            write(directory.path(), name, "portway: 1\n");
        }
        for line in block.text.lines() {
            if let Some((_, rest)) = line.split_once("contract:") {
                let name = rest
                    .split_whitespace()
                    .next()
                    .unwrap_or_default()
                    .trim_matches(['"', ',', '}']);
                write(directory.path(), name, CONTRACT);
            }
        }
        let (code, out, err) =
            outcome(&portway(directory.path(), &["check"]).output().expect("the binary runs"));
        assert_eq!(code, 0, "{}\n{out}{err}\n{}", block.place, block.text);
        count += 1;
    }
    assert!(count >= 3, "only {count} documents were found");
}

#[test]
fn every_example_loads_without_a_warning() {
    let mut count = 0;
    for document in files(&repository().join("examples"), "portway.yaml") {
        let folder = document.parent().expect("a file stands in a folder");
        let (code, out, err) =
            outcome(&portway(folder, &["check"]).output().expect("the binary runs"));
        assert!(code == 0 && out.contains("no mistakes"), "{}\n{out}{err}", document.display());
        count += 1;
    }
    assert!(count >= 3, "only {count} examples were found");
}

/// The name of the file that a block says it is: the commands of the pages find it, and load it.
fn named(block: &Block) -> Option<&str> {
    block.text.lines().next()?.strip_prefix("# ").filter(|name| name.ends_with(".yaml"))
}

/// Blocks in ```console run: each line after `$ ` in one folder that has `shop.yaml` in it, and the files that pages name, and what
/// follows is what it prints. A line of `…` stands for any number of lines, and `…` in a line for any part of it. Guides are done
/// elsewhere, step by step.
#[test]
fn every_console_block_is_what_happens() {
    let directory = directory(&[("shop.yaml", CONTRACT)]);
    let mut count = 0;
    let blocks = blocks();
    for block in &blocks {
        if let Some(name) = named(block) {
            write(directory.path(), name, &block.text);
            let loads = format!("portway check {name}");
            let is_loaded = blocks.iter().any(|block| block.text.contains(&loads));
            assert!(is_loaded, "{}: no command loads it", block.place);
        }
    }
    let is_here = |block: &&Block| {
        block.language == "console" && !GUIDES.iter().any(|page| is_of(block, page))
    };
    for block in blocks.iter().filter(is_here) {
        let mut lines = block.text.lines().peekable();
        while let Some(line) = lines.next() {
            let command = line
                .strip_prefix("$ ")
                .unwrap_or_else(|| panic!("{}: no command: {line}", block.place));
            let mut expected = Vec::new();
            while let Some(line) = lines.next_if(|line| !line.starts_with("$ ")) {
                expected.push(line);
            }
            let printed = run(directory.path(), command);
            let printed: Vec<&str> = printed.lines().map(str::trim_end).collect();
            assert!(
                fits(&expected, &printed),
                "{}: {command}\n--- printed\n{}",
                block.place,
                printed.join("\n")
            );
            count += 1;
        }
    }
    assert!(count >= 2, "only {count} commands were found");
}

fn run(folder: &Path, command: &str) -> String {
    let binary = Path::new(env!("CARGO_BIN_EXE_portway")).parent().expect("it stands in a folder");
    let path = std::env::join_paths(
        std::iter::once(binary.to_owned())
            .chain(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())),
    );
    let output = std::process::Command::new("bash")
        .arg("-c")
        .arg(format!("{command} 2>&1"))
        .env("PATH", path.expect("it has no colon in it"))
        .current_dir(folder)
        .output()
        .expect("bash runs");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

pub(crate) fn fits(expected: &[&str], printed: &[&str]) -> bool {
    match expected.split_first() {
        None => printed.is_empty(),
        Some((&"…", rest)) => (0..=printed.len()).any(|skipped| fits(rest, &printed[skipped..])),
        Some((first, rest)) => printed
            .split_first()
            .is_some_and(|(line, others)| line_fits(first, line) && fits(rest, others)),
    }
}

fn line_fits(expected: &str, line: &str) -> bool {
    let mut parts = expected.split('…');
    let Some(mut rest) = line.strip_prefix(parts.next().unwrap_or_default()) else { return false };
    let mut last = None;
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
        last = Some(part);
    }
    rest.is_empty() || last == Some("")
}

#[test]
fn every_phase_has_a_heading() {
    let page = std::fs::read_to_string(repository().join("docs/call.md")).expect("it is there");
    let headings: Vec<&str> = page.lines().filter_map(|line| line.strip_prefix("## ")).collect();
    let words: Vec<&str> = Phase::ALL.iter().map(|phase| phase.word()).collect();
    let found: Vec<&str> =
        headings.iter().copied().filter(|heading| words.contains(heading)).collect();
    assert_eq!(found, words, "the phases and their order");
}

/// What is dropped and added where a document does not say otherwise is for the reader to know.
#[test]
fn the_guide_lists_what_answers_lose_and_get() {
    let guide = std::fs::read_to_string(repository().join("docs/guide.md")).expect("readable");
    for name in portway_model::Mask::HEADERS {
        assert!(guide.contains(&format!("`{name}`")), "{name}");
    }
    for (name, value) in portway_model::SecurityHeaders::DEFAULTS {
        assert!(guide.contains(&format!("| `{name}` | `{value}` |")), "{name}");
    }
}

#[test]
fn links_between_pages_lead_somewhere() {
    let root = repository();
    let mut pages = files(&root.join("docs"), ".md");
    pages.extend(
        ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md"]
            .map(|name| root.join(name)),
    );
    for page in pages {
        let text = std::fs::read_to_string(&page).expect("it is text");
        for (_, rest) in text.match_indices("](").map(|(at, _)| text.split_at(at + 2)) {
            let target =
                rest.split(')').next().unwrap_or_default().split('#').next().unwrap_or_default();
            if target.is_empty() || target.contains("://") {
                continue;
            }
            let full = page.parent().expect("a page stands in a folder").join(target);
            assert!(full.exists(), "{}: {target} is not there", page.display());
        }
    }
}

/// The catalogue of refusals and failures.
fn errors_page() -> String {
    let mut page = String::from(
        "# Answers that Portway gives itself\n\n\
         <!-- Made from the code: `make docs` writes this page. -->\n\n\
         Every refusal and failure is answered with a problem document (RFC 9457, `application/problem+json`) whose `type` \
         ends in one of the words below. The same word stands in the log line of the call and in the metrics.\n\n\
         ## Refusals: the gateway says no\n\n",
    );
    for reason in Reason::ALL {
        section(&mut page, reason.word(), reason.status(), reason.title(), reason.explanation());
    }
    page.push_str("## Failures: something broke\n\n");
    for fault in Fault::ALL {
        let explanation = match fault.source() {
            Source::Caller => format!("{} (On the caller's side.)", fault.explanation()),
            Source::Backend => format!("{} (On the backend's side.)", fault.explanation()),
            Source::Gateway => fault.explanation().to_owned(),
        };
        section(&mut page, fault.word(), fault.status(), fault.title(), &explanation);
    }
    page.truncate(page.trim_end().len());
    page.push('\n');
    page
}

fn section(page: &mut String, word: &str, status: u16, title: &str, explanation: &str) {
    let _ = writeln!(page, "### {word}\n\n**{status}** · {title}\n\n{explanation}\n");
}

#[test]
fn docs_errors_page_is_up_to_date() {
    let words: Vec<&str> = Reason::ALL
        .iter()
        .map(|reason| reason.word())
        .chain(Fault::ALL.iter().map(|fault| fault.word()))
        .collect();
    assert_eq!(
        words.iter().collect::<BTreeSet<_>>().len(),
        words.len(),
        "a word stands for two things"
    );
    let path = repository().join("docs/errors.md");
    let page = errors_page();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &page).expect("it can be written");
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(written == page, "docs/errors.md is out of date; `make docs` writes it");
}

/// The page of faults has every row, and every test that it names is there.
#[test]
fn the_tests_that_the_page_of_faults_names_exist() {
    let root = repository();
    let page = std::fs::read_to_string(root.join("docs/hardening.md")).expect("readable");
    for row in (1..=16).map(|n| format!("F{n}")).chain((1..=30).map(|n| format!("C{n}"))) {
        assert!(page.contains(&format!("\n| {row} | ")), "there is no row {row}");
    }
    let mut known = BTreeSet::new();
    for file in files(&root.join("crates"), ".rs") {
        let text = std::fs::read_to_string(file).expect("readable");
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        for pair in lines.windows(2) {
            // What stands between the attribute and the name is another attribute at most.
            let is_test = pair[0].starts_with("#[") && !pair[0].starts_with("#[cfg");
            let name = pair[1].strip_prefix("async ").unwrap_or(pair[1]).strip_prefix("fn ");
            if let (true, Some(name)) = (is_test, name.and_then(|name| name.split('(').next())) {
                known.insert(name.to_owned());
            }
        }
    }
    let is_name = |word: &str| word.contains('_') && !word.contains(['.', ' ', '/']);
    let named: Vec<&str> =
        page.split('`').skip(1).step_by(2).filter(|word| is_name(word)).collect();
    assert!(named.len() > 100, "only {} tests are named", named.len());
    for name in named {
        assert!(known.contains(name), "docs/hardening.md names {name}, which is no test");
    }
}
