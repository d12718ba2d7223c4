//! Remotes by number.
//!
//! ```text
//! number = counter of the process << 24 | place in the table
//! ```
//!
//! So a number is found without searching, is never zero, and never comes again: not for another
//! remote, not for another node.

use std::sync::{
    Arc, Mutex, MutexGuard, OnceLock, PoisonError,
    atomic::{AtomicBool, AtomicPtr, AtomicU64, Ordering},
};
use std::task::Waker;

use p2pchan::{Error, ErrorKind, Sender};

/// The number of a remote. 2^40 remotes are more than a process sees in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RemoteId(pub(crate) u64);

/// Bits of the place. Sixteen million remotes are far beyond the caps of the settings.
const PLACE_BITS: u32 = 24;
/// Places in the first piece of the table; each further piece has twice as many.
const FIRST: usize = 64;
/// Pieces that [`PLACE_BITS`] can name, and nearly all places of the last.
const PIECES: usize = 18;

/// What is kept of a remote beside the task that reads it.
pub(crate) struct Entry {
    pub(crate) sender: Sender,
    /// The program's own, from beginning to end.
    pub(crate) userdata: AtomicPtr<()>,
    pub(super) paused: AtomicBool,
    /// The task that waits for the pause to end.
    pub(super) reader: Mutex<Option<Waker>>,
    /// The program waits to hear that there is room.
    pub(super) wants_room: AtomicBool,
}

#[derive(Default)]
struct Slot(Mutex<(u64, Option<Arc<Entry>>)>);

/// The table. Pieces are made when they are needed and stay, so finding one takes no lock.
#[derive(Default)]
pub(super) struct Slots {
    pieces: [OnceLock<Box<[Slot]>>; PIECES],
    places: Mutex<Places>,
}

#[derive(Default)]
struct Places {
    free: Vec<usize>,
    used: usize,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Piece and place in it.
fn split(place: usize) -> (usize, usize) {
    let piece = (place / FIRST + 1).ilog2() as usize;
    (piece, place - FIRST * ((1 << piece) - 1))
}

impl Entry {
    pub(super) fn new(sender: Sender) -> Arc<Self> {
        Arc::new(Self {
            sender,
            userdata: AtomicPtr::default(),
            paused: AtomicBool::new(false),
            reader: Mutex::default(),
            wants_room: AtomicBool::new(false),
        })
    }
}

impl Slots {
    pub(super) fn insert(&self, entry: Arc<Entry>) -> Result<RemoteId, Error> {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let mut places = lock(&self.places);
        let place = match places.free.pop() {
            Some(place) => place,
            None if places.used >= 1 << PLACE_BITS || split(places.used).0 >= PIECES => {
                let message = "no place for another remote; end some";
                return Err(Error::new(ErrorKind::Refused, message));
            }
            None => {
                places.used += 1;
                places.used - 1
            }
        };
        drop(places);
        let id = NEXT.fetch_add(1, Ordering::Relaxed) << PLACE_BITS | place as u64;
        let (piece, rest) = split(place);
        let piece = self.pieces[piece]
            .get_or_init(|| (0..FIRST << piece).map(|_| Slot::default()).collect());
        *lock(&piece[rest].0) = (id, Some(entry));
        Ok(RemoteId(id))
    }

    /// Forgets a remote: from now on its number stands for nothing.
    pub(super) fn remove(&self, id: RemoteId) {
        let entry = self.slot(id).and_then(|slot| {
            let mut slot = lock(&slot.0);
            if slot.0 == id.0 { slot.1.take() } else { None }
        });
        if entry.is_some() {
            lock(&self.places).free.push(place(id));
        }
    }

    /// Calls with the entry of a remote, under its lock.
    ///
    /// # Errors
    /// [`ErrorKind::Closed`] if the number stands for no remote, or for none any more.
    #[inline]
    pub(super) fn with<T>(
        &self,
        id: RemoteId,
        call: impl FnOnce(&Arc<Entry>) -> T,
    ) -> Result<T, Error> {
        if let Some(slot) = self.slot(id) {
            let slot = lock(&slot.0);
            if let (number, Some(entry)) = &*slot
                && *number == id.0
            {
                return Ok(call(entry));
            }
        }
        Err(gone(id))
    }

    pub(super) fn all(&self) -> Vec<(RemoteId, Arc<Entry>)> {
        let used = lock(&self.places).used;
        let slots = (0..used).filter_map(|place| self.at(place));
        slots
            .filter_map(|slot| {
                let slot = lock(&slot.0);
                slot.1.as_ref().map(|entry| (RemoteId(slot.0), entry.clone()))
            })
            .collect()
    }

    #[inline]
    fn slot(&self, id: RemoteId) -> Option<&Slot> {
        self.at(place(id))
    }

    #[inline]
    fn at(&self, place: usize) -> Option<&Slot> {
        let (piece, rest) = split(place);
        self.pieces.get(piece)?.get()?.get(rest)
    }
}

#[inline]
fn place(RemoteId(id): RemoteId) -> usize {
    usize::try_from(id & ((1 << PLACE_BITS) - 1)).unwrap_or(usize::MAX)
}

#[cold]
fn gone(RemoteId(id): RemoteId) -> Error {
    Error::new(ErrorKind::Closed, format!("remote {id} has ended, or never was"))
}
