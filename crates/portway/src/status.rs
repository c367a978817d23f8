//! How the process is doing: starting, serving or draining, and how its last reading of the documents went.
//!
//! Written by `run`, read by the admin listener. No secret ever gets here: diagnostics carry places
//! and sentences, and the settings carry names of files and variables.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::SystemTime;

use portway_model::Diagnostic;

/// Where in its life the process is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum Stage {
    /// Nothing is served yet.
    Starting,
    /// Calls are served.
    Serving,
    /// No new connections; calls under way come to their end.
    Draining,
}

/// One reading of the documents.
#[derive(Debug, Clone)]
pub struct Load {
    /// When it ended.
    pub at: SystemTime,
    /// How long reading and compiling took, in milliseconds.
    pub took_ms: u64,
    /// Whether its snapshot serves.
    pub ok: bool,
    /// What was found, warnings too.
    pub diagnostics: Vec<Diagnostic>,
}

/// The settings of the process, of the documents that serve.
#[derive(Debug, Clone, Default)]
pub struct InForce {
    /// As they are in force: those that need a restart are those of the start.
    pub settings: serde_json::Value,
    /// Which fields of `gateway` were changed and wait for a restart.
    pub need_restart: Vec<&'static str>,
}

/// The status of the process.
#[derive(Debug)]
pub struct Status {
    stage: AtomicU8,
    loads: Mutex<Loads>,
    ill: OnceLock<String>,
}

#[derive(Debug, Default)]
struct Loads {
    last: Option<Load>,
    serving_since: Option<SystemTime>,
    in_force: InForce,
}

impl Default for Status {
    fn default() -> Self {
        Self {
            stage: AtomicU8::new(Stage::Starting as u8),
            loads: Mutex::default(),
            ill: OnceLock::new(),
        }
    }
}

impl Status {
    /// Where it is.
    pub fn stage(&self) -> Stage {
        match self.stage.load(Ordering::Acquire) {
            0 => Stage::Starting,
            1 => Stage::Serving,
            _ => Stage::Draining,
        }
    }

    /// Says where it is now.
    pub fn enter(&self, stage: Stage) {
        self.stage.store(stage as u8, Ordering::Release);
    }

    /// Something is wrong that only a new process mends: what, in words. The first one stays.
    pub fn is_ill(&self, why: String) {
        let _ = self.ill.set(why);
    }

    /// What is wrong, if something is.
    pub fn illness(&self) -> Option<&str> {
        self.ill.get().map(String::as_str)
    }

    /// Notes how a reading went. `published`: its snapshot is new and serves now, with these settings.
    pub fn loaded(&self, load: Load, published: Option<InForce>) {
        let mut loads = self.loads();
        if let Some(in_force) = published {
            loads.serving_since = Some(load.at);
            loads.in_force = in_force;
        }
        loads.last = Some(load);
    }

    /// The settings in force.
    pub fn in_force(&self) -> InForce {
        self.loads().in_force.clone()
    }

    /// The last reading.
    pub fn last_load(&self) -> Option<Load> {
        self.loads().last.clone()
    }

    /// Since when the snapshot that serves has been serving.
    pub fn serving_since(&self) -> Option<SystemTime> {
        self.loads().serving_since
    }

    fn loads(&self) -> MutexGuard<'_, Loads> {
        self.loads.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A moment as RFC 3339 in UTC with milliseconds: `2026-11-24T08:13:05.123Z`.
pub fn rfc3339(at: SystemTime) -> String {
    let since = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let (days, second) = (since.as_secs() / 86_400, since.as_secs() % 86_400);
    let (year, month, day) = civil_date(days);
    format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{:03}Z",
        second / 3_600,
        second / 60 % 60,
        second % 60,
        since.subsec_millis()
    )
}

/// Year, month and day of the Gregorian calendar, from days since 1970-01-01.
///
/// Counts in years that begin with March, so that the leap day is the last one of its year.
fn civil_date(days_since_1970: u64) -> (u64, u64, u64) {
    // From 0000-03-01, in eras of 400 years (146,097 days).
    let days = days_since_1970 + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests;
