//! The way through folders and maildirs: in a fixed order, without asking the system more than it must, safe from loops.

use std::collections::HashSet;
use std::fs::FileType;
use std::path::{Path, PathBuf};

/// What is found under the paths given.
#[derive(Debug)]
pub(super) enum Found {
    /// A file, or something else that can be read.
    File {
        /// Where it is.
        path: PathBuf,
        /// Whether a maildir says that it is one mail.
        mail: bool,
    },
    /// `-`.
    StandardInput,
    /// A path that cannot be looked at.
    Unreadable(PathBuf, std::io::Error),
}

enum Step {
    Given(PathBuf),
    File(PathBuf),
    Folder(PathBuf),
    /// `cur` or `new`.
    Mails(PathBuf),
    Mail(PathBuf),
}

/// Yields every file under some paths.
pub(super) struct Walk {
    /// What is still to come, the next one last.
    steps: Vec<Step>,
    /// The real paths of the folders given.
    roots: Vec<PathBuf>,
    /// The real paths of folders that links led to.
    linked: HashSet<PathBuf>,
}

impl Walk {
    pub(super) fn new(paths: &[PathBuf]) -> Self {
        Self {
            steps: paths.iter().rev().cloned().map(Step::Given).collect(),
            roots: Vec::new(),
            linked: HashSet::new(),
        }
    }

    /// Lists a folder by name. The kind comes with the listing, so that no entry costs a call of its own.
    fn list(&mut self, folder: &Path) -> std::io::Result<Vec<(PathBuf, FileType)>> {
        let mut entries = Vec::new();
        for entry in std::fs::read_dir(folder)? {
            let entry = entry?;
            let kind = entry.file_type()?;
            let path = entry.path();
            if !kind.is_symlink() {
                entries.push((path, kind));
                continue;
            }
            // A link that leads nowhere, or back to what is read anyway, adds nothing.
            let Ok(target) = std::fs::metadata(&path) else { continue };
            if target.is_dir() {
                let Ok(real) = std::fs::canonicalize(&path) else { continue };
                if self.roots.iter().any(|root| real.starts_with(root) || root.starts_with(&real))
                    || !self.linked.insert(real)
                {
                    continue;
                }
            }
            entries.push((path, target.file_type()));
        }
        // By bytes: comparing paths piece by piece costs more than reading the names did.
        entries.sort_unstable_by(|(a, _), (b, _)| a.as_os_str().cmp(b.as_os_str()));
        Ok(entries)
    }

    fn folder(&mut self, folder: PathBuf) -> Option<Found> {
        let entries = match self.list(&folder) {
            Ok(entries) => entries,
            Err(error) => return Some(Found::Unreadable(folder, error)),
        };
        let has = |name: &str| {
            entries.iter().any(|(path, kind)| kind.is_dir() && path.file_name().is_some_and(|it| it == name))
        };
        let maildir = has("cur") && has("new");
        for (path, kind) in entries.into_iter().rev() {
            let name = path.file_name().unwrap_or_default();
            if !maildir {
                if kind.is_dir() {
                    self.steps.push(Step::Folder(path));
                } else if kind.is_file() {
                    self.steps.push(Step::File(path));
                }
            } else if name == "cur" || name == "new" {
                self.steps.push(Step::Mails(path));
            } else if kind.is_dir() && name != "tmp" && is_maildir(&path) {
                // A folder inside (Maildir++ `.Name`, or `Name` in other layouts). Everything else here is an index.
                self.steps.push(Step::Folder(path));
            }
        }
        None
    }

    fn mails(&mut self, folder: PathBuf) -> Option<Found> {
        match self.list(&folder) {
            Ok(entries) => {
                let mails = entries.into_iter().rev().filter(|(_, kind)| kind.is_file());
                self.steps.extend(mails.map(|(path, _)| Step::Mail(path)));
                None
            }
            Err(error) => Some(Found::Unreadable(folder, error)),
        }
    }

    fn given(&mut self, path: PathBuf) -> Option<Found> {
        if path.as_os_str() == "-" {
            return Some(Found::StandardInput);
        }
        match std::fs::metadata(&path) {
            Ok(target) if target.is_dir() => {
                if let Ok(real) = std::fs::canonicalize(&path) {
                    self.roots.push(real);
                }
                let inside_maildir = path.file_name().is_some_and(|name| name == "cur" || name == "new")
                    && path.parent().is_some_and(is_maildir);
                self.steps.push(if inside_maildir { Step::Mails(path) } else { Step::Folder(path) });
                None
            }
            Ok(_) => Some(Found::File { path, mail: false }),
            Err(error) => Some(Found::Unreadable(path, error)),
        }
    }
}

fn is_maildir(folder: &Path) -> bool {
    folder.join("cur").is_dir() && folder.join("new").is_dir()
}

impl Iterator for Walk {
    type Item = Found;

    fn next(&mut self) -> Option<Found> {
        loop {
            let found = match self.steps.pop()? {
                Step::Given(path) => self.given(path),
                Step::Folder(path) => self.folder(path),
                Step::Mails(path) => self.mails(path),
                Step::File(path) => Some(Found::File { path, mail: false }),
                Step::Mail(path) => Some(Found::File { path, mail: true }),
            };
            if found.is_some() {
                return found;
            }
        }
    }
}
