//! A value checked against a compiled schema.
//!
//! First quietly, which stops at the first thing that is wrong and notes nothing; only a value that is wrong is
//! gone through again for its problems. Every application of a schema costs a step, and so does what a single
//! keyword goes through; when the steps are used up the value is refused as too complex, and nothing else is
//! said of it. Recursion is as deep as values and in-place references are, both bounded.

use super::problem::{POINTER_BYTES, PROBLEMS_MAX, Problem};
use super::same::{order, same};
use super::{Check, Map, Members, Node, SchemaId, Schemas, Types, Value, number};
use crate::pointer;

/// Steps that every value may cost, however small.
const STEPS_BASE: u64 = 100_000;
/// Steps for each byte that a value was read from.
const STEPS_PER_BYTE: u64 = 20;
/// The deepest nesting of schemas applied.
const DEPTH_MAX: u32 = 400;

/// What came of a check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The value is what the schema describes.
    Valid,
    /// It is not; these are the first of its problems, at least one.
    Invalid(Vec<Problem>),
    /// Finding out would cost more than a value of this size may cost.
    TooComplex,
}

impl Schemas {
    /// Checks a value that was read from `bytes` bytes.
    #[must_use]
    pub fn check(&self, id: SchemaId, value: &Value<'_>, bytes: usize) -> Verdict {
        self.check_but(id, value, bytes, &[])
    }

    /// Whether a value that was read from `bytes` bytes is what one of the schemas describes.
    pub(crate) fn any_fits(&self, ids: &[SchemaId], value: &Value<'_>, bytes: usize) -> bool {
        ids.is_empty() || ids.iter().any(|id| self.check(*id, value, bytes) == Verdict::Valid)
    }

    /// The same, without a look at what the members named in `opaque` are: they cannot be read as values.
    pub(crate) fn check_but<'s>(
        &'s self,
        id: SchemaId,
        value: &Value<'_>,
        bytes: usize,
        opaque: &'s [String],
    ) -> Verdict {
        let steps = STEPS_BASE.saturating_add(STEPS_PER_BYTE.saturating_mul(bytes as u64));
        let mut run = Run { opaque, ..Run::new(self, steps) };
        if run.apply(id, value, None) {
            return Verdict::Valid;
        }
        if !run.exhausted {
            run.quiet = 0;
            run.depth = 0;
            run.scope.clear();
            run.active.clear();
            run.apply(id, value, None);
        }
        if run.exhausted || run.problems.is_empty() {
            return Verdict::TooComplex;
        }
        Verdict::Invalid(run.problems)
    }

    /// Whether a value is right, paid from steps that are shared.
    pub(super) fn fits(&self, id: SchemaId, value: &Value<'_>, steps: &mut u64) -> bool {
        let mut run = Run::new(self, *steps);
        let fits = run.apply(id, value, None);
        *steps = run.steps;
        fits && !run.exhausted
    }
}

#[derive(Clone, Copy)]
enum Step<'v> {
    Member(&'v str),
    Item(usize),
}

/// What the schemas that hold have looked at, of one object or array.
#[derive(Default)]
struct Seen<'v> {
    all: bool,
    members: Vec<&'v str>,
    /// Items before this one.
    first: usize,
    items: Vec<usize>,
}

impl<'v> Seen<'v> {
    fn take(&mut self, other: Self) {
        self.all |= other.all;
        self.members.extend(other.members);
        self.first = self.first.max(other.first);
        self.items.extend(other.items);
    }
}

struct Run<'s, 'v> {
    schemas: &'s Schemas,
    steps: u64,
    depth: u32,
    /// Above zero, problems are not noted and the first ends it.
    quiet: u32,
    exhausted: bool,
    /// Members of the whole that are not looked at.
    opaque: &'s [String],
    /// Schema resources entered, outermost first.
    scope: Vec<u32>,
    /// References being followed, with the value that they are applied to.
    active: Vec<(SchemaId, *const Value<'v>)>,
    path: Vec<Step<'v>>,
    problems: Vec<Problem>,
}

impl<'s, 'v> Run<'s, 'v> {
    /// One that is quiet, with so many steps.
    fn new(schemas: &'s Schemas, steps: u64) -> Self {
        Self {
            schemas,
            steps,
            depth: 0,
            quiet: 1,
            exhausted: false,
            opaque: &[],
            scope: Vec::new(),
            active: Vec::new(),
            path: Vec::new(),
            problems: Vec::new(),
        }
    }

    /// Pays for work. Says `false` when there is no more to be done.
    fn pay(&mut self, steps: usize) -> bool {
        let steps = steps as u64;
        if steps > self.steps {
            self.exhausted = true;
            self.steps = 0;
            return false;
        }
        self.steps -= steps;
        true
    }

    fn is_over(&self) -> bool {
        self.exhausted || (self.quiet == 0 && self.problems.len() >= PROBLEMS_MAX)
    }

    /// Notes a problem, if problems are noted; always `false`.
    fn wrong(&mut self, rule: &'static str, detail: impl FnOnce() -> String) -> bool {
        if self.quiet == 0 && self.problems.len() < PROBLEMS_MAX {
            let pointer = self.pointer();
            self.problems.push(Problem { pointer, rule, detail: detail() });
        }
        false
    }

    fn pointer(&self) -> String {
        let mut text = String::new();
        for step in &self.path {
            let before = text.len();
            match step {
                Step::Member(name) => pointer::push(&mut text, name),
                Step::Item(index) => pointer::push(&mut text, &index.to_string()),
            }
            if text.len() > POINTER_BYTES {
                text.truncate(before);
                break;
            }
        }
        text
    }

    fn apply(&mut self, id: SchemaId, value: &'v Value<'v>, outer: Option<&mut Seen<'v>>) -> bool {
        let schemas = self.schemas;
        let node = schemas.node(id);
        if !self.pay(1) || self.is_over() {
            return false;
        }
        if node.nullable && value.is_null() {
            return true;
        }
        if node.never {
            return self.wrong("false", || "is not allowed here".to_owned());
        }
        if node.types != Types::ANY && !node.types.has(Types::of(value)) {
            return self.wrong("type", || node.types.demand());
        }
        if node.checks.is_empty() {
            return true;
        }
        if self.depth >= DEPTH_MAX {
            self.exhausted = true;
            return false;
        }
        self.depth += 1;
        // Only dynamic references ask where a value came through.
        let entered =
            !schemas.dynamic_anchors.is_empty() && self.scope.last() != Some(&node.resource);
        if entered {
            self.scope.push(node.resource);
        }
        let holds = if node.collects || outer.is_some() {
            let mut own = Seen::default();
            let holds = self.checks(node, value, &mut Some(&mut own));
            if let Some(outer) = outer.filter(|_| holds) {
                outer.take(own);
            }
            holds
        } else {
            self.checks(node, value, &mut None)
        };
        if entered {
            self.scope.pop();
        }
        self.depth -= 1;
        holds
    }

    fn checks(
        &mut self,
        node: &'s Node,
        value: &'v Value<'v>,
        seen: &mut Option<&mut Seen<'v>>,
    ) -> bool {
        let mut holds = true;
        for check in &node.checks {
            // What failed has looked at things all the same.
            if !holds && matches!(check, Check::OtherItems(_) | Check::OtherMembers(_)) {
                break;
            }
            holds &= self.one(check, value, seen);
            if !holds && (self.quiet > 0 || self.is_over()) {
                return false;
            }
        }
        holds
    }

    fn one(
        &mut self,
        check: &'s Check,
        value: &'v Value<'v>,
        seen: &mut Option<&mut Seen<'v>>,
    ) -> bool {
        match check {
            Check::Ref(target) => self.follow(*target, value, seen),
            Check::Dynamic { anchor, otherwise } => {
                let target = self.dynamic_target(anchor).unwrap_or(*otherwise);
                self.follow(target, value, seen)
            }
            Check::All(list) => {
                let mut holds = true;
                for id in list {
                    holds &= self.apply(*id, value, seen.as_deref_mut());
                    if !holds && self.quiet > 0 {
                        return false;
                    }
                }
                holds
            }
            Check::Any(list) => self.any(check, list, value, seen),
            Check::One(list) => self.exactly_one(check, list, value, seen),
            Check::Not(id) => {
                let fits = self.trial(*id, value, None);
                !self.exhausted && (!fits || self.wrong(check.rule(), || check.demand()))
            }
            Check::If { test, then, otherwise } => {
                let fits = self.trial(*test, value, seen.as_deref_mut());
                let next = if fits { then } else { otherwise };
                !self.exhausted
                    && next.is_none_or(|next| self.apply(next, value, seen.as_deref_mut()))
            }
            _ => match value {
                Value::Object(members) => self.object(check, members, value, seen),
                Value::Array(items) => self.array(check, items, value, seen),
                _ => self.scalar(check, value) || self.wrong(check.rule(), || check.demand()),
            },
        }
    }

    /// Where a reference leads back to itself with the same value, nothing more is asked of the value.
    fn follow(
        &mut self,
        target: SchemaId,
        value: &'v Value<'v>,
        seen: &mut Option<&mut Seen<'v>>,
    ) -> bool {
        let key = (target, std::ptr::from_ref(value));
        let mut same_value = self.active.iter().rev().take_while(|(_, known)| *known == key.1);
        if same_value.any(|known| *known == key) {
            return true;
        }
        self.active.push(key);
        let holds = self.apply(target, value, seen.as_deref_mut());
        self.active.pop();
        holds
    }

    /// The outermost schema of that name (2020-12 core, section 8.2.3.2).
    fn dynamic_target(&self, anchor: &str) -> Option<SchemaId> {
        let anchors = &self.schemas.dynamic_anchors;
        self.scope.iter().find_map(|resource| anchors.get(&(*resource, anchor.into())).copied())
    }

    /// Applies a schema of which nobody is told whether it fails.
    fn trial(&mut self, id: SchemaId, value: &'v Value<'v>, seen: Option<&mut Seen<'v>>) -> bool {
        self.quiet += 1;
        let holds = self.apply(id, value, seen);
        self.quiet -= 1;
        holds && !self.exhausted
    }

    fn any(
        &mut self,
        check: &'s Check,
        list: &'s [SchemaId],
        value: &'v Value<'v>,
        seen: &mut Option<&mut Seen<'v>>,
    ) -> bool {
        let mut holds = false;
        for id in list {
            holds |= self.trial(*id, value, seen.as_deref_mut());
            // Who wants to know what was looked at wants to know it of all.
            if holds && seen.is_none() {
                return true;
            }
        }
        holds || self.none_fits(check, list, value)
    }

    fn exactly_one(
        &mut self,
        check: &'s Check,
        list: &'s [SchemaId],
        value: &'v Value<'v>,
        seen: &mut Option<&mut Seen<'v>>,
    ) -> bool {
        let mut fitting = 0;
        for id in list {
            fitting += usize::from(self.trial(*id, value, seen.as_deref_mut()));
            if fitting > 1 {
                return self.wrong(check.rule(), || check.demand());
            }
        }
        !self.exhausted && (fitting == 1 || self.none_fits(check, list, value))
    }

    /// No alternative fits. If only one is for values of this type, its problems are what is wrong.
    fn none_fits(&mut self, check: &'s Check, list: &'s [SchemaId], value: &'v Value<'v>) -> bool {
        if self.quiet > 0 || self.exhausted {
            return false;
        }
        let types = Types::of(value);
        let mut meant = list.iter().filter(|id| self.typed(**id).has(types));
        if let (Some(only), None) = (meant.next(), meant.next()) {
            let before = self.problems.len();
            self.apply(*only, value, None);
            if self.problems.len() > before {
                return false;
            }
        }
        self.wrong(check.rule(), || check.demand())
    }

    /// The types that a schema allows, a few references followed.
    fn typed(&self, id: SchemaId) -> Types {
        let mut node = self.schemas.node(id);
        for _ in 0..4 {
            match &*node.checks {
                [Check::Ref(target)] if node.types == Types::ANY => {
                    node = self.schemas.node(*target)
                }
                _ => break,
            }
        }
        node.types
    }

    fn scalar(&mut self, check: &Check, value: &Value<'_>) -> bool {
        match (check, value) {
            (Check::Const(expected), _) => same(expected, value),
            (Check::Enum { texts, .. }, Value::String(text)) => {
                texts.binary_search_by(|known| (**known).cmp(&**text)).is_ok()
            }
            (Check::Enum { others, .. }, _) => {
                self.pay(others.len()) && others.iter().any(|other| same(other, value))
            }
            (Check::MultipleOf(step), Value::Number(number)) => number::is_multiple(number, step),
            (Check::Least { bound, exclusive }, Value::Number(number)) => {
                let order = number::order(number, bound);
                order.is_gt() || (order.is_eq() && !exclusive)
            }
            (Check::Most { bound, exclusive }, Value::Number(number)) => {
                let order = number::order(number, bound);
                order.is_lt() || (order.is_eq() && !exclusive)
            }
            (Check::TextLeast(least), Value::String(text)) => has_characters(text, *least),
            (Check::TextMost(most), Value::String(text)) => {
                !has_characters(text, most.saturating_add(1))
            }
            (Check::Pattern(pattern), Value::String(text)) => {
                self.pay(text.len() / 16) && pattern.is_match(text)
            }
            _ => true,
        }
    }

    fn object(
        &mut self,
        check: &'s Check,
        members: &'v Map<'v>,
        value: &'v Value<'v>,
        seen: &mut Option<&mut Seen<'v>>,
    ) -> bool {
        let count = members.len() as u64;
        let holds = match check {
            Check::Const(_) | Check::Enum { .. } => {
                self.pay(members.len()) && self.scalar(check, value)
            }
            Check::MembersLeast(least) => count >= *least,
            Check::MembersMost(most) => count <= *most,
            Check::Members(rules) => return self.members(rules, members, seen),
            Check::Required(names) => return self.required(names, members, "required"),
            Check::Unsent(names, rule) => return self.unsent(names, rule, members),
            Check::NeedsMembers(all) => {
                let mut holds = true;
                for (name, needed) in all {
                    if members.contains_key(name) {
                        holds &= self.required(needed, members, "dependentRequired");
                    }
                }
                return holds;
            }
            Check::NeedsSchema(all) => {
                let mut holds = true;
                for (name, id) in all {
                    if members.contains_key(name) {
                        holds &= self.apply(*id, value, seen.as_deref_mut());
                    }
                }
                return holds;
            }
            Check::Names(id) => return self.names(*id, members),
            Check::OtherMembers(id) => return self.other_members(*id, members, seen),
            _ => true,
        };
        holds || self.wrong(check.rule(), || check.demand())
    }

    fn required(&mut self, names: &[Box<str>], members: &Map<'_>, rule: &'static str) -> bool {
        let mut holds = true;
        for name in names {
            if !members.contains_key(name) {
                holds = self.wrong(rule, || format!("must have the member {name:?}"));
                if self.quiet > 0 {
                    return false;
                }
            }
        }
        holds
    }

    /// Members that are for the other direction only.
    fn unsent(&mut self, names: &[Box<str>], rule: &'static str, members: &'v Map<'v>) -> bool {
        let mut holds = true;
        for name in names {
            if let Some((name, _)) = members.get_key_value(name) {
                self.path.push(Step::Member(name));
                holds = self.wrong(rule, || "is not for this direction".to_owned());
                self.path.pop();
                if self.quiet > 0 {
                    return false;
                }
            }
        }
        holds
    }

    fn below(&mut self, step: Step<'v>, id: SchemaId, value: &'v Value<'v>) -> bool {
        if self.path.is_empty()
            && let Step::Member(name) = step
            && self.opaque.iter().any(|opaque| opaque == name)
        {
            return true;
        }
        self.path.push(step);
        let holds = self.apply(id, value, None);
        self.path.pop();
        holds
    }

    fn members(
        &mut self,
        rules: &'s Members,
        members: &'v Map<'v>,
        seen: &mut Option<&mut Seen<'v>>,
    ) -> bool {
        let mut holds = true;
        for (name, value) in members.iter() {
            if !self.pay(1 + rules.patterns.len()) {
                return false;
            }
            let mut matched = false;
            if let Some(id) = rules.named(name) {
                matched = true;
                holds &= self.below(Step::Member(name), id, value);
            }
            for (pattern, id) in &rules.patterns {
                if pattern.is_match(name) {
                    matched = true;
                    holds &= self.below(Step::Member(name), *id, value);
                }
            }
            if let Some(others) = rules.others.filter(|_| !matched && !rules.unknown_patterns) {
                matched = true;
                holds &= self.other(others, "additionalProperties", Step::Member(name), value);
            }
            if !holds && (self.quiet > 0 || self.is_over()) {
                return false;
            }
            if let Some(seen) = seen.as_deref_mut().filter(|_| matched) {
                seen.members.push(name);
            }
        }
        holds
    }

    /// A member or item beyond those described; where there may be none, the rule is the keyword that says so.
    fn other(
        &mut self,
        id: SchemaId,
        rule: &'static str,
        step: Step<'v>,
        value: &'v Value<'v>,
    ) -> bool {
        if !self.schemas.node(id).never {
            return self.below(step, id, value);
        }
        self.path.push(step);
        self.wrong(rule, || {
            "is not described by the contract, which allows nothing else here".to_owned()
        });
        self.path.pop();
        false
    }

    fn names(&mut self, id: SchemaId, members: &'v Map<'v>) -> bool {
        let mut holds = true;
        for (name, _) in members.iter() {
            // Names are values only here; they do not live as long as the value does.
            let text = Value::String(name.into());
            let mut run = Run {
                depth: self.depth,
                scope: self.scope.clone(),
                ..Run::new(self.schemas, self.steps)
            };
            let fits = run.apply(id, &text, None);
            (self.steps, self.exhausted) = (run.steps, run.exhausted);
            if !fits {
                self.path.push(Step::Member(name));
                holds = self.wrong("propertyNames", || {
                    "has a name that the contract does not allow".to_owned()
                });
                self.path.pop();
                if self.quiet > 0 || self.is_over() {
                    return false;
                }
            }
        }
        holds
    }

    fn other_members(
        &mut self,
        id: SchemaId,
        members: &'v Map<'v>,
        seen: &mut Option<&mut Seen<'v>>,
    ) -> bool {
        let Some(seen) = seen.as_deref_mut() else { return true };
        if seen.all {
            return true;
        }
        if !self.pay(seen.members.len()) {
            return false;
        }
        seen.members.sort_unstable();
        let mut holds = true;
        for (name, value) in members.iter() {
            if seen.members.binary_search(&name).is_err() {
                holds &= self.other(id, "unevaluatedProperties", Step::Member(name), value);
                if !holds && (self.quiet > 0 || self.is_over()) {
                    return false;
                }
            }
        }
        seen.all = true;
        holds
    }

    fn array(
        &mut self,
        check: &'s Check,
        items: &'v [Value<'v>],
        value: &'v Value<'v>,
        seen: &mut Option<&mut Seen<'v>>,
    ) -> bool {
        let count = items.len() as u64;
        let holds = match check {
            Check::Const(_) | Check::Enum { .. } => {
                self.pay(items.len()) && self.scalar(check, value)
            }
            Check::ItemsLeast(least) => count >= *least,
            Check::ItemsMost(most) => count <= *most,
            Check::Unique => self.pay(items.len()) && is_unique(items),
            Check::Items { first, rest, rest_rule } => {
                return self.items(first, *rest, rest_rule, items, seen);
            }
            Check::Contains { schema, least, most } => {
                let mut found = 0_u64;
                for (index, item) in items.iter().enumerate() {
                    if self.trial(*schema, item, None) {
                        found += 1;
                        if let Some(seen) = seen.as_deref_mut() {
                            seen.items.push(index);
                        } else if found >= *least && most.is_none() {
                            break;
                        }
                    }
                }
                found >= *least && most.is_none_or(|most| found <= most)
            }
            Check::OtherItems(id) => return self.other_items(*id, items, seen),
            _ => true,
        };
        holds || self.wrong(check.rule(), || check.demand())
    }

    fn items(
        &mut self,
        first: &[SchemaId],
        rest: Option<SchemaId>,
        rest_rule: &'static str,
        items: &'v [Value<'v>],
        seen: &mut Option<&mut Seen<'v>>,
    ) -> bool {
        let mut holds = true;
        for (index, item) in items.iter().enumerate() {
            holds &= match (first.get(index), rest) {
                (Some(id), _) => self.below(Step::Item(index), *id, item),
                (None, Some(rest)) => self.other(rest, rest_rule, Step::Item(index), item),
                (None, None) => break,
            };
            if !holds && (self.quiet > 0 || self.is_over()) {
                return false;
            }
        }
        if let Some(seen) = seen.as_deref_mut() {
            seen.all |= rest.is_some();
            seen.first = seen.first.max(first.len());
        }
        holds
    }

    fn other_items(
        &mut self,
        id: SchemaId,
        items: &'v [Value<'v>],
        seen: &mut Option<&mut Seen<'v>>,
    ) -> bool {
        let Some(seen) = seen.as_deref_mut() else { return true };
        if seen.all {
            return true;
        }
        if !self.pay(seen.items.len()) {
            return false;
        }
        seen.items.sort_unstable();
        let mut holds = true;
        for (index, item) in items.iter().enumerate().skip(seen.first) {
            if seen.items.binary_search(&index).is_err() {
                holds &= self.other(id, "unevaluatedItems", Step::Item(index), item);
                if !holds && (self.quiet > 0 || self.is_over()) {
                    return false;
                }
            }
        }
        seen.all = true;
        holds
    }
}

/// Whether a text has so many characters, without counting further.
fn has_characters(text: &str, count: u64) -> bool {
    let Ok(count) = usize::try_from(count) else { return false };
    text.len() >= count && (count == 0 || text.chars().nth(count - 1).is_some())
}

/// Sorts, so that the cost is not that of every pair.
fn is_unique(items: &[Value<'_>]) -> bool {
    let mut sorted: Vec<&Value<'_>> = items.iter().collect();
    sorted.sort_unstable_by(|left, right| order(left, right));
    sorted.windows(2).all(|pair| order(pair[0], pair[1]).is_ne())
}
