//! The policy that a service has for its answers, together with how the caller of one call sees the gateway.

use portway_http1::{self as http1, Known};
use portway_policy::{Answers, Fate, Public, Scheme};

use crate::exchange::Surroundings;
use crate::forwarded;

/// What is asked of each field of an answer.
pub(crate) struct Guard<'a> {
    answers: &'a Answers,
    public: Public<'a>,
}

impl<'a> Guard<'a> {
    /// Of a call to a service, by index; `None` if the service has no policy for its answers.
    pub(crate) fn of(around: &Surroundings<'a>, service: usize) -> Option<Self> {
        let answers = around.live.snapshot.services[service].answers.as_ref()?;
        Some(Self { answers, public: public(around) })
    }

    /// What becomes of a field; a new value is appended to `out`.
    pub(crate) fn field(&self, name: &[u8], value: &[u8], out: &mut Vec<u8>) -> Fate {
        self.answers.field(&self.public, name, value, out)
    }

    /// Writes the fields that are added to an answer. `has` says which it has already.
    pub(crate) fn write_added(&self, has: impl Fn(&[u8]) -> bool, out: &mut Vec<u8>) {
        self.answers.added(self.public.tls, has, |name, value| {
            http1::write_field(out, name.as_bytes(), value.as_bytes());
        });
    }
}

/// A trusted proxy knows better than we how the caller came.
fn public<'a>(around: &Surroundings<'a>) -> Public<'a> {
    let request = around.request;
    let (mut tls, mut authority) = (around.peer.tls, request.text(request.authority));
    if around.trusted {
        if let Some(scheme) = forwarded::client_scheme(request) {
            tls = scheme == Scheme::Https;
        }
        let mut fields = request.fields().iter().rev();
        if let Some(field) = fields.find(|field| field.known == Known::XForwardedHost) {
            authority = request.text(field.value);
        }
    }
    Public::new(tls, authority)
}
