//! What a run came to, in files that stay: one for each kind of work, so that a run of one of them replaces no other.
//!
//! A folder of records has for each work `WORK.json`, which `--check` compares with, and `WORK.svg`, a picture of its
//! ratios; and `README.md` with all tables, made anew from all the files that are there.

use std::{collections::BTreeMap, fs, path::Path};

use serde::{Deserialize, Serialize};

use crate::{
    Outcome,
    alone::Alone,
    arguments::{System, Work, spelt},
    figures::Figure,
    machine::Machine,
    page, plot,
    rounds::Measured,
};

/// Everything that one kind of work came to.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) work: String,
    pub(crate) machine: Machine,
    /// What measured, and what was measured with, by name.
    pub(crate) versions: BTreeMap<String, String>,
    pub(crate) blocks: Vec<Block>,
}

/// One case.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Block {
    pub(crate) title: String,
    pub(crate) ours: String,
    /// In the order of the table.
    pub(crate) systems: Vec<String>,
    pub(crate) rounds: usize,
    pub(crate) thrown: usize,
    /// Whether as many rounds counted as were wanted.
    pub(crate) steady: bool,
    pub(crate) goal: Option<String>,
    pub(crate) rows: Vec<Row>,
}

/// One figure of a case.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Row {
    pub(crate) figure: Figure,
    /// Medians of the systems, in their order; none where a system has no such figure.
    pub(crate) medians: Vec<Option<f64>>,
    pub(crate) ratios: Vec<Spread>,
}

/// A ratio of ours to another system.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Spread {
    pub(crate) to: String,
    pub(crate) least: f64,
    pub(crate) median: f64,
    pub(crate) most: f64,
}

impl Block {
    /// What nothing stands beside.
    pub(crate) fn alone(title: String, goal: String, values: &[(Figure, f64)]) -> Self {
        let ours = spelt(&System::P2pchan);
        let row = |(figure, value): &(Figure, f64)| Row {
            figure: *figure,
            medians: vec![Some(*value)],
            ratios: Vec::new(),
        };
        Self {
            title,
            systems: vec![ours.clone()],
            ours,
            rounds: 1,
            thrown: 0,
            steady: true,
            goal: Some(goal),
            rows: values.iter().map(row).collect(),
        }
    }

    pub(crate) fn of(measured: &Measured) -> Self {
        let case = &measured.case;
        let systems: Vec<_> = [case.reference].into_iter().chain(case.beside.clone()).collect();
        let row = |figure| Row {
            figure,
            medians: systems
                .iter()
                .map(|system| Some(measured.median_of(*system, figure)).filter(|it| !it.is_nan()))
                .collect(),
            ratios: measured
                .ratios
                .iter()
                .filter(|ratio| ratio.figure == figure)
                .map(|ratio| Spread {
                    to: spelt(&ratio.to),
                    least: ratio.least,
                    median: ratio.median,
                    most: ratio.most,
                })
                .collect(),
        };
        Self {
            title: case.title(),
            ours: spelt(&case.ours()),
            systems: systems.iter().map(spelt).collect(),
            rounds: measured.rounds.len(),
            thrown: measured.thrown.len(),
            steady: !measured.unsteady && measured.rounds.len() >= case.rounds,
            goal: crate::report::verdict(measured),
            rows: measured.figures().into_iter().map(row).collect(),
        }
    }
}

/// Writes a file for each work, and the pictures and the page of all that the folder has then.
pub(crate) fn write(
    folder: &Path,
    machine: &Machine,
    versions: &BTreeMap<String, String>,
    results: &[Measured],
    alone: &Alone,
) -> Outcome<()> {
    fs::create_dir_all(folder)
        .map_err(|error| format!("{} cannot be made: {error}", folder.display()))?;
    for (work, blocks) in by_work(results).into_iter().chain(alone.blocks()) {
        let (machine, versions) = (machine.clone(), versions.clone());
        let record = Record { work: work.clone(), machine, versions, blocks };
        put(
            &folder.join(format!("{work}.json")),
            &(serde_json::to_string_pretty(&record)? + "\n"),
        )?;
    }
    let records = read(folder)?;
    for record in &records {
        if let Some(picture) = plot::picture(record) {
            put(&folder.join(format!("{}.svg", record.work)), &picture)?;
        }
    }
    put(&folder.join("README.md"), &page::page(&records))?;
    println!("Recorded in {}", folder.display());
    Ok(())
}

/// In the order of the table.
fn by_work(results: &[Measured]) -> Vec<(String, Vec<Block>)> {
    let mut works: Vec<(Work, Vec<Block>)> = Vec::new();
    for measured in results {
        let work = measured.case.work;
        match works.iter_mut().find(|(known, _)| *known == work) {
            Some((_, blocks)) => blocks.push(Block::of(measured)),
            None => works.push((work, vec![Block::of(measured)])),
        }
    }
    works.into_iter().map(|(work, blocks)| (spelt(&work), blocks)).collect()
}

fn put(path: &Path, text: &str) -> Outcome<()> {
    fs::write(path, text)
        .map_err(|error| format!("{} cannot be written: {error}", path.display()).into())
}

/// The records of a folder, by the names of their works.
///
/// # Errors
/// If the folder or a file of it cannot be read, or a file is no record; naming it.
pub(crate) fn read(folder: &Path) -> Outcome<Vec<Record>> {
    let failed = |path: &Path, error: &dyn std::fmt::Display| {
        format!("{} cannot be read: {error}; --record writes records", path.display())
    };
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).map_err(|error| failed(folder, &error))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "json") {
            paths.push(path);
        }
    }
    paths.sort();
    let record = |path: &std::path::PathBuf| {
        let text = fs::read_to_string(path).map_err(|error| failed(path, &error))?;
        Ok(serde_json::from_str(&text).map_err(|error| failed(path, &error))?)
    };
    paths.iter().map(record).collect()
}
