//! A walk as a page: plain HTML, without a script, that says the same as the text.
//!
//! Everything goes through [`Page::text`], which escapes; only words of this file are written as they are.

use portway_snapshot::explain::Candidate;

use super::edits::Request;
use super::past::Past;
use super::signature::Signature;
use super::walk::{Step, Walk};

/// How the page looks.
pub const CSS: &str = include_str!("page/page.css");

/// What was asked for, as it was written into the form.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Form {
    /// Method.
    pub method: String,
    /// Path or URL.
    pub url: String,
    /// Header fields, one a line.
    pub headers: String,
    /// Body.
    pub body: String,
    /// App.
    pub app: String,
    /// Time.
    pub at: String,
    /// Address of the caller.
    pub from: String,
    /// The text that the client signed.
    pub signed: String,
    /// Id of a call that was made.
    pub id: String,
}

/// What is shown below the form.
pub enum Shown<'a> {
    /// Nothing.
    Nothing,
    /// Why there is nothing.
    Sorry(&'a str),
    /// What would become of a call.
    Walk(&'a Walk),
    /// What became of one.
    Past(&'a Past),
}

/// The whole page.
pub fn render(form: &Form, shown: &Shown<'_>) -> String {
    let mut page = Page(String::with_capacity(16 << 10));
    page.raw(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>Why did it do that? · Portway</title>\n<link rel=\"stylesheet\" href=\"/explain.css\">\n</head>\n<body>\n\
         <header><h1>Why did it do that?</h1></header>\n<main>\n",
    );
    page.form(form);
    match shown {
        Shown::Nothing => {}
        Shown::Sorry(why) => {
            page.raw("<p role=\"alert\" class=\"bad\">");
            page.text(why);
            page.raw("</p>\n");
        }
        Shown::Walk(walk) => page.walk(walk),
        Shown::Past(past) => page.past(past),
    }
    page.raw("</main>\n</body>\n</html>\n");
    page.0
}

struct Page(String);

impl Page {
    /// Words of this file.
    fn raw(&mut self, html: &str) {
        self.0.push_str(html);
    }

    /// Text from outside: between tags, or within the quotes of an attribute.
    fn text(&mut self, text: &str) {
        for c in text.chars() {
            match c {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                '\'' => self.0.push_str("&#39;"),
                '\n' | '\t' => self.0.push(c),
                // Nothing may turn around what stands beside it, or be there unseen.
                c if c.is_control()
                    || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}') =>
                {
                    self.0.extend(c.escape_unicode());
                }
                c => self.0.push(c),
            }
        }
    }

    fn element(&mut self, tag: &str, class: &str, text: &str) {
        self.raw(&format!("<{tag} class=\"{class}\">"));
        self.text(text);
        self.raw(&format!("</{tag}>"));
    }

    fn form(&mut self, form: &Form) {
        self.raw(
            "<form method=\"post\" action=\"/explain\" autocomplete=\"off\">\n<h2>A call</h2>\n",
        );
        self.input("method", "Method", &form.method, "GET");
        self.input("url", "Path or URL", &form.url, "/shop/orders/7");
        self.area("headers", "Header fields, one a line", &form.headers);
        self.area("body", "Body", &form.body);
        self.input("app", "App that calls, whatever its key", &form.app, "");
        self.input("at", "Time to judge by", &form.at, "2026-11-24T08:00:00Z");
        self.input("from", "Address that it comes from", &form.from, "127.0.0.1");
        self.area("signed", "Text that the client signed", &form.signed);
        self.raw("<p><button type=\"submit\">Explain</button></p>\n</form>\n");
        self.raw("<form method=\"get\" action=\"/explain\" autocomplete=\"off\">\n<h2>A call that was made</h2>\n");
        self.input("id", "Its request id", &form.id, "");
        self.raw("<p><button type=\"submit\">Look it up</button></p>\n</form>\n");
    }

    fn input(&mut self, name: &str, label: &str, value: &str, hint: &str) {
        self.raw(&format!(
            "<p><label for=\"{name}\">{label}</label><input id=\"{name}\" name=\"{name}\" spellcheck=\"false\" \
             placeholder=\"{hint}\" value=\""
        ));
        self.text(value);
        self.raw("\"></p>\n");
    }

    fn area(&mut self, name: &str, label: &str, value: &str) {
        self.raw(&format!(
            "<p><label for=\"{name}\">{label}</label><textarea id=\"{name}\" name=\"{name}\" rows=\"3\" spellcheck=\"false\">\n"
        ));
        self.text(value);
        self.raw("</textarea></p>\n");
    }

    fn walk(&mut self, walk: &Walk) {
        let explanation = &walk.explanation;
        self.raw("<section aria-labelledby=\"walk\">\n<h2 id=\"walk\">");
        self.text(&format!("{} {}{}", explanation.method, explanation.host, explanation.path));
        self.raw("</h2>\n<p>");
        let class = if walk.status.is_none_or(|status| status < 400) { "good" } else { "bad" };
        let status = walk.status.map(|status| format!(" {status}")).unwrap_or_default();
        self.element("strong", class, &format!("{}{status}", walk.decision));
        self.text(&format!(": {}", walk.why));
        self.raw("</p>\n<p class=\"faint\">");
        self.text(&format!("Judged as of {} by the snapshot {}.", walk.at, walk.snapshot));
        self.raw("</p>\n");
        self.steps(&walk.steps);
        self.candidates("Services", &explanation.services);
        self.candidates("Operations", &explanation.operations);
        if let Some(target) = &walk.target {
            self.raw("<h3>Targets</h3>\n<ul>\n");
            for candidate in &target.candidates {
                self.element("li", "", candidate);
                self.raw("\n");
            }
            self.raw("</ul>\n");
        }
        if let Some(signature) = &walk.signature {
            self.signature(signature);
        }
        if let Some(request) = &walk.request {
            self.request(request);
        }
        if let Some(answer) = &walk.answer {
            self.raw("<h3>The gateway answers</h3>\n<pre>");
            self.text(&format!("{}\n", answer.status));
            self.fields(&answer.fields);
            self.text(&format!("\n{}", answer.body));
            self.raw("</pre>\n");
        }
        self.raw("</section>\n");
    }

    fn steps(&mut self, steps: &[Step]) {
        self.raw(
            "<h3>Step by step</h3>\n<table>\n<thead><tr><th scope=\"col\">phase</th><th scope=\"col\">outcome</th>\
             <th scope=\"col\">what happens</th></tr></thead>\n<tbody>\n",
        );
        for step in steps {
            let class = match step.outcome.as_str() {
                "passed" | "answered" => "good",
                "refused" => "bad",
                _ => "faint",
            };
            self.raw("<tr><th scope=\"row\">");
            self.text(&step.phase);
            self.raw("</th>");
            self.element("td", class, &step.outcome);
            self.raw("<td>");
            for (index, line) in step.lines.iter().enumerate() {
                if index > 0 {
                    self.raw("<br>");
                }
                self.text(line);
            }
            self.raw("</td></tr>\n");
        }
        self.raw("</tbody>\n</table>\n");
    }

    fn candidates(&mut self, title: &str, candidates: &[Candidate]) {
        if candidates.is_empty() {
            return;
        }
        self.raw(&format!("<h3>{title} considered</h3>\n<ul>\n"));
        for candidate in candidates {
            self.raw("<li>");
            let tag = if candidate.chosen { "strong" } else { "span" };
            self.element(tag, "", &candidate.name);
            let chosen = if candidate.chosen { ", chosen" } else { "" };
            self.text(&format!(" ({}){chosen}: {}", candidate.place, candidate.why));
            self.raw("</li>\n");
        }
        self.raw("</ul>\n");
    }

    fn signature(&mut self, signature: &Signature) {
        self.raw("<h3>The signature</h3>\n");
        if let Some(fault) = &signature.fault {
            self.element("p", "bad", fault);
            return self.raw("\n");
        }
        let known = if signature.id_known { "" } else { " (no app has this id)" };
        self.raw("<dl>\n");
        for (name, value) in [
            ("kind", signature.kind.clone()),
            ("id", format!("{}{known}", signature.id)),
            ("algorithm", signature.algorithm.clone()),
            ("covers", signature.covered.clone()),
            ("clock", signature.clock.clone().unwrap_or_default()),
        ] {
            if !value.is_empty() {
                self.raw(&format!("<dt>{name}</dt>"));
                self.element("dd", "", &value);
                self.raw("\n");
            }
        }
        self.raw("</dl>\n<h4>Text to sign</h4>\n<pre>");
        self.text(signature.to_sign.as_deref().unwrap_or_default());
        self.raw("</pre>\n");
        match &signature.compared {
            None => {}
            Some(compared) if compared.same => {
                self.element("p", "good", "The client's text is the same.");
            }
            Some(compared) => {
                self.element(
                    "p",
                    "bad",
                    &format!(
                        "The client's text differs at byte {}, line {}, column {} (⏹ is the end):",
                        compared.byte, compared.line, compared.column
                    ),
                );
                self.raw("<pre>");
                self.text(&format!("gateway  {}\nclient   {}", compared.ours, compared.yours));
                self.raw("</pre>\n");
            }
        }
    }

    fn request(&mut self, request: &Request) {
        self.raw("<h3>The backend gets</h3>\n<pre>");
        self.text(&format!("{} {}\n", request.method, request.target));
        self.fields(&request.fields);
        if request.body_bytes > 0 {
            self.text(&format!("\n(a body of {} bytes)", request.body_bytes));
        }
        self.raw("</pre>\n");
    }

    fn fields(&mut self, fields: &[(String, String)]) {
        for (name, value) in fields {
            self.text(&format!("{name}: {value}\n"));
        }
    }

    fn past(&mut self, past: &Past) {
        self.raw("<section aria-labelledby=\"past\">\n<h2 id=\"past\">");
        self.text(&format!(
            "{} {}{}",
            past.member("method"),
            past.member("host"),
            past.member("path")
        ));
        self.raw("</h2>\n<dl>\n");
        for (name, value) in past.record.as_object().into_iter().flatten() {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            self.element("dt", "", name);
            self.element("dd", "", &value);
            self.raw("\n");
        }
        self.raw("</dl>\n</section>\n<h2>What would become of it now</h2>\n<p>");
        self.text(past.caveat());
        self.raw("</p>\n");
        if let Some(why) = &past.why_not {
            self.element("p", "bad", why);
        }
        if let Some(walk) = &past.now {
            self.walk(walk);
        }
    }
}

#[cfg(test)]
mod tests;
