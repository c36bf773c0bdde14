//! The console of a server, and one who is logged in to it.

use std::io::{BufRead, BufReader};
use std::process::Output;

use serde_json::{Value, json};

use super::raw::{Answer, Raw};
use super::server::{Server, agent, program};

/// The configuration that switches it on.
pub const CONSOLE: &str = "[console]\nlisten = \"127.0.0.1:0\"\n";

/// A server's console and an operator.
pub struct Console {
    /// On 127.0.0.1.
    pub port: u16,
    /// The operator's name.
    pub name: String,
    /// The operator's password.
    pub password: String,
}

/// A login: its cookie, as the browser sends it, and its CSRF token.
pub struct Login {
    pub cookie: String,
    pub csrf: String,
}

impl Console {
    /// The console of a server with [`CONSOLE`] in its configuration, with an operator `ada`.
    pub fn of(server: &Server) -> Console {
        Console {
            port: server.port_beside("the console is at http://"),
            name: "ada".to_owned(),
            password: add_operator(server, "ada"),
        }
    }

    /// `http://127.0.0.1:PORT`
    pub fn base(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The answer to a request with these header lines besides `Host`, each ended by CR LF.
    pub fn ask(&self, method: &str, path: &str, headers: &str, body: &str) -> Answer {
        let host = format!("127.0.0.1:{}", self.port);
        self.ask_as(&host, method, path, headers, body)
    }

    /// The same by another name.
    pub fn ask_as(
        &self,
        host: &str,
        method: &str,
        path: &str,
        headers: &str,
        body: &str,
    ) -> Answer {
        let mut raw = Raw::connect(self.port);
        let length = body.len();
        raw.send(
            format!(
                "{method} {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {length}\r\n{headers}\r\n{body}"
            )
            .as_bytes(),
        );
        raw.answer().expect("an answer")
    }

    /// Sends the login form.
    pub fn send_form(&self, name: &str, password: &str) -> Answer {
        let origin = format!(
            "Origin: {}\r\nContent-Type: application/x-www-form-urlencoded\r\n",
            self.base()
        );
        let form = format!("name={name}&password={password}");
        self.ask("POST", "/console/login", &origin, &form)
    }

    /// Logs in.
    pub fn log_in(&self) -> Login {
        let answer = self.send_form(&self.name, &self.password);
        assert_eq!(answer.status, 303, "{}", answer.head);
        let set = answer.header("set-cookie").expect("a cookie");
        let cookie = set.split(';').next().expect("a value").to_owned();
        let page = self.ask("GET", "/console/", &format!("Cookie: {cookie}\r\n"), "");
        let csrf = page.body.split("name=\"csrf-token\" content=\"").nth(1);
        let csrf = csrf.and_then(|rest| rest.split('"').next());
        Login {
            cookie,
            csrf: csrf.expect("a token").to_owned(),
        }
    }

    /// Posts JSON as a page of the console does; the status, and the answer's JSON.
    pub fn post(&self, login: &Login, path: &str, body: &Value) -> (u16, Value) {
        let headers = format!(
            "Cookie: {}\r\nOrigin: {}\r\nX-CSRF-Token: {}\r\nContent-Type: application/json\r\n",
            login.cookie,
            self.base(),
            login.csrf
        );
        let path = format!("/console/{path}");
        let answer = self.ask("POST", &path, &headers, &body.to_string());
        let json = serde_json::from_str(&answer.body).unwrap_or(Value::Null);
        (answer.status, json)
    }

    /// The first snapshot that `wanted` finds something in. Panics with the last one where none comes.
    pub fn watch<R>(
        &self,
        login: &Login,
        query: &str,
        mut wanted: impl FnMut(&Value) -> Option<R>,
    ) -> R {
        let answer = agent()
            .get(format!("{}/console/events{query}", self.base()))
            .header("Cookie", &login.cookie)
            .call()
            .expect("the live view answers");
        assert_eq!(answer.status(), 200);
        let mut last = Value::Null;
        let lines = BufReader::new(answer.into_body().into_reader()).lines();
        for line in lines.map_while(Result::ok) {
            let Some(data) = line.strip_prefix("data: ") else {
                continue;
            };
            last = serde_json::from_str(data).expect("JSON");
            if let Some(found) = wanted(&last) {
                return found;
            }
        }
        panic!("it does not come; the last: {last:#}");
    }

    /// Ends a session; whether there was one.
    pub fn kick(&self, login: &Login, session: u64) -> bool {
        let (status, answer) = self.post(login, "kick", &json!({"session": session}));
        assert_eq!(status, 200, "{answer}");
        answer["ended"].as_bool().expect("a verdict")
    }
}

/// Runs `h5live-server operator …` for a server.
pub fn operator(server: &Server, command: &str, more: &[&str]) -> Output {
    program()
        .args(["operator", command, "--config"])
        .arg(server.directory().join("h5live.toml"))
        .args(more)
        .output()
        .expect("h5live-server runs")
}

/// Makes an operator, and gives the password.
pub fn add_operator(server: &Server, name: &str) -> String {
    let output = operator(server, "add", &[name]);
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("password: "));
    line.unwrap_or_else(|| panic!("no password: {output:?}"))
        .to_owned()
}
