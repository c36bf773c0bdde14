//! What a packager does: meson sets up, compiles and installs into a directory of its own, and
//! GStreamer finds the element there.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

fn run(command: &mut Command) -> String {
    let output = command.output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}\n{said}{error}");
    said
}

#[test]
fn meson_builds_and_installs_plugin_and_server() {
    let directory = TempDir::new().unwrap();
    let (build, root) = (
        directory.path().join("build"),
        directory.path().join("root"),
    );
    // target/PROFILE/deps/this: what is built there already need not be built again.
    let executable = std::env::current_exe().unwrap();
    let target = executable.ancestors().nth(3).unwrap();
    let meson = || {
        let mut meson = Command::new("meson");
        meson.env("CARGO_TARGET_DIR", target);
        meson
    };
    run(meson()
        .args([
            "setup",
            "--buildtype=debug",
            "--prefix=/usr",
            "--libdir=lib",
        ])
        .arg(&build)
        .arg(env!("CARGO_MANIFEST_DIR")));
    run(meson().args(["compile", "-C"]).arg(&build));
    run(meson()
        .args(["install", "--no-rebuild", "-C"])
        .arg(&build)
        .arg("--destdir")
        .arg(&root));

    let plugins = root.join("usr/lib/gstreamer-1.0");
    assert!(plugins.join("libgsth5live.so").is_file());
    let inspected = run(Command::new("gst-inspect-1.0")
        .env("GST_PLUGIN_PATH", &plugins)
        .env("GST_REGISTRY", directory.path().join("registry"))
        .arg("h5liveauthsink"));
    assert!(
        inspected.contains("libgsth5live.so") && inspected.contains("stream-name"),
        "{inspected}"
    );
    let version = run(Command::new(root.join("usr/bin/h5live-server")).arg("--version"));
    assert_eq!(
        version.trim(),
        concat!("h5live-server ", env!("CARGO_PKG_VERSION"))
    );
    let checked = run(Command::new(root.join("usr/bin/h5live-server"))
        .arg("check-config")
        .arg(Path::new(&root).join("usr/share/h5live/h5live.toml")));
    assert!(checked.contains("fine"), "{checked}");
}
