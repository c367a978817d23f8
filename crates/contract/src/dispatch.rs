//! Conditions beyond method and path that tell operations apart.
//!
//! Real documents describe several operations on one path: AWS tells them apart by a header
//! (`/#X-Amz-Target=Service.Action`) or a query parameter (`/?Action=Run`), others by the media type of
//! the body or by the look of a path parameter (`/orders/{uuid}` and `/orders/{number}`). A
//! [`Dispatch`] is one such condition. Looking at the call is left to the router.

use std::fmt;

use regex::Regex;

/// One condition on a call. An operation's conditions must all hold.
#[derive(Clone, Debug)]
pub enum Dispatch {
    /// The query has this parameter, with this value if one is given (both decoded).
    Query {
        /// Parameter name.
        name: String,
        /// Exact value; `None` if being there is enough.
        value: Option<String>,
    },
    /// The call has this header, with this value if one is given.
    Header {
        /// Header name, in any case.
        name: String,
        /// Exact value; `None` if being there is enough.
        value: Option<String>,
    },
    /// The body is of one of these media types or ranges.
    ContentType {
        /// Media types or ranges (`image/*`), lower case, without parameters.
        any_of: Vec<String>,
    },
    /// A path parameter looks like this.
    Path {
        /// Name of the parameter in the operation's own template.
        name: String,
        /// What its decoded text must look like.
        test: ValueTest,
    },
}

/// What a text must look like.
#[derive(Clone, Debug)]
pub enum ValueTest {
    /// Decimal digits with an optional minus sign.
    Integer,
    /// A JSON number.
    Number,
    /// `true` or `false`.
    Boolean,
    /// `8-4-4-4-12` hexadecimal digits.
    Uuid,
    /// `YYYY-MM-DD`.
    Date,
    /// One of these texts.
    OneOf(Vec<String>),
    /// The pattern of a schema matches somewhere in the text, as JSON Schema has it.
    Pattern(Regex),
}

impl ValueTest {
    /// The text passes the test.
    #[must_use]
    pub fn passes(&self, text: &str) -> bool {
        match self {
            ValueTest::Integer => is_integer(text),
            ValueTest::Number => is_number(text),
            ValueTest::Boolean => matches!(text, "true" | "false"),
            ValueTest::Uuid => is_uuid(text),
            ValueTest::Date => is_date(text),
            ValueTest::OneOf(values) => values.iter().any(|value| value == text),
            ValueTest::Pattern(pattern) => pattern.is_match(text),
        }
    }

    /// How narrow the test is: of two that could both pass, the higher one is tried first.
    #[must_use]
    pub fn rank(&self) -> u8 {
        match self {
            ValueTest::OneOf(_) | ValueTest::Boolean => 6,
            ValueTest::Uuid => 5,
            ValueTest::Date => 4,
            ValueTest::Integer => 3,
            ValueTest::Number => 2,
            ValueTest::Pattern(_) => 1,
        }
    }
}

impl PartialEq for ValueTest {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (ValueTest::OneOf(a), ValueTest::OneOf(b)) => a == b,
            (ValueTest::Pattern(a), ValueTest::Pattern(b)) => a.as_str() == b.as_str(),
            (a, b) => std::mem::discriminant(a) == std::mem::discriminant(b),
        }
    }
}

impl PartialEq for Dispatch {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Dispatch::Query { name: a, value: v }, Dispatch::Query { name: b, value: w }) => {
                a == b && v == w
            }
            (Dispatch::Header { name: a, value: v }, Dispatch::Header { name: b, value: w }) => {
                a.eq_ignore_ascii_case(b) && v == w
            }
            (Dispatch::ContentType { any_of: a }, Dispatch::ContentType { any_of: b }) => a == b,
            (Dispatch::Path { name: a, test: v }, Dispatch::Path { name: b, test: w }) => {
                a == b && v == w
            }
            _ => false,
        }
    }
}

impl Dispatch {
    /// How much the condition narrows: candidates of one route are ordered by the sum.
    #[must_use]
    pub fn rank(&self) -> u32 {
        match self {
            Dispatch::Header { value: Some(_), .. } | Dispatch::Query { value: Some(_), .. } => {
                1_000
            }
            Dispatch::Path { test, .. } => 100 * u32::from(test.rank()),
            Dispatch::ContentType { .. } => 50,
            Dispatch::Header { value: None, .. } | Dispatch::Query { value: None, .. } => 10,
        }
    }
}

impl fmt::Display for Dispatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Dispatch::Query { name, value: Some(value) } => write!(f, "query `{name}={value}`"),
            Dispatch::Query { name, value: None } => write!(f, "query `{name}`"),
            Dispatch::Header { name, value: Some(value) } => write!(f, "header `{name}: {value}`"),
            Dispatch::Header { name, value: None } => write!(f, "header `{name}`"),
            Dispatch::ContentType { any_of } => {
                write!(f, "body of type `{}`", any_of.join("` or `"))
            }
            Dispatch::Path { name, test } => write!(f, "`{{{name}}}` being {}", test.words()),
        }
    }
}

impl ValueTest {
    fn words(&self) -> String {
        match self {
            ValueTest::Integer => "an integer".to_owned(),
            ValueTest::Number => "a number".to_owned(),
            ValueTest::Boolean => "true or false".to_owned(),
            ValueTest::Uuid => "a UUID".to_owned(),
            ValueTest::Date => "a date".to_owned(),
            ValueTest::OneOf(values) => format!("one of {} values", values.len()),
            ValueTest::Pattern(pattern) => format!("like `{pattern}`"),
        }
    }
}

fn is_integer(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_number(text: &str) -> bool {
    text.bytes()
        .all(|byte| byte.is_ascii_digit() || matches!(byte, b'-' | b'+' | b'.' | b'e' | b'E'))
        && text.parse::<f64>().is_ok_and(f64::is_finite)
}

pub(crate) fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

pub(crate) fn is_date(text: &str) -> bool {
    text.len() == 10
        && text.bytes().enumerate().all(|(at, byte)| match at {
            4 | 7 => byte == b'-',
            _ => byte.is_ascii_digit(),
        })
}

#[cfg(test)]
mod tests;
