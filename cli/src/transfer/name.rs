//! Names of files. Those from the network are hostile until they have passed here.

use std::{
    collections::BTreeSet,
    ffi::{OsStr, OsString},
    path::Path,
};

use super::wire::File;

/// File systems take 255 bytes, and " (1000)" and ".part" may be added.
const MAX_NAME: usize = 243;
/// What is added to the name of a file that is not whole yet.
const PART: &str = ".part";

/// Whether files of these names may travel together.
///
/// # Errors
/// What is wrong, with the name.
pub(crate) fn check_names(files: &[File]) -> Result<(), String> {
    let mut seen = BTreeSet::new();
    for name in files.iter().map(|file| &*file.name) {
        check(name)
            .map_err(|why| format!("{name:?} cannot be the name of a file here: it {why}"))?;
        if !seen.insert(local_name(name)) {
            return Err(format!("two files have the name {name:?}; send them one after the other"));
        }
    }
    // While a file arrives, it has this name.
    match seen.iter().find(|name| seen.contains(&format!("{name}{PART}"))) {
        None => Ok(()),
        Some(name) => Err(format!(
            "{name:?} and \"{name}{PART}\" cannot travel together; send them one after the other"
        )),
    }
}

fn check(name: &str) -> Result<(), &'static str> {
    let shown_as_it_is = |one: char| !one.is_control() && !is_reordering(one);
    match name {
        "" => Err("is empty"),
        "." | ".." => Err("is that of a folder"),
        _ if name.len() > MAX_NAME => Err("is longer than 243 bytes"),
        _ if name.contains(['/', '\\']) => Err("leads into another folder"),
        _ if !name.chars().all(shown_as_it_is) => Err("has control characters"),
        _ if cfg!(windows) && !windows_takes(name) => Err("means something else to Windows"),
        _ => Ok(()),
    }
}

/// Makes what follows be shown in another order, so that a name looks like another one.
fn is_reordering(character: char) -> bool {
    matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Devices have names in every folder there, colons name streams, and dots at the end are dropped.
fn windows_takes(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or(name).trim_end().to_ascii_uppercase();
    let numbered = stem.strip_prefix("COM").or_else(|| stem.strip_prefix("LPT"));
    !matches!(&*stem, "CON" | "PRN" | "AUX" | "NUL")
        && numbered.is_none_or(|number| number.chars().count() != 1)
        && !name.contains(['<', '>', ':', '"', '|', '?', '*'])
        && !name.ends_with(['.', ' '])
}

/// The name that a file gets here. A dot at its beginning would hide it, and programs do what hidden
/// files of certain names say; so it becomes `_.`.
pub(crate) fn local_name(name: &str) -> String {
    if name.starts_with('.') { format!("_{name}") } else { name.to_owned() }
}

/// The name to take instead when `name` exists: `name (1).txt` for `name.txt` and 1. For 0 the name
/// itself.
pub(crate) fn numbered(path: &Path, number: u16) -> OsString {
    let whole = path.file_name().unwrap_or_default();
    if number == 0 {
        return whole.to_owned();
    }
    // "archive.tar.gz" has two endings that belong together.
    let inner = path.file_stem().map(Path::new);
    let two = inner.filter(|inner| inner.extension() == Some(OsStr::new("tar")));
    let (stem, endings) = match two {
        Some(inner) => (inner.file_stem(), vec![Some(OsStr::new("tar")), path.extension()]),
        None => (path.file_stem(), vec![path.extension()]),
    };
    let mut name = stem.unwrap_or(whole).to_owned();
    name.push(format!(" ({number})"));
    for ending in endings.into_iter().flatten() {
        name.push(".");
        name.push(ending);
    }
    name
}

/// The name of a file while it is not whole.
pub(crate) fn part_name(path: &Path) -> OsString {
    let mut name = path.as_os_str().to_owned();
    name.push(PART);
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(names: &[&str]) -> Vec<File> {
        let file = |name: &&str| File { name: (*name).to_owned(), ..File::default() };
        names.iter().map(file).collect()
    }

    #[test]
    fn a_name_that_leads_elsewhere_or_commands_a_terminal_is_refused_and_told() {
        let long = "x".repeat(244);
        for name in [
            "",
            ".",
            "..",
            "/etc/passwd",
            "a/b",
            "../up",
            "..\\up",
            "C:\\boot",
            "new\nline",
            "\u{1b}[2J",
            "nul\0",
            "gpj.\u{202e}exe",
            "\u{2066}x",
            &long,
        ] {
            let error = check_names(&files(&["fine", name])).unwrap_err();
            assert!(error.contains(&format!("{name:?}")), "{error}");
            assert!(!error.contains(|one: char| one.is_control()), "{error:?}");
        }
    }

    #[test]
    fn ordinary_names_of_all_the_world_pass() {
        let longest = "x".repeat(243);
        let names = ["-", "...", ".env", "a b.txt", "naïve ☃ 写真.jpg", "10:30.log", "~", &longest];
        check_names(&files(&names)).unwrap();
    }

    #[test]
    fn windows_keeps_some_names_for_itself() {
        for name in ["con", "NUL.txt", "Com1", "lpt9.log", "a:b", "what?", "dot.", "space "] {
            assert!(!windows_takes(name), "{name}");
        }
        assert!(["console", "com", "com10", "a.b"].iter().all(|name| windows_takes(name)));
    }

    #[test]
    fn names_that_would_meet_on_the_way_do_not_travel_together() {
        assert!(check_names(&files(&["a", "b", "a"])).unwrap_err().contains("two files"));
        assert!(check_names(&files(&[".env", "_.env"])).unwrap_err().contains("two files"));
        assert!(check_names(&files(&["a.part", "a"])).unwrap_err().contains("\"a.part\""));
    }

    #[test]
    fn a_hidden_file_becomes_a_visible_one() {
        assert_eq!(local_name(".bashrc"), "_.bashrc");
        assert_eq!(local_name("a.b"), "a.b");
    }

    #[test]
    fn the_other_name_keeps_the_ending() {
        for (name, other) in [
            ("a", "a (2)"),
            ("a.txt", "a (2).txt"),
            ("a b.tar.gz", "a b (2).tar.gz"),
            ("_.env", "_ (2).env"),
            ("a.b.c", "a.b (2).c"),
            (".tar.gz", ".tar (2).gz"),
        ] {
            assert_eq!(numbered(Path::new(name), 2), OsString::from(other));
            assert_eq!(numbered(Path::new(name), 0), OsString::from(name));
        }
    }
}
