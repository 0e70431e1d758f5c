//! A TCP proxy that adds time on the way and counts round trips: what a far server looks like.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

/// A running proxy. It runs until the test ends.
pub(crate) struct DelayProxy {
    pub(crate) port: u16,
    turns: Arc<AtomicU64>,
}

impl DelayProxy {
    /// Starts one before `target` on loopback; `round_trip` is added to each round trip, half on each way.
    pub(crate) fn start(target: u16, round_trip: Duration) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let turns = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&turns);
        thread::spawn(move || {
            for client in listener.incoming() {
                let Ok(client) = client else { return };
                let Ok(server) = TcpStream::connect(("127.0.0.1", target)) else { continue };
                for socket in [&client, &server] {
                    socket.set_nodelay(true).unwrap();
                }
                // A connection costs one round trip by itself.
                thread::sleep(round_trip);
                counted.fetch_add(1, Ordering::Relaxed);
                let heard = Arc::new(AtomicBool::new(true));
                let up = (client.try_clone().unwrap(), server.try_clone().unwrap());
                pass(up.0, up.1, round_trip / 2, {
                    let (counted, heard) = (Arc::clone(&counted), Arc::clone(&heard));
                    move || {
                        // What the client says after it has heard something begins a round trip.
                        if heard.swap(false, Ordering::Relaxed) {
                            counted.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                });
                pass(server, client, round_trip / 2, move || heard.store(true, Ordering::Relaxed));
            }
        });
        Self { port, turns }
    }

    /// Round trips since the start: connections, and turns of the client.
    pub(crate) fn round_trips(&self) -> u64 {
        self.turns.load(Ordering::Relaxed)
    }
}

/// Passes bytes on, each chunk `delay` after it came.
fn pass(mut from: TcpStream, mut to: TcpStream, delay: Duration, on: impl Fn() + Send + 'static) {
    let (sender, receiver) = channel::<(Instant, Vec<u8>)>();
    thread::spawn(move || {
        let mut buffer = vec![0; 256 << 10];
        while let Ok(read @ 1..) = from.read(&mut buffer) {
            on();
            if sender.send((Instant::now() + delay, buffer[..read].to_vec())).is_err() {
                break;
            }
        }
    });
    thread::spawn(move || {
        for (due, bytes) in receiver {
            thread::sleep(due.saturating_duration_since(Instant::now()));
            if to.write_all(&bytes).is_err() {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Write);
    });
}
