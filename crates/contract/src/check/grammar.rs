//! The specification as a table: which members each part of a document has, in which versions, and what
//! they hold (OpenAPI 2.0, 3.0.4, 3.1.1, 3.2.0; the fixed fields of each object).

use crate::contract::SpecVersion;

/// The parts a document is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Part {
    Root,
    Info,
    Contact,
    License,
    Server,
    ServerVariable,
    Components,
    Paths,
    PathItem,
    Operation,
    ExternalDocs,
    Parameter,
    RequestBody,
    MediaType,
    Encoding,
    Responses,
    Response,
    Callback,
    Example,
    Link,
    Header,
    Tag,
    Schema,
    Discriminator,
    Xml,
    SecurityScheme,
    OAuthFlows,
    OAuthFlow,
    SecurityRequirement,
}

impl Part {
    /// The part with its article, for messages.
    pub(super) fn words(self) -> &'static str {
        match self {
            Part::Root => "the document",
            Part::Info => "an info object",
            Part::Contact => "a contact",
            Part::License => "a license",
            Part::Server => "a server",
            Part::ServerVariable => "a server variable",
            Part::Components => "the components",
            Part::Paths => "the paths",
            Part::PathItem => "a path item",
            Part::Operation => "an operation",
            Part::ExternalDocs => "external documentation",
            Part::Parameter => "a parameter",
            Part::RequestBody => "a request body",
            Part::MediaType => "a media type",
            Part::Encoding => "an encoding",
            Part::Responses => "the responses",
            Part::Response => "a response",
            Part::Callback => "a callback",
            Part::Example => "an example",
            Part::Link => "a link",
            Part::Header => "a header",
            Part::Tag => "a tag",
            Part::Schema => "a schema",
            Part::Discriminator => "a discriminator",
            Part::Xml => "an XML object",
            Part::SecurityScheme => "a security scheme",
            Part::OAuthFlows => "OAuth flows",
            Part::OAuthFlow => "an OAuth flow",
            Part::SecurityRequirement => "a security requirement",
        }
    }
}

/// What a member holds.
#[derive(Clone, Copy, Debug)]
pub(super) enum Is {
    Any,
    Text,
    Flag,
    Number,
    Count,
    Word(&'static [&'static str]),
    Part(Part),
    /// An object whose members are all of that part.
    Names(Part),
    /// A list of that part.
    List(Part),
    Texts,
    /// A list of anything.
    Values,
    /// An object of texts.
    TextNames,
    /// `type`: a text, or (3.1) a list of texts.
    Type,
    /// `items`: a schema (or, in JSON Schema, a boolean).
    SchemaOrFlag,
    /// `exclusiveMinimum`: a flag in 2.0 and 3.0, a number later.
    Bound,
    /// An object of lists of texts.
    TextListNames,
    /// `discriminator`: a text in 2.0, an object later.
    Discriminator,
}

/// A member: the versions that have it, and what it holds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Member {
    pub(super) versions: u8,
    pub(super) is: Is,
}

pub(super) const V20: u8 = 1;
pub(super) const V30: u8 = 2;
pub(super) const V31: u8 = 4;
pub(super) const V32: u8 = 8;
const ALL: u8 = V20 | V30 | V31 | V32;
const FROM_30: u8 = V30 | V31 | V32;
const FROM_31: u8 = V31 | V32;

/// The bit of a version.
pub(super) fn bit(version: SpecVersion) -> u8 {
    match version {
        SpecVersion::V2_0 => V20,
        SpecVersion::V3_0 => V30,
        SpecVersion::V3_1 => V31,
        SpecVersion::V3_2 => V32,
    }
}

/// The member of that name; `None` if no version has it.
pub(super) fn member(part: Part, name: &str) -> Option<Member> {
    let (versions, is) = match part {
        Part::Root => root(name),
        Part::Info | Part::Contact | Part::License | Part::ExternalDocs | Part::Tag => {
            about(part, name)
        }
        Part::Server | Part::ServerVariable => server(part, name),
        Part::Components => components(name),
        Part::PathItem | Part::Operation => operation(part, name),
        Part::Parameter | Part::Header => parameter(part, name),
        Part::RequestBody
        | Part::MediaType
        | Part::Encoding
        | Part::Response
        | Part::Example
        | Part::Link => body(part, name),
        Part::Schema | Part::Discriminator | Part::Xml => schema(part, name),
        Part::SecurityScheme | Part::OAuthFlows | Part::OAuthFlow => security(part, name),
        Part::Paths | Part::Responses | Part::Callback | Part::SecurityRequirement => None,
    }?;
    Some(Member { versions, is })
}

/// Members that must be there.
pub(super) fn required(part: Part, version: u8) -> &'static [&'static str] {
    match part {
        Part::Root if version & (V20 | V30) != 0 => &["info", "paths"],
        Part::Root => &["info"],
        Part::Info => &["title", "version"],
        Part::License | Part::Tag => &["name"],
        Part::ExternalDocs | Part::Server => &["url"],
        Part::ServerVariable => &["default"],
        Part::Operation if version & (V20 | V30) != 0 => &["responses"],
        Part::Parameter => &["name", "in"],
        Part::RequestBody => &["content"],
        Part::Response if version & V32 == 0 => &["description"],
        Part::SecurityScheme => &["type"],
        Part::OAuthFlow => &["scopes"],
        _ => &[],
    }
}

type Entry = Option<(u8, Is)>;

fn root(name: &str) -> Entry {
    Some(match name {
        "swagger" => (V20, Is::Any),
        "openapi" => (FROM_30, Is::Any),
        "$self" => (V32, Is::Text),
        "jsonSchemaDialect" => (FROM_31, Is::Text),
        "info" => (ALL, Is::Part(Part::Info)),
        "host" | "basePath" => (V20, Is::Text),
        "schemes" | "consumes" | "produces" => (V20, Is::Texts),
        "servers" => (FROM_30, Is::List(Part::Server)),
        "paths" => (ALL, Is::Part(Part::Paths)),
        "webhooks" => (FROM_31, Is::Names(Part::PathItem)),
        "components" => (FROM_30, Is::Part(Part::Components)),
        "definitions" => (V20, Is::Names(Part::Schema)),
        "parameters" => (V20, Is::Names(Part::Parameter)),
        "responses" => (V20, Is::Names(Part::Response)),
        "securityDefinitions" => (V20, Is::Names(Part::SecurityScheme)),
        "security" => (ALL, Is::List(Part::SecurityRequirement)),
        "tags" => (ALL, Is::List(Part::Tag)),
        "externalDocs" => (ALL, Is::Part(Part::ExternalDocs)),
        "x-ms-paths" => (ALL, Is::Part(Part::Paths)),
        _ => return None,
    })
}

fn about(part: Part, name: &str) -> Entry {
    Some(match (part, name) {
        (Part::Info, "title" | "description" | "termsOfService" | "version") => (ALL, Is::Text),
        (Part::Info, "summary") => (FROM_31, Is::Text),
        (Part::Info, "contact") => (ALL, Is::Part(Part::Contact)),
        (Part::Info, "license") => (ALL, Is::Part(Part::License)),
        (Part::Contact, "name" | "url" | "email") | (Part::License, "name" | "url") => {
            (ALL, Is::Text)
        }
        (Part::License, "identifier") => (FROM_31, Is::Text),
        (Part::ExternalDocs, "description" | "url") | (Part::Tag, "name" | "description") => {
            (ALL, Is::Text)
        }
        (Part::Tag, "externalDocs") => (ALL, Is::Part(Part::ExternalDocs)),
        (Part::Tag, "summary" | "parent" | "kind") => (V32, Is::Text),
        _ => return None,
    })
}

fn server(part: Part, name: &str) -> Entry {
    Some(match (part, name) {
        (Part::Server, "url" | "description")
        | (Part::ServerVariable, "default" | "description") => (FROM_30, Is::Text),
        (Part::Server, "name") => (V32, Is::Text),
        (Part::Server, "variables") => (FROM_30, Is::Names(Part::ServerVariable)),
        (Part::ServerVariable, "enum") => (FROM_30, Is::Texts),
        _ => return None,
    })
}

fn components(name: &str) -> Entry {
    Some(match name {
        "schemas" => (FROM_30, Is::Names(Part::Schema)),
        "responses" => (FROM_30, Is::Names(Part::Response)),
        "parameters" => (FROM_30, Is::Names(Part::Parameter)),
        "examples" => (FROM_30, Is::Names(Part::Example)),
        "requestBodies" => (FROM_30, Is::Names(Part::RequestBody)),
        "headers" => (FROM_30, Is::Names(Part::Header)),
        "securitySchemes" => (FROM_30, Is::Names(Part::SecurityScheme)),
        "links" => (FROM_30, Is::Names(Part::Link)),
        "callbacks" => (FROM_30, Is::Names(Part::Callback)),
        "pathItems" => (FROM_31, Is::Names(Part::PathItem)),
        "mediaTypes" => (V32, Is::Names(Part::MediaType)),
        _ => return None,
    })
}

fn operation(part: Part, name: &str) -> Entry {
    if part == Part::PathItem {
        return Some(match name {
            "$ref" => (ALL, Is::Text),
            "summary" | "description" => (FROM_30, Is::Text),
            "get" | "put" | "post" | "delete" | "options" | "head" | "patch" => {
                (ALL, Is::Part(Part::Operation))
            }
            "trace" => (FROM_30, Is::Part(Part::Operation)),
            "query" => (V32, Is::Part(Part::Operation)),
            "additionalOperations" => (V32, Is::Names(Part::Operation)),
            "servers" => (FROM_30, Is::List(Part::Server)),
            "parameters" => (ALL, Is::List(Part::Parameter)),
            _ => return None,
        });
    }
    Some(match name {
        "tags" => (ALL, Is::Texts),
        "summary" | "description" | "operationId" => (ALL, Is::Text),
        "externalDocs" => (ALL, Is::Part(Part::ExternalDocs)),
        "consumes" | "produces" | "schemes" => (V20, Is::Texts),
        "parameters" => (ALL, Is::List(Part::Parameter)),
        "requestBody" => (FROM_30, Is::Part(Part::RequestBody)),
        "responses" => (ALL, Is::Part(Part::Responses)),
        "callbacks" => (FROM_30, Is::Names(Part::Callback)),
        "deprecated" => (ALL, Is::Flag),
        "security" => (ALL, Is::List(Part::SecurityRequirement)),
        "servers" => (FROM_30, Is::List(Part::Server)),
        _ => return None,
    })
}

const STYLES: &[&str] = &[
    "matrix",
    "label",
    "form",
    "simple",
    "spaceDelimited",
    "pipeDelimited",
    "deepObject",
    "cookie",
];

fn parameter(part: Part, name: &str) -> Entry {
    Some(match name {
        "name" if part == Part::Parameter => (ALL, Is::Text),
        "in" if part == Part::Parameter => (
            ALL,
            Is::Word(&["path", "query", "header", "cookie", "body", "formData", "querystring"]),
        ),
        "description" => (ALL, Is::Text),
        "required" => (ALL, Is::Flag),
        "deprecated" => (FROM_30, Is::Flag),
        "allowEmptyValue" => (ALL, Is::Flag),
        "style" => (FROM_30, Is::Word(STYLES)),
        "explode" | "allowReserved" => (FROM_30, Is::Flag),
        "schema" => (ALL, Is::Part(Part::Schema)),
        "example" => (FROM_30, Is::Any),
        "examples" => (FROM_30, Is::Names(Part::Example)),
        "content" => (FROM_30, Is::Names(Part::MediaType)),
        "type" => (V20, Is::Word(&["string", "number", "integer", "boolean", "array", "file"])),
        "format" | "pattern" => (V20, Is::Text),
        "collectionFormat" => (V20, Is::Word(&["csv", "ssv", "tsv", "pipes", "multi"])),
        "items" => (V20, Is::Part(Part::Schema)),
        "default" => (V20, Is::Any),
        "enum" => (V20, Is::Values),
        "maximum" | "minimum" | "multipleOf" => (V20, Is::Number),
        "exclusiveMaximum" | "exclusiveMinimum" | "uniqueItems" => (V20, Is::Flag),
        "maxLength" | "minLength" | "maxItems" | "minItems" => (V20, Is::Count),
        _ => return None,
    })
}

fn body(part: Part, name: &str) -> Entry {
    Some(match (part, name) {
        (Part::RequestBody | Part::Response, "description") => (ALL, Is::Text),
        (Part::Response, "summary") => (V32, Is::Text),
        (Part::RequestBody | Part::Response, "content") => (FROM_30, Is::Names(Part::MediaType)),
        (Part::RequestBody, "required") => (FROM_30, Is::Flag),
        (Part::MediaType, "schema") => (FROM_30, Is::Part(Part::Schema)),
        (Part::MediaType, "itemSchema") => (V32, Is::Part(Part::Schema)),
        (Part::MediaType, "example") => (FROM_30, Is::Any),
        (Part::MediaType, "examples") => (FROM_30, Is::Names(Part::Example)),
        (Part::MediaType, "encoding") => (FROM_30, Is::Names(Part::Encoding)),
        (Part::MediaType, "prefixEncoding") => (V32, Is::List(Part::Encoding)),
        (Part::MediaType, "itemEncoding") => (V32, Is::Part(Part::Encoding)),
        (Part::Encoding, "contentType") => (FROM_30, Is::Text),
        (Part::Encoding, "headers") => (FROM_30, Is::Names(Part::Header)),
        (Part::Encoding, "style") => (FROM_30, Is::Word(STYLES)),
        (Part::Encoding, "explode" | "allowReserved") => (FROM_30, Is::Flag),
        (Part::Encoding, "encoding") => (V32, Is::Names(Part::Encoding)),
        (Part::Encoding, "prefixEncoding") => (V32, Is::List(Part::Encoding)),
        (Part::Encoding, "itemEncoding") => (V32, Is::Part(Part::Encoding)),
        (Part::Response, "headers") => (ALL, Is::Names(Part::Header)),
        (Part::Response, "links") => (FROM_30, Is::Names(Part::Link)),
        (Part::Response, "schema") => (V20, Is::Part(Part::Schema)),
        (Part::Response, "examples") => (V20, Is::Any),
        (Part::Example, "summary" | "description" | "externalValue") => (FROM_30, Is::Text),
        (Part::Example, "value") => (FROM_30, Is::Any),
        (Part::Example, "dataValue") => (V32, Is::Any),
        (Part::Example, "serializedValue") => (V32, Is::Text),
        (Part::Link, "operationRef" | "operationId" | "description") => (FROM_30, Is::Text),
        (Part::Link, "parameters" | "requestBody") => (FROM_30, Is::Any),
        (Part::Link, "server") => (FROM_30, Is::Part(Part::Server)),
        _ => return None,
    })
}

fn schema(part: Part, name: &str) -> Entry {
    match part {
        Part::Discriminator => {
            return Some(match name {
                "propertyName" => (FROM_30, Is::Text),
                "mapping" => (FROM_30, Is::TextNames),
                "defaultMapping" => (V32, Is::Text),
                _ => return None,
            });
        }
        Part::Xml => {
            return Some(match name {
                "name" | "namespace" | "prefix" => (ALL, Is::Text),
                "attribute" | "wrapped" => (ALL, Is::Flag),
                "nodeType" => (V32, Is::Text),
                _ => return None,
            });
        }
        _ => {}
    }
    Some(match name {
        "$ref" | "title" | "description" | "format" | "pattern" => (ALL, Is::Text),
        "type" => (ALL, Is::Type),
        "default" | "example" => (ALL, Is::Any),
        "enum" => (ALL, Is::Values),
        "multipleOf" | "maximum" | "minimum" => (ALL, Is::Number),
        "exclusiveMaximum" | "exclusiveMinimum" => (ALL, Is::Bound),
        "maxLength" | "minLength" | "maxItems" | "minItems" | "maxProperties" | "minProperties" => {
            (ALL, Is::Count)
        }
        "uniqueItems" | "readOnly" => (ALL, Is::Flag),
        "required" => (ALL, Is::Texts),
        "allOf" => (ALL, Is::List(Part::Schema)),
        "anyOf" | "oneOf" => (FROM_30, Is::List(Part::Schema)),
        "not" => (FROM_30, Is::SchemaOrFlag),
        "items" | "additionalProperties" => (ALL, Is::SchemaOrFlag),
        "properties" => (ALL, Is::Names(Part::Schema)),
        "nullable" => (V30, Is::Flag),
        "writeOnly" | "deprecated" => (FROM_30, Is::Flag),
        "discriminator" => (ALL, Is::Discriminator),
        "xml" => (ALL, Is::Part(Part::Xml)),
        "externalDocs" => (ALL, Is::Part(Part::ExternalDocs)),
        // JSON Schema 2020-12.
        "$id" | "$schema" | "$anchor" | "$dynamicRef" | "$dynamicAnchor" | "$comment"
        | "contentEncoding" | "contentMediaType" => (FROM_31, Is::Text),
        "$vocabulary" | "const" | "dependentRequired" => (FROM_31, Is::Any),
        "examples" => (FROM_31, Is::Values),
        "$defs" | "dependentSchemas" | "patternProperties" => (FROM_31, Is::Names(Part::Schema)),
        "prefixItems" => (FROM_31, Is::List(Part::Schema)),
        "if"
        | "then"
        | "else"
        | "contains"
        | "propertyNames"
        | "unevaluatedItems"
        | "unevaluatedProperties"
        | "contentSchema" => (FROM_31, Is::SchemaOrFlag),
        "maxContains" | "minContains" => (FROM_31, Is::Count),
        _ => return None,
    })
}

fn security(part: Part, name: &str) -> Entry {
    Some(match (part, name) {
        (Part::SecurityScheme, "type") => {
            (ALL, Is::Word(&["apiKey", "http", "oauth2", "openIdConnect", "basic", "mutualTLS"]))
        }
        (Part::SecurityScheme, "description" | "name" | "in") => (ALL, Is::Text),
        (Part::SecurityScheme, "scheme" | "bearerFormat" | "openIdConnectUrl") => {
            (FROM_30, Is::Text)
        }
        (Part::SecurityScheme, "flows") => (FROM_30, Is::Part(Part::OAuthFlows)),
        (Part::SecurityScheme, "flow" | "authorizationUrl" | "tokenUrl") => (V20, Is::Text),
        (Part::SecurityScheme, "scopes") => (V20, Is::TextNames),
        (Part::SecurityScheme, "oauth2MetadataUrl") => (V32, Is::Text),
        (Part::SecurityScheme, "deprecated") => (V32, Is::Flag),
        (Part::OAuthFlows, "implicit" | "password" | "clientCredentials" | "authorizationCode") => {
            (FROM_30, Is::Part(Part::OAuthFlow))
        }
        (Part::OAuthFlows, "deviceAuthorization") => (V32, Is::Part(Part::OAuthFlow)),
        (Part::OAuthFlow, "authorizationUrl" | "tokenUrl" | "refreshUrl") => (FROM_30, Is::Text),
        (Part::OAuthFlow, "deviceAuthorizationUrl") => (V32, Is::Text),
        (Part::OAuthFlow, "scopes") => (FROM_30, Is::TextNames),
        _ => return None,
    })
}
