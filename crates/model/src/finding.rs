//! A mistake before it is known where in which file it stands: finding out costs, and is done only if
//! there is one.

use crate::Severity;
use crate::place::At;

/// One mistake or oddity at a JSON pointer.
#[derive(Debug, Clone)]
pub(crate) struct Finding {
    pub(crate) severity: Severity,
    pub(crate) code: &'static str,
    pub(crate) pointer: String,
    pub(crate) at: At,
    pub(crate) message: String,
    pub(crate) fix: String,
}

impl Finding {
    pub(crate) fn error(
        code: &'static str,
        pointer: impl Into<String>,
        message: impl Into<String>,
    ) -> Self {
        Self {
            severity: Severity::Error,
            code,
            pointer: pointer.into(),
            at: At::Thing,
            message: message.into(),
            fix: String::new(),
        }
    }

    pub(crate) fn warning(
        code: &'static str,
        pointer: impl Into<String>,
        message: impl Into<String>,
    ) -> Self {
        Self { severity: Severity::Warning, ..Self::error(code, pointer, message) }
    }

    pub(crate) fn fix(self, fix: impl Into<String>) -> Self {
        Self { fix: fix.into(), ..self }
    }

    /// "Did you mean …", where a known word is near enough.
    pub(crate) fn did_you_mean<'a>(
        self,
        word: &str,
        known: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        match crate::suggest::closest(word, known) {
            Some(meant) => self.fix(format!("did you mean \"{meant}\"?")),
            None => self,
        }
    }

    pub(crate) fn at_key(self) -> Self {
        Self { at: At::Key, ..self }
    }
}
