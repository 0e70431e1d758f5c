//! How far a long run is, on standard error, while it runs.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::pipeline::Progress;

/// A line that follows a run's progress until it is dropped.
#[derive(Debug)]
pub struct ProgressLine {
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl ProgressLine {
    /// Starts following. `total` bytes are expected, or an unknown number. Shows nothing where standard error is no
    /// terminal or `wanted` is false.
    pub fn follow(progress: &Arc<Progress>, total: Option<u64>, wanted: bool) -> Self {
        use std::io::IsTerminal;
        let over = Arc::new(AtomicBool::new(false));
        if !wanted || !std::io::stderr().is_terminal() {
            return Self { over, thread: None };
        }
        let (progress, ended) = (Arc::clone(progress), Arc::clone(&over));
        let thread = std::thread::spawn(move || draw(&progress, total, &ended));
        Self { over, thread: Some(thread) }
    }
}

impl Drop for ProgressLine {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}

fn draw(progress: &Progress, total: Option<u64>, over: &AtomicBool) {
    let bar = ProgressBar::with_draw_target(total, ProgressDrawTarget::stderr());
    let form = if total.is_some() {
        "{bar:24} {bytes}/{total_bytes} {binary_bytes_per_sec} {msg} ETA {eta}"
    } else {
        "{spinner} {bytes} {binary_bytes_per_sec} {msg}"
    };
    if let Ok(style) = ProgressStyle::with_template(form) {
        bar.set_style(style);
    }
    let started = Instant::now();
    while !over.load(Ordering::Relaxed) {
        std::thread::sleep(Duration::from_millis(100));
        // Short runs need no line.
        if started.elapsed() < Duration::from_millis(400) {
            continue;
        }
        let items = super::count(progress.items.load(Ordering::Relaxed));
        let records = super::count(progress.records.load(Ordering::Relaxed));
        bar.set_message(format!("{items} items, {records} records"));
        bar.set_position(progress.bytes.load(Ordering::Relaxed));
    }
    bar.finish_and_clear();
}
