//! The program's own events on standard error: started, loaded, went wrong. Not the log of calls.
//!
//! Nothing here knows a secret: events carry names, addresses and diagnostics.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::time::SystemTime;

use crate::terminal::Colour;

/// The name of the environment variable that sets the level.
pub const LEVEL_VARIABLE: &str = "PORTWAY_LOG";

/// Starts it. `level` is one of `error`, `warn`, `info`, `debug`, `trace`, or the filter syntax of `tracing`
/// (`info,portway_proxy=debug`).
///
/// # Errors
/// When the level cannot be understood, with the reason in words.
pub fn start(level: &str, colour: Colour) -> Result<(), String> {
    let filter = EnvFilter::try_new(level)
        .map_err(|error| format!("\"{level}\" is not a log level: {error}"))?;
    let coloured = match colour {
        Colour::Always => true,
        Colour::Never => false,
        Colour::Auto => {
            std::io::stderr().is_terminal()
                && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
        }
    };
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_timer(SystemTime)
        .with_ansi(coloured)
        .with_target(false)
        .compact()
        .finish();
    // A second start (tests in one process) keeps the first.
    let _ = tracing::subscriber::set_global_default(subscriber);
    Ok(())
}
