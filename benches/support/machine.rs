//! The machine that a figure was measured on, its clocks, and which core this process stays on.

use std::fs;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::thread::{CpuSet, sched_setaffinity};
use rustix::time::{ClockId, Timespec, clock_gettime};
use serde_json::{Value, json};

/// One core for what is measured and one for what measures, so that neither takes from the other.
pub const MEASURED_CORE: usize = 0;

/// Keeps this thread, and all threads it starts from now on, on one core.
pub fn pin(core: usize) {
    let mut set = CpuSet::new();
    set.set(core);
    sched_setaffinity(None, &set).expect("this bench needs to choose its core");
}

/// CPU nanoseconds of all threads of this process so far, user and system. On a kernel without
/// CONFIG_IRQ_TIME_ACCOUNTING this includes the receiving half of loopback TCP, which runs inside of
/// the sender's write().
pub fn cpu_nanos() -> u64 {
    nanos(clock_gettime(ClockId::ProcessCPUTime))
}

fn nanos(time: Timespec) -> u64 {
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

fn line(path: &str, key: &str) -> String {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.lines()
        .find_map(|line| line.strip_prefix(key))
        .map(|rest| rest.trim_matches([' ', '\t', ':']).to_owned())
        .unwrap_or_else(|| "unknown".into())
}

/// What a reader must know to compare figures of two machines.
pub fn describe() -> Value {
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    json!({
        "cpu": line("/proc/cpuinfo", "model name"),
        "cores": std::thread::available_parallelism().map_or(0, usize::from),
        "kernel": line("/proc/sys/kernel/osrelease", ""),
        "congestion_control": line("/proc/sys/net/ipv4/tcp_congestion_control", ""),
        "memory": line("/proc/meminfo", "MemTotal"),
        "load_before": load.split(' ').next().unwrap_or("unknown"),
    })
}

/// Prints [`describe`] on one line.
pub fn print(machine: &Value) {
    let text = |key: &str| machine[key].to_string().trim_matches('"').to_owned();
    println!(
        "machine: {}, {} cores, {}, Linux {}, TCP by {}, load {} before the start",
        text("cpu"),
        text("cores"),
        text("memory"),
        text("kernel"),
        text("congestion_control"),
        text("load_before"),
    );
}

/// What only a bench with processes of its own needs.
#[allow(dead_code)]
pub mod processes {
    use super::*;

    /// See [`MEASURED_CORE`].
    pub const MEASURING_CORE: usize = 1;

    /// Nanoseconds on a clock that all processes of this machine share.
    pub fn now_nanos() -> u64 {
        nanos(clock_gettime(ClockId::Monotonic))
    }

    /// CPU nanoseconds of this thread so far.
    pub fn thread_cpu_nanos() -> u64 {
        nanos(clock_gettime(ClockId::ThreadCPUTime))
    }

    /// What a process has in memory of its own, with its share of what it has in common with others; nothing of
    /// the kernel's, such as socket buffers. In bytes; 0 where the kernel does not tell.
    pub fn resident_bytes(process: u32) -> u64 {
        let kib = line(&format!("/proc/{process}/smaps_rollup"), "Pss:");
        let number = kib.split(' ').next().and_then(|number| number.parse().ok());
        number.unwrap_or(0_u64) * 1024
    }

    /// So many no bench has open at once.
    const FILES: u64 = 100_000;

    /// A thousand sockets are more than some systems allow before they are asked. Returns how many files this process
    /// and its children may have open now: who is privileged gets more than the hard limit.
    pub fn allow_files() -> u64 {
        let hard = getrlimit(Resource::Nofile).maximum.unwrap_or(FILES);
        let limits = |files| Rlimit {
            current: Some(files),
            maximum: Some(files),
        };
        let wanted = FILES.max(hard);
        if setrlimit(Resource::Nofile, limits(wanted)).is_ok() {
            return wanted;
        }
        let all = setrlimit(Resource::Nofile, limits(hard));
        all.expect("a soft limit may be raised to the hard one");
        hard
    }
}
