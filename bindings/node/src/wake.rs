//! Waking the event loop from any thread.

use std::{sync::Arc, task::Wake};

use napi::{
    Status,
    bindgen_prelude::Function,
    threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode},
};

/// Weak: it does not keep the process alive. The queue needs no cap, as a pump wakes once until it is
/// turned.
type Call = ThreadsafeFunction<(), (), (), Status, false, true>;

/// Calls a function of JavaScript on its event loop, soon; does nothing once its environment is gone.
pub(crate) struct EventLoop(Call);

impl EventLoop {
    pub(crate) fn new(call: &Function<'_, (), ()>) -> napi::Result<Self> {
        call.build_threadsafe_function().weak::<true>().build().map(Self)
    }
}

impl Wake for EventLoop {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.call((), ThreadsafeFunctionCallMode::NonBlocking);
    }
}
