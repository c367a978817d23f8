//! From texts to one document, with all mistakes of all of them.
//!
//! Pure: the caller reads the files and the environment. The way: every text becomes a tree of plain
//! values; settings from outside are put into the tree; the tree is checked against the schema; what is
//! right is turned into types; the types are checked against each other. Each step reports all that it
//! finds, and a broken service does not hide what is wrong with the next one.

mod mend;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::check::{self, Declared};
use crate::conform::{FINDINGS_MAX, conform};
use crate::finding::Finding;
use crate::path::{self, child, dotted};
use crate::place::{At, Spot};
use crate::schema::document_schema;
use crate::settings::{self, Override};
use crate::sources::{Sources, Unit};
use crate::syntax::{self, Format, Parsed, SyntaxFault};
use crate::{Diagnostic, Document, Location, Name, Severity};

/// A text and what it is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFile {
    /// Name of the file as the user knows it.
    pub name: String,
    /// What is in it.
    pub text: String,
    /// How to read it.
    pub format: Format,
}

/// What was read.
#[derive(Debug, Default)]
pub struct Documents {
    /// All texts merged. If there was an error, only what could be understood.
    pub document: Document,
    /// Where everything stands.
    pub sources: Sources,
}

/// A file name or pattern to read next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Include {
    /// As written, relative to the file that it stands in; `*` stands for any part of a file name.
    pub pattern: String,
    /// Where it stands.
    pub location: Location,
}

/// The version of the document format that this program knows.
const FORMAT_VERSION: u64 = 1;

/// The sections that several files can share.
const SECTIONS: [&str; 3] = ["services", "apps", "plans"];

/// Which further files a file asks for. Mistakes in it are left to [`read`].
pub fn includes(file: &SourceFile) -> Vec<Include> {
    // Most files include nothing, and large ones are not worth reading twice to learn that.
    if !file.text.contains("include") {
        return Vec::new();
    }
    let Ok(parsed) = syntax::parse(&file.text, file.format) else { return Vec::new() };
    let Some(Value::Array(patterns)) = parsed.value.get("include") else { return Vec::new() };
    let unit = unit_of(file);
    let patterns =
        patterns.iter().enumerate().filter_map(|(index, pattern)| Some((index, pattern.as_str()?)));
    patterns
        .map(|(index, pattern)| Include {
            pattern: pattern.to_owned(),
            location: unit.locate(&path::item("/include", index), At::Thing),
        })
        .collect()
}

/// Reads all texts as one document, with settings from outside on top.
///
/// The document can be used if no diagnostic is an error. Diagnostics are sorted by file and place.
pub fn read(files: &[SourceFile], overrides: &[Override]) -> (Documents, Vec<Diagnostic>) {
    read_files(files, overrides, None)
}

/// The same as [`read`], for texts of which most were read before and have not changed: those are not parsed
/// again. `remembered` then knows these texts and no others.
pub fn read_again(
    files: &[SourceFile],
    overrides: &[Override],
    remembered: &mut Remembered,
) -> (Documents, Vec<Diagnostic>) {
    read_files(files, overrides, Some(remembered))
}

/// Texts that were read, with what they hold. Parsing and checking are most of the cost of reading, and of a thousand
/// documents usually one has changed.
#[derive(Default)]
pub struct Remembered {
    texts: HashMap<String, Known>,
}

/// A text that could be read.
struct Known {
    file: SourceFile,
    parsed: Parsed,
    /// The literals that were found where no secret may stand, if the schema had nothing against the text.
    conforms: Option<Vec<String>>,
}

impl Remembered {
    /// What a text holds; only a text that can be read is remembered.
    fn parse(&mut self, file: &SourceFile) -> Result<Parsed, Vec<SyntaxFault>> {
        match self.texts.get(&file.name) {
            Some(known) if known.file == *file => Ok(known.parsed.clone()),
            _ => {
                let parsed = syntax::parse(&file.text, file.format)?;
                let known = Known { file: file.clone(), parsed: parsed.clone(), conforms: None };
                self.texts.insert(file.name.clone(), known);
                Ok(parsed)
            }
        }
    }

    /// Where it is kept whether a unit conforms; not of one that has settings from outside in it.
    fn conforms(&mut self, unit: &Unit) -> Option<&mut Option<Vec<String>>> {
        let known = self.texts.get_mut(&unit.name).filter(|_| unit.origins.is_empty())?;
        Some(&mut known.conforms)
    }

    fn keep_only(&mut self, files: &[SourceFile]) {
        let names: HashSet<&str> = files.iter().map(|file| file.name.as_str()).collect();
        self.texts.retain(|name, _| names.contains(name.as_str()));
    }
}

impl fmt::Debug for Remembered {
    /// The number only: texts may hold what should not be in a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} texts", self.texts.len())
    }
}

fn read_files(
    files: &[SourceFile],
    overrides: &[Override],
    mut remembered: Option<&mut Remembered>,
) -> (Documents, Vec<Diagnostic>) {
    let mut reading = Reading::default();
    for file in files {
        let parsed = match &mut remembered {
            Some(remembered) => remembered.parse(file),
            None => syntax::parse(&file.text, file.format),
        };
        reading.add_file(file, parsed);
    }
    if let Some(remembered) = &mut remembered {
        remembered.keep_only(files);
    }
    reading.apply(overrides);
    reading.conform(remembered);
    let declared = reading.declare();
    let document = reading.merge();
    let mut findings = Vec::new();
    check::check(&document, &declared, &mut findings);
    for finding in findings {
        let location = match finding.at {
            At::Key => reading.sources.locate_key(&finding.pointer),
            At::Thing => reading.sources.locate(&finding.pointer),
        };
        reading.diagnostics.push(located(finding, location));
    }
    (Documents { document, sources: reading.sources }, in_order(reading.diagnostics))
}

/// What is known halfway.
#[derive(Default)]
struct Reading {
    sources: Sources,
    /// The values of each unit; `None` where its text could not be read.
    values: Vec<Option<Map<String, Value>>>,
    /// `services/shop` of the things that are not right, with the pointers of what is wrong in them: they are not
    /// turned into types, or only for what else is wrong with them.
    spoilt: HashMap<String, Vec<String>>,
    diagnostics: Vec<Diagnostic>,
}

impl Reading {
    fn add_file(&mut self, file: &SourceFile, parsed: Result<Parsed, Vec<SyntaxFault>>) {
        let mut unit = unit_of(file);
        let value = match parsed {
            Ok(parsed) => {
                if parsed.has_repeated_keys {
                    self.repeated_keys(&unit, file.format);
                }
                self.document_map(parsed.value, &unit)
            }
            Err(faults) => {
                unit.is_broken = true;
                for fault in faults {
                    let finding = Finding::error("syntax", "", fault.message).fix(fault.fix);
                    self.diagnostics.push(located(finding, unit.at(fault.spot)));
                }
                None
            }
        };
        self.sources.units.push(unit);
        self.values.push(value);
    }

    /// The map that a document is, if it is one of a version that we know.
    fn document_map(&mut self, value: Value, unit: &Unit) -> Option<Map<String, Value>> {
        let finding = match &value {
            Value::Object(map) => match map.get("portway") {
                Some(Value::Number(version)) if version.as_u64() == Some(FORMAT_VERSION) => None,
                Some(version) => Some(wrong_version(version)),
                None => Some(
                    Finding::error(
                        "no-version",
                        "",
                        "the document does not say which version of the format it has",
                    )
                    .fix("put \"portway: 1\" at its top"),
                ),
            },
            Value::Null => Some(
                Finding::error("empty", "", "the document is empty")
                    .fix("begin with \"portway: 1\""),
            ),
            _ => Some(
                Finding::error("wrong-type", "", "the document is not a map")
                    .fix("begin with \"portway: 1\" and the sections below it"),
            ),
        };
        let is_usable = finding.as_ref().is_none_or(|finding| finding.code == "no-version");
        if let Some(finding) = finding {
            let location = if value.is_null() {
                unit.at(Spot::START)
            } else {
                unit.locate(&finding.pointer, finding.at)
            };
            self.diagnostics.push(located(finding, location));
        }
        match value {
            Value::Object(mut map) if is_usable => {
                // What is missing was told already; what is inside is still worth checking.
                map.entry("portway").or_insert(FORMAT_VERSION.into());
                Some(map)
            }
            _ => None,
        }
    }

    fn repeated_keys(&mut self, unit: &Unit, format: Format) {
        for repeated in syntax::places(&unit.text, format).repeated() {
            let message = format!("{} stands here for the second time", dotted(&repeated.pointer));
            let fix = format!("the first is in line {}: keep one of them", repeated.first.line);
            let finding = Finding::error("repeated-key", repeated.pointer, message).fix(fix);
            if self.diagnostics.len() < FINDINGS_MAX {
                self.diagnostics.push(located(finding, unit.at(repeated.again)));
            }
        }
    }

    /// Puts the settings from outside into the tree that has the gateway, or into one of their own.
    fn apply(&mut self, overrides: &[Override]) {
        if overrides.is_empty() {
            return;
        }
        let holder = self
            .values
            .iter()
            .position(|value| value.as_ref().is_some_and(|map| map.contains_key("gateway")));
        let holder = holder.unwrap_or_else(|| {
            self.sources.units.push(Unit::default());
            self.values.push(Some(Map::from_iter([("portway".to_owned(), FORMAT_VERSION.into())])));
            self.values.len() - 1
        });
        let (Some(unit), Some(Some(map))) =
            (self.sources.units.get_mut(holder), self.values.get_mut(holder))
        else {
            return;
        };
        for given in overrides {
            match settings::put(map, given) {
                Ok(()) => {
                    unit.origins.insert(given.pointer.clone(), given.origin.clone());
                }
                Err(finding) => {
                    let location = Location { file: given.origin.clone(), line: 0, column: 0 };
                    self.diagnostics.push(located(finding, location));
                }
            }
        }
    }

    /// Checks every tree against the schema, but for those of which it is known that it has nothing against them.
    fn conform(&mut self, mut remembered: Option<&mut Remembered>) {
        for (value, unit) in self.values.iter_mut().zip(&self.sources.units) {
            let mut known =
                remembered.as_deref_mut().and_then(|remembered| remembered.conforms(unit));
            if let Some(Some(literals)) = &known {
                self.sources.literals.extend(literals.iter().cloned());
                continue;
            }
            let Some(map) = value.take() else { continue };
            let tree = Value::Object(map);
            let conform = conform(document_schema(), &tree);
            if let Some(known) = known.as_mut().filter(|_| conform.findings.is_empty()) {
                **known = Some(conform.literals.clone());
            }
            for finding in conform.findings {
                self.spoilt
                    .entry(thing(&finding.pointer))
                    .or_default()
                    .push(finding.pointer.clone());
                let location = unit.locate(&finding.pointer, finding.at);
                self.diagnostics.push(located(finding, location));
            }
            self.sources.literals.extend(conform.literals);
            if let Value::Object(map) = tree {
                *value = Some(map);
            }
        }
        // Longer ones first, so that a literal that is part of another leaves nothing of it to be seen.
        self.sources.literals.sort_unstable_by(|a, b| (b.len(), b).cmp(&(a.len(), a)));
        self.sources.literals.dedup();
    }

    /// Notes which names there are and where, and reports those that stand in two files.
    fn declare(&mut self) -> Declared {
        let mut diagnostics = Vec::new();
        for section in SECTIONS {
            let mut owners: HashMap<String, usize> = HashMap::new();
            for (index, map) in self.values.iter().enumerate() {
                let names =
                    map.as_ref().and_then(|map| map.get(section)).and_then(Value::as_object);
                for name in names.into_iter().flat_map(Map::keys) {
                    match owners.get(name) {
                        Some(first) => diagnostics.extend(self.twice(
                            &child(&child("", section), name),
                            *first,
                            index,
                        )),
                        None => {
                            owners.insert(name.clone(), index);
                        }
                    }
                }
            }
            self.sources.owners.insert(section, owners);
        }
        for (index, map) in self.values.iter().enumerate() {
            if !map.as_ref().is_some_and(|map| map.contains_key("gateway")) {
                continue;
            }
            match self.sources.gateway {
                Some(first) => diagnostics.extend(self.twice("/gateway", first, index)),
                None => self.sources.gateway = Some(index),
            }
        }
        self.diagnostics.extend(diagnostics);
        let names = |section| {
            self.sources.owners.get(section).into_iter().flat_map(HashMap::keys).cloned().collect()
        };
        Declared { services: names("services"), plans: names("plans") }
    }

    /// The same thing in two files: told at both places.
    fn twice(&self, pointer: &str, first: usize, second: usize) -> Vec<Diagnostic> {
        let places =
            [first, second].map(|index| self.sources.units[index].locate(pointer, At::Key));
        let name = dotted(pointer);
        let tell = |here: usize, there: usize| {
            let message = format!("{name} stands in two files, also at {}", places[there]);
            let fix = if pointer == "/gateway" {
                "keep all of it in one file"
            } else {
                "keep or rename one of them"
            };
            located(
                Finding::error("in-two-files", pointer, message).at_key().fix(fix),
                places[here].clone(),
            )
        };
        vec![tell(0, 1), tell(1, 0)]
    }

    /// Turns all that is right into types.
    fn merge(&mut self) -> Document {
        let mut document = Document { portway: 1, ..Document::default() };
        for (index, map) in std::mem::take(&mut self.values).into_iter().enumerate() {
            let Some(mut map) = map else { continue };
            if let Some(Value::Array(patterns)) = map.remove("include") {
                for (own, pattern) in patterns.into_iter().enumerate() {
                    if let Value::String(pattern) = pattern {
                        document.include.push(pattern);
                        self.sources.includes.push((index, own));
                    }
                }
            }
            if let Some(gateway) = map.remove("gateway")
                && self.sources.gateway == Some(index)
                && !self.spoilt.contains_key("gateway")
            {
                document.gateway = self.typed(gateway, "/gateway");
            }
            self.merge_section(&mut map, "services", index, &mut document.services);
            self.merge_section(&mut map, "apps", index, &mut document.apps);
            self.merge_section(&mut map, "plans", index, &mut document.plans);
        }
        document
    }

    fn merge_section<T: DeserializeOwned>(
        &mut self,
        map: &mut Map<String, Value>,
        section: &'static str,
        index: usize,
        into: &mut BTreeMap<Name, T>,
    ) {
        let Some(Value::Object(entries)) = map.remove(section) else { return };
        for (key, value) in entries {
            let pointer = child(&child("", section), &key);
            let is_first = self.sources.owners.get(section).and_then(|owners| owners.get(&key))
                == Some(&index);
            if !is_first {
                continue;
            }
            let wrong =
                if self.spoilt.is_empty() { None } else { self.spoilt.get(&thing(&pointer)) };
            if let Some(wrong) = wrong {
                // Nothing of it will ever serve, since there are errors; but what is right in it may have more.
                let mended = mend::service(value, &pointer, wrong);
                let typed = mended.filter(|_| section == "services").map(T::deserialize);
                if let (Ok(name), Some(Ok(value))) = (Name::new(key), typed) {
                    into.insert(name, value);
                }
                continue;
            }
            if let (Ok(name), Some(value)) = (Name::new(key), self.typed(value, &pointer)) {
                into.insert(name, value);
            }
        }
    }

    /// One thing as its type. The schema has let it pass, so this fails only where the schema is laxer than
    /// the type, or where the checker stopped counting. What serde says could show a value: only the place
    /// is told.
    fn typed<T: DeserializeOwned>(&mut self, value: Value, pointer: &str) -> Option<T> {
        match T::deserialize(value) {
            Ok(typed) => Some(typed),
            Err(_) => {
                let message = format!("{} cannot be read", dotted(pointer));
                let finding = Finding::error("unreadable", pointer, message).at_key();
                self.diagnostics.push(located(finding, self.sources.locate_key(pointer)));
                None
            }
        }
    }
}

pub(crate) fn unit_of(file: &SourceFile) -> Unit {
    Unit {
        name: file.name.clone(),
        text: file.text.clone(),
        format: Some(file.format),
        ..Unit::default()
    }
}

fn wrong_version(version: &Value) -> Finding {
    let finding = Finding::error("wrong-version", "/portway", "");
    match version.as_u64() {
        Some(version) => Finding {
            message: format!(
                "the document has version {version} of the format, but this program knows version 1 only"
            ),
            fix: if version > FORMAT_VERSION {
                "use a newer Portway, or write the document in version 1".to_owned()
            } else {
                "write \"portway: 1\"".to_owned()
            },
            ..finding
        },
        None => Finding {
            message: "the version of the format is not a whole number".to_owned(),
            fix: "write \"portway: 1\"".to_owned(),
            ..finding
        },
    }
}

/// The service, app or plan that a pointer leads into: `services/shop`; the section where there is no name.
fn thing(pointer: &str) -> String {
    let mut steps = pointer.split('/').skip(1);
    match (steps.next(), steps.next()) {
        (Some(section), Some(name)) if SECTIONS.contains(&section) => format!("{section}/{name}"),
        (Some(section), _) => section.to_owned(),
        (None, _) => String::new(),
    }
}

pub(crate) fn located(finding: Finding, location: Location) -> Diagnostic {
    Diagnostic {
        severity: finding.severity,
        code: finding.code,
        location,
        pointer: finding.pointer,
        message: finding.message,
        fix: finding.fix,
    }
}

/// By file and place, each mistake once, and not more than anybody reads.
fn in_order(mut diagnostics: Vec<Diagnostic>) -> Vec<Diagnostic> {
    diagnostics
        .sort_by(|a, b| (&a.location, a.code, &a.message).cmp(&(&b.location, b.code, &b.message)));
    diagnostics.dedup();
    if diagnostics.len() > FINDINGS_MAX {
        let further = diagnostics.len() - FINDINGS_MAX;
        diagnostics.truncate(FINDINGS_MAX);
        diagnostics.push(Diagnostic {
            severity: Severity::Error,
            code: "too-many",
            location: Location::default(),
            pointer: String::new(),
            message: format!("there are at least {further} further mistakes"),
            fix: "mend these first".to_owned(),
        });
    }
    diagnostics
}
