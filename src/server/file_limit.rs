//! Every viewer is an open file to the system, and its default of 1,024 is soon used up.

use rustix::process::{Resource, getrlimit, setrlimit};

/// What the server needs beside its connections: records, threads' pollers, GStreamer.
const OTHER_FILES: u64 = 512;

/// Raises the limit of open files as far as the system lets us, and says so where that is too little.
pub(super) fn raise(connections: usize) {
    let wanted = u64::try_from(connections)
        .unwrap_or(u64::MAX)
        .saturating_add(OTHER_FILES);
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|current| current >= wanted) {
        return;
    }
    limit.current = Some(limit.maximum.map_or(wanted, |most| most.min(wanted)));
    let raised = setrlimit(Resource::Nofile, limit);
    if raised.is_err() || limit.current < Some(wanted) {
        let files = getrlimit(Resource::Nofile).current;
        tracing::warn!(
            files,
            wanted,
            "fewer files may be open than limits.max-viewers needs; raise LimitNOFILE or ulimit -n"
        );
    }
}
