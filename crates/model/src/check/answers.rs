//! Answers: fields that nobody may drop or set, and things that say nothing.

use super::Declared;
use crate::finding::Finding;
use crate::path::{child, dotted, item};
use crate::{Answers, Cookies, Document, HideErrors, SameSite, Secure};

/// Fields that belong to a message's framing or meaning, or that Portway writes: neither masked nor set.
const NOT_OURS_TO_TOUCH: &[&str] = &[
    "Connection",
    "Content-Encoding",
    "Content-Length",
    "Content-Range",
    "Content-Type",
    "Date",
    "Keep-Alive",
    "Location",
    "Set-Cookie",
    "Trailer",
    "Transfer-Encoding",
    "Upgrade",
    "X-Request-Id",
];
/// The most security headers of one service.
const SECURITY_HEADERS_MAX: usize = 32;

fn each(document: &Document, mut see: impl FnMut(&Answers, &str)) {
    for (name, service) in &document.services {
        if let Some(answers) = &service.answers {
            see(answers, &format!("{}/answers", child("/services", name.as_str())));
        }
    }
}

fn is_untouchable(name: &str) -> bool {
    NOT_OURS_TO_TOUCH.iter().any(|known| known.eq_ignore_ascii_case(name))
}

/// What an answer needs to be understood is not dropped.
pub(super) fn mask(document: &Document, _: &Declared, findings: &mut Vec<Finding>) {
    each(document, |answers, pointer| {
        let Some(mask) = &answers.mask else { return };
        let lists = [
            ("headers", mask.headers.as_deref().unwrap_or_default()),
            ("more_headers", &mask.more_headers),
        ];
        for (field, list) in lists {
            for (index, header) in list.iter().enumerate() {
                let place = || item(&format!("{pointer}/mask/{field}"), index);
                let name = header.strip_suffix('*').unwrap_or(header);
                let message = if name.contains('*') {
                    format!("{}: a star can only stand at the end", dotted(&place()))
                } else if name.is_empty() {
                    format!("{}: a star alone would drop every field", dotted(&place()))
                } else if is_untouchable(header) {
                    format!("{}: an answer cannot do without {header}", dotted(&place()))
                } else {
                    continue;
                };
                findings.push(
                    Finding::error("mask-header", place(), message)
                        .fix("name the fields that tell too much, or their beginning: X-Envoy-*"),
                );
            }
        }
    });
}

/// A policy that gives cookies nothing is a slip.
pub(super) fn cookies(document: &Document, _: &Declared, findings: &mut Vec<Finding>) {
    each(document, |answers, pointer| {
        let Some(cookies) = &answers.cookies else { return };
        let pointer = format!("{pointer}/cookies");
        let Cookies { secure, http_only, same_site, .. } = cookies;
        if *secure == Secure::Never && !http_only && *same_site == SameSite::Off {
            let message = format!("{} gives cookies nothing", dotted(&pointer));
            findings.push(
                Finding::warning("idle-cookies", &pointer, message).fix("remove \"cookies\""),
            );
        }
        if !http_only && !cookies.readable.is_empty() {
            let pointer = format!("{pointer}/readable");
            let message =
                format!("{}: without \"http_only\", every cookie is readable", dotted(&pointer));
            findings.push(Finding::warning("idle-cookies", pointer, message).fix("remove it"));
        }
    });
}

/// A log line does not take whole pages.
pub(super) fn hide_errors(document: &Document, _: &Declared, findings: &mut Vec<Finding>) {
    each(document, |answers, pointer| {
        let Some(hide) = &answers.hide_errors else { return };
        if hide.log_bytes.as_bytes() > HideErrors::LOG_BYTES_MAX {
            let pointer = format!("{pointer}/hide_errors/log_bytes");
            let message = format!("{}: a log line shows at most 4KiB of a page", dotted(&pointer));
            findings.push(
                Finding::error("too-many-log-bytes", pointer, message).fix("write 4KiB or less"),
            );
        }
    });
}

/// Only fields that guard something are set here, each once.
pub(super) fn security_headers(document: &Document, _: &Declared, findings: &mut Vec<Finding>) {
    each(document, |answers, pointer| {
        let Some(headers) = &answers.security_headers else { return };
        let pointer = format!("{pointer}/security_headers/set");
        if headers.set.len() > SECURITY_HEADERS_MAX {
            let message =
                format!("{} has more than {SECURITY_HEADERS_MAX} fields", dotted(&pointer));
            findings.push(Finding::error("too-many-fields", &pointer, message));
        }
        let mut seen: Vec<&str> = Vec::new();
        for name in headers.set.keys().take(SECURITY_HEADERS_MAX) {
            let place = child(&pointer, name);
            if is_untouchable(name) || name.to_ascii_lowercase().starts_with("access-control-") {
                let message = format!("{}: {name} is not set here", dotted(&place));
                let fix = if is_untouchable(name) { "remove it" } else { "use \"cors\"" };
                findings.push(Finding::error("security-header", &place, message).at_key().fix(fix));
            }
            if seen.iter().any(|known| known.eq_ignore_ascii_case(name)) {
                let message = format!("{}: it stands there twice", dotted(&place));
                findings.push(
                    Finding::error("security-header", &place, message)
                        .at_key()
                        .fix("remove one of them"),
                );
            }
            seen.push(name);
        }
    });
}
