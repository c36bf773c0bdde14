//! Timelines of a schedule, with a clock of their own.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;

struct Bench {
    schedule: Schedule<u32>,
    now: Instant,
}

impl Bench {
    fn new(pulls: usize) -> Self {
        let pace = Pace {
            pulls,
            remembered: 3,
            ..Pace::default()
        };
        Self {
            schedule: Schedule::new(pace),
            now: Instant::now(),
        }
    }

    fn after(&mut self, milliseconds: u64) -> &mut Self {
        self.now += Duration::from_millis(milliseconds);
        self
    }

    fn want(&mut self, source: u32, wanted: bool) {
        self.schedule.want(&source, wanted, self.now);
    }

    fn started(&mut self) -> Vec<u32> {
        let started = |action| match action {
            Action::Start(_, source) => Some(source),
            Action::Stop(_) => None,
        };
        self.due().into_iter().filter_map(started).collect()
    }

    fn due(&mut self) -> Vec<Action<u32>> {
        self.schedule.due(self.now)
    }

    /// Starts what is due and lets it end at once; says of how many.
    fn fail(&mut self, played: bool, random: f64) -> usize {
        let actions = self.due();
        for action in &actions {
            let Action::Start(id, _) = action else {
                panic!("{action:?}");
            };
            self.schedule.ended(*id, played, random, self.now);
            self.schedule.gone();
        }
        actions.len()
    }

    fn until_deadline(&self) -> Option<u128> {
        let deadline = self.schedule.deadline(self.now)?;
        Some(deadline.duration_since(self.now).as_millis())
    }
}

#[test]
fn a_source_is_pulled_once_however_often_it_is_wanted() {
    let mut bench = Bench::new(4);
    bench.want(1, true);
    bench.want(1, true);
    assert_eq!(bench.started(), [1]);
    bench.want(1, true);
    assert!(bench.due().is_empty());
    assert_eq!(bench.until_deadline(), None);
}

#[test]
fn a_pull_lingers_and_a_viewer_who_comes_back_keeps_it() {
    let mut bench = Bench::new(4);
    bench.want(1, true);
    assert_eq!(bench.started(), [1]);
    bench.want(1, false);
    assert_eq!(bench.until_deadline(), Some(10_000));
    // Being told twice must not make it linger twice.
    bench.after(4_000).want(1, false);
    assert_eq!(bench.until_deadline(), Some(6_000));
    bench.after(5_999);
    assert!(bench.due().is_empty());
    bench.want(1, true);
    bench.after(60_000);
    assert!(bench.due().is_empty());
    bench.want(1, false);
    bench.after(10_000);
    assert!(matches!(bench.due().as_slice(), [Action::Stop(_)]));
    assert!(bench.schedule.is_empty());
}

#[test]
fn rests_double_from_half_a_second_to_ten() {
    let mut bench = Bench::new(4);
    bench.want(1, true);
    let rests: Vec<u128> = (0..7)
        .map(|_| {
            assert_eq!(bench.fail(false, 1.0), 1);
            let rest = bench.until_deadline().unwrap();
            bench.after(rest as u64 - 1);
            assert!(bench.due().is_empty(), "before its time");
            bench.after(1);
            rest
        })
        .collect();
    assert_eq!(rests, [500, 1_000, 2_000, 4_000, 8_000, 10_000, 10_000]);
}

#[test]
fn randomness_takes_away_up_to_half_of_a_rest() {
    let pace = Pace::default();
    assert_eq!(rest(&pace, 1, 0.0).as_millis(), 250);
    assert_eq!(rest(&pace, u32::MAX, 0.0).as_millis(), 5_000);
    assert_eq!(rest(&pace, u32::MAX, 7.0).as_millis(), 10_000);
}

#[test]
fn who_has_played_rests_shortly() {
    let mut bench = Bench::new(4);
    bench.want(1, true);
    for _ in 0..4 {
        bench.fail(false, 1.0);
        bench.after(10_000);
    }
    bench.fail(true, 1.0);
    assert_eq!(bench.until_deadline(), Some(500));
}

#[test]
fn asking_again_does_not_dial_again_at_once() {
    let mut bench = Bench::new(4);
    bench.want(1, true);
    bench.fail(false, 1.0);
    for _ in 0..5 {
        bench.want(1, false);
        bench.want(1, true);
        assert!(bench.due().is_empty());
    }
    bench.want(1, false);
    bench.after(500);
    assert!(bench.due().is_empty());
    assert!(bench.schedule.is_empty(), "remembered for its rest only");
}

#[test]
fn no_more_pulls_than_places_and_the_least_failed_first() {
    let mut bench = Bench::new(2);
    for source in [1, 2, 3] {
        bench.want(source, true);
    }
    assert_eq!(bench.fail(false, 1.0), 2);
    bench.after(500).want(4, true);
    // 3 waited, 4 is new; 1 and 2 have failed once.
    assert_eq!(bench.started(), [3, 4]);
    bench.after(60_000);
    assert!(bench.due().is_empty());
    assert_eq!(
        bench.until_deadline(),
        None,
        "no busy loop while all is full"
    );
    bench.schedule.gone();
    assert_eq!(bench.started(), [1]);
}

#[test]
fn a_place_is_free_when_the_pull_has_gone_not_when_it_is_told_to() {
    let mut bench = Bench::new(1);
    bench.want(1, true);
    assert_eq!(bench.started(), [1]);
    bench.want(1, false);
    bench.want(2, true);
    bench.after(10_000);
    assert!(matches!(bench.due().as_slice(), [Action::Stop(_)]));
    assert!(bench.due().is_empty());
    bench.schedule.gone();
    assert_eq!(bench.started(), [2]);
}

#[test]
fn what_a_stopped_pull_says_does_not_count() {
    let mut bench = Bench::new(2);
    bench.want(1, true);
    let [Action::Start(old, _)] = bench.due()[..] else {
        panic!("not started");
    };
    bench.want(1, false);
    bench.after(10_000).due();
    bench.want(1, true);
    assert_eq!(bench.started(), [1]);
    bench.schedule.ended(old, false, 1.0, bench.now);
    bench.after(60_000);
    assert!(bench.due().is_empty(), "the new pull goes on");
}

#[test]
fn remembered_failures_are_bounded() {
    let mut bench = Bench::new(100);
    for source in 0..10 {
        bench.want(source, true);
        bench.fail(false, 1.0);
        bench.want(source, false);
    }
    assert_eq!(bench.schedule.sources.len(), 3);
}

#[test]
fn a_source_stands_where_its_timeline_is() {
    let mut bench = Bench::new(1);
    let standing = |bench: &Bench, source| bench.schedule.standing(&source, bench.now);
    assert_eq!(standing(&bench, 1), None);
    bench.want(1, true);
    bench.want(2, true);
    assert_eq!(bench.started(), [1]);
    assert_eq!(standing(&bench, 1), Some(Standing::Pulled));
    assert_eq!(standing(&bench, 2), Some(Standing::Waiting));
    bench.want(1, false);
    assert_eq!(standing(&bench, 1), Some(Standing::Lingering));
    let mut bench = Bench::new(1);
    bench.want(1, true);
    assert_eq!(bench.fail(false, 0.0), 1);
    let resting = |milliseconds| Standing::Resting {
        failures: 1,
        left: Duration::from_millis(milliseconds),
    };
    assert_eq!(standing(&bench, 1), Some(resting(250)));
    bench.after(100);
    assert_eq!(standing(&bench, 1), Some(resting(150)));
}
