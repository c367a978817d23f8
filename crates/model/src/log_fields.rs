//! The fields of a line of the call log: those that there are, and those that a document asks for by name.

/// Every field that Portway gives, in the order in which a line has them where the document chooses none.
pub const LOG_FIELDS: &[&str] = &[
    "time",
    "request_id",
    "trace_id",
    "span_id",
    "client",
    "protocol",
    "tls",
    "method",
    "host",
    "path",
    "service",
    "operation",
    "route",
    "app",
    "plan",
    "status",
    "outcome",
    "source",
    "bytes_in",
    "bytes_out",
    "total_us",
    "route_us",
    "identify_us",
    "permit_us",
    "admit_us",
    "check_us",
    "shape_us",
    "dispatch_us",
    "reshape_us",
    "tries",
    "target",
    "reused",
    "limit",
    "limit_remaining",
    "limit_reset_s",
    "breaks",
    "answer_breaks",
    "user_agent",
    "error_page",
];

/// A field of a document's list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogField<'a> {
    /// One of [`LOG_FIELDS`], by its place there.
    Known(usize),
    /// A header field of the request.
    Header(&'a str),
    /// A query parameter.
    Query(&'a str),
    /// A header field of the backend's answer.
    Answer(&'a str),
}

impl<'a> LogField<'a> {
    /// Reads a field as a document names it; nothing if there is none of that name or form.
    pub fn parse(text: &'a str) -> Option<Self> {
        if let Some(place) = LOG_FIELDS.iter().position(|known| *known == text) {
            return Some(Self::Known(place));
        }
        let (kind, name) = text.split_once(':')?;
        let is_name = (1..=NAME_BYTES_MAX).contains(&name.len());
        match kind {
            "header" if is_name && crate::text::is_token(name) => Some(Self::Header(name)),
            "answer" if is_name && crate::text::is_token(name) => Some(Self::Answer(name)),
            "query" if is_name && name.chars().all(is_of_parameter) => Some(Self::Query(name)),
            _ => None,
        }
    }
}

/// The longest name of a header or parameter.
const NAME_BYTES_MAX: usize = 64;

/// Such names stand in a line as they are.
fn is_of_parameter(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '~' | '[' | ']' | '$' | '@' | '*')
}

/// Whether a header or parameter of this name is likely to carry a credential, which must not stand in a log.
pub fn carries_credentials(name: &str) -> bool {
    const PARTS: &[&str] = &[
        "authoriz",
        "authentic",
        "cookie",
        "token",
        "secret",
        "passw",
        "apikey",
        "credential",
        "session",
        "signature",
        "jwt",
        "assertion",
        "csrf",
        "xsrf",
        "privatekey",
        "accesskey",
    ];
    const WHOLE: &[&str] =
        &["auth", "key", "code", "sig", "sign", "pwd", "pass", "pin", "sid", "state", "otp"];
    let plain: String = name
        .chars()
        .filter(|c| !matches!(c, '-' | '_' | '.'))
        .flat_map(char::to_lowercase)
        .collect();
    PARTS.iter().any(|part| plain.contains(part))
        || WHOLE.iter().any(|word| plain == *word || plain.strip_prefix('x') == Some(word))
}

#[cfg(test)]
mod tests;
