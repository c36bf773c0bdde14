//! A web server of a few fixed pages, for pages of another host than the server's.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::sync::Arc;

/// Path, type and content.
pub type Page = (&'static str, &'static str, Vec<u8>);

/// Answers until the process ends.
pub struct PageHost {
    port: u16,
}

impl PageHost {
    /// Starts one on a free port of 127.0.0.1.
    pub fn start(pages: Vec<Page>) -> PageHost {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let port = listener.local_addr().expect("its address").port();
        let pages = Arc::new(pages);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let pages = Arc::clone(&pages);
                // A browser opens connections that it does not use: none may hold up the others.
                std::thread::spawn(move || answer(client, &pages));
            }
        });
        PageHost { port }
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.port
    }
}

fn answer(mut client: std::net::TcpStream, pages: &[Page]) -> Option<()> {
    let mut lines = BufReader::new(client.try_clone().ok()?).lines();
    let request = lines.next()?.ok()?;
    while lines
        .next()
        .is_some_and(|line| line.is_ok_and(|line| !line.is_empty()))
    {}
    let path = request.split(' ').nth(1)?.split('?').next()?;
    let found = pages.iter().find(|(known, ..)| *known == path);
    let (status, kind, content) = match found {
        Some((_, kind, content)) => ("200 OK", *kind, content.as_slice()),
        None => ("404 Not Found", "text/plain", &b"nothing"[..]),
    };
    write!(
        client,
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        content.len()
    )
    .ok()?;
    client.write_all(content).ok()
}
