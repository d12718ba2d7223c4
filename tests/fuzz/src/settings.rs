//! Values of settings, addresses and ids.

use p2pchan_proto::{
    address::Address,
    id::PeerId,
    settings::{Changes, KEYS, Settings, Value},
    subject::SubjectName,
};

use crate::input::Input;

/// Changes, each a key and a value; the last one takes all that is left.
pub fn settings(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let mut settings = Settings::default();
    let mut first = true;
    while first || !input.is_empty() {
        first = false;
        let key = input.below(KEYS.len() + 1);
        let value = value(&mut input, 2);
        texts(&value);
        let name = KEYS.get(key).map_or("no.such.key", |key| key.name);
        if let Ok(changed) = settings.with(&[(name, value)].into_iter().collect::<Changes>()) {
            assert_ne!(name, "no.such.key");
            settings = changed;
        }
    }
    // All that is accepted can be written down, and reads back as the same.
    let written = settings.to_changes();
    assert_eq!(Settings::default().with(&written).unwrap(), settings);
}

fn value(input: &mut Input<'_>, depth: usize) -> Value {
    let kind = input.byte();
    match kind % 8 {
        0 => Value::Null,
        1 => Value::Boolean(input.flag()),
        2 => Value::Integer(i64::from_be_bytes(input.array())),
        3 => Value::Integer(i64::from(input.number())),
        4 if depth > 0 => {
            Value::List((0..input.below(6)).map(|_| value(input, depth - 1)).collect())
        }
        5 => text(input.rest()),
        _ => {
            let length = usize::from(input.byte());
            text(input.take(length))
        }
    }
}

fn text(bytes: &[u8]) -> Value {
    Value::Text(String::from_utf8_lossy(bytes).into_owned())
}

/// The text form of other things that users write.
fn texts(value: &Value) {
    let Value::Text(text) = value else { return };
    if let Ok(address) = text.parse::<Address>() {
        assert_eq!(address.to_string().parse::<Address>().unwrap(), address);
    }
    if let Ok(id) = text.parse::<PeerId>() {
        assert_eq!(id.to_string(), *text);
    }
    if let Ok(name) = SubjectName::phrase(text) {
        assert_eq!(name.as_phrase(), Some(&**text));
        assert!(!format!("{name:?}").contains(&**text) || "SubjectName(..)".contains(&**text));
    }
}
