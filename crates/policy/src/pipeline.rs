//! The way of a call through the policies: identify, permit, admit.

use crate::gate::Gate;
use crate::permit::GATES_MAX;
use crate::{
    App, Call, Detail, Identified, Kind, LimitRule, LimitState, Per, Permit, Phase, Reason,
    Refusal, Rules, Value, Want, Window, World, query,
};

/// Wants of a call that need no heap.
const WANTS_INLINE: usize = 12;

/// What was decided.
#[derive(Debug)]
pub enum Verdict {
    /// The call may reach its backend.
    Permit(Permit),
    /// It cannot be told by the head who is calling. To be asked again, with the body in [`Call::body`]; nothing was
    /// counted.
    HoldBody {
        /// The most bytes that the body may have.
        most_bytes: u64,
    },
}

/// Decides whether a call may reach its backend. `mark` is told each phase when it was passed.
///
/// # Errors
/// Why it may not.
pub fn decide(
    call: &Call<'_>,
    rules: &Rules,
    world: &World<'_>,
    mark: &mut dyn FnMut(Phase),
) -> Result<Verdict, Refusal> {
    let (app, credential) = match rules.identify.identify(call, world)? {
        Identified::Caller(app, credential) => (app, credential),
        Identified::HoldBody(most_bytes) => return Ok(Verdict::HoldBody { most_bytes }),
    };
    mark(Phase::Identify);

    if let Some(app) = &app
        && !app.may_call(&rules.service)
    {
        return Err(Reason::AppNotAllowed.into());
    }
    mark(Phase::Permit);

    // Gates before limits: a call that finds its gate full is not counted, and one that a limit refuses leaves
    // the gate at once.
    let gates = enter_gates(app.as_deref(), rules, world)?;
    let limit = take_limits(call, app.as_deref(), rules, world)?;
    mark(Phase::Admit);

    Ok(Verdict::Permit(Permit::new(app, credential, limit, gates)))
}

fn enter_gates(
    app: Option<&App>,
    rules: &Rules,
    world: &World<'_>,
) -> Result<[Option<Gate>; GATES_MAX], Refusal> {
    let mut gates = [const { None }; GATES_MAX];
    let of_app = app.and_then(|app| Some((app.plan.as_ref()?.gate?, Some(app.name.as_str()))));
    let of_rules = rules.gates.iter().map(|gate| (*gate, None));
    for (place, (rule, app)) in gates.iter_mut().zip(of_app.into_iter().chain(of_rules)) {
        let gate = world.counters.enter(rule.id, app, rule.max);
        *place = Some(gate.ok_or(Reason::TooManyConcurrent)?);
    }
    Ok(gates)
}

fn take_limits(
    call: &Call<'_>,
    app: Option<&App>,
    rules: &Rules,
    world: &World<'_>,
) -> Result<Option<LimitState>, Refusal> {
    let of_plan = app.and_then(|app| app.plan.as_deref()).map_or(&[][..], |plan| &plan.limits);
    let mut limits = of_plan.iter().chain(&rules.limits);
    let Some(first) = limits.next() else { return Ok(None) };
    let want = |rule| want_of(call, app, rule);
    let count = of_plan.len() + rules.limits.len();
    let taken = if count <= WANTS_INLINE {
        let mut wants = [want(first); WANTS_INLINE];
        for (place, rule) in wants[1..].iter_mut().zip(limits) {
            *place = want(rule);
        }
        take(&wants[..count], world)
    } else {
        let wants: Vec<_> = std::iter::once(first).chain(limits).map(want).collect();
        take(&wants, world)
    };
    taken.map_err(|state| Refusal { reason: reason_of(state.kind), detail: Detail::Limit(state) })
}

fn take(wants: &[Want<'_>], world: &World<'_>) -> Result<Option<LimitState>, LimitState> {
    let has_quota = wants.iter().any(|want| matches!(want.rule.window, Window::Calendar { .. }));
    // The second clock is read only where somebody looks at it.
    let unix_ms = if has_quota { world.clock.unix_ms() } else { 0 };
    world.counters.take(wants, world.clock.now_us(), unix_ms)
}

const fn reason_of(kind: Kind) -> Reason {
    match kind {
        Kind::Rate => Reason::RateLimited,
        Kind::Quota => Reason::QuotaExhausted,
    }
}

fn want_of<'a>(call: &Call<'a>, app: Option<&'a App>, rule: &'a LimitRule) -> Want<'a> {
    let app = if rule.by_app { app.map(|app| app.name.as_str()) } else { None };
    Want { rule, app, value: value_of(call, &rule.per) }
}

/// The value that a limit counts for. One that is given twice could be read either way, so it counts as none.
fn value_of<'a>(call: &Call<'a>, per: &'a Per) -> Value<'a> {
    match per {
        Per::All => Value::All,
        Per::Ip => Value::network(call.client),
        Per::Path(name) => {
            call.param(name).map_or(Value::Absent, |value| Value::Text(value.as_bytes()))
        }
        Per::Query(name) => {
            let mut values = query::values(call.query, name);
            match (values.next(), values.next()) {
                (Some(value), None) => Value::Encoded(value.as_bytes()),
                _ => Value::Absent,
            }
        }
        Per::Header(name) => {
            let mut fields = 0_u32;
            call.headers.each(name, &mut |_| fields = fields.saturating_add(1));
            let value = call.headers.first(name).filter(|_| fields == 1);
            value.map_or(Value::Absent, |value| Value::Text(value.trim_ascii()))
        }
    }
}

#[cfg(test)]
mod tests;
