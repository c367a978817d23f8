//! `portway run`: from documents to a serving process, and to its end.
//!
//! Reads from top to bottom as that story. What each step does in detail is in the file that it names.

use std::io::Write as _;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use clap::{Arg, ArgMatches, Args, FromArgMatches};
use tokio::sync::oneshot;

use crate::cli;
use crate::documents::{Library, Looked};
use crate::exit::Exit;
use crate::handover::{Offer, Place};
use crate::learning::Learning;
use crate::reload::{self, Reload};
use crate::secrets::ProcessSecrets;
use crate::serving::{self, CannotStart, Serving, Started};
use crate::settings::{self, Settings};
use crate::signals::{Asked, Signals};
use crate::stamps::Stamps;
use crate::status::{Load, Stage, Status};
use crate::systemd;
use crate::terminal::Terminal;
use crate::watch::{Nudge, Watch};
use crate::{file_limit, telling, terminal};

/// Serve; edits to the documents are live at once.
#[derive(Debug)]
pub struct Run {
    documents: cli::Documents,
    overrides: Vec<portway_model::Override>,
}

const AFTER_HELP: &str = "\
Examples:
  portway run                              # portway.yaml here
  portway run /etc/portway --listen 0.0.0.0:8080
  PORTWAY_ADMIN=off portway run conf.yaml

Signals:
  SIGTERM, SIGINT  stop accepting, let calls end (gateway.drain_timeout), exit; a second one cuts them
  SIGHUP           read the documents and certificates again (edits are noticed without it)";

impl Args for Run {
    fn augment_args(command: clap::Command) -> clap::Command {
        settings::with_flags(cli::Documents::augment_args(command)).after_help(AFTER_HELP)
    }
    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        Self::augment_args(command).mut_args(|arg: Arg| arg.required(false))
    }
}

impl FromArgMatches for Run {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        Ok(Self {
            documents: cli::Documents::from_arg_matches(matches)?,
            overrides: settings::overrides(Some(matches)),
        })
    }
    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Run {
    pub(crate) fn run(&self, terminal: &mut Terminal) -> anyhow::Result<Exit> {
        let began = Instant::now();
        let files = file_limit::raise();
        let library = match Library::find(&self.documents) {
            Ok(library) => library,
            Err(unreadable) => {
                terminal.sorry(&unreadable.what, unreadable.fix)?;
                return Ok(Exit::Usage);
            }
        };
        let secrets = ProcessSecrets::new(library.root().path());
        let mut reading = library.compile(&self.overrides, &secrets, Looked::All, None);
        for found in settings::environment_mistakes(&reading.variables) {
            reading.add(found);
        }
        reload::say_what_was_found(&reading);
        let Some(compiled) = reading.compiled else {
            terminal.sorry(
                format!("the documents have mistakes ({})", terminal::tally(&reading.diagnostics)),
                "",
            )?;
            return Ok(Exit::Mistakes);
        };
        let status = Arc::new(Status::default());
        let took_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let load =
            Load { at: SystemTime::now(), took_ms, ok: true, diagnostics: reading.diagnostics };
        status
            .loaded(load, Some(reload::in_force(&reading.gateway, reading.gateway.clone(), files)));
        let settings =
            match Settings::resolve(&reading.gateway, &self.overrides, library.root().path()) {
                Ok(settings) => settings,
                Err(fault) => {
                    return cannot_start(
                        terminal,
                        &CannotStart { what: fault.what, fix: fault.fix.to_owned() },
                    );
                }
            };
        if let Some(sentence) = file_limit::shortage(files, settings.connections) {
            tracing::warn!("{sentence}");
        }
        let runtime = serving::control_runtime()?;
        let _entered = runtime.enter();
        // Before anybody learns that this process serves: whoever does may send a signal.
        let mut signals = Signals::catch()?;
        let telling = match telling::prepare(&settings, &secrets, library.root().path()) {
            Ok(telling) => telling,
            Err(fault) => {
                return cannot_start(
                    terminal,
                    &CannotStart { what: fault.what, fix: fault.fix.to_owned() },
                );
            }
        };
        let started = match serving::start(&settings, telling, compiled, &status, files, &runtime) {
            Ok(started) => started,
            Err(fault) => return cannot_start(terminal, &fault),
        };
        let Started { serving, taken_over } = started;
        for address in serving.addresses() {
            tracing::info!("listening on {address}");
        }
        tracing::info!(
            took_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
            "serving"
        );
        systemd::ready(taken_over.is_some(), "serving");
        if let Some(taken) = taken_over {
            taken.serving().unwrap_or_else(|error| tracing::warn!(%error, "the old process could not be told that this one serves"));
        }
        let (watch, nudge) = Watch::new();
        let reload = Reload {
            certificates: certificates(&settings),
            files_max: files,
            started_with: reading.gateway,
            library,
            overrides: self.overrides.clone(),
            secrets,
            served: serving.clone(),
            status: Arc::clone(&status),
        };
        let learning = Learning::start(serving.clone(), reload.library.root().path().to_owned())?;
        reload.spawn(watch)?;
        let exit =
            runtime.block_on(until_the_end(&serving, &settings, &status, &nudge, &mut signals));
        learning.end();
        let _ = terminal.out.flush();
        Ok(exit)
    }
}

fn cannot_start(terminal: &mut Terminal, fault: &CannotStart) -> anyhow::Result<Exit> {
    terminal.sorry(&fault.what, &fault.fix)?;
    Ok(Exit::CannotStart)
}

/// The files of the listeners' certificates.
fn certificates(settings: &Settings) -> Stamps {
    let mut stamps = Stamps::default();
    for tls in settings.listeners.iter().filter_map(|listener| listener.tls.as_ref()) {
        for certificate in &tls.certificates {
            stamps.note(certificate.cert.clone());
            stamps.note(certificate.key.clone());
        }
        if let Some(clients) = &tls.clients {
            stamps.note(clients.ca.clone());
            clients.crl.iter().for_each(|list| stamps.note(list.clone()));
        }
    }
    stamps
}

/// Why the process comes to its end.
#[derive(Debug)]
enum Ending {
    Asked,
    HandedOver,
    /// A worker has died, in words. Its callers would wait for ever: whoever has started the process starts it anew.
    Lost(String),
}

/// Does what signals and successors ask for, until the process may end.
async fn until_the_end(
    serving: &Serving,
    settings: &Settings,
    status: &Status,
    nudge: &Nudge,
    signals: &mut Signals,
) -> Exit {
    let (mut place, mut taken) = offer_sockets(serving, settings);
    let watchdog = systemd::watchdog_interval();
    let mut look = tokio::time::interval_at(tokio::time::Instant::now() + watchdog, watchdog);
    let ending = loop {
        tokio::select! {
            asked = signals.next() => match asked {
                Asked::Reload => nudge.ask(),
                Asked::Stop => break Ending::Asked,
            },
            () = is_taken(&mut taken) => break Ending::HandedOver,
            why = serving.lost_worker() => break Ending::Lost(why),
            _ = look.tick() => say_whether_alive(serving),
        }
    };
    if let Ending::Lost(why) = &ending {
        status.is_ill(why.clone());
        tracing::error!("{why}; this process ends, to be started anew");
    }
    status.enter(Stage::Draining);
    nudge.end();
    if matches!(ending, Ending::HandedOver) {
        serving.leave_admin();
        tracing::info!("another process serves now; calls under way come to their end here");
    } else {
        // The sockets are about to be closed: who comes now has to open its own.
        if let Some(place) = place.take() {
            place.remove();
        }
        tracing::info!(
            within_ms = settings.drain_timeout_ms,
            "stopping; calls under way come to their end"
        );
        systemd::stopping(status.illness().unwrap_or("calls under way come to their end"));
    }
    tokio::select! {
        () = serving.drain() => tracing::info!("stopped"),
        () = stop_again(signals) => {
            serving.cut();
            tracing::warn!("stopped at once; calls under way were cut");
        }
    }
    if let Some(place) = place {
        place.remove();
    }
    if matches!(ending, Ending::Lost(_)) { Exit::WorkerLost } else { Exit::Done }
}

/// Tells systemd that we are alive, unless a worker stands still: then it is to start us anew.
fn say_whether_alive(serving: &Serving) {
    if serving.workers_move() {
        systemd::alive();
    } else {
        tracing::error!("a worker stands still");
    }
}

async fn stop_again(signals: &mut Signals) {
    while signals.next().await != Asked::Stop {}
}

/// Comes back once a successor serves; never, if none can.
async fn is_taken(taken: &mut Option<oneshot::Receiver<()>>) {
    if let Some(receiver) = taken {
        if receiver.await.is_ok() {
            return;
        }
        // The thread that waited is gone, so nobody will say anything any more.
        *taken = None;
    }
    std::future::pending::<()>().await;
}

/// Makes it possible for a successor to take over the listening sockets, if the settings say where.
fn offer_sockets(
    serving: &Serving,
    settings: &Settings,
) -> (Option<Place>, Option<oneshot::Receiver<()>>) {
    let Some(path) = &settings.handover else { return (None, None) };
    let offer = match Offer::listen(path) {
        Ok(offer) => offer,
        Err(fault) => {
            tracing::warn!("no successor can take over from this process: {fault} {}", fault.fix);
            return (None, None);
        }
    };
    let (place, giver) = (offer.place(), serving.clone());
    let (sender, taken) = oneshot::channel();
    let told = move || {
        let _ = sender.send(());
    };
    if let Err(error) = offer.wait(move || giver.sockets(), told) {
        tracing::warn!(%error, "no successor can take over from this process");
    }
    (Some(place), Some(taken))
}
