//! The threads that the doors answer on.

use tokio::runtime::Builder;

/// How much they give way to the threads that write media (nice(2)): where both want a core, the doors get a
/// quarter of it. So who comes does not disturb who plays, and a withdrawal still gets through.
#[cfg(target_os = "linux")]
const GIVE_WAY: i32 = 5;

/// A runtime of such threads, one a core.
pub fn runtime() -> Builder {
    let mut builder = Builder::new_multi_thread();
    builder.thread_name("h5live-doors").enable_all();
    // Elsewhere a thread has no niceness of its own.
    #[cfg(target_os = "linux")]
    builder.on_thread_start(|| {
        // Where that is refused, they do without.
        let _ = rustix::process::nice(GIVE_WAY);
    });
    builder
}
