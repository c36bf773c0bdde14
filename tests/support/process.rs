//! Child processes that never outlive their test, and waiting for events with a deadline.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// How long anything on this machine may take to happen. Only a failing test ever waits this long.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// How long a process may take to obey SIGTERM before it is killed.
const GRACE: Duration = Duration::from_secs(10);

/// How often a condition is looked at.
const PERIOD: Duration = Duration::from_millis(10);

/// A child process whose output goes to a file. Dropping it ends it.
pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `command` with no input; its output and errors are appended to the file `log`.
    pub fn start(name: &str, command: &mut Command, log: &Path) -> Process {
        let out = File::options()
            .create(true)
            .append(true)
            .open(log)
            .unwrap_or_else(|error| panic!("cannot write {}: {error}", log.display()));
        let err = out.try_clone().expect("a log file's handle can be copied");
        let child = command
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(err)
            .spawn()
            .unwrap_or_else(|error| {
                panic!("cannot start {name} ({error}); `make setup` installs what the tests need")
            });
        Process {
            name: name.to_owned(),
            child,
            log: log.to_owned(),
        }
    }

    /// The process's id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// All that it has written so far.
    pub fn log(&self) -> String {
        fs::read(&self.log)
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .unwrap_or_default()
    }

    /// How it ended, if it has.
    pub fn exited(&mut self) -> Option<ExitStatus> {
        self.child
            .try_wait()
            .expect("our own child can be waited for")
    }

    /// Waits until `ready` finds what it looks for. Panics with the log when the process ends or
    /// [`PATIENCE`] is over.
    pub fn wait_until<T>(&mut self, what: &str, mut ready: impl FnMut(&str) -> Option<T>) -> T {
        match self.wait(&mut ready) {
            Ok(found) => found,
            Err(reason) => panic!(
                "{} {reason} while waiting for: {what}\n--- its log ---\n{}",
                self.name,
                self.log()
            ),
        }
    }

    /// As [`Process::wait_until`], with the reason as an error.
    pub fn wait<T>(&mut self, mut ready: impl FnMut(&str) -> Option<T>) -> Result<T, String> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let exited = self.exited();
            if let Some(found) = ready(&self.log()) {
                return Ok(found);
            }
            if let Some(status) = exited {
                return Err(format!("ended ({status})"));
            }
            if Instant::now() > deadline {
                return Err("did not get there in time".to_owned());
            }
            thread::sleep(PERIOD);
        }
    }

    /// Waits until it ends by itself.
    pub fn wait_for_exit(&mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.exited() {
                return status;
            }
            assert!(
                Instant::now() < deadline,
                "{} does not end\n--- its log ---\n{}",
                self.name,
                self.log()
            );
            thread::sleep(PERIOD);
        }
    }

    /// Sends SIGTERM and does not wait.
    pub fn terminate(&mut self) {
        self.signal("TERM");
    }

    /// Asks it to end, and kills it when it does not within a bound. Nothing happens to one that has ended.
    pub fn stop(&mut self) {
        if self.exited().is_some() {
            return;
        }
        self.terminate();
        let deadline = Instant::now() + GRACE;
        while self.exited().is_none() {
            if Instant::now() > deadline {
                self.kill();
                return;
            }
            thread::sleep(PERIOD);
        }
    }

    /// Kills it without warning (SIGKILL).
    pub fn kill(&mut self) {
        self.child.kill().ok();
        self.child.wait().expect("our own child can be waited for");
    }

    /// Stops it in its tracks (SIGSTOP), so that it holds its sockets and says nothing.
    pub fn freeze(&mut self) {
        self.signal("STOP");
    }

    /// Lets it go on after [`Process::freeze`].
    pub fn thaw(&mut self) {
        self.signal("CONT");
    }

    /// The shell's own `kill`: the standard library can send SIGKILL only. A child that has not been
    /// waited for keeps its id, so the signal cannot reach another process.
    fn signal(&mut self, signal: &str) {
        if self.exited().is_none() {
            Command::new("sh")
                .args([
                    "-c",
                    "kill -s \"$1\" \"$2\"",
                    "sh",
                    signal,
                    &self.id().to_string(),
                ])
                .status()
                .expect("sh runs");
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.thaw();
        self.stop();
    }
}

/// Looks at `ready` until it finds something; panics with `what` when [`PATIENCE`] is over.
pub fn wait_until<T>(what: &str, mut ready: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = ready() {
            return found;
        }
        assert!(Instant::now() < deadline, "did not happen in time: {what}");
        thread::sleep(PERIOD);
    }
}

/// A loopback port that was free a moment ago. Another process can take it before it is used, so
/// whoever starts something on it must be ready to try another.
pub fn free_port() -> u16 {
    // Below those that the kernel gives to whoever connects (ip_local_port_range): one of these could take
    // the port between here and the listener's own bind().
    const FIRST: u32 = 10_000;
    const PORTS: u32 = 22_000;
    static ASKED: AtomicU32 = AtomicU32::new(0);
    let begin = std::process::id().wrapping_mul(101);
    (0..PORTS)
        .map(|_| {
            let next = begin.wrapping_add(ASKED.fetch_add(1, Ordering::Relaxed));
            (FIRST + next % PORTS) as u16
        })
        .find(|&port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok())
        .expect("loopback has a free port")
}

/// Whether something accepts connections on that loopback port.
pub fn accepts(port: u16) -> bool {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_ok()
}
