//! What values are like, without the values.
//!
//! Kept are kinds, lengths and which signs were seen. Values themselves are candidates for an enumeration only while
//! there are at most eight, all of them short words of letters; they are written once each was seen five times and by
//! two callers, and never for a parameter whose name says that it is about a person, a secret or an address.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::Callers;
use crate::dispatch::{is_date, is_uuid};

/// The most values of an enumeration.
const WORDS_MAX: usize = 8;
/// The most characters of one.
const WORD_CHARS: usize = 20;
/// So many values show what is usual.
const USUAL: u64 = 10;
/// How often each must have been seen, and by how many.
const WORD_SEEN: u64 = 5;
const WORD_CALLERS: u64 = 2;

/// Parts of names whose values are nobody's business.
const PRIVATE: &[&str] = &[
    "addr",
    "auth",
    "birth",
    "card",
    "city",
    "code",
    "cookie",
    "credential",
    "csrf",
    "email",
    "firm",
    "first",
    "hash",
    "iban",
    "key",
    "last",
    "login",
    "mail",
    "name",
    "nick",
    "nonce",
    "owner",
    "pass",
    "person",
    "phone",
    "pin",
    "pwd",
    "secret",
    "session",
    "sid",
    "sign",
    "ssn",
    "street",
    "token",
    "user",
];

/// What a value that is not a word is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Integer,
    Uuid,
    Date,
    /// A hash, a token, a number of an order, a mail address, a text: whatever no programmer names a thing.
    Other,
}

impl Kind {
    /// The kind of a segment of a path; nothing if it is a word.
    pub(super) fn of(text: &str) -> Option<Self> {
        const DIGITS: usize = 4;
        const WORD_BYTES: usize = 40;
        if text.is_empty() {
            return None;
        }
        if is_integer(text) {
            return Some(Self::Integer);
        }
        if is_uuid(text) {
            return Some(Self::Uuid);
        }
        if is_date(text) {
            return Some(Self::Date);
        }
        let digits = text.bytes().filter(u8::is_ascii_digit).count();
        let letters = text.bytes().filter(u8::is_ascii_alphabetic).count();
        let is_plain = text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.~$[]".contains(&b));
        let mixes_case = text.len() >= 16
            && text.bytes().filter(u8::is_ascii_uppercase).count() >= 3
            && text.bytes().filter(u8::is_ascii_lowercase).count() >= 3
            && digits >= 1;
        let is_value =
            !is_plain || digits >= DIGITS || letters == 0 || text.len() > WORD_BYTES || mixes_case;
        is_value.then_some(Self::Other)
    }
}

/// As JSON writes it, so that a contract reads it as a number.
fn is_integer(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    (1..=18).contains(&digits.len())
        && digits.bytes().all(|byte| byte.is_ascii_digit())
        && (digits == "0" || !digits.starts_with('0'))
        && text != "-0"
}

fn is_number(text: &str) -> bool {
    text.len() <= 32
        && text.starts_with(|c: char| c == '-' || c.is_ascii_digit())
        && matches!(serde_json::from_str::<Value>(text), Ok(Value::Number(_)))
}

/// What is known of values.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Values {
    count: u64,
    empty: u64,
    integers: u64,
    numbers: u64,
    booleans: u64,
    uuids: u64,
    dates: u64,
    is_negative: bool,
    /// The most digits of an integer.
    digits: u32,
    chars_min: u64,
    chars_max: u64,
    digit: bool,
    letter: bool,
    space: bool,
    /// Letters outside of ASCII.
    foreign: bool,
    /// Signs of ASCII, each once.
    signs: String,
    /// Anything else.
    other: bool,
    /// Candidates for an enumeration; `None` once it is known that there is none.
    words: Option<BTreeMap<String, Word>>,
    /// Values that are unlike the others, or look like an attack, as long as one caller alone sent such.
    odd: Option<Box<Odd>>,
}

/// Values of one caller.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Odd {
    /// Nothing after a restart: then whoever comes next counts as the same.
    #[serde(skip)]
    caller: Option<u64>,
    values: Values,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Word {
    count: u64,
    callers: Callers,
}

impl Default for Values {
    fn default() -> Self {
        Self {
            count: 0,
            empty: 0,
            integers: 0,
            numbers: 0,
            booleans: 0,
            uuids: 0,
            dates: 0,
            is_negative: false,
            digits: 0,
            chars_min: u64::MAX,
            chars_max: 0,
            digit: false,
            letter: false,
            space: false,
            foreign: false,
            signs: String::new(),
            other: false,
            words: Some(BTreeMap::new()),
            odd: None,
        }
    }
}

impl Values {
    /// Looks at a value of that name. One that is odd counts only once two callers have sent such.
    pub(super) fn add(&mut self, name: &str, value: &str, caller: u64) {
        if !self.is_odd(value) {
            return self.take(name, value, caller);
        }
        let odd = self
            .odd
            .get_or_insert_with(|| Box::new(Odd { caller: Some(caller), values: Self::default() }));
        odd.values.take(name, value, caller);
        if *odd.caller.get_or_insert(caller) != caller
            && let Some(odd) = self.odd.take()
        {
            self.merge(odd.values);
        }
    }

    /// Whether a value has signs that attacks are made of, or is far from what was seen so far.
    fn is_odd(&self, value: &str) -> bool {
        const SIGNS: &str = "'\"<>;\\`|{}$()=%";
        let is_risky = value.contains(|c: char| {
            SIGNS.contains(c) || (c.is_control() && !matches!(c, '\t' | '\r' | '\n'))
        });
        // As it was allowed once, it is like the others.
        let is_known = value.chars().all(|c| !SIGNS.contains(c) || self.signs.contains(c));
        if (is_risky && !is_known) || value.contains("..") || value.contains("--") {
            return true;
        }
        let (all, is_integer) = (self.count, is_integer(value));
        if all < USUAL {
            return false;
        }
        let digits = value.trim_start_matches('-').len() as u64;
        let is_far = value.chars().count() as u64 > self.chars_max.saturating_mul(4).max(16);
        let unlike_integers = all == self.integers
            && (!is_integer
                || (value.starts_with('-') && !self.is_negative)
                || digits > u64::from(self.digits) + 2);
        let unlike_kind = (all == self.uuids && !is_uuid(value))
            || (all == self.dates && !is_date(value))
            || (all == self.booleans && !matches!(value, "true" | "false"));
        is_far || unlike_integers || unlike_kind
    }

    fn take(&mut self, name: &str, value: &str, caller: u64) {
        self.count += 1;
        self.empty += u64::from(value.is_empty());
        self.booleans += u64::from(matches!(value, "true" | "false"));
        self.uuids += u64::from(is_uuid(value));
        self.dates += u64::from(is_date(value));
        if is_integer(value) {
            self.integer(value.starts_with('-'), value.trim_start_matches('-').len());
        } else {
            self.numbers += u64::from(is_number(value));
        }
        let mut chars = 0;
        for c in value.chars() {
            chars += 1;
            match c {
                '0'..='9' => self.digit = true,
                'a'..='z' | 'A'..='Z' => self.letter = true,
                ' ' | '\t' | '\r' | '\n' => self.space = true,
                '!'..='~' if self.signs.contains(c) => {}
                '!'..='~' => self.signs.push(c),
                c if c.is_alphabetic() => self.foreign = true,
                _ => self.other = true,
            }
        }
        self.chars_min = self.chars_min.min(chars);
        self.chars_max = self.chars_max.max(chars);
        self.word(name, value, caller);
    }

    fn integer(&mut self, is_negative: bool, digits: usize) {
        self.integers += 1;
        self.is_negative |= is_negative;
        self.digits = self.digits.max(u32::try_from(digits).unwrap_or(u32::MAX));
    }

    /// Looks at a number of JSON.
    pub(super) fn add_number(&mut self, number: &serde_json::Number) {
        self.count += 1;
        let text = number.to_string();
        if is_integer(&text) {
            self.integer(text.starts_with('-'), text.trim_start_matches('-').len());
        } else {
            self.numbers += 1;
        }
    }

    fn word(&mut self, name: &str, value: &str, caller: u64) {
        let Some(words) = &mut self.words else { return };
        let is_word = (1..=WORD_CHARS).contains(&value.len())
            && value.starts_with(|c: char| c.is_ascii_alphabetic())
            && value.bytes().all(|byte| byte.is_ascii_alphabetic() || matches!(byte, b'_' | b'-'));
        let lower = name.to_ascii_lowercase();
        let is_private = PRIVATE.iter().any(|part| lower.contains(part));
        let has_room = words.len() < WORDS_MAX || words.contains_key(value);
        if !is_word || is_private || !has_room {
            self.words = None;
            return;
        }
        let word = words.entry(value.to_owned()).or_default();
        word.count += 1;
        word.callers.add(caller);
    }

    pub(super) fn merge(&mut self, other: Self) {
        self.count += other.count;
        self.empty += other.empty;
        self.integers += other.integers;
        self.numbers += other.numbers;
        self.booleans += other.booleans;
        self.uuids += other.uuids;
        self.dates += other.dates;
        self.is_negative |= other.is_negative;
        self.digits = self.digits.max(other.digits);
        self.chars_min = self.chars_min.min(other.chars_min);
        self.chars_max = self.chars_max.max(other.chars_max);
        self.digit |= other.digit;
        self.letter |= other.letter;
        self.space |= other.space;
        self.foreign |= other.foreign;
        self.other |= other.other;
        for sign in other.signs.chars() {
            if !self.signs.contains(sign) {
                self.signs.push(sign);
            }
        }
        // Of two that are unlike the others, each tells that the other is not alone.
        match (self.odd.take(), other.odd) {
            (Some(own), Some(odd)) if own.caller != odd.caller => {
                self.merge(own.values);
                self.merge(odd.values);
            }
            (Some(mut own), Some(odd)) => {
                own.values.merge(odd.values);
                self.odd = Some(own);
            }
            (own, odd) => self.odd = own.or(odd),
        }
        self.words = match (self.words.take(), other.words) {
            (Some(mut own), Some(words)) => {
                for (word, seen) in words {
                    let own = own.entry(word).or_default();
                    own.count += seen.count;
                    own.callers.merge(seen.callers);
                }
                Some(own).filter(|own| own.len() <= WORDS_MAX)
            }
            _ => None,
        };
    }

    /// Forgets words that may be somebody's.
    pub(super) fn scrub(&mut self) {
        if !self.has_words() {
            self.words = None;
        }
        if let Some(odd) = &mut self.odd {
            odd.values.scrub();
        }
        for word in self.words.iter_mut().flat_map(BTreeMap::values_mut) {
            word.callers.before = word.callers.count();
        }
    }

    fn has_words(&self) -> bool {
        self.words.as_ref().is_some_and(|words| {
            let is_seen =
                |word: &Word| word.count >= WORD_SEEN && word.callers.count() >= WORD_CALLERS;
            !words.is_empty() && words.values().all(is_seen)
        })
    }

    /// The schema of a text that stands in a path, a query or a form: it may mean a number.
    pub(super) fn schema(&self) -> Value {
        let schema = match (self.count, &self.odd) {
            (0, Some(odd)) => return odd.values.schema(),
            (0, None) => json!({}),
            (all, _) if all == self.integers => self.integer_schema(),
            (all, _) if all == self.integers + self.numbers => json!({ "type": "number" }),
            (all, _) if all == self.booleans => json!({ "type": "boolean" }),
            _ => self.plain_schema(),
        };
        self.marked(schema)
    }

    /// With how many values are not covered.
    fn marked(&self, mut schema: Value) -> Value {
        if let (Some(odd), Value::Object(members)) = (&self.odd, &mut schema) {
            members.insert("x-portway-odd".to_owned(), json!(odd.values.count));
        }
        schema
    }

    /// The schema of a text of JSON.
    pub(super) fn text_schema(&self) -> Value {
        match (self.count, &self.odd) {
            (0, Some(odd)) => odd.values.text_schema(),
            _ => self.marked(self.plain_schema()),
        }
    }

    /// The schema of a number of JSON.
    pub(super) fn number_schema(&self) -> Value {
        if self.numbers == 0 { self.integer_schema() } else { json!({ "type": "number" }) }
    }

    /// With room for one digit more than was seen.
    fn integer_schema(&self) -> Value {
        let most = 10_i64.checked_pow(self.digits + 1).map(|power| power - 1);
        let mut schema = Map::new();
        schema.insert("type".to_owned(), json!("integer"));
        if !self.is_negative {
            schema.insert("minimum".to_owned(), json!(0));
        }
        if let Some(most) = most.filter(|most| *most < 1 << 53) {
            schema.insert("maximum".to_owned(), json!(most));
        }
        Value::Object(schema)
    }

    fn plain_schema(&self) -> Value {
        if self.has_words()
            && let Some(words) = &self.words
        {
            return json!({ "type": "string", "enum": words.keys().collect::<Vec<_>>() });
        }
        if self.count == self.uuids {
            const UUID: &str = "^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$";
            return json!({ "type": "string", "format": "uuid", "pattern": UUID });
        }
        if self.count == self.dates {
            const DATE: &str = "^[0-9]{4}-[0-9]{2}-[0-9]{2}$";
            return json!({ "type": "string", "format": "date", "pattern": DATE });
        }
        let mut schema = Map::new();
        schema.insert("type".to_owned(), json!("string"));
        if self.empty == 0 && self.count > 0 {
            schema.insert("minLength".to_owned(), json!(1));
        }
        // Rounded up, so that lengths tell nothing of who sent them, and to leave room.
        let most = (self.chars_max.saturating_mul(2)).max(16).checked_next_power_of_two();
        if let Some(most) = most {
            schema.insert("maxLength".to_owned(), json!(most));
        }
        if let Some(pattern) = self.pattern() {
            schema.insert("pattern".to_owned(), json!(pattern));
        }
        Value::Object(schema)
    }

    /// The kinds of signs that were seen.
    fn pattern(&self) -> Option<String> {
        if self.other {
            return None;
        }
        let mut class = String::new();
        for (is_there, part) in [
            (self.letter, "A-Za-z"),
            (self.digit, "0-9"),
            (self.foreign, r"\p{L}\p{M}"),
            (self.space, r"\s"),
        ] {
            class.push_str(if is_there { part } else { "" });
        }
        let mut signs: Vec<char> = self.signs.chars().collect();
        signs.sort_unstable();
        for sign in signs {
            if r"\]^-[/".contains(sign) {
                class.push('\\');
            }
            class.push(sign);
        }
        (!class.is_empty()).then(|| format!("^[{class}]*$"))
    }
}
