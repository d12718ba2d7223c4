//! Sentences about the packets of the one port.

mod classes;
mod paths;
mod probes;
