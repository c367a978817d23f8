//! A text that a pattern matches.
//!
//! From the parsed pattern, with the fewest repetitions that give the length that is wanted. Places (`^`, `\b`) are
//! ignored; whether the text is right is for the caller to see.

use regex_syntax::ParserBuilder;
use regex_syntax::hir::{Class, Hir, HirKind};

use super::TEXT_BYTES;

/// A text of about `length` characters that is matched, if that is easily found. Other turns give other texts.
pub(super) fn text(pattern: &str, length: usize, turn: usize) -> Option<String> {
    let hir = ParserBuilder::new().nest_limit(60).build().parse(pattern).ok()?;
    let least = hir.properties().minimum_len().unwrap_or(0);
    let mut writer = Writer {
        out: String::new(),
        spare: length.saturating_sub(least),
        turn,
        steps: 4 * TEXT_BYTES,
    };
    writer.write(&hir)?;
    let missing = length.saturating_sub(writer.out.chars().count());
    // What is not anchored may have more around it.
    writer.out.extend(std::iter::repeat_n('a', missing));
    Some(writer.out)
}

struct Writer {
    out: String,
    /// Characters beyond the fewest that are still wanted.
    spare: usize,
    /// Which of several; used up by those that come first.
    turn: usize,
    steps: usize,
}

/// Characters that are preferred, the plainest first.
const PLAIN: &str = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ-_.:/@ ";

impl Writer {
    /// As deep as the pattern is nested, which the parser bounds.
    fn write(&mut self, hir: &Hir) -> Option<()> {
        self.steps = self.steps.checked_sub(1)?;
        if self.out.len() > TEXT_BYTES {
            return None;
        }
        match hir.kind() {
            HirKind::Empty | HirKind::Look(_) => {}
            HirKind::Literal(literal) => self.out.push_str(std::str::from_utf8(&literal.0).ok()?),
            HirKind::Class(class) => self.character(class)?,
            HirKind::Capture(capture) => self.write(&capture.sub)?,
            HirKind::Concat(parts) => {
                for part in parts {
                    self.write(part)?;
                }
            }
            HirKind::Alternation(parts) => {
                let at = self.pick(parts.len())?;
                self.write(&parts[at])?;
            }
            HirKind::Repetition(repetition) => {
                let most = repetition.max.unwrap_or(u32::MAX);
                let mut count = 0;
                while count < repetition.min {
                    self.write(&repetition.sub)?;
                    count += 1;
                }
                while count < most && self.spare > 0 {
                    let before = self.out.len();
                    self.write(&repetition.sub)?;
                    count += 1;
                    let written = self.out[before..].chars().count();
                    if written == 0 {
                        break;
                    }
                    self.spare = self.spare.saturating_sub(written);
                }
                // Something where there may be nothing says more.
                if count == 0 && most > 1 {
                    self.write(&repetition.sub)?;
                }
            }
        }
        Some(())
    }

    fn pick(&mut self, count: usize) -> Option<usize> {
        if count == 0 {
            return None;
        }
        let at = self.turn % count;
        self.turn /= count;
        Some(at)
    }

    fn character(&mut self, class: &Class) -> Option<()> {
        let has = |character: char| match class {
            Class::Unicode(class) => class
                .ranges()
                .iter()
                .any(|range| range.start() <= character && character <= range.end()),
            Class::Bytes(class) => u8::try_from(character).is_ok_and(|byte| {
                class.ranges().iter().any(|range| range.start() <= byte && byte <= range.end())
            }),
        };
        let ranges = match class {
            Class::Unicode(class) => class.ranges().len(),
            Class::Bytes(class) => class.ranges().len(),
        };
        self.steps = self.steps.checked_sub(ranges)?;
        let plain: Vec<char> = PLAIN.chars().filter(|character| has(*character)).collect();
        if plain.is_empty() {
            let first = match class {
                Class::Unicode(class) => class.ranges().first()?.start(),
                Class::Bytes(class) => char::from(class.ranges().first()?.start()),
            };
            self.out.push(first);
            return Some(());
        }
        // Of letters and digits, not the same one over and over.
        let place = self.out.len();
        let at = self.pick(plain.len())?;
        self.out.push(plain[(place + at) % plain.len().min(26)]);
        Some(())
    }
}
