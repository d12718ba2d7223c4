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
    atomic::{AtomicU64, Ordering},
};

use p2pchan::{Error, ErrorKind};

/// The number of a remote. 2^40 remotes are more than a process sees in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RemoteId(pub u64);

/// Bits of the place. Sixteen million remotes are far beyond the caps of the settings.
const PLACE_BITS: u32 = 24;
/// Places in the first piece of the table; each further piece has twice as many.
const FIRST: usize = 64;
/// Pieces that [`PLACE_BITS`] can name, and nearly all places of the last.
const PIECES: usize = 18;

/// A number, and what it stands for if it does.
struct Slot<T>(Mutex<(u64, Option<Arc<T>>)>);

/// The table. Pieces are made when they are needed and stay, so finding one takes no lock.
pub(crate) struct Slots<T> {
    pieces: [OnceLock<Box<[Slot<T>]>>; PIECES],
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

impl<T> Default for Slots<T> {
    fn default() -> Self {
        Self { pieces: [const { OnceLock::new() }; PIECES], places: Mutex::default() }
    }
}

impl<T> Slots<T> {
    pub(crate) fn insert(&self, entry: Arc<T>) -> Result<RemoteId, Error> {
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
            .get_or_init(|| (0..FIRST << piece).map(|_| Slot(Mutex::new((0, None)))).collect());
        *lock(&piece[rest].0) = (id, Some(entry));
        Ok(RemoteId(id))
    }

    /// Forgets a remote: from now on its number stands for nothing.
    pub(crate) fn remove(&self, id: RemoteId) {
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
    pub(crate) fn with<R>(
        &self,
        id: RemoteId,
        call: impl FnOnce(&Arc<T>) -> R,
    ) -> Result<R, Error> {
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

    pub(crate) fn all(&self) -> Vec<(RemoteId, Arc<T>)> {
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
    fn slot(&self, id: RemoteId) -> Option<&Slot<T>> {
        self.at(place(id))
    }

    #[inline]
    fn at(&self, place: usize) -> Option<&Slot<T>> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_stands_for_one_thing_and_after_that_for_nothing() {
        let slots = Slots::default();
        let first = slots.insert(Arc::new("first")).unwrap();
        assert_eq!(slots.with(first, |it| **it).unwrap(), "first");
        slots.remove(first);
        let second = slots.insert(Arc::new("second")).unwrap();
        assert_eq!(place(first), place(second), "places are used again");
        assert_ne!(first, second);
        slots.remove(first);
        assert_eq!(slots.with(first, |_| ()).unwrap_err().kind(), ErrorKind::Closed);
        assert_eq!(slots.with(second, |it| **it).unwrap(), "second");
    }

    #[test]
    fn numbers_of_another_table_and_made_up_ones_stand_for_nothing() {
        let (slots, others) = (Slots::default(), Slots::default());
        let id = slots.insert(Arc::new(())).unwrap();
        others.insert(Arc::new(())).unwrap();
        for stranger in [id, RemoteId(0), RemoteId(1), RemoteId(u64::MAX), RemoteId(id.0 + 1)] {
            assert!(others.with(stranger, |_| ()).is_err(), "{stranger:?}");
        }
    }

    #[test]
    fn the_table_grows_by_pieces_without_a_gap() {
        let slots = Slots::default();
        let ids: Vec<_> = (0..1000).map(|it| slots.insert(Arc::new(it)).unwrap()).collect();
        for (expected, id) in ids.iter().enumerate() {
            assert_eq!(place(*id), expected);
            assert_eq!(slots.with(*id, |it| **it).unwrap(), expected);
        }
        assert_eq!(slots.all().len(), 1000);
        for place in [0, 63, 64, 191, 192, (1 << PLACE_BITS) - FIRST - 1] {
            let (piece, rest) = split(place);
            assert!(piece < PIECES && rest < FIRST << piece, "{place}");
        }
    }
}
