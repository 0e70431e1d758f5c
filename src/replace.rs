//! Writes a file whole or not at all.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

/// Writes a file beside the one that stands, then gives it its name. What stands keeps its mode, and a link stays a link; where nothing
/// stands, a `private` file is for its owner only. What stands and is no file, such as a pipe, is written into.
pub(crate) fn replace_file(path: &Path, bytes: &[u8], private: bool) -> std::io::Result<()> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let target = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    if std::fs::metadata(path).is_ok_and(|meta| !meta.is_file()) {
        return std::fs::write(path, bytes);
    }
    let next = NEXT.fetch_add(1, Ordering::Relaxed);
    // A name of its own: another file beside may differ in its ending only, and be replaced at the same time.
    let beside = target.with_added_extension(format!("{}-{next}.new", std::process::id()));
    let written = write_beside(&target, &beside, bytes, private).and_then(|()| std::fs::rename(&beside, &target));
    if written.is_err() {
        std::fs::remove_file(&beside).ok();
    }
    written
}

fn write_beside(target: &Path, beside: &Path, bytes: &[u8], private: bool) -> std::io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    if private {
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    }
    let mut file: File = options.open(beside)?;
    if let Ok(meta) = std::fs::metadata(target) {
        file.set_permissions(meta.permissions())?;
    }
    file.write_all(bytes)?;
    file.sync_all()
}
