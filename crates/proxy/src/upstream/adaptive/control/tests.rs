//! The control against backends that are simulated: with a capacity, a line in front of it, noise, and changes.
//!
//! Deterministic: a seed says everything, and time is a number. What is asserted here holds for every seed.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use portway_model::Priority;

use super::*;
use crate::upstream::line::Line;

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Above 0, at most 1.
    fn unit(&mut self) -> f64 {
        ((self.next() >> 11) + 1) as f64 / (1_u64 << 53) as f64
    }

    fn exponential(&mut self, mean: f64) -> f64 {
        -self.unit().ln() * mean
    }

    fn normal(&mut self) -> f64 {
        (-2.0 * self.unit().ln()).sqrt() * (std::f64::consts::TAU * self.unit()).cos()
    }
}

/// How long a backend works on a call.
#[derive(Debug, Clone, Copy)]
enum Work {
    Fixed(f64),
    /// Mean, and the spread of its logarithm.
    Varied(f64, f64),
}

impl Work {
    fn us(self, random: &mut Random) -> f64 {
        match self {
            Self::Fixed(us) => us,
            Self::Varied(mean, spread) => {
                mean * (spread * random.normal() - spread * spread / 2.0).exp()
            }
        }
    }
}

/// One kind of call.
#[derive(Debug, Clone, Copy)]
struct Operation {
    share: f64,
    work: Work,
    /// Whether it only waits for something, without taking a place of the backend's.
    waits: bool,
}

/// From a moment on.
#[derive(Debug, Clone, Copy)]
struct Stage {
    length_ms: u64,
    /// Calls in a second.
    rate: f64,
    /// Share of calls of high priority.
    high: f64,
    /// How many times as long everything takes, and how many are worked on at once.
    slowness: f64,
    servers: usize,
}

/// What became of the calls of a stage.
#[derive(Debug, Default, Clone)]
struct Outcome {
    /// By priority: calls, and answers.
    calls: [u32; 4],
    good: [u32; 4],
    /// From arrival to answer, of calls that were answered; that of `waits` left out.
    us: Vec<f64>,
    length_ms: u64,
    highest_limit: u32,
    lowest_limit: u32,
}

impl Outcome {
    fn good_per_s(&self) -> f64 {
        f64::from(self.good.iter().sum::<u32>()) * 1_000.0 / self.length_ms as f64
    }

    fn p99_ms(&self) -> f64 {
        let mut us = self.us.clone();
        us.sort_by(f64::total_cmp);
        us[us.len() * 99 / 100] / 1_000.0
    }

    fn share(&self, priority: Priority) -> f64 {
        f64::from(self.good[priority as usize]) / f64::from(self.calls[priority as usize]).max(1.0)
    }

    fn lost(&self) -> u32 {
        self.calls.iter().sum::<u32>() - self.good.iter().sum::<u32>()
    }
}

#[derive(Debug, Clone, Copy)]
struct Call {
    stage: usize,
    priority: Priority,
    operation: usize,
    arrived_us: u64,
    begun_us: u64,
    counted: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Arrival,
    Done(usize),
    Look,
}

/// A gate with its control in front of a backend.
struct Scene {
    random: Random,
    now_us: u64,
    events: BinaryHeap<Reverse<(u64, u64, Event)>>,
    sequence: u64,
    operations: Vec<Operation>,
    stages: Vec<Stage>,
    /// Whether the calls are those of callers who call again as soon as they have their answer.
    calls_again: bool,
    outcomes: Vec<Outcome>,
    stage: usize,
    stage_ends_us: u64,
    // The gate.
    control: Control,
    limit: u32,
    awaiting: u32,
    line: Line<Call>,
    tight: Option<Tight>,
    crowded_until_us: u64,
    long: u64,
    met: bool,
    sums: [[(u32, f64); SLOTS]; 2],
    since_us: u64,
    anew_us: u64,
    anew_if_met: bool,
    // The backend.
    busy: usize,
    backlog: VecDeque<(Call, f64)>,
    under_way: Vec<Option<Call>>,
}

const CEILING: u32 = 1_024;
const QUEUE: u32 = 256;
const QUEUE_MS: u64 = 1_000;

impl Scene {
    fn new(seed: u64, operations: &[Operation], stages: &[Stage]) -> Self {
        let control = Control::new(CEILING);
        Self {
            random: Random(seed.wrapping_mul(0x1234_5678_9abc_def1)),
            now_us: 0,
            events: BinaryHeap::new(),
            sequence: 0,
            operations: operations.to_vec(),
            stages: stages.to_vec(),
            calls_again: false,
            outcomes: stages
                .iter()
                .map(|stage| Outcome {
                    length_ms: stage.length_ms,
                    lowest_limit: u32::MAX,
                    ..Outcome::default()
                })
                .collect(),
            stage: 0,
            stage_ends_us: stages[0].length_ms * 1_000,
            limit: control.limit as u32,
            control,
            awaiting: 0,
            line: Line::default(),
            tight: None,
            crowded_until_us: 0,
            long: 0,
            met: false,
            sums: [[(0, 0.0); SLOTS]; 2],
            since_us: 0,
            anew_us: 0,
            anew_if_met: true,
            busy: 0,
            backlog: VecDeque::new(),
            under_way: Vec::new(),
        }
    }

    fn run(mut self) -> Vec<Outcome> {
        if !self.calls_again {
            self.at(1, Event::Arrival);
        }
        self.at(25_000, Event::Look);
        let end_us = self.stages.iter().map(|stage| stage.length_ms * 1_000).sum::<u64>();
        while let Some(Reverse((at, _, event))) = self.events.pop() {
            self.now_us = at;
            while at >= self.stage_ends_us && self.stage + 1 < self.stages.len() {
                self.stage += 1;
                self.stage_ends_us += self.stages[self.stage].length_ms * 1_000;
                self.start_work();
            }
            match event {
                Event::Arrival => {
                    if at < end_us {
                        self.arrive();
                        if self.calls_again {
                            continue;
                        }
                        let gap = self.random.exponential(1e6 / self.stages[self.stage].rate);
                        self.at(at + gap as u64 + 1, Event::Arrival);
                    }
                }
                Event::Done(place) => self.done(place),
                Event::Look => {
                    // Whoever waits looks now and then.
                    if self.line.len() > 0 {
                        self.note_met();
                        self.look();
                        self.expire();
                    }
                    if at < end_us {
                        self.at(at + 25_000, Event::Look);
                    }
                }
            }
            let outcome = &mut self.outcomes[self.stage];
            outcome.highest_limit = outcome.highest_limit.max(self.limit);
            outcome.lowest_limit = outcome.lowest_limit.min(self.limit);
        }
        self.outcomes
    }

    fn at(&mut self, us: u64, event: Event) {
        self.sequence += 1;
        self.events.push(Reverse((us, self.sequence, event)));
    }

    fn arrive(&mut self) {
        let stage = self.stages[self.stage];
        let high = self.random.unit() <= stage.high;
        let priority = if high { Priority::High } else { Priority::Normal };
        let mut draw = self.random.unit();
        let mut operation = 0;
        while operation + 1 < self.operations.len() && draw > self.operations[operation].share {
            draw -= self.operations[operation].share;
            operation += 1;
        }
        let call = Call {
            stage: self.stage,
            priority,
            operation,
            arrived_us: self.now_us,
            begun_us: self.now_us,
            counted: self.long >> operation & 1 == 0,
        };
        self.outcomes[self.stage].calls[priority as usize] += 1;
        if !call.counted {
            return self.begin(call);
        }
        if self.awaiting < self.limit && self.line.len() == 0 {
            return self.begin(call);
        }
        self.note_met();
        self.look();
        let most = QUEUE + CEILING.saturating_sub(self.limit);
        let is_full = self.line.len() >= most as usize
            || priority <= Priority::Normal
                && self.tight().is_some_and(|it| self.line.len_of_usual() >= it.queue as usize);
        if is_full && self.line.displace(priority).is_none() {
            return;
        }
        self.line.push(priority, self.now_us / 1_000, call);
        self.let_in();
    }

    /// What holds if there is a line and too many come.
    fn tight(&self) -> Option<Tight> {
        self.tight.filter(|_| self.now_us < self.crowded_until_us)
    }

    fn note_met(&mut self) {
        let waiting = self.line.len() as u32;
        let is_crowded = self.tight().is_some_and(|tight| waiting >= tight.queue);
        if is_crowded || self.awaiting + waiting >= OPEN_LEAST as u32 {
            self.crowded_until_us = self.now_us + 1_000_000;
            self.expire();
        }
        if !self.met && self.anew_if_met {
            self.anew_us = self.now_us;
            let [fresh, stale] = &mut self.sums;
            for (fresh, stale) in fresh.iter_mut().zip(stale) {
                let (count, sum) = std::mem::take(fresh);
                *stale = (stale.0 + count, stale.1 + sum);
            }
        }
        self.met = true;
    }

    fn expire(&mut self) {
        let most = self.tight().map_or(usize::MAX, |tight| tight.queue as usize);
        let patience_ms = self.tight().map_or(QUEUE_MS, |tight| tight.patience_ms);
        self.line.trim(most, self.now_us / 1_000, patience_ms, |_, _| {});
    }

    fn let_in(&mut self) {
        while self.awaiting < self.limit {
            self.expire();
            let Some(call) = self.line.pop() else { return };
            self.begin(call);
        }
    }

    fn begin(&mut self, mut call: Call) {
        call.begun_us = self.now_us;
        self.awaiting += u32::from(call.counted);
        let operation = self.operations[call.operation];
        let slowness = self.stages[self.stage].slowness;
        let us = operation.work.us(&mut self.random) * slowness;
        if operation.waits {
            let place = self.place(call);
            return self.at(self.now_us + us as u64, Event::Done(place));
        }
        self.backlog.push_back((call, us));
        self.start_work();
    }

    fn place(&mut self, call: Call) -> usize {
        self.under_way.push(Some(call));
        self.under_way.len() - 1
    }

    fn start_work(&mut self) {
        while self.busy < self.stages[self.stage].servers {
            let Some((call, us)) = self.backlog.pop_front() else { return };
            self.busy += 1;
            let place = self.place(call);
            self.at(self.now_us + us as u64 + 1, Event::Done(place));
        }
    }

    fn done(&mut self, place: usize) {
        let call = self.under_way[place].take().expect("done once");
        let waits = self.operations[call.operation].waits;
        if !waits {
            self.busy -= 1;
            self.start_work();
        }
        self.awaiting -= u32::from(call.counted);
        let outcome = &mut self.outcomes[call.stage];
        outcome.good[call.priority as usize] += 1;
        if !waits {
            outcome.us.push((self.now_us - call.arrived_us) as f64);
        }
        let is_stale = call.begun_us < self.anew_us;
        let sum = &mut self.sums[usize::from(is_stale)][call.operation];
        sum.0 += 1;
        sum.1 += ((self.now_us - call.begun_us) as f64).max(1.0).log2();
        if self.calls_again {
            self.at(self.now_us + 1, Event::Arrival);
        }
        self.look();
        self.let_in();
    }

    /// Closes the window if it is ripe.
    fn look(&mut self) {
        let length_ms = (self.now_us - self.since_us) / 1_000;
        let [fresh, stale] = &self.sums;
        let answers = (fresh.iter().map(|sum| sum.0).sum(), stale.iter().map(|sum| sum.0).sum());
        if !self.control.is_ripe(answers, length_ms, self.met) {
            return;
        }
        let tallies = self.sums.map(|sums| {
            sums.map(|(count, sum)| Tally { count, mean: (sum / f64::from(count.max(1))) as f32 })
        });
        let window = Window {
            fresh: &tallies[0],
            stale: &tallies[1],
            length_ms,
            met: self.met,
            awaiting: self.awaiting,
            now_ms: self.now_us / 1_000,
        };
        let step = self.control.step(&window);
        (self.limit, self.tight, self.long) = (step.limit, step.tight, step.long);
        self.anew_if_met = step.anew_if_met;
        self.met = false;
        self.sums = [[(0, 0.0); SLOTS]; 2];
        self.since_us = self.now_us;
        if step.anew {
            self.anew_us = self.now_us;
        }
        self.let_in();
    }
}

const fn alone(work: Work) -> Operation {
    Operation { share: 1.0, work, waits: false }
}

/// A backend of twenty places that takes 20 ms for a call: 1,000 in a second.
const fn stage(length_ms: u64, rate: f64) -> Stage {
    Stage { length_ms, rate, high: 0.1, slowness: 1.0, servers: 20 }
}

/// Quiet, the onset of an overload, the overload, and after: a moment, and then for good.
fn overload(seed: u64, work: Work, times: f64) -> [Outcome; 5] {
    // More of a high priority than half of what can be served could not all be served at once.
    let high = (0.5 / times).min(0.1);
    let busy = |length_ms| Stage { high, ..stage(length_ms, 1_000.0 * times) };
    let quiet = |length_ms| stage(length_ms, 700.0);
    let stages = [quiet(1_500), busy(700), busy(1_500), quiet(500), quiet(500)];
    let outcomes = Scene::new(seed, &[alone(work)], &stages).run();
    outcomes.try_into().expect("five stages")
}

/// Few where they take long to run; `PORTWAY_SEEDS` says otherwise.
fn seeds() -> u64 {
    let asked = std::env::var("PORTWAY_SEEDS").ok().and_then(|count| count.parse().ok());
    asked.unwrap_or(if cfg!(debug_assertions) { 60 } else { 1_000 })
}

/// The goals, for every seed, at 2, 5 and 10 times what the backend can do, 0.7 s after it began: good answers for
/// 95 % of that, three times the usual p99 at most, all of the higher priority; and within a second after it has ended all
/// is as before.
#[test]
fn an_overload_is_survived() {
    let (mut good, mut runs) = (0.0, 0.0);
    for seed in 0..seeds() {
        let times = [2.0, 5.0, 10.0][seed as usize % 3];
        let spread = [0.0, 0.3][seed as usize / 3 % 2];
        let name = format!("seed {seed}: x{times}, spread {spread}");
        let [quiet, onset, busy, _, after] = overload(seed, Work::Varied(20_000.0, spread), times);
        assert_eq!(quiet.lost(), 0, "{name}: nobody is refused while it is quiet");
        assert!(onset.good_per_s() >= 900.0, "{name}: {} in the onset", onset.good_per_s());
        // What a backend can do in so short a time varies, too.
        let least = if spread > 0.0 { 930.0 } else { 950.0 };
        assert!(busy.good_per_s() >= least, "{name}: {} a second", busy.good_per_s());
        let ratio = busy.p99_ms() / quiet.p99_ms();
        assert!(ratio <= 3.0, "{name}: p99 is {ratio} times the usual");
        let high = busy.share(Priority::High).min(onset.share(Priority::High));
        assert!(high >= 0.995, "{name}: {high} of the higher priority");
        assert_eq!(after.lost(), 0, "{name}: it is as before");
        good += busy.good_per_s();
        runs += 1.0;
    }
    assert!(good / runs >= 980.0, "{} a second on average", good / runs);
}

/// A backend whose answers take very differently long is held less exactly.
#[test]
fn an_overload_of_a_backend_of_great_variance_is_survived() {
    let (mut good, mut runs) = (0.0, 0.0);
    for seed in 0..seeds() / 4 {
        let times = [2.0, 5.0, 10.0][seed as usize % 3];
        let name = format!("seed {seed}: x{times}");
        let [_, _, busy, ..] = overload(seed, Work::Varied(20_000.0, 1.0), times);
        assert!(busy.good_per_s() >= 400.0, "{name}: {} a second", busy.good_per_s());
        assert!(busy.share(Priority::High) >= 0.97, "{name}: {}", busy.share(Priority::High));
        good += busy.good_per_s();
        runs += 1.0;
    }
    assert!(good / runs >= 900.0, "{} a second on average", good / runs);
}

/// Runs a scene with some seeds and checks of each stage which part of its calls is lost at most, in the middle of all seeds.
fn check(name: &str, operations: &[Operation], stages: &[(Stage, f64)]) {
    const SEEDS: u64 = 9;
    let bare: Vec<Stage> = stages.iter().map(|(stage, _)| *stage).collect();
    let outcomes: Vec<_> =
        (0..SEEDS).map(|seed| Scene::new(seed, operations, &bare).run()).collect();
    for (at, (_, most)) in stages.iter().enumerate() {
        let mut lost: Vec<f64> = outcomes
            .iter()
            .map(|of| f64::from(of[at].lost()) / f64::from(of[at].calls.iter().sum::<u32>()))
            .collect();
        lost.sort_by(f64::total_cmp);
        let middle = lost[lost.len() / 2];
        assert!(middle <= *most, "{name}: stage {at} loses {middle} of its calls ({lost:.3?})");
    }
}

/// Works on all calls at once, whatever comes.
const fn wide(length_ms: u64, rate: f64, slowness: f64) -> Stage {
    Stage { length_ms, rate, high: 0.0, slowness, servers: usize::MAX }
}

const fn narrow(length_ms: u64, rate: f64, servers: usize) -> Stage {
    Stage { length_ms, rate, high: 0.0, slowness: 1.0, servers }
}

#[test]
fn a_backend_that_is_merely_slow_is_not_held() {
    let fixed = [alone(Work::Fixed(20_000.0))];
    let varied = [alone(Work::Varied(20_000.0, 0.5))];
    let quiet = (wide(1_500, 700.0, 1.0), 0.0);
    check(
        "five times slower",
        &fixed,
        &[quiet, (wide(1_000, 700.0, 5.0), 0.02), (wide(1_000, 700.0, 5.0), 0.02), quiet],
    );
    check(
        "slower and slower",
        &varied,
        &[quiet, (wide(1_000, 700.0, 2.0), 0.02), (wide(1_000, 700.0, 4.0), 0.02)],
    );
    // A trial takes as long as the answers; who waits for longer than a second in the meantime is refused.
    check(
        "twenty times slower",
        &varied,
        &[quiet, (wide(1_000, 700.0, 20.0), 0.3), (wide(2_000, 700.0, 20.0), 0.1), quiet],
    );
}

#[test]
fn a_burst_is_let_through_to_a_backend_that_can_take_it() {
    for (name, work, rate) in
        [("fast", Work::Fixed(20_000.0), 700.0), ("slow", Work::Varied(300_000.0, 0.5), 100.0)]
    {
        let stages = [
            (wide(3_000, rate, 1.0), 0.0),
            (wide(1_000, rate * 10.0, 1.0), 0.0),
            (wide(1_000, rate * 20.0, 1.0), 0.0),
            (wide(1_000, rate, 1.0), 0.0),
        ];
        check(name, &[alone(work)], &stages);
        // And if it is the first that comes.
        check(name, &[alone(work)], &stages[1..]);
    }
}

/// Many callers, each with one call at a time, have to wait for each other. If that takes a moment only, all are served.
#[test]
fn callers_who_wait_for_their_answers_are_served_while_answers_come_soon() {
    for (seed, callers) in (0..6).flat_map(|seed| [(seed, 128), (seed, 512), (seed, 700)]) {
        // 33,000 calls in a second, of which 700 take 21 ms.
        let stages = [narrow(1_500, 1.0, 1), narrow(1_500, 1.0, 1), narrow(500, 1.0, 1)];
        let mut scene = Scene::new(seed, &[alone(Work::Varied(30.0, 0.3))], &stages);
        scene.calls_again = true;
        (0..64).for_each(|_| scene.at(1, Event::Arrival));
        (64..callers).for_each(|_| scene.at(1_500_000, Event::Arrival));
        let lost: Vec<_> = scene.run().iter().map(Outcome::lost).collect();
        assert_eq!(lost, [0, 0, 0], "seed {seed}, {callers} callers");
    }
}

#[test]
fn what_a_backend_can_do_is_found_again_when_it_changes() {
    let fixed = [alone(Work::Fixed(20_000.0))];
    // 4,000 a second for 1,000, 2,000 and 4,000 that it can do.
    check(
        "it grows",
        &fixed,
        &[
            (narrow(1_500, 700.0, 20), 0.0),
            (narrow(1_000, 4_000.0, 20), 0.80),
            (narrow(2_000, 4_000.0, 40), 0.56),
            (narrow(2_000, 4_000.0, 80), 0.10),
        ],
    );
    // 2,100 a second.
    check(
        "it shrinks",
        &fixed,
        &[
            (narrow(1_500, 2_100.0, 80), 0.0),
            (narrow(1_000, 2_100.0, 60), 0.0),
            (narrow(2_000, 2_100.0, 20), 0.57),
            (narrow(1_000, 2_100.0, 80), 0.25),
        ],
    );
}

#[test]
fn calls_that_wait_for_something_do_not_keep_the_others_out() {
    let poll = Operation { share: 0.02, work: Work::Varied(15e6, 0.7), waits: true };
    let quick = Operation { share: 0.98, work: Work::Fixed(20_000.0), waits: false };
    check(
        "one in fifty waits for a quarter of a minute",
        &[poll, quick],
        &[
            (narrow(30_000, 700.0, 20), 0.0),
            (narrow(2_000, 2_000.0, 20), 0.53),
            (narrow(1_000, 700.0, 20), 0.02),
        ],
    );
}

#[test]
fn a_backend_that_hangs_does_not_lower_the_limit() {
    let stages = [
        wide(1_500, 700.0, 1.0),
        // Nothing that is sent from now on comes back.
        wide(3_000, 700.0, 1e6),
    ];
    let outcomes = Scene::new(1, &[alone(Work::Fixed(20_000.0))], &stages).run();
    assert_eq!(outcomes[1].highest_limit, CEILING);
    assert!(outcomes[1].lowest_limit >= OPEN_LEAST as u32);
}

#[test]
fn the_limit_is_never_nought_nor_more_than_the_ceiling() {
    let mut random = Random(7);
    for ceiling in [1, 2, 3, 64, 1_024] {
        let mut control = Control::new(ceiling);
        for at in 0..20_000 {
            let mut fresh = [Tally::default(); SLOTS];
            let mut stale = fresh;
            for tally in fresh.iter_mut().chain(&mut stale).take(80) {
                let count = (random.next() % 40) as u32;
                *tally = Tally {
                    count,
                    mean: if count > 0 { random.unit() as f32 * 32.0 } else { 0.0 },
                };
            }
            let window = Window {
                fresh: &fresh,
                stale: &stale,
                length_ms: random.next() % 3_000,
                met: !random.next().is_multiple_of(4),
                awaiting: (random.next() % 2_000) as u32,
                now_ms: at * 30,
            };
            let step = control.step(&window);
            assert!((1..=ceiling).contains(&step.limit), "{ceiling}: {step:?}");
        }
    }
}

/// A moment in which the backend does nothing, in the middle of an overload, changes nothing for long.
#[test]
fn a_backend_that_stops_for_a_moment_under_overload_is_held_again() {
    let busy = |length_ms, servers| Stage { servers, high: 0.1, ..stage(length_ms, 5_000.0) };
    for (seed, pause_ms) in (0..20).flat_map(|seed| [(seed, 50), (seed, 150), (seed, 400)]) {
        let stages = [
            stage(1_500, 700.0),
            busy(1_000 + seed * 17, 20),
            busy(pause_ms, 0),
            busy(1_000, 20),
            busy(1_500, 20),
        ];
        let outcomes = Scene::new(seed, &[alone(Work::Fixed(20_000.0))], &stages).run();
        let [quiet, .., last] = &outcomes[..] else { unreachable!("there are five") };
        let (good, ratio) = (last.good_per_s(), last.p99_ms() / quiet.p99_ms());
        assert!(
            good >= 950.0 && ratio <= 3.0,
            "seed {seed}, {pause_ms} ms: {good} a second, x{ratio}"
        );
    }
}
