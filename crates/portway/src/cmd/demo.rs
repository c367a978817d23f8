//! `portway demo`: a gateway in front of three sample modules, and calls to try.
//!
//! Everything is in this process and on the loopback address, and is gone when it ends.

use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context as _;
use clap::Args;
use portway_contract::{LoadFault, Loader};
use portway_model::{Format, Override, SourceFile};
use portway_proxy::Telling;
use portway_snapshot::{Compiled, Files};

use crate::demo::calls::{CALLS, Call};
use crate::demo::{self, client};
use crate::exit::Exit;
use crate::file_limit;
use crate::secrets::ProcessSecrets;
use crate::serving::{self, Serving};
use crate::settings::Settings;
use crate::signals::{Asked, Signals};
use crate::status::{Stage, Status};
use crate::terminal::{BAD, FAINT, GOOD, STRONG, Terminal};

/// Start a gateway with three sample modules behind it, and print calls to try.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  portway demo                          # free ports, a fresh key; Ctrl-C ends it
  portway demo --listen 127.0.0.1:8080
  portway demo --exercise               # makes the calls itself, checks the answers, ends

The documents are those of examples/demo/; `portway demo --print` shows the main one.")]
pub struct Demo {
    /// Where the gateway listens; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Make the calls, print the answers, and end: with code 4 if one is not as promised
    #[arg(long)]
    exercise: bool,
    /// Print the document and end
    #[arg(long)]
    print: bool,
}

/// The document and its contracts, in memory.
struct Embedded(BTreeMap<&'static str, &'static str>);

impl Loader for Embedded {
    fn load(&self, path: &str) -> Result<Vec<u8>, LoadFault> {
        self.0.get(path).map(|text| text.as_bytes().to_vec()).ok_or(LoadFault::NotFound)
    }
}

impl Files for Embedded {
    fn fingerprint(&self, path: &str) -> Option<u64> {
        // They never change.
        self.0.contains_key(path).then_some(0)
    }
}

impl Demo {
    pub(crate) fn run(&self, terminal: &mut Terminal) -> anyhow::Result<Exit> {
        if self.print {
            terminal.out.write_all(demo::DOCUMENTS[0].1.as_bytes())?;
            return Ok(Exit::Done);
        }
        let runtime = serving::control_runtime()?;
        let _entered = runtime.enter();
        let (key, password) = (random_word()?, random_word()?);
        let modules = runtime
            .block_on(demo::start_modules(&password))
            .context("the sample modules cannot start")?;
        let serving = match self.start(&modules, &key, &password, &runtime) {
            Ok(serving) => serving,
            Err(error) => {
                terminal.sorry(format!("{error:#}"), "choose another address with --listen")?;
                return Ok(Exit::CannotStart);
            }
        };
        let address = *serving.addresses().first().context("the gateway listens nowhere")?;
        if self.exercise {
            return runtime.block_on(exercise(terminal, address, &key));
        }
        introduce(terminal, address, &modules, &key)?;
        let mut signals = Signals::catch()?;
        runtime.block_on(async {
            while signals.next().await != Asked::Stop {}
            serving.drain().await;
        });
        Ok(Exit::Done)
    }

    fn start(
        &self,
        modules: &[SocketAddr; 3],
        key: &str,
        password: &str,
        runtime: &tokio::runtime::Runtime,
    ) -> anyhow::Result<Serving> {
        let (gateway, compiled) = self.compile(modules, key, password)?;
        let settings = Settings::resolve(&gateway, &[], std::path::Path::new(""));
        let settings = settings.map_err(|fault| anyhow::anyhow!(fault.what))?;
        let status = Arc::new(Status::default());
        status.enter(Stage::Starting);
        let started = serving::start(
            &settings,
            (Telling::default(), None),
            compiled,
            &status,
            file_limit::raise(),
            runtime,
        );
        Ok(started.map_err(|fault| anyhow::anyhow!(fault.what))?.serving)
    }

    /// The documents of `examples/demo/`, with the addresses of this demo in their places.
    fn compile(
        &self,
        modules: &[SocketAddr; 3],
        key: &str,
        password: &str,
    ) -> anyhow::Result<(portway_model::Gateway, Compiled)> {
        let mut text = demo::DOCUMENTS[0].1.to_owned();
        for (written, module) in demo::WRITTEN.iter().zip(modules) {
            text = text.replace(written, &module.to_string());
        }
        let file = SourceFile { name: demo::DOCUMENT.to_owned(), text, format: Format::Yaml };
        let given = |pointer: &str, value: String| Override {
            pointer: pointer.to_owned(),
            value,
            origin: "the demo".to_owned(),
        };
        let overrides = [
            given("/gateway/listen", self.listen.to_string()),
            given("/gateway/admin", "off".to_owned()),
            given("/gateway/workers", "1".to_owned()),
            given("/gateway/log/calls", "off".to_owned()),
        ];
        let (documents, mut found) = portway_model::read(&[file], &overrides);
        let secrets = ProcessSecrets::new(std::path::Path::new(""))
            .with(demo::KEY_VARIABLE, key.to_owned())
            .with(demo::PASSWORD_VARIABLE, password.to_owned());
        let files = Embedded(BTreeMap::from(demo::DOCUMENTS));
        let (compiled, more) = portway_snapshot::compile(&documents, &files, &secrets, None);
        found.extend(more);
        let gateway = documents.document.gateway.unwrap_or_default();
        match compiled {
            Some(compiled) if found.is_empty() => Ok((gateway, compiled)),
            _ => Err(anyhow::anyhow!("the documents of the demo have mistakes: {found:?}")),
        }
    }
}

fn random_word() -> anyhow::Result<String> {
    demo::random_word().map_err(anyhow::Error::msg)
}

/// Says what is there, and what to try.
fn introduce(
    terminal: &mut Terminal,
    address: SocketAddr,
    modules: &[SocketAddr; 3],
    key: &str,
) -> io::Result<()> {
    let out = &mut terminal.out;
    let base = format!("http://{address}");
    writeln!(out, "{STRONG}A gateway at {base}{STRONG:#}, and behind it:")?;
    for (what, module) in [
        "/shop  a JSON API with a contract",
        "/erp   an old application without one",
        "/live  streams",
    ]
    .iter()
    .zip(modules)
    {
        writeln!(out, "  {what:<38} {FAINT}http://{module}{FAINT:#}")?;
    }
    writeln!(out, "\nTry, in another terminal:\n\n  KEY={key}")?;
    for call in CALLS.iter().filter(|call| call.printed) {
        let times = if call.times > 1 { format!(" ({} times)", call.times) } else { String::new() };
        writeln!(out, "\n  {FAINT}# {}{times}{FAINT:#}\n  {}", call.shows, call.line(&base))?;
    }
    writeln!(out, "\nThe document that does this: portway demo --print. Ctrl-C ends the demo.")?;
    out.flush()
}

/// Makes all calls and says how the answers were.
async fn exercise(terminal: &mut Terminal, address: SocketAddr, key: &str) -> anyhow::Result<Exit> {
    let base = format!("http://{address}");
    let mut bad = 0;
    for call in CALLS {
        writeln!(terminal.out, "{FAINT}# {}{FAINT:#}\n{}", call.shows, call.line(&base))?;
        match make(address, call, key).await {
            Ok(answer) => {
                let broken = call.promised.broken_by(&answer);
                let (style, word) = if broken.is_empty() {
                    (GOOD, "as promised")
                } else {
                    (BAD, "NOT AS PROMISED")
                };
                let body = answer.body.trim_end().replace('\n', "\n  ");
                writeln!(terminal.out, "  {} {style}{word}{style:#}\n  {body}", answer.status)?;
                for why in &broken {
                    writeln!(terminal.out, "  {BAD}{why}{BAD:#}")?;
                }
                bad += usize::from(!broken.is_empty());
            }
            Err(error) => {
                writeln!(terminal.out, "  {BAD}NOT AS PROMISED{BAD:#}: {error:#}")?;
                bad += 1;
            }
        }
        writeln!(terminal.out)?;
    }
    let all = CALLS.len();
    writeln!(terminal.out, "{} of {all} answers are as promised", all - bad)?;
    Ok(if bad == 0 { Exit::Done } else { Exit::Unexpected })
}

/// Makes a call as often as it is to be made; the last answer.
async fn make(address: SocketAddr, call: &Call, key: &str) -> anyhow::Result<client::Answer> {
    let mut answer = None;
    for _ in 0..call.times {
        let (path, headers) = (call.path_with(key), call.headers_with(key));
        answer =
            Some(client::call(address, call.method, &path, &headers, call.body, call.echo).await?);
    }
    answer.context("the call is made no times")
}
