//! Many players, one thread each: they wait most of the time.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;

use super::child::{answer, orders};
use super::player::{self, Door};
use super::support::machine::{
    self, cpu_nanos,
    processes::{MEASURING_CORE, allow_files},
};

const STACK: usize = 128 * 1024;

/// Between two that come, so that players of segments are not all in step.
const ENTER_EVERY: Duration = Duration::from_millis(4);

/// Runs until the parent is gone.
pub fn run(door: Door, address: SocketAddr) {
    machine::pin(MEASURING_CORE);
    allow_files();
    let seen = Arc::<AtomicU64>::default();
    let orders = orders(|| ());
    answer(json!({}));
    let mut mark = (Instant::now(), 0, 0);
    for order in orders {
        match order.split_once(' ') {
            Some(("enter", players)) => {
                for player in 0..players.parse().expect("a number") {
                    let seen = Arc::clone(&seen);
                    let play = move || player::play(door, address, player, &seen);
                    let thread = std::thread::Builder::new().stack_size(STACK);
                    thread.spawn(play).expect("a thread");
                    std::thread::sleep(ENTER_EVERY);
                }
                answer(json!({}));
            }
            _ if order == "begin" => {
                mark = (Instant::now(), cpu_nanos(), seen.load(Ordering::Relaxed));
                answer(json!({}));
            }
            _ if order == "end" => answer(json!({
                "wall_nanos": mark.0.elapsed().as_nanos() as u64,
                "cpu_nanos": cpu_nanos() - mark.1,
                "fragments": seen.load(Ordering::Relaxed) - mark.2,
            })),
            _ => panic!("nobody knows the order {order}"),
        }
    }
}
