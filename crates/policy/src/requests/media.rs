//! Media types (RFC 9110 §8.3.1), as far as rules need them.

/// One media type, or all of a kind; lower case.
#[derive(Debug)]
pub(super) struct Media {
    kind: Box<str>,
    /// `None` for any.
    name: Option<Box<str>>,
}

pub(super) fn compile(written: &[String]) -> Box<[Media]> {
    let lower = |text: &str| text.to_ascii_lowercase().into_boxed_str();
    let one = |text: &String| {
        let (kind, name) = text.split_once('/').unwrap_or((text, "*"));
        Media { kind: lower(kind), name: (name != "*").then(|| lower(name)) }
    };
    written.iter().map(one).collect()
}

/// What stands before the parameters.
fn essence(value: &[u8]) -> (&[u8], &[u8]) {
    let end = value.iter().position(|byte| *byte == b';').unwrap_or(value.len());
    let whole = value[..end].trim_ascii();
    let slash = whole.iter().position(|byte| *byte == b'/').unwrap_or(whole.len());
    (&whole[..slash], whole.get(slash + 1..).unwrap_or_default())
}

pub(super) fn is_one_of(value: &[u8], media: &[Media]) -> bool {
    let (kind, name) = essence(value);
    media.iter().any(|known| {
        known.kind.as_bytes().eq_ignore_ascii_case(kind)
            && known.name.as_ref().is_none_or(|own| own.as_bytes().eq_ignore_ascii_case(name))
    })
}

pub(super) fn is_multipart(value: &[u8]) -> bool {
    essence(value).0.eq_ignore_ascii_case(b"multipart")
}

/// Whether a value is one media type with parameters that all readers take alike, and no list.
pub(super) fn is_clear(value: &[u8]) -> bool {
    let is_token = |part| std::str::from_utf8(part).is_ok_and(super::is_field_name);
    let (kind, name) = essence(value);
    value.is_ascii() && is_token(kind) && is_token(name) && parameters(value).is_ok()
}

/// Whether ASCII reads the same in the charset that is named, if one is. In another, patterns and applications would
/// read different texts.
pub(super) fn has_plain_charset(value: &[u8]) -> bool {
    const STARTS: &[&[u8]] = &[b"utf-8", b"us-ascii", b"iso-8859-", b"windows-125"];
    let Ok(parameters) = parameters(value) else { return false };
    parameters.iter().filter(|(name, _)| name == "charset").all(|(_, value)| {
        let value = value.to_ascii_lowercase();
        STARTS.iter().any(|start| value.as_bytes().starts_with(start))
    })
}

/// The most parameters of one value.
const PARAMETERS_MAX: usize = 16;

/// The parameters behind the first `;`: names in lower case, values without quotes. An error for what two readers
/// could take differently: backslashes, names given twice, signs outside of ASCII in names, a `,` without quotes, things
/// that are none.
pub(super) fn parameters(value: &[u8]) -> Result<Vec<(String, String)>, ()> {
    let text = std::str::from_utf8(value).map_err(|_| ())?;
    let mut found: Vec<(String, String)> = Vec::new();
    let mut rest = match text.split_once(';') {
        None => return Ok(found),
        Some((_, rest)) => rest.trim_start(),
    };
    while !rest.is_empty() {
        let (name, after) = rest.split_once('=').ok_or(())?;
        let name = name.to_ascii_lowercase();
        let is_new = found.iter().all(|(known, _)| *known != name);
        if !super::is_field_name(&name) || !is_new || found.len() >= PARAMETERS_MAX {
            return Err(());
        }
        let (value, after) = match after.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').ok_or(())?,
            None => {
                let end = after.find([';', ' ', '\t', ',']).unwrap_or(after.len());
                after.split_at(end)
            }
        };
        if value.contains(['\\', '"']) {
            return Err(());
        }
        found.push((name, value.to_owned()));
        let after = after.trim_start();
        rest = match after.strip_prefix(';') {
            Some(next) => next.trim_start(),
            None if after.is_empty() => after,
            None => return Err(()),
        };
    }
    Ok(found)
}
