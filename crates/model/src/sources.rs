//! Where each thing of the merged document was written.
//!
//! Keeps the texts, and works out places only when asked: a document that is right never pays for them.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::OnceLock;

use crate::place::{At, Place, Spot, line_starts};
use crate::syntax::{self, Format};
use crate::{Diagnostic, Location, Severity, path};

/// The texts that a document was read from.
#[derive(Default)]
pub struct Sources {
    pub(crate) units: Vec<Unit>,
    /// Which unit each service, app and plan stands in: section, then name.
    pub(crate) owners: BTreeMap<&'static str, HashMap<String, usize>>,
    /// Which unit the gateway stands in.
    pub(crate) gateway: Option<usize>,
    /// Unit of each entry of the merged `include`, and its index there.
    pub(crate) includes: Vec<(usize, usize)>,
    /// Literals that stand where no secret may stand: no line with one of them is shown as it is.
    pub(crate) literals: Vec<String>,
}

/// One text, or the settings that came from outside of any text.
#[derive(Default)]
pub(crate) struct Unit {
    pub(crate) name: String,
    pub(crate) text: String,
    pub(crate) format: Option<Format>,
    /// Pointers that an environment variable or flag has set, and which.
    pub(crate) origins: BTreeMap<String, String>,
    /// Whether the text could not be read, so that nobody knows what on a line is a secret.
    pub(crate) is_broken: bool,
    pub(crate) places: OnceLock<Place>,
    pub(crate) line_starts: OnceLock<Vec<usize>>,
}

impl fmt::Debug for Sources {
    /// Names only: the texts may hold what should not be in a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.units.iter().map(|unit| &unit.name)).finish()
    }
}

impl Unit {
    /// Where the thing stands that `pointer` points to in this unit's own document.
    pub(crate) fn locate(&self, pointer: &str, at: At) -> Location {
        let Some(format) = self.format.filter(|_| self.origin(pointer).is_none()) else {
            return Location { file: self.file_of(pointer), line: 0, column: 0 };
        };
        self.at(self.places.get_or_init(|| syntax::places(&self.text, format)).find(pointer, at))
    }

    /// The file, or what else it came from.
    fn file_of(&self, pointer: &str) -> String {
        match self.origin(pointer) {
            Some(origin) => origin.to_owned(),
            None if self.format.is_some() => self.name.clone(),
            None => self.origins.values().next().cloned().unwrap_or_default(),
        }
    }

    /// What has set this, or something around it, from outside of the text.
    fn origin(&self, pointer: &str) -> Option<&str> {
        if self.origins.is_empty() {
            return None;
        }
        let mut around = pointer;
        loop {
            if let Some(origin) = self.origins.get(around) {
                return Some(origin);
            }
            around = &around[..around.rfind('/')?];
        }
    }

    pub(crate) fn at(&self, spot: Spot) -> Location {
        Location { file: self.name.clone(), line: spot.line, column: spot.column }
    }

    fn line(&self, number: u32) -> Option<&str> {
        let starts = self.line_starts.get_or_init(|| line_starts(&self.text));
        let index = (number as usize).checked_sub(1)?;
        let start = *starts.get(index)?;
        let end = starts.get(index + 1).map_or(self.text.len(), |next| next - 1);
        Some(self.text.get(start..end)?.trim_end_matches('\r').trim_start_matches('\u{feff}'))
    }
}

impl Sources {
    /// Where a thing of the merged document stands: the value of a plain thing, the key of one that has
    /// others in it. Where `pointer` (RFC 6901) points to nothing, the nearest thing around it.
    pub fn locate(&self, pointer: &str) -> Location {
        self.locate_at(pointer, At::Thing)
    }

    /// The same, but always the key.
    pub fn locate_key(&self, pointer: &str) -> Location {
        self.locate_at(pointer, At::Key)
    }

    /// The file that a thing of the merged document stands in. Costs nothing, where a place costs going through the
    /// text of that file.
    pub fn file_of(&self, pointer: &str) -> String {
        let (unit, pointer) = self.unit_of(pointer);
        self.units.get(unit).map_or_else(String::new, |unit| unit.file_of(&pointer))
    }

    fn locate_at(&self, pointer: &str, at: At) -> Location {
        let (unit, pointer) = self.unit_of(pointer);
        self.units.get(unit).map_or_else(Location::default, |unit| unit.locate(&pointer, at))
    }

    /// Which unit a thing stands in, and where in that unit's own document.
    fn unit_of(&self, pointer: &str) -> (usize, String) {
        let mut steps = path::steps(pointer);
        let (section, name) = (steps.next().unwrap_or_default(), steps.next());
        match (section.as_str(), name) {
            ("gateway", _) => (self.gateway.unwrap_or(0), pointer.to_owned()),
            ("include", Some(index)) => {
                match index.parse::<usize>().ok().and_then(|index| self.includes.get(index)) {
                    Some((unit, own)) => (*unit, format!("/include/{own}")),
                    None => (0, "/include".to_owned()),
                }
            }
            (section, Some(name)) => {
                let owner = self.owners.get(section).and_then(|names| names.get(&name));
                (owner.copied().unwrap_or(0), pointer.to_owned())
            }
            (_, None) => (0, pointer.to_owned()),
        }
    }

    /// A diagnostic about a thing of the merged document.
    pub fn diagnostic(
        &self,
        severity: Severity,
        code: &'static str,
        pointer: impl Into<String>,
        message: impl Into<String>,
        fix: impl Into<String>,
    ) -> Diagnostic {
        let pointer = pointer.into();
        let location = self.locate(&pointer);
        Diagnostic { severity, code, location, pointer, message: message.into(), fix: fix.into() }
    }

    /// The line at a location as it may be shown: what is, or may be, a secret is masked. `None` if there is no
    /// such line, or if it is better not shown.
    pub fn line_text(&self, location: &Location) -> Option<String> {
        let unit =
            self.units.iter().find(|unit| unit.format.is_some() && unit.name == location.file)?;
        let line = unit.line(location.line)?;
        let is_hidden = line.len() > SHOWN_BYTES_MAX
            || (unit.is_broken && may_hold_secret(line))
            || self.literals.len() >= LITERALS_MAX
            || (!self.literals.is_empty() && has_escapes(line));
        if is_hidden { None } else { Some(self.masked(line)) }
    }

    fn masked(&self, line: &str) -> String {
        // A text that goes over several lines is on none of them as a whole: its words are hidden too.
        const WORD_BYTES_MIN: usize = 3;
        let mut line = line.to_owned();
        for literal in &self.literals {
            let words = literal.split_whitespace().filter(|word| word.len() >= WORD_BYTES_MIN);
            for part in std::iter::once(literal.trim()).chain(words).filter(|part| !part.is_empty())
            {
                if line.contains(part) {
                    line = line.replace(part, &mask(part));
                }
            }
        }
        mask_hashes(&line)
    }
}

/// Longer lines are not shown: nobody reads them, and looking through them costs.
const SHOWN_BYTES_MAX: usize = 16 << 10;

/// With more literals than this, no line is shown at all.
pub(crate) const LITERALS_MAX: usize = 1_000;

/// Whether a line may write a text in another way than it reads.
fn has_escapes(line: &str) -> bool {
    line.contains('\\') || line.contains("''")
}

/// As wide as what it hides, so that the columns after it still fit.
fn mask(text: &str) -> String {
    "•".repeat(text.chars().count())
}

/// Hides what looks like the hash of a key.
fn mask_hashes(line: &str) -> String {
    const HASH_DIGITS_MIN: usize = 32;
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(rest.len());
        let (run, after) = rest.split_at(end);
        if run.len() >= HASH_DIGITS_MIN {
            out.push_str(&mask(run))
        } else {
            out.push_str(run)
        }
        let next = after.find(|c: char| c.is_ascii_hexdigit()).unwrap_or(after.len());
        out.push_str(&after[..next]);
        rest = &after[next..];
    }
    out
}

/// Whether a line of a text that cannot be read may hold a secret.
fn may_hold_secret(line: &str) -> bool {
    let line = line.to_ascii_lowercase();
    ["bearer", "password", "secret", "token", "value", "sha256", "key", "credential"]
        .iter()
        .any(|word| line.contains(word))
}
