//! What the process does, from what was asked for.
//!
//! Two levels. *Asked* is what somebody wrote: the `gateway` section of a document, an environment
//! variable, a flag, the later overruling the earlier. *Settings* is what will be done: addresses
//! parsed, files found, defaults in their places. The list of what can be asked for is made from the
//! document's own type, so that a field of `gateway` has its variable and its flag by itself.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use clap::{Arg, ArgAction, ArgMatches, Command};
use portway_model::{
    CrlStale, Diagnostic, Gateway, Location, LogFormat, Override, Setting, Severity, TlsDocument,
};
use portway_proxy::telemetry::LogTarget;
use portway_proxy::tls::{CertificateFiles, ClientsFiles, MinVersion, TlsFiles};

/// All settings that can be given from outside, with flags as `clap` wants them.
static TABLE: LazyLock<Vec<Setting>> = LazyLock::new(portway_model::settings);

/// The pointer of the admin listener's address.
const ADMIN: &str = "/gateway/admin";

/// Adds a flag for each setting to a command.
pub fn with_flags(command: Command) -> Command {
    let flags = TABLE.iter().map(|setting| {
        let doc = setting.doc.split("\n\n").next().unwrap_or_default().replace('\n', " ");
        let help = format!("{} [env: {}]", doc.trim_end(), setting.env);
        Arg::new(setting.pointer.as_str())
            .long(setting.flag.trim_start_matches("--"))
            .value_name(if setting.is_list { "LIST" } else { "VALUE" })
            .help(help)
            .help_heading("Settings (overrule the document)")
            .hide_short_help(!is_common(&setting.pointer))
            .action(ArgAction::Set)
    });
    command.args(flags)
}

/// The ones that `-h` shows; `--help` shows all.
fn is_common(pointer: &str) -> bool {
    matches!(
        pointer,
        "/gateway/listen"
            | ADMIN
            | "/gateway/workers"
            | "/gateway/log/calls"
            | "/gateway/drain_timeout"
    )
}

/// What was asked for from outside the documents: environment first, then flags.
pub fn overrides(matches: Option<&ArgMatches>) -> Vec<Override> {
    overrides_from(|name| std::env::var(name).ok(), matches)
}

/// Variables of the environment that were probably meant as settings and are none, and settings that cannot be read.
/// Those of `used` are what the documents refer to.
pub fn environment_mistakes(used: &BTreeSet<String>) -> Vec<Diagnostic> {
    environment_mistakes_of(std::env::vars_os(), used)
}

/// What every name of a setting begins with.
const PREFIX: &str = "PORTWAY_";

fn environment_mistakes_of(
    variables: impl Iterator<Item = (OsString, OsString)>,
    used: &BTreeSet<String>,
) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for (name, value) in variables {
        let Some(name) = name.to_str().filter(|name| name.starts_with(PREFIX)) else { continue };
        let is_setting = TABLE.iter().any(|setting| setting.env == name);
        let told = if is_setting {
            let fix = "give it a text in UTF-8, or remove it";
            value.to_str().is_none().then(|| {
                (
                    Severity::Error,
                    "setting-not-utf8",
                    "its value is not UTF-8".to_owned(),
                    fix.to_owned(),
                )
            })
        } else if is_of_others(name) || used.contains(name) {
            None
        } else {
            let near = portway_model::closest(name, TABLE.iter().map(|setting| &*setting.env));
            let fix = match near {
                Some(near) => format!("did you mean {near}?"),
                None => "`portway run --help` names those that there are".to_owned(),
            };
            let message = format!("there is no setting {name}, so the variable does nothing");
            Some((Severity::Warning, "unknown-variable", message, fix))
        };
        if let Some((severity, code, message, fix)) = told {
            let file = format!("environment variable {name}");
            let location = Location { file, line: 0, column: 0 };
            found.push(Diagnostic {
                severity,
                code,
                location,
                pointer: String::new(),
                message,
                fix,
            });
        }
    }
    found.sort_by(|a, b| (a.severity, &a.location).cmp(&(b.severity, &b.location)));
    found
}

/// Read elsewhere: the level of the log, what Kubernetes sets where a service is named `portway`, what the tests
/// and this repository's own tools read.
fn is_of_others(name: &str) -> bool {
    const OTHERS: [&str; 5] = [
        crate::logging::LEVEL_VARIABLE,
        "PORTWAY_CORPUS",
        "PORTWAY_EDITS",
        "PORTWAY_FAULTS",
        "PORTWAY_ODD",
    ];
    OTHERS.contains(&name)
        || name == "PORTWAY_PORT"
        || name.starts_with("PORTWAY_PORT_")
        || name.starts_with("PORTWAY_SERVICE_")
}

fn overrides_from(
    variable: impl Fn(&str) -> Option<String>,
    matches: Option<&ArgMatches>,
) -> Vec<Override> {
    let from_environment = TABLE.iter().filter_map(|setting| {
        let value = variable(&setting.env)?;
        Some(Override {
            pointer: setting.pointer.clone(),
            value,
            origin: format!("environment variable {}", setting.env),
        })
    });
    let from_flags = TABLE.iter().filter_map(|setting| {
        let value = matches?.try_get_one::<String>(&setting.pointer).ok()??.clone();
        Some(Override {
            pointer: setting.pointer.clone(),
            value,
            origin: format!("flag {}", setting.flag),
        })
    });
    from_environment.chain(from_flags).collect()
}

/// What will be done.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Where callers come in.
    pub listeners: Vec<Listener>,
    /// Where the gateway is watched.
    pub admin: Option<SocketAddr>,
    /// Threads that carry calls.
    pub workers: usize,
    /// The log of calls; `None` for none.
    pub log: Option<LogTarget>,
    /// How long calls may take to end when the process stops.
    pub drain_timeout_ms: u64,
    /// Where the listening sockets are handed over.
    pub handover: Option<PathBuf>,
    /// Connections in all.
    pub connections: u32,
    /// The fields of the log that were chosen; empty: all.
    pub log_fields: Vec<String>,
    /// What of callers is shown.
    pub privacy: portway_model::Privacy,
    /// Where spans are sent.
    pub traces: portway_model::Traces,
}

/// Where callers come in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listener {
    /// Address and port.
    pub address: SocketAddr,
    /// Certificates; `None`: plain.
    pub tls: Option<TlsFiles>,
    /// Whether connections begin with a PROXY protocol header.
    pub proxy_protocol: bool,
}

/// Why settings cannot be done.
#[derive(Debug, PartialEq, Eq)]
pub struct SettingFault {
    /// What, in words.
    pub what: String,
    /// What can be done about it.
    pub fix: &'static str,
    /// The field.
    pub pointer: &'static str,
}

impl From<SettingFault> for Diagnostic {
    fn from(fault: SettingFault) -> Self {
        Self {
            severity: Severity::Error,
            code: "unusable-setting",
            location: Location::default(),
            pointer: fault.pointer.to_owned(),
            message: fault.what,
            fix: fault.fix.to_owned(),
        }
    }
}

impl Settings {
    /// From what was asked for. `directory` is where relative files are.
    ///
    /// # Errors
    /// When an address cannot be understood, or the admin listener would be open to the network without
    /// the document saying so.
    pub fn resolve(
        gateway: &Gateway,
        overrides: &[Override],
        directory: &Path,
    ) -> Result<Self, SettingFault> {
        let mut listeners = Vec::with_capacity(gateway.listen.len());
        for listener in &gateway.listen {
            listeners.push(Listener {
                address: address(&listener.address, "gateway.listen")?,
                tls: listener.tls.as_ref().map(|tls| tls_files(tls, directory)),
                proxy_protocol: listener.proxy_protocol,
            });
        }
        let admin = match gateway.admin.as_str() {
            "off" => None,
            text => Some(address(text, "gateway.admin")?),
        };
        refuse_open_admin(admin, overrides)?;
        let workers = gateway.workers.map_or_else(cores, |workers| workers as usize).max(1);
        Ok(Self {
            listeners,
            admin,
            workers,
            log: match gateway.log.calls {
                LogFormat::Off => None,
                LogFormat::Json => Some(log_target(&gateway.log.to, directory)),
            },
            drain_timeout_ms: gateway.drain_timeout.as_ms(),
            handover: gateway.handover.as_ref().map(|path| directory.join(path)),
            connections: gateway.bounds.connections,
            log_fields: gateway.log.fields.clone(),
            privacy: gateway.privacy.clone(),
            traces: gateway.traces.clone(),
        })
    }
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

fn address(text: &str, field: &str) -> Result<SocketAddr, SettingFault> {
    text.parse().map_err(|_| SettingFault {
        what: format!("{field}: \"{text}\" is not an IP address with a port"),
        fix: "write for example 127.0.0.1:8080, 0.0.0.0:8080 or [::]:8080",
        pointer: if field == "gateway.admin" { ADMIN } else { "/gateway/listen" },
    })
}

/// That everybody can watch the gateway is a decision that belongs into the document, where it is reviewed; not
/// something that a variable left over in a shell may do.
fn refuse_open_admin(
    admin: Option<SocketAddr>,
    overrides: &[Override],
) -> Result<(), SettingFault> {
    let Some(given) = overrides.iter().rfind(|given| given.pointer == ADMIN) else { return Ok(()) };
    match admin {
        Some(address) if !address.ip().is_loopback() => Err(SettingFault {
            what: format!("{}: {address} is not a loopback address", given.origin),
            fix: "an admin listener that others can reach must be written in the document, as gateway.admin",
            pointer: ADMIN,
        }),
        _ => Ok(()),
    }
}

fn tls_files(tls: &TlsDocument, directory: &Path) -> TlsFiles {
    TlsFiles {
        certificates: tls
            .certificates
            .iter()
            .map(|certificate| CertificateFiles {
                cert: directory.join(&certificate.cert),
                key: directory.join(&certificate.key),
            })
            .collect(),
        min_version: if tls.min_version == "1.3" { MinVersion::Tls13 } else { MinVersion::Tls12 },
        clients: tls.clients.as_ref().map(|clients| ClientsFiles {
            ca: directory.join(&clients.ca),
            crl: clients.crl.iter().map(|list| directory.join(list)).collect(),
            stale_allowed: clients.crl_stale == CrlStale::Allow,
            required: clients.required,
        }),
    }
}

fn log_target(to: &str, directory: &Path) -> LogTarget {
    match LogTarget::parse(to) {
        LogTarget::File(path) => LogTarget::File(directory.join(path)),
        LogTarget::Stdout => LogTarget::Stdout,
    }
}

#[cfg(test)]
mod tests;
