//! How many calls may wait for the answers of a backend: found by experiment.
//!
//! Latency alone never shows that a backend has too much to do: a slow database looks the same as a long line in front
//! of it. What tells them apart is a trial. With fewer calls under way, a backend with a line answers faster and as much as
//! before (elasticity of latency near 1); one that is merely slow answers no faster, and less (near 0). So:
//!
//! - [`Phase::Open`]: calls go as they come. The limit is far above what was ever needed, and grows at once when it is met
//!   and nothing is wrong.
//! - [`Phase::Trying`]: answers take longer than they used to, and long enough for somebody to mind, while the limit is met
//!   (or for some time, if it is not). The limit is lowered once, and the next answers show which of the two it is. If the backend is merely slow, the limit is
//!   let go and the new latency is remembered as the usual one.
//! - [`Phase::Held`]: there is a line. The limit is kept a fifth above the calls that the backend really works on, by
//!   Little's law: those under way, over how many times longer than usual answers take.
//!
//! Latencies are compared per operation, as logarithms, so that a change of the mix changes nothing and single slow answers
//! weigh little. Pure: time comes in with the windows; nothing here waits, locks or allocates.

/// Operations that are told apart; more share a place.
pub(super) const SLOTS: usize = 64;
/// Calls at once that nobody has to ask for.
pub(super) const OPEN_LEAST: f32 = 64.0;
/// How far above what was needed lately the limit stands while nothing is wrong.
const HEADROOM: f32 = 4.0;
/// The limit is never below.
const FLOOR: f32 = 2.0;
/// How far above the calls that are worked on the limit is held, so that nobody there is ever idle.
const MARGIN: f32 = 1.2;
/// Answers that a judgement needs.
const SAMPLES: u32 = 32;
const TRIAL_SAMPLES: u32 = 64;
const TRIAL_LEAST: u32 = 20;
/// Answers that are enough where no more came.
const SAMPLES_LEAST: u32 = 8;
/// Answers after which what is usual is known well.
const HEARD_MOST: u32 = 320;
/// Answers after which it is known at all.
const HEARD_LEAST: u32 = 64;
const WINDOW_LEAST_MS: u64 = 20;
/// Doublings of latency that make one suspicious while the limit is met, and while it is not.
const RISE: f32 = 0.58;
const RISE_UNMET: f32 = 1.0;
/// Windows in a row that it takes in the latter case.
const RISE_UNMET_WINDOWS: u32 = 3;
/// Doublings beyond what is usual under the limit that make one try again.
const RISE_HELD: f32 = 0.85;
/// An answer within this time (2^14.9 µs, 30 ms) is late for nobody, however soon answers usually come: nothing is tried,
/// so that nobody is refused for a line that nobody minds.
const UNMINDED: f32 = 14.9;
/// Share of the lowering that latency must follow.
const ELASTIC: f32 = 0.5;
/// The deepest and the least cut of a trial.
const CUT: (f32, f32) = (0.25, 0.7);
/// Those of a first trial: it may be that there is no line.
const CUT_DOUBT: (f32, f32) = (0.4, 0.5);
/// Windows in which a trial waits for what was under way before.
const DRAINS_MOST: u32 = 16;
/// How long the limit must not be met until it is let go.
const RELEASE_MS: u64 = 250;
/// How long it must not be met until it comes down to what is usual, while nothing is wrong.
const FORGET_MS: u64 = 2_000;
/// How often it is tried whether even fewer calls would do.
const PROBE_MS: u64 = 5_000;
/// Rests after a trial that found nothing.
const CALM_MS: (u64, u64) = (1_000, 60_000);
/// How long what was needed is remembered, twice over.
const PEAK_MS: u64 = 10_000;
/// An operation whose answers take longer than this (2^21 µs) waits for something: its calls are not counted.
const LONG: f32 = 21.0;

/// Answers of one operation in a window: how many, and the mean logarithm (base 2, of microseconds).
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Tally {
    pub(super) count: u32,
    pub(super) mean: f32,
}

/// What was seen since the last step.
#[derive(Debug)]
pub(super) struct Window<'a> {
    /// Answers to calls that began since the last step that asked for that.
    pub(super) fresh: &'a [Tally; SLOTS],
    /// And to calls that had begun before.
    pub(super) stale: &'a [Tally; SLOTS],
    pub(super) length_ms: u64,
    /// Whether somebody met the limit.
    pub(super) met: bool,
    /// Calls that wait for an answer, now.
    pub(super) awaiting: u32,
    pub(super) now_ms: u64,
}

/// Two numbers of answers, each with the milliseconds in which they came.
fn sum(some: (f32, f32), others: (f32, f32)) -> (f32, f32) {
    (some.0 + others.0, some.1 + others.1)
}

impl Window<'_> {
    fn stale_answers(&self) -> f32 {
        self.stale.iter().map(|tally| tally.count).sum::<u32>() as f32
    }

    /// How many answers came, in how many milliseconds.
    fn answers(&self) -> (f32, f32) {
        let fresh = self.fresh.iter().map(|tally| tally.count).sum::<u32>() as f32;
        (fresh + self.stale_answers(), self.length_ms as f32)
    }

    /// All answers, by operation.
    fn all(&self) -> impl Iterator<Item = Tally> {
        self.fresh.iter().zip(self.stale).map(|(a, b)| {
            let count = a.count + b.count;
            let sum = a.mean * a.count as f32 + b.mean * b.count as f32;
            Tally { count, mean: sum / (count as f32).max(1.0) }
        })
    }
}

/// What comes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) limit: u32,
    /// Whether calls that begin from now on tell more than those under way.
    pub(super) anew: bool,
    /// Whether it is to be found out how long answers wait here for their turn.
    pub(super) suspects: bool,
    /// Whether calls that begin after the limit is met tell more than those under way by then.
    pub(super) anew_if_met: bool,
    /// How one waits while there is a line: only as long as it takes the backend to answer.
    pub(super) tight: Option<Tight>,
    /// Operations whose calls are not counted, a bit each.
    pub(super) long: u64,
}

/// See [`Step::tight`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tight {
    pub(super) patience_ms: u64,
    pub(super) queue: u32,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Phase {
    Open,
    Trying(Trial),
    Held,
}

/// A lowered limit, and what was before.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Trial {
    /// Calls under way, and doublings of latency, before.
    from: f32,
    rise: f32,
    /// Answers before, and in how many milliseconds.
    answers: (f32, f32),
    why: Why,
    /// Windows in which what was under way before was waited for.
    drains: u32,
    /// Whether none of that is left.
    is_settled: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Why {
    /// Is it a line, or is it slow?
    Doubt,
    /// It was a line; is it still?
    Again,
    /// Would fewer do?
    Descent,
}

/// What is compared.
#[derive(Debug, Clone, Copy)]
struct Seen {
    /// Doublings of latency over what is usual.
    rise: f32,
    /// Answers of operations that have a usual latency.
    known: u32,
    /// Their usual latency, and what it is now.
    usual: f32,
    now: f32,
}

impl Seen {
    fn and(self, other: Self) -> Self {
        let of = ((self.known + other.known) as f32).max(1.0);
        let mean = |a: f32, b: f32| (a * self.known as f32 + b * other.known as f32) / of;
        Self {
            rise: mean(self.rise, other.rise),
            known: self.known + other.known,
            usual: mean(self.usual, other.usual),
            now: mean(self.now, other.now),
        }
    }
}

/// See the file's head.
#[derive(Debug)]
pub(super) struct Control {
    ceiling: f32,
    limit: f32,
    phase: Phase,
    /// Usual latency of each operation; not a number where none is known.
    usual: [f32; SLOTS],
    /// From how many answers that was learnt.
    heard: [u32; SLOTS],
    long: u64,
    /// Usual and present latency of the mix, of the last judgement.
    mix: (f32, f32),
    /// The most under way of late: now, and in the stretch before.
    peaks: (f32, f32),
    peaks_since_ms: u64,
    /// How many were under way when it was last looked, and when that was.
    latest: (f32, u64),
    raised: u32,
    is_suspicious: bool,
    /// Doublings of latency while the limit is held, over several windows.
    smooth: f32,
    unmet_ms: u64,
    calm_until_ms: u64,
    calm_ms: u64,
    probe_at_ms: u64,
}

impl Control {
    pub(super) fn new(ceiling: u32) -> Self {
        let ceiling = (ceiling as f32).max(1.0);
        Self {
            ceiling,
            limit: OPEN_LEAST.min(ceiling),
            phase: Phase::Open,
            usual: [f32::NAN; SLOTS],
            heard: [0; SLOTS],
            long: 0,
            mix: (14.0, 14.0),
            peaks: (0.0, 0.0),
            peaks_since_ms: 0,
            latest: (0.0, 0),
            raised: 0,
            is_suspicious: false,
            smooth: 0.0,
            unmet_ms: 0,
            calm_until_ms: 0,
            calm_ms: CALM_MS.0,
            probe_at_ms: 0,
        }
    }

    /// The document allows another number.
    pub(super) fn set_ceiling(&mut self, ceiling: u32) -> u32 {
        self.ceiling = (ceiling as f32).max(1.0);
        self.limit = self.limit.min(self.ceiling);
        if self.phase == Phase::Open {
            self.limit = self.limit.max(OPEN_LEAST.min(self.ceiling));
        }
        self.limit as u32
    }

    /// Whether there is a line.
    pub(super) fn is_held(&self) -> bool {
        match self.phase {
            Phase::Open => false,
            Phase::Held => true,
            Phase::Trying(trial) => trial.why != Why::Doubt,
        }
    }

    /// Whether a window of this length can be judged.
    pub(super) fn is_ripe(&self, (fresh, stale): (u32, u32), length_ms: u64, met: bool) -> bool {
        if length_ms < WINDOW_LEAST_MS {
            return false;
        }
        let usual_ms = (self.mix.0.exp2() / 1_000.0) as u64;
        match self.phase {
            Phase::Open if met => fresh >= SAMPLES || length_ms >= (3 * usual_ms).clamp(60, 250),
            Phase::Open | Phase::Held => fresh + stale >= SAMPLES || length_ms >= 1_000,
            Phase::Trying(trial) => {
                let enough = if trial.is_settled { TRIAL_SAMPLES } else { SAMPLES };
                fresh + stale >= enough || length_ms >= (8 * usual_ms).clamp(250, 2_000)
            }
        }
    }

    /// Judges a ripe window.
    pub(super) fn step(&mut self, window: &Window<'_>) -> Step {
        let seen = self.compare(window.fresh).and(self.compare(window.stale));
        if seen.known > 0 {
            self.mix = (seen.usual, seen.now);
        }
        let before = self.limit;
        let anew = match self.phase {
            Phase::Open => self.open(window, seen),
            Phase::Trying(trial) => self.tried(window, seen, trial),
            Phase::Held => self.held(window, seen),
        };
        self.limit = self.limit.clamp(FLOOR.min(self.ceiling), self.ceiling);
        self.mark_long();
        Step {
            limit: self.limit as u32,
            anew: anew || (self.limit - before).abs() > 0.15 * before,
            suspects: self.is_suspicious || self.phase != Phase::Open,
            anew_if_met: self.phase == Phase::Open,
            tight: self.is_held().then(|| self.tight()),
            long: self.long,
        }
    }

    fn compare(&self, tallies: &[Tally; SLOTS]) -> Seen {
        let (mut count, mut usual, mut now) = (0_u32, 0.0, 0.0);
        for (at, (tally, known)) in tallies.iter().zip(&self.usual).enumerate() {
            // The first answers are the quick ones.
            if tally.count > 0 && !known.is_nan() && self.heard[at] >= HEARD_LEAST {
                count += tally.count;
                usual += known * tally.count as f32;
                now += tally.mean * tally.count as f32;
            }
        }
        let of = (count as f32).max(1.0);
        Seen { rise: (now - usual) / of, known: count, usual: usual / of, now: now / of }
    }

    fn open(&mut self, window: &Window<'_>, seen: Seen) -> bool {
        let judged = seen.known >= SAMPLES_LEAST;
        let awaiting = window.awaiting as f32;
        if window.met {
            self.raised = 0;
            let fresh = self.compare(window.fresh);
            let seen = if fresh.known >= SAMPLES_LEAST { fresh } else { seen };
            let is_risen = judged && seen.rise >= RISE && seen.now >= UNMINDED;
            if is_risen && !self.is_suspicious {
                // First it is looked whether they are late because of us.
                self.is_suspicious = true;
                return false;
            }
            self.is_suspicious = is_risen;
            if is_risen && self.start(awaiting, seen.rise, window.answers(), Why::Doubt) {
                return true;
            }
            self.learn(window, 0.0);
            self.limit = (self.limit * 2.0).min(self.ceiling);
            self.unmet_ms = 0;
            return false;
        }
        let usual_ms = (seen.usual.exp2() / 1_000.0) as u64;
        if seen.rise > RISE / 2.0 {
            self.latest = (0.0, window.now_ms);
        } else if window.now_ms >= self.latest.1 + 2 * usual_ms {
            // The answers to as many at once have come, and were well.
            self.note_peak(self.latest.0, window.now_ms);
            self.latest = (awaiting, window.now_ms);
        }
        let is_risen = judged && seen.rise >= RISE_UNMET && seen.now >= UNMINDED;
        self.raised = if is_risen { self.raised + 1 } else { 0 };
        self.is_suspicious = self.raised > 0;
        if self.raised >= RISE_UNMET_WINDOWS && window.now_ms >= self.calm_until_ms {
            self.raised = 0;
            if awaiting >= 8.0 && self.start(awaiting, seen.rise, window.answers(), Why::Doubt) {
                return true;
            }
        }
        // What is usual follows slowly upwards: a line that grows slowly is not to become it.
        self.learn(window, if seen.rise > RISE { 0.02 } else { 0.1 });
        // What was needed a moment ago may be needed again.
        self.unmet_ms = self.unmet_ms.saturating_add(window.length_ms);
        let wanted = self.open_limit();
        self.limit = if self.unmet_ms >= FORGET_MS { wanted } else { wanted.max(self.limit) };
        false
    }

    /// Lowers the limit for a trial. Not where there is nothing to be lowered.
    fn start(&mut self, from: f32, rise: f32, answers: (f32, f32), why: Why) -> bool {
        // What is measured of a line that grows lags behind it.
        let (least, most) = if why == Why::Doubt { CUT_DOUBT } else { CUT };
        let cut = (MARGIN * (-rise).exp2()).clamp(least, most);
        let limit = (from * cut).floor().max(self.least());
        if limit > from * CUT.1 {
            return false;
        }
        self.phase =
            Phase::Trying(Trial { from, rise, answers, why, drains: 0, is_settled: false });
        self.limit = limit;
        true
    }

    fn tried(&mut self, window: &Window<'_>, seen: Seen, trial: Trial) -> bool {
        self.probe_at_ms = window.now_ms + PROBE_MS;
        self.unmet_ms = 0;
        let rate = window.answers();
        if !trial.is_settled && rate.0 > 0.0 && trial.drains < DRAINS_MOST {
            // First what was under way before goes: that it goes as fast as ever shows a line. Nor are the first answers to what
            // came after it looked at: the quick ones come first.
            let is_draining = window.awaiting as f32 > self.limit;
            self.phase = Phase::Trying(Trial {
                answers: if is_draining { sum(trial.answers, rate) } else { trial.answers },
                drains: trial.drains + 1,
                is_settled: window.stale_answers() * 4.0 <= rate.0,
                ..trial
            });
            return false;
        }
        if window.met && seen.known < TRIAL_LEAST && rate.0 > 0.0 && trial.drains < DRAINS_MOST {
            // Too few to tell: a moment in which nothing went on, here or there.
            self.phase = Phase::Trying(Trial { drains: trial.drains + 1, ..trial });
            return false;
        }
        if seen.known < SAMPLES_LEAST || !window.met {
            // Nothing came back, or nobody came: nothing was learnt.
            return self.give_up(window, trial);
        }
        let lowered = (trial.from / self.limit).log2();
        // By how long answers take, and by how many come; the first lags behind what grows, the second behind what stalls.
        let by_latency = (trial.rise - seen.rise) / lowered;
        let fewer = (trial.answers.0 / trial.answers.1) / (rate.0 / rate.1).max(1e-6);
        let by_rate = 1.0 - fewer.max(1e-6).log2() / lowered;
        let is_elastic =
            (by_latency.clamp(0.0, 1.0) + 2.0 * by_rate.clamp(0.0, 1.0)) / 3.0 >= ELASTIC;
        if is_elastic {
            self.calm_ms = CALM_MS.0;
            self.phase = Phase::Held;
            if seen.rise < -0.3 {
                // It answers faster than was thought usual, and perhaps still faster with fewer.
                self.shift(window, seen.rise);
                if self.start(self.limit, 0.0, rate, Why::Descent) {
                    return true;
                }
            }
            self.smooth = seen.rise;
            self.follow(self.limit, seen.rise.max(0.0), 1.3);
            return true;
        }
        if trial.why == Why::Descent {
            // Fewer would not do. What was lowered is given back, and what is usual is as it was.
            self.phase = Phase::Held;
            if seen.rise < -0.3 {
                self.shift(window, seen.rise);
            }
            self.limit = trial.from;
            return true;
        }
        // It is merely slow: this is what is usual now.
        self.shift(window, seen.rise);
        if trial.why == Why::Again {
            // It was a line a moment ago, so that the limit is let go step by step only.
            self.phase = Phase::Held;
            self.smooth = 0.0;
            self.limit = trial.from * MARGIN + 1.0;
            return true;
        }
        self.give_up(window, trial)
    }

    fn give_up(&mut self, window: &Window<'_>, trial: Trial) -> bool {
        self.calm_until_ms = window.now_ms + self.calm_ms;
        self.calm_ms = (self.calm_ms * 2).min(CALM_MS.1);
        self.phase = Phase::Open;
        self.limit = (trial.from * 2.0).max(self.open_limit());
        self.note_peak(trial.from, window.now_ms);
        true
    }

    fn held(&mut self, window: &Window<'_>, seen: Seen) -> bool {
        if !window.met {
            self.unmet_ms += window.length_ms;
            self.learn(window, if seen.rise > RISE { 0.02 } else { 0.1 });
            if self.unmet_ms >= RELEASE_MS {
                self.phase = Phase::Open;
                self.unmet_ms = FORGET_MS;
                self.limit = self.open_limit();
            }
            return false;
        }
        self.unmet_ms = 0;
        if seen.known < SAMPLES_LEAST {
            // New operations, or nothing comes back at all.
            self.learn(window, 0.0);
            self.limit *= 1.3;
            return true;
        }
        self.smooth += 0.3 * (seen.rise - self.smooth);
        let is_risen = self.smooth >= RISE_HELD || seen.rise >= 2.0 * RISE_HELD;
        if is_risen
            && self.start(self.limit, seen.rise.max(self.smooth), window.answers(), Why::Again)
        {
            return true;
        }
        if self.smooth < -0.15 {
            self.shift(window, self.smooth / 2.0);
            self.smooth /= 2.0;
        } else {
            self.learn(window, 0.0);
        }
        if window.now_ms >= self.probe_at_ms {
            self.probe_at_ms = window.now_ms + PROBE_MS;
            if self.start(self.limit, seen.rise, window.answers(), Why::Descent) {
                return true;
            }
        }
        self.follow(self.limit, self.smooth, 1.3);
        false
    }

    /// Sets the limit a little above the calls that are really worked on.
    fn follow(&mut self, from: f32, rise: f32, step: f32) {
        let wanted = from * (-rise).exp2() * MARGIN + 1.0;
        // Down half of the way only: an idle place there costs more than a short line.
        let to = if wanted < from { (wanted + from) / 2.0 } else { wanted };
        self.limit = to.clamp(from / step, from * step + 1.0).max(self.least());
    }

    /// As many at once were well a moment ago, twice over.
    fn least(&self) -> f32 {
        (self.peaks.0.max(self.peaks.1) / 2.0).floor().max(FLOOR)
    }

    /// Takes what is seen into what is usual; an operation that is new is taken as it is.
    fn learn(&mut self, window: &Window<'_>, share: f32) {
        let places = self.usual.iter_mut().zip(&mut self.heard);
        for (tally, (usual, heard)) in window.all().zip(places) {
            if tally.count == 0 {
                continue;
            }
            if usual.is_nan() {
                *usual = tally.mean;
                *heard = tally.count;
            } else if share > 0.0 || *heard < HEARD_MOST {
                // The first answers count alike.
                *heard = (*heard + tally.count).min(HEARD_MOST);
                let least = share * (tally.count as f32 / SAMPLES as f32).min(1.0);
                let weight = (tally.count as f32 / *heard as f32).min(0.5);
                let weight = if *heard < HEARD_MOST { weight.max(least) } else { least };
                *usual += weight * (tally.mean - *usual);
            }
        }
    }

    /// What is usual is another: as seen for operations that were seen often enough, the others likewise.
    fn shift(&mut self, window: &Window<'_>, rise: f32) {
        for (tally, usual) in window.all().zip(&mut self.usual) {
            if usual.is_nan() && tally.count > 0 {
                *usual = tally.mean;
            } else {
                *usual += rise;
            }
        }
    }

    fn mark_long(&mut self) {
        self.long = 0;
        for (at, usual) in self.usual.iter().enumerate() {
            self.long |= u64::from(*usual > LONG) << at;
        }
    }

    fn note_peak(&mut self, awaiting: f32, now_ms: u64) {
        if now_ms.saturating_sub(self.peaks_since_ms) >= PEAK_MS {
            self.peaks = (0.0, self.peaks.0);
            self.peaks_since_ms = now_ms;
        }
        self.peaks.0 = self.peaks.0.max(awaiting);
    }

    fn open_limit(&self) -> f32 {
        let peak = self.peaks.0.max(self.peaks.1);
        (peak * HEADROOM).max(OPEN_LEAST).min(self.ceiling)
    }

    fn tight(&self) -> Tight {
        let now_ms = (self.mix.1.exp2() / 1_000.0) as u64;
        Tight { patience_ms: now_ms.max(10), queue: (self.limit / 3.0).max(4.0) as u32 }
    }
}

#[cfg(test)]
mod tests;
