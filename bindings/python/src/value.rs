//! Messages from and to Python objects: bytes-like objects as bytes, `str` as text, everything else as
//! JSON, of which nothing is lost either way: integers of any size and floats are exact.

use std::borrow::Cow;

use jiter::{PythonParse, StringCacheMode};
use p2pchan::{AsMessage, Error, ErrorKind, Kind};
use pyo3::{
    exceptions::{PyTypeError, PyValueError},
    prelude::*,
    types::{
        PyBool, PyByteArray, PyBytes, PyDict, PyFloat, PyInt, PyList, PyMemoryView, PyString,
        PyTuple,
    },
};

use crate::error::raise;

/// Lists and dicts inside each other: as deep as all the other languages read.
const DEPTH: usize = 127;
/// Characters of a key or number that an error shows.
const SHOWN: usize = 40;

/// A Python object on its way out, borrowed where that is possible.
pub(crate) struct Outgoing<'a> {
    kind: Kind,
    payload: Cow<'a, [u8]>,
}

impl<'a> Outgoing<'a> {
    /// # Errors
    /// `TypeError` naming the place of a value that is not JSON, `ValueError` for what is nested too
    /// deeply and for text that is not Unicode.
    pub(crate) fn new(object: &'a Bound<'_, PyAny>) -> PyResult<Self> {
        if let Ok(bytes) = object.cast::<PyBytes>() {
            return Ok(Self { kind: Kind::Bytes, payload: Cow::Borrowed(bytes.as_bytes()) });
        }
        if let Ok(text) = object.cast::<PyString>() {
            return Ok(Self {
                kind: Kind::Text,
                payload: Cow::Borrowed(text.to_str()?.as_bytes()),
            });
        }
        if object.is_none() {
            let message = "None cannot travel by itself; put it into a list or a dict";
            return Err(PyTypeError::new_err(message));
        }
        if let Some(bytes) = from_buffer(object)? {
            return Ok(Self { kind: Kind::Bytes, payload: Cow::Owned(bytes) });
        }
        Ok(Self { kind: Kind::Json, payload: Cow::Owned(to_json(object, "value")?) })
    }

    pub(crate) fn len(&self) -> usize {
        self.payload.len()
    }
}

impl AsMessage for Outgoing<'_> {
    fn as_message(&self) -> Result<(Kind, Cow<'_, [u8]>), Error> {
        Ok((self.kind, Cow::Borrowed(&self.payload)))
    }
}

/// The bytes of anything that has some, in the order in which it shows them.
fn from_buffer(object: &Bound<'_, PyAny>) -> PyResult<Option<Vec<u8>>> {
    if let Ok(bytes) = object.cast::<PyByteArray>() {
        return Ok(Some(bytes.to_vec()));
    }
    if object.is_instance_of::<PyDict>() || object.is_instance_of::<PyList>() {
        return Ok(None);
    }
    match object.py().get_type::<PyMemoryView>().call1((object,)) {
        Ok(view) => Ok(Some(view.call_method0("tobytes")?.extract()?)),
        Err(error) if error.is_instance_of::<PyTypeError>(object.py()) => Ok(None),
        Err(error) => Err(error),
    }
}

/// A value as JSON.
///
/// # Errors
/// As [`Outgoing::new`]; `name` is what the errors call the value.
pub(crate) fn to_json(value: &Bound<'_, PyAny>, name: &str) -> PyResult<Vec<u8>> {
    let mut json = Vec::new();
    write(&mut json, value, DEPTH).map_err(|fault| fault.raise(name))?;
    Ok(json)
}

/// What is wrong, and where: the innermost step comes first.
enum Fault {
    Value { why: String, steps: Vec<String>, too_deep: bool },
    Python(PyErr),
}

impl Fault {
    fn new(why: String) -> Self {
        Self::Value { why, steps: Vec::new(), too_deep: false }
    }

    fn inside(mut self, step: impl FnOnce() -> String) -> Self {
        if let Self::Value { steps, .. } = &mut self {
            steps.push(step());
        }
        self
    }

    fn raise(self, name: &str) -> PyErr {
        match self {
            Self::Value { why, too_deep: true, .. } => {
                PyValueError::new_err(format!("{name} {why}"))
            }
            Self::Value { why, steps, .. } => {
                let path: String = steps.into_iter().rev().collect();
                PyTypeError::new_err(format!("{name}{path} {why}"))
            }
            Self::Python(error) => error,
        }
    }
}

impl From<PyErr> for Fault {
    fn from(error: PyErr) -> Self {
        Self::Python(error)
    }
}

fn write(json: &mut Vec<u8>, value: &Bound<'_, PyAny>, depth: usize) -> Result<(), Fault> {
    if let Ok(text) = value.cast::<PyString>() {
        write_text(json, text.to_str()?);
    } else if let Ok(dict) = value.cast::<PyDict>() {
        write_dict(json, dict, inner(depth)?)?;
    } else if let Ok(list) = value.cast::<PyList>() {
        write_items(json, list.iter(), inner(depth)?)?;
    } else if let Ok(tuple) = value.cast::<PyTuple>() {
        write_items(json, tuple.iter(), inner(depth)?)?;
    } else if let Ok(boolean) = value.cast::<PyBool>() {
        json.extend_from_slice(if boolean.is_true() { b"true" } else { b"false" });
    } else if let Ok(int) = value.cast::<PyInt>() {
        write_int(json, int)?;
    } else if let Ok(float) = value.cast::<PyFloat>() {
        write_float(json, float.value())?;
    } else if value.is_none() {
        json.extend_from_slice(b"null");
    } else {
        return Err(Fault::new(format!("is {}; JSON has none", article(value)?)));
    }
    Ok(())
}

fn inner(depth: usize) -> Result<usize, Fault> {
    depth.checked_sub(1).ok_or_else(|| Fault::Value {
        why: format!("is nested deeper than {DEPTH} levels, or contains itself"),
        steps: Vec::new(),
        too_deep: true,
    })
}

fn article(value: &Bound<'_, PyAny>) -> PyResult<String> {
    let name = value.get_type().name()?.to_string();
    let vowel = name.starts_with(['a', 'e', 'i', 'o', 'u', 'A', 'E', 'I', 'O', 'U']);
    Ok(format!("{} {name}", if vowel { "an" } else { "a" }))
}

fn write_text(json: &mut Vec<u8>, text: &str) {
    // Text becomes JSON whatever it is, and a vector takes all.
    let _ = serde_json::to_writer(json, text);
}

fn write_int(json: &mut Vec<u8>, int: &Bound<'_, PyInt>) -> Result<(), Fault> {
    if let Ok(number) = int.extract::<i64>() {
        let _ = serde_json::to_writer(json, &number);
        return Ok(());
    }
    // As plain ints show themselves, whatever a class of the program's own would say.
    let digits = int.py().get_type::<PyInt>().call_method1("__repr__", (int,))?;
    json.extend_from_slice(digits.cast::<PyString>().map_err(PyErr::from)?.to_str()?.as_bytes());
    Ok(())
}

fn write_float(json: &mut Vec<u8>, number: f64) -> Result<(), Fault> {
    if !number.is_finite() {
        return Err(Fault::new(format!("is {number}; JSON has only finite numbers")));
    }
    // The shortest digits that are read as the same number.
    let _ = serde_json::to_writer(json, &number);
    Ok(())
}

fn write_items<'py>(
    json: &mut Vec<u8>,
    items: impl Iterator<Item = Bound<'py, PyAny>>,
    depth: usize,
) -> Result<(), Fault> {
    json.push(b'[');
    for (place, item) in items.enumerate() {
        if place > 0 {
            json.push(b',');
        }
        write(json, &item, depth).map_err(|fault| fault.inside(|| format!("[{place}]")))?;
    }
    json.push(b']');
    Ok(())
}

fn write_dict(json: &mut Vec<u8>, dict: &Bound<'_, PyDict>, depth: usize) -> Result<(), Fault> {
    json.push(b'{');
    for (place, (key, value)) in dict.iter().enumerate() {
        if place > 0 {
            json.push(b',');
        }
        let Ok(key) = key.cast::<PyString>() else {
            return Err(Fault::new(format!(
                "has a key that is {}; JSON has only text",
                article(&key)?
            )));
        };
        let key = key.to_str()?;
        write_text(json, key);
        json.push(b':');
        write(json, &value, depth).map_err(|fault| fault.inside(|| shown(key)))?;
    }
    json.push(b'}');
    Ok(())
}

/// A key as a step of a path.
fn shown(key: &str) -> String {
    let cut: String = key.chars().take(SHOWN).collect();
    let rest = if cut.len() < key.len() { "…" } else { "" };
    format!("[{:?}]", cut + rest)
}

/// A received message as a Python object.
///
/// # Errors
/// `ProtocolError` if a peer marked as JSON what is none.
pub(crate) fn from_message<'py>(
    py: Python<'py>,
    kind: Kind,
    payload: &[u8],
) -> PyResult<Bound<'py, PyAny>> {
    match kind {
        Kind::Bytes => Ok(PyBytes::new(py, payload).into_any()),
        // It was checked when it came.
        Kind::Text => Ok(PyString::new(py, str::from_utf8(payload).unwrap_or_default()).into_any()),
        Kind::Json => from_json(py, payload).map_err(|why| {
            let message = format!("the peer marked as JSON what is none: {why}");
            raise(py, &Error::new(ErrorKind::Protocol, message))
        }),
    }
}

/// What JSON says, or why it says nothing.
pub(crate) fn from_json<'py>(py: Python<'py>, json: &[u8]) -> Result<Bound<'py, PyAny>, String> {
    // Keys come again and again; values of a message are not to outlive it.
    let parse = PythonParse { cache_mode: StringCacheMode::Keys, ..PythonParse::default() };
    parse.python_parse(py, json).map_err(|error| error.description(json))
}

/// What the core says of itself, as a dict.
pub(crate) fn as_dict<'py>(py: Python<'py>, of: &impl ToString) -> PyResult<Bound<'py, PyAny>> {
    from_json(py, of.to_string().as_bytes())
        .map_err(|why| raise(py, &Error::new(ErrorKind::Internal, why)))
}
