//! The byte stream below the IMAP parser: TCP or TLS, with a guard that refuses literals above the limit before the
//! parser makes room for them.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, BufReader, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

/// Bytes of one line outside literals. Capability and LIST lines stay far below.
const LINE_BYTES: u64 = 1 << 20;
/// Bytes kept of a line: enough for `* 4294967295 FETCH (UID 4294967295 INTERNALDATE "…" BODY[] {4294967295}`.
const KEPT: usize = 512;

/// TCP below TLS. The TLS library asks for 4 KB at a time: a system call for each mail.
pub(super) type Buffered = BufReader<TcpStream>;

/// Wraps a TCP connection for TLS.
pub(super) fn buffered(tcp: TcpStream) -> Buffered {
    BufReader::with_capacity(64 << 10, tcp)
}

/// A connection, guarded and counted.
pub(super) struct Wire {
    socket: Socket,
    guard: Guard,
    /// Bytes received.
    pub(super) received: u64,
}

enum Socket {
    Plain(TcpStream),
    Tls(Box<TlsStream<Buffered>>),
}

/// Why the guard stopped the stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Trip {
    /// A literal above the limit.
    Literal {
        /// Announced bytes.
        bytes: u64,
        /// The UID in the line before it, where it stood there.
        uid: Option<u32>,
    },
    /// A line without end.
    Line,
}

impl fmt::Display for Trip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Literal { bytes, .. } => write!(f, "a literal of {bytes} bytes"),
            Self::Line => write!(f, "a line of more than {LINE_BYTES} bytes"),
        }
    }
}

impl std::error::Error for Trip {}

/// Follows lines and literals (RFC 9051 section 4.3) without understanding more of them.
struct Guard {
    /// The largest literal let through.
    limit: u64,
    /// Bytes of the running literal still to come.
    literal: u64,
    /// The running line: its head and its tail.
    line: Vec<u8>,
    /// Its length.
    length: u64,
}

impl Guard {
    fn scan(&mut self, mut bytes: &[u8]) -> Result<(), Trip> {
        while !bytes.is_empty() {
            if self.literal > 0 {
                let skip = usize::try_from(self.literal).unwrap_or(usize::MAX).min(bytes.len());
                bytes = bytes.get(skip..).unwrap_or_default();
                self.literal -= skip as u64;
                continue;
            }
            let end = memchr::memchr(b'\n', bytes);
            let (part, rest) = bytes.split_at(end.map_or(bytes.len(), |at| at + 1));
            bytes = rest;
            self.length += part.len() as u64;
            if self.length > LINE_BYTES {
                return Err(Trip::Line);
            }
            self.line.extend_from_slice(part);
            if self.line.len() > 2 * KEPT {
                // The head has the UID, the tail the literal's size.
                let tail = self.line.len() - KEPT;
                self.line.drain(KEPT..tail.max(KEPT));
            }
            if end.is_some() {
                if let Some(size) = literal_size(&self.line) {
                    if size > self.limit {
                        return Err(Trip::Literal { bytes: size, uid: uid(&self.line) });
                    }
                    self.literal = size;
                }
                self.line.clear();
                self.length = 0;
            }
        }
        Ok(())
    }
}

/// Returns N of a line that ends in `{N}` or `{N+}`. A number above 64 bits counts as too large.
fn literal_size(line: &[u8]) -> Option<u64> {
    let line = line.strip_suffix(b"\n")?;
    let line = line.strip_suffix(b"\r").unwrap_or(line).strip_suffix(b"}")?;
    let line = line.strip_suffix(b"+").unwrap_or(line);
    let open = memchr::memrchr(b'{', line)?;
    let digits = std::str::from_utf8(line.get(open + 1..)?).ok()?;
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    Some(digits.parse().unwrap_or(u64::MAX))
}

fn uid(line: &[u8]) -> Option<u32> {
    let at = memchr::memmem::find(line, b"UID ")?;
    let digits: Vec<u8> = line.get(at + 4..)?.iter().copied().take_while(u8::is_ascii_digit).collect();
    std::str::from_utf8(&digits).ok()?.parse().ok()
}

impl Wire {
    /// Wraps a TCP connection; literals above `limit` bytes end it.
    pub(super) fn plain(socket: TcpStream, limit: u64) -> Self {
        Self::new(Socket::Plain(socket), limit)
    }

    /// Wraps a TLS connection.
    pub(super) fn tls(socket: TlsStream<Buffered>, limit: u64) -> Self {
        Self::new(Socket::Tls(Box::new(socket)), limit)
    }

    fn new(socket: Socket, limit: u64) -> Self {
        Self { socket, guard: Guard { limit, literal: 0, line: Vec::new(), length: 0 }, received: 0 }
    }

    /// Returns the TCP connection of a plain one, for STARTTLS.
    pub(super) fn into_tcp(self) -> Option<TcpStream> {
        match self.socket {
            Socket::Plain(socket) => Some(socket),
            Socket::Tls(_) => None,
        }
    }

    /// Returns the largest literal let through, bytes.
    pub(super) fn limit(&self) -> u64 {
        self.guard.limit
    }

    /// Returns how many bytes of the running literal have not come yet.
    pub(super) fn literal_left(&self) -> u64 {
        self.guard.literal
    }
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wire").field("received", &self.received).finish_non_exhaustive()
    }
}

impl AsyncRead for Wire {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<std::io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        match &mut this.socket {
            Socket::Plain(socket) => ready!(Pin::new(socket).poll_read(cx, buf))?,
            Socket::Tls(socket) => ready!(Pin::new(socket.as_mut()).poll_read(cx, buf))?,
        }
        let fresh = buf.filled().get(before..).unwrap_or_default();
        this.received += fresh.len() as u64;
        Poll::Ready(this.guard.scan(fresh).map_err(std::io::Error::other))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<std::io::Result<usize>> {
        match &mut self.get_mut().socket {
            Socket::Plain(socket) => Pin::new(socket).poll_write(cx, buf),
            Socket::Tls(socket) => Pin::new(socket.as_mut()).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        match &mut self.get_mut().socket {
            Socket::Plain(socket) => Pin::new(socket).poll_flush(cx),
            Socket::Tls(socket) => Pin::new(socket.as_mut()).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        match &mut self.get_mut().socket {
            Socket::Plain(socket) => Pin::new(socket).poll_shutdown(cx),
            Socket::Tls(socket) => Pin::new(socket.as_mut()).poll_shutdown(cx),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn guard(limit: u64) -> Guard {
        Guard { limit, literal: 0, line: Vec::new(), length: 0 }
    }

    #[test]
    fn a_literal_at_the_limit_passes_and_one_byte_more_does_not() {
        let at = b"* 1 FETCH (UID 7 BODY[] {5}\r\nhello)\r\n* 2 FETCH (UID 9 BODY[] {6}\r\n";
        let mut whole = guard(5);
        assert_eq!(whole.scan(at), Err(Trip::Literal { bytes: 6, uid: Some(9) }));
        // The same, byte by byte.
        let mut single = guard(5);
        let trips: Vec<_> = at.iter().filter_map(|b| single.scan(&[*b]).err()).collect();
        assert_eq!(trips, [Trip::Literal { bytes: 6, uid: Some(9) }]);
    }

    #[test]
    fn what_a_literal_holds_is_no_line() {
        // 13 bytes that look like the announcement of a large literal.
        let mut inside = guard(100);
        assert_eq!(inside.scan(b"* 1 FETCH (BODY[] {13}\r\nx {999999}\r\nz)\r\n* OK\r\n"), Ok(()));
        assert_eq!(inside.literal, 0);
    }

    #[test]
    fn a_size_beyond_64_bits_and_a_line_without_end_stop_it() {
        let huge = b"* 1 FETCH (BODY[] {99999999999999999999999999}\r\n";
        assert_eq!(guard(100).scan(huge), Err(Trip::Literal { bytes: u64::MAX, uid: None }));
        assert_eq!(guard(100).scan(&vec![b'x'; (LINE_BYTES + 1) as usize]), Err(Trip::Line));
        assert_eq!(guard(100).scan(&vec![b'x'; LINE_BYTES as usize]), Ok(()));
    }
}
