//! Parameters: those of the path item and of the operation put together, and what only the path says.

use std::collections::HashSet;

use serde_json::Value;

use super::paths::{PathKey, only_value};
use super::{At, Reader, words};
use crate::contract::{Location, Node, Parameter, SpecVersion, Style};
use crate::dispatch::Dispatch;
use crate::template::{PathTemplate, Piece};

/// Parameters read from their declarations, those of a 2.0 body kept apart.
pub(super) struct Declared<'l> {
    pub(super) parameters: Vec<Parameter>,
    /// `in: body` and `in: formData`.
    pub(super) of_body: Vec<At<'l>>,
}

/// What the path key asks of a call beyond its path.
#[derive(Default)]
pub(super) struct Conditions {
    /// Always asked.
    pub(super) firm: Vec<Dispatch>,
    /// Asked only where operations must be told apart.
    pub(super) soft: Vec<Dispatch>,
}

/// Most parameters of one operation that are read.
const MOST_PARAMETERS: usize = 1_000;

impl<'l> Reader<'l, '_> {
    /// The parameters declared in these lists; of two with one name and place, the later list's counts.
    pub(super) fn declared(&mut self, lists: &[At<'l>]) -> Declared<'l> {
        let mut declared = Declared { parameters: Vec::new(), of_body: Vec::new() };
        for list in lists {
            let mut in_this_list = HashSet::new();
            let items: Vec<At<'l>> = list.items().take(MOST_PARAMETERS).collect();
            for item in items {
                let place = item.node.clone();
                let Some(at) = self.follow(item) else { continue };
                match at.text("in").as_deref() {
                    Some("body" | "formData") => declared.of_body.push(at),
                    _ => {
                        let Some(parameter) = self.parameter(at) else { continue };
                        if !in_this_list.insert((parameter.name.clone(), parameter.location)) {
                            self.repeated(&parameter, &place);
                        }
                        let same = |other: &Parameter| {
                            other.name == parameter.name && other.location == parameter.location
                        };
                        match declared.parameters.iter().position(same) {
                            Some(index) => declared.parameters[index] = parameter,
                            None => declared.parameters.push(parameter),
                        }
                    }
                }
            }
        }
        declared
    }

    fn repeated(&mut self, parameter: &Parameter, place: &Node) {
        self.findings.warn(
            "parameter-repeated",
            place.clone(),
            format!(
                "the {} parameter `{}` stands twice in one list; the later counts",
                parameter.location.word(),
                parameter.name
            ),
            "keep one of them",
        );
    }

    fn parameter(&mut self, at: At<'l>) -> Option<Parameter> {
        if !at.value.is_object() {
            return None;
        }
        let name = at.text("name");
        let written = at.text("in").unwrap_or_default();
        let location = match written.to_ascii_lowercase().as_str() {
            "path" => Some(Location::Path),
            "query" => Some(Location::Query),
            "querystring" => Some(Location::QueryString),
            "header" => Some(Location::Header),
            "cookie" => Some(Location::Cookie),
            _ => None,
        };
        let (Some(name), Some(location)) = (name, location) else {
            self.findings.warn(
                "parameter-unusable",
                at.node.clone(),
                format!("a parameter needs a `name` and an `in`; this one (in: `{written}`) was left out"),
                "give it a `name`, and `in: path`, `query`, `header` or `cookie`",
            );
            return None;
        };
        let content = at.child("content").and_then(|content| content.members().next());
        let schema = match (&content, self.version) {
            (Some((_, media)), _) => media.child("schema").map(|schema| schema.node),
            (None, SpecVersion::V2_0) => Some(at.node.clone()),
            (None, _) => at.child("schema").map(|schema| schema.node),
        };
        let (style, explode) = self.style(&at, location);
        Some(Parameter {
            name,
            location,
            required: location == Location::Path || at.flag("required"),
            deprecated: at.flag("deprecated"),
            description: words(at.value.get("description")),
            style,
            explode,
            allow_reserved: at.flag("allowReserved"),
            schema,
            media_type: content.map(|(media_type, _)| media_type.to_owned()),
            declared: Some(at.node),
        })
    }

    fn style(&self, at: &At<'l>, location: Location) -> (Style, bool) {
        let usual = match location {
            Location::Path | Location::Header => Style::Simple,
            Location::Query | Location::QueryString | Location::Cookie => Style::Form,
        };
        if self.version == SpecVersion::V2_0 {
            return match at.text("collectionFormat").as_deref() {
                Some("multi") => (Style::Form, true),
                Some("ssv") => (Style::SpaceDelimited, false),
                Some("tsv") => (Style::TabDelimited, false),
                Some("pipes") => (Style::PipeDelimited, false),
                _ => (usual, false),
            };
        }
        let style = match at.text("style").as_deref() {
            Some("simple") => Style::Simple,
            Some("form") => Style::Form,
            Some("label") => Style::Label,
            Some("matrix") => Style::Matrix,
            Some("spaceDelimited") => Style::SpaceDelimited,
            Some("pipeDelimited") => Style::PipeDelimited,
            Some("deepObject") => Style::DeepObject,
            Some("cookie") => Style::Cookie,
            _ => usual,
        };
        let explode = match at.value.get("explode") {
            Some(Value::Bool(explode)) => *explode,
            _ => matches!(style, Style::Form | Style::DeepObject | Style::Cookie),
        };
        (style, explode)
    }

    /// The value that a parameter's schema has, references followed.
    pub(super) fn schema_of(&self, parameter: &Parameter) -> Option<&'l Value> {
        let node = parameter.schema.clone()?;
        let (_, value) =
            crate::reference::resolve(self.library, node, self.limits.reference_steps).ok()?;
        Some(value)
    }

    /// Where two parameters stand side by side and one has a single allowed text, that text is part of
    /// the path: `/{page}{extension}` with `extension` always `.json`.
    pub(super) fn settle_neighbours(&self, template: &mut PathTemplate, parameters: &[Parameter]) {
        for segment in &mut template.segments {
            for index in 0..segment.len() {
                let is_parameter = |at: Option<usize>| {
                    at.and_then(|at| segment.get(at))
                        .is_some_and(|piece| matches!(piece, Piece::Parameter(_)))
                };
                if !is_parameter(index.checked_sub(1)) && !is_parameter(Some(index + 1)) {
                    continue;
                }
                let Some(Piece::Parameter(name)) = segment.get(index) else { continue };
                let only = parameters
                    .iter()
                    .find(|parameter| {
                        parameter.location == Location::Path && parameter.name == *name
                    })
                    .and_then(|parameter| only_value(self.schema_of(parameter)?));
                let Some(only) = only
                    .filter(|only| !only.is_empty() && !only.contains(['/', '{', '}', '?', '#']))
                else {
                    continue;
                };
                if let Ok(literal) = PathTemplate::parse(&format!("/x{only}"))
                    && let [Piece::Literal(text)] = literal.segments[0].as_slice()
                {
                    segment[index] = Piece::Literal(text[1..].to_owned());
                }
            }
        }
    }

    /// Brings path parameters and template into agreement: what only one of them has is reported, and
    /// added to or taken from the parameters.
    pub(super) fn agree(
        &mut self,
        template: &PathTemplate,
        key: &PathKey,
        at: &At<'l>,
        parameters: &mut Vec<Parameter>,
    ) {
        let mut seen = HashSet::new();
        for name in template.parameters() {
            if !seen.insert(name) {
                self.findings.warn_once("path-parameter-repeated", &key.path, || key.node.clone(), || {
                    (
                        format!("the path `{}` uses the parameter `{name}` more than once; both places take any text", key.path),
                        "give every parameter of a path a name of its own".to_owned(),
                    )
                });
            } else if !parameters.iter().any(|parameter| is_path(parameter, name)) {
                self.findings.warn_once("path-parameter-undeclared", &format!("{}\0{name}", key.path), || at.node.clone(), || {
                    (
                        format!("the path `{}` uses the parameter `{name}`, which is not declared; it takes any text", key.path),
                        format!("declare `{name}` with `in: path`"),
                    )
                });
                parameters.push(undeclared(name, Location::Path, true));
            }
        }
        let names: Vec<&str> = template.parameters().collect();
        parameters.retain(|parameter| {
            let used = parameter.location != Location::Path || names.iter().any(|name| is_path(parameter, name));
            // One that became a literal was not unused.
            if !used && self.schema_of(parameter).and_then(only_value).is_none() {
                let node = parameter.declared.clone().unwrap_or_else(|| at.node.clone());
                self.findings.warn_once("path-parameter-unused", &format!("{}\0{}", key.path, parameter.name), || node, || {
                    (
                        format!("the path parameter `{}` is declared, but the path `{}` does not use it; it was left out", parameter.name, key.path),
                        format!("put `{{{}}}` into the path, or correct its `in`", parameter.name),
                    )
                });
            }
            used
        });
    }

    /// What query and fragment of the path key ask of a call. Query parameters that only the key
    /// mentions are added.
    pub(super) fn conditions(
        &self,
        key: &PathKey,
        template: Option<&PathTemplate>,
        parameters: &mut Vec<Parameter>,
    ) -> Conditions {
        let mut conditions = Conditions::default();
        for (name, value) in pairs(key.query.as_deref()) {
            let in_path =
                template.is_some_and(|template| template.parameters().any(|other| other == name));
            let written =
                value.as_deref().filter(|value| !value.is_empty() && !value.contains('{'));
            // A parameter of the query that was declared as one of the path.
            let variable = value
                .as_deref()
                .and_then(|value| value.strip_prefix('{')?.strip_suffix('}'))
                .unwrap_or(&name);
            if let Some(parameter) = parameters.iter_mut().find(|parameter| {
                parameter.location == Location::Path && parameter.name == variable
            }) && !in_path
            {
                parameter.location = Location::Query;
                parameter.name.clone_from(&name);
                parameter.required = false;
                parameter.style = Style::Form;
            }
            if !parameters
                .iter()
                .any(|parameter| parameter.location == Location::Query && parameter.name == name)
            {
                parameters.push(undeclared(&name, Location::Query, false));
            }
            match written {
                Some(value) => {
                    conditions.firm.push(Dispatch::Query { name, value: Some(value.to_owned()) })
                }
                None => conditions.soft.push(Dispatch::Query { name, value: None }),
            }
        }
        for (name, value) in pairs(key.fragment.as_deref()) {
            let value = value.filter(|value| !value.is_empty() && !value.contains('{'));
            let condition = parameters.iter().find_map(|parameter| match parameter.location {
                Location::Header if parameter.name.eq_ignore_ascii_case(&name) => {
                    Some(Dispatch::Header { name: parameter.name.clone(), value: value.clone() })
                }
                Location::Query if parameter.name == name => {
                    Some(Dispatch::Query { name: name.clone(), value: value.clone() })
                }
                _ => None,
            });
            // A fragment that names no parameter is only there to keep keys apart.
            match (condition, value.is_some()) {
                (Some(condition), true) => conditions.firm.push(condition),
                (Some(condition), false) => conditions.soft.push(condition),
                (None, _) => {}
            }
        }
        conditions
    }
}

/// The parameter is that of the path, whose name may carry the marks of a tail.
fn is_path(parameter: &Parameter, name: &str) -> bool {
    parameter.location == Location::Path
        && (parameter.name == name || crate::template::Braced::read(&parameter.name).name == name)
}

fn undeclared(name: &str, location: Location, required: bool) -> Parameter {
    Parameter {
        name: name.to_owned(),
        location,
        required,
        deprecated: false,
        description: None,
        style: if location == Location::Path { Style::Simple } else { Style::Form },
        explode: location != Location::Path,
        allow_reserved: false,
        schema: None,
        media_type: None,
        declared: None,
    }
}

/// `a=b&c` as names and values.
fn pairs(text: Option<&str>) -> Vec<(String, Option<String>)> {
    text.unwrap_or("")
        .split('&')
        .filter(|pair| !pair.is_empty())
        .take(64)
        .map(|pair| match pair.split_once('=') {
            Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
            None => (pair.to_owned(), None),
        })
        .collect()
}
