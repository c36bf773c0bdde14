//! Who is let in to the console, and what a page of another site can do: nothing.
//!
//! Not covered: what its pages show (`console_view.rs`), and how logins end by time and number,
//! which `src/console/logins.rs` tests without waiting.
#![cfg(feature = "server")]
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::process::Command;

use serde_json::json;
use support::console::{CONSOLE, Console, add_operator, operator};
use support::process::wait_until;
use support::raw::{Raw, Table};
use support::server::{Options, Server, agent};

fn server(more: &str) -> Server {
    Server::start(&Options {
        more: format!("{CONSOLE}{more}"),
        ..Options::default()
    })
}

#[test]
fn nothing_but_the_login_page_is_given_without_a_login() {
    let server = server("");
    let console = Console::of(&server);
    let mut table = Table::default();
    let rows = [
        ("GET", "/", "303"),
        ("GET", "/console", "303"),
        ("GET", "/console/", "200"),
        ("GET", "/console/base.css", "200"),
        ("GET", "/console/console.css", "401"),
        ("GET", "/console/console.js", "401"),
        ("GET", "/console/console/tables.js", "401"),
        ("GET", "/console/events", "401"),
        ("GET", "/console/nothing", "401"),
        ("GET", "/console/../console/events", "401"),
        ("POST", "/console/kick", "401"),
        ("POST", "/console/mint", "401"),
        ("POST", "/console/logout", "401"),
        ("PUT", "/console/", "405"),
    ];
    let origin = format!("Origin: {}\r\n", console.base());
    for (method, path, expected) in rows {
        for cookie in ["", "Cookie: h5live_console=guessed\r\n"] {
            let headers = format!("{origin}{cookie}");
            let answer = console.ask(method, path, &headers, "");
            table.row(path, &answer.status.to_string(), expected);
            assert!(!answer.body.contains("csrf-token"), "{path}");
            table.row(path, answer.header("cache-control").unwrap(), "no-store");
        }
    }
    table.check();
    let login = console.ask("GET", "/console/", "", "");
    assert!(login.body.contains("action=\"/console/login\""));
    let policy = login.header("content-security-policy").unwrap();
    assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"));
    assert!(!policy.contains("unsafe"), "{policy}");
    // The viewers' port has no console, and the console's has no doors.
    assert_eq!(server.get("/console/").0, 404);
    let doors = console.ask(
        "GET",
        "/h5live/authhttp/playlist.m3u8?stream=ABCDE-demo",
        "",
        "",
    );
    assert_eq!(doors.status, 401);
}

#[test]
fn the_right_password_gives_a_cookie_and_the_wrong_one_none() {
    let server = server("");
    let console = Console::of(&server);
    let wrong = [
        ("ada", "wrong"),
        ("ada", ""),
        ("nobody", console.password.as_str()),
        ("", console.password.as_str()),
        ("ada%00", console.password.as_str()),
    ];
    for (name, password) in wrong {
        let answer = console.send_form(name, password);
        assert_eq!(answer.status, 401, "{name}");
        assert_eq!(answer.header("set-cookie"), None, "{name}");
        assert!(
            answer
                .body
                .contains("The name or the password is not right.")
        );
    }
    let twice = format!("{0}&password={0}", console.password);
    assert_eq!(console.send_form("ada", &twice).status, 401);

    let right = console.send_form("ada", &console.password);
    assert_eq!(right.status, 303);
    assert_eq!(right.header("location"), Some("/console/"));
    let cookie = right.header("set-cookie").unwrap();
    let (value, attributes) = cookie.split_once("; ").unwrap();
    // 256 bits in base64url.
    assert_eq!(value.strip_prefix("h5live_console=").unwrap().len(), 43);
    assert_eq!(attributes, "Path=/console/; HttpOnly; SameSite=Strict");

    let login = console.log_in();
    let headers = format!("Cookie: {}\r\n", login.cookie);
    assert_eq!(
        console
            .ask("GET", "/console/console.js", &headers, "")
            .status,
        200
    );
    assert_eq!(console.post(&login, "logout", &json!({})).0, 204);
    assert_eq!(
        console
            .ask("GET", "/console/console.js", &headers, "")
            .status,
        401
    );

    let log = server.log();
    assert!(log.contains("logged in to the console") && log.contains("operator=ada"));
    for secret in [
        console.password.as_str(),
        &login.cookie,
        &login.csrf,
        "$argon2",
    ] {
        assert!(!log.contains(secret));
    }
}

#[test]
fn who_guesses_has_to_wait_and_so_does_the_right_password() {
    let server = server("[limits]\napi-failures = 3\napi-failure-recovery = \"1h\"\n");
    let console = Console::of(&server);
    for _ in 0..3 {
        assert_eq!(console.send_form("ada", "wrong").status, 401);
    }
    let answer = console.send_form("ada", &console.password);
    assert_eq!(answer.status, 429);
    let wait: u64 = answer.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=3600).contains(&wait));
}

#[test]
fn a_page_of_another_site_changes_and_learns_nothing() {
    let server = server("");
    let console = Console::of(&server);
    let login = console.log_in();
    let (cookie, own) = (format!("Cookie: {}\r\n", login.cookie), console.base());
    let doors = server.base();
    let token = format!("X-CSRF-Token: {}\r\n", login.csrf);
    let other = format!("X-CSRF-Token: {}\r\n", console.log_in().csrf);
    let mut table = Table::default();
    #[rustfmt::skip]
    let rows = [
        ("our own page", format!("Origin: {own}\r\n{token}"), "200"),
        ("our own page, as a browser says", format!("Origin: {own}\r\n{token}Sec-Fetch-Site: same-origin\r\n"), "200"),
        ("no origin", token.clone(), "403"),
        ("another site", format!("Origin: https://evil.test\r\n{token}"), "403"),
        ("the player page's port", format!("Origin: {doors}\r\n{token}"), "403"),
        ("a page of a file", format!("Origin: null\r\n{token}"), "403"),
        ("two origins", format!("Origin: {own}\r\nOrigin: {own}\r\n{token}"), "403"),
        ("no token", format!("Origin: {own}\r\n"), "403"),
        ("an empty token", format!("Origin: {own}\r\nX-CSRF-Token: \r\n"), "403"),
        ("the token of another login", format!("Origin: {own}\r\n{other}"), "403"),
        ("as a browser says of another site", format!("Origin: {own}\r\n{token}Sec-Fetch-Site: cross-site\r\n"), "403"),
    ];
    for (name, headers, expected) in &rows {
        let headers = format!("{cookie}{headers}");
        let answer = console.ask("POST", "/console/kick", &headers, "{\"session\": 99}");
        table.row(name, &answer.status.to_string(), expected);
    }
    for (name, headers, expected) in [
        ("a live view of our own", "", "200"),
        (
            "a live view of another site",
            "Sec-Fetch-Site: cross-site\r\n",
            "403",
        ),
        (
            "a live view of another port",
            "Sec-Fetch-Site: same-site\r\n",
            "403",
        ),
    ] {
        let headers = format!("{cookie}{headers}");
        let answer = console.ask("GET", "/console/console.js", &headers, "");
        table.row(name, &answer.status.to_string(), expected);
    }
    // A login is no exception: nobody is to be logged in as somebody else.
    let form = format!("name=ada&password={}", console.password);
    let answer = console.ask(
        "POST",
        "/console/login",
        "Origin: https://evil.test\r\n",
        &form,
    );
    table.row(
        "a login from another site",
        &answer.status.to_string(),
        "403",
    );
    table.check();
}

#[test]
fn a_name_that_is_made_to_lead_here_is_refused() {
    let server = server("hosts = [\"console.example.test\"]\n");
    let console = Console::of(&server);
    let login = console.log_in();
    let cookie = format!("Cookie: {}\r\n", login.cookie);
    let port = console.port;
    let mut table = Table::default();
    let rows = [
        (format!("127.0.0.1:{port}"), "200"),
        (format!("localhost:{port}"), "200"),
        ("console.example.test".to_owned(), "200"),
        (format!("evil.test:{port}"), "421"),
        (format!("127.0.0.1.evil.test:{port}"), "421"),
        ("console.example.test.evil.test".to_owned(), "421"),
        (format!("192.0.2.1:{port}"), "421"),
    ];
    for (host, expected) in &rows {
        for path in ["/console/", "/console/base.css"] {
            let answer = console.ask_as(host, "GET", path, &cookie, "");
            table.row(host, &answer.status.to_string(), expected);
        }
    }
    table.check();
}

#[test]
fn live_views_are_bounded_and_make_room_when_they_end() {
    let server = server("");
    let console = Console::of(&server);
    let login = console.log_in();
    let view = || {
        let mut view = Raw::connect(console.port);
        let request = format!(
            "GET /console/events HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nCookie: {}\r\n\r\n",
            console.port, login.cookie
        );
        view.send(request.as_bytes());
        let status = view.answer().unwrap().status;
        (status, view)
    };
    let mut views: Vec<(u16, Raw)> = (0..16).map(|_| view()).collect();
    assert!(views.iter().all(|(status, _)| *status == 200));
    assert_eq!(view().0, 503);
    drop(views.pop());
    wait_until("room for one more", || (view().0 == 200).then_some(()));
}

#[test]
fn a_live_view_ends_with_its_login() {
    let server = server("");
    let console = Console::of(&server);
    let login = console.log_in();
    let mut view = agent()
        .get(format!("{}/console/events", console.base()))
        .header("Cookie", &login.cookie)
        .call()
        .unwrap();
    assert_eq!(view.headers()["content-type"], "text/event-stream");
    assert_eq!(console.post(&login, "logout", &json!({})).0, 204);
    let told = view.body_mut().read_to_string().unwrap();
    assert!(told.ends_with("event: over\ndata:\n\n"), "{told}");
}

#[test]
fn away_from_loopback_it_speaks_tls_and_the_cookie_is_secure() {
    let server = Server::start(&Options {
        tls: true,
        more:
            "[console]\nlisten = \"0.0.0.0:0\"\nallow-remote = true\nhosts = [\"console.test\"]\n"
                .to_owned(),
        ..Options::default()
    });
    let port = server.port_beside("the console is at https://");
    let password = add_operator(&server, "ada");
    let output = Command::new("curl")
        .args(["-sk", "-D", "-", "-o", "/dev/null", "--data"])
        .arg(format!("name=ada&password={password}"))
        .args(["-H", &format!("Origin: https://console.test:{port}")])
        .args(["--resolve", &format!("console.test:{port}:127.0.0.1")])
        .arg(format!("https://console.test:{port}/console/login"))
        .output()
        .unwrap();
    let head = String::from_utf8(output.stdout).unwrap();
    assert!(head.starts_with("HTTP/1.1 303"), "{head}");
    assert!(
        head.contains("; Path=/console/; HttpOnly; SameSite=Strict; Secure"),
        "{head}"
    );
    let plain = Command::new("curl")
        .args(["-s", &format!("http://127.0.0.1:{port}/console/")])
        .output()
        .unwrap();
    assert!(!plain.status.success());
}

#[test]
fn an_operator_who_is_removed_is_logged_out() {
    let server = server("");
    let console = Console::of(&server);
    add_operator(&server, "bob@example.com");
    let output = operator(&server, "list", &[]);
    let text = String::from_utf8(output.stdout).unwrap();
    let names: Vec<&str> = text
        .lines()
        .map(|line| line.split(' ').next().unwrap())
        .collect();
    assert_eq!(names, ["ada", "bob@example.com"]);
    assert!(!text.contains("argon2"), "{text}");

    let login = console.log_in();
    let headers = format!("Cookie: {}\r\n", login.cookie);
    assert!(operator(&server, "remove", &["ada"]).status.success());
    let again = operator(&server, "remove", &["ada"]);
    assert_eq!(again.status.code(), Some(1));
    assert_eq!(console.send_form("ada", &console.password).status, 401);
    wait_until("the login is over", || {
        let answer = console.ask("GET", "/console/console.js", &headers, "");
        (answer.status == 401).then_some(())
    });
    // The old password is good no longer where there is another one.
    let first = add_operator(&server, "ada");
    let second = add_operator(&server, "ada");
    assert_ne!(first, second);
    assert_eq!(console.send_form("ada", &first).status, 401);
    assert_eq!(console.send_form("ada", &second).status, 303);
}
