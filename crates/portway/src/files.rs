//! The directory that documents and contracts are read from, and that nothing in them can lead out of.
//!
//! A document may name files, and a contract may refer to others; both may have been written by
//! somebody who should not read `/etc/shadow`. Every path is therefore resolved beneath one directory:
//! `..`, absolute paths and symbolic links that lead out are refused by the kernel (`openat2`,
//! `RESOLVE_BENEATH`) or, on kernels without it, after following all links. Only regular files are
//! read, and only up to a size. What a file means is not known here.

use std::collections::HashMap;
use std::fs::{File, Metadata};
use std::io::{self, Read as _};
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use portway_contract::{LoadFault, Loader};
use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat, openat2};
use rustix::io::Errno;

use crate::stamps::{Stamps, stamp};

/// The largest file that is read, in bytes. Contracts of real providers reach 50 MB.
const FILE_BYTES_MAX: u64 = 64 << 20;

/// A directory, and which of its files were asked for.
#[derive(Debug)]
pub struct Root {
    /// All links followed, so that it can be compared with where other paths lead.
    path: PathBuf,
    directory: OwnedFd,
    /// What was asked for, whether it exists or not: what has to be watched.
    asked: Mutex<Stamps>,
    /// What was opened beneath the directory, by its path: as long as a file has the stamp that it had then, it is that
    /// one, and need not be opened again. Of a thousand files usually one has changed.
    known: Mutex<HashMap<String, Known>>,
}

#[derive(Debug)]
struct Known {
    stamp: u64,
    text: Option<String>,
}

impl Root {
    /// Opens a directory.
    ///
    /// # Errors
    /// When it is not there, not a directory, or cannot be read.
    pub fn open(path: &Path) -> io::Result<Self> {
        let path = path.canonicalize()?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let directory = openat(CWD, &path, flags, Mode::empty())?;
        Ok(Self { path, directory, asked: Mutex::default(), known: Mutex::default() })
    }

    /// Where it is, all links followed.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads a text file of UTF-8.
    ///
    /// # Errors
    /// As for [`Loader::load`], and when it is not UTF-8.
    pub fn read_text(&self, path: &str) -> Result<String, LoadFault> {
        if let Some((_, Some(text))) = self.unchanged(path, |known| known.text.clone()) {
            return Ok(text);
        }
        let text = String::from_utf8(self.load(path)?)
            .map_err(|_| LoadFault::Other("it is not UTF-8 text".to_owned()))?;
        if let Some(known) = self.known().get_mut(path) {
            known.text = Some(text.clone());
        }
        Ok(text)
    }

    /// What is known of a file that is still the one that was opened, with its stamp.
    fn unchanged<T>(&self, path: &str, of: impl FnOnce(&Known) -> T) -> Option<(u64, T)> {
        let place = self.path.join(path);
        let known = self.known();
        let known = known.get(path)?;
        let now = stamp(&place.metadata().ok()?);
        if now != known.stamp {
            return None;
        }
        self.asked().note_with(place, now);
        Some((now, of(known)))
    }

    /// The names of the regular files (or links) of a directory whose names fit `pattern`, in order.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub fn list(&self, directory: &str, pattern: &Pattern<'_>) -> Result<Vec<String>, LoadFault> {
        self.asked().note_listed(self.path.join(directory));
        let opened = self.open_beneath(directory, OFlags::RDONLY | OFlags::DIRECTORY)?;
        let entries = rustix::fs::Dir::read_from(&opened).map_err(|errno| other(&errno.into()))?;
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry.map_err(|errno| other(&errno.into()))?;
            let Ok(name) = entry.file_name().to_str() else { continue };
            // Files that begin with a dot are an editor's or Kubernetes' own.
            if !name.starts_with('.')
                && pattern.fits(name)
                && entry.file_type() != rustix::fs::FileType::Directory
            {
                names.push(name.to_owned());
            }
        }
        names.sort();
        Ok(names)
    }

    /// Whether a file was asked for since [`Root::forget_asked`].
    pub fn was_asked(&self, path: &str) -> bool {
        self.asked().has(&self.path.join(path))
    }

    /// Forgets what was asked for, at the beginning of a new reading.
    pub fn forget_asked(&self) {
        let asked = std::mem::take(&mut *self.asked());
        self.known().retain(|path, _| asked.has(&self.path.join(path)));
    }

    /// Opens everything again the next time, whatever stamps say.
    pub fn forget_known(&self) {
        self.known().clear();
    }

    /// What was asked for since then.
    pub fn asked_for(&self) -> Stamps {
        self.asked().clone()
    }

    /// Opens a file and notes that it was asked for, with the stamp that it has before it is read.
    fn open_noted(&self, path: &str, flags: OFlags) -> Result<(File, Metadata), LoadFault> {
        let opened = self.open_beneath(path, flags).map(File::from);
        let opened = opened.and_then(|file| match file.metadata() {
            Ok(found) => Ok((file, found)),
            Err(error) => Err(other(&error)),
        });
        match &opened {
            Ok((_, found)) => {
                let stamp = stamp(found);
                if is_settled(found) {
                    self.known().insert(path.to_owned(), Known { stamp, text: None });
                } else {
                    self.known().remove(path);
                }
                self.asked().note_with(self.path.join(path), stamp);
            }
            // It may come, or become readable.
            Err(_) => {
                self.known().remove(path);
                self.asked().note(self.path.join(path));
            }
        }
        opened
    }

    fn open_beneath(&self, path: &str, flags: OFlags) -> Result<OwnedFd, LoadFault> {
        let path = if path.is_empty() { "." } else { path };
        // A pipe must not make us wait for somebody to write.
        let flags = flags | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
        let beneath = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
        let flags =
            if flags.contains(OFlags::PATH) { OFlags::PATH | OFlags::CLOEXEC } else { flags };
        match openat2(&self.directory, path, flags, Mode::empty(), beneath) {
            Ok(file) => Ok(file),
            Err(Errno::XDEV) => Err(LoadFault::OutsideRoot),
            Err(Errno::NOENT | Errno::NOTDIR) => Err(LoadFault::NotFound),
            // An old kernel, or a sandbox that does not know the call.
            Err(Errno::NOSYS | Errno::PERM | Errno::INVAL) => self.open_followed(path, flags),
            Err(errno) => Err(other(&errno.into())),
        }
    }

    /// Follows all links first and compares where they lead. Somebody who may change the directory between
    /// the two steps could lead out; with `openat2` they cannot.
    fn open_followed(&self, path: &str, flags: OFlags) -> Result<OwnedFd, LoadFault> {
        let real = match self.path.join(path).canonicalize() {
            Ok(real) => real,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(LoadFault::NotFound);
            }
            Err(error) => return Err(other(&error)),
        };
        if !real.starts_with(&self.path) {
            return Err(LoadFault::OutsideRoot);
        }
        openat(CWD, &real, flags | OFlags::NOFOLLOW, Mode::empty())
            .map_err(|errno| other(&errno.into()))
    }

    fn asked(&self) -> MutexGuard<'_, Stamps> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn known(&self) -> MutexGuard<'_, HashMap<String, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Loader for Root {
    fn load(&self, path: &str) -> Result<Vec<u8>, LoadFault> {
        let (file, found) = self.open_noted(path, OFlags::RDONLY)?;
        if !found.is_file() {
            return Err(LoadFault::Other("it is not a regular file".to_owned()));
        }
        // The size is that of a moment ago; the bound holds for what is really read.
        let expected = usize::try_from(found.len().min(FILE_BYTES_MAX)).unwrap_or_default();
        let mut bytes = Vec::with_capacity(expected);
        file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(|error| other(&error))?;
        if bytes.len() as u64 > FILE_BYTES_MAX {
            return Err(LoadFault::TooLarge { limit_bytes: FILE_BYTES_MAX });
        }
        Ok(bytes)
    }
}

impl portway_snapshot::Files for Root {
    fn fingerprint(&self, path: &str) -> Option<u64> {
        let unchanged = self.unchanged(path, |_| ()).map(|(stamp, ())| stamp);
        unchanged
            .or_else(|| self.open_noted(path, OFlags::PATH).ok().map(|(_, found)| stamp(&found)))
    }
}

/// Whether a change from now on is sure to give the file another stamp: times are as coarse as some seconds in some file
/// systems.
fn is_settled(found: &Metadata) -> bool {
    const COARSEST_S: i64 = 5;
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    found.ctime().saturating_add(COARSEST_S) < i64::try_from(now.as_secs()).unwrap_or(i64::MAX)
}

fn other(error: &io::Error) -> LoadFault {
    match error.kind() {
        io::ErrorKind::NotFound => LoadFault::NotFound,
        _ => LoadFault::Other(error.to_string()),
    }
}

/// A pattern of file names: `*` stands for any characters, everything else for itself.
#[derive(Debug, Clone)]
pub struct Pattern<'a> {
    parts: Vec<&'a str>,
}

impl<'a> Pattern<'a> {
    /// From text.
    pub fn new(text: &'a str) -> Self {
        Self { parts: text.split('*').collect() }
    }

    /// Whether there is a `*` in it.
    pub fn is_wild(text: &str) -> bool {
        text.contains('*')
    }

    /// Whether a name fits. Takes the first place where each part fits, which is enough with `*` alone.
    pub fn fits(&self, name: &str) -> bool {
        let [first, middle @ .., last] = self.parts.as_slice() else {
            return self.parts.first().is_some_and(|only| *only == name);
        };
        let Some(mut rest) = name.strip_prefix(first) else { return false };
        for part in middle {
            let Some(at) = rest.find(part) else { return false };
            rest = &rest[at + part.len()..];
        }
        rest.ends_with(last)
    }
}

#[cfg(test)]
mod tests;
