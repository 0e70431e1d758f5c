//! What benchmarks share.

use std::fs;
use std::process::{Child, ExitStatus};
use std::time::Duration;

/// Waits for a child; returns how it ended and its peak memory in KB, as the kernel counts it.
pub(crate) fn peak_of(child: &mut Child) -> (ExitStatus, u64) {
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    loop {
        if let Some(ended) = child.try_wait().unwrap() {
            return (ended, peak);
        }
        let told = fs::read_to_string(&status).unwrap_or_default();
        let high = told.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let high = high.and_then(|rest| rest.trim().trim_end_matches(" kB").parse().ok());
        peak = peak.max(high.unwrap_or(0));
        std::thread::sleep(Duration::from_millis(5));
    }
}
