//! A page that appends fragments to a SourceBuffer one by one, and what it saw.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::Duration;

use h5live::media::fragment::{Fragment, Init};
use serde_json::{Value, json};

use crate::browser::{Browser, Options};

/// What the page is to append.
pub struct Plan {
    mime_type: String,
    pieces: Vec<Vec<u8>>,
    /// Subtracted from every time, as a player does at its first random access point.
    offset_ms: u64,
}

impl Plan {
    /// One init segment and its fragments, from the first fragment's time on.
    pub fn new(init: &Init, fragments: &[&Fragment]) -> Self {
        let mut plan = Self {
            mime_type: init.info.mime_type.clone(),
            pieces: Vec::new(),
            offset_ms: fragments[0].time_ms,
        };
        plan.then(init, fragments);
        plan
    }

    /// Another init segment in the same SourceBuffer.
    pub fn then(&mut self, init: &Init, fragments: &[&Fragment]) {
        self.pieces.push(init.bytes.to_vec());
        self.pieces
            .extend(fragments.iter().map(|fragment| fragment.bytes.to_vec()));
    }
}

/// What the page saw.
#[derive(Debug)]
pub struct Seen {
    pub buffered: Vec<(f64, f64)>,
    pub frames: u64,
    pub errors: Vec<String>,
}

/// Plays a plan to its end.
pub async fn play(plan: &Plan) -> Seen {
    let port = serve(plan);
    let browser = Browser::open(Options::default()).await;
    browser.goto(&format!("http://127.0.0.1:{port}/")).await;
    let done = browser
        .wait_until("window.done", Duration::from_secs(60))
        .await;
    seen(&done)
}

fn seen(done: &Value) -> Seen {
    let list = |name: &str| done[name].as_array().cloned().unwrap_or_default();
    Seen {
        buffered: list("buffered")
            .iter()
            .map(|range| (range[0].as_f64().unwrap(), range[1].as_f64().unwrap()))
            .collect(),
        frames: done["frames"].as_u64().unwrap_or(0),
        errors: list("errors")
            .iter()
            .map(|error| error.as_str().unwrap_or("?").to_owned())
            .collect(),
    }
}

/// Serves page, plan and data until the test process ends. Gives the port.
fn serve(plan: &Plan) -> u16 {
    let sizes: Vec<usize> = plan.pieces.iter().map(Vec::len).collect();
    let summary = json!({
        "mimeType": plan.mime_type, "offsetMs": plan.offset_ms, "sizes": sizes,
    });
    let files: HashMap<&str, (&str, Vec<u8>)> = HashMap::from([
        ("/", ("text/html", include_bytes!("mse.html").to_vec())),
        ("/plan", ("application/json", summary.to_string().into())),
        ("/data", ("video/mp4", plan.pieces.concat())),
    ]);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        let files = std::sync::Arc::new(files);
        for mut socket in listener.incoming().flatten() {
            let files = files.clone();
            // A thread each: browsers open sockets ahead of need and say nothing on them.
            std::thread::spawn(move || {
                let mut request = [0; 4096];
                let length = socket.read(&mut request).unwrap_or(0);
                let request = String::from_utf8_lossy(&request[..length]);
                let path = request.split(' ').nth(1).unwrap_or("");
                if let Some((kind, body)) = files.get(path) {
                    let head = format!(
                        "HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
                        body.len()
                    );
                    let _ = socket.write_all(head.as_bytes());
                    let _ = socket.write_all(body);
                }
            });
        }
    });
    port
}
