//! The fields of a line that a document has chosen, compiled.

use portway_model::{LOG_FIELDS, LogField};

/// What stands in a line, in order.
#[derive(Debug, Clone)]
pub struct LogFields {
    pub(super) entries: Box<[Entry]>,
    /// Where the values of headers and parameters come from, in the order of their entries.
    wanted: Box<[Wanted]>,
    wants_answer: bool,
}

/// One field.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    /// `,"name":`
    pub(super) key: Box<[u8]>,
    pub(super) value: Value,
}

/// What a field shows.
#[derive(Debug, Clone, Copy)]
pub(super) enum Value {
    /// The field of [`LOG_FIELDS`] at this place.
    Known(u8),
    /// The value of this number among those that were gathered.
    Gathered(u8),
}

/// Where a value is found.
#[derive(Debug, Clone)]
pub enum Wanted {
    /// A header field of the request, lower case.
    Header(Box<str>),
    /// A query parameter.
    Query(Box<str>),
    /// A header field of the backend's answer, lower case.
    Answer(Box<str>),
}

impl LogFields {
    /// The most headers and parameters of a line.
    pub const WANTED_MAX: usize = 32;

    /// From a document's list. Nothing where it is empty: a line has every field then. What is no field was refused
    /// when the document was checked, and is left out here.
    pub fn new(chosen: &[String]) -> Option<Self> {
        if chosen.is_empty() {
            return None;
        }
        let (mut entries, mut wanted) = (Vec::new(), Vec::new());
        for text in chosen {
            let Some(field) = LogField::parse(text) else { continue };
            let source = match field {
                LogField::Known(_) => None,
                LogField::Header(name) => Some(Wanted::Header(name.to_ascii_lowercase().into())),
                LogField::Query(name) => Some(Wanted::Query(name.into())),
                LogField::Answer(name) => Some(Wanted::Answer(name.to_ascii_lowercase().into())),
            };
            let value = match (field, source) {
                (LogField::Known(place), _) => Value::Known(place as u8),
                (_, Some(source)) if wanted.len() < Self::WANTED_MAX => {
                    wanted.push(source);
                    Value::Gathered(wanted.len() as u8 - 1)
                }
                _ => continue,
            };
            // Names of fields hold nothing that JSON escapes.
            entries.push(Entry { key: format!(",\"{text}\":").into_bytes().into(), value });
        }
        let wants_answer = wanted.iter().any(|one| matches!(one, Wanted::Answer(_)));
        Some(Self { entries: entries.into(), wanted: wanted.into(), wants_answer })
    }

    /// Where the values of headers and parameters come from.
    pub fn wanted(&self) -> &[Wanted] {
        &self.wanted
    }

    /// Whether anything is wanted of the backend's answer.
    pub fn wants_answer(&self) -> bool {
        self.wants_answer
    }
}

const _: () = assert!(LOG_FIELDS.len() < u8::MAX as usize);
