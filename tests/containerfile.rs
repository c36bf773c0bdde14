//! The Containerfile passes its linter, runs without rights and takes no secrets along.
//! Not covered: building it, for which a container engine is needed.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::process::Command;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

#[test]
fn the_containerfile_passes_its_linter() {
    let fetched = Command::new(format!("{ROOT}/.ci/hadolint"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&fetched.stderr);
    assert!(fetched.status.success(), "hadolint: {said}");
    let hadolint = String::from_utf8(fetched.stdout).unwrap();
    let read = Command::new(hadolint.trim())
        .args([
            "--no-color",
            "--failure-threshold",
            "style",
            "Containerfile",
        ])
        .current_dir(ROOT)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&read.stdout);
    assert!(read.status.success() && said.is_empty(), "{said}");
}

#[test]
fn the_image_has_an_account_of_its_own_and_no_secrets() {
    let text = include_str!("../Containerfile");
    let last_stage = text.rsplit("\nFROM ").next().unwrap();
    assert!(last_stage.contains("\nUSER 10001\n"), "{last_stage}");
    assert!(last_stage.contains("\nHEALTHCHECK "), "{last_stage}");
    assert!(!text.contains("\nARG ") && !text.to_lowercase().contains("password"));
    let ignored = include_str!("../.containerignore");
    for pattern in [".git", "target", "*.secret", "*.key", "*.pem", "*.sqlite*"] {
        assert!(ignored.lines().any(|line| line == pattern), "{pattern}");
    }
}
