//! The only key to a backend: proof that a call went through identify, permit and admit.
//!
//! Only `pipeline.rs` can make one, so that code which forgets to ask does not compile.

use std::sync::Arc;

use crate::gate::Gate;
use crate::key::KeyPlace;
use crate::{App, LimitState};

/// The most gates of a call: its service's, its operation's, its app's.
pub(crate) const GATES_MAX: usize = 3;

/// Where the caller's credential stood: it must not go to the backend. [`crate::Shape`] drops every place that
/// the service looks at, so this is for logs and tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Credential {
    /// There was none.
    None,
    /// In a header.
    Header,
    /// In `Authorization`.
    Bearer,
    /// In the query.
    Query,
    /// A signature in `Authorization`.
    Signature,
    /// The client certificate of the connection.
    Certificate,
}

impl Credential {
    /// What stands at a place.
    pub(crate) const fn at(place: &KeyPlace) -> Self {
        match place {
            KeyPlace::Header(_) => Self::Header,
            KeyPlace::Bearer => Self::Bearer,
            KeyPlace::Query(_) => Self::Query,
        }
    }
}

/// Leave to call a backend. Dropping it leaves the gates: hold it until the answer's body has ended.
#[derive(Debug)]
pub struct Permit {
    app: Option<Arc<App>>,
    credential: Credential,
    limit: Option<LimitState>,
    _gates: [Option<Gate>; GATES_MAX],
}

impl Permit {
    pub(crate) fn new(
        app: Option<Arc<App>>,
        credential: Credential,
        limit: Option<LimitState>,
        gates: [Option<Gate>; GATES_MAX],
    ) -> Self {
        Self { app, credential, limit, _gates: gates }
    }

    /// Who is calling, if that was asked.
    pub fn app(&self) -> Option<&Arc<App>> {
        self.app.as_ref()
    }

    /// The tightest limit after this call.
    pub fn limit(&self) -> Option<&LimitState> {
        self.limit.as_ref()
    }

    /// Where the caller's credential stood.
    pub fn credential(&self) -> Credential {
        self.credential
    }
}
