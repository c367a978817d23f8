//! From bytes to a library: the document that was asked for, and every file it refers to.
//!
//! All files are parsed before anything is read from them, so that reading needs no loader and borrows
//! freely. Files share one memory budget, one byte budget and one count.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use serde_json::Value;

use crate::budget::{Budget, Spent};
use crate::contract::{Node, ResolveFault};
use crate::diagnostic::Severity;
use crate::document::{Document, Format};
use crate::findings::{Finding, Findings};
use crate::library::Library;
use crate::limits::Limits;
use crate::loader::{LoadFault, Loader};
use crate::place;
use crate::reference::{self, ReferenceFault};
use crate::text::{self, TextFault};
use crate::walk::{self, Way};
use crate::{json, yaml};

/// Largest text that is tried as YAML after it failed as JSON, in bytes.
const RETRY_BYTES: usize = 4 << 20;
/// Repeated keys that are reported one by one.
const REPEATED_KEYS: usize = 50;

/// The parsed files, and their texts for finding places.
pub(crate) struct Sources<'b> {
    pub(crate) library: Library,
    pub(crate) texts: Vec<Cow<'b, str>>,
    pub(crate) budget: Budget,
    bytes_left: usize,
}

/// A text that could not be parsed.
struct Unreadable {
    code: &'static str,
    place: (u32, u32),
    message: String,
    fix: String,
}

/// Parses the document itself. `None` if it cannot be read; a finding says why.
pub(crate) fn root<'b>(
    name: &str,
    path: &str,
    bytes: &'b [u8],
    limits: &Limits,
    findings: &mut Findings,
) -> Option<Sources<'b>> {
    let mut sources = Sources {
        library: Library::default(),
        texts: Vec::new(),
        budget: Budget { left_bytes: limits.memory_bytes, depth: limits.depth },
        bytes_left: limits.total_bytes,
    };
    match sources.parse(bytes, limits) {
        Ok(read) => {
            sources.add(name, path, read, limits, findings);
            Some(sources)
        }
        Err(fault) => {
            findings.push(Finding {
                severity: Severity::Error,
                code: fault.code,
                node: Node { document: 0, pointer: String::new() },
                place: Some(fault.place),
                message: fault.message,
                fix: fault.fix,
                count: 1,
            });
            None
        }
    }
}

/// A parsed text with what was noticed.
struct Read<'b> {
    text: Cow<'b, str>,
    value: Value,
    format: Format,
    notes: Vec<Note>,
    repeated_keys: usize,
}

/// A value, and what it was read from.
struct Parsed {
    value: Value,
    format: Format,
    repeated_keys: usize,
    /// The text that was read, if it was not the one given.
    plain: Option<String>,
}

impl Parsed {
    fn json(parsed: json::Parsed, plain: Option<String>) -> Parsed {
        Parsed {
            value: parsed.value,
            format: Format::Json,
            repeated_keys: parsed.repeated_keys,
            plain,
        }
    }
}

/// Something odd about the text itself.
struct Note {
    code: &'static str,
    place: (u32, u32),
    message: String,
    fix: &'static str,
}

impl<'b> Sources<'b> {
    fn parse(&mut self, bytes: &'b [u8], limits: &Limits) -> Result<Read<'b>, Unreadable> {
        if bytes.len() > limits.file_bytes.min(self.bytes_left) {
            return Err(Unreadable {
                code: "too-large",
                place: (0, 0),
                message: format!("the file has {} bytes, more than may be read", bytes.len()),
                fix: format!(
                    "split it, or raise the limit (now {} bytes a file)",
                    limits.file_bytes
                ),
            });
        }
        self.bytes_left -= bytes.len();
        let decoded = text::decode(bytes).map_err(unreadable_text)?;
        let mut notes = Vec::new();
        if let Some(at) = decoded.broken_at {
            let place = place::places(&decoded.text, &[at])[0];
            notes.push(Note {
                code: "encoding",
                place: (place.line, place.column),
                message: "the text is not UTF-8 here; what could not be read was replaced"
                    .to_owned(),
                fix: "save the file as UTF-8",
            });
        }
        let parsed = self.parse_text(&decoded.text, limits, &mut notes)?;
        let text = parsed.plain.map_or(decoded.text, Cow::Owned);
        Ok(Read {
            text,
            value: parsed.value,
            format: parsed.format,
            notes,
            repeated_keys: parsed.repeated_keys,
        })
    }

    /// Also gives the text that was really read, where that is another one.
    fn parse_text(
        &mut self,
        text: &str,
        limits: &Limits,
        notes: &mut Vec<Note>,
    ) -> Result<Parsed, Unreadable> {
        let first = text.trim_start().as_bytes().first().copied();
        if first == Some(b'<') {
            return Err(markup(text));
        }
        if !matches!(first, Some(b'{' | b'[')) {
            return self.parse_yaml(text, limits, notes);
        }
        let before = self.budget.clone();
        let fault = match json::parse(text, &mut self.budget) {
            Ok(parsed) => return Ok(Parsed::json(parsed, None)),
            Err(fault) => fault,
        };
        let place = (line_number(fault.line), line_number(fault.column));
        if let Some(spent) = fault.spent {
            return Err(spent_fault(spent, place, limits));
        }
        if let Some(plain) = json::without_comments(text) {
            self.budget = before.clone();
            if let Ok(parsed) = json::parse(&plain, &mut self.budget) {
                notes.push(Note {
                    code: "not-strict-json",
                    place,
                    message: "comments and trailing commas are not JSON; they were left out"
                        .to_owned(),
                    fix: "take them out, or write the document as YAML",
                });
                return Ok(Parsed::json(parsed, Some(plain)));
            }
        }
        // What is nearly JSON is YAML more often than not.
        if text.len() <= RETRY_BYTES {
            self.budget = before;
            if let Ok(read) = self.parse_yaml(text, limits, notes)
                && read.value.is_object()
            {
                notes.push(Note {
                    code: "not-strict-json",
                    place,
                    message: format!(
                        "this is not JSON ({}); the file was read as YAML",
                        fault.message
                    ),
                    fix: "correct the JSON here, or name the file `.yaml`",
                });
                return Ok(read);
            }
        }
        Err(Unreadable {
            code: "syntax",
            place,
            message: format!("this is not JSON: {}", fault.message),
            fix: "correct the JSON at or just before this place".to_owned(),
        })
    }

    fn parse_yaml(
        &mut self,
        text: &str,
        limits: &Limits,
        notes: &mut Vec<Note>,
    ) -> Result<Parsed, Unreadable> {
        let parsed = yaml::parse(text, &mut self.budget, limits.alias_nodes).map_err(|fault| {
            let place = (line_number(fault.line), line_number(fault.column));
            match fault.spent {
                Some(spent) => spent_fault(spent, place, limits),
                None => Unreadable {
                    code: "syntax",
                    place,
                    message: format!("this is not YAML: {}", fault.message),
                    fix: "correct the indentation, quotes or brackets at or just before this place"
                        .to_owned(),
                },
            }
        })?;
        for place in place::places(text, &parsed.unknown_aliases) {
            notes.push(Note {
                code: "unknown-alias",
                place: (place.line, place.column),
                message: "this alias names no anchor before it; it was read as null".to_owned(),
                fix: "define the anchor before it is used",
            });
        }
        if let Some((line, column)) = parsed.indentation {
            notes.push(Note {
                code: "indentation",
                place: (line_number(line), line_number(column)),
                message:
                    "what stands here is indented less than YAML asks for; some readers refuse it"
                        .to_owned(),
                fix: "indent it, closing brackets included, deeper than the key it belongs to",
            });
        }
        if parsed.more_documents {
            notes.push(Note {
                code: "more-documents",
                place: (0, 0),
                message: "the file holds more than one YAML document; only the first was read"
                    .to_owned(),
                fix: "put each document into a file of its own",
            });
        }
        Ok(Parsed {
            value: parsed.value,
            format: Format::Yaml,
            repeated_keys: parsed.repeated_keys,
            plain: None,
        })
    }

    /// Takes a parsed text in and reports what was odd about it.
    fn add(
        &mut self,
        name: &str,
        path: &str,
        read: Read<'b>,
        limits: &Limits,
        findings: &mut Findings,
    ) -> usize {
        let mut document = Document::new(name.to_owned(), path.to_owned(), read.format, read.value);
        document.set_anchors(anchors(document.value()));
        let index = self.library.add(path.to_owned(), document);
        for note in read.notes {
            findings.push(Finding {
                severity: Severity::Warning,
                code: note.code,
                node: Node { document: index, pointer: String::new() },
                place: Some(note.place),
                message: note.message,
                fix: note.fix.to_owned(),
                count: 1,
            });
        }
        if read.repeated_keys > 0 {
            for repeated in
                place::repeated_keys(&read.text, read.format, limits.depth, REPEATED_KEYS)
            {
                let key =
                    crate::pointer::tokens(&repeated.pointer).and_then(|mut tokens| tokens.pop());
                findings.push(Finding {
                    severity: Severity::Warning,
                    code: "repeated-key",
                    node: Node { document: index, pointer: repeated.pointer },
                    place: Some((repeated.place.line, repeated.place.column)),
                    message: format!(
                        "the key `{}` stands more than once in this object; the last counts",
                        key.unwrap_or_default()
                    ),
                    fix: "keep one of them".to_owned(),
                    count: 1,
                });
            }
        }
        self.texts.push(read.text);
        index
    }
}

fn line_number(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

fn unreadable_text(fault: TextFault) -> Unreadable {
    let (code, message, fix) = match fault {
        TextFault::Wide(encoding) => {
            ("encoding", format!("the file is encoded as {encoding}"), "save it as UTF-8")
        }
        TextFault::Binary(kind) => (
            "not-openapi",
            format!("this is a {kind}, not an OpenAPI document"),
            "give the unpacked document",
        ),
        TextFault::Empty => ("empty", "the file is empty".to_owned(), "give an OpenAPI document"),
    };
    Unreadable { code, place: (1, 1), message, fix: fix.to_owned() }
}

fn markup(text: &str) -> Unreadable {
    let head: String = text.trim_start().chars().take(512).collect::<String>().to_ascii_lowercase();
    let what = if head.contains("<html") || head.contains("<!doctype html") {
        "an HTML page (perhaps the page that shows the API, or an error page)"
    } else if head.contains("definitions") || head.contains("wsdl") {
        "a WSDL document"
    } else {
        "an XML document"
    };
    Unreadable {
        code: "not-openapi",
        place: (1, 1),
        message: format!("this is {what}, not an OpenAPI document"),
        fix: "give the OpenAPI document itself, as JSON or YAML".to_owned(),
    }
}

fn spent_fault(spent: Spent, place: (u32, u32), limits: &Limits) -> Unreadable {
    let (code, message) = match spent {
        Spent::Depth => {
            ("too-deep", format!("objects and lists are nested deeper than {} here", limits.depth))
        }
        Spent::Memory => (
            "too-large",
            format!(
                "the document would take more than {} MiB of memory",
                limits.memory_bytes >> 20
            ),
        ),
        Spent::Aliases => (
            "too-many-aliases",
            format!("YAML aliases repeat more than {} nodes", limits.alias_nodes),
        ),
    };
    Unreadable {
        code,
        place,
        message,
        fix: "simplify the document, or raise the limit if it is trusted".to_owned(),
    }
}

/// `$anchor` names of the schemas of a document.
fn anchors(value: &Value) -> HashMap<String, String> {
    let mut anchors = HashMap::new();
    walk::objects(value, &mut Way::at(0, ""), &mut |members, way| {
        for keyword in ["$anchor", "$dynamicAnchor"] {
            if let Some(name) = members.get(keyword).and_then(Value::as_str) {
                anchors.entry(name.to_owned()).or_insert_with(|| way.pointer());
            }
        }
    });
    anchors
}

/// A reference as written, and where it stands first.
struct Used {
    text: String,
    node: Node,
}

/// Loads every file that is referred to, directly or not, and reports references that lead nowhere.
pub(crate) fn referenced(
    sources: &mut Sources<'_>,
    loader: &dyn Loader,
    limits: &Limits,
    findings: &mut Findings,
) {
    let mut used = Vec::new();
    let mut failed = HashMap::new();
    let mut next = 0;
    while let Some(document) = sources.library.get(next) {
        let found = references(document.value(), next);
        for reference in &found {
            load_one(sources, reference, loader, limits, &mut failed, findings);
        }
        used.extend(found);
        next += 1;
    }
    for reference in &used {
        check_one(&sources.library, reference, &failed, limits, findings);
    }
}

/// The references of a document, each text once.
fn references(value: &Value, document: usize) -> Vec<Used> {
    let mut seen = HashSet::new();
    let mut used = Vec::new();
    walk::objects(value, &mut Way::at(document, ""), &mut |members, way| {
        if let Some(text) = members.get("$ref").and_then(Value::as_str)
            && seen.insert(text)
        {
            used.push(Used { text: text.to_owned(), node: way.node() });
        }
    });
    used
}

fn load_one(
    sources: &mut Sources<'_>,
    used: &Used,
    loader: &dyn Loader,
    limits: &Limits,
    failed: &mut HashMap<String, ()>,
    findings: &mut Findings,
) {
    if sources.library.bare_name(used.node.document, &used.text).is_some() {
        return;
    }
    let Ok(reference) = sources.library.read(used.node.document, &used.text) else { return };
    let Some(path) = reference.file else { return };
    if sources.library.index_of(&path).is_some() || failed.contains_key(&path) {
        return;
    }
    let read = if sources.library.len() >= limits.files {
        Err(("file-not-read", format!("more than {} files are referred to", limits.files)))
    } else {
        load_file(sources, &path, loader, limits)
    };
    match read {
        Ok(read) => {
            sources.add(&path, &path, read, limits, findings);
        }
        Err((code, why)) => {
            findings.warn(
                code,
                used.node.clone(),
                format!("the file `{path}` cannot be used: {why}"),
                "put the file beside the document, or correct the reference",
            );
            failed.insert(path, ());
        }
    }
}

fn load_file(
    sources: &mut Sources<'_>,
    path: &str,
    loader: &dyn Loader,
    limits: &Limits,
) -> Result<Read<'static>, (&'static str, String)> {
    let bytes = loader.load(path).map_err(|fault| match fault {
        LoadFault::Remote => ("remote-reference", fault.to_string()),
        fault => ("file-not-read", fault.to_string()),
    })?;
    // Read on a source of its own lifetime: the bytes go, the text stays.
    let mut own = Sources {
        library: Library::default(),
        texts: Vec::new(),
        budget: sources.budget.clone(),
        bytes_left: sources.bytes_left,
    };
    let read = own.parse(&bytes, limits).map(|read| Read {
        text: Cow::Owned(read.text.into_owned()),
        value: read.value,
        format: read.format,
        notes: read.notes,
        repeated_keys: read.repeated_keys,
    });
    sources.budget = own.budget;
    sources.bytes_left = own.bytes_left;
    read.map_err(|fault| {
        let (line, column) = fault.place;
        ("file-not-read", format!("{} (line {line}, column {column})", fault.message))
    })
}

/// Says so if a reference leads nowhere.
fn check_one(
    library: &Library,
    used: &Used,
    failed: &HashMap<String, ()>,
    limits: &Limits,
    findings: &mut Findings,
) {
    let base = used.node.document;
    let text = &used.text;
    match library.read(base, text) {
        Err(ReferenceFault::Remote) => {
            let host = text.split('#').next().unwrap_or(text);
            findings.warn_once("remote-reference", host, || used.node.clone(), || {
                (
                    format!("`{text}` leads to another machine; it was not fetched, and what it stands for is left open"),
                    "copy the file beside the document and refer to it there".to_owned(),
                )
            });
            return;
        }
        Err(fault) if library.bare_name(base, text).is_none() => {
            let message = format!("the reference `{text}` cannot be followed: {fault}");
            findings.warn(
                "bad-reference",
                used.node.clone(),
                message,
                "refer to a file below the document's directory",
            );
            return;
        }
        Ok(reference) if reference.file.as_ref().is_some_and(|path| failed.contains_key(path)) => {
            return;
        }
        _ => {}
    }
    let resolved = library
        .target(base, text)
        .and_then(|node| reference::resolve(library, node, limits.reference_steps));
    let (code, message, fix) = match resolved {
        Ok(_) => return,
        Err(ResolveFault::Circle(_)) => (
            "circular-reference",
            format!(
                "the reference `{text}` leads back to itself without ever reaching a definition"
            ),
            "define what it stands for",
        ),
        Err(ResolveFault::Missing(_)) => (
            "dangling-reference",
            format!("the reference `{text}` leads nowhere"),
            "define it, or correct its spelling (`/` in a name is written `~1`, `~` is written `~0`)",
        ),
        Err(ResolveFault::Unusable(why)) => {
            findings.warn(
                "bad-reference",
                used.node.clone(),
                format!("the reference `{text}` cannot be followed: {why}"),
                "correct the reference",
            );
            return;
        }
    };
    findings.warn(code, used.node.clone(), message, fix);
}
