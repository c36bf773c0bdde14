//! A headless Chromium for integration tests, driven through chromedriver.
//!
//! Every [`Browser`] has a chromedriver and a profile of its own, so that tests can run side by side. When it is
//! dropped, by a panic too, the whole process group ends and the profile is removed. What it needs from the machine:
//! `chromium` and `chromedriver` in the PATH.

#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use fantoccini::wd::{Capabilities, WebDriverCompatibleCommand};
use fantoccini::{Client, ClientBuilder, Locator};
use serde_json::{Value, json};

/// How often chromedriver is started before it is taken for broken.
const ATTEMPTS: usize = 5;

const POLL: Duration = Duration::from_millis(50);

/// How a browser is set up.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Chromium's `--host-resolver-rules`, for example `MAP *.test 127.0.0.1`. Empty: none.
    pub host_resolver_rules: String,
    /// Whether sound may start without a click.
    pub autoplay_with_sound: bool,
    /// Whether certificates that nobody vouches for are taken, such as the demo's own.
    pub accept_any_certificate: bool,
}

/// A browser window. See the head of this file.
pub struct Browser {
    client: Client,
    // Dropped in this order: the processes first, then the profile that they write to.
    _driver: Driver,
    _profile: tempfile::TempDir,
}

impl Browser {
    /// Starts chromedriver on a port of its own choice, and Chromium with a fresh profile.
    pub async fn open(options: Options) -> Browser {
        let profile = tempfile::tempdir().expect("a directory for the browser's profile");
        let driver = Driver::start(profile.path());
        let mut arguments: Vec<String> = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--window-size=1280,900",
        ]
        .map(String::from)
        .to_vec();
        arguments.push(format!(
            "--user-data-dir={}",
            profile.path().join("data").display()
        ));
        if !options.host_resolver_rules.is_empty() {
            arguments.push(format!(
                "--host-resolver-rules={}",
                options.host_resolver_rules
            ));
        }
        if options.autoplay_with_sound {
            arguments.push("--autoplay-policy=no-user-gesture-required".into());
        }
        let capabilities = json!({
            "acceptInsecureCerts": options.accept_any_certificate,
            "goog:loggingPrefs": { "browser": "ALL" },
            "goog:chromeOptions": { "args": arguments },
        });
        let capabilities: Capabilities = capabilities.as_object().expect("an object").clone();
        let client = ClientBuilder::new(hyper_util::client::legacy::connect::HttpConnector::new())
            .capabilities(capabilities)
            .connect(&format!("http://127.0.0.1:{}", driver.port))
            .await
            .expect("chromedriver opens a session");
        Browser {
            client,
            _driver: driver,
            _profile: profile,
        }
    }

    /// Opens an address and waits until the page is loaded.
    pub async fn goto(&self, address: &str) {
        self.client.goto(address).await.expect("the address opens");
    }

    /// The document's title.
    pub async fn title(&self) -> String {
        self.client.title().await.expect("the page has a title")
    }

    /// Runs the body of a function in the page and gives what it returns.
    pub async fn execute(&self, script: &str) -> Value {
        self.client
            .execute(script, Vec::new())
            .await
            .expect("the script runs")
    }

    /// Waits until a JavaScript expression is truthy, and gives its value. Panics after `deadline`, with the
    /// expression's last value, the player's state where the page is one, and the console's errors.
    pub async fn wait_until(&self, expression: &str, deadline: Duration) -> Value {
        let end = Instant::now() + deadline;
        loop {
            let found = self
                .execute(&format!(
                    "const v = ({expression}); return [Boolean(v), v];"
                ))
                .await;
            if found[0] == Value::Bool(true) {
                return found[1].clone();
            }
            if Instant::now() >= end {
                let state = self
                    .execute("return window.h5live ? h5live.snapshot() : document.title")
                    .await;
                let errors = self.console_errors().await;
                panic!(
                    "`{expression}` is still {} after {deadline:?}; page: {state}; console: {errors:?}",
                    found[1]
                );
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// Clicks the first element that a CSS selector finds, as a user does.
    pub async fn click(&self, selector: &str) {
        let element = self
            .client
            .find(Locator::Css(selector))
            .await
            .expect("the element is there");
        element.click().await.expect("the element can be clicked");
    }

    /// Mean and standard deviation (0 to 255) of the brightness of the `video` element's present picture: a black or
    /// one-coloured picture has a deviation near 0.
    pub async fn picture(&self) -> (f64, f64) {
        let found = self
            .execute(
                "const c = document.createElement('canvas'); c.width = 64; c.height = 36;
                 const g = c.getContext('2d'); g.drawImage(document.querySelector('video'), 0, 0, 64, 36);
                 const p = g.getImageData(0, 0, 64, 36).data; const y = [];
                 for (let i = 0; i < p.length; i += 4) y.push(0.299 * p[i] + 0.587 * p[i + 1] + 0.114 * p[i + 2]);
                 const mean = y.reduce((a, b) => a + b) / y.length;
                 return [mean, Math.sqrt(y.reduce((a, b) => a + (b - mean) ** 2, 0) / y.length)];",
            )
            .await;
        (
            found[0].as_f64().expect("a mean"),
            found[1].as_f64().expect("a deviation"),
        )
    }

    /// Seconds from a picture's making to its showing, by the publisher's clock of so many bits: the median
    /// of some looks.
    #[allow(dead_code)]
    pub async fn delay(&self, bits: u32) -> f64 {
        let script = "
            const bits = BITS, video = document.querySelector('video');
            const canvas = document.createElement('canvas');
            [canvas.width, canvas.height] = [bits * 8, 8];
            const pen = canvas.getContext('2d', { willReadFrequently: true });
            const looks = [];
            const look = () => {
              pen.drawImage(video, 0, 0, video.videoWidth, video.videoHeight / 16, 0, 0, bits * 8, 8);
              let made = 0;
              for (let bit = 0; bit < bits; bit++) {
                if (pen.getImageData(bit * 8 + 4, 4, 1, 1).data[0] > 127) made += 2 ** bit;
              }
              const now = Math.floor(Date.now() / 10) % 2 ** bits;
              looks.push(((now - made + 2 ** bits) % 2 ** bits) / 100);
              if (looks.length < 15) video.requestVideoFrameCallback(look);
              else window.delayOfPicture_ = looks.sort((a, b) => a - b)[7];
            };
            window.delayOfPicture_ = null;
            video.requestVideoFrameCallback(look);";
        self.execute(&script.replace("BITS", &bits.to_string()))
            .await;
        let known = "delayOfPicture_ !== null";
        self.wait_until(known, Duration::from_secs(30)).await;
        let delay = self.execute("return delayOfPicture_").await;
        delay.as_f64().expect("a number")
    }

    /// Shows the page in a window of so many CSS pixels, smaller than windows get.
    pub async fn resize(&self, width: u32, height: u32) {
        let size =
            json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": true});
        let command = DevTools("Emulation.setDeviceMetricsOverride", size);
        let done = self.client.issue_cmd(command).await;
        done.expect("the window takes that size");
    }

    /// Writes what the window shows as a PNG file.
    pub async fn screenshot(&self, path: &Path) {
        let png = self.client.screenshot().await.expect("a screenshot");
        std::fs::write(path, png).expect("the screenshot can be written");
    }

    /// The console's messages of level SEVERE since the last call: script errors, refused loads, broken policies.
    pub async fn console_errors(&self) -> Vec<String> {
        let entries = self
            .client
            .issue_cmd(ReadConsole)
            .await
            .expect("the console can be read");
        entries
            .as_array()
            .expect("a list of messages")
            .iter()
            .filter(|entry| entry["level"] == "SEVERE")
            .map(|entry| entry["message"].as_str().unwrap_or_default().to_owned())
            .collect()
    }

    /// The process id of this browser's chromedriver, which leads the process group of all that it started.
    pub fn process_group(&self) -> u32 {
        self._driver.child.id()
    }
}

/// chromedriver's own command: WebDriver has none for the console.
#[derive(Debug)]
struct ReadConsole;

impl WebDriverCompatibleCommand for ReadConsole {
    fn endpoint(
        &self,
        base: &url::Url,
        session: Option<&str>,
    ) -> Result<url::Url, url::ParseError> {
        base.join(&format!("session/{}/se/log", session.unwrap_or_default()))
    }

    fn method_and_body(&self, _: &url::Url) -> (http::Method, Option<String>) {
        (http::Method::POST, Some(r#"{"type":"browser"}"#.into()))
    }
}

/// A command of the DevTools protocol, by chromedriver's own command for it.
#[derive(Debug)]
struct DevTools(&'static str, Value);

impl WebDriverCompatibleCommand for DevTools {
    fn endpoint(
        &self,
        base: &url::Url,
        session: Option<&str>,
    ) -> Result<url::Url, url::ParseError> {
        let session = session.unwrap_or_default();
        base.join(&format!("session/{session}/goog/cdp/execute"))
    }

    fn method_and_body(&self, _: &url::Url) -> (http::Method, Option<String>) {
        let body = json!({"cmd": self.0, "params": self.1});
        (http::Method::POST, Some(body.to_string()))
    }
}

struct Driver {
    child: Child,
    port: u16,
}

impl Driver {
    /// chromedriver picks the port itself and says which: a port that we picked could be taken by then.
    /// It wants the same port by IPv4 and by IPv6, and gives up where only one of them is free.
    fn start(home: &Path) -> Driver {
        (0..ATTEMPTS)
            .find_map(|_| Driver::attempt(home))
            .expect("chromedriver says its port")
    }

    fn attempt(home: &Path) -> Option<Driver> {
        let child = Command::new("chromedriver")
            .arg("--port=0")
            .env("TMPDIR", home)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .expect("chromedriver is installed (Debian: chromium-driver)");
        // From here on, a panic ends the process too.
        let mut driver = Driver { child, port: 0 };
        let mut lines = BufReader::new(driver.child.stdout.take()?).lines();
        driver.port = lines.by_ref().map_while(Result::ok).find_map(|line| {
            let said = line.split("started successfully on port ").nth(1)?;
            said.trim_end_matches('.').parse().ok()
        })?;
        // Whatever else it says is read and dropped, so that it never waits for a reader.
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
        Some(driver)
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // Chromium is in chromedriver's process group: one signal ends them all, also when a test has panicked.
        let group = format!("-{}", self.child.id());
        let _ = Command::new("kill").args(["-KILL", "--", &group]).status();
        let _ = self.child.wait();
    }
}
