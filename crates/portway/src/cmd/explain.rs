//! `portway explain`: where a call would go, and why the others lost.

mod caller;

use std::io;
use std::sync::atomic::Ordering;

use anyhow::{Context as _, bail};
use clap::Args;
use portway_policy::Headers;
use portway_snapshot::explain::{Candidate, ExplainRequest, Explanation, Route};

use caller::{Caller, KnownSecrets};
use serde::Serialize;

use crate::cli;
use crate::documents::{Library, Looked};
use crate::exit::Exit;
use crate::secrets::ProcessSecrets;
use crate::settings;
use crate::terminal::{self, BAD, FAINT, GOOD, Harmless, STRONG, Terminal};

/// Say where a call would go and why.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  portway explain 'GET /shop/orders/7'
  portway explain 'POST https://api.example.com/shop/orders' -H 'x-api-key: …' --documents conf/

Nothing is called: the documents are compiled and asked. Whose key it is, is said as far as the keys can be
had here. Counters are those of a running gateway, so that whether a limit is used up is not said.")]
pub struct Explain {
    /// Method and URL (or path): 'GET /shop/orders/7'
    #[arg(value_name = "CALL")]
    call: String,
    /// A header field: 'Name: value'
    #[arg(short = 'H', long = "header", value_name = "FIELD")]
    headers: Vec<String>,
    /// Documents; a directory stands for the portway.yaml in it [default: portway.yaml]
    #[arg(short, long, value_name = "FILE|DIR", num_args = 1..)]
    documents: Vec<std::ffi::OsString>,
    /// As one JSON object
    #[arg(long)]
    json: bool,
}

/// What is said as JSON.
#[derive(Serialize)]
struct Explained<'a> {
    #[serde(flatten)]
    explanation: &'a Explanation,
    /// `null` where no key is asked for.
    caller: &'a Option<Caller>,
}

/// Header fields as they were given.
struct Given(Vec<(String, String)>);

impl Headers for Given {
    fn first(&self, name: &str) -> Option<&[u8]> {
        self.0
            .iter()
            .find(|(own, _)| own.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_bytes())
    }

    fn each(&self, name: &str, see: &mut dyn FnMut(&[u8])) {
        self.0
            .iter()
            .filter(|(own, _)| own.eq_ignore_ascii_case(name))
            .for_each(|(_, value)| see(value.as_bytes()));
    }
}

impl Explain {
    pub(crate) fn run(&self, terminal: &mut Terminal) -> anyhow::Result<Exit> {
        let parsed =
            parse_call(&self.call).and_then(|call| Ok((call, parse_headers(&self.headers)?)));
        let (call, headers) = match parsed {
            Ok(parsed) => parsed,
            Err(error) => {
                terminal.sorry(
                    format!("{error:#}"),
                    "write for example: portway explain 'GET /shop/orders/7' -H 'x-api-key: …'",
                )?;
                return Ok(Exit::Usage);
            }
        };
        let asked = cli::Documents { paths: self.documents.clone() };
        let library = match Library::find(&asked) {
            Ok(library) => library,
            Err(unreadable) => {
                terminal.sorry(&unreadable.what, unreadable.fix)?;
                return Ok(Exit::Usage);
            }
        };
        let secrets = KnownSecrets::new(ProcessSecrets::new(library.root().path()));
        let reading = library.compile(&settings::overrides(None), &secrets, Looked::None, None);
        let Some(compiled) = &reading.compiled else {
            let line_of =
                |found: &portway_model::Diagnostic| reading.sources.line_text(&found.location);
            terminal::write_diagnostics(&mut terminal.err, &reading.diagnostics, &line_of)?;
            return Ok(Exit::Mistakes);
        };
        let host = headers
            .0
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case("host"))
            .map(|(_, value)| value.clone());
        let host = call.host.or(host).unwrap_or_else(|| "localhost".to_owned());
        let request = ExplainRequest {
            method: &call.method,
            host: &host,
            target: &call.target,
            headers: &headers,
        };
        let explanation = compiled.snapshot.explain(&request);
        let missing = secrets.missing.load(Ordering::Relaxed);
        let caller = caller::find(compiled, &request, &explanation, missing);
        if self.json {
            terminal.json(&Explained { explanation: &explanation, caller: &caller })?;
        } else {
            write_text(&mut terminal.out, &explanation, caller.as_ref())?;
        }
        Ok(Exit::Done)
    }
}

/// A call as it was written.
#[derive(Debug, PartialEq, Eq)]
struct Call {
    method: String,
    host: Option<String>,
    target: String,
}

fn parse_call(text: &str) -> anyhow::Result<Call> {
    let (method, url) = match text.trim().split_once(char::is_whitespace) {
        Some((method, url)) => (method, url.trim()),
        None => ("GET", text.trim()),
    };
    let absolute = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://"));
    let (host, target) = match absolute {
        Some(rest) => {
            let end = rest.find(['/', '?']).unwrap_or(rest.len());
            (Some(rest[..end].to_owned()), rest[end..].to_owned())
        }
        None => (None, url.to_owned()),
    };
    let target = match target.as_str() {
        "" => "/".to_owned(),
        query if query.starts_with('?') => format!("/{query}"),
        path if path.starts_with('/') => target,
        _ => bail!("\"{url}\" is neither a URL nor a path"),
    };
    let target = target.split('#').next().unwrap_or_default().to_owned();
    Ok(Call { method: method.to_owned(), host, target })
}

fn parse_headers(fields: &[String]) -> anyhow::Result<Given> {
    let mut given = Vec::with_capacity(fields.len());
    for field in fields {
        let (name, value) =
            field.split_once(':').context("a header field is written 'Name: value'")?;
        given.push((name.trim().to_owned(), value.trim().to_owned()));
    }
    Ok(Given(given))
}

fn write_text(
    out: &mut dyn io::Write,
    explanation: &Explanation,
    caller: Option<&Caller>,
) -> io::Result<()> {
    let verdict = &explanation.verdict;
    let style = if explanation.route.is_some() { GOOD } else { BAD };
    writeln!(
        out,
        "{STRONG}{} {}{}{STRONG:#}",
        Harmless(&explanation.method),
        Harmless(&explanation.host),
        Harmless(&explanation.path)
    )?;
    let status = verdict.status.map(|status| format!(" {status}")).unwrap_or_default();
    writeln!(out, "{style}{}{status}{style:#}: {}", verdict.outcome, Harmless(&verdict.why))?;
    if let Some(canonical) =
        explanation.canonical_path.as_ref().filter(|canonical| **canonical != explanation.path)
    {
        writeln!(out, "  canonical path: {}", Harmless(canonical))?;
    }
    write_candidates(out, "services", &explanation.services)?;
    write_candidates(out, "operations", &explanation.operations)?;
    match &explanation.route {
        Some(route) => write_route(out, route, caller),
        None => Ok(()),
    }
}

fn write_candidates(
    out: &mut dyn io::Write,
    what: &str,
    candidates: &[Candidate],
) -> io::Result<()> {
    if candidates.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n{what} considered:")?;
    for candidate in candidates {
        let (mark, style) = if candidate.chosen { ("→", STRONG) } else { (" ", FAINT) };
        let (name, place, why) =
            (Harmless(&candidate.name), Harmless(&candidate.place), Harmless(&candidate.why));
        writeln!(out, "  {mark} {style}{name}{style:#}  {place}  {FAINT}{why}{FAINT:#}")?;
    }
    Ok(())
}

fn write_route(out: &mut dyn io::Write, route: &Route, caller: Option<&Caller>) -> io::Result<()> {
    writeln!(out, "\nwhat happens:")?;
    let mut row = |name: &str, value: String| {
        if value.is_empty() { Ok(()) } else { writeln!(out, "  {name:<11} {}", Harmless(&value)) }
    };
    let parameters: Vec<String> =
        route.parameters.iter().map(|(name, value)| format!("{name} = {value}")).collect();
    row("route", route.route.clone())?;
    row("parameters", parameters.join(", "))?;
    row("who", route.auth.clone())?;
    if let Some(caller) = caller {
        let refused = caller.refused.as_ref().map(|word| format!(" ({word})")).unwrap_or_default();
        row("caller", format!("{}{refused}", caller.why))?;
        row("plan", caller.plan.clone().unwrap_or_default())?;
    }
    row("limits", route.limits.join(", "))?;
    row("at once", route.gates.join(", "))?;
    row("timeout", format!("{} ms", route.timeout_ms))?;
    row("body", format!("at most {} bytes", route.body_bytes))?;
    row("checked", route.check.clone())?;
    row("repeatable", if route.idempotent { "yes" } else { "no" }.to_owned())?;
    let backend = &route.backend;
    let targets: Vec<String> = backend
        .targets
        .iter()
        .map(|(address, weight)| format!("{address} (weight {weight})"))
        .collect();
    row("sent to", targets.join(", "))?;
    row("host", backend.host.clone())?;
    row("added", [&backend.set_headers[..], &backend.set_query[..]].concat().join(", "))?;
    row("removed", [&backend.drop_headers[..], &backend.drop_query[..]].concat().join(", "))
}

#[cfg(test)]
mod tests;
