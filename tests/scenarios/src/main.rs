//! Plays the scenarios of `scenarios.toml` with every ordered pair of languages.
//!
//! ```text
//! scenarios LANGUAGE=COMMAND... [--only PART] [--pair LANGUAGE,LANGUAGE]
//! ```
//!
//! A *player* is a program in one language that does what it is told by lines of JSON, and answers so
//! (`players/README.md`). For each pair two are started, `a` and `b`; they play one scenario after the
//! other. What they report is compared with what the scenario says, so that all languages are held to
//! one list. What fails is shown with both players' last lines.
//!
//! # Layout
//! - `scenario`: what the file says. `play`: doing it. `expect`: comparing.
//! - `player`: one process. `addresses`: where there is nobody to connect to.
//! - `flood`: messages that all languages can make up. `json`: comparing JSON without losing digits.

mod addresses;
mod arguments;
mod expect;
mod flood;
mod json;
mod play;
mod player;
mod scenario;

use std::{
    process::ExitCode,
    time::{Duration, Instant},
};

use arguments::{Arguments, Language};
use play::Stage;
use scenario::Script;

/// What a player has for one answer, on a machine that does much else.
const DEADLINE: Duration = Duration::from_secs(60);

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("scenarios: {error}");
            ExitCode::from(2)
        }
    }
}

/// Whether everything was as the scenarios say.
fn run() -> Result<bool, String> {
    let arguments = Arguments::new(std::env::args().skip(1))?;
    let script = Script::new(include_str!("../scenarios.toml"))?;
    let mut stage = Stage::new(script.begin)?;
    let mut scenarios = script.scenarios;
    scenarios.retain(|it| arguments.only.as_ref().is_none_or(|part| it.name.contains(part)));
    let mut failures = 0;
    for [a, b] in arguments.pairs()? {
        let began = Instant::now();
        println!("{} with {}", a.name, b.name);
        let mut failed = 0;
        stage.enter(a, b)?;
        for scenario in &scenarios {
            if let Err(failure) = stage.play(scenario) {
                println!("{}", failure.report(scenario, a, b));
                failed += 1;
                stage.enter(a, b)?;
            }
        }
        if let Err(why) = stage.leave() {
            println!("  FAILED: at the end: {why}");
            failures += 1;
        }
        let (count, seconds) = (scenarios.len() - failed, began.elapsed().as_secs_f64());
        println!(
            "  {count} of {} scenarios are as they should be, {seconds:.1} s",
            scenarios.len()
        );
        failures += failed;
    }
    Ok(failures == 0 && !scenarios.is_empty())
}
