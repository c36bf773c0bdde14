//! The Debian packages, in a clean Debian: installed, used, and removed again without remains.
//!
//! Needs root, as making a root directory does; nothing is mounted. Not covered: systemd, which does not run
//! there (the unit is judged by `meson_install.rs`).
#![cfg(feature = "server")]
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/ran.rs"]
mod ran;
mod support;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use ran::run;
use support::process::{Process, free_port};
use support::server::agent;

/// A Debian of the machine's own release and sources.
struct Clean(PathBuf);

impl Clean {
    fn make(path: PathBuf) -> Self {
        let release = fs::read_to_string("/etc/os-release").unwrap();
        let mut lines = release.lines();
        let name = lines.find_map(|line| line.strip_prefix("VERSION_CODENAME="));
        // The package lists are wanted again.
        let mut command = Command::new("mmdebstrap");
        command.args(["--variant=apt", "--mode=root", "--skip=cleanup/apt/lists"]);
        run(command.arg(name.unwrap()).arg(&path));
        for file in ["/etc/resolv.conf", "/etc/hosts"] {
            let _ = fs::copy(file, path.join(file.trim_start_matches('/')));
        }
        Self(path)
    }

    fn path(&self, path: &str) -> PathBuf {
        self.0.join(path.trim_start_matches('/'))
    }

    fn command(&self, line: &str) -> Command {
        let mut command = Command::new("chroot");
        command
            .arg(&self.0)
            .args(line.split(' '))
            .env("DEBIAN_FRONTEND", "noninteractive")
            .env("GST_REGISTRY", "/tmp/registry.bin")
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        command
    }

    fn run(&self, line: &str) -> String {
        run(&mut self.command(line))
    }

    /// All files, without what the package manager keeps for itself.
    fn files(&self) -> BTreeSet<PathBuf> {
        let own = [
            "tmp",
            "proc",
            "var/cache",
            "var/lib/apt",
            "var/lib/dpkg",
            "var/log",
        ];
        let mut found = BTreeSet::new();
        let mut left = vec![self.0.clone()];
        while let Some(directory) = left.pop() {
            for entry in fs::read_dir(directory).unwrap() {
                let entry = entry.unwrap();
                let path = entry.path();
                let inside = path.strip_prefix(&self.0).unwrap();
                if own.iter().any(|own| inside == Path::new(own)) {
                    continue;
                }
                found.insert(inside.to_owned());
                if entry.file_type().unwrap().is_dir() {
                    left.push(path);
                }
            }
        }
        found
    }
}

#[test]
fn packages_install_work_and_leave_nothing_behind() {
    let directory = tempfile::TempDir::new().unwrap();
    let packages = directory.path().join("packages");
    // target/PROFILE/deps/this: what is built there already need not be built again.
    let executable = std::env::current_exe().unwrap();
    let target = executable.ancestors().nth(3).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/deb/build");
    let mut build = Command::new(script);
    run(build
        .arg("--debug")
        .arg(&packages)
        .env("CARGO_TARGET_DIR", target));

    let clean = Clean::make(directory.path().join("root"));
    let mut names = Vec::new();
    for entry in fs::read_dir(&packages).unwrap() {
        let package = entry.unwrap().path();
        let depends = run(Command::new("dpkg-deb")
            .arg("-f")
            .arg(&package)
            .arg("Depends"));
        let mut satisfy = clean.command("apt-get satisfy -y --no-install-recommends");
        run(satisfy.arg(depends.trim()));
        let name = package.file_name().unwrap().to_str().unwrap().to_owned();
        fs::copy(&package, clean.path("/tmp").join(&name)).unwrap();
        names.push(format!("/tmp/{name}"));
    }
    clean.run("apt-get install -y --no-install-recommends gstreamer1.0-tools");
    let before = clean.files();
    assert_eq!(names.len(), 2, "{names:?}");
    clean.run(&format!("apt-get install -y {}", names.join(" ")));

    let inspected = clean.run("gst-inspect-1.0 h5liveauthsink");
    assert!(inspected.contains("stream-name"), "{inspected}");
    let unit = fs::read_to_string(clean.path("/lib/systemd/system/h5live-server.service")).unwrap();
    let start = unit
        .lines()
        .find_map(|line| line.strip_prefix("ExecStart="))
        .unwrap();
    assert_eq!(
        start,
        "/usr/bin/h5live-server serve --config /etc/h5live/h5live.toml"
    );
    assert_healthy(&clean, start, directory.path());

    let packages = "h5live-server gstreamer1.0-h5live";
    clean.run(&format!("apt-get purge -y {packages}"));
    let after = clean.files();
    let left: Vec<_> = after.difference(&before).collect();
    let lost: Vec<_> = before.difference(&after).collect();
    assert!(
        left.is_empty() && lost.is_empty(),
        "left {left:?}, lost {lost:?}"
    );
    let accounts = fs::read_to_string(clean.path("/etc/passwd")).unwrap();
    assert!(!accounts.contains("h5live"), "{accounts}");
}

/// As the unit starts it, with what is installed, but on a port that is free here.
fn assert_healthy(clean: &Clean, start: &str, place: &Path) {
    let installed = fs::read_to_string(clean.path("/etc/h5live/h5live.toml")).unwrap();
    let port = free_port();
    let text = installed.replace("127.0.0.1:8180", &format!("127.0.0.1:{port}"));
    fs::write(clean.path("/tmp/h5live.toml"), text).unwrap();
    // systemd makes it (StateDirectory).
    fs::create_dir(clean.path("/var/lib/h5live")).unwrap();
    let line = start.replace("/etc/h5live/h5live.toml", "/tmp/h5live.toml");
    let mut process = Process::start(
        "h5live-server",
        &mut clean.command(&line),
        &place.join("log"),
    );
    let url = format!("http://127.0.0.1:{port}/healthz");
    process.wait_until("health", |_| agent().get(&url).call().ok().map(drop));
    process.terminate();
    assert!(process.wait_for_exit().success(), "{}", process.log());
}
