//! A body that is watched while it passes.

use std::sync::Arc;

use portway_model::Coding;

use super::Breach;
use super::inflate::Inflate;
use super::multipart::{Multipart, PartRules};

/// Watches one body. Its memory is bounded by the rules, not by the body.
pub struct BodyWatch {
    inflate: Option<Inflate>,
    parts: Option<Result<Multipart, Breach>>,
    /// Nothing more is watched: something was found.
    over: bool,
}

impl BodyWatch {
    pub(super) fn new(
        coding: Option<Coding>,
        bounds: (u64, u64),
        parts: Option<(Arc<PartRules>, Vec<u8>)>,
    ) -> Self {
        Self {
            inflate: coding.map(|coding| Inflate::new(coding, bounds)),
            parts: parts.map(|(rules, content_type)| Multipart::new(rules, &content_type)),
            over: false,
        }
    }

    /// Takes the next bytes of the body, before they go on; tells the first thing that is wrong, once.
    pub fn take(&mut self, data: &[u8]) -> Result<(), Breach> {
        if self.over || data.is_empty() {
            return Ok(());
        }
        let taken = match (&mut self.inflate, &mut self.parts) {
            (_, Some(Err(breach))) => Err(breach.clone()),
            (None, None) => Ok(()),
            (None, Some(Ok(parts))) => parts.take(data),
            (Some(inflate), None) => inflate.take(data, |_| Ok(())),
            (Some(inflate), Some(Ok(parts))) => inflate.take(data, |piece| parts.take(piece)),
        };
        self.over = taken.is_err();
        taken
    }

    /// The body has ended; tells whether it may.
    pub fn end(&mut self) -> Result<(), Breach> {
        if std::mem::replace(&mut self.over, true) {
            return Ok(());
        }
        if let Some(inflate) = &self.inflate {
            inflate.end()?;
        }
        match &self.parts {
            None => Ok(()),
            Some(Ok(parts)) => parts.end(),
            Some(Err(breach)) => Err(breach.clone()),
        }
    }
}
