//! Answers made from a contract alone: its examples as they are written, else values made from its schemas.
//!
//! Made once for each operation; an answer is then worked out per call, within the bounds of
//! [`crate::schema::Schemas::make`], and is the same for the same question. What cannot be made is said, never
//! guessed: XML comes from examples only, and so does everything else whose bytes no schema describes.

pub mod accept;
mod answer;
pub mod prefer;
mod source;

use std::sync::Arc;

use serde_json::Value;

use crate::contract::{Contract, Operation, StatusKey};
use crate::schema::{Builder, Direction, Finding, SchemaId, Schemas};

pub use answer::{Asked, Made, Unanswered};

/// The answers of one operation.
#[derive(Debug)]
pub struct Mock {
    schemas: Arc<Schemas>,
    /// By status, in the order of the contract.
    answers: Box<[(StatusKey, Answer)]>,
}

/// One of the answers.
#[derive(Debug)]
struct Answer {
    contents: Box<[Content]>,
    headers: Box<[Header]>,
}

/// A body in one media type.
#[derive(Debug)]
struct Content {
    /// As it is sent: a range is replaced by a type that is in it.
    media_type: Box<str>,
    kind: Kind,
    examples: Box<[Example]>,
    schema: Option<SchemaId>,
    /// The schema is that of one item of a stream.
    of_items: bool,
}

/// How values become bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Json,
    /// A value of JSON in each line.
    Lines,
    /// Server-sent events.
    Events,
    Form,
    Xml,
    /// Texts as they are.
    Other,
}

/// An example that the contract gives.
#[derive(Debug)]
struct Example {
    /// Empty for the only one.
    name: Box<str>,
    value: Arc<Value>,
    /// It is bytes already, whatever the media type is.
    is_written: bool,
}

/// A header of an answer.
#[derive(Debug)]
struct Header {
    name: Box<str>,
    example: Option<Arc<Value>>,
    schema: Option<SchemaId>,
}

/// Examples that break their schema are told up to this number.
const TOLD_MAX: usize = 20;

/// Makes mocks of the operations that are wanted, all over the same schemas. Examples that break their schema are
/// found; they are answers all the same.
#[must_use]
pub fn compile(
    contract: &Contract,
    wanted: impl Fn(&Operation) -> bool,
) -> (Vec<Option<Mock>>, Vec<Finding>) {
    let mut source = source::Source::new(contract);
    let mut builder = Builder::of_contract(contract).towards(Direction::Answer).with_hints();
    let mut made = Vec::with_capacity(contract.operations.len());
    for operation in &contract.operations {
        made.push(wanted(operation).then(|| source.answers(operation, &mut builder)));
    }
    let (schemas, _) = builder.finish();
    let schemas = Arc::new(schemas);
    let mut findings = Vec::new();
    let mut all = Vec::with_capacity(made.len());
    for (operation, answers) in contract.operations.iter().zip(made) {
        all.push(answers.map(|answers| {
            let mock = Mock { schemas: Arc::clone(&schemas), answers };
            mock.judge_examples(operation, &mut findings);
            mock
        }));
    }
    (all, findings)
}

impl Mock {
    fn judge_examples(&self, operation: &Operation, findings: &mut Vec<Finding>) {
        for (status, answer) in &self.answers {
            for content in &answer.contents {
                let Some(schema) = content.schema.filter(|_| content.kind == Kind::Json) else {
                    continue;
                };
                for example in content.examples.iter().filter(|example| !example.is_written) {
                    if findings.len() >= TOLD_MAX {
                        return;
                    }
                    let Some(problem) = self.first_problem(schema, &example.value) else {
                        continue;
                    };
                    let name = match &*example.name {
                        "" => String::new(),
                        name => format!(" `{}`", name.chars().take(60).collect::<String>()),
                    };
                    findings.push(Finding {
                        document: operation.document,
                        message: format!(
                            "the example{name} of the answer {status} of `{}` breaks its schema ({problem}); it is answered as it is written",
                            operation.id
                        ),
                    });
                }
            }
        }
    }

    fn first_problem(&self, schema: SchemaId, value: &Value) -> Option<String> {
        let crate::schema::Verdict::Invalid(problems) =
            self.schemas.check(schema, &value.into(), 0)
        else {
            return None;
        };
        let problem = problems.first()?;
        let place = if problem.pointer.is_empty() { "the whole" } else { &problem.pointer };
        Some(format!("{place} {}", problem.detail))
    }
}

#[cfg(test)]
mod tests;
