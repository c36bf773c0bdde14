//! A real RTMP origin: nginx with its rtmp module on a free loopback port.

use std::collections::HashSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use super::process::{Process, accepts, free_port};

/// How many ports are tried when another process takes the chosen one first.
const ATTEMPTS: usize = 5;

/// A running nginx with one RTMP application, `live`. Dropping it ends nginx and removes its files.
pub struct Origin {
    port: u16,
    nginx: Option<Process>,
    // After `nginx`: fields are dropped in order, and nginx must not lose its directory first.
    directory: TempDir,
}

impl Origin {
    /// Starts one and waits until it accepts connections.
    pub fn start() -> Origin {
        let directory = TempDir::new().expect("a temporary directory can be made");
        let mut failure = String::new();
        for _ in 0..ATTEMPTS {
            let port = free_port();
            match start_nginx(directory.path(), port) {
                Ok(nginx) => {
                    return Origin {
                        port,
                        nginx: Some(nginx),
                        directory,
                    };
                }
                Err(reason) => failure = reason,
            }
        }
        panic!("no origin after {ATTEMPTS} attempts: {failure}");
    }

    /// The TCP port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The address of an application, `rtmp://127.0.0.1:PORT/APPLICATION`. Only `live` exists.
    pub fn url(&self, application: &str) -> String {
        format!("rtmp://127.0.0.1:{}/{application}", self.port)
    }

    /// All that nginx has written since this origin was first started, across restarts.
    pub fn log(&self) -> String {
        fs::read(self.directory.path().join("nginx.log"))
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .unwrap_or_default()
    }

    /// How many times a publisher has started to publish `stream` here.
    pub fn publications(&self, stream: &str) -> usize {
        self.log()
            .matches(&format!(" publish: name='{stream}'"))
            .count()
    }

    /// How many times a player has asked for `stream` here.
    pub fn plays(&self, stream: &str) -> usize {
        self.log()
            .matches(&format!(" play: name='{stream}'"))
            .count()
    }

    /// How many players of `stream` are connected. Those of an nginx that was killed count for ever.
    pub fn players(&self, stream: &str) -> usize {
        let log = self.log();
        let played = format!(" play: name='{stream}'");
        // A line begins with date, time, level, process and connection.
        let connections = |what: &str| -> HashSet<String> {
            log.lines()
                .filter(|line| line.contains(what))
                .map(|line| line.split(' ').skip(3).take(2).collect())
                .collect()
        };
        let gone = connections(" disconnect, ");
        connections(&played).difference(&gone).count()
    }

    /// How many connections have ever been made here.
    pub fn connections(&self) -> usize {
        self.log().matches(" client connected ").count()
    }

    /// Ends nginx. Its clients' connections are closed.
    pub fn stop(&mut self) {
        self.nginx = None;
    }

    /// Kills nginx without warning.
    pub fn kill(&mut self) {
        if let Some(nginx) = &mut self.nginx {
            nginx.kill();
        }
        self.nginx = None;
    }

    /// Starts nginx again on the same port, after ending it if it runs.
    pub fn restart(&mut self) {
        self.stop();
        let nginx = start_nginx(self.directory.path(), self.port)
            .unwrap_or_else(|reason| panic!("the origin does not restart: {reason}"));
        self.nginx = Some(nginx);
    }

    /// Stops nginx in its tracks: connections stay open and silent, new ones are not answered.
    pub fn freeze(&mut self) {
        if let Some(nginx) = &mut self.nginx {
            nginx.freeze();
        }
    }

    /// Lets nginx go on after [`Origin::freeze`].
    pub fn thaw(&mut self) {
        if let Some(nginx) = &mut self.nginx {
            nginx.thaw();
        }
    }
}

fn start_nginx(directory: &Path, port: u16) -> Result<Process, String> {
    let configuration = directory.join("nginx.conf");
    fs::write(&configuration, nginx_configuration(port)).expect("nginx.conf can be written");
    let log = directory.join("nginx.log");
    let before = fs::metadata(&log).map_or(0, |log| log.len()) as usize;
    let mut nginx = Process::start(
        "nginx",
        Command::new("nginx")
            .arg("-p")
            .arg(directory)
            .arg("-c")
            .arg(&configuration)
            .args(["-e", "stderr"]),
        &log,
    );
    // nginx names its version once it holds its port: so what accepts is this nginx, and not
    // another process that was quicker to the port.
    nginx
        .wait(|log| (log.get(before..)?.contains("nginx/") && accepts(port)).then_some(()))
        .map_err(|reason| format!("nginx {reason}\n{}", nginx.log()))?;
    Ok(nginx)
}

/// One process, so that ending it by its handle ends all of it.
fn nginx_configuration(port: u16) -> String {
    let module = rtmp_module();
    format!(
        "load_module {module};\n\
         daemon off;\n\
         master_process off;\n\
         pid nginx.pid;\n\
         error_log stderr info;\n\
         events {{ worker_connections 256; }}\n\
         rtmp {{\n\
           server {{\n\
             listen 127.0.0.1:{port};\n\
             chunk_size 4096;\n\
             application live {{ live on; }}\n\
           }}\n\
         }}\n"
    )
}

/// The rtmp module lies where this nginx was built to look for its modules.
fn rtmp_module() -> String {
    let output = Command::new("nginx")
        .arg("-V")
        .output()
        .unwrap_or_else(|error| panic!("cannot run nginx ({error}); `make setup` installs it"));
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let modules = text
        .split_whitespace()
        .find_map(|argument| argument.strip_prefix("--modules-path="))
        .unwrap_or_else(|| panic!("nginx -V names no --modules-path:\n{text}"));
    format!("{modules}/ngx_rtmp_module.so")
}
