//! Secrets: where the config says they are, read when they are needed, never printed.

use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use secrecy::SecretString;
use serde::Deserialize;

use crate::replace::replace_file;

/// Time that a command has to print its secret.
const COMMAND_TIME: Duration = Duration::from_secs(30);
/// Bytes of a secret: an access token with many claims stays far below.
const SECRET_BYTES: u64 = 64 << 10;

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
            Self::Command(command) => command.run()?,
        };
        let unusable = || SecretError::Unusable { place: self.to_string() };
        let text = String::from_utf8(bytes).map_err(|_| unusable())?;
        let line = text.lines().next().unwrap_or_default();
        if line.is_empty() {
            return Err(SecretError::Empty { place: self.to_string() });
        }
        if line.len() as u64 >= SECRET_BYTES || line.chars().any(char::is_control) {
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
    std::fs::File::open(path).map_err(failed)?.take(SECRET_BYTES).read_to_end(&mut bytes).map_err(failed)?;
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

    fn run(&self) -> Result<Vec<u8>, SecretError> {
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
        // Standard error goes where ours goes: it is what tells the operator why the command failed.
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| failed(format!("cannot be started: {error}")))?;
        let output = child.stdout.take();
        let reader = std::thread::spawn(move || {
            let mut bytes = Vec::new();
            if let Some(output) = output {
                let _ = output.take(SECRET_BYTES).read_to_end(&mut bytes);
            }
            bytes
        });
        let deadline = Instant::now() + COMMAND_TIME;
        let status = loop {
            if let Some(status) = child.try_wait().map_err(|error| failed(error.to_string()))? {
                break status;
            }
            if Instant::now() > deadline {
                let _ = child.kill();
                let _ = child.wait();
                return Err(failed(format!("did not end within {} s", COMMAND_TIME.as_secs())));
            }
            std::thread::sleep(Duration::from_millis(5));
        };
        if !status.success() {
            return Err(failed(format!("failed: {status}")));
        }
        reader.join().map_err(|_| failed("could not be read".to_owned()))
    }
}
