//! Schemas of documents compiled into the arena.
//!
//! Lenient as all reading of contracts: a keyword whose value makes no sense is left out, a reference that
//! leads nowhere accepts everything, a pattern that cannot run in linear time is not checked; each is a finding.
//! Iterative, and each place is compiled once, so no document makes it recurse or repeat.

use std::collections::HashMap;

use regex::Regex;
use serde_json::{Map, Number, Value};

use super::hints::Hint;
use super::index::{Index, Spot};
use super::pattern::Patterns;
use super::{Check, Dialect, Direction, Members, Needs, Node, SchemaId, Schemas, Types};
use crate::contract::{Contract, Node as Place, SpecVersion};
use crate::library::Library;

/// What could not be compiled as it is written, as a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The document that it stands in.
    pub document: usize,
    /// What is wrong and what was done about it.
    pub message: String,
}

/// Compiles schemas of documents; gives [`Schemas`] at the end.
pub struct Builder<'a> {
    index: Index<'a>,
    patterns: Patterns,
    known: HashMap<*const Value, SchemaId>,
    waiting: Vec<(SchemaId, Spot<'a>)>,
    nodes: Vec<Option<Node>>,
    findings: Vec<Finding>,
    direction: Direction,
    /// 2.0 says that what is `readOnly` must not be sent, later versions that it should not.
    refuses_read_only: bool,
    /// Kept if values are to be made.
    hints: Option<HashMap<u32, Hint>>,
}

/// The most findings that are kept.
const FINDINGS_MAX: usize = 100;

impl<'a> Builder<'a> {
    /// For documents of their own, each with its address.
    #[must_use]
    pub fn new(dialect: Dialect, documents: &[(&str, &'a Value)]) -> Self {
        Self::over(Index::new(dialect, None), documents.iter().copied())
    }

    /// For the documents of a contract. References between them lead where the contract's own reader finds them.
    #[must_use]
    pub fn of_contract(contract: &'a Contract) -> Self {
        let library: &Library = &contract.documents;
        let addresses: Vec<String> = library
            .iter()
            .map(|document| match document.own_address() {
                Some(address) => address.to_owned(),
                None => format!("contract:///{}", document.path()),
            })
            .collect();
        let documents = addresses.iter().zip(library.iter());
        let dialect = Dialect::from(contract.version);
        let mut builder = Self::over(
            Index::new(dialect, Some(library)),
            documents.map(|(address, document)| (address.as_str(), document.value())),
        );
        builder.refuses_read_only = contract.version == SpecVersion::V2_0;
        // Schemas here have names and addresses before anybody refers to them.
        for (number, document) in library.iter().enumerate() {
            let all = document.value().pointer("/components/schemas").and_then(Value::as_object);
            let Some(resource) = builder.index.document(number) else { continue };
            for value in all.into_iter().flat_map(Map::values) {
                builder.index.placed(Spot { document: number, resource, value });
            }
        }
        builder
    }

    fn over<'t>(
        mut index: Index<'a>,
        documents: impl Iterator<Item = (&'t str, &'a Value)>,
    ) -> Self {
        for (address, value) in documents {
            index.add_document(address, value);
        }
        Self {
            index,
            patterns: Patterns::default(),
            known: HashMap::new(),
            waiting: Vec::new(),
            nodes: Vec::new(),
            findings: Vec::new(),
            direction: Direction::Request,
            refuses_read_only: false,
            hints: None,
        }
    }

    /// The same, for messages of a direction.
    #[must_use]
    pub fn towards(self, direction: Direction) -> Self {
        Self { direction, ..self }
    }

    /// Keeps what helps to make values: examples, defaults, formats.
    #[must_use]
    pub fn with_hints(mut self) -> Self {
        self.hints = Some(HashMap::new());
        self
    }

    /// The schema that is a whole document.
    pub fn document(&mut self, number: usize) -> Option<SchemaId> {
        let resource = self.index.document(number)?;
        let root = self.index.resources[resource as usize].root;
        Some(self.schema(root))
    }

    /// The schema at a place of a contract.
    pub fn place(&mut self, contract: &'a Contract, place: &Place) -> Option<SchemaId> {
        let resource = self.index.document(place.document)?;
        let value = contract.node(place)?;
        Some(self.schema(Spot { document: place.document, resource, value }))
    }

    /// Compiles what is still to be compiled. Everything that was asked for is in it.
    #[must_use]
    pub fn finish(mut self) -> (Schemas, Vec<Finding>) {
        self.work();
        let nodes = self.nodes.into_iter().map(|node| node.expect("work leaves nothing")).collect();
        let mut dynamic_anchors = HashMap::new();
        for (number, resource) in (0_u32..).zip(&self.index.resources) {
            for (name, spot) in &resource.dynamic {
                if let Some(&id) = self.known.get(&spot.key()) {
                    dynamic_anchors.insert((number, Box::from(*name)), id);
                }
            }
        }
        let hints = self.hints.unwrap_or_default();
        (Schemas { nodes, dynamic_anchors, hints }, self.findings)
    }

    fn work(&mut self) {
        let mut uses_dynamic = false;
        loop {
            while let Some((id, spot)) = self.waiting.pop() {
                let node = self.node(spot);
                if let (Some(hints), Value::Object(members)) = (&mut self.hints, spot.value) {
                    hints.extend(Hint::of(members).map(|hint| (id.0, hint)));
                }
                uses_dynamic |=
                    node.checks.iter().any(|check| matches!(check, Check::Dynamic { .. }));
                self.nodes[id.0 as usize] = Some(node);
            }
            if !std::mem::take(&mut uses_dynamic) {
                return;
            }
            // A dynamic reference may end at any schema of its name.
            let spots: Vec<Spot<'a>> = self
                .index
                .resources
                .iter()
                .flat_map(|resource| resource.dynamic.values().copied())
                .collect();
            for spot in spots {
                self.schema(spot);
            }
        }
    }

    fn say(&mut self, spot: Spot<'a>, message: String) {
        if self.findings.len() < FINDINGS_MAX {
            self.findings.push(Finding { document: spot.document, message });
        }
    }

    /// The number of a schema, compiled later if it is new.
    fn schema(&mut self, spot: Spot<'a>) -> SchemaId {
        if let Some(&id) = self.known.get(&spot.key()) {
            return id;
        }
        let spot = self.index.placed(spot);
        let id = SchemaId(u32::try_from(self.nodes.len()).unwrap_or(u32::MAX));
        self.nodes.push(None);
        self.known.insert(spot.key(), id);
        self.waiting.push((id, spot));
        id
    }

    fn node(&mut self, spot: Spot<'a>) -> Node {
        let mut node = Node {
            types: Types::ANY,
            nullable: false,
            never: false,
            collects: false,
            binary: false,
            resource: spot.resource,
            checks: Box::default(),
        };
        let members = match spot.value {
            Value::Bool(accepts) => {
                node.never = !accepts;
                return node;
            }
            Value::Object(members) => members,
            _ => return node,
        };
        node.binary = is_binary(members);
        let mut checks = Vec::new();
        let is_old = self.index.dialect != Dialect::Draft202012;
        if let Some(text) = members.get("$ref").and_then(Value::as_str) {
            checks.extend(self.reference(spot, text).map(Check::Ref));
            if is_old {
                node.checks = checks.into();
                return node;
            }
        }
        let mut part = Part { builder: self, spot, members, checks };
        if !is_old {
            part.dynamic();
        }
        part.applicators();
        if is_old {
            part.old()
        } else {
            part.new_applicators()
        }
        if !part.builder.index.only_annotates(spot.resource) {
            node.types = types(members);
            part.assertions();
            if !is_old {
                part.new_assertions();
            }
        }
        // Last, since they look at what the others have looked at.
        if !is_old {
            part.unevaluated();
        }
        node.checks = part.checks.into();
        node.collects = node
            .checks
            .iter()
            .any(|check| matches!(check, Check::OtherItems(_) | Check::OtherMembers(_)));
        node.nullable = self.index.dialect == Dialect::OpenApi30
            && members.get("nullable").and_then(Value::as_bool).unwrap_or(false);
        node
    }

    fn reference(&mut self, spot: Spot<'a>, text: &str) -> Option<SchemaId> {
        match self.index.target(spot, text) {
            Ok(target) => Some(self.schema(target)),
            Err(why) => {
                self.say(spot, format!("{why}, so nothing is checked there"));
                None
            }
        }
    }

    fn pattern(&mut self, spot: Spot<'a>, text: &str) -> Option<Regex> {
        let compiled = self.patterns.compiled(text);
        if compiled.is_none() {
            let shown: String = text.chars().take(80).collect();
            self.say(
                spot,
                format!("the pattern `{shown}` cannot be matched in linear time (look-around, back references) or is broken, so it is not checked"),
            );
        }
        compiled
    }
}

/// Bytes as they are: `contentEncoding` would say that they are written as text.
fn is_binary(members: &Map<String, Value>) -> bool {
    let is = |name: &str, word: &str| members.get(name).and_then(Value::as_str) == Some(word);
    is("format", "binary")
        || is("type", "file")
        || (members.contains_key("contentMediaType") && !members.contains_key("contentEncoding"))
}

/// The types that a schema allows. Unknown ones (`file`) say nothing.
fn types(members: &Map<String, Value>) -> Types {
    let one = |value: &Value| {
        let word = value.as_str()?;
        Types::ALL.iter().find(|(_, known)| *known == word).map(|(types, _)| *types)
    };
    match members.get("type") {
        Some(Value::Array(list)) if !list.is_empty() => list
            .iter()
            .map(one)
            .try_fold(Types(0), |all, next| Some(all.with(next?)))
            .unwrap_or(Types::ANY),
        Some(value) => one(value).unwrap_or(Types::ANY),
        None => Types::ANY,
    }
}

/// One schema object, while its keywords are compiled.
struct Part<'b, 'a> {
    builder: &'b mut Builder<'a>,
    spot: Spot<'a>,
    members: &'a Map<String, Value>,
    checks: Vec<Check>,
}

impl<'a> Part<'_, 'a> {
    fn one(&mut self, name: &str) -> Option<SchemaId> {
        let value = self.members.get(name)?;
        let is_schema = value.is_object() || value.is_boolean();
        is_schema.then(|| self.builder.schema(self.spot.with(value)))
    }

    fn list(&mut self, name: &str) -> Option<Box<[SchemaId]>> {
        let values = self.members.get(name)?.as_array()?;
        let all = values.iter().map(|value| self.builder.schema(self.spot.with(value)));
        Some(all.collect())
    }

    fn map(&mut self, name: &str) -> Option<Vec<(&'a str, SchemaId)>> {
        let values = self.members.get(name)?.as_object()?;
        let all = values
            .iter()
            .map(|(name, value)| (name.as_str(), self.builder.schema(self.spot.with(value))));
        Some(all.collect())
    }

    /// A count that may be written as `2.0`.
    fn count(&self, name: &str) -> Option<u64> {
        let value = self.members.get(name)?;
        value.as_u64().or_else(|| {
            let double = value.as_f64().filter(|double| double.fract() == 0.0 && *double >= 0.0)?;
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates")]
            Some(double as u64)
        })
    }

    fn number(&self, name: &str) -> Option<Number> {
        self.members.get(name)?.as_number().cloned()
    }

    fn flag(&self, name: &str) -> bool {
        self.members.get(name).and_then(Value::as_bool).unwrap_or(false)
    }

    fn counted(&mut self, name: &str, check: fn(u64) -> Check) {
        self.checks.extend(self.count(name).map(check));
    }

    fn dynamic(&mut self) {
        let Some(text) = self.members.get("$dynamicRef").and_then(Value::as_str) else { return };
        let Some(otherwise) = self.builder.reference(self.spot, text) else { return };
        let anchor = text.split_once('#').map_or("", |(_, anchor)| anchor);
        // Only what is declared as dynamic is looked for in the scope.
        let target = self.builder.index.target(self.spot, text).ok();
        let is_dynamic = target.is_some_and(|target| {
            let names = target.value.get("$dynamicAnchor");
            names.and_then(Value::as_str) == Some(anchor)
        });
        self.checks.push(if is_dynamic {
            Check::Dynamic { anchor: anchor.into(), otherwise }
        } else {
            Check::Ref(otherwise)
        });
    }

    fn applicators(&mut self) {
        let all = self.list("allOf");
        self.checks.extend(all.map(Check::All));
        let any = self.list("anyOf");
        self.checks.extend(any.map(Check::Any));
        let one = self.list("oneOf");
        self.checks.extend(one.map(Check::One));
        let not = self.one("not");
        self.checks.extend(not.map(Check::Not));
        self.object_members();
    }

    fn object_members(&mut self) {
        let mut named: Vec<(Box<str>, SchemaId)> = self
            .map("properties")
            .unwrap_or_default()
            .into_iter()
            .map(|(name, id)| (name.into(), id))
            .collect();
        named.sort_by(|left, right| left.0.cmp(&right.0));
        let mut unknown_patterns = false;
        let mut patterns = Vec::new();
        for (text, id) in self.map("patternProperties").unwrap_or_default() {
            match self.builder.pattern(self.spot, text) {
                Some(pattern) => patterns.push((pattern, id)),
                None => unknown_patterns = true,
            }
        }
        let others = self.one("additionalProperties");
        if !named.is_empty() || !patterns.is_empty() || others.is_some() {
            self.checks.push(Check::Members(Box::new(Members {
                named: named.into(),
                patterns: patterns.into(),
                unknown_patterns,
                others,
            })));
        }
    }

    /// Keywords that only draft 4 has, or has with another meaning.
    fn old(&mut self) {
        let first = self.list("items");
        if let Some(first) = first {
            let rest = self.one("additionalItems");
            self.checks.push(Check::Items { first, rest, rest_rule: "additionalItems" });
        } else if let Some(rest) = self.one("items") {
            self.checks.push(Check::Items {
                first: Box::default(),
                rest: Some(rest),
                rest_rule: "items",
            });
        }
        self.dependencies();
    }

    fn dependencies(&mut self) {
        let Some(all) = self.members.get("dependencies").and_then(Value::as_object) else { return };
        let (mut names, mut schemas) = (Vec::new(), Vec::new());
        for (name, value) in all {
            match value {
                Value::Array(list) => names.push((name.as_str().into(), texts(list))),
                value => {
                    let id = self.builder.schema(self.spot.with(value));
                    schemas.push((name.as_str().into(), id));
                }
            }
        }
        self.needs(names, schemas);
    }

    fn needs(&mut self, names: Vec<Needs>, schemas: Vec<(Box<str>, SchemaId)>) {
        if !names.is_empty() {
            self.checks.push(Check::NeedsMembers(names.into()));
        }
        if !schemas.is_empty() {
            self.checks.push(Check::NeedsSchema(schemas.into()));
        }
    }

    fn new_applicators(&mut self) {
        let first = self.list("prefixItems").unwrap_or_default();
        let rest = self.one("items");
        if !first.is_empty() || rest.is_some() {
            self.checks.push(Check::Items { first, rest, rest_rule: "items" });
        }
        let names = self.one("propertyNames");
        self.checks.extend(names.map(Check::Names));
        let schemas = self.map("dependentSchemas").unwrap_or_default();
        let schemas = schemas.into_iter().map(|(name, id)| (name.into(), id)).collect();
        self.needs(Vec::new(), schemas);
        if let Some(test) = self.one("if") {
            let (then, otherwise) = (self.one("then"), self.one("else"));
            self.checks.push(Check::If { test, then, otherwise });
        }
        if let Some(schema) = self.one("contains") {
            let counts = !self.builder.index.only_annotates(self.spot.resource);
            let least = self.count("minContains").filter(|_| counts).unwrap_or(1);
            let most = self.count("maxContains").filter(|_| counts);
            self.checks.push(Check::Contains { schema, least, most });
        }
    }

    fn assertions(&mut self) {
        if let Some(list) = self.members.get("enum").and_then(Value::as_array) {
            self.checks.push(enumeration(list));
        }
        self.bounds();
        let step = self.number("multipleOf");
        self.checks.extend(step.map(Check::MultipleOf));
        self.counted("minLength", Check::TextLeast);
        self.counted("maxLength", Check::TextMost);
        if let Some(text) = self.members.get("pattern").and_then(Value::as_str) {
            let pattern = self.builder.pattern(self.spot, text);
            self.checks.extend(pattern.map(Check::Pattern));
        }
        self.counted("minItems", Check::ItemsLeast);
        self.counted("maxItems", Check::ItemsMost);
        if self.flag("uniqueItems") {
            self.checks.push(Check::Unique);
        }
        self.counted("minProperties", Check::MembersLeast);
        self.counted("maxProperties", Check::MembersMost);
        if let Some(list) = self.members.get("required").and_then(Value::as_array) {
            self.required(list);
        }
        self.unsent_members();
    }

    /// What only messages of the other direction carry cannot be required.
    fn required(&mut self, list: &[Value]) {
        let properties = self.members.get("properties");
        let unsent = self.unsent();
        let mut names = Vec::new();
        for name in list.iter().filter_map(Value::as_str) {
            let property = properties.and_then(|all| all.get(name));
            if !property.is_some_and(|property| self.is_marked(property, unsent)) {
                names.push(Box::from(name));
            }
        }
        if !names.is_empty() {
            self.checks.push(Check::Required(names.into()));
        }
    }

    /// The mark of what only messages of the other direction carry.
    fn unsent(&self) -> &'static str {
        match self.builder.direction {
            Direction::Request => "readOnly",
            Direction::Answer => "writeOnly",
        }
    }

    /// Members that messages of this direction must not have.
    fn unsent_members(&mut self) {
        let is_told = match self.builder.direction {
            Direction::Request => self.builder.refuses_read_only,
            Direction::Answer => true,
        };
        let properties = self.members.get("properties").and_then(Value::as_object);
        let (true, Some(properties)) = (is_told, properties) else { return };
        let mark = self.unsent();
        let mut names: Vec<Box<str>> = Vec::new();
        for (name, property) in properties {
            if self.is_marked(property, mark) {
                names.push(name.as_str().into());
            }
        }
        if !names.is_empty() {
            self.checks.push(Check::Unsent(names.into(), mark));
        }
    }

    fn is_marked(&mut self, property: &'a Value, mark: &str) -> bool {
        // The suite's own schemas mean nothing by it; contracts do.
        if self.builder.index.dialect == Dialect::Draft4 {
            return false;
        }
        let mut spot = self.spot.with(property);
        for _ in 0..8 {
            if spot.value.get(mark).and_then(Value::as_bool) == Some(true) {
                return true;
            }
            let Some(text) = spot.value.get("$ref").and_then(Value::as_str) else { return false };
            let Ok(target) = self.builder.index.target(spot, text) else { return false };
            spot = target;
        }
        false
    }

    /// Both forms: a bound of its own (2020-12), and a flag beside the inclusive bound (draft 4).
    fn bounds(&mut self) {
        let low = self.flag("exclusiveMinimum");
        let high = self.flag("exclusiveMaximum");
        if let Some(bound) = self.number("minimum") {
            self.checks.push(Check::Least { bound, exclusive: low });
        }
        if let Some(bound) = self.number("maximum") {
            self.checks.push(Check::Most { bound, exclusive: high });
        }
        if let Some(bound) = self.number("exclusiveMinimum") {
            self.checks.push(Check::Least { bound, exclusive: true });
        }
        if let Some(bound) = self.number("exclusiveMaximum") {
            self.checks.push(Check::Most { bound, exclusive: true });
        }
    }

    fn new_assertions(&mut self) {
        if let Some(value) = self.members.get("const") {
            self.checks.push(Check::Const(super::Value::from(value).into_owned()));
        }
        if let Some(all) = self.members.get("dependentRequired").and_then(Value::as_object) {
            let names = all
                .iter()
                .filter_map(|(name, list)| Some((name.as_str().into(), texts(list.as_array()?))))
                .collect();
            self.needs(names, Vec::new());
        }
    }

    fn unevaluated(&mut self) {
        let items = self.one("unevaluatedItems");
        self.checks.extend(items.map(Check::OtherItems));
        let members = self.one("unevaluatedProperties");
        self.checks.extend(members.map(Check::OtherMembers));
    }
}

fn texts(list: &[Value]) -> Box<[Box<str>]> {
    list.iter().filter_map(Value::as_str).map(Box::from).collect()
}

fn enumeration(list: &[Value]) -> Check {
    let mut words = Vec::new();
    let mut others = Vec::new();
    for value in list {
        match value {
            Value::String(text) => words.push(Box::from(text.as_str())),
            other => others.push(super::Value::from(other).into_owned()),
        }
    }
    words.sort();
    Check::Enum { texts: words.into(), others: others.into() }
}
