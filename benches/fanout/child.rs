//! The parent's and the children's ends of a line each way: an order in, one line of JSON out.

use std::io::{BufRead, BufReader, Write};
use std::process::{ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};

use serde_json::Value;

/// A process of this bench that the parent started; dropping it ends it.
pub struct Child {
    process: std::process::Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
    name: String,
}

impl Child {
    /// Starts this program again in another role, and waits until it is ready.
    pub fn spawn(arguments: &[&str]) -> (Self, Value) {
        let program = std::env::current_exe().expect("this program has a path");
        let mut process = Command::new(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("this program can be started again");
        let orders = process.stdin.take().expect("it is piped");
        let answers = process.stdout.take().expect("it is piped");
        let mut child = Self {
            process,
            orders,
            answers: BufReader::new(answers),
            name: arguments.join(" "),
        };
        let ready = child.answer();
        (child, ready)
    }

    /// The process's id.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Gives an order and waits for its answer.
    pub fn ask(&mut self, order: &str) -> Value {
        writeln!(self.orders, "{order}").expect("the child is there");
        self.answer()
    }

    fn answer(&mut self) -> Value {
        let mut line = String::new();
        let read = self.answers.read_line(&mut line);
        serde_json::from_str(&line)
            .unwrap_or_else(|_| panic!("`{}` has ended ({read:?})", self.name))
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // It may have ended by itself; either way nothing of it stays.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The child's end: orders as they come. `wake` is called after each, for one who waits elsewhere.
pub fn orders(wake: impl Fn() + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lines() {
            let Ok(line) = line else { break };
            if sender.send(line).is_err() {
                return;
            }
            wake();
        }
        // The parent is gone, so there is nobody to work for.
        std::process::exit(0);
    });
    receiver
}

/// Answers the parent.
pub fn answer(value: Value) {
    println!("{value}");
}
