//! What other processes and cores have used, as /proc tells it.

use std::fs;

/// Nanoseconds of a clock tick of /proc (USER_HZ is 100 on every Linux).
const TICK: u64 = 10_000_000;

/// CPU nanoseconds of a process and its threads, user and system, to 10 ms.
pub fn cpu_nanos(process: u32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).expect("the server runs");
    // The name, in brackets, may hold blanks.
    let (_, fields) = stat.rsplit_once(") ").expect("a name in brackets");
    let fields: Vec<&str> = fields.split(' ').collect();
    let ticks = |index: usize| fields[index].parse::<u64>().expect("a number");
    (ticks(11) + ticks(12)) * TICK
}

/// KiB of memory that a process has for itself.
pub fn memory_kib(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).expect("the server runs");
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("RssAnon:"));
    let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    number.expect("a size")
}

/// Nanoseconds that a core has worked, whoever for, to 10 ms.
pub fn core_busy(core: usize) -> u64 {
    let stat = fs::read_to_string("/proc/stat").expect("there is /proc");
    let head = format!("cpu{core} ");
    let line = stat.lines().find_map(|line| line.strip_prefix(&head));
    let ticks: Vec<u64> = (line.expect("the core is there").split(' '))
        .filter_map(|field| field.parse().ok())
        .collect();
    // user, nice, system; irq, softirq. In between: idle and iowait.
    [0, 1, 2, 5, 6]
        .iter()
        .map(|&index| ticks[index])
        .sum::<u64>()
        * TICK
}
