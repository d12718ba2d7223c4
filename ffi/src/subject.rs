//! Subjects: announcing them, looking for others who have them, dialling.

use std::ffi::c_char;

use p2pchan::{Discovery, Error, Node};

use crate::{
    node::p2pchan_node,
    result::{call, p2pchan_result},
    text::{optional_text, required, text},
};

/// Discovers something; its announcement is the request.
///
/// # Safety
/// The node is live and there is room for the number of the request, or they are NULL.
unsafe fn discover(
    node: *mut p2pchan_node,
    request: *mut u64,
    discover: impl FnOnce(&Node) -> Result<Discovery, Error>,
) -> Result<(), Error> {
    // SAFETY: the caller's promise.
    let node = unsafe { p2pchan_node::of(node) }?;
    let discovery = discover(node.running()?)?;
    if request.is_null() {
        return Ok(());
    }
    // SAFETY: the caller's promise.
    unsafe { node.request(request, async move { discovery.flushed().await.map(|()| None) }) }
}

/// Announces a subject, a phrase of 1 to 256 bytes, and looks for others who have it: on_remote comes
/// for each. With a secret, of the same form, only those who have that too get a remote; NULL for none.
/// Discovering a subject again changes nothing.
///
/// Request: NULL, or where to write a number; on_result with it comes when others can find this node.
/// Ownership: the texts are copied. Threads: any. Errors: P2PCHAN_ERR_INVALID for a malformed subject,
/// or one that is discovered with another secret; P2PCHAN_ERR_REFUSED beyond limits.subjects, or if
/// 4096 requests wait for their answers (then the subject is discovered all the same);
/// P2PCHAN_ERR_CLOSED once the node was stopped.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn p2pchan_discover(
    node: *mut p2pchan_node,
    subject: *const c_char,
    secret: *const c_char,
    request: *mut u64,
) -> p2pchan_result {
    // SAFETY: the rules of the header.
    call(|| unsafe {
        let (subject, secret) = (text(subject, "subject")?, optional_text(secret, "secret")?);
        discover(node, request, |node| match secret {
            None => node.discover(subject),
            Some(secret) => node.discover_with_secret(subject, secret),
        })
    })
}

/// As p2pchan_discover, for 32 bytes that are as strong as a key.
///
/// Request, ownership, threads, errors: as p2pchan_discover.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn p2pchan_discover_topic(
    node: *mut p2pchan_node,
    topic: *const u8,
    request: *mut u64,
) -> p2pchan_result {
    // SAFETY: the rules of the header; a topic has 32 bytes.
    call(|| unsafe {
        let topic = *required(topic.cast::<[u8; 32]>(), "topic")?;
        discover(node, request, |node| node.discover_topic(topic))
    })
}

/// Withdraws a subject's announcement and stops looking, unless the setting subjects names it too.
/// Open remotes live on. A subject that is not discovered is left so.
///
/// Ownership: the text is copied. Threads: any. Errors: P2PCHAN_ERR_INVALID for a malformed subject.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn p2pchan_stop_discover(
    node: *mut p2pchan_node,
    subject: *const c_char,
) -> p2pchan_result {
    // SAFETY: the rules of the header.
    call(|| unsafe {
        let subject = text(subject, "subject")?;
        p2pchan_node::of(node)?.running()?.stop_discover(subject)
    })
}

/// As p2pchan_stop_discover, for the 32 bytes of p2pchan_discover_topic.
///
/// Ownership: the bytes are copied. Threads: any. Errors: as p2pchan_stop_discover.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn p2pchan_stop_discover_topic(
    node: *mut p2pchan_node,
    topic: *const u8,
) -> p2pchan_result {
    // SAFETY: the rules of the header; a topic has 32 bytes.
    call(|| unsafe {
        let topic = *required(topic.cast::<[u8; 32]>(), "topic")?;
        p2pchan_node::of(node)?.running()?.stop_discover_topic(topic);
        Ok(())
    })
}

/// Dials an address now, such as "192.0.2.7:8099" or "tcp://192.0.2.7:8099", and offers all
/// subjects of this node. What comes of it is told by on_remote, as for all remotes.
///
/// Request: NULL, or where to write a number; on_result with it comes when the remote is open
/// (after on_remote), or says why it could not be: P2PCHAN_ERR_SETTINGS if no subject is discovered or
/// the node is paused, P2PCHAN_ERR_CLOSED if the peer is connected already, P2PCHAN_ERR_AUTH if no
/// subject is common, P2PCHAN_ERR_TIMEOUT, P2PCHAN_ERR_IO and so on if it cannot be reached.
/// Ownership: the text is copied. Threads: any. Errors: P2PCHAN_ERR_INVALID for what is no address,
/// P2PCHAN_ERR_REFUSED if 4096 requests wait for their answers.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn p2pchan_connect(
    node: *mut p2pchan_node,
    address: *const c_char,
    request: *mut u64,
) -> p2pchan_result {
    // SAFETY: the rules of the header.
    call(|| unsafe {
        let (node, address) = (p2pchan_node::of(node)?, text(address, "address")?.parse()?);
        let dialling = node.running()?.clone();
        node.request(request, async move { dialling.connect(address).await.map(Some) })
    })
}
