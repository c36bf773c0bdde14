//! A command that has to succeed.

use std::process::Command;

/// Runs it, and gives what it said.
pub fn run(command: &mut Command) -> String {
    let output = command.output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}\n{said}{error}");
    said
}
