//! The table of settings, as C programs fill it.

use std::{
    ffi::c_char,
    path::PathBuf,
    sync::{Mutex, MutexGuard, PoisonError},
};

use p2pchan::{
    Builder, Changes, Error, ErrorKind, Node, Value, settings_from_file, settings_from_json,
};

use crate::{
    result::{answer, call, invalid, p2pchan_result},
    text::{optional_text, required, text},
};

/// The key that only the C interface has.
pub(crate) const CALLBACKS: &str = "callbacks";

/// A table of settings: text keys and their values, for p2pchan_node_new and p2pchan_node_update.
pub struct p2pchan_settings {
    table: Mutex<Table>,
}

/// Who runs callbacks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Callbacks {
    /// A thread of the library.
    #[default]
    Thread,
    /// Whoever calls `p2pchan_node_dispatch`.
    Dispatch,
}

impl Callbacks {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Thread => "thread",
            Self::Dispatch => "dispatch",
        }
    }

    fn read(value: &Value) -> Result<Self, Error> {
        match value {
            Value::Null => Ok(Self::default()),
            Value::Text(text) if text == "thread" => Ok(Self::Thread),
            Value::Text(text) if text == "dispatch" => Ok(Self::Dispatch),
            value => {
                let message =
                    format!("setting callbacks = {value}: give \"thread\" or \"dispatch\"");
                Err(Error::new(ErrorKind::Settings, message))
            }
        }
    }
}

/// What a program has said so far.
#[derive(Clone, Default)]
pub(crate) struct Table {
    changes: Changes,
    file: Option<PathBuf>,
    callbacks: Option<Callbacks>,
}

impl Table {
    /// Sets keys, all or none.
    fn set(&mut self, changes: Changes) -> Result<(), Error> {
        let (mut core, mut callbacks) = (Changes::new(), self.callbacks);
        for (key, value) in changes {
            if key == CALLBACKS {
                callbacks = Some(Callbacks::read(&value)?);
            } else {
                core.set(key, value);
            }
        }
        core.check_among(&[CALLBACKS])?;
        self.changes.extend(core);
        self.callbacks = callbacks;
        Ok(())
    }

    pub(crate) fn callbacks(&self) -> Callbacks {
        self.callbacks.unwrap_or_default()
    }

    /// What a node is started with.
    pub(crate) fn builder(&self) -> Builder {
        let builder = Node::builder().settings(self.changes.clone());
        match &self.file {
            Some(file) => builder.settings_file(file),
            None => builder,
        }
    }

    /// What a running node is to change.
    pub(crate) fn update(self, callbacks: Callbacks) -> Result<Changes, Error> {
        let wrong = |message: String| Err(Error::new(ErrorKind::Settings, message));
        if let Some(other) = self.callbacks.filter(|other| *other != callbacks) {
            let name = other.name();
            return wrong(format!(
                "setting callbacks = {name:?}: it cannot change while the node runs; leave it out"
            ));
        }
        if self.file.is_some() {
            return wrong(
                "the settings name a file, which an update does not read; use p2pchan_node_reload"
                    .into(),
            );
        }
        Ok(self.changes)
    }
}

impl p2pchan_settings {
    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn table(&self) -> Table {
        self.lock().clone()
    }
}

/// An empty table: every setting has its default.
///
/// Ownership: the caller's, given back by p2pchan_settings_free. Threads: any. Errors: NULL if it
/// cannot be made.
#[unsafe(no_mangle)]
pub extern "C" fn p2pchan_settings_new() -> *mut p2pchan_settings {
    answer(std::ptr::null_mut(), || {
        Ok(Box::into_raw(Box::new(p2pchan_settings { table: Mutex::default() })))
    })
}

/// Sets a key of the table of settings (docs/settings.md), such as "listen", to a value as text, such
/// as "0.0.0.0:8099", "16MiB", "5s" or "a, b". NULL sets it back to its default. One key exists in C
/// only: "callbacks", either "thread" (the default) or "dispatch"; see rule 6.
///
/// Ownership: key and value are copied. Threads: any. Errors: P2PCHAN_ERR_SETTINGS, naming the key,
/// the value and what is allowed, or the nearest key; then the table is as it was.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn p2pchan_settings_set(
    settings: *mut p2pchan_settings,
    key: *const c_char,
    value: *const c_char,
) -> p2pchan_result {
    call(|| {
        // SAFETY: the rules of the header.
        let (settings, key, value) = unsafe {
            (required(settings, "settings")?, text(key, "key")?, optional_text(value, "value")?)
        };
        settings.lock().set([(key, Value::from(value))].into_iter().collect())
    })
}

/// Reads settings from a TOML file as well; those set by p2pchan_settings_set or p2pchan_settings_json
/// stand above it. The file is read now, to check it, again by p2pchan_node_start, and whenever
/// p2pchan_node_reload is called. A second file takes the place of the first. "callbacks" does not
/// stand in files.
///
/// Ownership: the path is copied. Threads: any. Errors: P2PCHAN_ERR_IO naming the file if it cannot be
/// read, P2PCHAN_ERR_SETTINGS naming the file and the line; then the table is as it was.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn p2pchan_settings_load(
    settings: *mut p2pchan_settings,
    path: *const c_char,
) -> p2pchan_result {
    call(|| {
        // SAFETY: the rules of the header.
        let (settings, path) = unsafe { (required(settings, "settings")?, text(path, "path")?) };
        settings_from_file(path)?;
        settings.lock().file = Some(path.into());
        Ok(())
    })
}

/// Sets all keys of a JSON object: nested objects are dotted keys, null sets a key back to its
/// default.
///
/// Ownership: the text is copied. Threads: any. Errors: P2PCHAN_ERR_INVALID for what is not JSON,
/// P2PCHAN_ERR_SETTINGS as p2pchan_settings_set; then nothing of it is set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn p2pchan_settings_json(
    settings: *mut p2pchan_settings,
    json: *const c_char,
) -> p2pchan_result {
    call(|| {
        // SAFETY: the rules of the header.
        let (settings, json) = unsafe { (required(settings, "settings")?, text(json, "json")?) };
        let json = serde_json::from_str(json)
            .map_err(|error| invalid(format!("json is not JSON: {error}")))?;
        settings.lock().set(settings_from_json(&json)?)
    })
}

/// Gives a table back. Nodes made with it are not touched. NULL is allowed.
///
/// Ownership: the table is gone. Threads: any, while no other call uses the table. Errors: none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn p2pchan_settings_free(settings: *mut p2pchan_settings) {
    call(|| {
        if !settings.is_null() {
            // SAFETY: it came from `p2pchan_settings_new`, and is given back once.
            drop(unsafe { Box::from_raw(settings) });
        }
        Ok(())
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(table: &mut Table, key: &str, value: &str) -> Result<(), Error> {
        table.set([(key, value)].into_iter().collect())
    }

    #[test]
    fn the_mode_of_callbacks_is_a_key_like_the_others() {
        let mut table = Table::default();
        assert_eq!(table.callbacks(), Callbacks::Thread);
        set(&mut table, "callbacks", "dispatch").unwrap();
        assert_eq!(table.callbacks(), Callbacks::Dispatch);
        let error = set(&mut table, "callbacks", "threads").unwrap_err();
        assert!(error.message().contains("threads") && error.message().contains("dispatch"));
        let error = set(&mut table, "calbacks", "thread").unwrap_err();
        assert!(error.message().contains("did you mean callbacks?"), "{error}");
        assert_eq!(table.callbacks(), Callbacks::Dispatch);
    }

    #[test]
    fn of_several_keys_all_are_set_or_none() {
        let mut table = Table::default();
        let json = serde_json::json!({"limits": {"dials": 4}, "callbacks": "wrong"});
        assert!(table.set(settings_from_json(&json).unwrap()).is_err());
        assert_eq!(table.changes, Changes::new());
    }

    #[test]
    fn an_update_refuses_what_cannot_change() {
        let mut table = Table::default();
        set(&mut table, "callbacks", "dispatch").unwrap();
        assert!(table.clone().update(Callbacks::Dispatch).is_ok());
        assert!(table.update(Callbacks::Thread).is_err());
        let file = Table { file: Some("settings.toml".into()), ..Table::default() };
        assert!(file.update(Callbacks::Thread).unwrap_err().message().contains("reload"));
    }
}
