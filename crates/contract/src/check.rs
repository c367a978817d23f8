//! Form: whether the parts of a document are what the specification says they are.
//!
//! Findings only: nothing here decides what is read. The specification stands as a table in `grammar`;
//! this file walks the document by it and adds the rules that are not about one member alone. Findings of
//! one kind are counted, not listed, so that a habit of a generator is one line. Only the document itself
//! is checked, not the files it refers to, whose parts could be anything. The walk recurses as deep as
//! the document, which is bounded.

use serde_json::{Map, Value};

use crate::contract::SpecVersion;
use crate::findings::Findings;
use crate::library::Library;
use crate::version::kind_of;
use crate::walk::{Step, Way};

mod grammar;
mod rules;

use grammar::{Is, Part};

/// Checks the form of the document that was read.
pub(crate) fn check(library: &Library, version: SpecVersion, findings: &mut Findings) {
    let mut walk = Walk { version, bit: grammar::bit(version), way: Way::at(0, ""), findings };
    walk.part(Part::Root, library[0].value());
}

struct Walk<'l, 'f> {
    version: SpecVersion,
    bit: u8,
    way: Way<'l>,
    findings: &'f mut Findings,
}

impl<'l> Walk<'l, '_> {
    /// Says something once for each subject, at the place where the walk is.
    fn say(&mut self, code: &'static str, subject: &str, words: impl FnOnce() -> (String, String)) {
        let way = &self.way;
        self.findings.warn_once(code, subject, || way.node(), words);
    }

    fn below(&mut self, step: Step<'l>, look: impl FnOnce(&mut Self)) {
        self.way.push(step);
        look(self);
        self.way.pop();
    }

    /// One part of the document.
    fn part(&mut self, part: Part, value: &'l Value) {
        if part == Part::Schema && value.is_boolean() && self.version >= SpecVersion::V3_1 {
            return;
        }
        let Value::Object(members) = value else {
            self.wrong_type(part.words(), "an object", value);
            return;
        };
        match members.get("$ref") {
            // What is referred to is checked where it stands. Only 3.1 schemas and path items have siblings.
            Some(Value::String(_))
                if part != Part::PathItem
                    && !(part == Part::Schema && self.version >= SpecVersion::V3_1) =>
            {
                return;
            }
            Some(other) if !other.is_string() && part != Part::Paths => {
                self.below(Step::Key("$ref"), |walk| {
                    walk.wrong_type("a reference", "a text", other)
                });
                return;
            }
            _ => {}
        }
        match part {
            Part::Paths => self.paths(members),
            Part::Responses => self.responses(members),
            Part::Callback => self.each(members, Part::PathItem),
            Part::SecurityRequirement => self.holds(Is::TextListNames, part, "scopes", value),
            _ => self.members(part, members),
        }
        rules::check(self, part, members);
    }

    fn members(&mut self, part: Part, members: &'l Map<String, Value>) {
        for (name, value) in members {
            let Some(member) = grammar::member(part, name) else {
                self.unknown(part, name, 0);
                continue;
            };
            if member.versions & self.bit == 0 {
                self.unknown(part, name, member.versions);
                // Read all the same where a document says it under the wrong version.
            }
            self.below(Step::Key(name), |walk| walk.holds(member.is, part, name, value));
        }
        for name in grammar::required(part, self.bit) {
            if !members.contains_key(*name) {
                self.say("member-missing", &format!("{part:?} {name}"), || {
                    (format!("{} must have `{name}`", part.words()), format!("add `{name}`"))
                });
            }
        }
    }

    /// A member that the part does not have, or not in this version.
    fn unknown(&mut self, part: Part, name: &'l str, versions: u8) {
        let is_open = name.starts_with("x-")
            || (part == Part::Schema && versions == 0 && self.version >= SpecVersion::V3_1)
            || (part == Part::PathItem && crate::reader::is_method(name));
        if is_open {
            return;
        }
        let version = self.version;
        let subject = format!("{part:?} {name}");
        self.below(Step::Key(name), |walk| {
            walk.say("member-unknown", &subject, || {
                let message = match versions {
                    0 => format!(
                        "{} has no member `{name}` in OpenAPI {version}; it was ignored",
                        part.words()
                    ),
                    grammar::V20 => format!(
                        "`{name}` in {} belongs to version 2.0, this document is {version}",
                        part.words()
                    ),
                    grammar::V30 => format!(
                        "`{name}` in {} belongs to version 3.0, this document is {version}",
                        part.words()
                    ),
                    grammar::V32 => format!(
                        "`{name}` in {} came with version 3.2, this document is {version}",
                        part.words()
                    ),
                    versions if versions & grammar::V30 == 0 => {
                        format!(
                            "`{name}` in {} came with version 3.1, this document is {version}",
                            part.words()
                        )
                    }
                    _ => format!(
                        "`{name}` in {} came with version 3.0, this document is {version}",
                        part.words()
                    ),
                };
                (message, "correct its spelling or place, or begin its name with `x-`".to_owned())
            });
        });
    }

    fn wrong_type(&mut self, what: &str, expected: &str, value: &Value) {
        let found = kind_of(value);
        self.say("wrong-type", &format!("{what} {found}"), || {
            (
                format!("{what} must be {expected}, here it is {found}"),
                format!("make it {expected}"),
            )
        });
    }

    /// The value of a member.
    fn holds(&mut self, is: Is, part: Part, name: &str, value: &'l Value) {
        let expected = match is {
            Is::Part(child) => return self.part(child, value),
            Is::Names(child) => return self.names(child, part, name, value),
            Is::List(child) => return self.list(child, part, name, value),
            Is::SchemaOrFlag => {
                if !value.is_boolean() {
                    self.part(Part::Schema, value);
                }
                return;
            }
            Is::TextListNames => return self.text_lists(part, value),
            Is::Word(words) => {
                if let Some(text) = value.as_str() {
                    return self.word(words, part, name, text);
                }
                "a text"
            }
            Is::Discriminator if self.version == SpecVersion::V2_0 && value.is_string() => return,
            Is::Discriminator if self.version == SpecVersion::V2_0 => "a text",
            Is::Discriminator => return self.part(Part::Discriminator, value),
            Is::Any => return,
            Is::Text if value.is_string() => return,
            Is::Text => "a text",
            Is::Flag if value.is_boolean() => return,
            Is::Flag => "true or false",
            Is::Number if value.is_number() => return,
            Is::Number => "a number",
            Is::Count
                if value.as_u64().is_some()
                    || value
                        .as_f64()
                        .is_some_and(|number| number >= 0.0 && number.fract() == 0.0) =>
            {
                return;
            }
            Is::Count => "a whole number, not below zero",
            Is::Texts
                if value.as_array().is_some_and(|items| items.iter().all(Value::is_string)) =>
            {
                return;
            }
            Is::Texts => "a list of texts",
            Is::Values if value.is_array() => return,
            Is::Values => "a list",
            Is::TextNames
                if value.as_object().is_some_and(|members| {
                    members.iter().all(|(key, value)| value.is_string() || key.starts_with("x-"))
                }) =>
            {
                return;
            }
            Is::TextNames => "an object of texts",
            Is::Type if value.is_string() => return,
            Is::Type
                if self.version >= SpecVersion::V3_1
                    && value.as_array().is_some_and(|kinds| kinds.iter().all(Value::is_string)) =>
            {
                return;
            }
            Is::Type => "a text (lists of types came with 3.1)",
            Is::Bound if self.version >= SpecVersion::V3_1 => {
                if value.is_number() {
                    return;
                }
                "a number (it was a flag before 3.1)"
            }
            Is::Bound if value.is_boolean() => return,
            Is::Bound => "true or false (it is a number from 3.1 on)",
        };
        let found = kind_of(value);
        self.say("wrong-type", &format!("{part:?} {name} {found}"), || {
            (
                format!("`{name}` in {} must be {expected}, here it is {found}", part.words()),
                format!("make `{name}` {expected}"),
            )
        });
    }

    fn word(&mut self, words: &[&str], part: Part, name: &str, text: &str) {
        if !words.contains(&text) {
            self.say("value-unknown", &format!("{part:?} {name} {text}"), || {
                (
                    format!("`{name}` in {} cannot be `{text}`", part.words()),
                    format!("use one of: {}", words.join(", ")),
                )
            });
        }
    }

    fn names(&mut self, child: Part, part: Part, name: &str, value: &'l Value) {
        match value {
            Value::Object(members) => {
                if part == Part::Components {
                    self.component_names(members);
                }
                self.each(members, child);
            }
            other => self.wrong_type(&format!("`{name}` in {}", part.words()), "an object", other),
        }
    }

    /// Names of components are bounded to a few characters (3.0 §Components Object).
    fn component_names(&mut self, members: &'l Map<String, Value>) {
        for name in members.keys() {
            let fits = !name.is_empty()
                && name
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'));
            if !fits && !name.starts_with("x-") {
                self.below(Step::Key(name), |walk| {
                    walk.say("component-name", "", || {
                        (
                            format!("the name `{name}` has characters that names of components must not have"),
                            "use letters, digits, `.`, `-` and `_` only".to_owned(),
                        )
                    });
                });
            }
        }
    }

    fn each(&mut self, members: &'l Map<String, Value>, child: Part) {
        for (name, value) in members {
            // In a map of names `x-` may be a name as well as an extension; extensions can be anything.
            if !name.starts_with("x-") || (value.is_object() && child != Part::PathItem) {
                self.below(Step::Key(name), |walk| walk.part(child, value));
            }
        }
    }

    fn list(&mut self, child: Part, part: Part, name: &str, value: &'l Value) {
        match value {
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.below(Step::Index(index), |walk| walk.part(child, item));
                }
            }
            other => self.wrong_type(&format!("`{name}` in {}", part.words()), "a list", other),
        }
    }

    fn text_lists(&mut self, part: Part, value: &'l Value) {
        let fits = |value: &Value| {
            value.as_array().is_some_and(|items| items.iter().all(Value::is_string))
        };
        if !value.as_object().is_some_and(|members| members.values().all(fits)) {
            self.say("wrong-type", &format!("{part:?}"), || {
                (
                    format!("{} must be an object of lists of scopes", part.words()),
                    "write `name: []` if there are no scopes".to_owned(),
                )
            });
        }
    }

    fn paths(&mut self, members: &'l Map<String, Value>) {
        for (path, item) in members {
            if !path.starts_with("x-") {
                self.below(Step::Key(path), |walk| walk.part(Part::PathItem, item));
            }
        }
    }

    fn responses(&mut self, members: &'l Map<String, Value>) {
        for (status, response) in members {
            if !status.starts_with("x-") {
                self.below(Step::Key(status), |walk| walk.part(Part::Response, response));
            }
        }
    }
}
