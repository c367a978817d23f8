//! Multipart bodies (RFC 2046 §5.1, RFC 7578), judged in passing.
//!
//! Stricter than the grammar wherever parsers are known to disagree: no text before the first boundary, line ends of
//! CR and LF only, boundaries that are whole lines, one reading of every part's head. What an application does not
//! read as we do is refused, since a file could hide in it.

use std::sync::Arc;

use portway_model as model;

use super::media::{self, Media};
use super::{Breach, NAME_CHARS};
use crate::Reason;

/// The most bytes of the head of a part.
const HEAD_BYTES: usize = 4 << 10;
/// The most bytes of a boundary (RFC 2046 §5.1.1).
const BOUNDARY_BYTES: usize = 70;
/// Extensions that servers are known to run wherever in a name they stand.
const RUN: &[&str] = &[
    "asa", "asax", "ascx", "ashx", "asmx", "asp", "aspx", "cfm", "cgi", "exe", "htaccess", "jsp",
    "jspx", "phar", "php", "php3", "php4", "php5", "php7", "php8", "phps", "pht", "phtml", "pl",
    "py", "rb", "sh", "shtml",
];

/// The rules for parts.
#[derive(Debug)]
pub(super) struct PartRules {
    parts: u32,
    files: u32,
    part_bytes: u64,
    /// Lower case.
    extensions: Option<Box<[Box<str>]>>,
    media: Option<Box<[Media]>>,
}

impl PartRules {
    pub(super) fn compile(document: &model::Uploads) -> Self {
        let lower = |text: &String| text.to_lowercase().into_boxed_str();
        Self {
            parts: document.parts.unwrap_or(model::Uploads::PARTS),
            files: document.files.unwrap_or(u32::MAX),
            part_bytes: document.part_bytes.map_or(u64::MAX, model::ByteSize::as_bytes),
            extensions: document.extensions.as_ref().map(|list| list.iter().map(lower).collect()),
            media: document.content_types.as_deref().map(media::compile),
        }
    }
}

enum Step {
    /// The first line, as far as it has come.
    First(Vec<u8>),
    /// The head of a part, as far as it has come.
    Head(Vec<u8>),
    Data,
    /// Behind a boundary: one byte of two.
    Behind(Option<u8>),
    /// Behind the last boundary.
    Over,
}

/// One body.
pub(super) struct Multipart {
    rules: Arc<PartRules>,
    /// A line feed, two hyphens, and the boundary.
    delimiter: Box<[u8]>,
    step: Step,
    /// How much of the delimiter has come.
    matched: usize,
    /// Whether the byte before what has come of the delimiter was a carriage return.
    after_cr: bool,
    /// Whether the byte before this was one.
    last_cr: bool,
    /// Bytes of the part, and the most it may have.
    bytes: u64,
    most: u64,
    /// Of the part that passes, for telling.
    name: Box<str>,
    parts: u32,
    files: u32,
}

impl Multipart {
    pub(super) fn new(rules: Arc<PartRules>, content_type: &[u8]) -> Result<Self, Breach> {
        let wrong = || Breach::of("body", "", "boundary", "must have a boundary of RFC 2046");
        let parameters = media::parameters(content_type).map_err(|()| wrong())?;
        let boundary = parameters.iter().find(|(name, _)| name == "boundary");
        let boundary = boundary.map(|(_, value)| value.as_str()).ok_or_else(wrong)?;
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"'()+_,-./:=?".contains(&byte);
        if !(1..=BOUNDARY_BYTES).contains(&boundary.len()) || !boundary.bytes().all(allowed) {
            return Err(wrong());
        }
        let most = rules.part_bytes;
        Ok(Self {
            rules,
            delimiter: [b"\n--", boundary.as_bytes()].concat().into(),
            step: Step::First(Vec::new()),
            matched: 0,
            after_cr: false,
            last_cr: false,
            bytes: 0,
            most,
            name: Box::default(),
            parts: 0,
            files: 0,
        })
    }

    pub(super) fn take(&mut self, mut data: &[u8]) -> Result<(), Breach> {
        while let Some(&byte) = data.first() {
            match &mut self.step {
                Step::First(line) => {
                    line.push(byte);
                    let (start, whole) = (&self.delimiter[1..], line.len());
                    let expected = start.iter().chain(b"\r\n").nth(whole - 1);
                    if expected != Some(&byte) {
                        return Err(ambiguous("must begin with its boundary"));
                    }
                    if whole == start.len() + 2 {
                        self.begin_part()?;
                    }
                }
                Step::Head(head) => {
                    head.push(byte);
                    if head.len() > HEAD_BYTES {
                        return Err(ambiguous("has a part whose head is too large"));
                    }
                    if head.ends_with(b"\r\n\r\n") {
                        let head = std::mem::take(head);
                        self.begin_data(&head)?;
                    }
                }
                Step::Data => {
                    data = self.pass(data)?;
                    continue;
                }
                Step::Behind(before) => match (before.replace(byte), byte) {
                    (None, b'\r' | b'-') => {}
                    (Some(b'\r'), b'\n') => self.begin_part()?,
                    (Some(b'-'), b'-') => self.step = Step::Over,
                    _ => return Err(ambiguous("has its boundary in the middle of a line")),
                },
                Step::Over if matches!(byte, b'\r' | b'\n') => {}
                Step::Over => return Err(ambiguous("goes on behind its last boundary")),
            }
            data = &data[1..];
        }
        Ok(())
    }

    /// The body has ended.
    pub(super) fn end(&self) -> Result<(), Breach> {
        match self.step {
            Step::Over => Ok(()),
            _ => Err(ambiguous("must end with its boundary")),
        }
    }

    fn begin_part(&mut self) -> Result<(), Breach> {
        self.parts += 1;
        if self.parts > self.rules.parts {
            let detail = format!("must have at most {} parts", self.rules.parts);
            return Err(Breach::of("body", "", "parts", detail));
        }
        self.step = Step::Head(Vec::new());
        Ok(())
    }

    fn begin_data(&mut self, head: &[u8]) -> Result<(), Breach> {
        let head = Head::read(head)?;
        self.most = self.rules.part_bytes;
        if let Some(file) = &head.file {
            // Forms send a field for files that nobody chose.
            if file.is_empty() {
                self.most = 0;
            } else {
                self.files += 1;
                self.judge_file(&head, file)?;
            }
        }
        self.name = head.name.chars().take(NAME_CHARS).collect::<String>().into();
        self.step = Step::Data;
        self.bytes = 0;
        // The line feed of the head may be that of a boundary for some, which then is not one for others.
        (self.matched, self.after_cr, self.last_cr) = (1, false, false);
        Ok(())
    }

    fn judge_file(&self, head: &Head<'_>, file: &str) -> Result<(), Breach> {
        let wrong =
            |rule, detail: &'static str| Err(Breach::named("part", &head.name, rule, detail));
        if self.files > self.rules.files {
            let detail = format!("must have at most {} files", self.rules.files);
            return Err(Breach::of("body", "", "files", detail));
        }
        let disturbs = |c: char| c.is_control() || "/\\:;%<>|*?\"".contains(c);
        if file.chars().any(disturbs) || file.ends_with(['.', ' ']) || file.starts_with('.') {
            return wrong("file_name", "must have a plain file name, without a path");
        }
        if let Some(extensions) = &self.rules.extensions {
            let mut dotted: Vec<String> = file.split('.').skip(1).map(str::to_lowercase).collect();
            let last = dotted.pop().unwrap_or_default();
            if !extensions.iter().any(|known| **known == *last) {
                return wrong("extensions", "must have one of the extensions that are taken here");
            }
            let is_run = |part: &String| RUN.contains(&part.as_str());
            if dotted
                .iter()
                .any(|part| is_run(part) && !extensions.iter().any(|own| **own == **part))
            {
                return wrong("extensions", "must not have a second extension that servers run");
            }
        }
        if let Some(media) = &self.rules.media
            && !head.content_type.is_some_and(|own| media::is_one_of(own.as_bytes(), media))
        {
            return wrong("content_types", "must have one of the media types that are taken here");
        }
        Ok(())
    }

    /// Lets content of a part pass up to its end, and says what is left.
    fn pass<'d>(&mut self, data: &'d [u8]) -> Result<&'d [u8], Breach> {
        for (at, &byte) in data.iter().enumerate() {
            self.bytes += 1;
            if byte == self.delimiter[self.matched] {
                if self.matched == 0 {
                    self.after_cr = self.last_cr;
                }
                self.matched += 1;
                if self.matched == self.delimiter.len() {
                    if !self.after_cr {
                        return Err(ambiguous("has a boundary that no CR and LF stand before"));
                    }
                    self.measure()?;
                    self.matched = 0;
                    self.step = Step::Behind(None);
                    return Ok(&data[at + 1..]);
                }
            } else if self.matched > 0 {
                // A boundary has no line feed in it, so that nothing but this byte can begin another.
                self.after_cr = self.last_cr;
                self.matched = usize::from(byte == b'\n');
            }
            self.last_cr = byte == b'\r';
        }
        self.measure()?;
        Ok(&[])
    }

    /// What may be the boundary does not count.
    fn measure(&self) -> Result<(), Breach> {
        let line_end =
            if self.matched > 0 { usize::from(self.after_cr) } else { usize::from(self.last_cr) };
        let own = self.bytes.saturating_sub((self.matched + line_end) as u64);
        if own <= self.most {
            return Ok(());
        }
        let detail = "must have fewer bytes";
        Err(Breach::named("part", &self.name, "part_bytes", detail).because(Reason::BodyTooLarge))
    }
}

fn ambiguous(detail: &'static str) -> Breach {
    Breach::of("body", "", "multipart", detail)
}

/// The head of a part.
struct Head<'h> {
    name: String,
    /// The name of a file; empty where none was chosen.
    file: Option<String>,
    content_type: Option<&'h str>,
}

impl<'h> Head<'h> {
    fn read(head: &'h [u8]) -> Result<Self, Breach> {
        let unclear = || ambiguous("has a part whose head can be read in two ways");
        let text = std::str::from_utf8(head).map_err(|_| unclear())?;
        let text = text.strip_suffix("\r\n\r\n").ok_or_else(unclear)?;
        let mut seen: [Option<&str>; 3] = [None; 3];
        for line in text.split("\r\n") {
            let (name, value) = line.split_once(':').ok_or_else(unclear)?;
            if !super::is_field_name(name) || value.chars().any(|c| c.is_control() && c != '\t') {
                return Err(unclear());
            }
            let known = ["content-disposition", "content-type", "content-transfer-encoding"];
            let Some(at) = known.iter().position(|known| name.eq_ignore_ascii_case(known)) else {
                continue;
            };
            if seen[at].replace(value.trim()).is_some() {
                return Err(unclear());
            }
        }
        let [disposition, content_type, encoding] = seen;
        let is_plain = |word: &str| {
            ["7bit", "8bit", "binary"].iter().any(|known| known.eq_ignore_ascii_case(word))
        };
        if !encoding.is_none_or(is_plain) {
            return Err(ambiguous("has a part with a transfer encoding of its own"));
        }
        let (name, file) = disposition.and_then(names).ok_or_else(unclear)?;
        Ok(Self { name, file, content_type })
    }
}

/// The names of a field and of its file; nothing if there is any doubt about them.
fn names(disposition: &str) -> Option<(String, Option<String>)> {
    let (kind, _) = disposition.split_once(';')?;
    let mut parameters = media::parameters(disposition.as_bytes()).ok()?;
    // `filename*` is not for forms (RFC 7578 §4.2), and would be a second name for the same file.
    let is_doubtful = parameters.iter().any(|(name, _)| name.contains('*'));
    if is_doubtful || !kind.trim().eq_ignore_ascii_case("form-data") {
        return None;
    }
    let mut take = |name: &str| {
        let at = parameters.iter().position(|(known, _)| known == name)?;
        Some(parameters.swap_remove(at).1)
    };
    Some((take("name")?, take("filename")))
}
