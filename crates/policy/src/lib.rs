//! What may happen to a call: who is calling, whether that caller may, whether now.
//!
//! Policies are plain functions over a [`Call`]. They know no socket, no HTTP library and no clock: time,
//! counters and keys are asked through the ports in [`ports`], and what is to be answered or sent is given
//! back as values. Compiled policies ([`Rules`], [`Shape`], [`Cors`], [`Answers`], [`Requests`]) are made once from documents and never
//! change; what does change, the counts, lives in [`MemoryCounters`] and survives a new set of documents.
//!
//! Left to others: reading documents (`model`), finding the operation (`snapshot`), bytes (`proxy`).

pub mod answers;
mod base64;
pub mod call;
pub mod certificate;
pub mod cors;
pub mod gate;
pub mod hmac;
mod http_date;
pub mod hygiene;
pub mod key;
pub mod limit;
pub mod memory_counters;
pub mod memory_keys;
pub mod message;
pub mod permit;
pub mod phase;
pub mod pipeline;
pub mod ports;
pub mod query;
pub mod quota;
pub mod rate_headers;
pub mod refusal;
pub mod requests;
pub mod rules;
pub mod shape;
pub mod signature_fault;
pub mod signing;
#[cfg(test)]
mod test_call;

pub use answers::{Answers, Fate, Inside, Public};
pub use call::{Body, Call, Headers, MAX_PARAMS, ParamSpans, Scheme};
pub use certificate::{Certificate, CertificateFault};
pub use cors::{Cors, CorsAnswer, Preflight};
pub use gate::{Gate, Gates};
pub use hmac::{Hmac, Signer};
pub use hygiene::{is_hop_by_hop, is_ours};
pub use key::{Identified, Identify, KeyPlace, Signed, sha256};
pub use memory_counters::{CountersSize, MemoryCounters};
pub use memory_keys::MemoryKeys;
pub use message::{Message, Verifier};
pub use permit::{Credential, Permit};
pub use phase::Phase;
pub use pipeline::{Verdict, decide};
pub use ports::{App, Clock, Counters, Keys, Kind, LimitState, Value, Want, World};
pub use refusal::{Detail, Reason, Refusal};
pub use requests::{BodyWatch, Breach, Requests, RuleFault};
pub use rules::{GateRule, LimitRule, Per, Plan, RuleName, Rules, Unit, Window};
pub use shape::Shape;
pub use signature_fault::SignatureFault;
pub use signing::{TextToSign, text_to_sign};
