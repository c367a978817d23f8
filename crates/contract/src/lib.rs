//! Portway's `contract` room: OpenAPI documents read into one contract model.
//!
//! OpenAPI 2.0, 3.0, 3.1 and 3.2, written as JSON or YAML, in one file or several, become a
//! [`Contract`]: operations with their path templates, parameters, bodies, answers and security, and
//! the documents as they were written for everything else. Real documents are rarely perfect, so
//! reading is lenient: what is odd becomes a located [`Diagnostic`], what is unusable costs one
//! operation, and only a text that is no OpenAPI document at all costs the whole.
//!
//! No IO and no async here: further files come through a [`Loader`]. Everything that is read is bounded
//! by [`Limits`]; nothing panics, whatever is read.

mod budget;
mod check;
pub mod contract;
pub mod diagnostic;
pub mod dispatch;
pub mod document;
mod findings;
mod json;
pub mod learn;
pub mod library;
pub mod limits;
mod load;
pub mod loader;
mod media;
pub mod mock;
mod place;
pub mod pointer;
mod read;
mod reader;
pub mod reference;
pub mod report;
pub mod request;
pub mod schema;
pub mod template;
mod text;
mod version;
mod walk;
mod yaml;

pub use contract::{
    Body, Content, Contract, FormField, Location, Node, Operation, Parameter, ResolveFault,
    Response, Route, SecurityKind, SecurityRequirement, SecurityScheme, Server, ServerVariable,
    SpecVersion, StatusKey, Style, Tag,
};
pub use diagnostic::{Diagnostic, Severity};
pub use dispatch::{Dispatch, ValueTest};
pub use document::{Document, Format};
pub use library::Library;
pub use limits::Limits;
pub use loader::{LoadFault, Loader, NoFiles};
pub use read::{read, read_within};
pub use report::Report;
pub use template::{PathTemplate, Piece, TemplateFault};

/// What came of reading a document.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The contract; `None` if the document cannot be used at all, which an error among the
    /// diagnostics explains.
    pub contract: Option<Contract>,
    /// Everything that was found, by file and place.
    pub diagnostics: Vec<Diagnostic>,
}
