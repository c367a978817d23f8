//! The phases of a call, in their order, each with the reason why it stands where it stands.
//!
//! Code, documents, log lines and metrics use these words. A policy belongs to one phase; order within a
//! phase is written down in `pipeline.rs`, never a number in a document.

/// A part of the way of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Phase {
    /// Socket, TLS, protocol, bounds.
    Accept,
    /// Host, path and method to an operation; CORS preflights.
    Route,
    /// Who is calling.
    Identify,
    /// Whether this caller may do this.
    Permit,
    /// Whether it may now.
    Admit,
    /// Whether the call keeps the contract.
    Check,
    /// What the backend is to see.
    Shape,
    /// The backend is called.
    Dispatch,
    /// The answer in the house form.
    Reshape,
    /// What is remembered of it.
    Record,
}

impl Phase {
    /// All, in order.
    pub const ALL: &[Self] = &[
        Self::Accept,
        Self::Route,
        Self::Identify,
        Self::Permit,
        Self::Admit,
        Self::Check,
        Self::Shape,
        Self::Dispatch,
        Self::Reshape,
        Self::Record,
    ];

    /// Its word in logs, metrics and documents.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Accept => "accept",
            Self::Route => "route",
            Self::Identify => "identify",
            Self::Permit => "permit",
            Self::Admit => "admit",
            Self::Check => "check",
            Self::Shape => "shape",
            Self::Dispatch => "dispatch",
            Self::Reshape => "reshape",
            Self::Record => "record",
        }
    }

    /// Why it stands at its place.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Accept => {
                "First, since nothing may be read from a peer that is not bounded in bytes and time."
            }
            Self::Route => {
                "Before identify, since the operation says which credentials count; a preflight carries none and is \
                 answered here."
            }
            Self::Identify => "Before permit and admit, since both ask who is calling.",
            Self::Permit => {
                "Before admit, so that a call that is not allowed uses up nobody's allowance."
            }
            Self::Admit => {
                "Before check, so that a flood costs a counter and not a body read and checked."
            }
            Self::Check => "Before shape, so that what is checked is what the caller sent.",
            Self::Shape => {
                "Last before dispatch, so that no later policy sees, logs or counts the backend's own credentials."
            }
            Self::Dispatch => {
                "After everything that can refuse: a backend sees only calls that may reach it."
            }
            Self::Reshape => "After dispatch, on answers of the backend and of the gateway alike.",
            Self::Record => {
                "When the body has ended or was dropped, so that it tells what really happened."
            }
        }
    }
}

#[cfg(test)]
mod tests;
