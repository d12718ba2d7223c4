//! The command line as users have it: real processes, told only what users tell them.

mod commands;
mod join;
mod support;
