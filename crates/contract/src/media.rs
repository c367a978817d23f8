//! Media types of messages, and the ranges by which a contract describes them (RFC 9110 section 8.3, OpenAPI's
//! `content`).
//!
//! A message's type is read strictly: what is not one, or names a parameter twice, is none. A contract's is read as
//! far as it can be. Names are compared in lower case; parameters decide only between two entries of one type.

/// The most parameters of a media type.
const PARAMETERS_MAX: usize = 16;

/// The media type of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MediaType {
    /// `type/subtype`, in lower case.
    pub(crate) name: String,
    /// Names in lower case, values without their quotes.
    parameters: Vec<(String, String)>,
}

/// What bodies of a media type are written in, as far as they can be checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Language {
    Json,
    Form,
    Multipart,
    /// `text/*`.
    Text,
    /// Something else: not looked into.
    Other,
}

/// The characters that a text is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Charset {
    Utf8,
    Latin1,
    /// One that is not known here.
    Other,
}

impl MediaType {
    /// Reads the value of a `Content-Type`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (name, mut rest) = text.split_once(';').unwrap_or((text, ""));
        let name = name.trim_matches([' ', '\t']);
        let (kind, subtype) = name.split_once('/')?;
        if !is_token(kind) || !is_token(subtype) {
            return None;
        }
        let mut parameters: Vec<(String, String)> = Vec::new();
        while let Some(found) = next_parameter(&mut rest) {
            let (name, value) = found?;
            if parameters.len() >= PARAMETERS_MAX
                || parameters.iter().any(|(known, _)| *known == name)
            {
                return None;
            }
            parameters.push((name, value));
        }
        Some(Self { name: name.to_ascii_lowercase(), parameters })
    }

    /// The value of a parameter.
    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn language(&self) -> Language {
        match self.name.as_str() {
            "application/json" | "text/json" => Language::Json,
            name if name.ends_with("+json") => Language::Json,
            "application/x-www-form-urlencoded" => Language::Form,
            "multipart/form-data" => Language::Multipart,
            "text/xml" => Language::Other,
            name if name.ends_with("+xml") => Language::Other,
            name if name.starts_with("text/") => Language::Text,
            _ => Language::Other,
        }
    }

    pub(crate) fn charset(&self) -> Charset {
        let Some(charset) = self.parameter("charset") else { return Charset::Utf8 };
        let is = |names: &[&str]| names.iter().any(|name| charset.eq_ignore_ascii_case(name));
        if is(&["utf-8", "utf8", "us-ascii", "ascii"]) {
            Charset::Utf8
        } else if is(&["iso-8859-1", "latin1"]) {
            Charset::Latin1
        } else {
            Charset::Other
        }
    }
}

/// The next parameter of `rest`, which begins behind a semicolon or is empty. `Some(None)`: what stands there is none.
fn next_parameter(rest: &mut &str) -> Option<Option<(String, String)>> {
    // Empty ones are allowed (RFC 9110 section 5.6.6).
    *rest = rest.trim_start_matches([' ', '\t', ';']);
    if rest.is_empty() {
        return None;
    }
    Some(parameter(rest))
}

/// `name=value` or `name="value"` at the beginning of `rest`, up to behind the semicolon that follows.
pub(crate) fn parameter(rest: &mut &str) -> Option<(String, String)> {
    let (name, after) = rest.split_once('=')?;
    if !is_token(name) {
        return None;
    }
    let value;
    if let Some(quoted) = after.strip_prefix('"') {
        let (text, after) = unquoted(quoted)?;
        let after = after.trim_start_matches([' ', '\t']);
        *rest = if after.is_empty() { after } else { after.strip_prefix(';')? };
        value = text;
    } else {
        let (text, after) = after.split_once(';').unwrap_or((after, ""));
        let text = text.trim_end_matches([' ', '\t']);
        if !is_token(text) {
            return None;
        }
        *rest = after;
        value = text.to_owned();
    }
    Some((name.to_ascii_lowercase(), value))
}

/// The text up to the closing quote, and what stands behind it. A backslash stands for itself but before a quote
/// or another one: browsers of old wrote the names of files so.
fn unquoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut letters = text.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => match text[at + 1..].chars().next()? {
                next @ ('"' | '\\') => {
                    value.push(next);
                    letters.next();
                }
                _ => value.push('\\'),
            },
            letter => value.push(letter),
        }
    }
    None
}

/// A token (RFC 9110 section 5.6.2).
pub(crate) fn is_token(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|byte| {
            byte.is_ascii_alphanumeric()
                || matches!(
                    byte,
                    b'!' | b'#'
                        | b'$'
                        | b'%'
                        | b'&'
                        | b'\''
                        | b'*'
                        | b'+'
                        | b'-'
                        | b'.'
                        | b'^'
                        | b'_'
                        | b'`'
                        | b'|'
                        | b'~'
                )
        })
}

/// A key of `content`: a media type, `type/*+suffix`, `type/*` or `*/*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Range {
    media: MediaType,
}

impl Range {
    /// Nothing of it can be met if it is none.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let read = MediaType::parse(text);
        // Some contracts have odd things behind the semicolon, and some a star alone.
        let name = text.split(';').next().unwrap_or_default().trim();
        let read = read.or_else(|| MediaType::parse(if name == "*" { "*/*" } else { name }));
        read.map(|media| Self { media })
    }

    /// As it is written in a list of what is taken.
    pub(crate) fn name(&self) -> &str {
        &self.media.name
    }

    /// Which languages the bodies of the range may be in: whether that of `language` is among them.
    pub(crate) fn may_be(&self, language: Language) -> bool {
        let name = self.name();
        match language {
            _ if name == "*/*" => true,
            Language::Form => matches!(name, "application/x-www-form-urlencoded" | "application/*"),
            Language::Multipart => matches!(name, "multipart/form-data" | "multipart/*"),
            other => self.media.language() == other || name == "application/*",
        }
    }

    /// How well a media type fits, `None` if it does not.
    fn fit(&self, media: &MediaType) -> Option<u32> {
        let own = &self.media;
        if own.name == media.name {
            let met = |(name, value): &(String, String)| {
                media.parameter(name).is_some_and(|given| given.eq_ignore_ascii_case(value))
            };
            // One whose parameters are all there is meant more than one without; one whose are not, less.
            return Some(match own.parameters.iter().filter(|own| met(own)).count() {
                count if count == own.parameters.len() => 11 + count as u32,
                _ => 10,
            });
        }
        // No version of OpenAPI has these, and contracts do.
        if let Some((start, end)) = own.name.split_once("*+") {
            let rest = media.name.strip_prefix(start).filter(|_| start.ends_with('/'));
            return rest.and_then(|rest| rest.strip_suffix(end)?.strip_suffix('+')).map(|_| 3);
        }
        match own.name.strip_suffix('*') {
            Some("*/") => Some(1),
            Some(start) if start.ends_with('/') && media.name.starts_with(start) => Some(2),
            _ => None,
        }
    }
}

/// The range that describes a media type best, of equals the first.
pub(crate) fn best<'r>(
    ranges: impl Iterator<Item = Option<&'r Range>>,
    media: &MediaType,
) -> Option<usize> {
    let mut best: Option<(usize, u32)> = None;
    for (index, range) in ranges.enumerate() {
        let fit = range.and_then(|range| range.fit(media));
        if let Some(fit) = fit
            && best.is_none_or(|(_, known)| fit > known)
        {
            best = Some((index, fit));
        }
    }
    best.map(|(index, _)| index)
}

#[cfg(test)]
mod tests;
