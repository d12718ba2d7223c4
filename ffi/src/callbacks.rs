//! What the library calls in the program.

use std::{
    cell::Cell,
    ffi::{c_char, c_void},
    ptr,
    sync::{
        OnceLock, Weak,
        atomic::{AtomicBool, Ordering},
    },
};

use p2pchan::{Batch, Error, ErrorKind, Kind, Newcomer, Reason, Sender};
use p2pchan_pump::{Answer, Program, RemoteId};

use crate::{
    node::p2pchan_node,
    remote::{p2pchan_info, p2pchan_kind, p2pchan_message, p2pchan_peer_id, p2pchan_remote},
    result::{P2PCHAN_OK, c_string, code, p2pchan_result},
};

/// Somebody who has proved a subject. It is lent, for the length of the call.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct p2pchan_newcomer {
    /// sizeof(p2pchan_newcomer), so that later versions can add members at the end.
    pub struct_size: usize,
    /// Who.
    pub peer: p2pchan_peer_id,
    /// The address that was dialled, or the one that the peer dialled from.
    pub address: *const c_char,
    /// For which subject: the phrase, or a raw topic as 64 hexadecimal digits.
    pub subject: *const c_char,
}

/// What the library calls. Begin with P2PCHAN_CALLBACKS_INIT and set those that you need; any may be
/// NULL. The rules at the top say when and where they run. The node is the one that calls; userdata is
/// the member of the same name.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct p2pchan_callbacks {
    /// sizeof(p2pchan_callbacks), so that later versions can add members at the end.
    pub struct_size: usize,
    /// Handed to every callback.
    pub userdata: *mut c_void,
    /// A remote has opened: a live channel to a peer, for a subject that both have. The information is
    /// that of p2pchan_remote_info; a raw topic stands as 64 hexadecimal digits.
    pub on_remote: Option<
        unsafe extern "C" fn(
            userdata: *mut c_void,
            node: *mut p2pchan_node,
            remote: p2pchan_remote,
            info: *const p2pchan_info,
            subject: *const c_char,
        ),
    >,
    /// A message has come. The data is lent, without a copy; NULL is never lent. Text and JSON are
    /// checked to be UTF-8, and are not followed by NUL; that JSON is JSON is not checked.
    pub on_data: Option<
        unsafe extern "C" fn(
            userdata: *mut c_void,
            node: *mut p2pchan_node,
            remote: p2pchan_remote,
            kind: p2pchan_kind,
            data: *const u8,
            len: usize,
        ),
    >,
    /// As on_data, which is not called when this is set, for all messages that are there, up to 256:
    /// one call for many.
    pub on_batch: Option<
        unsafe extern "C" fn(
            userdata: *mut c_void,
            node: *mut p2pchan_node,
            remote: p2pchan_remote,
            messages: *const p2pchan_message,
            count: usize,
        ),
    >,
    /// There is room again: called once after p2pchan_remote_try_send has answered
    /// P2PCHAN_ERR_WOULD_BLOCK.
    pub on_writable: Option<
        unsafe extern "C" fn(
            userdata: *mut c_void,
            node: *mut p2pchan_node,
            remote: p2pchan_remote,
        ),
    >,
    /// A remote has ended: P2PCHAN_OK if both sides have ended it and read everything, else why, with
    /// a sentence for people. Its number stands for nothing from the return of this call on.
    pub on_end: Option<
        unsafe extern "C" fn(
            userdata: *mut c_void,
            node: *mut p2pchan_node,
            remote: p2pchan_remote,
            why: p2pchan_result,
            message: *const c_char,
        ),
    >,
    /// The answer to a request: a call that gave you a number. The remote is that of p2pchan_connect,
    /// else 0. The message says why it failed; it is "" if it did not.
    pub on_result: Option<
        unsafe extern "C" fn(
            userdata: *mut c_void,
            node: *mut p2pchan_node,
            request: u64,
            result: p2pchan_result,
            remote: p2pchan_remote,
            message: *const c_char,
        ),
    >,
    /// Something has happened that has a name; the particulars are a JSON object. docs/status.md
    /// lists them. "stopped", after p2pchan_node_stop, is the last.
    pub on_event: Option<
        unsafe extern "C" fn(
            userdata: *mut c_void,
            node: *mut p2pchan_node,
            name: *const c_char,
            json: *const c_char,
        ),
    >,
    /// Somebody has proved a subject and would get a remote: 0 lets it in, everything else refuses it.
    /// It waits for the answer; without one within timeouts.handshake it is refused.
    pub on_newcomer: Option<
        unsafe extern "C" fn(
            userdata: *mut c_void,
            node: *mut p2pchan_node,
            newcomer: *const p2pchan_newcomer,
        ) -> i32,
    >,
    /// Called exactly once, when nothing else will be called any more: also if p2pchan_node_new fails,
    /// unless the structure itself cannot be read (NULL, or a struct_size that is none).
    pub on_drop: Option<unsafe extern "C" fn(userdata: *mut c_void)>,
}

thread_local! {
    /// Callbacks of any node that this thread is in.
    static DEPTH: Cell<u32> = const { Cell::new(0) };
}

/// An error inside any node's callback.
pub(crate) fn outside_callbacks(what: &str) -> Result<(), Error> {
    if DEPTH.with(Cell::get) == 0 {
        return Ok(());
    }
    let message = format!("{what} inside a callback would wait for itself; call it from elsewhere");
    Err(Error::new(ErrorKind::InCallback, message))
}

/// Calls a function of the program, which is a callback.
#[inline]
pub(crate) fn inside<T>(callback: impl FnOnce() -> T) -> T {
    DEPTH.with(|depth| depth.set(depth.get() + 1));
    let result = callback();
    DEPTH.with(|depth| depth.set(depth.get() - 1));
    result
}

/// Messages that `on_batch` gets at once: enough that the call costs nothing beside them.
const BATCH: usize = 256;

/// The callbacks of one node.
pub(crate) struct Calls {
    callbacks: p2pchan_callbacks,
    node: OnceLock<Weak<p2pchan_node>>,
    dropped: AtomicBool,
}

// SAFETY: the program promises that its callbacks may be called from any thread, with its userdata;
// two of them never run at once.
unsafe impl Send for Calls {}
// SAFETY: as above.
unsafe impl Sync for Calls {}

impl Calls {
    pub(crate) const fn new(callbacks: p2pchan_callbacks) -> Self {
        Self { callbacks, node: OnceLock::new(), dropped: AtomicBool::new(false) }
    }

    pub(crate) const fn want_newcomers(&self) -> bool {
        self.callbacks.on_newcomer.is_some()
    }

    /// Says whose callbacks they are.
    pub(crate) fn belong_to(&self, node: Weak<p2pchan_node>) {
        let _ = self.node.set(node);
    }

    /// Tells the program that nothing else will be called.
    pub(crate) fn drop_userdata(&self) {
        if !self.dropped.swap(true, Ordering::SeqCst)
            && let Some(on_drop) = self.callbacks.on_drop
        {
            // SAFETY: the program's function with its userdata.
            inside(|| unsafe { on_drop(self.callbacks.userdata) });
        }
    }

    fn node(&self) -> *mut p2pchan_node {
        self.node.get().map_or(ptr::null_mut(), |node| node.as_ptr().cast_mut())
    }
}

impl Drop for Calls {
    /// Whatever became of the node.
    fn drop(&mut self) {
        self.drop_userdata();
    }
}

impl Program for Calls {
    fn remote(&self, remote: RemoteId, sender: &Sender) {
        let Some(on_remote) = self.callbacks.on_remote else { return };
        let (info, subject) = (p2pchan_info::of(sender), c_string(sender.subject()));
        let (userdata, node, remote) = (self.callbacks.userdata, self.node(), remote.into());
        // SAFETY: the program's function; what it is lent lives until it returns.
        inside(|| unsafe { on_remote(userdata, node, remote, &raw const info, subject.as_ptr()) });
    }

    #[inline]
    fn messages(&self, remote: RemoteId, messages: &mut Batch) -> bool {
        let (userdata, node, remote) = (self.callbacks.userdata, self.node(), remote.into());
        let mut count = 1;
        if let Some(on_batch) = self.callbacks.on_batch {
            let mut lent = [p2pchan_message::EMPTY; BATCH];
            for (lent, (kind, payload)) in lent.iter_mut().zip(messages.lent()) {
                *lent = p2pchan_message::lend(kind, payload);
            }
            count = messages.len().min(BATCH);
            // SAFETY: as above.
            inside(|| unsafe { on_batch(userdata, node, remote, lent.as_ptr(), count) });
        } else if let Some(on_data) = self.callbacks.on_data
            && let Some((kind, payload)) = messages.lent().next()
        {
            let p2pchan_message { kind, data, len } = p2pchan_message::lend(kind, payload);
            // SAFETY: as above.
            inside(|| unsafe { on_data(userdata, node, remote, kind, data, len) });
        }
        messages.advance(count);
        true
    }

    fn writable(&self, remote: RemoteId) {
        let Some(on_writable) = self.callbacks.on_writable else { return };
        // SAFETY: the program's function with its userdata.
        inside(|| unsafe { on_writable(self.callbacks.userdata, self.node(), remote.into()) });
    }

    fn ended(&self, remote: RemoteId, reason: Option<&Reason>) {
        let Some(on_end) = self.callbacks.on_end else { return };
        let stopped = || Error::new(ErrorKind::Closed, "the node was stopped");
        let error = reason.map_or_else(|| Some(stopped()), Reason::to_error);
        let why = error.as_ref().map_or(P2PCHAN_OK, |error| code(error.kind()));
        let message =
            error.map_or_else(|| c"everything was read".into(), |error| c_string(error.message()));
        let (userdata, node, remote) = (self.callbacks.userdata, self.node(), remote.into());
        // SAFETY: the program's function; what it is lent lives until it returns.
        inside(|| unsafe { on_end(userdata, node, remote, why, message.as_ptr()) });
    }

    fn result(&self, request: u64, result: Result<Option<RemoteId>, &Error>) {
        let Some(on_result) = self.callbacks.on_result else { return };
        let remote = result.ok().flatten().unwrap_or(RemoteId(0)).into();
        let why = result.err().map_or(P2PCHAN_OK, |error| code(error.kind()));
        let message = c_string(result.err().map_or("", Error::message));
        let (userdata, node) = (self.callbacks.userdata, self.node());
        // SAFETY: the program's function; what it is lent lives until it returns.
        inside(|| unsafe { on_result(userdata, node, request, why, remote, message.as_ptr()) });
    }

    fn wants_events(&self) -> bool {
        self.callbacks.on_event.is_some()
    }

    fn newcomer(&self, newcomer: &Newcomer, answer: Answer) {
        let Some(on_newcomer) = self.callbacks.on_newcomer else { return answer.give(false) };
        let address = c_string(&newcomer.address.to_string());
        let subject = c_string(&newcomer.subject);
        let newcomer = p2pchan_newcomer {
            struct_size: size_of::<p2pchan_newcomer>(),
            peer: p2pchan_peer_id { bytes: *newcomer.peer.as_bytes() },
            address: address.as_ptr(),
            subject: subject.as_ptr(),
        };
        let (userdata, node) = (self.callbacks.userdata, self.node());
        // SAFETY: the program's function; what it is lent lives until it returns.
        answer.give(inside(|| unsafe { on_newcomer(userdata, node, &raw const newcomer) }) != 0);
    }

    fn event(&self, name: &str, json: &str) {
        let Some(on_event) = self.callbacks.on_event else { return };
        let (name, json) = (c_string(name), c_string(json));
        // SAFETY: the program's function; what it is lent lives until it returns.
        inside(|| unsafe {
            on_event(self.callbacks.userdata, self.node(), name.as_ptr(), json.as_ptr());
        });
    }
}

impl p2pchan_message {
    pub(crate) const EMPTY: Self = Self { kind: 0, data: ptr::null(), len: 0 };

    #[inline]
    const fn lend(kind: Kind, payload: &[u8]) -> Self {
        Self { kind: number(kind), data: payload.as_ptr(), len: payload.len() }
    }
}

#[inline]
const fn number(kind: Kind) -> p2pchan_kind {
    match kind {
        Kind::Bytes => crate::remote::P2PCHAN_BYTES,
        Kind::Json => crate::remote::P2PCHAN_JSON,
        Kind::Text => crate::remote::P2PCHAN_TEXT,
    }
}
