//! Who may import whom, and what the pure modules must not know.
//!
//! Reads the paths in the source text of `src/`, test code left out. Does not see what a macro of
//! another crate expands to, nor a clock behind a function of another crate.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::path::{Path, PathBuf};

/// Each module and what it may import of ours, besides itself. A module that does not stand here
/// (configuration, server, command line) may import everything.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("token", &[]),
    ("media", &[]),
    ("hub", &["token", "media"]),
    ("element", &["media", "hub", "http", "token", "records"]),
    ("origin", &["token", "element", "hub", "media"]),
    ("http", &["token", "media", "hub"]),
    ("rtsp", &["token", "media", "hub", "http"]),
    ("issuer", &["token", "records"]),
    ("records", &["token"]),
    (
        "console",
        &["token", "hub", "origin", "http", "issuer", "records"],
    ),
    ("openapi", &["token", "http", "issuer"]),
];

/// Modules that are pure as a whole; any other file is when the text at its head says "Pure".
const PURE: &[&str] = &["token", "media"];

/// Paths, or parts of paths, that no pure file may hold.
const IMPURE: &[&[&str]] = &[
    &["Instant", "now"],
    &["SystemTime"],
    &["TcpListener"],
    &["TcpStream"],
    &["UdpSocket"],
    &["UnixListener"],
    &["UnixStream"],
    &["std", "env"],
    &["std", "fs"],
    &["std", "io", "stdin"],
    &["std", "process"],
    &["std", "thread"],
    &["tokio"],
    &["mio"],
    &["hyper"],
    &["getrandom"],
    &["gst"],
    &["gstreamer"],
    &["sqlx"],
];

#[test]
fn every_file_of_src_keeps_to_its_layer() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    rust_files(&root, &mut files);
    assert!(files.len() > 10, "only {} files found in src", files.len());
    let violations: Vec<String> = files
        .iter()
        .flat_map(|file| {
            let text = fs::read_to_string(file).unwrap();
            violations(file.strip_prefix(&root).unwrap(), &text)
        })
        .collect();
    assert!(violations.is_empty(), "\n{}", violations.join("\n"));
}

#[test]
fn the_checker_sees_what_is_wrong() {
    let cases = [
        ("token/verify.rs", "use crate::hub::Hub;"),
        ("token/verify.rs", "use crate::{media, token};"),
        ("token/mod.rs", "use super::hub;"),
        ("token/verify.rs", "use super::super::hub;"),
        ("media/fmp4.rs", "fn f() { crate::token::mint() }"),
        (
            "hub/fanout/engine.rs",
            "use crate::{\n    media::Fragment,\n    http::listener,\n};",
        ),
        ("http/app.rs", "use crate::records::Records;"),
        ("records/sqlite.rs", "use crate :: config :: Config;"),
        ("origin/pull.rs", "use crate::http;"),
        ("issuer/mod.rs", "use h5live::hub;"),
        ("token/verify.rs", "fn f() { std::time::Instant::now(); }"),
        ("token/verify.rs", "use std::time::{Duration, SystemTime};"),
        ("media/fmp4.rs", "use std::{env, fmt};"),
        ("media/fmp4.rs", "use std::fs;"),
        ("media/fmp4.rs", "use std::net::{IpAddr, TcpStream};"),
        (
            "media/fmp4.rs",
            "async fn f() { tokio::net::lookup_host(\"a\").await; }",
        ),
        (
            "http/h5live/session.rs",
            "//! A session.\n//! Pure: no socket.\nuse std::net::TcpStream;",
        ),
        (
            "token/verify.rs",
            "#[cfg(test)]\nmod tests { use std::fs; }\nuse std::fs;",
        ),
        ("token/verify.rs", "#[cfg(test)]\nmod tests;\nuse std::fs;"),
        (
            "token/verify.rs",
            "fn f<'a>(_: &'a str) { let _ = ('\"', '\\''); } use std::fs;",
        ),
        (
            "token/verify.rs",
            "const A: &str = r#\"a\"b\"#; use std::fs;",
        ),
    ];
    for (file, text) in cases {
        assert!(
            !violations(Path::new(file), text).is_empty(),
            "{file}: {text}"
        );
    }
}

#[test]
fn the_checker_leaves_alone_what_is_right() {
    let cases = [
        (
            "hub/stream.rs",
            "use crate::media::Fragment; use crate::{hub::topic, token::Grant};",
        ),
        (
            "hub/stream.rs",
            "use super::topic; use std::time::Instant; fn f() { Instant::now(); }",
        ),
        ("hub/fanout/engine.rs", "use super::super::topic;"),
        ("server.rs", "use crate::{config, http, issuer, records};"),
        (
            "token/verify.rs",
            "use std::net::{IpAddr, Ipv6Addr}; use crate::token::Denial;",
        ),
        (
            "token/verify.rs",
            "// use crate::hub;\n/* std::fs /* std::env */ */\nconst A: &str = \"crate::hub\";",
        ),
        (
            "token/verify.rs",
            "#[cfg(test)]\nmod tests { use std::fs; fn f() { { crate::hub::x() } } }",
        ),
        ("token/tests.rs", "use std::fs;"),
        (
            "http/h5live/session.rs",
            "//! Pure: the time is passed in.\nuse std::time::Instant;",
        ),
    ];
    for (file, text) in cases {
        let found = violations(Path::new(file), text);
        assert!(found.is_empty(), "{file}: {text}: {found:?}");
    }
}

fn rust_files(directory: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            rust_files(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

/// What `text`, the file at `file` below `src`, does that it must not; a sentence each.
fn violations(file: &Path, text: &str) -> Vec<String> {
    let mut location: Vec<&str> = file.iter().map(|part| part.to_str().unwrap()).collect();
    let stem = location.pop().unwrap().trim_end_matches(".rs");
    if !matches!(stem, "mod" | "lib" | "main") {
        location.push(stem);
    }
    if location.contains(&"tests") {
        return Vec::new();
    }
    let module = location.first().copied().unwrap_or("lib");
    let allowed = MAY_IMPORT.iter().find(|(name, _)| *name == module);
    let head = text.lines().take_while(|line| line.starts_with("//!"));
    let pure = PURE.contains(&module) || head.into_iter().any(|line| line.contains("Pure"));

    let mut found = Vec::new();
    for path in paths(&without_tests(tokens(text))) {
        let written = path.join("::");
        if let (Some((_, allowed)), Some(imported)) = (allowed, root_module(&path, location.len()))
            && imported != module
            && !allowed.contains(&imported)
        {
            found.push(format!(
                "{}: {module} may not import {imported} ({written})",
                file.display()
            ));
        }
        let holds = |part: &&[&str]| path.windows(part.len()).any(|window| window == *part);
        if pure && IMPURE.iter().any(holds) {
            found.push(format!(
                "{}: is pure and may not use {written}",
                file.display()
            ));
        }
    }
    found
}

/// The module at the crate's root that a path of a file `depth` modules deep begins with, if it
/// leads there.
fn root_module<'a>(path: &[&'a str], depth: usize) -> Option<&'a str> {
    let supers = path.iter().take_while(|part| **part == "super").count();
    let rest = match path.first()? {
        &"crate" | &"h5live" => &path[1..],
        &"super" if supers >= depth => &path[supers..],
        _ => return None,
    };
    rest.first().copied()
}

/// Identifiers, `::` and single characters; no comments, no strings.
fn tokens(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            block_comment(rest)
        } else if let Some(length) = raw_string(rest) {
            length
        } else if first == '"' {
            quoted(rest, '"')
        } else if first == '\'' && is_character(rest) {
            quoted(rest, '\'')
        } else if first.is_alphabetic() || first == '_' {
            let length = rest
                .find(|c: char| !c.is_alphanumeric() && c != '_')
                .unwrap_or(rest.len());
            found.push(&rest[..length]);
            length
        } else {
            let length = if rest.starts_with("::") {
                2
            } else {
                first.len_utf8()
            };
            if !first.is_whitespace() {
                found.push(&rest[..length]);
            }
            length
        };
        rest = &rest[length..];
    }
    found
}

fn block_comment(text: &str) -> usize {
    let mut depth = 0_u32;
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        if rest.starts_with("/*") {
            depth += 1;
            at += 2;
        } else if rest.starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                break;
            }
        } else {
            at += rest.chars().next().map_or(1, char::len_utf8);
        }
    }
    at
}

/// The length of a raw string (`r"…"`, `br#"…"#`) at the start of `text`, if one stands there.
fn raw_string(text: &str) -> Option<usize> {
    let marks = text.strip_prefix("br").or_else(|| text.strip_prefix('r'))?;
    let quote = marks.find(|c| c != '#')?;
    let body = marks[quote..].strip_prefix('"')?;
    let close = format!("\"{}", "#".repeat(quote));
    let before = text.len() - body.len();
    Some(
        before
            + body
                .find(&close)
                .map_or(body.len(), |end| end + close.len()),
    )
}

fn quoted(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, character) in text.char_indices().skip(1) {
        if !escaped && character == quote {
            return at + 1;
        }
        escaped = !escaped && character == '\\';
    }
    text.len()
}

/// Whether a `'` begins a character and not a lifetime.
fn is_character(text: &str) -> bool {
    let mut characters = text.chars().skip(1);
    let first = characters.next();
    first == Some('\\') || characters.next() == Some('\'')
}

/// Leaves out each item under `#[cfg(test)]`.
fn without_tests(tokens: Vec<&str>) -> Vec<&str> {
    const MARK: &[&str] = &["#", "[", "cfg", "(", "test", ")", "]"];
    let mut kept = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        if !tokens[at..].starts_with(MARK) {
            kept.push(tokens[at]);
            at += 1;
            continue;
        }
        let mut depth = 0_u32;
        at += MARK.len();
        while at < tokens.len() {
            let token = tokens[at];
            at += 1;
            match token {
                "{" => depth += 1,
                "}" => depth = depth.saturating_sub(1),
                _ => {}
            }
            if depth == 0 && matches!(token, "}" | ";") {
                break;
            }
        }
    }
    kept
}

/// Every path, with the groups of `use` lines spread out: `a::{b, c::d}` is `a::b` and `a::c::d`.
fn paths<'a>(tokens: &[&'a str]) -> Vec<Vec<&'a str>> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        at = path_at(tokens, at, Vec::new(), &mut found).max(at + 1);
    }
    found
}

/// Reads one path that goes on from `prefix`; returns where it ends.
fn path_at<'a>(
    tokens: &[&'a str],
    mut at: usize,
    mut prefix: Vec<&'a str>,
    found: &mut Vec<Vec<&'a str>>,
) -> usize {
    let is_name = |token: &str| token.starts_with(|c: char| c.is_alphabetic() || c == '_');
    while let Some(token) = tokens.get(at).filter(|token| is_name(token)) {
        prefix.push(token);
        at += 1;
        if tokens.get(at) != Some(&"::") {
            break;
        }
        at += 1;
        if tokens.get(at) == Some(&"{") {
            at += 1;
            while at < tokens.len() && tokens[at] != "}" {
                at = path_at(tokens, at, prefix.clone(), found).max(at + 1);
            }
            return at + 1;
        }
    }
    if !prefix.is_empty() {
        found.push(prefix);
    }
    at
}
