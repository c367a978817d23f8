//! What holds for an operation: compiled from the documents, immutable.
//!
//! A limit's id is a hash of what it counts: the service, the operation, what for and in which period, but
//! **not** how many. So counts survive a reload, also one that changes the number: a limit that was lowered
//! holds at once for calls already made, and one that was raised does not start anew. Two limits of one list
//! that differ in the number alone are therefore one, the smaller.

use portway_model as model;
use portway_model::{LimitBy, Name, Period, QuotaPeriod};

use crate::key::{Identify, sha256};

/// What holds for an operation.
#[derive(Debug, Clone, PartialEq)]
pub struct Rules {
    /// The service that the operation belongs to.
    pub service: Name,
    /// Who may call is found out like this.
    pub identify: Identify,
    /// Limits of the service and the operation. Those that count per value come first: a caller that has used
    /// up its own allowance is refused before it touches what all share.
    pub limits: Vec<LimitRule>,
    /// Gates of the service and the operation.
    pub gates: Vec<GateRule>,
}

impl Rules {
    /// For an operation; with no operation's name and policy, for one that has nothing of its own.
    pub fn compile(
        service: &Name,
        operation: Option<&str>,
        service_document: &model::Service,
        operation_policy: Option<&model::OperationPolicy>,
    ) -> Self {
        let auth = operation_policy
            .and_then(|policy| policy.auth.as_ref())
            .unwrap_or(&service_document.auth);
        let of_service = ["service", service.as_str(), ""];
        let of_operation = ["operation", service.as_str(), operation.unwrap_or_default()];
        let mut limits = compile_limits(&of_service, &service_document.limits, false);
        let mut gates: Vec<_> = service_document
            .concurrency
            .map(|max| GateRule::new(&of_service, max))
            .into_iter()
            .collect();
        if let Some(policy) = operation_policy {
            limits.extend(compile_limits(&of_operation, &policy.limits, false));
            gates.extend(policy.concurrency.map(|max| GateRule::new(&of_operation, max)));
        }
        order(&mut limits);
        Self { service: service.clone(), identify: Identify::compile(auth), limits, gates }
    }

    /// Limits and gates, of calls that nobody has to prove anything for.
    pub fn is_empty(&self) -> bool {
        self.limits.is_empty() && self.gates.is_empty() && self.identify == Identify::Public
    }
}

/// A usage plan, compiled.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// Its name.
    pub name: Name,
    /// Its limits and its quota. They count per app, over all services.
    pub limits: Vec<LimitRule>,
    /// Its gate; counts per app.
    pub gate: Option<GateRule>,
    /// Whose calls go first when there are too many.
    pub priority: model::Priority,
}

impl Plan {
    /// From its document. Ids leave out the plan's name: an app that changes its plan keeps its counts.
    pub fn compile(name: &Name, document: &model::Plan) -> Self {
        const SCOPE: [&str; 3] = ["plan", "", ""];
        let mut limits = compile_limits(&SCOPE, &document.limits, true);
        limits.extend(document.quota.as_ref().map(quota_rule));
        order(&mut limits);
        Self {
            name: name.clone(),
            limits,
            gate: document.concurrency.map(|max| GateRule::new(&SCOPE, max)),
            priority: document.priority,
        }
    }
}

/// For each what a limit counts, apart from the app.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Per {
    /// All calls together.
    All,
    /// Each network of callers.
    Ip,
    /// Each value of a header.
    Header(Box<str>),
    /// Each value of a query parameter.
    Query(Box<str>),
    /// Each value of a path parameter.
    Path(Box<str>),
}

impl Per {
    fn of(by: &LimitBy) -> Self {
        match by {
            LimitBy::Total | LimitBy::App => Self::All,
            LimitBy::Ip => Self::Ip,
            LimitBy::Header(name) => Self::Header(name.as_str().into()),
            LimitBy::Query(name) => Self::Query(name.as_str().into()),
            LimitBy::Path(name) => Self::Path(name.as_str().into()),
        }
    }

    /// A text that no two different ones share. Names of headers have no case.
    fn text(&self) -> String {
        match self {
            Self::All => "all".to_owned(),
            Self::Ip => "ip".to_owned(),
            Self::Header(name) => format!("header:{}", name.to_ascii_lowercase()),
            Self::Query(name) => format!("query:{name}"),
            Self::Path(name) => format!("path:{name}"),
        }
    }

    fn word(&self) -> &'static str {
        match self {
            Self::All => "",
            Self::Ip => "-ip",
            Self::Header(_) => "-header",
            Self::Query(_) => "-query",
            Self::Path(_) => "-path",
        }
    }
}

/// How a limit counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Window {
    /// At most `count` in any stretch as long as the period.
    Sliding {
        /// Calls.
        count: u32,
        /// The period.
        period: Period,
    },
    /// At most `count` in a calendar day or month.
    Calendar {
        /// Calls.
        count: u64,
        /// The period.
        period: QuotaPeriod,
    },
}

/// One limit.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct LimitRule {
    /// Stable hash of what it counts.
    pub id: u64,
    /// Whether it counts for each app. In a plan every limit does.
    pub by_app: bool,
    /// And, within that, for each of these.
    pub per: Per,
    /// How it counts.
    pub window: Window,
    /// Its name towards callers.
    pub name: RuleName,
}

/// One gate: the most calls under way at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct GateRule {
    /// Stable hash of what it counts.
    pub id: u64,
    /// Calls.
    pub max: u32,
}

impl GateRule {
    fn new(scope: &[&str; 3], max: u32) -> Self {
        Self { id: stable_id(scope, "gate", ""), max }
    }
}

/// The word for a period.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Unit {
    /// Any second.
    Second,
    /// Any minute.
    Minute,
    /// Any hour.
    Hour,
    /// Any 24 hours.
    Day,
    /// A calendar day.
    CalendarDay,
    /// A calendar month.
    CalendarMonth,
}

/// Name of a limit towards callers, such as `second-app` or `plan-month`: says what kind of limit it is and
/// nothing about the inside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RuleName {
    plan: bool,
    unit: Unit,
    per: &'static str,
}

impl RuleName {
    /// Its three parts; together they are the name, of letters and `-` only.
    pub const fn parts(&self) -> [&'static str; 3] {
        let unit = match self.unit {
            Unit::Second => "second",
            Unit::Minute => "minute",
            Unit::Hour => "hour",
            Unit::Day => "24h",
            Unit::CalendarDay => "day",
            Unit::CalendarMonth => "month",
        };
        [if self.plan { "plan-" } else { "" }, unit, self.per]
    }
}

impl std::fmt::Display for RuleName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.parts().iter().try_for_each(|part| f.write_str(part))
    }
}

fn compile_limits(scope: &[&str; 3], limits: &[model::Limit], plan: bool) -> Vec<LimitRule> {
    let mut rules: Vec<LimitRule> = Vec::with_capacity(limits.len());
    for limit in limits {
        let rule = limit_rule(scope, limit, plan);
        match rules.iter_mut().find(|known| known.id == rule.id) {
            None => rules.push(rule),
            Some(known) => known.window = smaller(known.window, rule.window),
        }
    }
    rules
}

fn limit_rule(scope: &[&str; 3], limit: &model::Limit, plan: bool) -> LimitRule {
    let per = Per::of(&limit.by);
    let by_app = plan || limit.by == LimitBy::App;
    let unit = match limit.period {
        Period::Second => Unit::Second,
        Period::Minute => Unit::Minute,
        Period::Hour => Unit::Hour,
        Period::Day => Unit::Day,
    };
    let word = if limit.by == LimitBy::App && !plan { "-app" } else { per.word() };
    let name = RuleName { plan, unit, per: word };
    let what = if by_app { "app " } else { "" };
    let id = stable_id(scope, name.parts()[1], &format!("{what}{}", per.text()));
    LimitRule {
        id,
        by_app,
        per,
        window: Window::Sliding { count: limit.count, period: limit.period },
        name,
    }
}

fn quota_rule(quota: &model::Quota) -> LimitRule {
    let unit = match quota.period {
        QuotaPeriod::Day => Unit::CalendarDay,
        QuotaPeriod::Month => Unit::CalendarMonth,
    };
    let name = RuleName { plan: true, unit, per: "" };
    let id = stable_id(&["quota", "", ""], name.parts()[1], "app");
    LimitRule {
        id,
        by_app: true,
        per: Per::All,
        window: Window::Calendar { count: quota.count, period: quota.period },
        name,
    }
}

/// That an app uses a nonce once in an hour, at whatever service.
pub(crate) fn nonce_rule() -> LimitRule {
    LimitRule {
        id: stable_id(&["nonce", "", ""], "hour", "app"),
        by_app: true,
        per: Per::All,
        window: Window::Sliding { count: 1, period: Period::Hour },
        name: RuleName { plan: false, unit: Unit::Hour, per: "-nonce" },
    }
}

fn smaller(a: Window, b: Window) -> Window {
    match (a, b) {
        (Window::Sliding { count: x, .. }, Window::Sliding { count: y, .. }) if y < x => b,
        (Window::Calendar { count: x, .. }, Window::Calendar { count: y, .. }) if y < x => b,
        _ => a,
    }
}

fn order(limits: &mut [LimitRule]) {
    limits.sort_by_key(|rule| rule.per == Per::All && !rule.by_app);
}

/// The same for the same texts on every machine and in every version; different ones do not meet.
fn stable_id(scope: &[&str; 3], what: &str, per: &str) -> u64 {
    let text = [scope[0], scope[1], scope[2], what, per].join("\n");
    let digest = sha256(text.as_bytes());
    u64::from_le_bytes(*digest.first_chunk().expect("a SHA-256 has 32 bytes"))
}

#[cfg(test)]
mod tests;
