//! `portway explain`: what becomes of a call, and why.

use std::io::Read as _;
use std::net::IpAddr;

use anyhow::Context as _;
use clap::Args;
use portway_proxy::rehearsal::{CannotRehearse, Rehearsal};

use crate::cli;
use crate::documents::{Library, Looked};
use crate::exit::Exit;
use crate::explain::ask::BODY_BYTES_MAX;
use crate::explain::secrets::KnownSecrets;
use crate::explain::walk::About;
use crate::explain::{Ask, Call, Walk, live, text, walk};
use crate::secrets::ProcessSecrets;
use crate::settings;
use crate::terminal::{self, Terminal};

/// Say what becomes of a call and why.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  portway explain 'GET /shop/orders/7'
  portway explain 'POST https://api.example.com/shop/orders' -H 'x-api-key: …' -d @order.json --documents conf/
  portway explain 'GET /shop/orders/7' --app phone --at 2026-12-31T23:59:59Z
  portway explain 'GET /shop/orders/7' -H 'Authorization: hmac …' -H 'X-Date: …' --signed @text-that-the-client-signed

  portway explain 'GET /shop/orders/7' --app phone --live 127.0.0.1:9901     # with the counts and backends of now
  portway explain 01a20e43417139ea9c90df0008a4b694 --live 127.0.0.1:9901     # a call that was made

Nothing is called: the documents are compiled, and the call is judged by the code that serves. Whose key it is, is said
as far as the keys can be had here. Counts are those of a running gateway; here every limit begins unused. Values of
credentials are never shown.

Exit codes: 0 whatever becomes of the call; 1 the documents have mistakes; 2 the command line is wrong, or
no call of that id is remembered; 3 no gateway answers at ADDRESS.")]
pub struct Explain {
    /// Method and URL (or path): 'GET /shop/orders/7'; with --live also the request id of a call that was made
    #[arg(value_name = "CALL")]
    call: String,
    /// A header field: 'Name: value'
    #[arg(short = 'H', long = "header", value_name = "FIELD")]
    headers: Vec<String>,
    /// The body; @FILE reads it from a file, @- from standard input
    #[arg(short = 'd', long = "data", value_name = "TEXT|@FILE")]
    data: Option<String>,
    /// Take the call to come from this app, whatever key it brings
    #[arg(long, value_name = "APP")]
    app: Option<String>,
    /// Judge as if it were this time (RFC 3339): signatures and quotas go by it
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    /// The address that the call comes from [default: 127.0.0.1]
    #[arg(long, value_name = "ADDRESS")]
    from: Option<IpAddr>,
    /// The text that the client signed, as it says itself, to find the first difference; @FILE reads it from a file
    #[arg(long, value_name = "TEXT|@FILE")]
    signed: Option<String>,
    /// Documents; a directory stands for the portway.yaml in it [default: portway.yaml]
    #[arg(long, value_name = "FILE|DIR", num_args = 1..)]
    documents: Vec<std::ffi::OsString>,
    /// Ask the running gateway with this admin listener, with its counts and the state of its backends; CALL may be the request
    /// id of a call that was made
    #[arg(long, value_name = "ADDRESS", conflicts_with = "documents")]
    live: Option<String>,
    /// As one JSON object
    #[arg(long)]
    json: bool,
}

impl Explain {
    pub(crate) fn run(&self, terminal: &mut Terminal) -> anyhow::Result<Exit> {
        const FIX: &str =
            "write for example: portway explain 'GET /shop/orders/7' -H 'x-api-key: …'";
        if let Some(address) = &self.live
            && live::is_request_id(&self.call)
        {
            return self.past(address, terminal);
        }
        let call = match self.call() {
            Ok(call) => call,
            Err(why) => {
                terminal.sorry(why, FIX)?;
                return Ok(Exit::Usage);
            }
        };
        match &self.live {
            Some(address) => self.live(address, &call, terminal),
            None => self.offline(&call, terminal),
        }
    }

    /// What the running gateway says.
    fn live(&self, address: &str, call: &Call, terminal: &mut Terminal) -> anyhow::Result<Exit> {
        let text = |bytes: &Option<Vec<u8>>| match bytes {
            None => Ok(None),
            Some(bytes) => String::from_utf8(bytes.clone()).map(Some),
        };
        let (Ok(body), Ok(signed)) = (text(&call.body), text(&call.signed)) else {
            terminal.sorry(
                "a body or text that is not UTF-8 cannot be sent to a running gateway",
                "leave out --live, and the documents are asked",
            )?;
            return Ok(Exit::Usage);
        };
        let walk = live::explain(address, &Ask { body, signed, ..self.ask() })?;
        self.show(&walk, terminal)
    }

    /// What became of a call that was made.
    fn past(&self, address: &str, terminal: &mut Terminal) -> anyhow::Result<Exit> {
        let Some(past) = live::past(address, &self.call)? else {
            let what = format!("no call of the id {} is remembered at {address}", self.call);
            terminal.sorry(
                what,
                "each worker remembers its last thousand calls; the log knows older ones",
            )?;
            return Ok(Exit::Usage);
        };
        if self.json {
            terminal.json(&past)?;
        } else {
            text::write_past(&mut terminal.out, &past)?;
        }
        Ok(Exit::Done)
    }

    fn show(&self, walk: &Walk, terminal: &mut Terminal) -> anyhow::Result<Exit> {
        if self.json {
            terminal.json(walk)?;
        } else {
            text::write(&mut terminal.out, walk)?;
        }
        Ok(Exit::Done)
    }

    fn call(&self) -> Result<Call, String> {
        let given = |text: &Option<String>| text.as_deref().map(given).transpose();
        let (body, signed) = (given(&self.data)?, given(&self.signed)?);
        self.ask().read_with(body, signed)
    }

    fn ask(&self) -> Ask {
        Ask {
            call: self.call.clone(),
            headers: self.headers.clone(),
            body: None,
            app: self.app.clone(),
            at: self.at.clone(),
            from: self.from,
            signed: None,
        }
    }

    fn offline(&self, call: &Call, terminal: &mut Terminal) -> anyhow::Result<Exit> {
        let asked = cli::Documents { paths: self.documents.clone() };
        let (rehearsal, missing_keys) = match rehearsal(&asked, terminal)? {
            Ok(found) => found,
            Err(exit) => return Ok(exit),
        };
        let rehearsed = match rehearsal.ask(&call.asked()) {
            Ok(rehearsed) => rehearsed,
            Err(cannot @ CannotRehearse::System(_)) => return Err(cannot.into()),
            Err(cannot) => {
                terminal.sorry(cannot, "name an app of the documents, with a key, in --app")?;
                return Ok(Exit::Usage);
            }
        };
        self.show(&walk(call, &rehearsed, About { live: false, missing_keys }), terminal)
    }
}

/// What documents would do with calls, and how many keys cannot be had here; or how the command ends.
pub(super) fn rehearsal(
    asked: &cli::Documents,
    terminal: &mut Terminal,
) -> anyhow::Result<Result<(Rehearsal, usize), Exit>> {
    let library = match Library::find(asked) {
        Ok(library) => library,
        Err(unreadable) => {
            terminal.sorry(&unreadable.what, unreadable.fix)?;
            return Ok(Err(Exit::Usage));
        }
    };
    let secrets = KnownSecrets::new(ProcessSecrets::new(library.root().path()));
    let reading = library.compile(&settings::overrides(None), &secrets, Looked::None, None);
    let Some(compiled) = reading.compiled else {
        let line_of =
            |found: &portway_model::Diagnostic| reading.sources.line_text(&found.location);
        terminal::write_diagnostics(&mut terminal.err, &reading.diagnostics, &line_of)?;
        return Ok(Err(Exit::Mistakes));
    };
    let rehearsal = Rehearsal::of(compiled).context("the documents cannot be tried out")?;
    Ok(Ok((rehearsal, secrets.missing())))
}

/// Text of the command line, or of the file that it names.
fn given(text: &str) -> Result<Vec<u8>, String> {
    let Some(name) = text.strip_prefix('@') else { return Ok(text.as_bytes().to_vec()) };
    let mut bytes = Vec::new();
    let most = BODY_BYTES_MAX as u64 + 1;
    let read = match name {
        "-" => std::io::stdin().lock().take(most).read_to_end(&mut bytes),
        name => std::fs::File::open(name).and_then(|file| file.take(most).read_to_end(&mut bytes)),
    };
    read.map(|_| bytes).map_err(|error| format!("{name} cannot be read: {error}"))
}
