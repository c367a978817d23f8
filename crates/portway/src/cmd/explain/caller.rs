//! Who a call would come from, as far as the keys can be had here.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use portway_model::{AppKey, SecretRef};
use portway_policy::{
    Body, Call, Clock, Identified, MemoryCounters, ParamSpans, Reason, Scheme, World,
};
use portway_snapshot::explain::{ExplainRequest, Explanation};
use portway_snapshot::{Compiled, Routed, Secrets};
use serde::Serialize;

use crate::secrets::{AbsentSecrets, ProcessSecrets};

/// Keys where they can be had; the credentials of backends are not looked for.
pub(super) struct KnownSecrets {
    process: ProcessSecrets,
    /// Keys that cannot be had here.
    pub(super) missing: AtomicUsize,
}

impl KnownSecrets {
    pub(super) fn new(process: ProcessSecrets) -> Self {
        Self { process, missing: AtomicUsize::new(0) }
    }
}

impl Secrets for KnownSecrets {
    fn resolve(&self, reference: &SecretRef) -> Result<String, String> {
        AbsentSecrets.resolve(reference)
    }

    fn key_sha256(&self, key: &AppKey) -> Result<[u8; 32], String> {
        self.process.key_sha256(key).or_else(|_| {
            self.missing.fetch_add(1, Ordering::Relaxed);
            AbsentSecrets.key_sha256(key)
        })
    }
}

/// Who is calling.
#[derive(Debug, Serialize)]
pub(super) struct Caller {
    /// The app; `null` if there is none, or none is known.
    pub(super) app: Option<String>,
    /// Its plan.
    pub(super) plan: Option<String>,
    /// The word of the refusal, if the caller is not let in.
    pub(super) refused: Option<String>,
    /// The same in a sentence, with what is not known.
    pub(super) why: String,
}

/// The system's clock.
struct Now;

impl Clock for Now {
    fn now_us(&self) -> u64 {
        self.unix_ms() * 1_000
    }

    fn unix_ms(&self) -> u64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }
}

/// Who is calling, where the call has an operation that asks.
pub(super) fn find(
    compiled: &Compiled,
    request: &ExplainRequest<'_>,
    explanation: &Explanation,
    missing: usize,
) -> Option<Caller> {
    let path = explanation.canonical_path.as_deref()?;
    let query = request.target.split_once('?').map_or("", |(_, query)| query);
    let (host, method, headers) = (&*explanation.host, request.method, request.headers);
    let mut params = ParamSpans::EMPTY;
    let routed = compiled.snapshot.route(host, path, query, method, headers, &mut params);
    let Routed::Operation { service, operation, .. } = routed else { return None };
    let call = Call {
        method,
        scheme: Scheme::Http,
        host,
        authority: host.as_bytes(),
        path,
        query,
        headers,
        certificate: None,
        body: Body::None,
        client: IpAddr::V4(Ipv4Addr::LOCALHOST),
        param_names: &operation.param_names,
        params: &params,
    };
    let unknown = match missing {
        0 => String::new(),
        1 => "; one key cannot be had here, and might be this one".to_owned(),
        count => format!("; {count} keys cannot be had here, and one of them might be this one"),
    };
    let world = World { clock: &Now, counters: &MemoryCounters::default(), keys: &compiled.keys };
    let identified = operation.rules.identify.identify(&call, &world).map_err(|no| no.reason);
    let (app, refused, why) = match identified {
        Ok(Identified::Caller(None, _)) => return None,
        Ok(Identified::HoldBody(_)) => {
            let why = "the signature covers the body, which is not looked at here".to_owned();
            (None, None, why)
        }
        Ok(Identified::Caller(Some(app), _)) if app.may_call(&operation.rules.service) => {
            let why = format!("the key is that of the app `{}`", app.name);
            (Some(app), None, why)
        }
        Ok(Identified::Caller(Some(app), _)) => {
            let why = format!(
                "the key is that of the app `{}`, which may not call the service `{}`",
                app.name, service.name
            );
            (Some(app), Some(Reason::AppNotAllowed), why)
        }
        Err(Reason::CredentialsMissing) => {
            let why = "the call brings no key".to_owned();
            (None, Some(Reason::CredentialsMissing), why)
        }
        Err(reason) => {
            let why = format!("the key is none that is known, or more than one{unknown}");
            (None, Some(reason), why)
        }
    };
    let plan = app.as_ref().and_then(|app| app.plan.as_ref()).map(|plan| plan.name.to_string());
    let refused = refused.map(|reason| reason.word().to_owned());
    Some(Caller { app: app.map(|app| app.name.to_string()), plan, refused, why })
}
