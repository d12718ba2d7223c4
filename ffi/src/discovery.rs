//! Discovery services that are written in C.

use std::{
    ffi::{CString, c_char, c_void},
    ptr,
    sync::{
        Arc, OnceLock, Weak,
        atomic::{AtomicBool, Ordering},
    },
};

use p2pchan::Topic;
use p2pchan_pump::{Finder, Verb, check_name};

use crate::{
    callbacks::inside,
    node::p2pchan_node,
    result::{c_string, call, p2pchan_result, to_error},
    text::{optional_text, sized, text},
};

/// What a discovery service may know of a subject. It is lent, for the length of the call.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct p2pchan_topic {
    /// sizeof(p2pchan_topic), so that later versions can add members at the end.
    pub struct_size: usize,
    /// The phrase, or NULL for a raw topic. Never send it anywhere: use find_key.
    pub subject: *const c_char,
    /// The key to announce and look up in the service's network: the same for all who share the
    /// subject, different for each name of a service, and useless for guessing the subject's proof.
    /// A network with shorter keys takes its first bytes.
    pub find_key: [u8; 32],
    /// Where this node accepts connections, one address on each line; "" if it does not listen. An
    /// unspecified IP address, such as 0.0.0.0, stands for all addresses of this machine of its family.
    pub addresses: *const c_char,
}

/// A discovery service of the program's own. Begin with P2PCHAN_DISCOVERY_INIT; any function may be
/// NULL, and then there is nothing to do for it. They are callbacks like those of p2pchan_callbacks, in
/// turn with them. Each request is answered by p2pchan_discovery_done, before or after the call
/// returns, from any thread. The verbs of one subject come one at a time.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct p2pchan_discovery {
    /// sizeof(p2pchan_discovery), so that later versions can add members at the end.
    pub struct_size: usize,
    /// A short name, such as "bulletin": the source of what it finds, in events and status.
    pub name: *const c_char,
    /// Handed to every function.
    pub userdata: *mut c_void,
    /// Tell others that this node can be reached at topic->addresses, and no longer at what was
    /// announced before. Done when the announcement stands; if it fails, it is asked for again.
    pub announce: Option<
        unsafe extern "C" fn(
            userdata: *mut c_void,
            node: *mut p2pchan_node,
            request: u64,
            topic: *const p2pchan_topic,
        ),
    >,
    /// Look once, and report each address by p2pchan_discovery_found. Done when the look-up is over; a
    /// service that is told of newcomers may go on as long as it likes.
    pub look_up: Option<
        unsafe extern "C" fn(
            userdata: *mut c_void,
            node: *mut p2pchan_node,
            request: u64,
            topic: *const p2pchan_topic,
        ),
    >,
    /// Take the announcement back, as far as the network lets you. Given timeouts.close.
    pub withdraw: Option<
        unsafe extern "C" fn(
            userdata: *mut c_void,
            node: *mut p2pchan_node,
            request: u64,
            topic: *const p2pchan_topic,
        ),
    >,
    /// Nobody waits for the answer to a request any more; stop working on it.
    pub cancel:
        Option<unsafe extern "C" fn(userdata: *mut c_void, node: *mut p2pchan_node, request: u64)>,
    /// Called exactly once, when none of the others will be called any more and before the on_drop of
    /// the node: also if p2pchan_node_add_discovery fails, unless the structure itself cannot be read.
    pub on_drop: Option<unsafe extern "C" fn(userdata: *mut c_void)>,
}

/// A service of the program, and whose it is.
pub(crate) struct Service {
    discovery: p2pchan_discovery,
    name: OnceLock<String>,
    node: OnceLock<Weak<p2pchan_node>>,
    dropped: AtomicBool,
}

// SAFETY: the program promises that its functions may be called from any thread, with its userdata;
// two of them never run at once. The name's pointer is not followed after the call that handed it over.
unsafe impl Send for Service {}
// SAFETY: as above.
unsafe impl Sync for Service {}

impl Service {
    const fn new(discovery: p2pchan_discovery) -> Self {
        Self {
            discovery,
            name: OnceLock::new(),
            node: OnceLock::new(),
            dropped: AtomicBool::new(false),
        }
    }

    /// Tells the program that nothing else of it will be called.
    pub(crate) fn drop_userdata(&self) {
        if !self.dropped.swap(true, Ordering::SeqCst)
            && let Some(on_drop) = self.discovery.on_drop
        {
            // SAFETY: the program's function with its userdata.
            inside(|| unsafe { on_drop(self.discovery.userdata) });
        }
    }

    fn node(&self) -> *mut p2pchan_node {
        self.node.get().map_or(ptr::null_mut(), |node| node.as_ptr().cast_mut())
    }
}

impl Drop for Service {
    /// Whatever became of it.
    fn drop(&mut self) {
        self.drop_userdata();
    }
}

impl Finder for Service {
    fn name(&self) -> &str {
        self.name.get().map_or("", String::as_str)
    }

    fn begin(&self, verb: Verb, request: u64, topic: &Topic) -> bool {
        let function = match verb {
            Verb::Announce => self.discovery.announce,
            Verb::LookUp => self.discovery.look_up,
            Verb::Withdraw => self.discovery.withdraw,
        };
        let Some(function) = function else { return false };
        let subject = topic.subject().map(c_string);
        let addresses: Vec<_> = topic.listening().iter().map(ToString::to_string).collect();
        let addresses = c_string(&addresses.join("\n"));
        let topic = p2pchan_topic {
            struct_size: size_of::<p2pchan_topic>(),
            subject: subject.as_ref().map_or(ptr::null(), |subject: &CString| subject.as_ptr()),
            find_key: topic.find_key(self.name()),
            addresses: addresses.as_ptr(),
        };
        let (userdata, node) = (self.discovery.userdata, self.node());
        // SAFETY: the program's function; what it is lent lives until it returns.
        inside(|| unsafe { function(userdata, node, request, &raw const topic) });
        true
    }

    fn cancel(&self, request: u64) {
        if let Some(cancel) = self.discovery.cancel {
            // SAFETY: the program's function with its userdata.
            inside(|| unsafe { cancel(self.discovery.userdata, self.node(), request) });
        }
    }
}

/// Adds a discovery service of the program's own, before p2pchan_node_start; at most 16.
///
/// Ownership: the structure and its name are copied. Threads: any. Errors: P2PCHAN_ERR_INVALID for a
/// name that is not of 1 to 64 bytes, or after p2pchan_node_start; P2PCHAN_ERR_REFUSED beyond 16. If it
/// fails, on_drop of the service has been called before it returns.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn p2pchan_node_add_discovery(
    node: *mut p2pchan_node,
    discovery: *const p2pchan_discovery,
) -> p2pchan_result {
    call(|| {
        // SAFETY: the rules of the header. From here on, dropping it calls on_drop.
        let service = Service::new(unsafe { sized(discovery, "p2pchan_discovery") }?);
        // SAFETY: the rules of the header.
        let (shared, name) =
            unsafe { (p2pchan_node::shared(node)?, text(service.discovery.name, "name")?) };
        check_name(name)?;
        let _ = service.name.set(name.into());
        let _ = service.node.set(Arc::downgrade(&shared));
        shared.add_service(Arc::new(service))
    })
}

/// Reports an address that a look-up has found, such as "192.0.2.7:8099"; any number of times before
/// p2pchan_discovery_done. Reporting one twice, or this node's own, does no harm.
///
/// Ownership: the text is copied. Threads: any. Errors: P2PCHAN_ERR_INVALID for what is no address, or
/// a request that is no look-up; P2PCHAN_ERR_CLOSED if the request has been answered or cancelled.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn p2pchan_discovery_found(
    node: *mut p2pchan_node,
    request: u64,
    address: *const c_char,
) -> p2pchan_result {
    // SAFETY: the rules of the header.
    call(|| unsafe {
        let (node, address) = (p2pchan_node::of(node)?, text(address, "address")?.parse()?);
        node.hub.discovery_found(request, address)
    })
}

/// Answers a request of a discovery service: P2PCHAN_OK, or an error code with a message for people,
/// which may be NULL.
///
/// Ownership: the message is copied. Threads: any. Errors: P2PCHAN_ERR_INVALID for a result that is no
/// code; P2PCHAN_ERR_CLOSED if the request has been answered or cancelled.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn p2pchan_discovery_done(
    node: *mut p2pchan_node,
    request: u64,
    result: p2pchan_result,
    message: *const c_char,
) -> p2pchan_result {
    // SAFETY: the rules of the header.
    call(|| unsafe {
        let (node, message) = (p2pchan_node::of(node)?, optional_text(message, "message")?);
        node.hub.discovery_done(request, to_error(result, message)?)
    })
}
