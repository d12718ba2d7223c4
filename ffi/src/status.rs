//! What a node tells of itself, and other settings while it runs.

use std::ffi::c_char;

use p2pchan::{Changes, Error, ErrorKind, Node, Target, Value};
use serde::Serialize;
use serde_json::{Map, Value as Json};

use crate::{
    node::p2pchan_node,
    result::{call, p2pchan_result},
    settings::{CALLBACKS, p2pchan_settings},
    text::{required, text, write_text},
};

/// Writes what a node tells as JSON.
///
/// # Safety
/// The node is live, and there is room for the text and its length, or they are NULL.
unsafe fn tell<T: Serialize>(
    node: *const p2pchan_node,
    (out, cap, len): (*mut c_char, usize, *mut usize),
    tell: impl FnOnce(&p2pchan_node, &Node) -> Result<T, Error>,
) -> p2pchan_result {
    call(|| {
        // SAFETY: the caller's promise.
        let node = unsafe { p2pchan_node::of(node) }?;
        let json = serde_json::to_string(&tell(node, node.running()?)?).map_err(|error| {
            Error::new(ErrorKind::Internal, format!("what a node tells is no JSON: {error}"))
        })?;
        // SAFETY: the caller's promise.
        unsafe { write_text(&json, out, cap, len) }
    })
}

/// Writes all that the node has open and under way, as JSON; docs/status.md lists its names. `len`
/// gets the length without NUL; it is written to `out` only if it fits with its NUL into `cap` bytes.
/// It may have grown when you ask again with more room.
///
/// Ownership: out is yours; NULL is allowed if cap is 0. Threads: any. Errors: P2PCHAN_ERR_INVALID
/// before p2pchan_node_start.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn p2pchan_node_status(
    node: *const p2pchan_node,
    out: *mut c_char,
    cap: usize,
    len: *mut usize,
) -> p2pchan_result {
    // SAFETY: the rules of the header.
    unsafe { tell(node, (out, cap, len), |_, node| Ok(node.status())) }
}

/// Writes all that is known of a peer or an address, as JSON: who found it, how each of the last dials
/// went, what is going on now (docs/status.md). `what` is a peer id, the first 8 or more digits of one,
/// or an address. Of what is not known it says so.
///
/// Ownership, `out`, `cap`, `len`: as p2pchan_node_status. Threads: any. Errors: P2PCHAN_ERR_INVALID
/// for anything else, and before p2pchan_node_start.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn p2pchan_node_explain(
    node: *const p2pchan_node,
    what: *const c_char,
    out: *mut c_char,
    cap: usize,
    len: *mut usize,
) -> p2pchan_result {
    // SAFETY: the rules of the header.
    unsafe {
        tell(node, (out, cap, len), |_, node| {
            Ok(node.explain(text(what, "what")?.parse::<Target>()?))
        })
    }
}

/// Writes the settings of this moment as a JSON object that p2pchan_settings_json reads: every key with
/// its value, null where nothing is set. It holds the seed if identity is one.
///
/// Ownership, `out`, `cap`, `len`: as p2pchan_node_status. Threads: any. Errors: P2PCHAN_ERR_INVALID
/// before p2pchan_node_start.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn p2pchan_node_settings(
    node: *const p2pchan_node,
    out: *mut c_char,
    cap: usize,
    len: *mut usize,
) -> p2pchan_result {
    // SAFETY: the rules of the header.
    unsafe {
        tell(node, (out, cap, len), |own, node| {
            let mut settings = object(node.settings());
            settings.insert(CALLBACKS.into(), own.settings.callbacks().name().into());
            Ok(settings)
        })
    }
}

fn object(changes: Changes) -> Map<String, Json> {
    changes.into_iter().map(|(key, value)| (key, json(value))).collect()
}

fn json(value: Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Boolean(boolean) => boolean.into(),
        Value::Integer(number) => number.into(),
        Value::Text(text) => text.into(),
        Value::List(items) => items.into_iter().map(json).collect(),
    }
}

/// Changes the settings while the node runs: those keys that were set in the table, no others; a key
/// set to NULL returns to what the settings file says, or to its default. What the settings name no
/// more is closed, what is new is opened, whatever stays is not touched. Updates are made one after the
/// other.
///
/// Request: NULL, or where to write a number; on_result with it says how it went: P2PCHAN_ERR_SETTINGS
/// and P2PCHAN_ERR_IO leave everything as it was. Ownership: the settings are copied. Threads: any.
/// Errors: P2PCHAN_ERR_SETTINGS if the table names a settings file, or another value of callbacks;
/// P2PCHAN_ERR_INVALID before p2pchan_node_start; P2PCHAN_ERR_CLOSED once the node was stopped.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn p2pchan_node_update(
    node: *mut p2pchan_node,
    settings: *const p2pchan_settings,
    request: *mut u64,
) -> p2pchan_result {
    // SAFETY: the rules of the header.
    call(|| unsafe {
        let node = p2pchan_node::of(node)?;
        let table = required(settings, "settings")?.table();
        let changes = table.update(node.settings.callbacks())?;
        let running = node.running()?.clone();
        node.request(request, async move { running.update(changes).await.map(|()| None) })
    })
}

/// Reads the settings file again (p2pchan_settings_load): what it says now replaces what it said
/// before. What the program has set stands above it.
///
/// Request: as p2pchan_node_update; on_result also says P2PCHAN_ERR_SETTINGS if there is no settings
/// file, and P2PCHAN_ERR_IO if it cannot be read. Threads: any. Errors: P2PCHAN_ERR_INVALID before
/// p2pchan_node_start; P2PCHAN_ERR_CLOSED once the node was stopped.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn p2pchan_node_reload(
    node: *mut p2pchan_node,
    request: *mut u64,
) -> p2pchan_result {
    // SAFETY: the rules of the header.
    call(|| unsafe {
        let node = p2pchan_node::of(node)?;
        let running = node.running()?.clone();
        node.request(request, async move { running.reload().await.map(|()| None) })
    })
}
