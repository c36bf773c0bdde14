//! The same segments from our HLS door, and as files from nginx with secure_link.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{JoinHandle, sleep};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use md5::{Digest, Md5};
use tempfile::TempDir;

use super::http::Http;
use super::machine::cpu_nanos as own_nanos;
use super::process::{core_busy, cpu_nanos};
use super::publisher::{Clip, Publisher};
use super::servers::{self, STREAM, expires, loopback, measured};
use super::support::origin::Origin;
use super::support::process::{Process, accepts, free_port};

const SECRET: &str = "the secret of the links";
const STACK: usize = 128 * 1024;
const ENTER_EVERY: Duration = Duration::from_millis(4);

/// A player that keeps up reads no less: the stream's rate, and some seconds' grace in the window.
const LEAST_MEGABITS: f64 = 2.0;

/// What a round has shown.
pub struct Served {
    pub cpu_ms: f64,
    pub megabits: f64,
    pub own_busy: f64,
    pub core_busy: f64,
    /// Players that were cut off.
    pub ended: usize,
}

/// Players of our door, each with a token of its own.
pub fn ours(players: usize, clip: &Arc<Clip>, times: [Duration; 2]) -> Served {
    let origin = Origin::start();
    let server = measured(|| servers::h5live(&origin));
    let _publisher = Publisher::start(origin.port(), STREAM, Arc::clone(clip));
    let port = server.port();
    play(players, server.id(), times, move |player| {
        (port, door_path(player))
    })
}

/// Players of nginx, which has the segments of our door as files.
pub fn nginx(players: usize, clip: &Arc<Clip>, times: [Duration; 2]) -> Served {
    let origin = Origin::start();
    let server = servers::h5live(&origin);
    let _publisher = Publisher::start(origin.port(), STREAM, Arc::clone(clip));
    let directory = TempDir::new().expect("a temporary directory");
    let files = directory.path().join("files");
    fs::create_dir(&files).expect("it can be made");
    let _mirror = Mirror::start(server.port(), &files);
    let port = free_port();
    let configuration = directory.path().join("nginx.conf");
    fs::write(&configuration, nginx_configuration(port)).expect("it can be written");
    let mut command = Command::new("nginx");
    command.arg("-p").arg(directory.path());
    command.arg("-c").arg(&configuration).args(["-e", "stderr"]);
    let log = directory.path().join("log");
    let mut nginx = measured(|| Process::start("nginx", &mut command, &log));
    nginx.wait_until("its port", |_| accepts(port).then_some(()));
    nginx.wait_until("segments", |_| {
        files.join("playlist.m3u8").exists().then_some(())
    });
    play(players, nginx.id(), times, move |player| {
        let expires = expires(player);
        let sum = URL_SAFE_NO_PAD.encode(Md5::digest(format!("{expires} {SECRET}")));
        (port, format!("/hls/{sum}/{expires}/playlist.m3u8"))
    })
}

fn door_path(player: u64) -> String {
    let query = servers::query(player);
    format!("/h5live/authhttp/playlist.m3u8?{query}")
}

/// One process. The token is in the path, so that it counts for segments too, as it does at our door.
fn nginx_configuration(port: u16) -> String {
    format!(
        "daemon off;\nmaster_process off;\npid nginx.pid;\nerror_log stderr error;\n\
         events {{ worker_connections 16384; }}\n\
         http {{\n\
           access_log off;\n sendfile on;\n tcp_nopush on;\n keepalive_requests 1000000;\n\
           client_body_temp_path tmp; proxy_temp_path tmp; fastcgi_temp_path tmp;\n\
           uwsgi_temp_path tmp; scgi_temp_path tmp;\n\
           types {{ application/vnd.apple.mpegurl m3u8; video/mp4 mp4 m4s; }}\n\
           server {{\n\
             listen 127.0.0.1:{port} backlog=4096;\n\
             location ~ ^/hls/(?<sum>[A-Za-z0-9_-]+)/(?<until>[0-9]+)/(?<file>[a-z0-9.-]+)$ {{\n\
               secure_link $sum,$until;\n\
               secure_link_md5 \"$secure_link_expires {SECRET}\";\n\
               if ($secure_link != 1) {{ return 403; }}\n\
               alias files/$file;\n\
             }}\n\
           }}\n\
         }}\n"
    )
}

fn play(
    players: usize,
    process: u32,
    [warm_up, window]: [Duration; 2],
    path: impl Fn(u64) -> (u16, String),
) -> Served {
    let bytes = Arc::<AtomicU64>::default();
    let over = Arc::<AtomicBool>::default();
    let threads: Vec<JoinHandle<()>> = (0..players as u64)
        .map(|player| {
            let (port, path) = path(player);
            let (bytes, over) = (Arc::clone(&bytes), Arc::clone(&over));
            let thread = std::thread::Builder::new().stack_size(STACK);
            let player = thread.spawn(move || watch(port, &path, &bytes, &over));
            sleep(ENTER_EVERY);
            player.expect("a thread")
        })
        .collect();
    sleep(warm_up);
    let at = || {
        let read = bytes.load(Ordering::Relaxed);
        [cpu_nanos(process), read, own_nanos(), core_busy(1)]
    };
    let (begun, before) = (Instant::now(), at());
    sleep(window);
    let after = at();
    let seconds = begun.elapsed().as_secs_f64();
    let ended = threads.iter().filter(|thread| thread.is_finished()).count();
    over.store(true, Ordering::Relaxed);
    for thread in threads {
        // Those that were cut off are counted already.
        let _ = thread.join();
    }
    let [cpu, read, own, core] = [0, 1, 2, 3].map(|index| (after[index] - before[index]) as f64);
    let least = LEAST_MEGABITS * (players - ended) as f64;
    assert!(read * 8.0 / 1e6 / seconds > least, "players got no media");
    Served {
        cpu_ms: cpu / 1e6 / players as f64 / seconds,
        megabits: read * 8.0 / 1e6 / seconds,
        own_busy: own / 1e9 / seconds,
        core_busy: core / 1e9 / seconds,
        ended,
    }
}

/// Plays whole segments: reloads half a target duration after it found nothing new, and a whole one
/// after it found something (RFC 8216, 6.3.4).
fn watch(port: u16, path: &str, bytes: &AtomicU64, over: &AtomicBool) {
    let mut http = Http::connect(loopback(port));
    let mut next = None;
    while !over.load(Ordering::Relaxed) {
        let text = String::from_utf8(http.get(path)).expect("a playlist is text");
        let mut read = text.len() as u64;
        let listed = Listed::of(&text);
        let first = *next.get_or_insert(listed.end.saturating_sub(1));
        for number in first..listed.end {
            let uri = listed.uri(path, number);
            read += http.get(&uri).len() as u64;
        }
        bytes.fetch_add(read, Ordering::Relaxed);
        let found = listed.end > first;
        next = Some(listed.end.max(first));
        sleep(if found {
            listed.target
        } else {
            listed.target / 2
        });
    }
}

/// What a playlist lists.
struct Listed<'a> {
    end: u64,
    target: Duration,
    /// What stands before a segment's name.
    prefix: &'a str,
}

impl<'a> Listed<'a> {
    fn of(text: &'a str) -> Self {
        let mut listed = Self {
            end: 0,
            target: Duration::from_secs(1),
            prefix: "",
        };
        for line in text.lines() {
            if let Some(seconds) = line.strip_prefix("#EXT-X-TARGETDURATION:") {
                listed.target = Duration::from_secs(seconds.parse().expect("a number"));
            } else if !line.starts_with('#')
                && let Some(uri) = line.strip_suffix(".m4s")
            {
                let at = uri.rfind('/').map_or(0, |slash| slash + 1);
                listed.prefix = &uri[..at];
                listed.end = uri[at..].parse::<u64>().expect("a segment's number") + 1;
            }
        }
        listed
    }

    fn uri(&self, path: &str, number: u64) -> String {
        let (path, _) = path.split_once('?').unwrap_or((path, ""));
        let directory = &path[..path.rfind('/').map_or(0, |slash| slash + 1)];
        format!("{directory}{}{number}.m4s", self.prefix)
    }
}

/// A player that writes what it plays to files, as a packager does.
struct Mirror {
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Mirror {
    fn start(port: u16, files: &Path) -> Self {
        let over = Arc::<AtomicBool>::default();
        let ended = Arc::clone(&over);
        let files = files.to_owned();
        let thread = std::thread::spawn(move || mirror(port, &files, &ended));
        Self {
            over,
            thread: Some(thread),
        }
    }
}

impl Drop for Mirror {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        let ended = self.thread.take().map(JoinHandle::join);
        assert!(
            std::thread::panicking() || matches!(ended, Some(Ok(()))),
            "there were no segments"
        );
    }
}

fn mirror(port: u16, files: &Path, over: &AtomicBool) {
    let path = door_path(9_999_999);
    let mut http = Http::connect(loopback(port));
    let mut next = 0;
    let put = |name: &str, bytes: &[u8]| {
        // Whole or not at all.
        let scratch = files.join("scratch");
        fs::write(&scratch, bytes).expect("it can be written");
        fs::rename(&scratch, files.join(name)).expect("it can be renamed");
    };
    while !over.load(Ordering::Relaxed) {
        let text = String::from_utf8(http.get(&path)).expect("a playlist is text");
        let listed = Listed::of(&text);
        next = next.max(listed.end.saturating_sub(3));
        for number in next..listed.end {
            put(
                &format!("{number}.m4s"),
                &http.get(&listed.uri(&path, number)),
            );
        }
        if listed.end > next {
            next = listed.end;
            put("playlist.m3u8", plain(&text, listed.prefix).as_bytes());
        }
        sleep(Duration::from_millis(100));
    }
}

/// The playlist for players that know no parts, in a directory of its own.
fn plain(text: &str, prefix: &str) -> String {
    let parts = ["PART", "SERVER-CONTROL", "PRELOAD-HINT"].map(|tag| format!("#EXT-X-{tag}"));
    let lines = text.lines();
    let whole = lines.filter(|line| !parts.iter().any(|part| line.starts_with(part)));
    whole.map(|line| line.replace(prefix, "") + "\n").collect()
}
