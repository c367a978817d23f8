//! Addresses of schemas: references joined to a base (RFC 3986 section 5.2).
//!
//! Names only: nothing is ever fetched by an address. What is not an address is joined as if it were one,
//! and then simply names nothing.

/// The parts of a reference, without its fragment.
#[derive(Clone, Copy, Default)]
struct Parts<'t> {
    scheme: Option<&'t str>,
    authority: Option<&'t str>,
    path: &'t str,
    query: Option<&'t str>,
}

/// The address and the fragment of a reference, the fragment as written.
pub(super) fn split(reference: &str) -> (&str, &str) {
    reference.split_once('#').unwrap_or((reference, ""))
}

/// The address that a reference without a fragment names from `base`.
pub(super) fn join(base: &str, reference: &str) -> String {
    if reference.is_empty() {
        return base.to_owned();
    }
    let (from, to) = (parts(base), parts(reference));
    let mut whole = to;
    let path;
    if to.scheme.is_none() {
        whole.scheme = from.scheme;
        if to.authority.is_none() {
            whole.authority = from.authority;
            path = match to.path {
                "" => {
                    whole.query = to.query.or(from.query);
                    from.path.to_owned()
                }
                absolute if absolute.starts_with('/') => without_dots(absolute),
                relative => without_dots(&merged(from, relative)),
            };
        } else {
            path = without_dots(to.path);
        }
    } else {
        path = without_dots(to.path);
    }
    whole.path = &path;
    written(whole)
}

fn merged(base: Parts<'_>, relative: &str) -> String {
    if base.authority.is_some() && base.path.is_empty() {
        return format!("/{relative}");
    }
    let folder = base.path.rfind('/').map_or("", |slash| &base.path[..=slash]);
    format!("{folder}{relative}")
}

fn parts(text: &str) -> Parts<'_> {
    let mut parts = Parts::default();
    let mut rest = text;
    if let Some((scheme, after)) = text.split_once(':')
        && scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'))
    {
        parts.scheme = Some(scheme);
        rest = after;
    }
    if let Some((before, query)) = rest.split_once('?') {
        parts.query = Some(query);
        rest = before;
    }
    if let Some(after) = rest.strip_prefix("//") {
        let end = after.find('/').unwrap_or(after.len());
        parts.authority = Some(&after[..end]);
        rest = &after[end..];
    }
    parts.path = rest;
    parts
}

fn written(parts: Parts<'_>) -> String {
    let mut text = String::new();
    if let Some(scheme) = parts.scheme {
        text.push_str(scheme);
        text.push(':');
    }
    if let Some(authority) = parts.authority {
        text.push_str("//");
        text.push_str(authority);
    }
    text.push_str(parts.path);
    if let Some(query) = parts.query {
        text.push('?');
        text.push_str(query);
    }
    text
}

/// `.` and `..` taken out; a path without a slash (as of a URN) stays as it is.
fn without_dots(path: &str) -> String {
    if !path.contains('/') && !path.starts_with('.') {
        return path.to_owned();
    }
    let mut kept: Vec<&str> = Vec::new();
    let mut open = false;
    for part in path.split('/') {
        open = matches!(part, "." | "..");
        match part {
            "." => {}
            ".." => {
                if kept.len() > 1 || kept.first().is_some_and(|first| !first.is_empty()) {
                    kept.pop();
                }
            }
            part => kept.push(part),
        }
    }
    let mut text = kept.join("/");
    if open && !text.ends_with('/') {
        text.push('/');
    }
    if path.starts_with('/') && !text.starts_with('/') {
        text.insert(0, '/');
    }
    text
}

#[cfg(test)]
mod tests;
