//! The built plugin, for GStreamer's own tools.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Builds the plugin, which `cargo test` leaves out, and says where it lies. There is little to do
/// after `make plugin`.
pub fn directory() -> PathBuf {
    // target/PROFILE/deps/this
    let executable = std::env::current_exe().expect("its own path");
    let target = executable.ancestors().nth(3).expect("a target directory");
    let built = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--locked", "-p", "gst-plugin-h5live"])
        .arg("--target-dir")
        .arg(target)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .status()
        .expect("cargo runs");
    assert!(built.success(), "the plugin is not built: run make plugin");
    target.join("debug")
}

/// A GStreamer tool that finds the plugin and keeps its registry to itself.
pub fn tool(name: &str, place: &Path, plugins: &Path) -> Command {
    let mut command = Command::new(name);
    command
        .env("GST_PLUGIN_PATH", plugins)
        .env("GST_REGISTRY", place.join("registry.bin"))
        .current_dir(place);
    command
}
