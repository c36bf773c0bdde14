//! ffmpeg as a player of RTSP.

use std::process::Command;

/// Decodes two seconds, by `tcp` or `udp`, with nothing to complain about.
pub fn decode(url: &str, transport: &str) {
    let decoded = Command::new("timeout")
        .args(["60", "ffmpeg", "-v", "error", "-nostdin"])
        .args(["-rtsp_transport", transport])
        .args(["-i", url, "-t", "2", "-map", "0:v", "-map", "0:a"])
        .args(["-f", "null", "-progress", "-", "-"])
        .output()
        .unwrap();
    assert!(decoded.status.success(), "{transport}: {decoded:?}");
    assert_eq!(String::from_utf8_lossy(&decoded.stderr), "", "{transport}");
    let said = String::from_utf8_lossy(&decoded.stdout);
    let last = said
        .lines()
        .rev()
        .find_map(|line| line.strip_prefix("frame="));
    let frames: usize = last.unwrap().trim().parse().unwrap();
    assert!(frames >= 50, "{transport}: {frames} frames");
}
