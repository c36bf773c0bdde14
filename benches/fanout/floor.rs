//! The floor: one thread that write()s the same bytes to the same number of sockets, and no more. No
//! upgrade, no token, no hub, and a reader that does not keep up would hold up everybody.

use std::io::Write;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};

use h5live::http::listener::Limits;
use h5live::hub::wire;
use serde_json::json;
use socket2::SockRef;

use super::child::{answer, orders};
use super::media::{self, Stream};
use super::publish::{self, Target};
use super::support::machine::{self, processes::allow_files};

type Sockets = Arc<Mutex<Vec<TcpStream>>>;

struct Loop {
    sockets: Sockets,
    frames: Vec<Frame>,
}

struct Frame {
    wire: Vec<u8>,
    /// Where the fragment begins, behind its frame's head.
    fragment_at: usize,
}

impl Target for Loop {
    fn publish(&mut self, index: usize, nanos: u64) {
        let Frame { wire, fragment_at } = &mut self.frames[index];
        media::stamp(&mut wire[*fragment_at..], nanos);
        let sockets = self.sockets.lock().unwrap_or_else(PoisonError::into_inner);
        for mut socket in sockets.iter() {
            let written = socket.write(wire).expect("the reader is there");
            assert_eq!(written, wire.len(), "a blocking write takes all");
        }
    }

    fn readers(&self) -> usize {
        let sockets = self.sockets.lock().unwrap_or_else(PoisonError::into_inner);
        sockets.len()
    }

    fn written(&self, _: usize) -> Option<(u64, u64)> {
        None
    }
}

fn accept(listener: TcpListener, sockets: &Sockets) {
    let send_buffer = Limits::default().send_buffer;
    for socket in listener.incoming() {
        let socket = socket.expect("a connection");
        // As the server's listener does it.
        socket.set_nodelay(true).expect("a TCP socket");
        let tuned = SockRef::from(&socket).set_send_buffer_size(send_buffer);
        tuned.expect("a TCP socket");
        let mut sockets = sockets.lock().unwrap_or_else(PoisonError::into_inner);
        sockets.push(socket);
    }
}

/// Runs until the parent is gone.
pub fn run(seconds: u64) {
    machine::pin(machine::MEASURED_CORE);
    allow_files();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    let sockets = Sockets::default();
    let accepted = Arc::clone(&sockets);
    std::thread::spawn(move || accept(listener, &accepted));
    let stream = Stream::make(seconds);
    let frames = stream.frames.iter().map(|fragment| {
        let wire = wire::fragment(fragment).to_vec();
        let fragment_at = wire.len() - fragment.bytes.len();
        Frame { wire, fragment_at }
    });
    let mut plain = Loop {
        sockets,
        frames: frames.collect(),
    };
    let orders = orders(|| ());
    answer(json!({"address": address.to_string()}));
    publish::run(plain.frames.len(), &mut plain, &orders);
}
