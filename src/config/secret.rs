//! Secrets: where the config says they are, read when they are needed, never printed.

use std::fmt;
use std::io::{ErrorKind, Read};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::process::{Pid, Signal, kill_process_group};
use secrecy::SecretString;
use serde::Deserialize;

use crate::replace::replace_file;

/// Time that a command has to print its secret and to end.
const COMMAND_TIME: Duration = Duration::from_secs(30);
/// Bytes of a secret: an access token with many claims stays far below.
const SECRET_BYTES: usize = 64 << 10;

/// Where a secret is. Holds the place, never the secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Secret {
    /// The first line of a file. A leading `$CREDENTIALS_DIRECTORY/` is the folder of systemd credentials.
    File(PathBuf),
    /// An environment variable.
    Env(String),
    /// The first line that a command prints.
    Command(CommandLine),
}

/// A command: one text for `sh -c`, or a program with its arguments.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum CommandLine {
    /// For `sh -c`.
    Shell(String),
    /// The program and its arguments, run as they are.
    Program(Vec<String>),
}

/// Why a secret could not be read. Says where it should be, never what it holds.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The file cannot be read.
    #[error("cannot read the secret file {path}: {source}; it must be readable by the user that runs dmarcase")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// systemd gave no credentials.
    #[error("{path} needs systemd credentials, and $CREDENTIALS_DIRECTORY is not set: add LoadCredential= to the unit")]
    NoCredentials {
        /// The path as written.
        path: PathBuf,
    },
    /// The variable is not set, or not UTF-8.
    #[error("the environment variable {name} is not set or not UTF-8")]
    Env {
        /// The variable.
        name: String,
    },
    /// The command cannot be started, failed, or took too long.
    #[error("the command `{program}` for the secret {text}")]
    Command {
        /// The program; its arguments are not shown.
        program: String,
        /// What went wrong.
        text: String,
    },
    /// Nothing where the secret should be.
    #[error("{place} holds no secret: its first line is empty")]
    Empty {
        /// Where.
        place: String,
    },
    /// The secret has a character that cannot be sent.
    #[error("the secret from {place} is not UTF-8, or longer than 64 KiB, or has a control character in it")]
    Unusable {
        /// Where.
        place: String,
    },
}

impl Secret {
    /// Picks the one place that is given out of the three keys `NAME_file`, `NAME_env`, `NAME_command`.
    ///
    /// # Errors
    /// Says which keys clash.
    pub(super) fn pick(
        name: &str,
        file: Option<PathBuf>,
        env: Option<String>,
        command: Option<CommandLine>,
    ) -> Result<Option<Self>, String> {
        let mut found: Vec<Self> = Vec::new();
        found.extend(file.map(Self::File));
        found.extend(env.map(Self::Env));
        found.extend(command.map(Self::Command));
        if found.len() > 1 {
            return Err(format!("give only one of {name}_file, {name}_env and {name}_command"));
        }
        Ok(found.pop())
    }

    /// Makes a relative file count from `folder`, the config's.
    pub(super) fn resolve(&mut self, folder: &Path) {
        if let Self::File(path) = self
            && path.is_relative()
            && !path.starts_with("$CREDENTIALS_DIRECTORY")
        {
            *path = folder.join(&*path);
        }
    }

    /// Reads the secret. Trailing line breaks are not part of it.
    ///
    /// # Errors
    /// Says where it should be and what to do; never shows a part of it.
    pub fn read(&self) -> Result<SecretString, SecretError> {
        let bytes = match self {
            Self::File(path) => read_file(&expand(path)?)?,
            Self::Env(name) => std::env::var(name).map_err(|_| SecretError::Env { name: name.clone() })?.into_bytes(),
            Self::Command(command) => command.run(COMMAND_TIME)?,
        };
        let unusable = || SecretError::Unusable { place: self.to_string() };
        let text = String::from_utf8(bytes).map_err(|_| unusable())?;
        let line = text.lines().next().unwrap_or_default();
        if line.is_empty() {
            return Err(SecretError::Empty { place: self.to_string() });
        }
        if line.len() >= SECRET_BYTES || line.chars().any(char::is_control) {
            return Err(unusable());
        }
        Ok(SecretString::from(line))
    }

    /// Replaces the secret where it lies in a file, for a refresh token that its issuer renewed. Returns false for the
    /// other places.
    ///
    /// # Errors
    /// Names the file.
    pub fn replace(&self, secret: &str) -> Result<bool, SecretError> {
        let Self::File(path) = self else { return Ok(false) };
        let path = expand(path)?;
        replace_file(&path, secret.as_bytes(), true).map_err(|source| SecretError::File { path, source })?;
        Ok(true)
    }

    /// Returns the path where other users of the machine can read the secret's file.
    pub fn open_to_others(&self) -> Option<PathBuf> {
        #[cfg(unix)]
        if let Self::File(path) = self
            && let Ok(path) = expand(path)
            && let Ok(meta) = std::fs::metadata(&path)
            && std::os::unix::fs::PermissionsExt::mode(&meta.permissions()) & 0o004 != 0
        {
            return Some(path);
        }
        None
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "the file {}", path.display()),
            Self::Env(name) => write!(f, "the environment variable {name}"),
            Self::Command(command) => write!(f, "the command `{}`", command.program()),
        }
    }
}

fn expand(path: &Path) -> Result<PathBuf, SecretError> {
    let Ok(rest) = path.strip_prefix("$CREDENTIALS_DIRECTORY") else { return Ok(path.to_owned()) };
    let folder = std::env::var_os("CREDENTIALS_DIRECTORY")
        .ok_or_else(|| SecretError::NoCredentials { path: path.to_owned() })?;
    Ok(Path::new(&folder).join(rest))
}

fn read_file(path: &Path) -> Result<Vec<u8>, SecretError> {
    let failed = |source| SecretError::File { path: path.to_owned(), source };
    let mut bytes = Vec::new();
    std::fs::File::open(path).map_err(failed)?.take(SECRET_BYTES as u64).read_to_end(&mut bytes).map_err(failed)?;
    Ok(bytes)
}

impl fmt::Debug for CommandLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CommandLine({} …)", self.program())
    }
}

impl CommandLine {
    /// Returns the program, without its arguments: those may hold what nobody should see.
    fn program(&self) -> &str {
        match self {
            Self::Shell(text) => text.split_whitespace().next().filter(|word| !word.contains('=')).unwrap_or("sh"),
            Self::Program(words) => words.first().map_or("", String::as_str),
        }
    }

    /// Runs the command within `limit`; returns its output up to the end of the first line at least.
    fn run(&self, limit: Duration) -> Result<Vec<u8>, SecretError> {
        let failed = |text: String| SecretError::Command { program: self.program().to_owned(), text };
        let mut command = match self {
            Self::Shell(text) => {
                let mut command = Command::new("sh");
                command.arg("-c").arg(text);
                command
            }
            Self::Program(words) => {
                let (program, arguments) = words.split_first().ok_or_else(|| failed("is empty".to_owned()))?;
                let mut command = Command::new(program);
                command.args(arguments);
                command
            }
        };
        // Standard error goes where ours goes: it is what tells the operator why the command failed. A process group of its own
        // is ended whole, with all that the shell started.
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .process_group(0)
            .spawn()
            .map_err(|error| failed(format!("cannot be started: {error}")))?;
        let read = child.stdout.take().map_or(Ok(None), |output| first_line(&mut child, output, limit));
        // Of what did not end in time, nothing goes on. A command that ended may have left a process behind, such as an agent.
        if !matches!(&read, Ok(Some(_))) {
            if let Ok(group) = i32::try_from(child.id())
                && let Some(group) = Pid::from_raw(group)
            {
                let _ = kill_process_group(group, Signal::KILL);
            }
            let _ = child.wait();
        }
        match read.map_err(|error| failed(format!("could not be read: {error}")))? {
            Some((status, bytes)) if status.success() => Ok(bytes),
            Some((status, _)) => Err(failed(format!("failed: {status}"))),
            None => Err(failed(format!("did not end within {} s", limit.as_secs_f32()))),
        }
    }
}

/// Waits for a command's end and for the first line of its output; `None` where either does not come within `limit`. What the command
/// leaves running may keep its output open: once the command itself has ended, what it printed is all there is.
fn first_line(
    child: &mut Child,
    mut output: ChildStdout,
    limit: Duration,
) -> std::io::Result<Option<(ExitStatus, Vec<u8>)>> {
    // No thread reads, so that none is left behind where the output never ends.
    fcntl_setfl(&output, fcntl_getfl(&output)? | OFlags::NONBLOCK)?;
    let deadline = Instant::now() + limit;
    let mut bytes = Vec::new();
    let mut chunk = [0; 4096];
    let mut ended = false;
    loop {
        // The end is asked for before the output: what an ended command printed is in the pipe.
        let status = child.try_wait()?;
        while !ended {
            match output.read(&mut chunk) {
                Ok(0) => ended = true,
                Ok(length) => {
                    // What comes behind the longest secret is read, so that the command can end, and not kept.
                    let room = SECRET_BYTES.saturating_sub(bytes.len());
                    bytes.extend(chunk.iter().take(length.min(room)));
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
            if Instant::now() > deadline {
                return Ok(None);
            }
        }
        if let Some(status) = status.filter(|status| ended || !bytes.is_empty() || !status.success()) {
            return Ok(Some((status, bytes)));
        }
        if Instant::now() > deadline {
            return Ok(None);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn shell(text: &str, limit: Duration) -> (Result<String, String>, Duration) {
        let began = Instant::now();
        let read = CommandLine::Shell(text.to_owned()).run(limit);
        let read = read.map(|bytes| String::from_utf8(bytes).unwrap()).map_err(|error| error.to_string());
        (read, began.elapsed())
    }

    #[test]
    fn what_a_command_leaves_running_holds_nobody_up() {
        for text in ["sleep 20 & echo pw", "echo pw; sleep 20 &", "sleep 20 & printf pw"] {
            let (read, took) = shell(text, Duration::from_secs(15));
            assert_eq!(read.unwrap().trim_end(), "pw", "{text}");
            assert!(took < Duration::from_secs(10), "{text}: {took:?}");
        }
    }

    #[test]
    fn a_command_without_end_ends_with_all_that_it_started() {
        let folder = tempfile::tempdir().unwrap();
        let mark = folder.path().join("mark");
        // The child of the shell would leave its mark after the shell was killed.
        for text in ["(sleep 2; touch MARK) & sleep 30", "(sleep 2; touch MARK) & exit 0", "echo pw; sleep 30"] {
            let text = text.replace("MARK", mark.to_str().unwrap());
            let (read, took) = shell(&text, Duration::from_millis(300));
            assert!(read.unwrap_err().contains("did not end within 0.3 s"), "{text}");
            assert!(took < Duration::from_secs(10), "{text}: {took:?}");
        }
        std::thread::sleep(Duration::from_secs(4));
        assert!(!mark.exists());
    }

    #[test]
    fn output_without_end_is_bounded_and_a_failure_is_told_at_once() {
        let (read, took) = shell("yes", Duration::from_millis(300));
        assert!(read.is_err() && took < Duration::from_secs(10), "{took:?}");
        let (read, took) = shell("sleep 20 & exit 7", Duration::from_secs(15));
        assert!(read.unwrap_err().contains("exit status: 7") && took < Duration::from_secs(10), "{took:?}");
        // More than a pipe holds.
        let (read, _) = shell("echo pw; head -c 300000 /dev/zero", Duration::from_secs(15));
        assert!(read.unwrap().starts_with("pw\n"));
    }
}
