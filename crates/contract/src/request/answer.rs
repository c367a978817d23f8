//! What the answers of an operation must be like to keep its contract: status, media type, headers, body.
//!
//! Made of the same parts as what calls are checked for, over schemas of their own: what is `readOnly` may be required
//! here, and what is `writeOnly` is not. Answers are judged after the fact, so nothing is refused by this; it tells.

use std::sync::Arc;

use serde_json::Value;

use super::body::{self, Bounds, Plan, Wish};
use super::{Head, Misfit, Place, RequestChecks, Unfinished, expected};
use crate::contract::{
    Contract, Location, Node, Operation, Parameter, Response, SpecVersion, StatusKey, Style,
};
use crate::pointer::child;
use crate::schema::{Builder, Direction, Finding, Problem};

/// What the answers of one operation are checked for.
#[derive(Debug)]
pub struct AnswerChecks {
    /// Exact statuses first, then classes, then all others.
    answers: Box<[(StatusKey, RequestChecks)]>,
}

/// What is to be done with an answer, by its head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// What is wrong with its head.
    pub misfits: Vec<Misfit>,
    /// How its body is judged; nothing if it is not.
    pub plan: Option<Plan>,
    /// There is a body that should be judged and cannot be: it is compressed.
    pub unreadable: bool,
    /// The answer that is described.
    answer: usize,
}

/// Compiles the checks of the answers of a contract, all over the same schemas. One is given for each operation,
/// `None` for one that `wanted` gives no bounds for.
#[must_use]
pub fn compile_answers(
    contract: &Contract,
    wanted: impl Fn(&Operation) -> Option<Bounds>,
) -> (Vec<Option<AnswerChecks>>, Vec<Finding>) {
    let mut builder = Builder::of_contract(contract).towards(Direction::Answer);
    let mut drafts = Vec::with_capacity(contract.operations.len());
    for operation in &contract.operations {
        drafts.push(wanted(operation).map(|bounds| {
            let mut list: Vec<_> = Vec::with_capacity(operation.responses.len());
            for (key, response) in &operation.responses {
                let fields: Vec<Unfinished> = headers(contract, response)
                    .iter()
                    .map(|header| expected(contract, operation, header, &mut builder))
                    .collect();
                let body = body::Unfinished::of_answer(contract, response, &mut builder, bounds);
                list.push((*key, fields, body));
            }
            list
        }));
    }
    let (schemas, findings) = builder.finish();
    let schemas = Arc::new(schemas);
    let finished = |(operation, list): (&Operation, Option<Vec<_>>)| {
        let answers = list?.into_iter().map(|(key, fields, body)| {
            let draft = super::Draft { parameters: fields, body };
            // A header that could have no value is not checked; that is not worth a word here.
            (key, super::finished(draft, operation, &schemas, &mut Vec::new()))
        });
        Some(AnswerChecks { answers: answers.collect() })
    };
    (contract.operations.iter().zip(drafts).map(finished).collect(), findings)
}

/// The headers of an answer, as parameters.
fn headers(contract: &Contract, response: &Response) -> Vec<Parameter> {
    let mut all = Vec::new();
    for name in &response.headers {
        // OpenAPI describes it by the keys of `content`.
        if name.eq_ignore_ascii_case("content-type") {
            continue;
        }
        let below = child(&child(&response.declared.pointer, "headers"), name);
        let place = Node { document: response.declared.document, pointer: below };
        let Ok((place, declared)) = contract.resolve(&place) else { continue };
        let flag = |member: &str| declared.get(member).and_then(Value::as_bool).unwrap_or(false);
        let is_old = contract.version == SpecVersion::V2_0;
        // In another media type, or in a style of its own, it is left alone.
        let schema = match declared.get("schema") {
            _ if is_old => Some(place.clone()),
            Some(_) => {
                Some(Node { document: place.document, pointer: child(&place.pointer, "schema") })
            }
            None => None,
        };
        all.push(Parameter {
            name: name.clone(),
            location: Location::Header,
            required: flag("required"),
            deprecated: false,
            description: None,
            style: Style::Simple,
            explode: flag("explode"),
            allow_reserved: false,
            schema,
            media_type: None,
            declared: Some(place),
        });
    }
    all
}

impl AnswerChecks {
    /// The answer that is described for a status: exactly, by its class, or as all others.
    fn of(&self, status: u16) -> Option<usize> {
        let at = |key: StatusKey| self.answers.iter().position(|(known, _)| *known == key);
        let class = u8::try_from(status / 100).ok()?;
        at(StatusKey::Code(status))
            .or_else(|| at(StatusKey::Class(class)))
            .or_else(|| at(StatusKey::Default))
    }

    /// Judges the head of an answer. `has_body` says whether there is a body, and `None` that none can be: the answer to
    /// `HEAD`, or a status without one. Nothing is said of a status that the contract does not describe.
    #[must_use]
    pub fn head(&self, status: u16, head: &dyn Head, has_body: Option<bool>) -> Option<Judgement> {
        let answer = self.of(status)?;
        let checks = &self.answers[answer].1;
        let mut judgement =
            Judgement { misfits: checks.head(head), plan: None, unreadable: false, answer };
        let Some(has_body) = has_body else { return Some(judgement) };
        match checks.wish(head, has_body) {
            Wish::Pass => {}
            Wish::Wrong(problem) => judgement.misfits.push(Misfit::of_body(problem)),
            Wish::Unsupported => judgement.misfits.push(Misfit {
                place: Place::Parameter(Location::Header),
                name: "Content-Type".into(),
                problem: Problem::whole(
                    "contentType",
                    format!("must be one of {}", checks.accept()),
                ),
            }),
            Wish::Encoded => judgement.unreadable = true,
            Wish::Hold(plan) => judgement.plan = Some(plan),
        }
        Some(judgement)
    }

    /// What is wrong with the body of an answer whose head was judged.
    #[must_use]
    pub fn body(&self, judgement: &Judgement, bytes: &[u8]) -> Vec<Misfit> {
        match (self.answers.get(judgement.answer), &judgement.plan) {
            (Some((_, checks)), Some(plan)) => checks.body(plan, bytes),
            _ => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests;
