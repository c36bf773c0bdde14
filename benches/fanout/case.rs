//! All rounds with one number of readers, and what they say together.

use serde_json::{Value, json};

use super::plan::Plan;
use super::round::{Percentiles, Round};
use super::support::figures::Spread;

pub struct Case {
    pub readers: usize,
    /// One a repeat; in each, the rounds in the order of the contestants.
    pub repeats: Vec<Vec<Round>>,
}

impl Case {
    /// Runs all rounds with so many readers.
    pub fn run(readers: usize, plan: &Plan) -> Self {
        let contestants = plan.contestants(readers);
        let repeats = (0..plan.repeats).map(|repeat| {
            // Who goes first changes, so that a machine that grows slower favours nobody.
            let mut order: Vec<usize> = (0..contestants.len()).collect();
            order.rotate_left(repeat % contestants.len());
            let mut rounds: Vec<(usize, Round)> = order
                .into_iter()
                .map(|which| {
                    let contestant = &contestants[which];
                    // Where several streams run, none of them is all there is.
                    let closer = which == 0 && plan.cores == 1 && contestant.setup.streams == 1;
                    let round = Round::run(contestant, readers, closer, plan);
                    eprintln!("  {readers} readers, {}: {:.3} ms", round.name, round.cpu);
                    (which, round)
                })
                .collect();
            rounds.sort_by_key(|(which, _)| *which);
            rounds.into_iter().map(|(_, round)| round).collect()
        });
        Self {
            readers,
            repeats: repeats.collect(),
        }
    }

    /// The first repeat's rounds, for their names.
    pub fn contestants(&self) -> &[Round] {
        &self.repeats[0]
    }

    pub fn spread(&self, which: usize, figure: impl Fn(&Round) -> f64) -> Spread {
        Spread::of(self.repeats.iter().map(|rounds| figure(&rounds[which])))
    }

    pub fn cpu(&self, which: usize) -> Spread {
        self.spread(which, |round| round.cpu)
    }

    /// Of two rounds of one repeat, because they ran next to each other.
    pub fn ratio(&self, which: usize) -> Spread {
        let ratio = |rounds: &Vec<Round>| rounds[0].cpu / rounds[which].cpu;
        Spread::of(self.repeats.iter().map(ratio))
    }

    pub fn load_busy(&self) -> Spread {
        let busy = self.repeats.iter().flatten().map(|round| round.load_busy);
        Spread::of(busy)
    }

    /// Of percentiles, a figure of each repeat; nothing where nobody was watched.
    pub fn percentile(
        &self,
        which: usize,
        of: fn(&Round) -> Option<Percentiles>,
        figure: fn(Percentiles) -> f64,
    ) -> Option<Spread> {
        let each = self.repeats.iter().filter_map(|rounds| of(&rounds[which]));
        let figures: Vec<f64> = each.map(figure).collect();
        (!figures.is_empty()).then(|| Spread::of(figures))
    }

    /// All repeats' samples of the first contestant together, sorted; they are few in each.
    pub fn samples(&self, of: impl Fn(&Round) -> &[f64]) -> Vec<f64> {
        let each = self.repeats.iter().flat_map(|rounds| of(&rounds[0]));
        let mut all: Vec<f64> = each.copied().collect();
        all.sort_by(f64::total_cmp);
        all
    }

    /// The first thing that is wrong with any of its rounds.
    pub fn complaint(&self) -> Option<String> {
        let mut rounds = self.repeats.iter().flatten();
        rounds.find_map(|round| {
            let complaint = round.outcome.complaint()?;
            Some(format!("{}: {complaint}", round.name))
        })
    }

    /// For the file.
    pub fn json(&self) -> Value {
        let compared = (0..self.contestants().len()).map(|which| {
            let latency = |figure| {
                let spread = self.percentile(which, |round| round.each_reader, figure);
                spread.map(|spread| spread.json())
            };
            json!({
                "contestant": self.contestants()[which].name,
                "cpu_ms_per_reader_second": self.cpu(which).json(),
                "ratio_of_the_first_to_it": self.ratio(which).json(),
                "each_reader_p50_ms": latency(|of| of.p50),
                "each_reader_p99_ms": latency(|of| of.p99),
            })
        });
        let rounds = self.repeats.iter().flatten().map(Round::json);
        json!({
            "readers": self.readers,
            "contestants": compared.collect::<Vec<_>>(),
            "complaint": self.complaint(),
            "rounds": rounds.collect::<Vec<_>>(),
        })
    }
}
