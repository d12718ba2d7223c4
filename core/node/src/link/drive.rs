//! The task of a connection: moves bytes between the pipe and the session until both have ended.

use std::{
    future::poll_fn,
    io,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use p2pchan_proto::{
    channel::{Event, Reason},
    time::Time,
};
use tokio::time::Sleep;

use super::{Link, way::Way};
use crate::{clock::Clock, transport::Pipe};

/// Rounds of writing and reading before other tasks of the thread get their turn. A round reads up
/// to 136 KiB, so that what was read is taken while it is still in the cache.
const ROUNDS: usize = 2;
/// Reads from a connection that cannot be written to any more.
const LAST_READS: usize = 64;
/// How long a closed connection may take to say goodbye, and to hear the other side's: its last
/// word would be lost if the socket were closed while something is unread.
const GOODBYE: Duration = Duration::from_secs(2);

/// What the driver asks the node, never while it holds the link's lock.
pub(crate) trait Driver: Send {
    /// An event that is not only for those who wait on a channel.
    fn handle_event(&mut self, link: &Arc<Link>, event: Event);
}

/// Drives a link to its end and returns why it ended.
pub(crate) async fn drive(
    link: Arc<Link>,
    pipe: Box<dyn Pipe>,
    clock: Clock,
    mut node: impl Driver,
) -> Reason {
    let mut timer = pin!(tokio::time::sleep(Duration::ZERO));
    let now = clock.now();
    *link.lock_way() = Some(Way::new(pipe));
    let mut drive = Drive { link, clock, now, armed: false, lost: false };
    let reason = poll_fn(|context| drive.poll(context, timer.as_mut(), &mut node)).await;
    // Who keeps a remote that has ended does not keep the runtime.
    drive.link.lock().driver = None;
    let way = drive.link.lock_way().take().filter(|_| !drive.lost);
    if let Some(way) = way {
        let goodbye = Box::pin(say_goodbye(way, &drive.link, drive.now));
        let _ = tokio::time::timeout(GOODBYE, goodbye).await;
    }
    reason
}

/// Sends the last word, then reads until the peer has closed too.
async fn say_goodbye(mut way: Way, link: &Link, now: Time) -> io::Result<()> {
    way.seal_batch(link, now)?;
    poll_fn(|context| way.pipe.poll_close(context)).await?;
    while poll_fn(|context| way.pipe.poll_receive(context, &mut |_| {})).await? {}
    Ok(())
}

struct Drive {
    link: Arc<Link>,
    clock: Clock,
    /// The time of this turn: reading the clock costs as much as a short message.
    now: Time,
    /// The timer wakes the task.
    armed: bool,
    /// The transport is of no more use.
    lost: bool,
}

impl Drop for Drive {
    /// However the task ends, the transport closes with it and not with the program's last handle.
    fn drop(&mut self) {
        let way = self.link.lock_way().take();
        drop(way);
    }
}

impl Drive {
    fn poll(
        &mut self,
        context: &mut Context<'_>,
        mut timer: Pin<&mut Sleep>,
        node: &mut impl Driver,
    ) -> Poll<Reason> {
        self.register(context.waker());
        self.now = self.clock.now();
        for _ in 0..ROUNDS {
            let received = self.poll_pipe(context);
            if let Some(reason) = self.handle_events(node) {
                return Poll::Ready(reason);
            }
            if !received && self.poll_timer(context, timer.as_mut()).is_pending() {
                return Poll::Pending;
            }
        }
        // Time passes on busy connections too.
        let _ = self.poll_timer(context, timer);
        context.waker().wake_by_ref();
        Poll::Pending
    }

    fn register(&self, waker: &Waker) {
        let mut shared = self.link.lock();
        shared.since_turn = 0;
        match &mut shared.driver {
            Some(driver) => driver.clone_from(waker),
            driver => *driver = Some(waker.clone()),
        }
    }

    /// Writes what is possible, and reads once. Whether anything was received: then there may be more,
    /// and answers to write. Else the pipe wakes the task when it can go on.
    fn poll_pipe(&mut self, context: &mut Context<'_>) -> bool {
        let link = self.link.clone();
        let mut way = link.lock_way();
        let Some(way) = &mut *way else { return false };
        let sent = way.poll_send(&link, context, self.now);
        let mut received = self.poll_receive(way, context);
        if sent.is_err() {
            // What the peer sent before it went is still here, a window of it at most.
            for _ in 0..LAST_READS {
                if !matches!(received, Ok(true)) {
                    break;
                }
                received = self.poll_receive(way, context);
            }
        }
        match sent.and(received) {
            Ok(received) => received,
            Err(error) => {
                self.lost = true;
                self.link.lock().session.handle_lost(&error.to_string());
                false
            }
        }
    }

    fn poll_receive(&self, way: &mut Way, context: &mut Context<'_>) -> io::Result<bool> {
        let now = self.now;
        let link = &self.link;
        let mut sink = |bytes: &[u8]| link.lock().session.handle_bytes(bytes, now);
        match way.pipe.poll_receive(context, &mut sink)? {
            Poll::Pending => Ok(false),
            Poll::Ready(true) => Ok(true),
            Poll::Ready(false) => {
                // A CLOSE that came with it has been handled; else the peer left without a word.
                self.link.lock().session.handle_lost("the peer is gone without a word");
                Ok(false)
            }
        }
    }

    /// Handles all that has happened. Why the session has ended, if it has.
    fn handle_events(&mut self, node: &mut impl Driver) -> Option<Reason> {
        loop {
            let mut shared = self.link.lock();
            let Some(event) = shared.session.poll_event() else {
                return shared.session.closed().cloned();
            };
            match event {
                Event::Readable(channel) => {
                    let reader = shared.waiting.take_reader(channel);
                    drop(shared);
                    reader.into_iter().for_each(Waker::wake);
                }
                Event::Writable(channel) => {
                    let writers = shared.waiting.take_writers(channel);
                    drop(shared);
                    writers.into_iter().for_each(Waker::wake);
                }
                event => {
                    drop(shared);
                    self.handle_event(event, node);
                }
            }
        }
    }

    fn handle_event(&self, event: Event, node: &mut impl Driver) {
        let ended = match event {
            Event::Ended(channel, _) => Some(channel),
            _ => None,
        };
        // First what waiters will look at, then the waiters.
        node.handle_event(&self.link, event);
        if let Some(channel) = ended {
            let waiting = self.link.lock().waiting.take_all(channel);
            waiting.into_iter().for_each(Waker::wake);
        }
    }

    /// Sets the timer; ready if time has come and something may have changed.
    fn poll_timer(&mut self, context: &mut Context<'_>, mut timer: Pin<&mut Sleep>) -> Poll<()> {
        let now = self.now;
        let Some(due) = self.link.lock().session.poll_timeout(now) else { return Poll::Pending };
        if due > now {
            let instant = self.clock.instant(due);
            // Most polls leave the deadline as it is, or move it on: then the timer may fire early.
            if timer.deadline() > instant || timer.is_elapsed() {
                timer.as_mut().reset(instant);
            } else if self.armed {
                return Poll::Pending;
            }
            self.armed = timer.as_mut().poll(context).is_pending();
            if self.armed {
                return Poll::Pending;
            }
            self.now = self.clock.now();
            return self.poll_timer(context, timer);
        }
        self.link.lock().session.handle_timeout(now);
        Poll::Ready(())
    }
}
