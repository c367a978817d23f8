//! Findings while they are gathered: named by pointer, bounded, repetitions counted instead of listed.
//!
//! A document with one odd habit shows it a thousand times. Findings of one code about one subject are
//! therefore kept once, with the place of the first and the number of all. Places are filled in at the
//! end, when `read` still has the texts.

use std::collections::HashMap;

use crate::contract::Node;
use crate::diagnostic::Severity;

/// Longest message, in characters.
const SENTENCE_CHARACTERS: usize = 500;

/// A finding whose line is not known yet.
#[derive(Clone, Debug)]
pub(crate) struct Finding {
    pub(crate) severity: Severity,
    pub(crate) code: &'static str,
    pub(crate) node: Node,
    /// Line and column, where they are known already.
    pub(crate) place: Option<(u32, u32)>,
    pub(crate) message: String,
    pub(crate) fix: String,
    /// How many findings this one stands for.
    pub(crate) count: usize,
}

/// The findings of one reading.
#[derive(Debug)]
pub(crate) struct Findings {
    list: Vec<Finding>,
    subjects: HashMap<(&'static str, String), usize>,
    of_code: HashMap<&'static str, usize>,
    most: usize,
    left_out: usize,
}

impl Findings {
    pub(crate) fn new(most: usize) -> Findings {
        Findings {
            list: Vec::new(),
            subjects: HashMap::new(),
            of_code: HashMap::new(),
            most,
            left_out: 0,
        }
    }

    /// A warning about one node.
    pub(crate) fn warn(
        &mut self,
        code: &'static str,
        node: Node,
        message: impl Into<String>,
        fix: impl Into<String>,
    ) {
        self.push(Finding {
            severity: Severity::Warning,
            code,
            node,
            place: None,
            message: message.into(),
            fix: fix.into(),
            count: 1,
        });
    }

    /// A warning that is kept once for each subject and counted beyond that. `node` and the words are
    /// made only for the first.
    pub(crate) fn warn_once(
        &mut self,
        code: &'static str,
        subject: &str,
        node: impl FnOnce() -> Node,
        words: impl FnOnce() -> (String, String),
    ) {
        // Subjects are bounded like findings are; a hostile document could make up millions.
        if let Some(at) = self.subjects.get(&(code, subject.to_owned())) {
            if let Some(finding) = self.list.get_mut(*at) {
                finding.count += 1;
            }
            return;
        }
        if self.is_full(code) {
            self.left_out += 1;
            return;
        }
        self.subjects.insert((code, subject.to_owned()), self.list.len());
        let (message, fix) = words();
        self.warn(code, node(), message, fix);
    }

    /// Any finding; errors are always kept.
    pub(crate) fn push(&mut self, finding: Finding) {
        let finding =
            Finding { message: shortened(finding.message), fix: shortened(finding.fix), ..finding };
        if finding.severity == Severity::Warning && self.is_full(finding.code) {
            self.left_out += 1;
        } else {
            *self.of_code.entry(finding.code).or_default() += 1;
            self.list.push(finding);
        }
    }

    /// No more findings of that code are kept. One habit must not hide all else, so each code has a tenth
    /// of the room; what explains that an operation is lost is always kept.
    fn is_full(&self, code: &'static str) -> bool {
        let of_code = self.of_code.get(code).copied().unwrap_or(0);
        !code.ends_with("unroutable")
            && (self.list.len() >= self.most || of_code >= self.most.div_ceil(10))
    }

    /// The findings, and how many more there were.
    pub(crate) fn take(self) -> (Vec<Finding>, usize) {
        (self.list, self.left_out)
    }
}

/// A sentence that quotes the document may become very long.
fn shortened(text: String) -> String {
    match text.char_indices().nth(SENTENCE_CHARACTERS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
