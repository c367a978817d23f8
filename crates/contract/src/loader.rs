//! The door through which further files come in.
//!
//! This crate does no IO. A document that refers to other files (`$ref: ./common.yaml#/…`) gets them
//! from a [`Loader`] given by the caller. Paths handed to it are already joined and normalised by
//! [`crate::reference`], so they never climb out of the root lexically; a loader over a real file
//! system must still guard against symbolic links.

/// Gives the bytes of files by their path.
pub trait Loader {
    /// `path` is relative to the root, with `/` between parts, without `.`, `..` or empty parts.
    /// Returns the bytes, or why they cannot be had.
    fn load(&self, path: &str) -> Result<Vec<u8>, LoadFault>;
}

/// Why a file could not be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LoadFault {
    /// There is no such file.
    NotFound,
    /// The file lies outside the directory that may be read.
    OutsideRoot,
    /// The file is larger than what may be read.
    TooLarge {
        /// The largest size that would have been read, in bytes.
        limit_bytes: u64,
    },
    /// The file lies on another machine; such references are never fetched.
    Remote,
    /// Anything else, in words.
    Other(String),
}

impl std::fmt::Display for LoadFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            LoadFault::NotFound => f.write_str("there is no such file"),
            LoadFault::OutsideRoot => f.write_str("it lies outside the directory that may be read"),
            LoadFault::TooLarge { limit_bytes } => {
                write!(f, "it is larger than {limit_bytes} bytes")
            }
            LoadFault::Remote => {
                f.write_str("it lies on another machine, and nothing is fetched from the network")
            }
            LoadFault::Other(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for LoadFault {}

/// A loader that has no files: for documents that must stand alone.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoFiles;

impl Loader for NoFiles {
    fn load(&self, _path: &str) -> Result<Vec<u8>, LoadFault> {
        Err(LoadFault::NotFound)
    }
}
