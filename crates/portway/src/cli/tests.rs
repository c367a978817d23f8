//! The command line holds together.

use clap::CommandFactory as _;

use super::*;

#[test]
fn the_definition_is_consistent() {
    Cli::command().debug_assert();
}

#[test]
fn every_exit_code_is_in_the_help() {
    for exit in [Exit::Done, Exit::Mistakes, Exit::Usage, Exit::CannotStart, Exit::Unexpected] {
        let line = format!("\n  {}  ", exit as u8);
        assert!(AFTER_HELP.contains(&line), "{exit:?}");
    }
}
