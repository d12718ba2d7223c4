//! What a run finds out, as the two processes of a run tell it and as the JSON says it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What one run comes to.
pub(crate) type Figures = BTreeMap<Figure, f64>;

/// One thing that a run finds out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Figure {
    /// Messages a second
    Messages,
    /// 10^6 bytes of messages a second
    Megabytes,
    /// Seconds of processor time a gigabyte, at the sending end
    SendingProcessor,
    /// The same at the receiving end
    ReceivingProcessor,
    /// The same, both ends together
    Processor,
    /// Microseconds that half of the round trips do not exceed
    Median,
    /// Microseconds that 99 of 100 round trips do not exceed
    NinetyNinth,
    /// Connections a second
    Connections,
    /// Microseconds of processor time a connection, at the dialling end
    DiallingProcessor,
    /// KiB of memory an idle connection, at the accepting end
    AcceptingMemory,
    /// The same at the dialling end
    DiallingMemory,
    /// KiB of memory of what has to be there before a connection is dialled: a node
    ReadyMemory,
    /// How many times its part of all bytes that remote had which had most
    MostShare,
    /// The same of the one which had least
    LeastShare,
    /// KiB of memory that the sending end has taken since it began
    KeptMemory,
    /// Microseconds that none exceeded
    Longest,
    /// Milliseconds from looking for somebody to the remote
    Found,
    /// Milliseconds of processor time in a second of doing nothing
    IdleProcessor,
    /// MiB that a node has with remotes that do nothing
    IdleMemory,
}

impl Figure {
    /// Whether less of it is better.
    pub(crate) const fn is_cost(self) -> bool {
        !matches!(self, Self::Messages | Self::Megabytes | Self::Connections | Self::LeastShare)
    }
}

/// With the processor time of both ends together, where each told its own.
pub(crate) fn with_sum(mut figures: Figures) -> Figures {
    let both = [Figure::SendingProcessor, Figure::ReceivingProcessor];
    if let [Some(sending), Some(receiving)] = both.map(|end| figures.get(&end).copied()) {
        figures.insert(Figure::Processor, sending + receiving);
    }
    figures
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processor_time_is_added_up_where_both_ends_told_theirs() {
        let told =
            Figures::from([(Figure::SendingProcessor, 0.5), (Figure::ReceivingProcessor, 0.25)]);
        assert_eq!(with_sum(told)[&Figure::Processor], 0.75);
        let told = Figures::from([(Figure::Median, 5.0)]);
        assert_eq!(with_sum(told.clone()), told);
    }
}
