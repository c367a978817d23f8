//! What the process says to its parent when it ends. Documented in `portway --help`.

use std::process::ExitCode;

/// Exit codes, the same for all commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Done, or stopped as asked.
    Done = 0,
    /// The documents or contracts have mistakes; they were printed.
    Mistakes = 1,
    /// The command line is wrong: an unknown flag, a file that is not there. `clap` uses the same number.
    Usage = 2,
    /// It cannot start: an address is taken or not allowed, a certificate cannot be read.
    CannotStart = 3,
    /// `demo --exercise` got an answer that was not as promised; `test` found a call judged otherwise than expected.
    Unexpected = 4,
    /// `run`: a thread that carries calls has died, so that the process ended itself to be started anew.
    WorkerLost = 5,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
