//! What was read, and whether it is still the same.
//!
//! A stamp is taken before a file is read, so that a change while it is read is seen afterwards.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::Metadata;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// Files and directories with their stamps.
#[derive(Debug, Default, Clone)]
pub struct Stamps {
    /// Files that were asked for, whether they were there or not.
    files: BTreeMap<PathBuf, Option<u64>>,
    /// Directories that were listed, with the names in them.
    listed: BTreeMap<PathBuf, Vec<String>>,
}

impl Stamps {
    /// Notes a file that is about to be read.
    pub fn note(&mut self, path: PathBuf) {
        // The first stamp counts: a second reading may already be of something newer.
        self.files.entry(path).or_insert_with_key(|path| stamp_of(path));
    }

    /// Notes a file whose stamp is known already.
    pub fn note_with(&mut self, path: PathBuf, stamp: u64) {
        self.files.entry(path).or_insert(Some(stamp));
    }

    /// Notes a directory and what is in it.
    pub fn note_listed(&mut self, path: PathBuf) {
        self.listed.entry(path).or_insert_with_key(|path| names_in(path));
    }

    /// Whether a file was noted.
    pub fn has(&self, path: &Path) -> bool {
        self.files.contains_key(path)
    }

    /// Whether anything is not any more as it was when it was noted.
    pub fn are_stale(&self) -> bool {
        self.files.iter().any(|(path, stamp)| stamp_of(path) != *stamp)
            || self.listed.iter().any(|(path, names)| names_in(path) != *names)
    }

    /// The directories in which something may change what was read: those of the files, those that links lead to, and
    /// those that were listed.
    pub fn directories(&self) -> BTreeSet<PathBuf> {
        let mut directories: BTreeSet<PathBuf> = self.listed.keys().cloned().collect();
        let parents: BTreeSet<&Path> = self.files.keys().filter_map(|file| file.parent()).collect();
        for parent in parents {
            directories.insert(parent.to_owned());
            directories.extend(parent.canonicalize());
        }
        let is_link =
            |file: &&PathBuf| file.symlink_metadata().is_ok_and(|found| found.is_symlink());
        for file in self.files.keys().filter(is_link) {
            directories.extend(
                file.canonicalize().ok().and_then(|real| real.parent().map(Path::to_owned)),
            );
        }
        directories
    }

    /// The same files, as they are now.
    #[must_use]
    pub fn renewed(&self) -> Self {
        let mut renewed = Self::default();
        self.files.keys().for_each(|path| renewed.note(path.clone()));
        self.listed.keys().for_each(|path| renewed.note_listed(path.clone()));
        renewed
    }

    /// Adds all of another.
    pub fn add(&mut self, other: Self) {
        self.files.extend(other.files);
        self.listed.extend(other.listed);
    }
}

fn stamp_of(path: &Path) -> Option<u64> {
    std::fs::metadata(path).ok().map(|found| stamp(&found))
}

/// A number that is another one when the file is another one, or its content has changed.
pub fn stamp(found: &Metadata) -> u64 {
    let mut hasher = DefaultHasher::new();
    // The time of the last change of the inode cannot be set back, unlike that of the content.
    (
        found.dev(),
        found.ino(),
        found.size(),
        found.mtime(),
        found.mtime_nsec(),
        found.ctime(),
        found.ctime_nsec(),
    )
        .hash(&mut hasher);
    hasher.finish()
}

fn names_in(path: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
    let mut names: Vec<String> =
        entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    // A file that an editor writes beside the one that is edited is nobody's document.
    names.retain(|name| !name.starts_with('.') && !name.ends_with('~'));
    names.sort();
    names
}

#[cfg(test)]
mod tests;
