//! Which calls are sampled: decided once, at the head of a call.
//!
//! Consistent with OpenTelemetry's probability sampling: the last 56 bits of a trace's id are compared with
//! a threshold, so that others who sample the same share choose the same traces. A caller whose decision is not
//! followed could choose its ids, so its calls are drawn by lot.

use portway_model::{FollowedParent, Share, TraceErrors, Traces};

use super::trace::{Random, TraceContext};

/// What a draw lies below: 56 bits.
const DRAWS: u64 = 1 << 56;

/// Which calls are sampled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sampling {
    /// Draws below are not sampled.
    rejected_below: u64,
    errors: TraceErrors,
    follow: FollowedParent,
}

impl Sampling {
    /// As the document says.
    pub fn new(traces: &Traces) -> Self {
        Self {
            rejected_below: rejected_below(traces.sample),
            errors: traces.errors,
            follow: traces.follow,
        }
    }

    /// Decides, and marks the trace: what is sent on says the same.
    pub fn decide(&self, trace: &mut TraceContext, trusted: bool, random: &Random) -> bool {
        let follows = match self.follow {
            FollowedParent::Proxies => trusted,
            FollowedParent::Everyone => true,
            FollowedParent::Nobody => false,
        };
        let is_sampled = match trace.is_continued() {
            true if follows => trace.is_sampled(),
            true => random.next_u64() % DRAWS >= self.rejected_below,
            false => trace.draw() >= self.rejected_below,
        };
        trace.set_sampled(is_sampled);
        is_sampled
    }

    /// Whether a call that is not sampled is sent for how it ended.
    pub fn wants(&self, status: u16, is_ok: bool) -> bool {
        match self.errors {
            TraceErrors::Off => false,
            TraceErrors::Failures => status >= 500,
            TraceErrors::All => status >= 500 || !is_ok,
        }
    }
}

fn rejected_below(share: Share) -> u64 {
    let left_out = u128::from(1_000_000 - share.millionths());
    (u128::from(DRAWS) * left_out / 1_000_000) as u64
}

#[cfg(test)]
mod tests;
