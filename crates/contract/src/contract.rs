//! The contract model: what callers are promised, whatever version of OpenAPI it was written in.
//!
//! A [`Contract`] holds what a gateway needs to route, guard and describe calls; schemas are not copied
//! but named by a [`Node`] and looked up in the documents, which are kept as they were written. Values
//! are made by `reader`; they never change afterwards.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;

use crate::dispatch::Dispatch;
use crate::document::Document;
use crate::library::Library;
use crate::limits::Limits;
use crate::pointer;
use crate::reference;
use crate::template::PathTemplate;

/// The version of the specification a document is read by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SpecVersion {
    /// Swagger / OpenAPI 2.0.
    V2_0,
    /// OpenAPI 3.0.x.
    V3_0,
    /// OpenAPI 3.1.x.
    V3_1,
    /// OpenAPI 3.2.x.
    V3_2,
}

impl fmt::Display for SpecVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SpecVersion::V2_0 => "2.0",
            SpecVersion::V3_0 => "3.0",
            SpecVersion::V3_1 => "3.1",
            SpecVersion::V3_2 => "3.2",
        })
    }
}

/// The name of a node: which of the contract's documents, and where in it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct Node {
    /// Index into [`Contract::documents`]; 0 is the document that was read.
    pub document: usize,
    /// JSON pointer (RFC 6901).
    pub pointer: String,
}

/// One API description, read.
#[derive(Clone, Debug)]
pub struct Contract {
    /// The file as the caller named it.
    pub file: String,
    /// The version it is read by.
    pub version: SpecVersion,
    /// The version as written (`3.0.3`, `2.0`).
    pub version_written: String,
    /// The API's title; empty if there is none.
    pub title: String,
    /// The API's own version (`info.version`); empty if there is none.
    pub info_version: String,
    /// Markdown.
    pub description: Option<String>,
    /// Where the API says it is served; made from `host`, `basePath` and `schemes` for 2.0.
    pub servers: Vec<Server>,
    /// All operations of all paths, in the order of their paths and then methods.
    pub operations: Vec<Operation>,
    /// Operations gathered by what the path alone can tell: see [`Route`].
    pub routes: Vec<Route>,
    /// How callers can prove who they are.
    pub security_schemes: Vec<SecurityScheme>,
    /// What is asked where an operation says nothing; `None` if the document says nothing either.
    pub security: Option<Vec<SecurityRequirement>>,
    /// Tags with their descriptions, in the order written.
    pub tags: Vec<Tag>,
    /// Number of webhook operations (3.1 `webhooks`, and the earlier `x-webhooks`): calls the API makes, never routed.
    pub webhooks: usize,
    /// The documents as written: the one that was read, then every file it refers to.
    pub documents: Library,
    /// `x-portway-*` members of the document's root.
    pub extensions: Vec<(String, Value)>,
}

/// Operations with one method whose templates match exactly the same paths.
///
/// The router matches the method and the template, then takes the first candidate whose
/// [`Operation::dispatch`] holds for the call. Candidates come most specific first. The first of each
/// kind that has no conditions takes what is left; those that come after it are [`Operation::same_as`] it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// Upper-case method.
    pub method: String,
    /// [`PathTemplate::shape`] of all its templates.
    pub shape: String,
    /// Indices into [`Contract::operations`], in the order to try.
    pub candidates: Vec<usize>,
}

/// One method and path.
#[derive(Clone, Debug)]
pub struct Operation {
    /// Unique in the contract and stable: the `operationId` as written if it is there and free, else made.
    pub id: String,
    /// The id stands in the document.
    pub id_written: bool,
    /// The id in a form that is safe as a name everywhere: `[A-Za-z][A-Za-z0-9_]*`, unique too.
    pub name: String,
    /// Upper case.
    pub method: String,
    /// The path without query and fragment part, otherwise as written (a missing first slash added).
    pub path: String,
    /// The path, parsed.
    pub template: PathTemplate,
    /// What else must hold of a call for this operation to be meant; all of them.
    pub dispatch: Vec<Dispatch>,
    /// JSON pointer of the operation, in the document named by `document`.
    pub pointer: String,
    /// The document the operation stands in: an index into [`Contract::documents`].
    pub document: usize,
    /// Line of the operation, from 1; 0 when unknown.
    pub line: u32,
    /// One line.
    pub summary: Option<String>,
    /// Markdown.
    pub description: Option<String>,
    /// In the order written.
    pub tags: Vec<String>,
    /// Callers should stop using it.
    pub deprecated: bool,
    /// Parameters of the path item and the operation merged, references resolved.
    pub parameters: Vec<Parameter>,
    /// The body a call may bring.
    pub request_body: Option<Body>,
    /// The answers that are promised.
    pub responses: Vec<(StatusKey, Response)>,
    /// What is asked of a caller: any one of these; the contract's own if the operation says nothing.
    pub security: Option<Vec<SecurityRequirement>>,
    /// Its own or its path item's servers; empty if the contract's hold.
    pub servers: Vec<Server>,
    /// A router can match a call to this operation. If not, a diagnostic says why.
    pub routable: bool,
    /// Another operation (an index into [`Contract::operations`]) that no call can be told apart from
    /// this one: both are one route, and a call is counted for that other one.
    pub same_as: Option<usize>,
    /// `x-portway-*` members of the operation.
    pub extensions: Vec<(String, Value)>,
}

/// Where a parameter stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Location {
    /// In the path.
    Path,
    /// In the query.
    Query,
    /// The whole query as one value (3.2).
    QueryString,
    /// In a header.
    Header,
    /// In a cookie.
    Cookie,
}

impl Location {
    /// The word used in documents.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Location::Path => "path",
            Location::Query => "query",
            Location::QueryString => "querystring",
            Location::Header => "header",
            Location::Cookie => "cookie",
        }
    }
}

/// One parameter of an operation.
#[derive(Clone, Debug)]
pub struct Parameter {
    /// As written.
    pub name: String,
    /// Where it stands.
    pub location: Location,
    /// Must be there; always true in the path.
    pub required: bool,
    /// Callers should stop using it.
    pub deprecated: bool,
    /// Markdown.
    pub description: Option<String>,
    /// How arrays and objects are written; the default of its location filled in (3.0 names; a 2.0
    /// `collectionFormat` is translated).
    pub style: Style,
    /// Arrays and objects come as several parameters.
    pub explode: bool,
    /// Reserved characters may stand unencoded.
    pub allow_reserved: bool,
    /// What its value must be. For 2.0 this is the parameter itself, whose members are schema keywords.
    pub schema: Option<Node>,
    /// The value is a document of this media type (`content` instead of `schema`).
    pub media_type: Option<String>,
    /// Where it is declared; `None` for one that only the path mentions.
    pub declared: Option<Node>,
}

/// How a parameter that is an array or object is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // the words of the specification
pub enum Style {
    Simple,
    Form,
    Label,
    Matrix,
    SpaceDelimited,
    PipeDelimited,
    /// 2.0 only: `collectionFormat: tsv`.
    TabDelimited,
    DeepObject,
    Cookie,
}

/// A request body.
#[derive(Clone, Debug)]
pub struct Body {
    /// Must be there.
    pub required: bool,
    /// Markdown.
    pub description: Option<String>,
    /// By media type, in the order kept by the document.
    pub content: Vec<Content>,
    /// Form fields of a 2.0 document (`in: formData`), each declared on its own.
    pub form: Vec<FormField>,
}

/// A field of a 2.0 form.
#[derive(Clone, Debug)]
pub struct FormField {
    /// As written.
    pub name: String,
    /// Must be there.
    pub required: bool,
    /// It is a file.
    pub file: bool,
    /// Its declaration, whose members are schema keywords.
    pub schema: Node,
}

/// One media type of a body.
#[derive(Clone, Debug)]
pub struct Content {
    /// As written, possibly a range (`image/*`).
    pub media_type: String,
    /// What the whole body must be.
    pub schema: Option<Node>,
    /// What each item of a stream must be (3.2 `itemSchema`).
    pub item_schema: Option<Node>,
    /// The media type object.
    pub declared: Node,
}

/// The key of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StatusKey {
    /// Exactly this status.
    Code(u16),
    /// A hundred of them: `4` is `4XX`.
    Class(u8),
    /// All others.
    Default,
}

impl fmt::Display for StatusKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StatusKey::Code(code) => write!(f, "{code}"),
            StatusKey::Class(class) => write!(f, "{class}XX"),
            StatusKey::Default => f.write_str("default"),
        }
    }
}

/// One promised answer.
#[derive(Clone, Debug)]
pub struct Response {
    /// Markdown; empty if there is none.
    pub description: String,
    /// By media type.
    pub content: Vec<Content>,
    /// Names of the headers it may carry.
    pub headers: Vec<String>,
    /// The response object, references followed.
    pub declared: Node,
}

/// A place where the API is served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// As written, with variables in braces; may be relative.
    pub url_written: String,
    /// With the variables' defaults put in.
    pub url: String,
    /// The path part of `url`, without a slash at the end; empty for the root.
    pub base_path: String,
    /// Markdown.
    pub description: Option<String>,
    /// The variables in `url_written`.
    pub variables: Vec<ServerVariable>,
}

/// A variable of a server's address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerVariable {
    /// As written, without braces.
    pub name: String,
    /// Used where nobody says otherwise.
    pub default: String,
    /// The values allowed; empty if all are.
    pub values: Vec<String>,
}

/// A way for callers to prove who they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecurityScheme {
    /// The name requirements use.
    pub name: String,
    /// What kind it is.
    pub kind: SecurityKind,
    /// Markdown.
    pub description: Option<String>,
    /// Its declaration.
    pub declared: Node,
}

/// Kinds of security schemes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // the words of the specification
pub enum SecurityKind {
    ApiKey {
        location: Location,
        parameter: String,
    },
    /// `scheme` in lower case: `basic`, `bearer`, …
    Http {
        scheme: String,
        bearer_format: Option<String>,
    },
    OAuth2,
    OpenIdConnect {
        url: String,
    },
    MutualTls,
    /// Something the specification does not know, as written.
    Unknown(String),
}

/// All of these schemes together satisfy a caller's duty; an empty list means anybody may call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecurityRequirement {
    /// Scheme names with the scopes that are asked.
    pub schemes: Vec<(String, Vec<String>)>,
}

/// A tag with what is said about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tag {
    /// As used by operations.
    pub name: String,
    /// Markdown.
    pub description: Option<String>,
}

/// Why a node cannot be resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ResolveFault {
    /// There is no such node.
    Missing(Node),
    /// The references go round in a circle, or further than allowed.
    Circle(Node),
    /// The reference is not one that was or can be loaded.
    Unusable(String),
}

impl Contract {
    /// The document that was read, as written.
    #[must_use]
    pub fn source(&self) -> &Arc<Document> {
        &self.documents[0]
    }

    /// The node of that name, without following references.
    #[must_use]
    pub fn node(&self, node: &Node) -> Option<&Value> {
        pointer::lookup(self.documents.get(node.document)?.value(), &node.pointer)
    }

    /// The node of that name; if it is a reference, the node it finally leads to.
    ///
    /// # Errors
    /// [`ResolveFault`] if a reference on the way dangles, goes in a circle or was not loaded.
    pub fn resolve(&self, node: &Node) -> Result<(Node, &Value), ResolveFault> {
        reference::resolve(&self.documents, node.clone(), Limits::default().reference_steps)
    }

    /// The operation with that id.
    #[must_use]
    pub fn operation(&self, id: &str) -> Option<&Operation> {
        self.operations.iter().find(|operation| operation.id == id)
    }

    /// How many operations a router can match.
    #[must_use]
    pub fn routable(&self) -> usize {
        self.operations.iter().filter(|operation| operation.routable).count()
    }
}
