//! A contract proposed from the calls that an application was seen to answer.
//!
//! Calls come in as [`Observation`]s; what stays of them are counts, lengths, kinds and names, never a value: a value
//! is written only where it is one of few, was seen often and by several callers, and looks like a word (see
//! `values`). Paths become a tree in which segments that are values are folded into parameters. Everything that grows
//! with calls is bounded, and a mark says where a bound was reached.
//!
//! What comes out is OpenAPI 3.1 for a human to review. Calls that were seen seldom, by one caller, are not
//! proposed but listed apart. No IO and no clock here.

mod paths;
mod propose;
mod shape;
mod values;
mod write;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use paths::Node;
use shape::Shape;
use values::Values;

/// The most parts that are kept of all calls together: parameters, members, media types, statuses.
const PARTS_MAX: usize = 20_000;
/// The most parameters of one operation, and members of one body.
const NAMES_MAX: usize = 64;
/// The most media types of the bodies of one operation, and statuses of its answers.
const KINDS_MAX: usize = 8;
/// The most callers that are told apart.
const CALLERS_MAX: usize = 16;
/// The most names of apps of one operation.
const APPS_MAX: usize = 16;
/// The most characters of a name.
const NAME_CHARS: usize = 64;

/// When something counts as seen often enough to be proposed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Thresholds {
    /// So many calls are enough.
    pub calls: u64,
    /// So many callers are, too.
    pub callers: u64,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self { calls: 3, callers: 2 }
    }
}

/// The body of a call or of an answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Payload {
    /// Media type without parameters, lower case.
    pub media: String,
    /// How many bytes it had.
    pub bytes: u64,
    /// The whole of it, if it was kept.
    pub sample: Option<Vec<u8>>,
}

/// One call that an application answered well.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Observation {
    /// Method.
    pub method: String,
    /// Canonical path behind the service's prefix.
    pub path: String,
    /// Query as sent, without `?`.
    pub query: String,
    /// Something that tells callers apart, and nothing of who they are.
    pub caller: u64,
    /// The name of the app, if one called.
    pub app: Option<String>,
    /// Status of the answer.
    pub status: u16,
    /// When, in seconds since 1970.
    pub unix_s: u64,
    /// The body of the call.
    pub request: Option<Payload>,
    /// The body of the answer.
    pub answer: Option<Payload>,
}

/// Callers, as far as they are told apart.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Callers {
    #[serde(skip)]
    now: BTreeSet<u64>,
    /// How many there were before a restart.
    before: u64,
}

impl Callers {
    fn add(&mut self, caller: u64) {
        if self.now.len() < CALLERS_MAX {
            self.now.insert(caller);
        }
    }

    fn count(&self) -> u64 {
        self.before.max(self.now.len() as u64)
    }

    fn merge(&mut self, other: Self) {
        other.now.into_iter().for_each(|caller| self.add(caller));
        self.before = self.before.max(other.before);
    }
}

/// How often something was seen, and by how many.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Seen {
    calls: u64,
    first_s: u64,
    last_s: u64,
    callers: Callers,
}

impl Seen {
    fn add(&mut self, seen: &Observation) {
        if self.calls == 0 || seen.unix_s < self.first_s {
            self.first_s = seen.unix_s;
        }
        self.last_s = self.last_s.max(seen.unix_s);
        self.calls += 1;
        self.callers.add(seen.caller);
    }

    fn merge(&mut self, other: Self) {
        if self.calls == 0 || (other.calls > 0 && other.first_s < self.first_s) {
            self.first_s = other.first_s;
        }
        self.last_s = self.last_s.max(other.last_s);
        self.calls += other.calls;
        self.callers.merge(other.callers);
    }

    fn is_enough(&self, thresholds: &Thresholds) -> bool {
        self.calls >= thresholds.calls || self.callers.count() >= thresholds.callers
    }
}

/// Named values: a query, or a form.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Names {
    known: BTreeMap<String, Named>,
    /// There were more names than are kept, or such as nobody gives a parameter.
    more: bool,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Named {
    /// Calls that had it.
    calls: u64,
    repeated: bool,
    values: Values,
}

impl Names {
    fn add(&mut self, text: &str, caller: u64, parts: &mut usize) {
        let mut counts: BTreeMap<String, u64> = BTreeMap::new();
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (name, value) = (decoded(name), decoded(value));
            let is_new = !self.known.contains_key(&name);
            let has_room = self.known.len() < NAMES_MAX && *parts < PARTS_MAX;
            if !is_name(&name) || (is_new && !has_room) {
                self.more = true;
                continue;
            }
            *parts += usize::from(is_new);
            let named = self.known.entry(name.clone()).or_default();
            named.values.add(&name, &value, caller);
            let count = counts.entry(name).or_default();
            *count += 1;
            named.calls += u64::from(*count == 1);
            named.repeated |= *count > 1;
        }
    }

    fn merge(&mut self, other: Self) {
        self.more |= other.more;
        for (name, named) in other.known {
            if self.known.len() >= NAMES_MAX && !self.known.contains_key(&name) {
                self.more = true;
                continue;
            }
            let own = self.known.entry(name).or_default();
            own.calls += named.calls;
            own.repeated |= named.repeated;
            own.values.merge(named.values);
        }
    }

    /// What may be written to a disk.
    fn scrub(&mut self, thresholds: &Thresholds) {
        let before = self.known.len();
        self.known.retain(|_, named| named.calls >= thresholds.calls);
        self.more |= self.known.len() < before;
        self.known.values_mut().for_each(|named| named.values.scrub());
    }
}

/// Bodies of one media type.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Bodies {
    count: u64,
    bytes_max: u64,
    /// How many of them were kept whole, and read.
    read: u64,
    json: Option<Shape>,
    form: Option<Names>,
}

impl Bodies {
    fn add(&mut self, payload: &Payload, caller: u64, parts: &mut usize) {
        self.count += 1;
        self.bytes_max = self.bytes_max.max(payload.bytes);
        let Some(sample) = &payload.sample else { return };
        if payload.media == FORM {
            let Ok(text) = std::str::from_utf8(sample) else { return };
            self.form.get_or_insert_default().add(text, caller, parts);
            self.read += 1;
        } else if is_json(&payload.media) {
            let bounds = crate::schema::intake::Bounds::default();
            let Ok(value) = crate::schema::intake::read(sample, &bounds) else { return };
            self.json.get_or_insert_default().add("", &value.to_json(), caller, 0, parts);
            self.read += 1;
        }
    }

    fn merge(&mut self, other: Self) {
        self.count += other.count;
        self.read += other.read;
        self.bytes_max = self.bytes_max.max(other.bytes_max);
        if let Some(shape) = other.json {
            self.json.get_or_insert_default().merge(shape);
        }
        if let Some(names) = other.form {
            self.form.get_or_insert_default().merge(names);
        }
    }

    fn scrub(&mut self, thresholds: &Thresholds) {
        if let Some(shape) = &mut self.json {
            shape.scrub(thresholds);
        }
        if let Some(names) = &mut self.form {
            names.scrub(thresholds);
        }
    }
}

const FORM: &str = "application/x-www-form-urlencoded";

/// One method at one place of the tree.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Calls {
    seen: Seen,
    apps: BTreeSet<String>,
    anonymous: bool,
    query: Names,
    /// By media type.
    bodies: BTreeMap<String, Bodies>,
    /// Calls that had a body.
    with_body: u64,
    /// By status and media type, which is empty where there was no body.
    answers: BTreeMap<u16, BTreeMap<String, Bodies>>,
    /// A bound was reached.
    more: bool,
}

impl Calls {
    fn add(&mut self, seen: &Observation, parts: &mut usize) {
        self.seen.add(seen);
        match &seen.app {
            Some(app) if self.apps.len() < APPS_MAX => drop(self.apps.insert(app.clone())),
            Some(_) => {}
            None => self.anonymous = true,
        }
        self.query.add(&seen.query, seen.caller, parts);
        if let Some(body) = &seen.request {
            self.with_body += 1;
            match kind(&mut self.bodies, &body.media, parts) {
                Some(bodies) => bodies.add(body, seen.caller, parts),
                None => self.more = true,
            }
        }
        if !self.answers.contains_key(&seen.status) && self.answers.len() >= KINDS_MAX {
            self.more = true;
            return;
        }
        let answers = self.answers.entry(seen.status).or_default();
        let none = Payload::default();
        let answer = seen.answer.as_ref().unwrap_or(&none);
        match kind(answers, &answer.media, parts) {
            Some(bodies) => bodies.add(answer, seen.caller, parts),
            None => self.more = true,
        }
    }

    fn merge(&mut self, other: Self) {
        self.seen.merge(other.seen);
        self.apps.extend(other.apps);
        while self.apps.len() > APPS_MAX {
            self.apps.pop_last();
        }
        self.anonymous |= other.anonymous;
        self.query.merge(other.query);
        self.with_body += other.with_body;
        self.more |= other.more;
        merge_kinds(&mut self.bodies, other.bodies, &mut self.more);
        for (status, kinds) in other.answers {
            if self.answers.len() < KINDS_MAX || self.answers.contains_key(&status) {
                merge_kinds(self.answers.entry(status).or_default(), kinds, &mut self.more);
            }
        }
    }

    fn scrub(&mut self, thresholds: &Thresholds) {
        self.seen.callers.before = self.seen.callers.count();
        self.query.scrub(thresholds);
        let answers = self.answers.values_mut().flat_map(BTreeMap::values_mut);
        self.bodies.values_mut().chain(answers).for_each(|bodies| bodies.scrub(thresholds));
    }
}

type Kinds = BTreeMap<String, Bodies>;

/// The place of a media type, if there is room for it.
fn kind<'k>(kinds: &'k mut Kinds, media: &str, parts: &mut usize) -> Option<&'k mut Bodies> {
    if !kinds.contains_key(media) {
        if kinds.len() >= KINDS_MAX || *parts >= PARTS_MAX || !is_media(media) {
            return None;
        }
        *parts += 1;
    }
    Some(kinds.entry(media.to_owned()).or_default())
}

fn merge_kinds(own: &mut Kinds, other: Kinds, more: &mut bool) {
    for (media, bodies) in other {
        if own.len() < KINDS_MAX || own.contains_key(&media) {
            own.entry(media).or_default().merge(bodies);
        } else {
            *more = true;
        }
    }
}

fn is_media(media: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"/+.-_".contains(&byte);
    media.is_empty()
        || (media.len() <= NAME_CHARS && media.contains('/') && media.bytes().all(allowed))
}

fn is_json(media: &str) -> bool {
    media == "application/json" || media.ends_with("+json")
}

/// Whether a text is what programmers call a parameter or a member. What is not may be somebody's name or address.
fn is_name(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_-.$[]".contains(c);
    name.chars().count() <= NAME_CHARS
        && name.starts_with(|c: char| c.is_ascii_alphabetic() || matches!(c, '_' | '$'))
        && name.chars().all(allowed)
        && values::Kind::of(name).is_none()
}

fn decoded(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let digit = |at: usize| after.get(at).and_then(|byte| char::from(*byte).to_digit(16));
        match (first, digit(0), digit(1)) {
            (b'%', Some(high), Some(low)) => {
                out.push(u8::try_from(high << 4 | low).unwrap_or(b'%'));
                rest = &after[2..];
            }
            _ => {
                out.push(if first == b'+' { b' ' } else { first });
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// What was learned of one service.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Learned {
    /// Of the form of this.
    version: u32,
    calls: u64,
    root: Node,
    /// Of all that is kept.
    parts: usize,
    /// Calls that were left out because their path is too deep, or a bound was reached.
    left_out: u64,
}

/// The version of the form that is remembered.
const VERSION: u32 = 1;

impl Default for Learned {
    fn default() -> Self {
        Self { version: VERSION, calls: 0, root: Node::default(), parts: 0, left_out: 0 }
    }
}

impl Learned {
    /// Nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// What was remembered, if this version can read it.
    #[must_use]
    pub fn remembered(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok().filter(|learned: &Self| learned.version == VERSION)
    }

    /// What is to be remembered: without anything that could be somebody's value, so that what was seen
    /// seldom begins anew after a restart.
    #[must_use]
    pub fn to_remember(&self, thresholds: &Thresholds) -> String {
        let mut scrubbed = self.clone();
        scrubbed.root.scrub(thresholds);
        serde_json::to_string(&scrubbed).unwrap_or_default()
    }

    /// How many calls were looked at.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.calls
    }

    /// Looks at one call.
    pub fn observe(&mut self, seen: &Observation) {
        const METHODS: &[&str] = &["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
        self.calls += 1;
        let is_good = (200..400).contains(&seen.status) && METHODS.contains(&&*seen.method);
        // What was not answered well leaves no trace: it takes no room from what was.
        let place =
            is_good.then(|| self.root.place(&seen.path, seen.caller, &mut self.parts)).flatten();
        let Some(place) = place else {
            self.left_out += 1;
            return;
        };
        // Whoever answers GET answers HEAD.
        let method = if seen.method == "HEAD" { "GET" } else { &seen.method };
        if !place.operations.contains_key(method) {
            if self.parts >= PARTS_MAX {
                self.left_out += 1;
                return;
            }
            self.parts += 1;
        }
        place.operations.entry(method.to_owned()).or_default().add(seen, &mut self.parts);
    }

    /// The contract, as YAML.
    #[must_use]
    pub fn propose(&self, service: &str, thresholds: &Thresholds) -> String {
        propose::contract(self, service, thresholds)
    }
}

#[cfg(test)]
mod tests;
