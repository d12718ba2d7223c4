//! Playing scenarios with two players.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
    thread,
    time::{Duration, Instant},
};

use serde_json::{Map, Value};

use crate::{
    DEADLINE, Language,
    addresses::addresses,
    expect::{self, Answer},
    flood::Floods,
    player::{Player, shortened},
    scenario::{Action, Expected, Item, Scenario, Step, Who},
};

/// Between two tries of a step with `until`.
const PAUSE: Duration = Duration::from_millis(5);
/// Answers in a row after which something counts as steady.
const STEADY: u32 = 20;

/// Two players, and what is known of them.
pub(crate) struct Stage {
    begin: BTreeMap<String, Vec<Step>>,
    cast: Vec<(Language, Player)>,
    /// What "$…" stands for.
    variables: BTreeMap<String, String>,
    floods: Floods,
    /// The names in a document, and who said so first: by scenario and step.
    names: BTreeMap<String, (String, BTreeSet<String>)>,
}

/// What went wrong, and where.
pub(crate) struct Failure {
    step: String,
    why: String,
    said: [Vec<String>; 2],
}

impl Failure {
    pub(crate) fn report(&self, scenario: &Scenario, a: &Language, b: &Language) -> String {
        let [step, why] = [&self.step, &self.why].map(|it| shortened(it));
        let mut report = format!("  FAILED: {}\n    step: {step}\n    {why}\n", scenario.name);
        for (language, said) in [a, b].into_iter().zip(&self.said) {
            let _ = writeln!(report, "    {} was told (>) and answered (<):", language.name);
            for line in said {
                let _ = writeln!(report, "      {line}");
            }
        }
        report
    }
}

/// What has been begun and not ended: whose it is, and the number of the answer.
type Begun = BTreeMap<String, (Who, u64)>;

impl Stage {
    pub(crate) fn new(begin: BTreeMap<String, Vec<Step>>) -> Result<Self, String> {
        let mut variables =
            addresses().map_err(|error| format!("no ports on 127.0.0.1: {error}"))?;
        variables.insert("$topic".into(), "00ff7f80".repeat(8));
        let (cast, floods, names) = (Vec::new(), Floods::default(), BTreeMap::new());
        Ok(Self { begin, cast, variables, floods, names })
    }

    /// Starts two players; those before are gone.
    pub(crate) fn enter(&mut self, a: &Language, b: &Language) -> Result<(), String> {
        self.cast.clear();
        for language in [a, b] {
            self.cast.push((language.clone(), Player::start(language)?));
        }
        Ok(())
    }

    /// Lets both end by themselves.
    pub(crate) fn leave(&mut self) -> Result<(), String> {
        for (language, mut player) in self.cast.drain(..) {
            player.end().map_err(|why| format!("{}: {why}", language.name))?;
        }
        Ok(())
    }

    fn player(&mut self, who: Who) -> &mut Player {
        &mut self.cast[who as usize].1
    }

    fn language(&self, who: Who) -> &Language {
        &self.cast[who as usize].0
    }

    /// Plays a scenario, and stops the nodes of both.
    pub(crate) fn play(&mut self, scenario: &Scenario) -> Result<(), Failure> {
        let begin = scenario.begin.as_ref().and_then(|name| self.begin.remove_entry(name));
        let steps = begin.iter().flat_map(|(_, steps)| steps).chain(&scenario.steps);
        let mut begun = Begun::new();
        let played = steps.enumerate().try_for_each(|(place, step)| {
            let place = format!("{}, {place}", scenario.name);
            self.step(step, &mut begun, &place).map_err(|why| self.failure(step.text.clone(), why))
        });
        self.begin.extend(begin);
        played?;
        if let Some(name) = begun.keys().next() {
            let why = format!("{name:?} was begun and has no {{ ends = ... }}");
            return Err(self.failure("the last".into(), why));
        }
        for who in Who::BOTH {
            let stopped = self.ask(who, "stop", &Map::new());
            let stopped = stopped.and_then(|it| self.check(&it, &Expected::default()));
            stopped.map_err(|why| self.failure(format!("{} stops", who.name()), why))?;
        }
        Ok(())
    }

    fn failure(&self, step: String, why: String) -> Failure {
        let said = [0, 1].map(|place| self.cast[place].1.said().map(str::to_owned).collect());
        Failure { step, why, said }
    }

    fn step(&mut self, step: &Step, begun: &mut Begun, place: &str) -> Result<(), String> {
        match &step.action {
            Action::Do { who, .. } if step.unless.contains_key(&self.language(*who).name) => Ok(()),
            Action::Do { who, verb, arguments, begins: Some(name) } => {
                let arguments = self.filled(arguments)?;
                let number = self.player(*who).order(verb, &arguments)?;
                match begun.insert(name.clone(), (*who, number)) {
                    Some(_) => Err(format!("{name:?} has begun already")),
                    None => Ok(()),
                }
            }
            Action::Do { who, verb, arguments, begins: None } => {
                let answer = self.until(*who, verb, arguments, &step.expected)?;
                self.check_names(*who, &answer, &step.expected, place)?;
                self.check(&answer, &step.expected)
            }
            Action::Ends(name) => {
                let (who, number) = begun.remove(name).ok_or("that has not begun")?;
                let answer = self.player(who).answer(number)?;
                self.check(&answer, &step.expected)
            }
            Action::Kill(who) => {
                let language = self.language(*who).clone();
                self.player(*who).kill();
                self.cast[*who as usize].1 = Player::start(&language)?;
                Ok(())
            }
            Action::Carry { .. } if self.either_lacks(step) => Ok(()),
            Action::Carry { from, remote, messages } => {
                let ways = Who::BOTH.into_iter().filter(|who| from.is_none_or(|from| from == *who));
                ways.into_iter().try_for_each(|from| {
                    messages.iter().try_for_each(|item| self.carry(from, remote, item))
                })
            }
        }
    }

    /// Whether one of the two languages cannot do it.
    fn either_lacks(&self, step: &Step) -> bool {
        self.cast.iter().any(|(language, _)| step.unless.contains_key(&language.name))
    }

    /// Has a player do something, and waits for its answer.
    fn ask(&mut self, who: Who, verb: &str, arguments: &Answer) -> Result<Answer, String> {
        let arguments = self.filled(arguments)?;
        let number = self.player(who).order(verb, &arguments)?;
        let answer = self.player(who).answer(number)?;
        self.remember(who, &answer);
        Ok(answer)
    }

    /// The same again until the answer has what is wanted, and does not change any more.
    fn until(
        &mut self,
        who: Who,
        verb: &str,
        arguments: &Answer,
        expected: &Expected,
    ) -> Result<Answer, String> {
        let deadline = Instant::now() + DEADLINE;
        let (mut before, mut equal) = (None, 1);
        loop {
            let answer = self.ask(who, verb, arguments)?;
            let missing = expect::sees(&answer, &expected.until, &mut self.floods).err();
            let watched = expected.steady.as_ref().map(|part| answer.get(part).cloned());
            equal = if watched == before { equal + 1 } else { 1 };
            let steady = watched.is_none() || equal == STEADY;
            if missing.is_none() && steady {
                return Ok(answer);
            }
            if Instant::now() > deadline {
                let why = missing.unwrap_or(format!("{watched:?} still changes"));
                return Err(format!("not within {DEADLINE:?}: {why}"));
            }
            before = watched;
            thread::sleep(PAUSE);
        }
    }

    fn carry(&mut self, from: Who, remote: &str, item: &Item) -> Result<(), String> {
        let order = expect::order(item)?;
        let remote: Answer = [("remote".to_owned(), remote.into())].into_iter().collect();
        let send: Answer = order.clone().into_iter().chain(remote.clone()).collect();
        let sent = self.ask(from, "send", &send)?;
        self.check(&sent, &Expected::default())?;
        let answer = self.ask(from.other(), "recv", &remote)?;
        self.check(&answer, &Expected::default())?;
        let (from, to) = (from.name(), from.other().name());
        expect::arrived(&answer, &order).map_err(|why| format!("from {from} to {to}: {why}"))
    }

    fn check(&mut self, answer: &Answer, expected: &Expected) -> Result<(), String> {
        let sees = self.filled(&expected.sees)?;
        let expected = Expected {
            sees,
            fails: expected.fails.clone(),
            says: expected.says.clone(),
            ..Expected::default()
        };
        expect::check(answer, &expected, &mut self.floods)
    }

    fn check_names(
        &mut self,
        who: Who,
        answer: &Answer,
        expected: &Expected,
        place: &str,
    ) -> Result<(), String> {
        let Some(part) = &expected.names else { return Ok(()) };
        let names = expect::names(answer.get(part).unwrap_or(&Value::Null));
        let speaker = self.language(who).name.clone();
        let (first, known) =
            self.names.entry(place.to_owned()).or_insert_with(|| (speaker.clone(), names.clone()));
        let differ: Vec<_> = known.symmetric_difference(&names).cloned().collect();
        if names.is_empty() {
            return Err(format!("{part} has no names: {answer:?}"));
        }
        if differ.is_empty() {
            return Ok(());
        }
        Err(format!("{part} has other names in {first} than in {speaker}: {}", differ.join(", ")))
    }

    /// What "$a.id" and "$a.address" stand for from now on.
    fn remember(&mut self, who: Who, answer: &Answer) {
        let id = answer.get("id").and_then(Value::as_str);
        let addresses = answer.get("addresses").and_then(Value::as_array);
        let address = addresses.and_then(|all| all.first()).and_then(Value::as_str);
        for (name, value) in [("id", id), ("address", address)] {
            if let Some(value) = value {
                self.variables.insert(format!("${}.{name}", who.name()), value.to_owned());
            }
        }
    }

    /// The same with what "$…" stands for.
    fn filled(&self, map: &Map<String, Value>) -> Result<Map<String, Value>, String> {
        map.iter().map(|(name, value)| Ok((name.clone(), self.fill(value)?))).collect()
    }

    fn fill(&self, value: &Value) -> Result<Value, String> {
        Ok(match value {
            Value::String(text) if text.starts_with('$') => {
                let known = self.variables.get(text).ok_or(format!("{text} is not known"))?;
                known.as_str().into()
            }
            Value::Array(items) => {
                Value::Array(items.iter().map(|it| self.fill(it)).collect::<Result<_, _>>()?)
            }
            Value::Object(members) => Value::Object(self.filled(members)?),
            other => other.clone(),
        })
    }
}
