//! Gzip (RFC 1952) as a stream that knows its position: several members, trailing bytes, damage with its place.

use std::cell::RefCell;
use std::io::{self, Read};

use flate2::{Crc, Decompress, FlushDecompress, Status};

use super::place::Place;
use super::stream::{Source, Unpacker};
use super::{Fault, Note};

thread_local! {
    static SHELF: RefCell<Vec<Decompress>> = const { RefCell::new(Vec::new()) };
}

/// An inflater that is used again: a new one costs more than a small report takes to inflate.
struct Inflater(Option<Decompress>);

impl Inflater {
    fn take() -> Self {
        let inflater = SHELF.with_borrow_mut(Vec::pop).map(|mut inflater| {
            inflater.reset(false);
            inflater
        });
        Self(Some(inflater.unwrap_or_else(|| Decompress::new(false))))
    }

    fn get(&mut self) -> &mut Decompress {
        self.0.get_or_insert_with(|| Decompress::new(false))
    }
}

impl Drop for Inflater {
    fn drop(&mut self) {
        if let Some(inflater) = self.0.take() {
            let _ = SHELF.try_with(|shelf| {
                if let Ok(mut shelf) = shelf.try_borrow_mut()
                    && shelf.len() < 4
                {
                    shelf.push(inflater);
                }
            });
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Header,
    Body,
    Trailer,
    End,
}

/// Inflates the gzip members of `input`, one behind the other.
pub(super) struct Gunzip<'a> {
    input: &'a mut dyn Source,
    at: &'a Place<'a>,
    inflater: Inflater,
    crc: Crc,
    state: State,
    members: u64,
    /// Packed bytes taken, headers and trailers included.
    consumed: u64,
    /// Bytes given out.
    inflated: u64,
    /// Oddities found; complete when the end was read.
    pub(super) notes: Vec<Note>,
}

/// Members of one gzip; `bgzip` writes one for every 64 KiB, so that a document at its limit stays below.
const MEMBERS: u64 = 100_000;

impl<'a> Gunzip<'a> {
    pub(super) fn new(input: &'a mut dyn Source, at: &'a Place<'a>) -> Self {
        Self {
            input,
            at,
            inflater: Inflater::take(),
            crc: Crc::new(),
            state: State::Header,
            members: 0,
            consumed: 0,
            inflated: 0,
            notes: Vec::new(),
        }
    }

    fn damaged(&self, what: &str) -> io::Error {
        Fault::new(
            "gzip-damaged",
            self.at,
            format!(
                "gzip: {what} at byte {} of the packed data, {} bytes into the text; ask the reporter to send it again",
                self.consumed, self.inflated
            ),
        )
        .into_io()
    }

    fn note(&mut self, code: &'static str, text: String) {
        self.notes.push(Note { code, place: self.at.text(), text });
    }

    /// Takes one byte, if there is one.
    fn byte(&mut self) -> io::Result<Option<u8>> {
        let Some(&byte) = self.input.fill_buf()?.first() else { return Ok(None) };
        self.input.consume(1);
        self.consumed += 1;
        Ok(Some(byte))
    }

    fn header_byte(&mut self) -> io::Result<u8> {
        self.byte()?.ok_or_else(|| self.damaged("the data ends inside the header"))
    }

    /// Reads a member's header (RFC 1952 section 2.3).
    fn header(&mut self) -> io::Result<()> {
        let mut fixed = [0; 10];
        for byte in &mut fixed {
            *byte = self.header_byte()?;
        }
        let [_, _, method, flags, ..] = fixed;
        if method != 8 || flags & 0xe0 != 0 {
            return Err(self.damaged("an impossible header"));
        }
        if flags & 0x04 != 0 {
            let length = u16::from_le_bytes([self.header_byte()?, self.header_byte()?]);
            for _ in 0..length {
                self.header_byte()?;
            }
        }
        // The stored name and the comment end with a zero.
        for flag in [0x08, 0x10] {
            if flags & flag != 0 {
                while self.header_byte()? != 0 {}
            }
        }
        if flags & 0x02 != 0 {
            self.header_byte()?;
            self.header_byte()?;
        }
        Ok(())
    }

    fn inflate(&mut self, out: &mut [u8]) -> io::Result<usize> {
        loop {
            let input = self.input.fill_buf()?;
            let ended = input.is_empty();
            let inflater = self.inflater.get();
            let (before_in, before_out) = (inflater.total_in(), inflater.total_out());
            let status = inflater.decompress(input, out, FlushDecompress::None);
            let taken = inflater.total_in() - before_in;
            let given = (inflater.total_out() - before_out) as usize;
            self.input.consume(taken as usize);
            self.consumed += taken;
            self.inflated += given as u64;
            let fresh = out.get(..given).unwrap_or_default();
            self.crc.update(fresh);
            match status {
                Ok(Status::StreamEnd) => {
                    self.state = State::Trailer;
                    return Ok(given);
                }
                Ok(_) if given > 0 => return Ok(given),
                Ok(_) if ended => return Err(self.damaged("the data is cut off")),
                Ok(_) if taken > 0 => {}
                Ok(_) | Err(_) => return Err(self.damaged("the data is damaged")),
            }
        }
    }

    /// Compares the member's checksum and length, and looks at what comes behind them.
    fn trailer(&mut self) -> io::Result<()> {
        let mut trailer = [0; 8];
        let mut had = 0;
        for slot in &mut trailer {
            let Some(byte) = self.byte()? else { break };
            *slot = byte;
            had += 1;
        }
        let [a, b, c, d, e, f, g, h] = trailer;
        if had < 4 {
            // Without its checksum, data that went wrong on the way could pass for whole.
            return Err(self.damaged("the data is cut off"));
        }
        if u32::from_le_bytes([a, b, c, d]) != self.crc.sum() {
            return Err(self.damaged("the checksum does not match"));
        }
        if had < 8 {
            self.note("gzip-cut", format!("{} bytes are missing behind the checksum, which matches", 8 - had));
        } else if u32::from_le_bytes([e, f, g, h]) != self.crc.amount() {
            return Err(self.damaged("the length does not match"));
        }
        self.members += 1;
        self.state = State::End;
        if matches!(self.input.fill_buf()?, [0x1f, 0x8b, 8, ..] | [0x1f, 0x8b] | [0x1f]) && self.members < MEMBERS {
            self.inflater.get().reset(false);
            self.crc.reset();
            self.state = State::Header;
            return Ok(());
        }
        self.behind()
    }

    /// Counts what lies behind the last member.
    fn behind(&mut self) -> io::Result<()> {
        let mut count = 0;
        loop {
            let length = self.input.fill_buf()?.len();
            if length == 0 {
                break;
            }
            count += length as u64;
            self.input.consume(length);
        }
        if self.members >= MEMBERS && count > 0 {
            return Err(self.damaged("too many members"));
        }
        if count > 0 {
            self.note("gzip-trailing", format!("{count} bytes behind the gzip data ignored"));
        }
        Ok(())
    }
}

impl Read for Gunzip<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if out.is_empty() {
            return Ok(0);
        }
        loop {
            match self.state {
                State::Header => {
                    self.header()?;
                    self.state = State::Body;
                }
                State::Body => {
                    let given = self.inflate(out)?;
                    if given > 0 {
                        return Ok(given);
                    }
                }
                State::Trailer => self.trailer()?,
                State::End => return Ok(0),
            }
        }
    }
}

impl Unpacker for Gunzip<'_> {
    fn packed(&self) -> u64 {
        self.consumed
    }
}
