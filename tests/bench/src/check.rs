//! Whether ratios have moved since they were recorded.
//!
//! A ratio has moved if the spreads of both runs, least to most, have nothing in common, and the medians are more than
//! a little apart. Which way is worse depends on the figure.

use std::path::Path;

use crate::{
    Outcome,
    figures::Figure,
    page,
    record::{Block, Record, Row, Spread, read},
    rounds::Measured,
};

/// Medians that are closer than this have not moved, however narrow the spreads are.
const LITTLE: f64 = 0.05;

/// How a ratio stands beside what was recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Change {
    None,
    Better,
    Worse,
}

/// Says what moved.
///
/// # Errors
/// If something has become worse, or nothing could be compared.
pub(crate) fn check(folder: &Path, results: &[Measured]) -> Outcome<()> {
    let records = read(folder)?;
    let (mut compared, mut worse) = (0, 0);
    println!("\nBeside what is recorded in {}:", folder.display());
    for new in results.iter().map(Block::of) {
        let Some(old) = recorded(&records, &new) else {
            println!("NOT COMPARED, as there is no record of it: {}", new.title);
            continue;
        };
        if !(new.steady && old.steady) {
            let which = if new.steady { "the record" } else { "this run" };
            println!("NOT COMPARED, as {which} was not steady: {}", new.title);
            continue;
        }
        for (figure, before, now) in pairs(old, &new) {
            compared += 1;
            let change = change(figure, before, now);
            worse += usize::from(change == Change::Worse);
            tell(&new, figure, before, now, change);
        }
    }
    println!("{compared} ratios compared, {worse} worse than recorded");
    match (compared, worse) {
        (0, _) => Err("nothing could be compared".into()),
        (_, 0) => Ok(()),
        _ => {
            Err(format!("{worse} ratios are worse than recorded, beyond the spread of both").into())
        }
    }
}

fn recorded<'a>(records: &'a [Record], new: &Block) -> Option<&'a Block> {
    let same = |old: &&Block| old.title == new.title && old.ours == new.ours;
    records.iter().flat_map(|record| &record.blocks).find(same)
}

/// The ratios that both have; rates in bytes say the same as those in messages.
fn pairs<'a>(old: &'a Block, new: &'a Block) -> Vec<(Figure, &'a Spread, &'a Spread)> {
    let counts = |row: &&Row| row.figure != Figure::Megabytes;
    let mut found = Vec::new();
    for row in new.rows.iter().filter(counts) {
        let Some(before) = old.rows.iter().find(|old| old.figure == row.figure) else { continue };
        for now in &row.ratios {
            let same = before.ratios.iter().find(|before| before.to == now.to);
            found.extend(same.map(|before| (row.figure, before, now)));
        }
    }
    found
}

fn change(figure: Figure, before: &Spread, now: &Spread) -> Change {
    let apart = (now.median - before.median).abs() > LITTLE * before.median.abs();
    let (rose, fell) = (now.least > before.most, now.most < before.least);
    match (apart && (rose || fell), rose != figure.is_cost()) {
        (false, _) => Change::None,
        (true, true) => Change::Better,
        (true, false) => Change::Worse,
    }
}

fn tell(block: &Block, figure: Figure, before: &Spread, now: &Spread, change: Change) {
    let word = match change {
        Change::None => return,
        Change::Better => "BETTER",
        Change::Worse => "WORSE",
    };
    let (before_text, now_text) = (page::spread(before), page::spread(now));
    let what = crate::report::label(figure);
    println!("{word}: {}: {what} of {}: {now_text}, recorded {before_text}", block.title, now.to);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spread(least: f64, median: f64, most: f64) -> Spread {
        Spread { to: "raw".to_owned(), least, median, most }
    }

    #[test]
    fn a_ratio_within_the_spread_of_both_runs_has_not_moved() {
        let before = spread(0.5, 0.6, 0.7);
        for now in [spread(0.7, 0.8, 0.9), spread(0.3, 0.4, 0.5), before.clone()] {
            assert_eq!(change(Figure::Messages, &before, &now), Change::None);
        }
    }

    #[test]
    fn which_way_is_worse_depends_on_the_figure() {
        let (before, more) = (spread(0.5, 0.6, 0.7), spread(0.8, 0.8, 0.9));
        assert_eq!(change(Figure::Messages, &before, &more), Change::Better);
        assert_eq!(change(Figure::Messages, &more, &before), Change::Worse);
        assert_eq!(change(Figure::Median, &before, &more), Change::Worse);
        assert_eq!(change(Figure::AcceptingMemory, &more, &before), Change::Better);
    }

    #[test]
    fn spreads_that_are_narrow_and_near_have_not_moved() {
        let (before, now) = (spread(105.0, 105.0, 105.0), spread(106.0, 106.0, 106.0));
        assert_eq!(change(Figure::AcceptingMemory, &before, &now), Change::None);
    }
}
