//! The executor: tasks that run only while somebody turns it.

use std::{
    any::Any,
    collections::{BTreeMap, VecDeque},
    future::{Future, poll_fn},
    io, mem,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    time::Instant,
};

use crate::bell::{Bell, Clapper};

type Running = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Tasks that run only while somebody [turns](Self::turn) it: the crate's page tells of them. A [`Hub`](crate::Hub)
/// has one.
pub struct Pump {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// Tasks that can go on, each once.
    ready: VecDeque<Arc<Task>>,
    /// All tasks; as many as `Hub` says.
    tasks: BTreeMap<u64, Arc<Task>>,
    next: u64,
    /// Somebody turns the pump.
    turning: bool,
    /// Threads that wait for something to do, or for their turn.
    waiting: usize,
    bell: Option<Bell>,
    /// Who is woken when something is ready: a loop that has no descriptors.
    watcher: Option<Waker>,
    /// Who waits until its task is the only one left: whoever closes the node.
    alone: Option<Waker>,
    /// Who waits until nobody turns the pump: whoever gives the node back.
    quiet: Option<Waker>,
    ended: bool,
}

struct Task {
    number: u64,
    pump: Arc<Pump>,
    /// It is on the list.
    queued: AtomicBool,
    future: Mutex<Option<Running>>,
}

/// What became of a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// What was ready has run.
    Ran,
    /// Time ran out before anything was ready.
    Idle,
    /// There is nothing to do any more, and never will be.
    Ended,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Pump {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { state: Mutex::default(), changed: Condvar::new() })
    }

    /// Adds a task, which begins when the pump is next turned; whether it did. After the end the task
    /// is dropped.
    pub(crate) fn spawn(
        self: &Arc<Self>,
        future: impl Future<Output = ()> + Send + 'static,
    ) -> bool {
        let mut state = lock(&self.state);
        if state.ended {
            drop(state);
            drop(future);
            return false;
        }
        state.next += 1;
        let task = Arc::new(Task {
            number: state.next,
            pump: self.clone(),
            queued: AtomicBool::new(true),
            future: Mutex::new(Some(Box::pin(future))),
        });
        state.tasks.insert(task.number, task.clone());
        self.push(state, task);
        true
    }

    /// Lets whoever turns the pump, or waits for it, have a turn, though there may be nothing to do.
    pub fn wake(self: &Arc<Self>) {
        self.spawn(async {});
    }

    fn push(&self, mut state: MutexGuard<'_, State>, task: Arc<Task>) {
        if state.ended {
            return;
        }
        state.ready.push_back(task);
        if state.ready.len() == 1 {
            self.alert(state);
        }
    }

    /// Wakes whoever turns the pump. Not before the lock is free: who is woken goes on at once, often on
    /// this core, and wants it.
    fn alert(&self, mut state: MutexGuard<'_, State>) {
        let waiting = state.waiting > 0;
        let clapper = state.bell.as_mut().and_then(Bell::lift);
        let watcher = state.watcher.take();
        drop(state);
        if waiting {
            self.changed.notify_all();
        }
        clapper.into_iter().for_each(Clapper::ring);
        watcher.into_iter().for_each(Waker::wake);
    }

    /// Waits until something is ready, at most until then (for ever without a time), and runs what is
    /// ready at that moment. If another thread turns the pump, waits for that to have its turn first.
    /// A turn inside a turn, which a [`Program`](crate::Program) could ask for, would wait for itself.
    pub fn turn(self: &Arc<Self>, until: Option<Instant>) -> Turn {
        let mut state = lock(&self.state);
        while state.turning || (state.ready.is_empty() && !state.ended) {
            let Some(waited) = self.wait(state, until) else { return Turn::Idle };
            state = waited;
        }
        if state.ended {
            return Turn::Ended;
        }
        state.turning = true;
        let count = state.ready.len();
        drop(state);
        for _ in 0..count {
            let Some(task) = lock(&self.state).ready.pop_front() else { break };
            self.run(&task);
        }
        self.end_turn()
    }

    /// Waits for a change; nothing when time has run out.
    fn wait<'a>(
        &'a self,
        mut state: MutexGuard<'a, State>,
        until: Option<Instant>,
    ) -> Option<MutexGuard<'a, State>> {
        let left = until.map(|until| until.saturating_duration_since(Instant::now()));
        if left.is_some_and(|left| left.is_zero()) {
            return None;
        }
        state.waiting += 1;
        let mut state = match left {
            None => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
            Some(left) => {
                let waited = self.changed.wait_timeout(state, left);
                waited.unwrap_or_else(PoisonError::into_inner).0
            }
        };
        state.waiting -= 1;
        Some(state)
    }

    fn end_turn(&self) -> Turn {
        let mut state = lock(&self.state);
        state.turning = false;
        if state.ready.is_empty() && !state.ended {
            state.bell.as_mut().into_iter().for_each(Bell::silence);
        }
        let (quiet, ended, waiting) = (state.quiet.take(), state.ended, state.waiting > 0);
        drop(state);
        if waiting {
            self.changed.notify_all();
        }
        quiet.into_iter().for_each(Waker::wake);
        if ended { Turn::Ended } else { Turn::Ran }
    }

    fn run(&self, task: &Arc<Task>) {
        // What wakes it from here on wants it to run again.
        task.queued.store(false, Ordering::SeqCst);
        let waker = Waker::from(task.clone());
        let mut future = lock(&task.future);
        let Some(running) = future.as_mut() else { return };
        let polled = catch_unwind(AssertUnwindSafe(|| {
            running.as_mut().poll(&mut Context::from_waker(&waker))
        }));
        if let Err(panic) = &polled {
            report(&**panic);
        }
        let done = if matches!(polled, Ok(Poll::Pending)) { None } else { future.take() };
        drop(future);
        let ended = done.is_some();
        drop(done);
        let mut state = lock(&self.state);
        if ended {
            state.tasks.remove(&task.number);
        }
        let alone = if state.tasks.len() <= 1 { state.alone.take() } else { None };
        let abandoned = state.ended;
        drop(state);
        alone.into_iter().for_each(Waker::wake);
        if abandoned {
            let future = lock(&task.future).take();
            drop(future);
        }
    }

    /// Ready when the task that awaits this is the only one left.
    pub(crate) async fn alone(&self) {
        poll_fn(|context| {
            let mut state = lock(&self.state);
            if state.tasks.len() <= 1 {
                return Poll::Ready(());
            }
            state.alone = Some(context.waker().clone());
            Poll::Pending
        })
        .await;
    }

    /// Ready when nobody turns the pump. It may be awaited anywhere.
    pub async fn quiet(&self) {
        poll_fn(|context| {
            let mut state = lock(&self.state);
            if !state.turning {
                return Poll::Ready(());
            }
            state.quiet = Some(context.waker().clone());
            Poll::Pending
        })
        .await;
    }

    /// Ends the pump: tasks that are left are dropped, and every turn answers [`Turn::Ended`].
    pub fn end(&self) {
        let mut state = lock(&self.state);
        state.ended = true;
        let (tasks, ready) = (mem::take(&mut state.tasks), mem::take(&mut state.ready));
        let alone = state.alone.take();
        self.alert(state);
        drop(alone);
        // The one that is running is dropped by whoever runs it.
        for task in tasks.into_values().chain(ready) {
            let future = task.future.try_lock().ok().and_then(|mut future| future.take());
            drop(future);
        }
    }

    /// Wakes once a turn would find something to do: at once if it would now, else on whichever thread
    /// makes something ready, which holds no lock of the pump meanwhile. A second call takes the place
    /// of the first. For programs whose loop is woken by a call instead of a descriptor.
    pub fn wake_when_ready(&self, waker: &Waker) {
        let mut state = lock(&self.state);
        if state.ready.is_empty() && !state.ended {
            state.watcher = Some(waker.clone());
        } else {
            drop(state);
            waker.wake_by_ref();
        }
    }

    /// Lets somebody watch the descriptor that is readable while a turn would find something to do.
    /// It is made when it is first asked for, and lives as long as the pump.
    ///
    /// # Errors
    /// Those of the system, if it has no descriptor left.
    pub fn bell<T>(&self, watch: impl FnOnce(&io::PipeReader) -> T) -> io::Result<T> {
        let mut state = lock(&self.state);
        if state.bell.is_none() {
            let mut bell = Bell::new()?;
            if !state.ready.is_empty() || state.ended {
                bell.lift().into_iter().for_each(Clapper::ring);
            }
            state.bell = Some(bell);
        }
        match &state.bell {
            Some(bell) => Ok(watch(bell.reader())),
            None => Err(io::ErrorKind::Other.into()),
        }
    }
}

impl Wake for Task {
    fn wake(self: Arc<Self>) {
        if !self.queued.swap(true, Ordering::SeqCst) {
            let pump = self.pump.clone();
            let state = lock(&pump.state);
            pump.push(state, self);
        }
    }
}

/// Lets the other tasks that are ready run first.
pub(crate) async fn pass() {
    let mut passed = false;
    poll_fn(|context| {
        if mem::replace(&mut passed, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

fn report(panic: &(dyn Any + Send)) {
    tracing::error!(target: "p2pchan", panic = said(panic).unwrap_or(""), "a defect of p2pchan");
}

/// The words of a panic, which it mostly has.
pub fn said(panic: &(dyn Any + Send)) -> Option<&str> {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
}

#[cfg(test)]
mod tests {
    use std::{
        sync::{atomic::AtomicUsize, mpsc},
        thread,
        time::Duration,
    };

    use tokio::sync::oneshot;

    use super::*;

    fn soon() -> Option<Instant> {
        Some(Instant::now() + Duration::from_secs(60))
    }

    fn now() -> Option<Instant> {
        Some(Instant::now())
    }

    #[test]
    fn a_task_runs_only_while_somebody_turns_the_pump() {
        let (pump, count) = (Pump::new(), Arc::new(AtomicUsize::new(0)));
        let counted = count.clone();
        pump.spawn(async move {
            counted.fetch_add(1, Ordering::SeqCst);
            pass().await;
            counted.fetch_add(1, Ordering::SeqCst);
        });
        assert_eq!(count.load(Ordering::SeqCst), 0);
        assert_eq!(pump.turn(soon()), Turn::Ran);
        assert_eq!(count.load(Ordering::SeqCst), 1, "one turn runs each task once");
        assert_eq!(pump.turn(soon()), Turn::Ran);
        assert_eq!(count.load(Ordering::SeqCst), 2);
        assert_eq!(pump.turn(now()), Turn::Idle);
    }

    #[test]
    fn what_another_thread_wakes_ends_the_wait() {
        let pump = Pump::new();
        let (sender, receiver) = oneshot::channel::<()>();
        let (told, tells) = mpsc::channel();
        pump.spawn(async move {
            let _ = receiver.await;
            let _ = told.send(());
        });
        assert_eq!(pump.turn(soon()), Turn::Ran);
        assert!(tells.try_recv().is_err());
        thread::scope(|scope| {
            scope.spawn(|| sender.send(()));
            assert_eq!(pump.turn(soon()), Turn::Ran);
        });
        tells.try_recv().unwrap();
    }

    #[test]
    fn a_task_that_is_woken_many_times_is_ready_once() {
        let (pump, count) = (Pump::new(), Arc::new(AtomicUsize::new(0)));
        let counted = count.clone();
        pump.spawn(poll_fn(move |context| {
            if counted.fetch_add(1, Ordering::SeqCst) == 0 {
                for _ in 0..10 {
                    context.waker().wake_by_ref();
                }
            }
            Poll::<()>::Pending
        }));
        for turns in 1..3 {
            pump.turn(soon());
            assert_eq!(count.load(Ordering::SeqCst), turns);
        }
        assert_eq!(pump.turn(now()), Turn::Idle);
    }

    #[test]
    fn a_task_that_panics_harms_no_other() {
        let (pump, count) = (Pump::new(), Arc::new(AtomicUsize::new(0)));
        pump.spawn(async { panic!("on purpose") });
        let counted = count.clone();
        pump.spawn(async move { counted.store(1, Ordering::SeqCst) });
        assert_eq!(pump.turn(soon()), Turn::Ran);
        assert_eq!(count.load(Ordering::SeqCst), 1);
    }

    #[test]
    fn the_end_drops_all_tasks_and_every_turn_says_so() {
        let (pump, held) = (Pump::new(), Arc::new(()));
        let (kept, ending) = (held.clone(), pump.clone());
        pump.spawn(async move {
            let _kept = kept;
            std::future::pending::<()>().await;
        });
        let kept = held.clone();
        pump.spawn(async move {
            let _kept = kept;
            ending.end();
            std::future::pending::<()>().await;
        });
        assert_eq!(pump.turn(soon()), Turn::Ended);
        assert_eq!(Arc::strong_count(&held), 1);
        assert_eq!(pump.turn(None), Turn::Ended);
        let kept = held.clone();
        pump.spawn(async move { drop(kept) });
        assert_eq!(Arc::strong_count(&held), 1);
        assert_eq!(Arc::strong_count(&pump), 1, "nothing keeps an ended pump");
    }

    #[test]
    fn a_task_learns_that_it_is_the_only_one_left() {
        let pump = Pump::new();
        let (sender, receiver) = oneshot::channel::<()>();
        let own = pump.clone();
        pump.spawn(async move {
            own.alone().await;
            own.end();
        });
        pump.spawn(async move { drop(receiver.await) });
        assert_eq!(pump.turn(soon()), Turn::Ran);
        sender.send(()).unwrap();
        while pump.turn(soon()) != Turn::Ended {}
    }

    #[test]
    fn who_is_to_be_woken_is_woken_once_when_something_is_ready_and_at_the_end() {
        struct Count(AtomicUsize);
        impl Wake for Count {
            fn wake(self: Arc<Self>) {
                self.0.fetch_add(1, Ordering::SeqCst);
            }
        }
        let (pump, count) = (Pump::new(), Arc::new(Count(AtomicUsize::new(0))));
        let waker = Waker::from(count.clone());
        let woken = || count.0.swap(0, Ordering::SeqCst);
        pump.wake_when_ready(&waker);
        assert_eq!(woken(), 0);
        pump.spawn(async {});
        pump.spawn(async {});
        assert_eq!(woken(), 1, "once, until it asks again");
        pump.wake_when_ready(&waker);
        assert_eq!(woken(), 1, "at once, as something is ready");
        pump.turn(soon());
        pump.wake_when_ready(&waker);
        assert_eq!(woken(), 0);
        pump.end();
        assert_eq!(woken(), 1);
        pump.wake_when_ready(&waker);
        assert_eq!(woken(), 1, "whoever asks after the end learns of it");
    }

    #[test]
    fn the_bell_is_rung_exactly_while_there_is_something_to_do() {
        let pump = Pump::new();
        let rung = |pump: &Pump| lock(&pump.state).bell.as_ref().is_some_and(Bell::is_rung);
        pump.spawn(pass());
        pump.bell(|_| ()).unwrap();
        for _ in 0..2 {
            assert!(rung(&pump));
            pump.turn(soon());
        }
        assert!(!rung(&pump));
        pump.spawn(async {});
        assert!(rung(&pump));
        pump.end();
        pump.turn(now());
        assert!(rung(&pump), "whoever watches it learns of the end");
    }
}
