//! Runs in turn, which of them count, and what they come to.
//!
//! A round is: the reference (raw TCP, or bare QUIC for what runs over QUIC), each other system
//! once, the reference again. The last run of a round is the first
//! of the next. If the reference moved by more than 15 % within a round, the machine did something else
//! meanwhile, and the round is thrown away.

use serde::Serialize;

use crate::{
    Outcome,
    arguments::System,
    cases::{Case, Goal},
    figures::{Figure, Figures},
};

/// The reference may move by this much between its two runs of a round.
const MOVED: f64 = 0.15;
/// Rounds that are tried for each that has to count; more would only prove that the machine is busy.
const TRIES: usize = 3;

/// One round.
#[derive(Debug, Serialize)]
pub(crate) struct Round {
    before: Figures,
    after: Figures,
    /// In the order of the case's systems.
    beside: Vec<Figures>,
}

/// What a case came to.
#[derive(Debug, Serialize)]
pub(crate) struct Measured {
    pub(crate) case: Case,
    /// The rounds that count.
    pub(crate) rounds: Vec<Round>,
    /// The rounds in which the reference moved.
    pub(crate) thrown: Vec<Round>,
    /// Whether none was steady, so that the unsteady ones had to count.
    pub(crate) unsteady: bool,
    pub(crate) ratios: Vec<Ratio>,
}

/// One figure of ours beside the same of another system.
#[derive(Debug, Serialize)]
pub(crate) struct Ratio {
    pub(crate) figure: Figure,
    pub(crate) to: System,
    pub(crate) median: f64,
    pub(crate) least: f64,
    pub(crate) most: f64,
}

/// Takes rounds until enough of them count.
pub(crate) fn measure(
    case: &Case,
    mut run: impl FnMut(System) -> Outcome<Figures>,
) -> Outcome<Measured> {
    let (mut rounds, mut thrown) = (Vec::new(), Vec::new());
    let mut before = run(case.reference)?;
    while rounds.len() < case.rounds && rounds.len() + thrown.len() < TRIES * case.rounds {
        let beside = case.beside.iter().map(|system| run(*system)).collect::<Outcome<_>>()?;
        let after = run(case.reference)?;
        let round = Round { before, after: after.clone(), beside };
        before = after;
        if round.is_steady(case) { &mut rounds } else { &mut thrown }.push(round);
    }
    Ok(Measured::of(case, rounds, thrown))
}

impl Round {
    fn is_steady(&self, case: &Case) -> bool {
        case.steady.is_none_or(|figure| {
            let (before, after) = (self.before[&figure], self.after[&figure]);
            (before - after).abs() <= MOVED * before.min(after)
        })
    }

    /// The figure of a system in this round; of the reference the mean of both runs.
    fn value(&self, case: &Case, system: System, figure: Figure) -> Option<f64> {
        match case.beside.iter().position(|other| *other == system) {
            Some(place) => self.beside[place].get(&figure).copied(),
            None => Some((self.before.get(&figure)? + self.after.get(&figure)?) / 2.0),
        }
    }
}

impl Measured {
    fn of(case: &Case, rounds: Vec<Round>, thrown: Vec<Round>) -> Self {
        let unsteady = rounds.is_empty();
        let (rounds, thrown) = if unsteady { (thrown, rounds) } else { (rounds, thrown) };
        let case = case.clone();
        let mut measured = Self { case, rounds, thrown, unsteady, ratios: Vec::new() };
        measured.ratios = measured.all_ratios();
        measured
    }

    fn all_ratios(&self) -> Vec<Ratio> {
        let references = self.case.references();
        let pairs = self
            .figures()
            .into_iter()
            .flat_map(|figure| references.iter().filter_map(move |to| self.ratio_to(figure, *to)));
        pairs.collect()
    }

    /// The figures that the runs of this case have, in order.
    pub(crate) fn figures(&self) -> Vec<Figure> {
        self.rounds.first().map_or_else(Vec::new, |round| round.before.keys().copied().collect())
    }

    /// The median of a figure over the rounds that count.
    pub(crate) fn median_of(&self, system: System, figure: Figure) -> f64 {
        let values = self.rounds.iter().filter_map(|round| round.value(&self.case, system, figure));
        spread(values.collect()).map_or(f64::NAN, |(_, median, _)| median)
    }

    fn ratio_to(&self, figure: Figure, to: System) -> Option<Ratio> {
        let ratio = |round: &Round| {
            let value = |system| round.value(&self.case, system, figure);
            Some(value(self.case.ours())? / value(to)?).filter(|ratio| ratio.is_finite())
        };
        let (least, median, most) = spread(self.rounds.iter().filter_map(ratio).collect())?;
        Some(Ratio { figure, to, median, least, most })
    }

    /// The case's goal, with what was reached.
    pub(crate) fn goal(&self) -> Option<(Goal, f64)> {
        let goal = self.case.goal?;
        let Some(of) = goal.of else {
            return Some((goal, self.median_of(self.case.ours(), goal.figure)));
        };
        let of_goal = |ratio: &&Ratio| ratio.figure == goal.figure && ratio.to == of;
        Some((goal, self.ratios.iter().find(of_goal)?.median))
    }
}

/// The least, the median and the most.
fn spread(mut values: Vec<f64>) -> Option<(f64, f64, f64)> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    let median = match values.len() % 2 {
        _ if values.is_empty() => return None,
        1 => values[middle],
        _ => (values[middle - 1] + values[middle]) / 2.0,
    };
    Some((values[0], median, values[values.len() - 1]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arguments::{Amount, Work};

    fn case(rounds: usize) -> Case {
        let amount = Amount { size: 64, milliseconds: 1, at_once: 1, idle: 0 };
        Case {
            work: Work::Flood,
            amount,
            rounds,
            reference: System::Raw,
            beside: vec![System::P2pchan],
            one_core: false,
            steady: Some(Figure::Messages),
            goal: Some(Goal { figure: Figure::Messages, bound: 0.5, of: Some(System::Raw) }),
        }
    }

    /// The runs answer with these speeds, in turn, and then with the last one for ever.
    fn measured(rounds: usize, speeds: &[f64]) -> (Measured, usize) {
        let mut runs = 0;
        let measured = measure(&case(rounds), |_| {
            runs += 1;
            let speed = speeds.get(runs - 1).or(speeds.last()).copied().unwrap();
            Ok(Figures::from([(Figure::Messages, speed)]))
        });
        (measured.unwrap(), runs)
    }

    #[test]
    fn each_run_of_ours_stands_between_two_of_raw() {
        let (measured, runs) = measured(3, &[100.0, 50.0, 100.0, 60.0, 110.0, 55.0, 110.0]);
        assert_eq!(runs, 7);
        assert_eq!(measured.goal().unwrap().1, 0.5);
        let ratio = &measured.ratios[0];
        assert_eq!((ratio.least, ratio.most), (0.5, 60.0 / 105.0));
        assert_eq!(measured.median_of(System::P2pchan, Figure::Messages), 55.0);
    }

    #[test]
    fn a_goal_of_no_system_is_the_figure_itself() {
        let (mut measured, _) = measured(1, &[100.0, 50.0, 100.0]);
        measured.case.goal = Some(Goal { figure: Figure::Messages, bound: 60.0, of: None });
        assert_eq!(measured.goal().unwrap().1, 50.0);
    }

    #[test]
    fn rounds_in_which_raw_moved_are_thrown_away_and_repeated() {
        let (measured, _) = measured(2, &[100.0, 80.0, 200.0, 100.0, 200.0, 100.0, 210.0]);
        assert_eq!((measured.rounds.len(), measured.thrown.len()), (2, 1));
        assert!(!measured.unsteady);
        assert_eq!(measured.ratios[0].most, 0.5);
    }

    #[test]
    fn on_a_machine_that_is_never_steady_the_tries_end_and_the_result_says_so() {
        let speeds: Vec<f64> =
            (0..40).map(|run| if run % 4 == 0 { 100.0 } else { 200.0 }).collect();
        let (measured, runs) = measured(2, &speeds);
        assert!(measured.unsteady);
        assert_eq!(runs, 1 + 2 * 2 * TRIES);
        assert_eq!(measured.rounds.len(), 2 * TRIES);
    }

    #[test]
    fn a_failed_run_fails_the_case() {
        assert!(measure(&case(1), |_| Err("a message came back changed".into())).is_err());
    }

    #[test]
    fn the_median_of_an_even_number_lies_between_the_middle_two() {
        assert_eq!(spread(vec![4.0, 1.0, 2.0, 100.0]), Some((1.0, 3.0, 100.0)));
        assert_eq!(spread(vec![]), None);
    }
}
