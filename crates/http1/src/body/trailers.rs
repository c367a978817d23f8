//! Trailer sections (RFC 9112 §7.1.2): collected line by line, each judged when it is complete.

use memchr::memchr;

use super::BodyLimits;
use crate::head::{Reading, field_lines};
use crate::{Field, Known, Reject};

/// A trailer section as far as it has arrived.
#[derive(Default, Debug)]
pub(super) struct Trailers {
    bytes: Vec<u8>,
    /// Where the line being collected begins.
    line: usize,
    fields: Vec<Field>,
    dropped: usize,
}

impl Trailers {
    /// Reads from `at` on. Returns where it stopped, and whether the section is complete.
    pub(super) fn read(
        &mut self,
        bytes: &[u8],
        at: usize,
        limits: &BodyLimits,
    ) -> Result<(usize, bool), Reject> {
        let mut at = at;
        while at < bytes.len() {
            let room = limits.trailer_bytes as usize - self.bytes.len();
            let rest = &bytes[at..];
            let window = &rest[..rest.len().min(room)];
            let Some(end) = memchr(b'\n', window) else {
                if window.len() == room {
                    return Err(Reject::TrailersTooLarge);
                }
                self.bytes.extend_from_slice(window);
                at += window.len();
                continue;
            };
            self.bytes.extend_from_slice(&window[..=end]);
            at += end + 1;
            if self.judge_line(limits)? {
                self.drop_forbidden();
                return Ok((at, true));
            }
        }
        Ok((at, false))
    }

    /// Judges the line that has just been completed; whether it was the empty one.
    fn judge_line(&mut self, limits: &BodyLimits) -> Result<bool, Reject> {
        let room = (limits.trailer_fields as usize).saturating_sub(self.fields.len());
        match field_lines(&self.bytes, self.line, &mut self.fields, room) {
            Ok(Reading::Whole(_)) => Ok(true),
            Ok(Reading::Partial { line }) => {
                self.line = line;
                Ok(false)
            }
            Err(Reject::TooManyFields) => Err(Reject::TrailersTooLarge),
            Err(reject) => Err(reject),
        }
    }

    fn drop_forbidden(&mut self) {
        let before = self.fields.len();
        let bytes = &self.bytes;
        self.fields.retain(|field| !is_forbidden(field.name.of(bytes), field.known));
        self.dropped = before - self.fields.len();
    }

    pub(super) fn fields(&self) -> (&[u8], &[Field]) {
        (&self.bytes, &self.fields)
    }

    pub(super) fn dropped(&self) -> usize {
        self.dropped
    }
}

/// Whether a field may stand in a trailer section (RFC 9110 §6.5.1): not one that frames, routes,
/// proves who is calling, or describes the body.
pub fn may_trail(name: &[u8]) -> bool {
    !is_forbidden(name, Known::from_name(name))
}

/// Beside the names of [`Known::is_forbidden_in_trailers`], the families that describe the body
/// or the way it came.
fn is_forbidden(name: &[u8], known: Known) -> bool {
    let begins = |prefix: &[u8]| {
        name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
    };
    known.is_forbidden_in_trailers()
        || begins(b"content-")
        || begins(b"x-forwarded-")
        || begins(b"proxy-")
}
