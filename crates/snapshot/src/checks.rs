//! What the calls of an operation are checked for, and what becomes of those that do not keep the contract.

use std::sync::Arc;

use portway_contract::request::{AnswerChecks, Head, Misfit, Plan, RequestChecks, Wish};
use portway_model::Share;
use portway_policy::{Body, Call, Requests};

/// The checks of an operation. There is one only if something is checked.
#[derive(Debug)]
pub struct Checks {
    pub(crate) request: RequestChecks,
    /// Whether calls that do not keep the contract are refused; if not, they are reported.
    pub enforced: bool,
}

impl Checks {
    /// What is wrong with the head of a call; empty if nothing is.
    pub fn head(&self, call: &Call<'_>) -> Vec<Misfit> {
        self.request.head(&CallHead(call))
    }

    /// What is to be done with the body of a call, by its head.
    pub fn wish(&self, call: &Call<'_>) -> Wish {
        let has_body = match call.body {
            Body::None => false,
            Body::Unread => true,
            Body::Held(bytes) => !bytes.is_empty(),
        };
        self.request.wish(&CallHead(call), has_body)
    }

    /// What is wrong with a body that was planned to be checked.
    pub fn body(&self, plan: &Plan, bytes: &[u8]) -> Vec<Misfit> {
        self.request.body(plan, bytes)
    }

    /// The media types that are taken, as a list for an `Accept`.
    pub fn accept(&self) -> &str {
        self.request.accept()
    }

    /// What is checked and what becomes of it, for people.
    pub fn words(&self) -> String {
        let what = if self.request.judges_bodies() { "parameters and body" } else { "parameters" };
        let then =
            if self.enforced { "what is wrong is refused" } else { "what is wrong is reported" };
        format!("{what}; {then}")
    }
}

/// What a sample of the answers of an operation is checked for.
#[derive(Debug)]
pub struct AnswerSample {
    /// The checks.
    pub checks: AnswerChecks,
    /// How many answers are checked.
    pub share: Share,
}

/// The rules for the calls of an operation.
#[derive(Debug, Clone)]
pub struct RequestRules {
    /// What calls must be like.
    pub rules: Arc<Requests>,
    /// Whether calls that break a rule are refused; if not, they are reported.
    pub enforced: bool,
}

/// A call as the contract sees it.
struct CallHead<'c, 'a>(&'c Call<'a>);

impl Head for CallHead<'_, '_> {
    fn path(&self, index: usize) -> Option<&str> {
        self.0.params.get(index, self.0.path)
    }

    fn query(&self) -> &str {
        self.0.query
    }

    fn header(&self, name: &str, see: &mut dyn FnMut(&[u8])) {
        self.0.headers.each(name, see);
    }
}
