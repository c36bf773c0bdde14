//! What a packager does: meson sets up, compiles and installs into a directory of its own, and
//! GStreamer finds the element there.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/ran.rs"]
mod ran;

use std::path::Path;
use std::process::Command;

use ran::run;
use serde_json::Value;
use tempfile::TempDir;

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
            "--prefix=/opt/h5live",
            "--libdir=lib/x",
            "-Ddefault_library=both",
        ])
        .arg(&build)
        .arg(env!("CARGO_MANIFEST_DIR")));
    run(meson().args(["compile", "-C"]).arg(&build));
    run(meson()
        .args(["install", "--no-rebuild", "-C"])
        .arg(&build)
        .arg("--destdir")
        .arg(&root));

    run(meson().args(["test", "--no-rebuild", "-C"]).arg(&build));
    let root = root.join("opt/h5live");
    let plugins = root.join("lib/x/gstreamer-1.0");
    for file in [
        "libgsth5live.so",
        "libgsth5live.a",
        "pkgconfig/gsth5live.pc",
    ] {
        assert!(plugins.join(file).is_file(), "{file}");
    }
    let inspected = run(Command::new("gst-inspect-1.0")
        .env("GST_PLUGIN_PATH", &plugins)
        .env("GST_REGISTRY", directory.path().join("registry"))
        .arg("h5liveauthsink"));
    assert!(
        inspected.contains("libgsth5live.so") && inspected.contains("stream-name"),
        "{inspected}"
    );
    let version = run(Command::new(root.join("bin/h5live-server")).arg("--version"));
    assert_eq!(
        version.trim(),
        concat!("h5live-server ", env!("CARGO_PKG_VERSION"))
    );
    for configuration in ["share/h5live/h5live.toml", "etc/h5live/h5live.toml"] {
        let checked = run(Command::new(root.join("bin/h5live-server"))
            .arg("check-config")
            .arg(root.join(configuration)));
        assert!(checked.contains("fine"), "{configuration}: {checked}");
    }
    for file in [
        "lib/systemd/system/h5live-server.service",
        "lib/sysusers.d/h5live.conf",
        "share/bash-completion/completions/h5live-server.bash",
        "share/fish/vendor_completions.d/h5live-server.fish",
        "share/zsh/site-functions/_h5live-server",
    ] {
        assert!(root.join(file).is_file(), "{file}");
    }
    has_a_page_for_each_command(&root);
}

/// What would be installed, and the tests there would be, with options of `meson setup`.
fn planned(options: &[&str]) -> (Vec<String>, Vec<String>) {
    let directory = TempDir::new().unwrap();
    run(Command::new("meson")
        .args(["setup", "--prefix=/usr"])
        .args(options)
        .arg(directory.path())
        .arg(env!("CARGO_MANIFEST_DIR")));
    let told = |what| -> Value {
        let told = run(Command::new("meson")
            .args(["introspect", what])
            .arg(directory.path()));
        serde_json::from_str(&told).unwrap()
    };
    let (installed, tests) = (told("--installed"), told("--tests"));
    let places = installed.as_object().unwrap().values();
    let names = tests.as_array().unwrap().iter().map(|test| &test["name"]);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    (places.map(text).collect(), names.map(text).collect())
}

#[test]
fn each_option_leaves_out_its_own_part_and_nothing_else() {
    const PLUGIN: &str = "/gstreamer-1.0/libgsth5live.so";
    const STATIC: &str = "/gstreamer-1.0/libgsth5live.a";
    const SERVER: &str = "/bin/h5live-server";
    const USER: &str = "/sysusers.d/h5live.conf";
    const PAGE: &str = "/man1/h5live-server.1";
    let all = [PLUGIN, STATIC, SERVER, USER, PAGE];
    type Row = (&'static [&'static str], &'static [&'static str], usize);
    let rows: [Row; 6] = [
        (&[], &[PLUGIN, SERVER, USER, PAGE], 2),
        (&["-Dplugin=false"], &[SERVER, USER, PAGE], 0),
        (&["-Dserver=false"], &[PLUGIN], 2),
        (&["-Ddoc=false"], &[PLUGIN, SERVER, USER], 2),
        (&["-Dtests=false"], &[PLUGIN, SERVER, USER, PAGE], 0),
        (
            &["-Ddefault_library=static"],
            &[STATIC, SERVER, USER, PAGE],
            0,
        ),
    ];
    for (options, expected, tests) in rows {
        let (installed, names) = planned(options);
        let found: Vec<_> = (all.into_iter())
            .filter(|file| installed.iter().any(|place| place.ends_with(file)))
            .collect();
        assert_eq!(found, expected, "{options:?}: {installed:?}");
        assert_eq!(names.len(), tests, "{options:?}: {names:?}");
    }
}

fn has_a_page_for_each_command(root: &Path) {
    let server = Command::new(root.join("bin/h5live-server"))
        .arg("help")
        .output()
        .unwrap();
    let help = String::from_utf8(server.stdout).unwrap();
    let commands = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let commands = commands.take_while(|line| !line.is_empty());
    let mut count = 0;
    for line in commands {
        let command = line.split_whitespace().next().unwrap();
        if command != "help" {
            let page = root.join(format!("share/man/man1/h5live-server-{command}.1"));
            assert!(page.is_file(), "{command} has no page");
            count += 1;
        }
    }
    assert!(count > 5, "{help}");
}

#[test]
fn the_service_is_hardened_and_starts_what_is_installed() {
    let unit = include_str!("../packaging/h5live-server.service");
    for line in [
        "ExecStart=@bindir@/h5live-server serve --config @sysconfdir@/h5live/h5live.toml",
        "DynamicUser=yes",
        "NoNewPrivileges=yes",
        "ProtectSystem=strict",
        "CapabilityBoundingSet=CAP_NET_BIND_SERVICE",
    ] {
        assert!(unit.lines().any(|found| found == line), "{line}");
    }
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("h5live-server.service");
    let program = env!("CARGO_BIN_EXE_h5live-server");
    let text = unit
        .replace("@bindir@/h5live-server", program)
        .replace("@sysconfdir@", "/etc")
        // The pages are not installed here.
        .replace("Documentation=man:h5live-server(1)\n", "");
    std::fs::write(&path, text).unwrap();
    let verified = Command::new("systemd-analyze")
        .arg("verify")
        .arg(&path)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&verified.stderr);
    assert!(!said.contains("h5live-server.service"), "{said}");
    // 0 is shut off from everything, 10 is as open as can be.
    let exposure = Command::new("systemd-analyze")
        .args(["security", "--offline=yes", "--threshold=20"])
        .arg(&path)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&exposure.stdout);
    assert!(exposure.status.success(), "{said}");
}
