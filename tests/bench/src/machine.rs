//! The machine: its cores, its clocks of processor time, and what it calls itself.

use std::{collections::BTreeMap, fs, path::Path, process::Command, time::Duration};

use rustix::{
    process::{Resource, Rlimit, getrlimit, setrlimit},
    time::{ClockId, clock_gettime},
};
use serde::{Deserialize, Serialize};

use crate::{Outcome, arguments::Arguments};

/// What stands above the table and in the JSON, so that nobody compares different machines.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Machine {
    pub(crate) processor: String,
    pub(crate) cores: usize,
    pub(crate) system: String,
    pub(crate) congestion_control: String,
    pub(crate) load: String,
    pub(crate) unix_time: u64,
    pub(crate) debug_build: bool,
}

pub(crate) fn describe(cores: &[usize]) -> Machine {
    let uname = rustix::system::uname();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    Machine {
        processor: processor(),
        cores: cores.len(),
        system: format!(
            "{} {} {}",
            uname.sysname().to_string_lossy(),
            uname.release().to_string_lossy(),
            uname.machine().to_string_lossy()
        ),
        congestion_control: first_line("/proc/sys/net/ipv4/tcp_congestion_control"),
        load: first_line("/proc/loadavg"),
        unix_time: now.map_or(0, |now| now.as_secs()),
        debug_build: cfg!(debug_assertions),
    }
}

/// What measured and what compiled it, by name, as far as it can be found out.
pub(crate) fn versions(arguments: &Arguments) -> BTreeMap<String, String> {
    let node = arguments.node.as_ref().map(|_| Path::new("node"));
    let c = arguments.c_library.as_ref().map(|_| Path::new("cc"));
    let all = [
        ("Rust", Some(Path::new("rustc"))),
        ("C", c),
        ("Python", arguments.python.as_deref()),
        ("Node", node),
    ];
    let versions = all.into_iter().filter_map(|(name, program)| {
        let output = Command::new(program?).arg("--version").output().ok()?;
        let line = String::from_utf8_lossy(&output.stdout).lines().next()?.to_owned();
        let version = ["rustc ", "Python "].iter().find_map(|name| line.strip_prefix(name));
        Some((name.to_owned(), version.unwrap_or(&line).to_owned()))
    });
    versions.collect()
}

fn processor() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = text.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    model.map_or_else(|| "unknown".to_owned(), |(_, name)| name.to_owned())
}

fn first_line(path: &str) -> String {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.lines().next().unwrap_or("unknown").to_owned()
}

/// Processor time of this process so far, in user and kernel.
pub(crate) fn processor_time() -> Duration {
    let now = clock_gettime(ClockId::ProcessCPUTime);
    let nanoseconds = i128::from(now.tv_sec) * 1_000_000_000 + i128::from(now.tv_nsec);
    Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(0))
}

/// Lets this process open as many files as it may: a thousand connections are more than the usual.
pub(crate) fn allow_many_files() -> Outcome<()> {
    let limit = getrlimit(Resource::Nofile);
    let all = Rlimit { current: limit.maximum, maximum: limit.maximum };
    setrlimit(Resource::Nofile, all)
        .map_err(|error| format!("the limit of open files cannot be raised: {error}").into())
}

/// The cores on which this process may run.
#[cfg(target_os = "linux")]
pub(crate) fn cores() -> Outcome<Vec<usize>> {
    use rustix::thread::{CpuSet, sched_getaffinity};
    let allowed = sched_getaffinity(None)?;
    Ok((0..CpuSet::MAX_CPU).filter(|core| allowed.is_set(*core)).collect())
}

/// None: processes cannot be tied to cores here.
#[cfg(not(target_os = "linux"))]
pub(crate) fn cores() -> Outcome<Vec<usize>> {
    Ok(Vec::new())
}

/// Ties this process, and the threads that it will start, to one core.
#[cfg(target_os = "linux")]
pub(crate) fn stay_on(core: usize) -> Outcome<()> {
    use rustix::thread::{CpuSet, sched_setaffinity};
    let mut only = CpuSet::new();
    only.set(core);
    sched_setaffinity(None, &only)
        .map_err(|error| format!("this process cannot be tied to core {core}: {error}").into())
}

/// Not possible here; [`cores`] has said so.
#[cfg(not(target_os = "linux"))]
pub(crate) fn stay_on(_: usize) -> Outcome<()> {
    Ok(())
}

/// KiB that a process has written to and that no file backs: its heap and stacks.
pub(crate) fn anonymous_memory(process: u32) -> Outcome<u64> {
    let path = format!("/proc/{process}/smaps_rollup");
    let text = fs::read_to_string(&path).map_err(|error| format!("{path}: {error}"))?;
    let line = text.lines().find_map(|line| line.strip_prefix("Anonymous:"));
    let kib = line.and_then(|rest| rest.trim().strip_suffix(" kB")?.parse().ok());
    kib.ok_or_else(|| format!("{path} has no line `Anonymous:`").into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_that_was_written_is_seen() {
        let before = anonymous_memory(std::process::id()).unwrap();
        let block = std::hint::black_box(vec![1_u8; 32 << 20]);
        let after = anonymous_memory(std::process::id()).unwrap();
        assert!(after >= before + 16 * 1024, "{before} KiB, then {after} KiB");
        drop(block);
    }
}
