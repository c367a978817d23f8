//! Proposals of contracts, from what is seen of the calls of services that are learned.
//!
//! One thread looks at what the workers have seen, once a second, and writes: at the interval of the service, and at the
//! end. A file that somebody has edited is never written over; the proposal goes beside it then. Nothing is written
//! outside of the directory of the documents. What was learned survives a restart in a file of its own.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use portway_contract::learn::Learned;
use portway_model::Name;
use portway_policy::sha256;
use portway_snapshot::Learning as Settings;

use crate::serving::Serving;

/// How often what was seen is looked at.
const LOOK: Duration = Duration::from_secs(1);
/// The largest file of what is remembered, in bytes.
const STATE_BYTES_MAX: u64 = 64 << 20;
/// Learned bodies may be nested.
const STACK_BYTES: usize = 4 << 20;

/// The thread that learns.
#[derive(Debug)]
pub struct Learning {
    end: Sender<()>,
    thread: JoinHandle<()>,
}

impl Learning {
    /// Begins to learn; `root` is the directory of the documents.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn start(serving: Serving, root: PathBuf) -> io::Result<Self> {
        let (end, ended) = channel();
        let mut desk = Desk { serving, root, services: BTreeMap::new() };
        let thread = std::thread::Builder::new()
            .name("learning".to_owned())
            .stack_size(STACK_BYTES)
            .spawn(move || desk.work(&ended))?;
        Ok(Self { end, thread })
    }

    /// Writes what was learned, and ends.
    pub fn end(self) {
        let _ = self.end.send(());
        if self.thread.join().is_err() {
            tracing::error!("learning ended early");
        }
    }
}

/// Everything that is learned.
struct Desk {
    serving: Serving,
    root: PathBuf,
    services: BTreeMap<Name, Pupil>,
}

/// One service.
struct Pupil {
    settings: Settings,
    learned: Learned,
    /// Calls that the file knows of.
    written: u64,
    due: Instant,
    /// What was wrong the last time, so that it is told once.
    fault: String,
}

impl Desk {
    fn work(&mut self, ended: &Receiver<()>) {
        loop {
            let is_over = !matches!(ended.recv_timeout(LOOK), Err(RecvTimeoutError::Timeout));
            self.look();
            self.write(is_over);
            if is_over {
                return;
            }
        }
    }

    /// Takes in what was seen.
    fn look(&mut self) {
        let seen = self.serving.take_seen();
        let snapshot = self.serving.learned_snapshot();
        let settings = |name: &Name| {
            let at = snapshot.services.binary_search_by(|known| known.name.cmp(name)).ok()?;
            snapshot.services[at].learn.as_ref()
        };
        self.services.retain(|name, pupil| settings(name) == Some(&pupil.settings));
        for service in &snapshot.services {
            if let Some(settings) = &service.learn
                && !self.services.contains_key(&service.name)
            {
                let pupil = Pupil::new(&self.root, settings, &service.name);
                self.services.insert(service.name.clone(), pupil);
            }
        }
        for (name, observation) in seen {
            if let Some(pupil) = self.services.get_mut(&name) {
                pupil.learned.observe(&observation);
            }
        }
    }

    fn write(&mut self, is_over: bool) {
        for (name, pupil) in &mut self.services {
            let is_new = pupil.learned.calls() != pupil.written;
            if !is_new || (!is_over && Instant::now() < pupil.due) {
                continue;
            }
            pupil.due = Instant::now() + Duration::from_millis(pupil.settings.every_ms);
            match pupil.write(&self.root, name) {
                Ok(file) => {
                    let calls = pupil.learned.calls();
                    tracing::info!(service = %name, calls, "a contract is proposed in {file}");
                    pupil.written = calls;
                    pupil.fault.clear();
                    self.serving.learned(true);
                }
                Err(fault) => {
                    if pupil.fault != fault {
                        tracing::warn!(service = %name, "what was learned is not written: {fault}");
                    }
                    pupil.fault = fault;
                    self.serving.learned(false);
                }
            }
        }
    }
}

impl Pupil {
    /// With what is remembered.
    fn new(root: &Path, settings: &Settings, name: &Name) -> Self {
        let remembered = Files::of(root, settings).ok().and_then(|files| files.remembered());
        let learned = remembered.and_then(|(_, text)| Learned::remembered(&text));
        let learned = learned.unwrap_or_default();
        tracing::info!(service = %name, calls = learned.calls(), "calls are learned");
        Self {
            settings: settings.clone(),
            written: learned.calls(),
            learned,
            due: Instant::now() + Duration::from_millis(settings.every_ms),
            fault: String::new(),
        }
    }

    /// Writes both files, and says which one has the proposal.
    fn write(&self, root: &Path, name: &Name) -> Result<String, String> {
        let thresholds = &self.settings.thresholds;
        let files = Files::of(root, &self.settings)?;
        // Another process may have written meanwhile: one that was taken over from.
        let last = files.remembered().map(|(hash, _)| hash).unwrap_or_default();
        let text = self.learned.propose(name.as_str(), thresholds);
        let own = |path: &Path| match fs::read(path) {
            Ok(bytes) => hex(&bytes) == last,
            Err(error) => error.kind() == io::ErrorKind::NotFound,
        };
        let places = [&files.proposal, &files.beside];
        let Some(place) = places.into_iter().find(|place| own(place)) else {
            return Err(format!(
                "{} and {} were edited; remove or rename one of them",
                files.proposal.display(),
                files.beside.display()
            ));
        };
        let state = format!("{}\n{}", hex(text.as_bytes()), self.learned.to_remember(thresholds));
        // Known as ours before it is there: what is interrupted in between is not taken for an edit of somebody.
        let before = fs::read(place).ok();
        write(&files.state, &state)?;
        write(place, &text).inspect_err(|_| {
            let last = before.map(|bytes| hex(&bytes)).unwrap_or_default();
            let state = format!("{last}\n{}", self.learned.to_remember(thresholds));
            let _ = write(&files.state, &state);
        })?;
        Ok(place.strip_prefix(root).unwrap_or(place).display().to_string())
    }
}

/// Where what was learned of a service stands.
struct Files {
    proposal: PathBuf,
    beside: PathBuf,
    state: PathBuf,
}

impl Files {
    /// Only below the root, whatever links say.
    fn of(root: &Path, settings: &Settings) -> Result<Self, String> {
        let path = root.join(&*settings.file);
        let (Some(directory), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(format!("{} is not a file", path.display()));
        };
        let directory = directory
            .canonicalize()
            .map_err(|error| format!("{}: {error}; make the directory", directory.display()))?;
        if !directory.starts_with(root) {
            return Err(format!("{} is outside of the documents", directory.display()));
        }
        let name = name.to_string_lossy();
        let beside = match name.rsplit_once('.') {
            Some((stem, extension)) => format!("{stem}.proposed.{extension}"),
            None => format!("{name}.proposed"),
        };
        Ok(Self {
            proposal: directory.join(&*name),
            beside: directory.join(beside),
            state: directory.join(format!("{name}.state")),
        })
    }

    /// The hash of the proposal that was written last, and what was learned.
    fn remembered(&self) -> Option<(String, String)> {
        let is_fit = |found: fs::Metadata| found.is_file() && found.len() <= STATE_BYTES_MAX;
        if !fs::metadata(&self.state).is_ok_and(is_fit) {
            return None;
        }
        let text = fs::read_to_string(&self.state).ok()?;
        let (hash, learned) = text.split_once('\n')?;
        Some((hash.to_owned(), learned.to_owned()))
    }
}

/// Replaces a file as a whole.
fn write(path: &Path, text: &str) -> Result<(), String> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let aside = path.with_file_name(format!(".{name}.{}", std::process::id()));
    let written = File::create(&aside)
        .and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.sync_all()
        })
        .and_then(|()| fs::rename(&aside, path));
    written.map_err(|error| {
        let _ = fs::remove_file(&aside);
        format!("{}: {error}", path.display())
    })
}

fn hex(bytes: &[u8]) -> String {
    sha256(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
