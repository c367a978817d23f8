//! Why a call goes as it goes, step by step: what is asked, what is said, and how it is shown.
//!
//! Nothing is decided here: [`portway_proxy::rehearsal`] has the call judged by the code that serves. This puts what came
//! of it into words, without the values of credentials. The same [`Walk`] is what `portway explain` prints, what the admin
//! listener answers, and what `portway test` compares with what was expected.

pub mod ask;
pub mod edits;
pub mod instant;
pub mod live;
pub mod page;
pub mod past;
pub mod secrets;
pub mod signature;
pub mod text;
pub mod walk;

pub use ask::{Ask, Call};
pub use walk::{Walk, walk};
