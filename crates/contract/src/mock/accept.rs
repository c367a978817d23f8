//! `Accept` (RFC 9110 section 12.5.1): which of several media types a caller likes best.

/// Media ranges that are read; those beyond do not count.
const RANGES_MAX: usize = 64;

/// What a caller accepts. Nothing said is anything.
#[derive(Debug, Default, Clone)]
pub struct Accept<'a> {
    ranges: Vec<Range<'a>>,
    /// Something was said, even if it was not understood.
    said: bool,
}

#[derive(Debug, Clone)]
struct Range<'a> {
    main: &'a str,
    sub: &'a str,
    /// Parameters before the weight.
    parameters: Vec<(&'a str, &'a str)>,
    /// In thousandths.
    weight: u16,
}

impl<'a> Accept<'a> {
    /// Reads one field; called for each, in order. What is no media range is passed over.
    pub fn read(&mut self, field: &'a str) {
        for item in split(field, b',') {
            if self.ranges.len() >= RANGES_MAX {
                return;
            }
            if !item.trim().is_empty() {
                self.said = true;
                self.ranges.extend(range(item));
            }
        }
    }

    /// The place of the media type that is liked best: of several alike, the first. Nothing if none is accepted.
    pub fn best<'t>(&self, offered: impl Iterator<Item = &'t str>) -> Option<usize> {
        let mut best: Option<(u16, usize)> = None;
        for (at, media_type) in offered.enumerate() {
            let weight = if self.said { self.weight(media_type) } else { 1_000 };
            if weight > 0 && best.is_none_or(|(known, _)| weight > known) {
                best = Some((weight, at));
            }
        }
        best.map(|(_, at)| at)
    }

    /// By the range that says most of it.
    fn weight(&self, media_type: &str) -> u16 {
        let Some(offered) = range(media_type) else { return 0 };
        let fitting = self.ranges.iter().filter_map(|range| {
            let nearness = match (range.main, range.sub) {
                ("*", "*") => 1,
                (main, "*") if main.eq_ignore_ascii_case(offered.main) => 2,
                (main, sub)
                    if main.eq_ignore_ascii_case(offered.main)
                        && sub.eq_ignore_ascii_case(offered.sub) =>
                {
                    // Parameters that the type does not have are a wish: servers have long been lenient here.
                    let has = range.parameters.iter().all(|wanted| {
                        offered.parameters.iter().any(|known| {
                            known.0.eq_ignore_ascii_case(wanted.0)
                                && known.1.eq_ignore_ascii_case(wanted.1)
                        })
                    });
                    if has && !range.parameters.is_empty() { 4 } else { 3 }
                }
                _ => return None,
            };
            Some((nearness, range.weight))
        });
        fitting.max().map_or(0, |(_, weight)| weight)
    }
}

fn range(item: &str) -> Option<Range<'_>> {
    let mut parts = split(item, b';');
    let (main, sub) = parts.next()?.trim().split_once('/')?;
    let is_token = |text: &str| {
        !text.is_empty()
            && text
                .bytes()
                .all(|byte| byte.is_ascii_graphic() && !b"()<>@,;:\\\"/[]?={}".contains(&byte))
    };
    if !is_token(main) || !is_token(sub) {
        return None;
    }
    let mut range = Range { main, sub, parameters: Vec::new(), weight: 1_000 };
    for part in parts.take(16) {
        let Some((name, value)) = part.split_once('=') else { continue };
        let (name, value) = (name.trim(), value.trim());
        if name.eq_ignore_ascii_case("q") {
            range.weight = weight(value)?;
            break;
        }
        let value =
            value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(value);
        range.parameters.push((name, value));
    }
    Some(range)
}

/// `0.8` in thousandths (RFC 9110 section 12.4.2).
fn weight(text: &str) -> Option<u16> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_digits(fraction) || fraction.len() > 3 {
        return None;
    }
    match whole {
        "0" => format!("{fraction:0<3}").parse().ok(),
        "1" => Some(1_000),
        _ => None,
    }
}

/// The parts between separators that do not stand in quotes.
pub(super) fn split(text: &str, separator: u8) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let (mut quoted, mut escaped) = (false, false);
        let end = text.bytes().position(|byte| {
            if escaped {
                escaped = false;
            } else {
                match byte {
                    b'\\' if quoted => escaped = true,
                    b'"' => quoted = !quoted,
                    byte if byte == separator && !quoted => return true,
                    _ => {}
                }
            }
            false
        });
        match end {
            Some(end) => {
                rest = Some(&text[end + 1..]);
                Some(&text[..end])
            }
            None => {
                rest = None;
                Some(text)
            }
        }
    })
}
