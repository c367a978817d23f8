//! The gateway as a program: command line, settings, files, wiring, start and stop.
//!
//! Nothing is decided about a call in here. What a test wants to reach in another way than through the
//! binary is public: reading documents from a directory, starting to serve, the admin listener.

pub mod admin;
pub mod cli;
pub mod cmd;
pub mod demo;
pub mod documents;
pub mod exit;
pub mod explain;
pub mod export;
pub mod file_limit;
pub mod files;
pub mod handover;
pub mod learning;
pub mod logging;
pub mod reload;
pub mod secrets;
pub mod serving;
pub mod settings;
pub mod signals;
pub mod stamps;
pub mod status;
pub mod systemd;
pub mod telling;
pub mod terminal;
pub mod watch;
