//! Fifty edges, a tree of origins and one database under storms and failures, event by event. It backs
//! `docs/scale.md`, which quotes its table: `cargo run --release --example scale_simulation`.
//!
//! Viewers do what the player page does (`src/http/pages/player/codes.js`), edges what the server does
//! (`records/cached.rs`, `origin/schedule.rs`). Not modelled: losses, and who leaves. Always the same.
#![allow(missing_docs)]

const EDGES: usize = 50;
/// The one that dies.
const LAST: usize = EDGES - 1;
const RELAYS: usize = 5;
const STREAMS: usize = 200;
/// Microseconds, as all times here.
const SECOND: u64 = 1_000_000;
const SLOT: u64 = 1_000;
const STORM: u64 = 60 * SECOND;
const FAILURE: u64 = 90 * SECOND;
const END: u64 = 300 * SECOND;
/// Bits a second of an edge: 80 % of 25 Gbit/s.
const LINE: f64 = 25e9 * 0.8;
/// 32 cores let in 2,700 viewers a second each by TLS.
const VERDICT: u64 = SECOND / (32 * 2_700);
/// TCP, TLS and upgrade, with 30 ms to the edge and back.
const NETWORK: u64 = 100_000;
/// Until a dead edge is noticed, taken out of DNS, and forgotten by resolvers.
const NOTICED: u64 = 15 * SECOND;
/// Of a player.
const ATTEMPTS: i32 = 12;
/// Of a key in an edge's memory, and how long the records take, or are waited for.
const CACHE_AGE: u64 = 60 * SECOND;
const LOOK_UP: u64 = 3_000;
const BRIEFLY: u64 = 250_000;
const NEVER: u64 = u64::MAX;

/// Its name, its viewers, the bits a second of each with what TLS and TCP add, and what fails.
struct Scenario(&'static str, usize, f64, Fails);

#[derive(Clone, Copy, Default, PartialEq)]
enum Fails {
    #[default]
    Nothing,
    Edge,
    /// For so many seconds, as the records do.
    Relay(u64),
    Records(u64),
}

#[derive(Clone, Copy)]
enum Event {
    /// A viewer connects.
    Attempt(usize),
    /// An edge pulls a stream, after so many failures.
    Pull(usize, usize, u32),
    Failure,
}

struct Viewer {
    stream: usize,
    edge: Option<usize>,
    attempt: i32,
    /// When it came, or was cut off.
    since: u64,
}

#[derive(Clone)]
struct Edge {
    viewers: usize,
    /// When what lets viewers in has nothing more to do.
    free_at: u64,
    verdicts: Rates,
    /// Of each stream.
    watching: [usize; STREAMS],
    key_read: [Option<u64>; STREAMS],
    media_at: [Option<u64>; STREAMS],
}

/// How many happened in each second.
type Rates = [u64; 1 + (END / SECOND) as usize];

fn count(rates: &mut Rates, at: u64) {
    rates[(at.min(END) / SECOND) as usize] += 1;
}

fn peak(rates: Rates) -> u64 {
    rates.into_iter().max().unwrap_or(0)
}

struct World {
    rate: f64,
    fails: Fails,
    random: u64,
    /// By the millisecond.
    events: Vec<Vec<(u64, Event)>>,
    edges: Vec<Edge>,
    viewers: Vec<Viewer>,
    look_ups: Rates,
    /// At the first relay.
    pulls: Rates,
    gave_up: usize,
    joins: Vec<u64>,
    outages: Vec<u64>,
}

impl World {
    fn run(Scenario(_, viewers, rate, fails): &Scenario) -> Self {
        let edge = Edge {
            viewers: 0,
            free_at: 0,
            verdicts: [0; _],
            watching: [0; STREAMS],
            key_read: [None; STREAMS],
            media_at: [None; STREAMS],
        };
        let mut world = Self {
            rate: *rate,
            fails: *fails,
            events: vec![Vec::new(); (END / SLOT) as usize],
            edges: vec![edge; EDGES],
            random: 1,
            viewers: Vec::new(),
            look_ups: [0; _],
            pulls: [0; _],
            gave_up: 0,
            joins: Vec::new(),
            outages: Vec::new(),
        };
        world.at(FAILURE, Event::Failure);
        // The nth stream has 1/n of the first one's viewers.
        let mut shares = vec![0.0];
        shares.extend((1..=STREAMS).map(|n| 1.0 / n as f64));
        (1..=STREAMS).for_each(|n| shares[n] += shares[n - 1]);
        for viewer in 0..*viewers {
            let share = world.random() * shares[STREAMS];
            // Half of them come within the first quarter.
            let early = world.random();
            let since = (early * early * STORM as f64) as u64;
            world.viewers.push(Viewer {
                stream: shares[1..STREAMS].partition_point(|&bound| bound < share),
                edge: None,
                attempt: 0,
                since,
            });
            world.at(since, Event::Attempt(viewer));
        }
        for slot in 0..world.events.len() {
            let mut next = 0;
            while let Some(&(now, event)) = world.events[slot].get(next) {
                next += 1;
                match event {
                    Event::Attempt(viewer) => world.attempt(viewer, now),
                    Event::Pull(edge, stream, failures) => world.pull(edge, stream, failures, now),
                    Event::Failure => world.fail(now),
                }
            }
        }
        world
    }

    /// From 0 to below 1, by splitmix64: small, and the same everywhere.
    fn random(&mut self) -> f64 {
        self.random = self.random.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut x = self.random;
        x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((x ^ (x >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }

    fn at(&mut self, time: u64, event: Event) {
        if let Some(slot) = self.events.get_mut((time / SLOT) as usize) {
            slot.push((time, event));
        }
    }

    fn attempt(&mut self, viewer: usize, now: u64) {
        let dead = self.fails == Fails::Edge && now >= FAILURE;
        let known = EDGES - usize::from(dead && now >= FAILURE + NOTICED);
        let place = (self.random() * known as f64) as usize;
        if dead && place == LAST {
            return self.retry(viewer, now + SECOND, false);
        }
        let Viewer { stream, since, .. } = self.viewers[viewer];
        let edge = &mut self.edges[place];
        count(&mut edge.verdicts, now);
        edge.free_at = edge.free_at.max(now) + VERDICT;
        let verdict = edge.free_at + NETWORK;
        let Some(waited) = self.look_up(place, stream, verdict) else {
            // 4900, which no player tries again.
            self.gave_up += 1;
            return;
        };
        let joined = verdict + waited;
        let edge = &mut self.edges[place];
        if (edge.viewers + 1) as f64 * self.rate > LINE {
            return self.retry(viewer, joined, true);
        }
        edge.viewers += 1;
        edge.watching[stream] += 1;
        if edge.media_at[stream].is_none() {
            self.pull(place, stream, 0, joined);
        }
        self.viewers[viewer].edge = Some(place);
        let media_at = self.edges[place].media_at[stream].unwrap_or(NEVER);
        match since < FAILURE {
            true => self.joins.push(joined.max(media_at) - since),
            false => self.outages.push(joined.max(media_at) - since),
        }
    }

    /// How long the key takes; nothing where it is not to be had.
    fn look_up(&mut self, edge: usize, stream: usize, now: u64) -> Option<u64> {
        let away = matches!(self.fails, Fails::Records(seconds)
            if (10 * SECOND..(10 + seconds) * SECOND).contains(&now));
        let read = &mut self.edges[edge].key_read[stream];
        let age = read.map_or(NEVER, |read| now.saturating_sub(read));
        if away {
            return (age <= CACHE_AGE).then_some(BRIEFLY);
        }
        if age <= CACHE_AGE / 2 {
            return Some(0);
        }
        *read = Some(now);
        count(&mut self.look_ups, now);
        Some(LOOK_UP)
    }

    fn pull(&mut self, edge: usize, stream: usize, failures: u32, now: u64) {
        if edge.is_multiple_of(RELAYS) {
            count(&mut self.pulls, now);
            if let Fails::Relay(seconds) = self.fails
                && (FAILURE..FAILURE + seconds * SECOND).contains(&now)
            {
                let rest = ((SECOND / 2) << failures.min(16)).min(10 * SECOND) as f64;
                let rest = rest * (0.5 + 0.5 * self.random());
                return self.at(now + rest as u64, Event::Pull(edge, stream, failures + 1));
            }
        }
        // The relay answers, and the next keyframe comes.
        let media_at = now + 50_000 + (self.random() * SECOND as f64) as u64;
        self.edges[edge].media_at[stream] = Some(media_at);
        if failures > 0 {
            let cut_off = self.edges[edge].watching[stream];
            (self.outages).extend(std::iter::repeat_n(media_at - FAILURE, cut_off));
        }
    }

    fn fail(&mut self, now: u64) {
        if self.fails == Fails::Edge {
            for viewer in 0..self.viewers.len() {
                if self.viewers[viewer].edge == Some(LAST) {
                    self.viewers[viewer].since = now;
                    self.retry(viewer, now, false);
                }
            }
        }
        if let Fails::Relay(_) = self.fails {
            // Viewers stay where they are, and their players wait.
            for edge in (0..EDGES).step_by(RELAYS) {
                for stream in 0..STREAMS {
                    if self.edges[edge].watching[stream] > 0 {
                        self.pull(edge, stream, 0, now);
                    }
                }
            }
        }
    }

    /// As `retryDelay` of the page says; `later`: the server asked for calm.
    fn retry(&mut self, viewer: usize, now: u64, later: bool) {
        let random = self.random();
        let Viewer { attempt, edge, .. } = &mut self.viewers[viewer];
        let before = if edge.take().is_some() { 0 } else { *attempt };
        *attempt = before + 1;
        if before >= ATTEMPTS {
            self.gave_up += 1;
            return;
        }
        let millis = match later {
            true => 2000.0 + 8000.0 * random,
            false => (400.0 * 1.8f64.powi(before)).min(10_000.0) * (0.5 + 0.5 * random),
        };
        self.at(now + (millis * 1000.0) as u64, Event::Attempt(viewer));
    }
}

fn percentiles(mut times: Vec<u64>) -> String {
    times.sort_unstable();
    let at = |percent: usize| times[(times.len() - 1) * percent / 100] as f64 / 1e6;
    match times[..] {
        [] => "none".to_owned(),
        _ => format!("{:.1} / {:.1} / {:.1}", at(50), at(99), at(100)),
    }
}

fn row(scenario: &Scenario) -> String {
    let Scenario(name, _, rate, _) = *scenario;
    let world = World::run(scenario);
    let viewers = world.edges.iter().map(|edge| edge.viewers).max();
    let verdicts = world.edges.iter().map(|edge| peak(edge.verdicts)).max();
    let playing = world.viewers.iter().filter(|viewer| viewer.edge.is_some());
    [
        name.to_owned(),
        playing.count().to_string(),
        world.gave_up.to_string(),
        format!("{:.1}", viewers.unwrap_or(0) as f64 * rate / 1e9),
        verdicts.unwrap_or(0).to_string(),
        peak(world.look_ups).to_string(),
        peak(world.pulls).to_string(),
        percentiles(world.joins),
        percentiles(world.outages),
    ]
    .join(" | ")
}

fn main() {
    let (all, million) = (100_000, 1_000_000);
    let (high, low) = (2.85e6, 0.73e6);
    let scenarios = [
        Scenario("100,000 come", all, high, Fails::Nothing),
        Scenario("an edge fails", all, high, Fails::Edge),
        Scenario("a relay fails for 20 s", all, high, Fails::Relay(20)),
        Scenario("records are away for 120 s", all, high, Fails::Records(120)),
        Scenario("1,000,000 come", million, high, Fails::Nothing),
        Scenario("1,000,000 at 600 kbit/s", million, low, Fails::Nothing),
        Scenario("the same, an edge fails", million, low, Fails::Edge),
    ];
    println!(
        "| scenario | play in the end | gave up | Gbit/s, fullest edge | verdicts/s, busiest edge | \
         look-ups/s, all edges | pulls/s, one relay | s to play, p50 / p99 / max | s cut off, p50 / p99 / max |"
    );
    println!("|{}", " --- |".repeat(9));
    for scenario in &scenarios {
        println!("| {} |", row(scenario));
    }
}
