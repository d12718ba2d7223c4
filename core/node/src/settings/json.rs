//! Settings in JSON, which is also what dictionaries and objects of other languages become.

use p2pchan_proto::{
    error::{Error, ErrorKind},
    settings::{Changes, Value},
};
use serde_json::{Map, Value as Json};

use super::{dotted, set_once};

/// The settings of a JSON object: nested objects are dotted keys, null restores a default.
///
/// ```
/// let json = serde_json::json!({"listen": "127.0.0.1:0", "limits": {"dials": 4}, "allow": null});
/// let changes = p2pchan::settings_from_json(&json)?;
/// assert_eq!(changes.value("limits.dials"), Some(&4.into()));
/// # Ok::<(), p2pchan::Error>(())
/// ```
///
/// # Errors
/// [`ErrorKind::Settings`] naming the key whose value has a type that no setting has, or that stands
/// there twice. Whether the keys exist and their values are allowed is checked when they are used.
pub fn settings_from_json(json: &Json) -> Result<Changes, Error> {
    let Json::Object(object) = json else {
        let message =
            format!("settings are {}; give an object, such as {{\"listen\": \"…\"}}", kind(json));
        return Err(Error::new(ErrorKind::Settings, message));
    };
    let mut changes = Changes::new();
    let gathered = gather("", object, &mut changes);
    gathered.map(|()| changes).map_err(|why| Error::new(ErrorKind::Settings, why))
}

fn gather(table: &str, object: &Map<String, Json>, changes: &mut Changes) -> Result<(), String> {
    for (name, value) in object {
        let key = dotted(table, name);
        match value {
            Json::Object(object) => gather(&key, object, changes)?,
            value => {
                let value = to_value(value).map_err(|why| format!("setting {key}: {why}"))?;
                set_once(changes, &key, value)?;
            }
        }
    }
    Ok(())
}

fn to_value(json: &Json) -> Result<Value, String> {
    Ok(match json {
        Json::Null => Value::Null,
        Json::Bool(boolean) => (*boolean).into(),
        Json::String(text) => text.as_str().into(),
        Json::Array(items) => {
            Value::List(items.iter().map(to_value).collect::<Result<Vec<_>, _>>()?)
        }
        Json::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(number), _) => number.into(),
            (None, Some(number)) => number.into(),
            (None, None) => return Err("a number with a fraction; give a whole one".into()),
        },
        Json::Object(_) => return Err("an object in a list; give texts, numbers, booleans".into()),
    })
}

const fn kind(json: &Json) -> &'static str {
    match json {
        Json::Null => "null",
        Json::Bool(_) => "a boolean",
        Json::Number(_) => "a number",
        Json::String(_) => "text",
        Json::Array(_) => "a list",
        Json::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn nested_and_dotted_keys_mean_the_same() {
        let nested = json!({"discovery": {"bittorrent": {"port": 6881}}, "paused": true});
        let dotted = json!({"discovery.bittorrent": {"port": 6881}, "paused": true});
        let changes = settings_from_json(&nested).unwrap();
        assert_eq!(changes, settings_from_json(&dotted).unwrap());
        assert_eq!(changes.value("discovery.bittorrent.port"), Some(&6881.into()));
        assert_eq!(changes.value("paused"), Some(&true.into()));
    }

    #[test]
    fn lists_nulls_and_large_numbers_are_kept() {
        let json = json!({"a": ["x", 1, null], "b": null, "c": u64::MAX});
        let changes = settings_from_json(&json).unwrap();
        let list = Value::List(vec!["x".into(), 1.into(), Value::Null]);
        assert_eq!(changes.value("a"), Some(&list));
        assert_eq!(changes.value("b"), Some(&Value::Null));
        assert_eq!(changes.value("c"), Some(&u64::MAX.into()));
    }

    #[test]
    fn what_no_setting_can_be_is_told_by_its_key() {
        for (json, words) in [
            (json!([1]), &["settings are a list", "object"] as &[_]),
            (json!({"limits": {"dials": 1.5}}), &["limits.dials", "fraction"]),
            (json!({"subjects": [{"a": "s3cret"}]}), &["subjects", "object in a list"]),
            (json!({"limits.dials": 1, "limits": {"dials": 1}}), &["limits.dials", "twice"]),
        ] {
            let error = settings_from_json(&json).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Settings);
            assert!(words.iter().all(|word| error.message().contains(word)), "{error}");
            assert!(!error.message().contains("s3cret"), "{error}");
        }
    }
}
