//! Text that repeats, kept once: domains, hosts and file names on one side, response shapes on the other.

use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustc_hash::FxHashMap;

/// No number: the column is NULL.
pub const NONE: u32 = u32::MAX;

/// Most response shapes that are told apart; the rest share one. A log of nothing but noise stays bounded.
pub const MAX_RESPONSES: usize = 50_000;

/// A table of texts, each with its number, shared between the threads of an import.
#[derive(Debug, Default)]
pub struct Texts {
    inner: Mutex<Table<Arc<str>>>,
}

/// Keys in order of their numbers.
#[derive(Debug)]
struct Table<K> {
    numbers: FxHashMap<K, u32>,
    list: Vec<K>,
}

impl<K> Default for Table<K> {
    fn default() -> Self {
        Self { numbers: FxHashMap::default(), list: Vec::new() }
    }
}

impl<K: Clone + Eq + std::hash::Hash> Table<K> {
    fn number(&mut self, key: K) -> u32 {
        let next = u32::try_from(self.list.len()).unwrap_or(NONE - 1).min(NONE - 1);
        match self.numbers.entry(key) {
            Entry::Occupied(found) => *found.get(),
            Entry::Vacant(free) => {
                self.list.push(free.key().clone());
                *free.insert(next)
            }
        }
    }
}

impl Texts {
    /// Starts with the texts that a store already holds, in order of their numbers from 0.
    pub fn with(stored: impl IntoIterator<Item = String>) -> Self {
        let texts = Self::default();
        for text in stored {
            texts.number(&text);
        }
        texts
    }

    /// Returns the number of a text, a new one where it is new.
    pub fn number(&self, text: &str) -> u32 {
        let mut table = lock(&self.inner);
        match table.numbers.get(text) {
            Some(number) => *number,
            None => table.number(Arc::from(text)),
        }
    }

    /// Returns the text of a number.
    pub fn text(&self, number: u32) -> Option<Arc<str>> {
        lock(&self.inner).list.get(number as usize).cloned()
    }

    /// Returns how many there are.
    pub fn len(&self) -> usize {
        lock(&self.inner).list.len()
    }

    /// Says whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the texts from `start` on, in order of their numbers.
    pub fn since(&self, start: usize) -> Vec<Arc<str>> {
        lock(&self.inner).list.get(start..).unwrap_or_default().to_vec()
    }
}

/// Where in the conversation a reply came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Stage {
    /// Not said.
    #[default]
    Unknown,
    /// Before any command: the 421 at the greeting.
    Greeting,
    /// HELO or EHLO.
    Hello,
    /// MAIL FROM.
    Mail,
    /// RCPT TO.
    Rcpt,
    /// DATA.
    Data,
    /// After the message.
    EndOfData,
}

impl Stage {
    /// Returns its word in the store.
    pub fn word(self) -> Option<&'static str> {
        Some(match self {
            Self::Unknown => return None,
            Self::Greeting => "greeting",
            Self::Hello => "hello",
            Self::Mail => "mail",
            Self::Rcpt => "rcpt",
            Self::Data => "data",
            Self::EndOfData => "end-of-data",
        })
    }

    /// Reads the word back.
    pub fn from_word(word: Option<&str>) -> Self {
        match word {
            Some("greeting") => Self::Greeting,
            Some("hello") => Self::Hello,
            Some("mail") => Self::Mail,
            Some("rcpt") => Self::Rcpt,
            Some("data") => Self::Data,
            Some("end-of-data") => Self::EndOfData,
            _ => Self::Unknown,
        }
    }
}

/// A response with what varies taken out: what responses are grouped by.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Response {
    /// First `[245]dd` of the reply; 0 where there was no reply.
    pub code: u16,
    /// Enhanced code: class × 1,000,000 + subject × 1,000 + detail; 0 where there is none.
    pub enhanced: u32,
    /// Where in the conversation.
    pub stage: Stage,
    /// The text, with a control character for each part that varies ([`crate::evidence::fold`]).
    pub template: Box<str>,
}

/// The table of responses.
#[derive(Debug, Default)]
pub struct Responses {
    inner: Mutex<Table<Arc<Response>>>,
}

impl Responses {
    /// Starts with the responses that a store already holds, in order of their numbers from 0.
    pub fn with(stored: impl IntoIterator<Item = Response>) -> Self {
        let responses = Self::default();
        for response in stored {
            lock(&responses.inner).number(Arc::new(response));
        }
        responses
    }

    /// Returns the number of a response; `None` once the table is full and it is new.
    pub fn number(&self, response: &Response) -> Option<u32> {
        let mut table = lock(&self.inner);
        if let Some(number) = table.numbers.get(response) {
            return Some(*number);
        }
        (table.list.len() < MAX_RESPONSES).then(|| table.number(Arc::new(response.clone())))
    }

    /// Returns the response of a number.
    pub fn get(&self, number: u32) -> Option<Arc<Response>> {
        lock(&self.inner).list.get(number as usize).cloned()
    }

    /// Returns how many there are.
    pub fn len(&self) -> usize {
        lock(&self.inner).list.len()
    }

    /// Says whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the responses from `start` on, in order of their numbers.
    pub fn since(&self, start: usize) -> Vec<Arc<Response>> {
        lock(&self.inner).list.get(start..).unwrap_or_default().to_vec()
    }
}

/// Writes an enhanced code as people know it: `4.7.1`.
pub fn enhanced_text(enhanced: u32) -> Option<String> {
    (enhanced != 0).then(|| format!("{}.{}.{}", enhanced / 1_000_000, enhanced / 1000 % 1000, enhanced % 1000))
}

/// Reads `4.7.1`; `None` unless the class is 2, 4 or 5 (RFC 3463 section 2).
pub(crate) fn enhanced_number(text: &[u8]) -> Option<u32> {
    let mut parts = text.split(|b| *b == b'.');
    let mut number = || {
        let part = parts.next()?;
        if part.is_empty() || part.len() > 3 || !part.iter().all(u8::is_ascii_digit) {
            return None;
        }
        Some(part.iter().fold(0u32, |sum, digit| sum * 10 + u32::from(digit - b'0')))
    };
    let (class, subject, detail) = (number()?, number()?, number()?);
    if parts.next().is_some() || !matches!(class, 2 | 4 | 5) {
        return None;
    }
    Some(class * 1_000_000 + subject * 1000 + detail)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A thread that died while it held the table leaves it whole: every change is one push.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
