//! A real `h5live-server` on a free loopback port, with one account.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use h5live::token::Minted;
use serde_json::{Value, json};
use tempfile::TempDir;
use url::form_urlencoded::Serializer;

use super::process::{Process, accepts, free_port, wait_until};

/// How many ports are tried when another process takes the chosen one first.
const ATTEMPTS: usize = 5;

/// How the server is set up.
#[derive(Clone, Debug)]
pub struct Options {
    /// The account's organisation: streams are `ORGA-…`.
    pub orga: String,
    /// Name and URL of each origin.
    pub origins: Vec<(String, String)>,
    /// HTTPS with a self-signed certificate. [`Server::post`] and what builds on it speak HTTP only.
    pub tls: bool,
    /// With `tls`: the files of a certificate and its key instead.
    pub certificate: Option<(PathBuf, PathBuf)>,
    /// Where the records are, if not in a file beside the configuration.
    pub records: Option<String>,
    /// More lines of the configuration's section `[server]`.
    pub server: String,
    /// More lines of the configuration's section `[tls]`.
    pub https: String,
    /// More sections of the configuration, `[limits]` for one.
    pub more: String,
    /// More environment.
    pub environment: Vec<(String, String)>,
}

impl Default for Options {
    /// HTTP, the organisation `ABCDE`, no origin, defaults for all else.
    fn default() -> Options {
        Options {
            orga: "ABCDE".to_owned(),
            origins: Vec::new(),
            tls: false,
            certificate: None,
            records: None,
            server: String::new(),
            https: String::new(),
            more: String::new(),
            environment: Vec::new(),
        }
    }
}

impl Options {
    /// The defaults with one origin, `main`.
    pub fn with_origin(url: &str) -> Options {
        Options {
            origins: vec![("main".to_owned(), url.to_owned())],
            ..Options::default()
        }
    }
}

/// What `POST /secure/token` answers, as it goes into a playback URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Security {
    /// Unix time in seconds, or empty.
    pub expires: String,
    /// The tag, or empty.
    pub tag: String,
    /// The token.
    pub token: String,
    /// The bit set of what the token is bound to.
    pub options: String,
}

/// A running server. Dropping it ends it and removes its files.
pub struct Server {
    port: u16,
    options: Options,
    api_key: String,
    agent: ureq::Agent,
    process: Process,
    // After `process`, which writes into it until it has ended.
    directory: TempDir,
}

impl Server {
    /// Starts one, with an account, and waits until it is healthy.
    pub fn start(options: &Options) -> Server {
        let directory = TempDir::new().expect("a temporary directory can be made");
        let agent = agent();
        let mut api_key = None;
        let mut failure = String::new();
        for _ in 0..ATTEMPTS {
            let port = free_port();
            configure(directory.path(), port, options);
            let api_key =
                api_key.get_or_insert_with(|| add_account(directory.path(), &options.orga));
            match serve(directory.path(), port, options, &agent) {
                Ok(process) => {
                    return Server {
                        port,
                        options: options.clone(),
                        api_key: api_key.clone(),
                        agent,
                        process,
                        directory,
                    };
                }
                Err(reason) if reason.contains("in use") => failure = reason,
                Err(reason) => panic!("{reason}"),
            }
        }
        panic!("no server after {ATTEMPTS} attempts: {failure}");
    }

    /// Its process.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// The TCP port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The port of a listener beside the doors, from the log's line that begins so: with port 0 in
    /// its configuration, nobody else can take it first.
    pub fn port_beside(&self, line: &str) -> u16 {
        wait_until(line, || {
            let log = self.log();
            let (_, after) = log.split_once(line)?;
            let address = after.split('/').next()?;
            address.rsplit(':').next()?.parse().ok()
        })
    }

    /// `http://127.0.0.1:PORT`, or https.
    pub fn base(&self) -> String {
        let scheme = if self.options.tls { "https" } else { "http" };
        format!("{scheme}://127.0.0.1:{}", self.port)
    }

    /// `ws://127.0.0.1:PORT/h5live/authstream`, or wss.
    pub fn websocket(&self) -> String {
        let scheme = if self.options.tls { "wss" } else { "ws" };
        format!("{scheme}://127.0.0.1:{}/h5live/authstream", self.port)
    }

    /// The account's API key.
    pub fn api_key(&self) -> &str {
        &self.api_key
    }

    /// All that the server has written, across restarts.
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// The directory with its configuration, its records and its log.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Posts JSON with the account's API key; the status and the answer, `Null` when it is no JSON.
    pub fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        self.post_with_key(path, &self.api_key, body)
    }

    /// Posts JSON with any API key.
    pub fn post_with_key(&self, path: &str, key: &str, body: &Value) -> (u16, Value) {
        let mut answer = self
            .agent
            .post(format!("{}{path}", self.base()))
            .header("X-BINTU-APIKEY", key)
            .send_json(body)
            .unwrap_or_else(|error| panic!("POST {path}: {error}\n{}", self.log()));
        let status = answer.status().as_u16();
        (status, answer.body_mut().read_json().unwrap_or(Value::Null))
    }

    /// Fetches a path; the status and the text.
    pub fn get(&self, path: &str) -> (u16, String) {
        let mut answer = self
            .agent
            .get(format!("{}{path}", self.base()))
            .call()
            .unwrap_or_else(|error| panic!("GET {path}: {error}\n{}", self.log()));
        let status = answer.status().as_u16();
        (
            status,
            answer.body_mut().read_to_string().unwrap_or_default(),
        )
    }

    /// Registers a stream, as the seed's step 1.
    pub fn register(&self, stream: &str, secret: &str) {
        let (status, answer) = self.post(
            "/secure/stream",
            &json!({"streamname": stream, "secret": secret}),
        );
        assert_eq!(status, 200, "{answer}\n{}", self.log());
    }

    /// Mints a token, as the seed's step 2: `mint(&json!({"streamname": …, "expires": …}))`.
    pub fn mint(&self, wish: &Value) -> Security {
        self.mint_with_key(&self.api_key, wish)
    }

    /// The same with any API key.
    pub fn mint_with_key(&self, key: &str, wish: &Value) -> Security {
        let (status, answer) = self.post_with_key("/secure/token", key, wish);
        assert_eq!(status, 200, "{answer}\n{}", self.log());
        let security = &answer["h5live"]["security"];
        let text = |name: &str| security[name].as_str().expect(name).to_owned();
        Security {
            expires: text("expires"),
            tag: text("tag"),
            token: text("token"),
            options: security["options"].as_u64().expect("options").to_string(),
        }
    }

    /// Makes an account of another organisation; its API key.
    pub fn add_account(&self, orga: &str) -> String {
        add_account(self.directory.path(), orga)
    }

    /// The WebSocket's URL for a stream, as a player makes it: values that are empty are left out.
    pub fn websocket_url(&self, origin: &str, stream: &str, security: &Security) -> String {
        let mut query = Serializer::new(String::new());
        query.extend_pairs([
            ("url", origin),
            ("stream", stream),
            ("cid", "527243"),
            ("pid", "62389951444"),
        ]);
        query.extend_pairs(security.pairs());
        format!("{}?{}", self.websocket(), query.finish())
    }

    /// The player page's URL for a stream, as the seed's playback URL, at `base` (which may name the
    /// server by another host than [`Server::base`] does).
    pub fn page_url(&self, base: &str, origin: &str, stream: &str, security: &Security) -> String {
        let websocket = format!("{}/h5live/authstream", base.replacen("http", "ws", 1));
        let mut query = Serializer::new(String::new());
        query.append_pair("h5live.server.websocket", &websocket);
        query.append_pair("h5live.rtmp.url", origin);
        query.append_pair("h5live.rtmp.streamname", stream);
        for (name, value) in security.pairs() {
            query.append_pair(&format!("h5live.security.{name}"), value);
        }
        format!("{base}/?{}", query.finish())
    }

    /// Asks it to end and does not wait.
    pub fn terminate(&mut self) {
        self.process.terminate();
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        self.process.exited().is_none()
    }

    /// Kills it without warning.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Stops it in its tracks: connections stay open and silent.
    pub fn freeze(&mut self) {
        self.process.freeze();
    }

    /// Lets it go on after [`Server::freeze`].
    pub fn thaw(&mut self) {
        self.process.thaw();
    }

    /// One more of its environment, for the next [`Server::restart`].
    pub fn set_environment(&mut self, name: &str, value: &str) {
        let variable = (name.to_owned(), value.to_owned());
        self.options.environment.push(variable);
    }

    /// Starts it again on the same port with the same records, after ending it if it runs.
    pub fn restart(&mut self) {
        self.process.stop();
        self.process = serve(self.directory.path(), self.port, &self.options, &self.agent)
            .unwrap_or_else(|reason| panic!("the server does not restart: {reason}"));
    }
}

impl From<Minted> for Security {
    /// What a token of our own making goes into a URL as.
    fn from(minted: Minted) -> Security {
        Security {
            expires: minted.expires.clone(),
            tag: minted.tag.clone(),
            options: minted.options.to_string(),
            token: minted.token.to_string(),
        }
    }
}

impl Security {
    /// Name and value of each parameter that is not empty.
    pub fn pairs(&self) -> Vec<(&'static str, &str)> {
        [
            ("expires", &self.expires),
            ("tag", &self.tag),
            ("token", &self.token),
            ("options", &self.options),
        ]
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| (name, value.as_str()))
        .collect()
    }
}

/// The server program that this build of the tests belongs to.
pub fn program() -> Command {
    Command::new(env!("CARGO_BIN_EXE_h5live-server"))
}

/// Speaks HTTP to loopback, answers of every status alike, within a bound.
pub fn agent() -> ureq::Agent {
    ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(Duration::from_secs(20)))
        .proxy(None)
        .build()
        .into()
}

fn configure(directory: &Path, port: u16, options: &Options) {
    let tls = match &options.certificate {
        Some((certificate, key)) => format!("certificate = {certificate:?}\nkey = {key:?}"),
        None => format!("self-signed = {}", options.tls),
    };
    let mut text = format!(
        "[server]\nlisten = \"127.0.0.1:{port}\"\nrecords = \"{}\"\n{}\n[tls]\n{tls}\n{}\n",
        options.records.as_deref().unwrap_or("records.sqlite"),
        options.server,
        options.https
    );
    for (name, url) in &options.origins {
        text += &format!("[[origins]]\nname = \"{name}\"\nurl = \"{url}\"\n");
    }
    text += &options.more;
    fs::write(directory.join("h5live.toml"), text).expect("the configuration can be written");
}

fn add_account(directory: &Path, orga: &str) -> String {
    let output = program()
        .args(["account", "add", "--orga", orga, "--config"])
        .arg(directory.join("h5live.toml"))
        .output()
        .expect("h5live-server runs");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "account add: {text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    text.lines()
        .find_map(|line| line.strip_prefix("api-key: "))
        .unwrap_or_else(|| panic!("account add printed no line `api-key: KEY`:\n{text}"))
        .to_owned()
}

fn serve(
    directory: &Path,
    port: u16,
    options: &Options,
    agent: &ureq::Agent,
) -> Result<Process, String> {
    let mut command = program();
    command
        .arg("serve")
        .arg("--config")
        .arg(directory.join("h5live.toml"));
    command.envs(
        options
            .environment
            .iter()
            .map(|(name, value)| (name, value)),
    );
    let mut process = Process::start("h5live-server", &mut command, &directory.join("server.log"));
    let healthz = format!("http://127.0.0.1:{port}/healthz");
    process
        .wait(|_| {
            let healthy = match options.tls {
                true => accepts(port),
                false => agent
                    .get(&healthz)
                    .call()
                    .is_ok_and(|answer| answer.status() == 200),
            };
            healthy.then_some(())
        })
        .map_err(|reason| format!("h5live-server {reason}\n{}", process.log()))?;
    Ok(process)
}
