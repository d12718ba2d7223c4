//! Errors as the exceptions of `p2pchan._errors`.

use p2pchan::{Error, ErrorKind};
use pyo3::{prelude::*, sync::PyOnceLock};

/// The names of all kinds of errors: what the `code` of an exception may be.
#[pyfunction]
pub(crate) fn codes() -> Vec<&'static str> {
    ErrorKind::ALL.into_iter().map(ErrorKind::code).collect()
}

/// The exception object of an error.
pub(crate) fn object<'py>(py: Python<'py>, error: &Error) -> PyResult<Bound<'py, PyAny>> {
    static MAKE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let make = MAKE.import(py, "p2pchan._errors", "from_code")?;
    make.call1((error.kind().code(), error.message()))
}

/// The exception to raise for an error.
#[cold]
pub(crate) fn raise(py: Python<'_>, error: &Error) -> PyErr {
    object(py, error).map_or_else(|failed| failed, PyErr::from_value)
}
