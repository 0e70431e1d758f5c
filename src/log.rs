//! What happens, on standard error, for those who asked to hear it.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt;

/// Starts logging: warnings, or more with `verbose`, or errors only. `DMARCASE_LOG` overrides both.
pub fn start(verbose: u8, quiet: bool) {
    let level = match (quiet, verbose) {
        (true, _) => "error",
        (false, 0) => "warn",
        (false, 1) => "dmarcase=info,warn",
        (false, 2) => "dmarcase=debug,warn",
        (false, _) => "trace",
    };
    let filter = EnvFilter::try_from_env("DMARCASE_LOG").unwrap_or_else(|_| EnvFilter::new(level));
    let colour = std::io::IsTerminal::is_terminal(&std::io::stderr());
    // A second call (tests) keeps the first one's settings.
    fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(colour).with_target(false).try_init().ok();
}
