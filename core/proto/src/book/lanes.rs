//! Sources and the lanes in which their candidates queue: one per source and subject.

use std::collections::BTreeMap;

use crate::subject::SubjectKey;

/// Sources told apart: as many as bits below. A node has a handful of discovery services.
const MAX_SOURCES: usize = 32;
/// The name that stands for all sources beyond them.
const OTHERS: &str = "others";

/// The number of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct SourceKey(u8);

/// A set of sources, one bit each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SourceSet(u32);

impl SourceSet {
    pub(super) const EMPTY: Self = Self(0);

    pub(super) const fn of(source: SourceKey) -> Self {
        Self(1 << source.0)
    }

    pub(super) const fn insert(&mut self, source: SourceKey) {
        self.0 |= 1 << source.0;
    }

    pub(super) const fn remove(&mut self, source: SourceKey) {
        self.0 &= !(1 << source.0);
    }

    pub(super) const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(super) const fn contains(self, source: SourceKey) -> bool {
        self.0 & (1 << source.0) != 0
    }

    pub(super) const fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(super) fn iter(self) -> impl Iterator<Item = SourceKey> {
        let mut left = self.0;
        std::iter::from_fn(move || {
            let lowest = u8::try_from(left.trailing_zeros()).ok().filter(|&bit| bit < 32)?;
            left &= left - 1;
            Some(SourceKey(lowest))
        })
    }
}

/// What one source finds for one subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Lane {
    pub(super) source: SourceKey,
    pub(super) subject: SubjectKey,
}

/// Whose turn it is. The source served longest ago comes first, then its subject served longest ago,
/// so neither a loud source nor a loud subject holds up the others.
#[derive(Default)]
pub(super) struct Lanes {
    /// Names and the turn at which each was last served; at most `MAX_SOURCES`.
    sources: Vec<(Box<str>, u64)>,
    /// At most one per source and subject of this node.
    lanes: BTreeMap<Lane, LaneState>,
    /// How many dials were planned.
    turn: u64,
}

#[derive(Default)]
struct LaneState {
    served: u64,
    /// Newcomers since the lane last had room, and those that waited then.
    offered: u64,
}

impl Lanes {
    /// The number of the source with this name.
    pub(super) fn source(&mut self, name: &str) -> SourceKey {
        let index = self.sources.iter().position(|(known, _)| **known == *name);
        let index = index.unwrap_or_else(|| {
            if self.sources.len() < MAX_SOURCES {
                let name = if self.sources.len() + 1 == MAX_SOURCES { OTHERS } else { name };
                self.sources.push((name.into(), 0));
            }
            self.sources.len() - 1
        });
        SourceKey(u8::try_from(index).unwrap_or(u8::MAX))
    }

    /// The number of the source with this name, if it ever found anything and has one of its own.
    pub(super) fn known(&self, name: &str) -> Option<SourceKey> {
        let index = self.sources.iter().position(|(known, _)| **known == *name)?;
        u8::try_from(index).ok().map(SourceKey)
    }

    pub(super) fn name(&self, source: SourceKey) -> &str {
        self.sources.get(usize::from(source.0)).map_or(OTHERS, |(name, _)| name)
    }

    /// When the source and the lane were last served: the lowest is next.
    pub(super) fn served(&self, lane: Lane) -> (u64, u64) {
        let source = self.sources.get(usize::from(lane.source.0)).map_or(0, |(_, served)| *served);
        (source, self.lanes.get(&lane).map_or(0, |state| state.served))
    }

    pub(super) fn serve(&mut self, lane: Lane) {
        self.turn = self.turn.saturating_add(1);
        if let Some((_, served)) = self.sources.get_mut(usize::from(lane.source.0)) {
            *served = self.turn;
        }
        self.lanes.entry(lane).or_default().served = self.turn;
    }

    /// Counts a newcomer to a lane in which `waiting` wait: how many, with it, compete for the places.
    pub(super) fn offer(&mut self, lane: Lane, waiting: usize, room: bool) -> u64 {
        let state = self.lanes.entry(lane).or_default();
        if room {
            state.offered = waiting as u64;
        }
        state.offered = state.offered.saturating_add(1);
        state.offered
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.lanes.len()
    }

    pub(super) fn forget(&mut self, subject: SubjectKey) {
        self.lanes.retain(|lane, _| lane.subject != subject);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_beyond_the_bound_share_the_last_number() {
        let mut lanes = Lanes::default();
        let keys: Vec<_> = (0..100).map(|n| lanes.source(&format!("service {n}"))).collect();
        assert_eq!(keys[0], lanes.source("service 0"));
        assert_ne!(keys[29], keys[30]);
        assert!(keys[31..].iter().all(|&key| key == SourceKey(31) && lanes.name(key) == OTHERS));
    }
}
