//! What calls of a rehearsal are judged by: its clock, its counts, its keys, and what was noted when they were asked.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use portway_contract::request::Misfit;
use portway_policy::{
    App, Call, Clock, Counters, Gate, Gates, Keys, LimitState, MemoryCounters, Per, SignatureFault,
    Signer, TextToSign, Value, Verifier, Want, World, sha256, text_to_sign,
};
use portway_snapshot::Operation;
use portway_snapshot::explain::limit_text;

use crate::live::Live;
use crate::telemetry::Random;

/// The longest value of a limit that is noted, in characters.
const VALUE_CHARS_MAX: usize = 64;

/// A limit that was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counted {
    /// As documents have it: `20/s per app`.
    pub text: String,
    /// Its name towards callers.
    pub name: String,
    /// The app that it counts for.
    pub app: Option<String>,
    /// The header, parameter or address that it counts by; `header`, `query`, `path` or `ip`, and the name.
    pub per: Option<(&'static str, String)>,
    /// The value that it counts for; `None` where it has none, and where the call has none or several.
    pub value: Option<String>,
    /// How it stands before the call.
    pub state: LimitState,
}

/// A gate that was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gated {
    /// The app that it counts for.
    pub app: Option<String>,
    /// The most calls at once.
    pub max: u32,
    /// Calls inside, without this one.
    pub inside: u32,
}

/// What was noted.
#[derive(Debug, Default)]
pub(super) struct Noted {
    pub(super) limits: Vec<Counted>,
    pub(super) gates: Vec<Gated>,
    pub(super) apps: Vec<Arc<App>>,
    pub(super) unknown_ids: Vec<String>,
    pub(super) signing: Option<Result<TextToSign, SignatureFault>>,
    pub(super) problems: Option<Vec<Misfit>>,
    pub(super) enforced: bool,
}

/// Where calls are rehearsed.
pub(crate) struct Stage {
    live: Arc<Live>,
    counters: Arc<MemoryCounters>,
    now_us: u64,
    pub(super) unix_ms: u64,
    /// Whether calls are counted; if not they are only compared with the counts.
    counts: bool,
    /// An app, and a key of its own that nobody has ever seen.
    assumed: Option<(String, Arc<App>)>,
    noted: Mutex<Noted>,
}

impl Stage {
    pub(super) fn new(
        live: Arc<Live>,
        counters: Arc<MemoryCounters>,
        (now_us, unix_ms): (u64, u64),
        counts: bool,
    ) -> Self {
        let noted = Mutex::default();
        Self { live, counters, now_us, unix_ms, counts, assumed: None, noted }
    }

    /// With an app that is taken for granted.
    pub(super) fn with_app(mut self, app: Option<Arc<App>>) -> Self {
        self.assumed = app.map(|app| {
            let random = Random::from_system();
            let key: String = (0..4).map(|_| format!("{:016x}", random.next_u64())).collect();
            (key, app)
        });
        self
    }

    /// The key of that app.
    pub(super) fn key_of_app(&self) -> String {
        self.assumed.as_ref().map(|(key, _)| key.clone()).unwrap_or_default()
    }

    pub(crate) fn world(&self) -> World<'_> {
        World { clock: self, counters: self, keys: self }
    }

    /// Looks at a call that has met its operation, before it is judged.
    #[cold]
    pub(crate) fn see(&self, call: &Call<'_>, operation: &Operation) {
        let mut noted = self.noted();
        noted.signing = text_to_sign(&operation.rules.identify, call);
        noted.problems = operation.checks.as_ref().map(|checks| checks.head(call));
        noted.enforced = operation.checks.as_ref().is_some_and(|checks| checks.enforced);
    }

    pub(super) fn noted(&self) -> MutexGuard<'_, Noted> {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn found(&self, app: Option<&Arc<App>>, id: Option<&str>) {
        let mut noted = self.noted();
        match (app, id) {
            (Some(app), _) if !noted.apps.iter().any(|known| known.name == app.name) => {
                noted.apps.push(Arc::clone(app));
            }
            (None, Some(id)) if !noted.unknown_ids.iter().any(|known| known == id) => {
                noted.unknown_ids.push(id.to_owned());
            }
            _ => {}
        }
    }
}

impl Clock for Stage {
    fn now_us(&self) -> u64 {
        self.now_us
    }

    fn unix_ms(&self) -> u64 {
        self.unix_ms
    }
}

impl Keys for Stage {
    fn find(&self, sha256: &[u8; 32]) -> Option<Arc<App>> {
        let assumed = self.assumed.as_ref();
        let assumed = assumed.filter(|(key, _)| key_sha256(key) == *sha256);
        let found = match assumed {
            Some((_, app)) => Some(Arc::clone(app)),
            None => self.live.keys.find(sha256),
        };
        self.found(found.as_ref(), None);
        found
    }

    fn signer(&self, id: &str) -> Option<Arc<Signer>> {
        let found = self.live.keys.signer(id);
        self.found(found.as_ref().map(|signer| &signer.app), Some(id));
        found
    }

    fn holder(&self, mark: &[u8; 32]) -> Option<Arc<App>> {
        let found = self.live.keys.holder(mark);
        self.found(found.as_ref(), None);
        found
    }

    fn verifier(&self, id: &str) -> Option<Arc<Verifier>> {
        let found = self.live.keys.verifier(id);
        self.found(found.as_ref().map(|verifier| &verifier.app), Some(id));
        found
    }
}

fn key_sha256(key: &str) -> [u8; 32] {
    sha256(key.as_bytes())
}

impl Counters for Stage {
    fn take(
        &self,
        wants: &[Want<'_>],
        now_us: u64,
        unix_ms: u64,
    ) -> Result<Option<LimitState>, LimitState> {
        // Calls without a quota bring no calendar time.
        let at_ms = if unix_ms == 0 { self.unix_ms } else { unix_ms };
        let states: Vec<LimitState> =
            wants.iter().map(|want| self.counters.peek(want, now_us, at_ms)).collect();
        let counted = wants.iter().zip(&states).map(|(want, state)| counted(want, *state));
        self.noted().limits.extend(counted);
        if self.counts {
            return self.counters.take(wants, now_us, unix_ms);
        }
        let full = states.iter().filter(|state| state.remaining == 0);
        // Of several that refuse, the first of those that do so longest.
        if let Some(longest) = full.rev().max_by_key(|state| state.reset_s) {
            return Err(*longest);
        }
        let after =
            states.iter().map(|state| LimitState { remaining: state.remaining - 1, ..*state });
        Ok(after.reduce(|a, b| if b.is_tighter_than(&a) { b } else { a }))
    }

    fn enter(&self, gate: u64, app: Option<&str>, max: u32) -> Option<Gate> {
        let inside = self.counters.inside(gate, app);
        self.noted().gates.push(Gated { app: app.map(str::to_owned), max, inside });
        match self.counts {
            true => self.counters.enter(gate, app, max),
            // A gate of its own, through which nobody else goes.
            false if inside < max => Gates::default().enter(gate, max),
            false => None,
        }
    }
}

fn counted(want: &Want<'_>, state: LimitState) -> Counted {
    let text = |bytes: &[u8]| {
        String::from_utf8_lossy(bytes).chars().take(VALUE_CHARS_MAX).collect::<String>()
    };
    let value = match want.value {
        Value::All | Value::Absent => None,
        Value::Text(bytes) | Value::Encoded(bytes) => Some(text(bytes)),
        Value::Network(network) => Some(network_text(network)),
    };
    let per = match &want.rule.per {
        Per::All => None,
        Per::Ip => Some(("ip", String::new())),
        Per::Header(name) => Some(("header", name.to_string())),
        Per::Query(name) => Some(("query", name.to_string())),
        Per::Path(name) => Some(("path", name.to_string())),
    };
    Counted {
        text: limit_text(want.rule),
        name: want.rule.name.to_string(),
        app: want.app.filter(|_| want.rule.by_app).map(str::to_owned),
        per,
        value,
        state,
    }
}

/// An IPv4 address, or an IPv6 network.
fn network_text(network: u64) -> String {
    match u32::try_from(network) {
        Ok(v4) => std::net::Ipv4Addr::from_bits(v4).to_string(),
        Err(_) => format!("{}/64", std::net::Ipv6Addr::from_bits(u128::from(network) << 64)),
    }
}
