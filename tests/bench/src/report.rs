//! The table for people and the JSON for programs.

use std::{fs, path::Path, time::Duration};

use serde_json::json;

use crate::{
    Outcome,
    alone::{self, Alone},
    arguments::{Arguments, System, Work, spelt},
    figures::Figure,
    machine::Machine,
    record::Block,
    rounds::{Measured, Ratio},
};

/// What must be known before the figures.
pub(crate) fn heading(machine: &Machine) {
    println!("{}, {} cores, {}", machine.processor, machine.cores, machine.system);
    println!("congestion control {}, load {}", machine.congestion_control, machine.load);
    for warning in warnings(machine) {
        println!("WARNING: {warning}");
    }
}

/// What the command line chose and gave no means to measure; `pyzmq` says whether there is one, if there
/// is a Python.
pub(crate) fn missing(arguments: &Arguments, pyzmq: Option<bool>) {
    let chosen = |works: &[Work]| works.iter().any(|work| arguments.choose(*work));
    if arguments.c_library.is_none() && chosen(&[Work::CFlood]) {
        println!("NOT MEASURED: the C interface, as --c-library names no library");
    }
    if arguments.node.is_none() && chosen(&[Work::NodeFlood, Work::NodeRoundTrip]) {
        println!("NOT MEASURED: the Node interface, as --node names no folder of packages");
    }
    if arguments.rivals.is_none() && chosen(&[Work::Rivals]) {
        println!("NOT MEASURED: others in Rust and C, as --rivals names no program");
    }
    if !chosen(&[Work::PythonFlood, Work::PythonRoundTrip]) {
        return;
    }
    match pyzmq {
        None => println!("NOT MEASURED: the Python interface, as --python names no interpreter"),
        Some(false) => println!("NOT MEASURED: pyzmq, as the Python lacks it"),
        Some(true) => (),
    }
}

fn warnings(machine: &Machine) -> Vec<String> {
    let busy = machine.load.split(' ').next().and_then(|load| load.parse().ok()).unwrap_or(0.0);
    let all = [
        (machine.debug_build, "this is a debug build: no figure means anything".to_owned()),
        (busy > 0.5, format!("the machine is busy (load {busy}): expect rounds thrown away")),
        (machine.cores == 0, "processes cannot be tied to cores here: they will move".to_owned()),
        (machine.cores == 1, "there is one core: both ends of every run share it".to_owned()),
    ];
    all.into_iter().filter_map(|(applies, text)| applies.then_some(text)).collect()
}

/// One case, as a block of lines.
pub(crate) fn table(measured: &Measured) {
    let case = &measured.case;
    println!("\n{}", case.title());
    let systems: Vec<System> = [case.reference].into_iter().chain(case.beside.clone()).collect();
    let references = case.references();
    let values = systems.iter().map(|system| format!("{:>16}", spelt(system)));
    let ratios = references
        .iter()
        .map(|to| format!("{:>30}", format!("{}/{}", spelt(&case.ours()), spelt(to))));
    println!("  {:<32}{}", "", values.chain(ratios).collect::<String>());
    for figure in measured.figures() {
        let value =
            |system: &System| format!("    {}", number(measured.median_of(*system, figure)));
        let values = systems.iter().map(value);
        let ratios = references.iter().map(|to| ratio(measured, figure, *to));
        println!("  {:<32}{}", label(figure), values.chain(ratios).collect::<String>());
    }
    println!("  {}", which_rounds(measured));
    if let Some(verdict) = verdict(measured) {
        println!("  {verdict}");
    }
}

/// What nothing stands beside.
pub(crate) fn alone(block: &Block) {
    println!("\n{}", block.title);
    for row in &block.rows {
        let values = row.medians.iter().flatten().map(|value| number(*value));
        println!("  {:<32}{}", label(row.figure), values.collect::<String>());
    }
    if let Some(goal) = &block.goal {
        println!("  {goal}");
    }
}

pub(crate) fn label(figure: Figure) -> &'static str {
    match figure {
        Figure::Messages => "messages/s",
        Figure::Megabytes => "MB/s",
        Figure::SendingProcessor => "processor s/GB, sending end",
        Figure::ReceivingProcessor => "processor s/GB, receiving end",
        Figure::Processor => "processor s/GB, both ends",
        Figure::Median => "median, us",
        Figure::NinetyNinth => "99th percentile, us",
        Figure::Connections => "connections/s",
        Figure::DiallingProcessor => "processor us each, dialling end",
        Figure::AcceptingMemory => "KiB each, accepting end",
        Figure::DiallingMemory => "KiB each, dialling end",
        Figure::ReadyMemory => "KiB each before dialling (node)",
        Figure::MostShare => "most that one got, of its share",
        Figure::LeastShare => "least that one got, of its share",
        Figure::KeptMemory => "KiB more at the sending end",
        Figure::Longest => "longest, us",
        Figure::Found => "ms",
        Figure::IdleProcessor => "processor, ms a second",
        Figure::IdleMemory => "memory, MiB",
    }
}

/// Three digits and more, in a column of twelve.
pub(crate) fn number(value: f64) -> String {
    match value {
        _ if value.is_nan() => format!("{:>12}", "-"),
        _ if value >= 1e7 => format!("{:>10.1} M", value / 1e6),
        _ if value >= 1e6 => format!("{:>10.2} M", value / 1e6),
        _ if value >= 1e4 => format!("{:>10.1} k", value / 1e3),
        _ if value >= 100.0 => format!("{value:>12.0}"),
        _ => format!("{value:>12.2}"),
    }
}

fn ratio(measured: &Measured, figure: Figure, to: System) -> String {
    let found = measured.ratios.iter().find(|ratio| ratio.figure == figure && ratio.to == to);
    let text = found.map_or_else(
        || "-".to_owned(),
        |Ratio { median, least, most, .. }| {
            let [median, least, most] = [*median, *least, *most].map(brief);
            format!("{median} ({least} to {most})")
        },
    );
    format!("{text:>30}")
}

/// At most five characters up to ten thousand.
pub(crate) fn brief(ratio: f64) -> String {
    let digits = if ratio < 10.0 { 2 } else { usize::from(ratio < 100.0) };
    format!("{ratio:.digits$}")
}

fn which_rounds(measured: &Measured) -> String {
    let (kept, thrown) = (measured.rounds.len(), measured.thrown.len());
    if measured.unsteady {
        format!("NOT STEADY: the reference moved in all {kept} rounds, so all of them stand here")
    } else if kept < measured.case.rounds {
        format!("NOT STEADY: only {kept} of {} rounds count", kept + thrown)
    } else {
        format!("{kept} rounds count, {thrown} thrown away; medians (least to most)")
    }
}

/// The goal of a case, and whether it was reached.
pub(crate) fn verdict(measured: &Measured) -> Option<String> {
    let (goal, reached) = measured.goal()?;
    let small = goal.figure.is_cost();
    let good = if small { reached <= goal.bound } else { reached >= goal.bound };
    let (word, result) = (if small { "at most" } else { "at least" }, alone::verdict(good));
    let bound = match goal.of {
        Some(system) => format!("{:.2} of {}", goal.bound, spelt(&system)),
        None => number(goal.bound).trim().to_owned(),
    };
    Some(format!("goal: {} {word} {bound}: {result}", label(goal.figure)))
}

/// Writes everything that was measured, round by round.
pub(crate) fn write(
    path: &Path,
    machine: &Machine,
    results: &[Measured],
    alone: &Alone,
) -> Outcome<()> {
    let text = serde_json::to_string_pretty(
        &json!({ "machine": machine, "results": results, "alone": alone }),
    )?;
    let failed = |error| format!("{} cannot be written: {error}", path.display());
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(failed)?;
    }
    fs::write(path, text + "\n").map_err(failed)?;
    println!("\nEvery round is in {}", path.display());
    Ok(())
}

/// How long all of it took: whoever waits wants to know it for the next time.
pub(crate) fn length(took: Duration) {
    let seconds = took.as_secs();
    println!("It took {} min {} s", seconds / 60, seconds % 60);
}
