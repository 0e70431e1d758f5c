//! Recipients: the domain stays, the local part becomes a keyed hash unless the operator keeps it.

use std::fmt::Write as _;

/// How recipients are told apart and shown.
#[derive(Clone)]
pub struct Recipients {
    key: [u8; 32],
    keep: bool,
}

impl std::fmt::Debug for Recipients {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The key is a secret: with it, guessed addresses can be confirmed.
        f.debug_struct("Recipients").field("keep", &self.keep).finish_non_exhaustive()
    }
}

impl Recipients {
    /// Takes the store's secret. With `keep`, addresses are kept beside their numbers.
    pub fn new(key: [u8; 32], keep: bool) -> Self {
        Self { key, keep }
    }

    /// Says whether addresses are kept.
    pub fn keeps(&self) -> bool {
        self.keep
    }

    /// Returns the number of a recipient: the same for the same address in any case of letters.
    pub fn number(&self, local: &[u8], domain: &[u8]) -> u64 {
        let mut hasher = blake3::Hasher::new_keyed(&self.key);
        lower(&mut hasher, local);
        hasher.update(b"@");
        lower(&mut hasher, domain);
        let mut first = [0; 8];
        hasher.finalize_xof().fill(&mut first);
        u64::from_be_bytes(first)
    }

    /// Writes an address with its local part hashed, or whole where addresses are kept; `at` is its at sign as it stands.
    pub(crate) fn write_masked(&self, out: &mut Vec<u8>, local: &[u8], at: &[u8], domain: &[u8]) {
        if self.keep {
            out.extend(local.iter().filter(|b| **b >= 0x20));
        } else {
            let mut text = String::with_capacity(16);
            // Writing to a String does not fail.
            let _ = write!(text, "{:016x}", self.number(local, domain));
            out.extend_from_slice(text.as_bytes());
        }
        out.extend_from_slice(at);
        out.extend(domain.iter().filter(|b| **b >= 0x20));
    }
}

/// Lower case of ASCII letters, in small steps so that nothing is allocated.
fn lower(hasher: &mut blake3::Hasher, text: &[u8]) {
    let mut buffer = [0; 64];
    for part in text.chunks(64) {
        if let Some(room) = buffer.get_mut(..part.len()) {
            room.copy_from_slice(part);
            room.make_ascii_lowercase();
            hasher.update(room);
        }
    }
}
