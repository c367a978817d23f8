//! The built binary and the repository around it, from outside.
//!
//! One binary with a module for each subject. Cases are data; a `check` runs them.

mod absences;
mod classes;
mod cli;
mod docs;
mod edits;
mod explain;
mod guides;
mod learn;
mod life;
mod mocks;
mod program;
mod repository;
mod restart;
mod rules;
mod run;
mod telemetry;
