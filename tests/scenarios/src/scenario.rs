//! What `scenarios.toml` says, checked as it is read.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value};

/// Everything that players can be told, but for what to do: players/README.md.
const ARGUMENTS: [&str; 12] = [
    "address", "count", "hex", "json", "remote", "secret", "settings", "size", "subject", "target",
    "text", "topic",
];

/// The whole file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    begin: BTreeMap<String, Vec<Map<String, Value>>>,
    scenario: Vec<Unchecked>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Unchecked {
    name: String,
    begin: Option<String>,
    steps: Vec<Map<String, Value>>,
}

/// The scenarios, and the steps that each begins with.
pub(crate) struct Script {
    pub(crate) begin: BTreeMap<String, Vec<Step>>,
    pub(crate) scenarios: Vec<Scenario>,
}

/// A behaviour.
pub(crate) struct Scenario {
    pub(crate) name: String,
    /// A name in [`Script::begin`].
    pub(crate) begin: Option<String>,
    pub(crate) steps: Vec<Step>,
}

/// One step; as text it is what the file says.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) action: Action,
    pub(crate) expected: Expected,
    pub(crate) unless: Map<String, Value>,
    pub(crate) text: String,
}

/// What is done.
#[derive(Debug)]
pub(crate) enum Action {
    /// A player does something with these arguments; under a name if nobody waits for it.
    Do { who: Who, verb: String, arguments: Map<String, Value>, begins: Option<String> },
    /// What was begun under this name has ended.
    Ends(String),
    /// A player is killed.
    Kill(Who),
    /// Messages go one way, or both.
    Carry { from: Option<Who>, remote: String, messages: Vec<Item> },
}

/// Which of the two players.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Who {
    A,
    B,
}

impl Who {
    pub(crate) const BOTH: [Self; 2] = [Self::A, Self::B];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::A => "a",
            Self::B => "b",
        }
    }

    pub(crate) const fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }
}

/// A message: exactly one of `hex`, `text`, `json` and `size` is there.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Item {
    pub(crate) hex: Option<String>,
    pub(crate) text: Option<String>,
    pub(crate) json: Option<String>,
    /// Bytes of the first message of a flood.
    pub(crate) size: Option<usize>,
    /// Text that often, or a list of that many such values.
    #[serde(default = "once")]
    pub(crate) times: usize,
}

const fn once() -> usize {
    1
}

/// What must be seen.
#[derive(Debug, Default)]
pub(crate) struct Expected {
    pub(crate) sees: Map<String, Value>,
    pub(crate) until: Map<String, Value>,
    /// The part of the answer that must not change any more.
    pub(crate) steady: Option<String>,
    pub(crate) fails: Option<String>,
    pub(crate) says: Option<String>,
    /// The part of the answer whose names are compared with those of other languages.
    pub(crate) names: Option<String>,
}

impl Script {
    pub(crate) fn new(toml: &str) -> Result<Self, String> {
        let file: File =
            toml::from_str(toml).map_err(|error| format!("scenarios.toml: {error}"))?;
        let begin = file.begin.into_iter().map(|(name, it)| Ok((name, steps(it)?)));
        let begin: BTreeMap<_, _> = begin.collect::<Result<_, String>>()?;
        let scenarios = file.scenario.into_iter().map(|it| {
            if it.begin.as_ref().is_some_and(|name| !begin.contains_key(name)) {
                return Err(format!("scenario {:?}: begin = {:?} is not there", it.name, it.begin));
            }
            let steps = steps(it.steps).map_err(|why| format!("scenario {:?}: {why}", it.name))?;
            Ok(Scenario { name: it.name, begin: it.begin, steps })
        });
        let scenarios = scenarios.collect::<Result<_, String>>()?;
        Ok(Self { begin, scenarios })
    }
}

fn steps(steps: Vec<Map<String, Value>>) -> Result<Vec<Step>, String> {
    steps.into_iter().map(Step::new).collect()
}

impl Step {
    fn new(mut map: Map<String, Value>) -> Result<Self, String> {
        let text = Value::Object(map.clone()).to_string();
        let step =
            Self::parts(&mut map).and_then(|(action, expected, unless)| match map.keys().next() {
                Some(unknown) => Err(format!("{unknown} means nothing there")),
                None => Ok(Self { action, expected, unless, text: text.clone() }),
            });
        step.map_err(|why| format!("step {text}: {why}"))
    }

    fn parts(
        map: &mut Map<String, Value>,
    ) -> Result<(Action, Expected, Map<String, Value>), String> {
        let expected = Expected {
            sees: take(map, "sees")?.unwrap_or_default(),
            until: take(map, "until")?.unwrap_or_default(),
            steady: take(map, "steady")?,
            fails: take(map, "fails")?,
            says: take(map, "says")?,
            names: take(map, "names")?,
        };
        let unless = take(map, "unless")?.unwrap_or_default();
        Ok((Action::new(map)?, expected, unless))
    }
}

impl Action {
    fn new(map: &mut Map<String, Value>) -> Result<Self, String> {
        if let Some(name) = take(map, "ends")? {
            return Ok(Self::Ends(name));
        }
        if let Some(who) = take(map, "kill")? {
            return Ok(Self::Kill(who));
        }
        if let Some(messages) = take(map, "carries")? {
            let remote = take(map, "remote")?.ok_or("remote is missing")?;
            return Ok(Self::Carry { from: take(map, "from")?, remote, messages });
        }
        for who in Who::BOTH {
            if let Some(verb) = take(map, who.name())? {
                let begins = take(map, "begins")?;
                let known = ARGUMENTS.iter().filter_map(|name| map.remove_entry(*name));
                return Ok(Self::Do { who, verb, arguments: known.collect(), begins });
            }
        }
        Err("nobody does anything; give a, b, ends, kill or carries".into())
    }
}

fn take<T: for<'de> Deserialize<'de>>(
    map: &mut Map<String, Value>,
    name: &str,
) -> Result<Option<T>, String> {
    let value = map.remove(name).map(serde_json::from_value).transpose();
    value.map_err(|error| format!("{name}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(steps: &str) -> String {
        let toml = format!("[begin]\n[[scenario]]\nname = \"x\"\nsteps = [{steps}]");
        Script::new(&toml).err().unwrap()
    }

    #[test]
    fn what_the_file_says_can_be_read() {
        let script = Script::new(include_str!("../scenarios.toml")).unwrap();
        assert!(script.scenarios.len() > 20);
    }

    #[test]
    fn what_means_nothing_is_named_with_its_scenario_and_step() {
        let error = wrong(r#"{ a = "send", see = { count = 1 } }"#);
        assert!(error.contains("\"x\"") && error.contains("see means nothing"), "{error}");
        assert!(wrong(r#"{ remote = "r" }"#).contains("nobody does anything"));
        assert!(wrong(r#"{ remote = "r", carries = [{ txt = "" }] }"#).contains("txt"));
    }
}
