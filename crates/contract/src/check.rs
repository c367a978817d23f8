//! Form: whether the parts of a document are what the specification says they are. Findings only.

use crate::contract::SpecVersion;
use crate::findings::Findings;
use crate::library::Library;

/// Checks the document's form.
pub(crate) fn check(_library: &Library, _version: SpecVersion, _findings: &mut Findings) {}
