//! Which languages play, and what.

/// A language, and the program that plays it.
#[derive(Clone)]
pub(crate) struct Language {
    pub(crate) name: String,
    /// The program and its arguments.
    pub(crate) command: Vec<String>,
}

/// What the command line says.
pub(crate) struct Arguments {
    languages: Vec<Language>,
    /// Only scenarios with this in their name.
    pub(crate) only: Option<String>,
    pair: Option<String>,
}

impl Arguments {
    pub(crate) fn new(mut words: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut arguments = Self { languages: Vec::new(), only: None, pair: None };
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or(format!("{word} needs a value"));
            match word.as_str() {
                "--only" => arguments.only = Some(value()?),
                "--pair" => arguments.pair = Some(value()?),
                _ => arguments.languages.push(language(&word)?),
            }
        }
        if arguments.languages.is_empty() {
            return Err("there is no language; give LANGUAGE=COMMAND".into());
        }
        Ok(arguments)
    }

    /// Every language with every other and with itself, both ways; or the one pair that was asked for.
    pub(crate) fn pairs(&self) -> Result<Vec<[&Language; 2]>, String> {
        let all = || self.languages.iter();
        let mut pairs: Vec<_> = all().flat_map(|a| all().map(move |b| [a, b])).collect();
        if let Some(pair) = &self.pair {
            pairs.retain(|[a, b]| format!("{},{}", a.name, b.name) == *pair);
        }
        if pairs.is_empty() {
            let names: Vec<_> = all().map(|it| it.name.as_str()).collect();
            let (pair, names) = (self.pair.as_deref().unwrap_or_default(), names.join(", "));
            return Err(format!(
                "--pair {pair} is no pair of {names}; give two, such as rust,rust"
            ));
        }
        Ok(pairs)
    }
}

fn language(word: &str) -> Result<Language, String> {
    let parts =
        word.split_once('=').filter(|(name, command)| !name.is_empty() && !command.is_empty());
    let (name, command) = parts.ok_or(format!("{word} is no LANGUAGE=COMMAND"))?;
    let command = command.split_whitespace().map(str::to_owned).collect();
    Ok(Language { name: name.to_owned(), command })
}
