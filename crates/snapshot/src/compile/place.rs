//! JSON pointers (RFC 6901) into documents.

use std::fmt::Display;

use portway_contract::pointer;

/// A member of an object.
pub(super) fn member(base: &str, key: &str) -> String {
    pointer::child(base, key)
}

/// An item of a list.
pub(super) fn list(base: &str, index: impl Display) -> String {
    format!("{base}/{index}")
}

/// A service.
pub(super) fn service(name: &portway_model::Name) -> String {
    format!("/services/{name}")
}
