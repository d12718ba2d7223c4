//! What `docs/status.md` promises.

use std::collections::BTreeSet;

use serde_json::Value;

/// The names in the table under a heading. One that only groups others is not a name of its own.
pub(crate) fn documented(heading: &str) -> BTreeSet<String> {
    let page = include_str!("../../../../docs/status.md");
    let (_, section) = page.split_once(heading).unwrap();
    let section = section.split("\n## ").next().unwrap();
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `"));
    let cells = rows.filter_map(|row| row.split(" | ").next());
    let all: BTreeSet<String> = cells
        .flat_map(|cell| cell.split(", "))
        .map(|name| name.trim_matches('`').to_owned())
        .collect();
    let groups = |name: &String| all.iter().any(|other| other.starts_with(&format!("{name}.")));
    all.iter().filter(|name| !groups(name)).cloned().collect()
}

/// The names in a document; those of a map whose keys are data are left out.
pub(crate) fn names(document: &Value) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    add_names("", document, &mut all);
    all
}

fn add_names(path: &str, value: &Value, all: &mut BTreeSet<String>) {
    match value {
        Value::Object(object) if path != "settings" && !path.ends_with(".counters") => {
            for (name, value) in object {
                let dot = if path.is_empty() { "" } else { "." };
                add_names(&format!("{path}{dot}{name}"), value, all);
            }
        }
        Value::Array(items) if items.iter().any(Value::is_object) => {
            items.iter().for_each(|item| add_names(&format!("{path}[]"), item, all));
        }
        _ => {
            all.insert(path.into());
        }
    }
}
