//! `portway test`: whether the documents do with calls what is expected.

mod judge;

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use clap::Args;
use portway_model::{Case, CaseText, Diagnostic, Format, ReadCases, SourceFile, read_cases};
use portway_proxy::rehearsal::{Counts, Rehearsal};
use serde::Serialize;

use super::explain::rehearsal;
use crate::cli;
use crate::exit::Exit;
use crate::explain::walk::About;
use crate::explain::{Ask, Call, edits, instant, walk};
use crate::terminal::{self, BAD, FAINT, GOOD, Harmless, Terminal};

/// The largest file of cases, in bytes.
const FILE_BYTES_MAX: u64 = 16 << 20;

/// Say whether calls are judged as expected.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  portway test cases.yaml
  portway test tests/*.yaml --documents conf/ --json

A file of cases has calls and what is to become of each:

  cases:
    - name: nobody reads orders without a key
      request: { url: /shop/orders/7 }
      expect: { decision: credentials-missing, status: 401 }
    - name: the phone may, and the module never sees the key
      request: { url: /shop/orders/7, app: phone }
      expect:
        operation: getOrder
        app: phone
        backend: { path: /orders/7, headers: { x-portway-app: phone, x-api-key: false } }

Nothing is called: calls are judged by the code that serves, and limits are counted in a time of their own.
`portway schema test` prints the JSON Schema of such files.

Exit codes: 0 everything is as expected; 1 the documents or a file of cases have mistakes; 2 the command line is wrong;
4 a call is judged otherwise than expected.")]
pub struct Test {
    /// Files of cases
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Documents; a directory stands for the portway.yaml in it [default: portway.yaml]
    #[arg(long, value_name = "FILE|DIR", num_args = 1..)]
    documents: Vec<OsString>,
    /// As one JSON object
    #[arg(long)]
    json: bool,
}

/// One case, run.
#[derive(Debug, Serialize)]
struct Ran {
    file: String,
    name: String,
    line: u32,
    ok: bool,
    /// What is not as expected.
    differences: Vec<Difference>,
}

/// Something that is not as expected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Difference {
    /// `file:line` of what was expected.
    place: String,
    /// What it is about: `decision`, `backend.headers.x-api-key`.
    what: String,
    expected: String,
    got: String,
}

impl Test {
    pub(crate) fn run(&self, terminal: &mut Terminal) -> anyhow::Result<Exit> {
        let mut files = Vec::with_capacity(self.files.len());
        let mut mistakes: Vec<(Diagnostic, Option<String>)> = Vec::new();
        for path in &self.files {
            let file = match read(path) {
                Ok(file) => file,
                Err(why) => {
                    terminal.sorry(why, "name a file of cases; portway test --help shows one")?;
                    return Ok(Exit::Usage);
                }
            };
            match read_cases(&file) {
                Ok(cases) => files.push((file.name, cases)),
                Err(found) => mistakes.extend(found.into_iter().map(|found| {
                    let line = found.location.line.checked_sub(1);
                    let line = line.and_then(|line| file.text.lines().nth(line as usize));
                    (found, line.map(str::to_owned))
                })),
            }
        }
        if !mistakes.is_empty() {
            for (found, line) in mistakes {
                terminal::write_diagnostics(&mut terminal.err, &[found], &|_| line.clone())?;
            }
            return Ok(Exit::Mistakes);
        }
        let asked = cli::Documents { paths: self.documents.clone() };
        let (rehearsal, _) = match rehearsal(&asked, terminal)? {
            Ok(found) => found,
            Err(exit) => return Ok(exit),
        };
        let ran: Vec<Ran> =
            files.iter().flat_map(|(name, cases)| run_file(name, cases, &rehearsal)).collect();
        let failed = ran.iter().filter(|one| !one.ok).count();
        if self.json {
            let passed = ran.len() - failed;
            terminal.json(&serde_json::json!({ "ok": failed == 0, "passed": passed, "failed": failed, "cases": ran }))?;
        } else {
            write_text(terminal, &ran, failed)?;
        }
        Ok(if failed == 0 { Exit::Done } else { Exit::Unexpected })
    }
}

fn read(path: &Path) -> Result<SourceFile, String> {
    let name = path.display().to_string();
    let wrong = |why: &dyn std::fmt::Display| format!("{name}: {why}");
    let size = std::fs::metadata(path).map_err(|error| wrong(&error))?;
    if !size.is_file() {
        return Err(wrong(&"it is not a file"));
    }
    if size.len() > FILE_BYTES_MAX {
        return Err(wrong(&format_args!("it has more than {FILE_BYTES_MAX} bytes")));
    }
    let text = std::fs::read_to_string(path).map_err(|error| wrong(&error))?;
    Ok(SourceFile { format: Format::of_file(&name), name, text })
}

/// The time of a file's cases.
struct Hands {
    unix_ms: u64,
    counts: Counts,
}

impl Hands {
    fn new(at: Option<u64>) -> Self {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let now_ms = u64::try_from(now.unwrap_or_default().as_millis()).unwrap_or(u64::MAX);
        // Not the very beginning of the counts' time: that would look like a clock that was never read.
        let counts = Counts::at(1_000_000);
        Self { unix_ms: at.unwrap_or(now_ms), counts }
    }

    fn wait(&mut self, ms: u64) {
        self.unix_ms = self.unix_ms.saturating_add(ms);
        self.counts.now_us = self.counts.now_us.saturating_add(ms.saturating_mul(1_000));
    }

    /// Goes to a time; counts only know time that goes on.
    fn go_to(&mut self, unix_ms: u64) {
        let ahead = unix_ms.saturating_sub(self.unix_ms);
        self.wait(ahead);
        self.unix_ms = unix_ms;
    }
}

fn run_file(name: &str, read: &ReadCases, rehearsal: &Rehearsal) -> Vec<Ran> {
    let at = read.cases.at.as_deref().map(instant::parse).transpose();
    let (at, wrong) = match at {
        Ok(at) => (at, None),
        Err(why) => (None, Some(why)),
    };
    let mut hands = Hands::new(at);
    let mut ran = Vec::with_capacity(read.cases.cases.len());
    for (index, case) in read.cases.cases.iter().enumerate() {
        let base = format!("/cases/{index}");
        let place = |member: &str| {
            let location = read.locate(&format!("{base}{member}"));
            format!("{name}:{}", location.line)
        };
        if !read.cases.counted {
            hands.counts.clear();
        }
        let differences = match &wrong {
            Some(why) => vec![cannot(place(""), why)],
            None => match run_case(case, &mut hands, rehearsal) {
                Ok((walk, request)) => {
                    judge::differences(&case.expect, &walk, request.as_ref(), &place)
                }
                Err(why) => vec![cannot(place("/request"), &why)],
            },
        };
        ran.push(Ran {
            file: name.to_owned(),
            name: case.name.clone(),
            line: read.locate(&base).line,
            ok: differences.is_empty(),
            differences,
        });
    }
    ran
}

fn cannot(place: String, why: &str) -> Difference {
    let (what, expected) = ("request".to_owned(), "a call that can be judged".to_owned());
    Difference { place, what, expected, got: why.to_owned() }
}

/// What becomes of the last call of a case, and the request that the backend gets, whole.
fn run_case(
    case: &Case,
    hands: &mut Hands,
    rehearsal: &Rehearsal,
) -> Result<(walk::Walk, Option<edits::Request>), String> {
    if let Some(after) = case.after {
        hands.wait(after.as_ms());
    }
    if let Some(at) = &case.request.at {
        hands.go_to(instant::parse(at)?);
    }
    let mut call = call(case)?;
    call.unix_ms = Some(hands.unix_ms);
    let mut last = None;
    for _ in 0..case.repeat.max(1) {
        last = Some(rehearsal.count(&call.asked(), &hands.counts).map_err(|why| why.to_string())?);
    }
    let rehearsed = last.ok_or("no call is made")?;
    let body_bytes = call.body.as_ref().map_or(0, Vec::len);
    let request = rehearsed.forwarded.as_deref().map(|head| edits::parse(head, body_bytes));
    Ok((walk(&call, &rehearsed, About::default()), request))
}

fn call(case: &Case) -> Result<Call, String> {
    let request = &case.request;
    let mut headers = Vec::with_capacity(request.headers.len());
    for (name, value) in &request.headers {
        let value = match value {
            CaseText::Text(text) => text.clone(),
            CaseText::Variable(variable) => std::env::var(&variable.env)
                .map_err(|_| format!("the environment variable {} is not set", variable.env))?,
        };
        headers.push(format!("{name}: {value}"));
    }
    let ask = Ask {
        call: format!("{} {}", request.method, request.url),
        headers,
        body: request.body.clone(),
        app: request.app.clone(),
        at: None,
        from: request.from,
        signed: None,
    };
    ask.read()
}

fn write_text(terminal: &mut Terminal, ran: &[Ran], failed: usize) -> io::Result<()> {
    let out = &mut terminal.out;
    for one in ran {
        if one.ok {
            writeln!(out, "{GOOD}ok{GOOD:#}      {}", Harmless(&one.name))?;
            continue;
        }
        let place = format!("{}:{}", one.file, one.line);
        writeln!(
            out,
            "{BAD}failed{BAD:#}  {}  {FAINT}{}{FAINT:#}",
            Harmless(&one.name),
            Harmless(&place)
        )?;
        for difference in &one.differences {
            let Difference { place, what, expected, got } = difference;
            writeln!(out, "          {}: {}", Harmless(place), Harmless(what))?;
            writeln!(out, "            expected  {}", Harmless(expected))?;
            writeln!(out, "            got       {}", Harmless(got))?;
        }
    }
    let passed = ran.len() - failed;
    let cases = terminal::count(ran.len(), "case");
    writeln!(out, "{cases}: {passed} as expected, {failed} not")
}
