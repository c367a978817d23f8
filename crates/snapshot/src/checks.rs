//! What the calls of an operation are checked for, and what becomes of those that do not keep the contract.

use std::sync::Arc;

use portway_contract::request::{Head, Misfit, RequestChecks};
use portway_policy::{Call, Requests};

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
