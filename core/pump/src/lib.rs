//! Callbacks, for languages that have them: everything that a node tells, told one thing at a time, on
//! a thread that the program chooses.
//!
//! Nothing here knows of any language. A pump is a small executor that runs only while somebody turns it:
//! a thread of the library, or the program itself inside its own loop. Its tasks are futures of the
//! crate `p2pchan` with a call to the [`Program`] behind each.
//!
//! ```text
//! Node::next_remote ─► task ─► Program::remote ─► task for each remote: Remote::recv ─► messages, ended
//! ```
//!
//! So no message is ever queued here: it is taken from the connection at the moment at which it is
//! told, what is not taken counts against the peer's window, and the order follows from there being
//! one task for each remote. A task that can go on is put on the list of those that are ready, once;
//! the list is never longer than there are tasks.
//!
//! A language's face makes a [`Hub`] for its [`Program`], starts a node, and gives it to
//! [`Hub::begin`]. From then on it turns [`Hub::pump`] until that answers [`Turn::Ended`].
//!
//! # Layout
//! - `executor`: the pump. `bell`: the descriptor that is readable while there is something to do.
//! - `slots`: remotes by number. `hub`: a node's tasks, and what they tell.
//! - `polled`, `mailbox`: a node that is asked what has happened, for languages in which no call may come
//!   from inside a turn. `items`: its events and statistics, one by one.
//! - `events`: events by name. `finder`: discovery services of the program. `fork`: children. `log`:
//!   the library's log. `runtime`: the threads on which nodes run.

#![forbid(unsafe_code)]

mod bell;
mod events;
mod executor;
mod finder;
mod fork;
mod hub;
mod items;
mod log;
mod mailbox;
mod polled;
mod runtime;
mod slots;
#[cfg(test)]
mod tests;

pub use executor::{Pump, Turn, said};
pub use finder::{Finder, SERVICES, Service, Verb, check_name};
pub use fork::{forked, forked_error, generation};
pub use hub::{Answer, Entry, Hub, Program, Request, closed, forget_recent};
pub use items::Items;
pub use log::{Lines, level_changed, subscribe};
pub use mailbox::{Asked, Channel, Mailbox, Taken, Told};
pub use polled::PolledNode;
pub use runtime::runtime;
pub use slots::RemoteId;
