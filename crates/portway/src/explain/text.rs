//! A walk as text for people.

use std::io;

use portway_snapshot::explain::{Candidate, Route};

use super::past::Past;
use super::signature::Signature;
use super::walk::{Answer, Caller, Walk};
use crate::terminal::{BAD, FAINT, GOOD, Harmless, STRONG};

/// Writes a walk.
///
/// # Errors
/// When `out` cannot be written.
pub fn write(out: &mut dyn io::Write, walk: &Walk) -> io::Result<()> {
    let explanation = &walk.explanation;
    let verdict = &explanation.verdict;
    writeln!(
        out,
        "{STRONG}{} {}{}{STRONG:#}",
        Harmless(&explanation.method),
        Harmless(&explanation.host),
        Harmless(&explanation.path)
    )?;
    let style = if explanation.route.is_some() { GOOD } else { BAD };
    let status = verdict.status.map(|status| format!(" {status}")).unwrap_or_default();
    writeln!(out, "{style}{}{status}{style:#}: {}", verdict.outcome, Harmless(&verdict.why))?;
    if explanation.route.is_some() || walk.decision != verdict.outcome {
        let style = if walk.request.is_some() { GOOD } else { BAD };
        let status = walk.status.map(|status| format!(" {status}")).unwrap_or_default();
        writeln!(out, "{style}{}{status}{style:#}: {}", walk.decision, Harmless(&walk.why))?;
    }
    if let Some(canonical) =
        explanation.canonical_path.as_ref().filter(|canonical| **canonical != explanation.path)
    {
        writeln!(out, "  canonical path: {}", Harmless(canonical))?;
    }
    candidates(out, "services", &explanation.services)?;
    candidates(out, "operations", &explanation.operations)?;
    if let Some(found) = &explanation.route {
        route(out, found, walk.caller.as_ref())?;
    }
    steps(out, walk)?;
    if let Some(found) = &walk.signature {
        signature(out, found)?;
    }
    if let Some(request) = &walk.request {
        writeln!(out, "\nthe backend gets:")?;
        writeln!(out, "  {} {}", Harmless(&request.method), Harmless(&request.target))?;
        fields(out, &request.fields)?;
        if request.body_bytes > 0 {
            writeln!(out, "  {FAINT}and a body of {} bytes{FAINT:#}", request.body_bytes)?;
        }
    }
    match &walk.answer {
        Some(answer) => answered(out, answer),
        None => Ok(()),
    }
}

/// Writes what became of a call that was made, and what would become of it now.
///
/// # Errors
/// When `out` cannot be written.
pub fn write_past(out: &mut dyn io::Write, past: &Past) -> io::Result<()> {
    writeln!(out, "{STRONG}what became of it{STRONG:#}")?;
    for (name, value) in past.record.as_object().into_iter().flatten() {
        if !name.ends_with("_us") || name == "total_us" {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            writeln!(out, "  {:<15} {}", Harmless(name).to_string(), Harmless(&value))?;
        }
    }
    let measured: Vec<String> = past
        .phases
        .iter()
        .filter(|phase| phase.us > 0)
        .map(|phase| format!("{} {} µs", phase.phase, phase.us))
        .collect();
    if !measured.is_empty() {
        writeln!(out, "  {:<15} {}", "phases", Harmless(&measured.join(", ")))?;
    }
    writeln!(
        out,
        "\n{STRONG}what would become of it now{STRONG:#}\n{FAINT}{}{FAINT:#}",
        past.caveat()
    )?;
    match (&past.now, &past.why_not) {
        (Some(walk), _) => write(out, walk),
        (None, Some(why)) => writeln!(out, "{}", Harmless(why)),
        (None, None) => Ok(()),
    }
}

fn candidates(out: &mut dyn io::Write, what: &str, candidates: &[Candidate]) -> io::Result<()> {
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

fn route(out: &mut dyn io::Write, route: &Route, caller: Option<&Caller>) -> io::Result<()> {
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

fn steps(out: &mut dyn io::Write, walk: &Walk) -> io::Result<()> {
    let judged = if walk.live { "in the running gateway" } else { "by the documents" };
    writeln!(out, "\nstep by step, {judged}, at {}:", walk.at)?;
    for step in &walk.steps {
        let (mark, style) = match step.outcome.as_str() {
            "passed" => ("✓", GOOD),
            "refused" => ("✗", BAD),
            "answered" => ("→", GOOD),
            _ => ("·", FAINT),
        };
        let mut lines = step.lines.iter();
        let first = match lines.next() {
            Some(line) => line.as_str(),
            None if step.outcome == "passed" => "",
            None => step.outcome.as_str(),
        };
        writeln!(out, "  {style}{mark} {:<9}{style:#} {}", step.phase, Harmless(first))?;
        for line in lines {
            writeln!(out, "              {}", Harmless(line))?;
        }
    }
    Ok(())
}

fn signature(out: &mut dyn io::Write, signature: &Signature) -> io::Result<()> {
    writeln!(out, "\nthe signature:")?;
    if let Some(fault) = &signature.fault {
        return writeln!(out, "  {BAD}{}{BAD:#}", Harmless(fault));
    }
    let mut row = |name: &str, value: &str| {
        if value.is_empty() { Ok(()) } else { writeln!(out, "  {name:<11} {}", Harmless(value)) }
    };
    let known = if signature.id_known { "" } else { " (no app has this id)" };
    row("kind", &signature.kind)?;
    row("id", &format!("{}{known}", signature.id))?;
    row("algorithm", &signature.algorithm)?;
    row("covers", &signature.covered)?;
    row("clock", signature.clock.as_deref().unwrap_or_default())?;
    if let Some(text) = &signature.to_sign {
        writeln!(
            out,
            "  to sign, line by line between the bars, without a line end at the last one:"
        )?;
        for line in text.split('\n') {
            writeln!(out, "    |{}|", Harmless(line))?;
        }
    }
    match &signature.compared {
        None => {
            writeln!(out, "  {FAINT}compare it with what the client signs: --signed @FILE{FAINT:#}")
        }
        Some(compared) if compared.same => {
            writeln!(
                out,
                "  {GOOD}the client's text is the same{GOOD:#}: if the signature differs, the secret does"
            )
        }
        Some(compared) => {
            writeln!(
                out,
                "  {BAD}the client's text differs{BAD:#} at byte {}, line {}, column {} (⏹ is the end):",
                compared.byte, compared.line, compared.column
            )?;
            writeln!(out, "    gateway  {}", Harmless(&compared.ours))?;
            writeln!(out, "    client   {}", Harmless(&compared.yours))
        }
    }
}

fn answered(out: &mut dyn io::Write, answer: &Answer) -> io::Result<()> {
    writeln!(out, "\nthe gateway answers:")?;
    writeln!(out, "  {}", answer.status)?;
    fields(out, &answer.fields)?;
    for line in answer.body.lines() {
        writeln!(out, "  {}", Harmless(line))?;
    }
    Ok(())
}

fn fields(out: &mut dyn io::Write, fields: &[(String, String)]) -> io::Result<()> {
    fields
        .iter()
        .try_for_each(|(name, value)| writeln!(out, "  {}: {}", Harmless(name), Harmless(value)))
}
