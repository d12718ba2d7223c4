//! Remotes: sending, pausing, ending, asking.

use std::{
    borrow::Cow,
    ffi::{c_char, c_void},
    pin::pin,
    ptr,
    sync::{Arc, atomic::Ordering},
    task::{Context, Poll, Wake, Waker},
    thread::{self, Thread},
    time::{Duration, Instant},
};

use p2pchan::{AsMessage, Error, ErrorKind, Kind, Sender};
use p2pchan_pump::{Entry, RemoteId};

use crate::{
    node::p2pchan_node,
    result::{P2PCHAN_OK, answer, call, code, invalid, p2pchan_result},
    text::{bytes, null, place, write_text},
};

/// How data is marked, so that it arrives in the other language as what it was.
pub type p2pchan_kind = i32;

/// Any bytes.
pub const P2PCHAN_BYTES: p2pchan_kind = 0;
/// One JSON value in UTF-8.
pub const P2PCHAN_JSON: p2pchan_kind = 1;
/// UTF-8 text.
pub const P2PCHAN_TEXT: p2pchan_kind = 2;

/// A live, encrypted channel to one peer for one subject: a number, never 0 and never used again.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct p2pchan_remote {
    /// The number.
    pub id: u64,
}

impl From<RemoteId> for p2pchan_remote {
    fn from(RemoteId(id): RemoteId) -> Self {
        Self { id }
    }
}

/// Who a peer is: its Ed25519 public key. As text: 64 lower-case hexadecimal digits.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct p2pchan_peer_id {
    /// The public key.
    pub bytes: [u8; 32],
}

/// A message: lent to on_batch, or to be sent.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct p2pchan_message {
    /// How it is marked.
    pub kind: p2pchan_kind,
    /// Its bytes.
    pub data: *const u8,
    /// How many.
    pub len: usize,
}

/// What is known of a remote.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct p2pchan_info {
    /// sizeof(p2pchan_info), so that later versions can add members at the end.
    pub struct_size: usize,
    /// The peer's identity, proved.
    pub peer: p2pchan_peer_id,
    /// The address that was dialled, or the one that the peer dialled from, such as
    /// "tcp://192.0.2.7:8099".
    pub address: [c_char; 96],
    /// How the peer is connected: "tcp" or "quic".
    pub transport: [c_char; 16],
    /// 1 if a third peer relays the connection, else 0.
    pub relayed: i32,
    /// P2PCHAN_OK while it has not ended, and after a clean end; else why it has.
    pub reason: p2pchan_result,
    /// The smoothed round trip time in microseconds; -1 until it was measured.
    pub rtt: i64,
    /// Bytes that wait to be sent.
    pub queued: usize,
}

impl p2pchan_info {
    pub(crate) fn of(sender: &Sender) -> Self {
        let error = sender.reason().and_then(p2pchan::Reason::to_error);
        let micros = |rtt: Duration| i64::try_from(rtt.as_micros()).unwrap_or(i64::MAX);
        Self {
            struct_size: size_of::<Self>(),
            peer: p2pchan_peer_id { bytes: *sender.peer().as_bytes() },
            address: characters(&sender.address().to_string()),
            transport: characters(sender.address().transport.name()),
            relayed: i32::from(sender.relayed()),
            reason: error.map_or(P2PCHAN_OK, |error| code(error.kind())),
            rtt: sender.rtt().map_or(-1, micros),
            queued: sender.queued(),
        }
    }
}

/// ASCII text with NUL behind it, cut if it must be.
fn characters<const N: usize>(text: &str) -> [c_char; N] {
    let mut characters = [0; N];
    for (place, byte) in characters.iter_mut().take(N - 1).zip(text.bytes()) {
        *place = c_char::from_ne_bytes([byte]);
    }
    characters
}

/// Messages of a batch that are looked at together: what is set aside for them is small, and made seldom.
const GROUP: usize = 256;

/// What the program wants to send, lent for the length of a call.
struct Lent<'a> {
    kind: Kind,
    data: &'a [u8],
}

impl AsMessage for Lent<'_> {
    #[inline]
    fn as_message(&self) -> Result<(Kind, Cow<'_, [u8]>), Error> {
        Ok((self.kind, Cow::Borrowed(self.data)))
    }
}

impl<'a> Lent<'a> {
    /// # Safety
    /// As [`bytes`].
    #[inline]
    unsafe fn new(kind: p2pchan_kind, data: *const u8, len: usize) -> Result<Self, Error> {
        // SAFETY: the caller's promise.
        let data = unsafe { bytes(data, len, "data") }?;
        let kind = match kind {
            P2PCHAN_BYTES => return Ok(Self { kind: Kind::Bytes, data }),
            P2PCHAN_JSON => Kind::Json,
            P2PCHAN_TEXT => Kind::Text,
            _ => {
                let message = "give P2PCHAN_BYTES, P2PCHAN_JSON or P2PCHAN_TEXT";
                return Err(invalid(format!("kind {kind} is none; {message}")));
            }
        };
        check(kind, data)?;
        Ok(Self { kind, data })
    }

    /// These messages up to the first that is none; an error if it is the first of all.
    ///
    /// # Safety
    /// There are `count` messages, each with its data as [`bytes`] has it.
    unsafe fn group(messages: *const p2pchan_message, count: usize) -> Result<Vec<Self>, Error> {
        let mut group = Vec::with_capacity(count);
        for place in 0..count {
            // SAFETY: the caller's promise.
            let lent = unsafe {
                let p2pchan_message { kind, data, len } = messages.add(place).read();
                Self::new(kind, data, len)
            };
            match lent {
                Ok(lent) => group.push(lent),
                Err(error) if group.is_empty() => return Err(error),
                Err(_) => break,
            }
        }
        Ok(group)
    }
}

/// The peer would take text that is none for a breach of the protocol.
fn check(kind: Kind, data: &[u8]) -> Result<(), Error> {
    let text = str::from_utf8(data).map_err(|error| {
        invalid(format!("data is not UTF-8 (byte {}); send it as bytes", error.valid_up_to()))
    })?;
    if kind != Kind::Json {
        return Ok(());
    }
    if text.trim() == "null" {
        return Err(invalid("JSON null cannot travel by itself; put it into an object or array"));
    }
    serde_json::from_str::<serde::de::IgnoredAny>(text)
        .map(drop)
        .map_err(|error| invalid(format!("data is not JSON: {error}; send it as text")))
}

/// The same for all reasons for which a remote takes nothing any more.
fn send_error(error: Error) -> Error {
    match error.kind() {
        ErrorKind::WouldBlock | ErrorKind::TooBig | ErrorKind::Invalid => error,
        _ => Error::new(ErrorKind::Closed, error.message()),
    }
}

/// Sends a message if there is room for it, without waiting. If there is none, on_writable comes once
/// there is.
///
/// Ownership: the data is copied; NULL is allowed if it has no bytes. Threads: any. Errors:
/// P2PCHAN_ERR_WOULD_BLOCK, and then nothing was queued; P2PCHAN_ERR_TOO_BIG beyond limits.message of
/// either side; P2PCHAN_ERR_INVALID for text that is not UTF-8, for JSON that is none, and for JSON
/// null, which cannot travel by itself; P2PCHAN_ERR_CLOSED once the remote has ended.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn p2pchan_remote_try_send(
    node: *mut p2pchan_node,
    remote: p2pchan_remote,
    kind: p2pchan_kind,
    data: *const u8,
    len: usize,
) -> p2pchan_result {
    call(|| {
        // SAFETY: the rules of the header.
        let (node, lent) = unsafe { (p2pchan_node::of(node)?, Lent::new(kind, data, len)?) };
        let id = RemoteId(remote.id);
        send_now(node, id, &lent)?.map_err(|(error, entry)| blocked(node, id, entry, error))
    })
}

/// Sends if there is room. Else why nothing was sent, and to whom, for what comes of it.
#[inline]
fn send_now(
    node: &p2pchan_node,
    id: RemoteId,
    lent: &Lent<'_>,
) -> Result<Result<(), (Error, Arc<Entry>)>, Error> {
    node.hub.with_recent(id, |entry| {
        entry.sender.try_send(lent).map_err(|error| (error, entry.clone()))
    })
}

/// Asks for `on_writable` if that is why nothing was sent.
#[cold]
fn blocked(node: &p2pchan_node, id: RemoteId, entry: Arc<Entry>, error: Error) -> Error {
    if error.kind() == ErrorKind::WouldBlock {
        node.hub.await_room(id, entry);
    }
    send_error(error)
}

/// Sends messages in their order, without waiting, until there is no room for the next: one call for
/// many. How many were sent is written to `sent`, also if it fails; if it fails with
/// P2PCHAN_ERR_WOULD_BLOCK, on_writable comes once there is room.
///
/// Ownership: the messages are copied. Threads: any. Errors: as p2pchan_remote_try_send, for the first
/// message that was not sent.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn p2pchan_remote_try_send_batch(
    node: *mut p2pchan_node,
    remote: p2pchan_remote,
    messages: *const p2pchan_message,
    count: usize,
    sent: *mut usize,
) -> p2pchan_result {
    call(|| {
        // SAFETY: the rules of the header.
        let node = unsafe { p2pchan_node::of(node) }?;
        let sent = place(sent, "sent")?;
        if messages.is_null() && count > 0 {
            return Err(null("messages"));
        }
        let (id, mut done) = (RemoteId(remote.id), 0);
        let entry = node.hub.with(id, Arc::clone)?;
        let mut result = Ok(());
        while done < count && result.is_ok() {
            // SAFETY: there are `count` messages, each with its data.
            let group = unsafe { Lent::group(messages.add(done), (count - done).min(GROUP)) };
            let taken = group.and_then(|group| entry.sender.try_send_many(&group));
            result = taken.map(|taken| done += taken);
        }
        // SAFETY: it is not NULL.
        unsafe { sent.write(done) };
        result.map_err(|error| blocked(node, id, entry, error))
    })
}

/// Sends a message, and waits for room at most so many milliseconds; for ever if it is negative. It
/// may be called inside a callback, but holds up all other callbacks of the node while it waits.
///
/// Ownership: the data is copied; NULL is allowed if it has no bytes. Threads: any. Errors: as
/// p2pchan_remote_try_send, but P2PCHAN_ERR_TIMEOUT if there was no room in time; then nothing was
/// queued.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn p2pchan_remote_send(
    node: *mut p2pchan_node,
    remote: p2pchan_remote,
    kind: p2pchan_kind,
    data: *const u8,
    len: usize,
    timeout_ms: i32,
) -> p2pchan_result {
    call(|| {
        // SAFETY: the rules of the header.
        let (node, lent) = unsafe { (p2pchan_node::of(node)?, Lent::new(kind, data, len)?) };
        let sent = send_now(node, RemoteId(remote.id), &lent)?;
        sent.or_else(|(error, entry)| send_later(&entry, &lent, timeout_ms, error))
    })
}

/// Waits for room, if that is why nothing was sent.
#[cold]
fn send_later(entry: &Entry, lent: &Lent<'_>, timeout_ms: i32, error: Error) -> Result<(), Error> {
    if error.kind() != ErrorKind::WouldBlock {
        return Err(send_error(error));
    }
    let late = || {
        let message = format!("no room within {timeout_ms} ms; the peer reads too slowly");
        Error::new(ErrorKind::Timeout, message)
    };
    let sent = wait_for(entry.sender.send(lent), timeout(timeout_ms));
    sent.ok_or_else(late)?.map_err(send_error)
}

/// When so many milliseconds are over; never for a negative number.
pub(crate) fn timeout(milliseconds: i32) -> Option<Instant> {
    let milliseconds = u64::try_from(milliseconds).ok()?;
    Some(Instant::now() + Duration::from_millis(milliseconds))
}

/// Waits for a future on this thread; nothing if time runs out before.
fn wait_for<T>(future: impl Future<Output = T>, until: Option<Instant>) -> Option<T> {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    loop {
        if let Poll::Ready(result) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return Some(result);
        }
        match until.map(|until| until.saturating_duration_since(Instant::now())) {
            None => thread::park(),
            Some(left) if left.is_zero() => return None,
            Some(left) => thread::park_timeout(left),
        }
    }
}

/// Calls with a remote.
///
/// # Safety
/// The node is live, or NULL.
unsafe fn with<T>(
    node: *const p2pchan_node,
    remote: p2pchan_remote,
    call: impl FnOnce(&Entry) -> T,
) -> Result<T, Error> {
    // SAFETY: the caller's promise.
    let node = unsafe { p2pchan_node::of(node) }?;
    node.hub.with(RemoteId(remote.id), |entry| call(entry))
}

/// Takes no more messages from a remote: the peer may send until its window is full, then it waits.
/// Nothing comes of a paused remote, not even its end. A message that is being told on another thread
/// may still come.
///
/// Threads: any. Errors: P2PCHAN_ERR_CLOSED once the remote has ended.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn p2pchan_remote_pause(
    node: *mut p2pchan_node,
    remote: p2pchan_remote,
) -> p2pchan_result {
    // SAFETY: the rules of the header.
    call(|| unsafe { with(node, remote, Entry::pause) })
}

/// Takes messages again.
///
/// Threads: any. Errors: P2PCHAN_ERR_CLOSED once the remote has ended.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn p2pchan_remote_resume(
    node: *mut p2pchan_node,
    remote: p2pchan_remote,
) -> p2pchan_result {
    // SAFETY: the rules of the header.
    call(|| unsafe { with(node, remote, Entry::resume) })
}

/// Says that no more messages follow: what was sent goes out, then the peer learns it. What the peer
/// still sends is told as before; on_end comes when the peer has ended too and both have read
/// everything, or when for one to two times timeouts.close nothing was sent, received or taken.
///
/// Threads: any. Errors: P2PCHAN_ERR_CLOSED once the remote has ended.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn p2pchan_remote_end(
    node: *mut p2pchan_node,
    remote: p2pchan_remote,
) -> p2pchan_result {
    // SAFETY: the rules of the header.
    call(|| unsafe { with(node, remote, |entry| entry.sender.finish()) })
}

/// Ends a remote at once, whatever is under way, and tells the peer that this program does not want
/// it. on_end comes with P2PCHAN_ERR_REFUSED.
///
/// Threads: any. Errors: P2PCHAN_ERR_CLOSED once the remote has ended.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn p2pchan_remote_refuse(
    node: *mut p2pchan_node,
    remote: p2pchan_remote,
) -> p2pchan_result {
    // SAFETY: the rules of the header.
    call(|| unsafe { with(node, remote, |entry| entry.sender.refuse()) })
}

/// Writes what is known of a remote at this moment. Set info->struct_size before.
///
/// Ownership: info is yours. Threads: any. Errors: P2PCHAN_ERR_INVALID for a struct_size that is none,
/// P2PCHAN_ERR_CLOSED once the remote has ended.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn p2pchan_remote_info(
    node: *const p2pchan_node,
    remote: p2pchan_remote,
    info: *mut p2pchan_info,
) -> p2pchan_result {
    call(|| {
        let info = place(info, "info")?;
        // SAFETY: it begins with its size.
        let size = unsafe { info.cast::<usize>().read() };
        if !(size_of::<usize>()..=4096).contains(&size) {
            let message = "set it to sizeof(p2pchan_info)";
            return Err(invalid(format!("info.struct_size is {size}; {message}")));
        }
        // SAFETY: the rules of the header.
        let known = unsafe { with(node, remote, |entry| p2pchan_info::of(&entry.sender)) }?;
        // SAFETY: there are `size` bytes, the first of which are its size and stay.
        unsafe {
            let (from, to) = ((&raw const known).cast::<u8>(), info.cast::<u8>());
            let (first, all) = (size_of::<usize>(), size.min(size_of_val(&known)));
            ptr::write_bytes(to.add(first), 0, size - first);
            ptr::copy_nonoverlapping(from.add(first), to.add(first), all - first);
        }
        Ok(())
    })
}

/// Writes the subject of a remote: the phrase, or a raw topic as 64 hexadecimal digits. `len` gets its
/// length without NUL; it is written to `out` only if it fits with its NUL into `cap` bytes.
///
/// Ownership: out is yours; NULL is allowed if cap is 0. Threads: any. Errors: P2PCHAN_ERR_CLOSED once
/// the remote has ended.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn p2pchan_remote_subject(
    node: *const p2pchan_node,
    remote: p2pchan_remote,
    out: *mut c_char,
    cap: usize,
    len: *mut usize,
) -> p2pchan_result {
    call(|| {
        // SAFETY: the rules of the header.
        let subject = unsafe { with(node, remote, |entry| entry.sender.subject().to_owned()) }?;
        // SAFETY: the rules of the header.
        unsafe { write_text(&subject, out, cap, len) }
    })
}

/// Attaches a pointer of the program to a remote. It is never followed; what it points to is the
/// program's, to be given back in on_end.
///
/// Ownership: the pointer stays the program's. Threads: any. Errors: P2PCHAN_ERR_CLOSED once the
/// remote has ended and on_end has returned.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn p2pchan_remote_set_userdata(
    node: *mut p2pchan_node,
    remote: p2pchan_remote,
    userdata: *mut c_void,
) -> p2pchan_result {
    // SAFETY: the rules of the header.
    call(|| unsafe {
        with(node, remote, |entry| entry.userdata.store(userdata.cast(), Ordering::SeqCst))
    })
}

/// The pointer that was attached to a remote, also inside on_end.
///
/// Ownership: the program's. Threads: any. Errors: NULL if none was, and once the remote has ended
/// and on_end has returned.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn p2pchan_remote_userdata(
    node: *const p2pchan_node,
    remote: p2pchan_remote,
) -> *mut c_void {
    // SAFETY: the rules of the header.
    answer(ptr::null_mut(), || unsafe {
        with(node, remote, |entry| entry.userdata.load(Ordering::SeqCst).cast())
    })
}

/// Writes the remotes that are open to `out`, as many as fit into `cap` places, and to `count` how
/// many there are.
///
/// Ownership: out is yours; NULL is allowed if cap is 0. Threads: any. Errors: none beyond those of
/// the rules.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn p2pchan_node_remotes(
    node: *const p2pchan_node,
    out: *mut p2pchan_remote,
    cap: usize,
    count: *mut usize,
) -> p2pchan_result {
    call(|| {
        // SAFETY: the rules of the header.
        let node = unsafe { p2pchan_node::of(node) }?;
        let count = place(count, "count")?;
        if out.is_null() && cap > 0 {
            return Err(null("out"));
        }
        let remotes = node.hub.remotes();
        // SAFETY: there is room for `cap` remotes, and for the number.
        unsafe {
            for (place, remote) in remotes.iter().take(cap).enumerate() {
                out.add(place).write((*remote).into());
            }
            count.write(remotes.len());
        }
        Ok(())
    })
}
