//! Comparing an answer with what the scenario says.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::{
    flood::{self, Floods},
    json,
    scenario::{Expected, Item},
};

/// What a player answered.
pub(crate) type Answer = Map<String, Value>;

/// What is wrong with an answer, `until` left aside.
pub(crate) fn check(
    answer: &Answer,
    expected: &Expected,
    floods: &mut Floods,
) -> Result<(), String> {
    let text = |name: &str| answer.get(name).and_then(Value::as_str);
    let (code, message) = (text("error"), text("message").unwrap_or_default());
    match (code, &expected.fails) {
        (None, Some(wanted)) => return Err(format!("it did not fail with {wanted}")),
        (Some(code), wanted) if wanted.as_deref() != Some(code) => {
            return Err(format!("it failed with {code}: {message}"));
        }
        _ => {}
    }
    if let Some(words) = expected.says.as_ref().filter(|words| !message.contains(*words)) {
        return Err(format!("the message {message:?} does not say {words:?}"));
    }
    sees(answer, &expected.sees, floods)
}

/// What is missing in an answer.
pub(crate) fn sees(
    answer: &Answer,
    wanted: &Map<String, Value>,
    floods: &mut Floods,
) -> Result<(), String> {
    for (path, wanted) in wanted {
        let seen = at(answer, path).unwrap_or(&Value::Null);
        if !fits(seen, wanted, floods) {
            return Err(format!("{path} is {seen}, not {wanted}"));
        }
    }
    Ok(())
}

fn at<'a>(answer: &'a Answer, path: &str) -> Option<&'a Value> {
    let (first, rest) = path.split_once('.').unwrap_or((path, ""));
    let value = answer.get(first)?;
    rest.split('.').filter(|step| !step.is_empty()).try_fold(value, |value, step| match value {
        Value::Array(items) => items.get(step.parse::<usize>().ok()?),
        other => other.get(step),
    })
}

fn fits(seen: &Value, wanted: &Value, floods: &mut Floods) -> bool {
    let Value::Object(wanted) = wanted else { return seen == wanted };
    wanted.iter().all(|(how, limit)| match how.as_str() {
        "below" => seen.as_u64() < limit.as_u64() && seen.is_u64(),
        "above" => seen.as_u64() > limit.as_u64(),
        "has" => seen.as_str().zip(limit.as_str()).is_some_and(|(seen, part)| seen.contains(part)),
        "hex" => seen.as_str().is_some_and(|seen| {
            Some(seen.len() as u64) == limit.as_u64()
                && seen.bytes().all(|it| matches!(it, b'0'..=b'9' | b'a'..=b'f'))
        }),
        "flood" => serde_json::from_value(limit.clone())
            .is_ok_and(|(count, size)| seen.as_u64() == Some(floods.crc(count, size).into())),
        _ => false,
    })
}

/// What of a message has to be told: which `kind` it is, and the order for whoever sends it.
pub(crate) fn order(item: &Item) -> Result<Answer, String> {
    let Item { hex, text, json, size, times } = item;
    let (name, value) = match (hex, text, json, size) {
        (Some(hex), None, None, None) => ("hex", hex.as_str().into()),
        (None, Some(text), None, None) => ("text", text.repeat(*times).into()),
        (None, None, Some(json), None) if *times == 1 => ("json", json.as_str().into()),
        (None, None, Some(json), None) => {
            ("json", format!("[{}]", vec![json.as_str(); *times].join(",")).into())
        }
        (None, None, None, Some(size)) => ("size", (*size).into()),
        _ => return Err(format!("{item:?} is no message; give one of hex, text, json and size")),
    };
    Ok([(name.to_owned(), value)].into_iter().collect())
}

/// What is wrong with a message that has arrived, if this order was to send it.
pub(crate) fn arrived(answer: &Answer, order: &Answer) -> Result<(), String> {
    let sent = |name: &str| order.get(name).and_then(Value::as_str);
    if let Some(text) = sent("json").and_then(|json| serde_json::from_str::<String>(json).ok())
        && answer.get("kind").is_some_and(|kind| kind == "text")
    {
        // A language may have one type for text and for JSON that is a text.
        let text = [("text".to_owned(), text.into())].into_iter().collect();
        return arrived(answer, &text);
    }
    let mut kind =
        order.keys().map(|key| if key == "hex" || key == "size" { "bytes" } else { key });
    let seen = answer.get("kind").and_then(Value::as_str);
    if seen != kind.next() {
        return Err(format!("a message of kind {order:?} arrived as {seen:?}"));
    }
    if let Some(json) = sent("json") {
        let seen = answer.get("value").and_then(Value::as_str).unwrap_or_default();
        return match json::same(seen, json)? {
            true => Ok(()),
            false => Err(format!("{json} arrived as {seen}")),
        };
    }
    let size = order.get("size").and_then(Value::as_u64);
    let payload = match (sent("hex"), sent("text"), size) {
        (Some(hex), ..) => bytes(hex)?,
        (_, Some(text), _) => text.as_bytes().to_vec(),
        (_, _, size) => flood::message(0, size.and_then(|it| it.try_into().ok()).unwrap_or(0)),
    };
    let numbers = [("length", payload.len() as u64), ("crc", flood::crc(&payload).into())];
    let wrong = numbers.iter().find(|(name, it)| answer.get(*name) != Some(&(*it).into()));
    wrong.map_or(Ok(()), |(name, it)| Err(format!("{name} is not {it}: {answer:?}")))
}

fn bytes(hex: &str) -> Result<Vec<u8>, String> {
    let digits: Option<Vec<u8>> =
        hex.chars().map(|it| it.to_digit(16).and_then(|it| it.try_into().ok())).collect();
    let digits = digits.filter(|it| it.len() % 2 == 0).ok_or(format!("{hex} is not hex"))?;
    Ok(digits.chunks(2).map(|pair| pair[0] * 16 + pair[1]).collect())
}

/// The paths of all names in a document; what stands in lists is one.
pub(crate) fn names(document: &Value) -> BTreeSet<String> {
    fn gather(at: &str, value: &Value, names: &mut BTreeSet<String>) {
        match value {
            Value::Object(members) => {
                for (name, value) in members {
                    let path = format!("{at}.{name}");
                    gather(&path, value, names);
                    names.insert(path);
                }
            }
            Value::Array(items) => {
                items.iter().for_each(|item| gather(&format!("{at}[]"), item, names));
            }
            _ => {}
        }
    }
    let mut found = BTreeSet::new();
    gather("", document, &mut found);
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(value: Value) -> Answer {
        serde_json::from_value(value).unwrap()
    }

    fn fault(answer: Value, sees: Value, fails: Option<&str>) -> Option<String> {
        let fails = fails.map(str::to_owned);
        let expected = Expected { sees: object(sees), fails, ..Expected::default() };
        check(&object(answer), &expected, &mut Floods::default()).err()
    }

    #[test]
    fn what_is_as_it_should_be_passes() {
        let answer = json!({"n": 3, "deep": [{"x": "tcp://1"}], "id": "0f"});
        let sees =
            json!({"n": {"below": 4, "above": 2}, "deep.0.x": {"has": "tcp"}, "id": {"hex": 2}});
        assert_eq!(fault(answer, sees, None), None);
        assert_eq!(fault(json!({"error": "IO", "message": "m"}), json!({}), Some("IO")), None);
        let crc = flood::crc(&flood::message(0, 0));
        assert_eq!(fault(json!({"crc": crc}), json!({"crc": {"flood": [1, 0]}}), None), None);
    }

    #[test]
    fn what_is_not_is_named() {
        for (answer, sees, fails) in [
            (json!({"n": 3}), json!({"n": 4}), None),
            (json!({}), json!({"n": 4}), None),
            (json!({}), json!({"n": {"below": 4}}), None),
            (json!({"n": 4}), json!({"n": {"below": 4}}), None),
            (json!({"n": 4}), json!({"n": {"above": 4}}), None),
            (json!({"n": "0G"}), json!({"n": {"hex": 2}}), None),
            (json!({"n": 4}), json!({"n": {"belwo": 5}}), None),
            (json!({"error": "IO"}), json!({}), None),
            (json!({"error": "IO"}), json!({}), Some("AUTH")),
            (json!({}), json!({}), Some("AUTH")),
        ] {
            assert!(fault(answer.clone(), sees, fails).is_some(), "{answer}");
        }
    }

    #[test]
    fn a_message_of_another_kind_or_content_has_not_arrived() {
        let text = object(json!({"text": "hi"}));
        let seen = |kind: &str, crc| object(json!({"kind": kind, "length": 2, "crc": crc}));
        let crc = flood::crc(b"hi");
        assert_eq!(arrived(&seen("text", crc), &text), Ok(()));
        assert!(arrived(&seen("bytes", crc), &text).is_err());
        assert!(arrived(&seen("text", crc + 1), &text).is_err());
        assert_eq!(arrived(&seen("bytes", crc), &object(json!({"hex": "6869"}))), Ok(()));
        let json = object(json!({"json": "[1.0]"}));
        let seen = |value: &str| object(json!({"kind": "json", "value": value}));
        assert_eq!(arrived(&seen("[1e0]"), &json), Ok(()));
        assert!(arrived(&seen("[1]"), &json).is_err());
        let json = object(json!({"json": "\"hi\""}));
        assert_eq!(
            arrived(&object(json!({"kind": "text", "length": 2, "crc": crc})), &json),
            Ok(())
        );
        assert!(arrived(&object(json!({"kind": "text", "length": 2, "crc": 1})), &json).is_err());
    }

    #[test]
    fn the_names_of_a_document_are_its_paths() {
        let document = json!({"a": [{"b": 1}, {"c": null}], "d": {"e": []}});
        let names: Vec<_> = names(&document).into_iter().collect();
        assert_eq!(names, [".a", ".a[].b", ".a[].c", ".d", ".d.e"]);
    }
}
