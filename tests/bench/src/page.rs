//! The page of a folder of records: a table for each case, and the pictures.

use std::fmt::Write;

use crate::{
    plot,
    record::{Block, Record, Row, Spread},
    report::{brief, label, number},
};

const HEAD: &str = "# Recorded figures\n\n\
    Written by `make bench RECORD=docs/benchmarks`; `make bench-check` compares a new run with it. \
    [benchmarks.md](../benchmarks.md) says what each block means, and why only ratios count. Ratios are medians, with the least \
    and the most. In the pictures 1 is the system beside which p2pchan is put: a dot is the median, a line the spread; \
    green is where p2pchan is ahead.\n";

/// All of it.
pub(crate) fn page(records: &[Record]) -> String {
    let mut text = HEAD.to_owned();
    for record in records {
        add_record(&mut text, record);
    }
    text
}

/// Writing into a string cannot fail.
fn add_record(text: &mut String, record: &Record) {
    let Record { work, machine, versions, blocks } = record;
    let versions: Vec<_> = versions.iter().map(|(name, text)| format!("{name} {text}")).collect();
    let _ = write!(
        text,
        "\n## {work}\n\n{}: {}, {} cores, {}, congestion control {}, load {}; {}{}\n{}",
        date(machine.unix_time),
        machine.processor,
        machine.cores,
        machine.system,
        machine.congestion_control,
        machine.load.split(' ').next().unwrap_or_default(),
        versions.join(", "),
        if machine.debug_build { "; a DEBUG BUILD: no figure means anything" } else { "" },
        if plot::picture(record).is_some() {
            format!("\n![{work}]({work}.svg)\n")
        } else {
            String::new()
        },
    );
    for block in blocks {
        add_block(text, block);
    }
}

fn add_block(text: &mut String, block: &Block) {
    let references: Vec<_> = block.systems.iter().filter(|name| **name != block.ours).collect();
    let ratios: Vec<_> = references.iter().map(|to| format!("{}/{to}", block.ours)).collect();
    let heads = block.systems.iter().chain(&ratios);
    let columns = block.systems.len() + ratios.len();
    let _ = write!(
        text,
        "\n{}: {}\n\n| |{}\n|---|{}\n",
        block.title,
        rounds(block),
        heads.map(|head| format!(" {head} |")).collect::<String>(),
        "---:|".repeat(columns)
    );
    for row in &block.rows {
        let values = row.medians.iter().map(|median| cell(median.map(number).as_deref()));
        let ratios = references.iter().map(|to| cell(ratio(row, to).as_deref()));
        let cells: String = values.chain(ratios).collect();
        let _ = writeln!(text, "| {} |{cells}", label(row.figure));
    }
    if let Some(goal) = &block.goal {
        let _ = writeln!(text, "\n{goal}");
    }
}

fn rounds(Block { rounds, thrown, steady, .. }: &Block) -> String {
    let steady = if *steady { "" } else { ", NOT STEADY" };
    format!("{rounds} rounds, {thrown} thrown away{steady}")
}

fn ratio(row: &Row, to: &str) -> Option<String> {
    row.ratios.iter().find(|ratio| ratio.to == to).map(spread)
}

fn cell(text: Option<&str>) -> String {
    format!(" {} |", text.unwrap_or("-").trim())
}

/// The median, with the least and the most.
pub(crate) fn spread(Spread { least, median, most, .. }: &Spread) -> String {
    format!("{} ({} to {})", brief(*median), brief(*least), brief(*most))
}

/// The day of a time in UTC, counted as in the proleptic Gregorian calendar.
fn date(unix_time: u64) -> String {
    // Years that begin in March: the leap day is the last one.
    let days = unix_time / 86_400 + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day_of_year = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let (month, next) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    format!("{:04}-{month:02}-{day:02}", year + era * 400 + next)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_those_of_the_calendar() {
        for (time, day) in [
            (0, "1970-01-01"),
            (951_782_400, "2000-02-29"),
            (1_709_164_800, "2024-02-29"),
            (1_767_225_599, "2025-12-31"),
            (4_107_542_400, "2100-03-01"),
        ] {
            assert_eq!(date(time), day);
        }
    }
}
