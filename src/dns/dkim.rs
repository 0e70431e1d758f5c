//! DKIM keys: what a selector's record holds, how long the key is, whether it is revoked or in testing.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use schemars::JsonSchema;
use serde::Serialize;

use super::tags::{tags, value};
use super::{Looked, Resolver};

/// A key record (RFC 6376 section 3.6.1).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct DkimKey {
    /// The record, verbatim.
    pub text: String,
    /// `rsa`, `ed25519`, or what else `k` says.
    pub algorithm: String,
    /// Bits of an RSA key; null for others, or where the key cannot be read.
    pub bits: Option<u32>,
    /// The key is empty: revoked.
    pub revoked: bool,
    /// `t=y`: receivers must not treat mail otherwise than unsigned mail.
    pub testing: bool,
    /// What is wrong with the record.
    pub faults: Vec<String>,
}

/// Looks up the key of a selector; an alias is followed.
pub async fn key(resolver: &Resolver, domain: &str, selector: &str) -> Looked<DkimKey> {
    resolver.txt(&format!("{selector}._domainkey.{domain}")).await.and_then(|texts| {
        let several = texts.len();
        // Unrelated text at the name of a key is a fault of the key, not its absence.
        let mut key = texts.iter().map(|text| DkimKey::read(text)).min_by_key(|key| key.faults.len())?;
        if several > 1 {
            key.faults.push(format!("{several} records at one selector: which one counts is undefined"));
        }
        Some(key)
    })
}

impl DkimKey {
    /// Reads a record.
    pub fn read(text: &str) -> Self {
        let (tags, mut faults) = tags(text);
        let mut key = Self { text: text.to_owned(), algorithm: "rsa".to_owned(), ..Self::default() };
        if let Some(version) = value(&tags, "v")
            && version != "DKIM1"
        {
            faults.push(format!("v={version} is not DKIM1"));
        }
        if let Some(algorithm) = value(&tags, "k") {
            key.algorithm = algorithm.to_ascii_lowercase();
        }
        let flags = value(&tags, "t").unwrap_or_default();
        key.testing = flags.split(':').any(|flag| flag.trim().eq_ignore_ascii_case("y"));
        match value(&tags, "p").map(|p| p.split_ascii_whitespace().collect::<String>()) {
            None => faults.push("there is no p: no key".to_owned()),
            Some(p) if p.is_empty() => key.revoked = true,
            Some(p) => match (STANDARD.decode(&p), key.algorithm.as_str()) {
                (Err(_), _) => faults.push("p is no base64".to_owned()),
                (Ok(bytes), "rsa") => match modulus_bits(&bytes) {
                    Some(bits) => key.bits = Some(bits),
                    None => faults.push("p is no RSA key".to_owned()),
                },
                // RFC 8463 section 4.2: the bare 32 bytes.
                (Ok(bytes), "ed25519") if bytes.len() != 32 => {
                    faults.push(format!("p has {} bytes; an Ed25519 key has 32", bytes.len()));
                }
                (Ok(_), "ed25519") => {}
                (Ok(_), other) => faults.push(format!("k={other} is no algorithm that receivers know")),
            },
        }
        key.faults = faults;
        key
    }
}

/// The bits of an RSA modulus, in a SubjectPublicKeyInfo (RFC 5280) or a bare RSAPublicKey (RFC 8017), both in use.
fn modulus_bits(der: &[u8]) -> Option<u32> {
    let (outer, _) = element(der, 0x30)?;
    let key = match element(outer, 0x30) {
        Some((_, rest)) => {
            let (bits, _) = element(rest, 0x03)?;
            element(bits.strip_prefix(&[0])?, 0x30)?.0
        }
        None => outer,
    };
    let (modulus, _) = element(key, 0x02)?;
    let first = modulus.iter().position(|byte| *byte != 0)?;
    let digits = modulus.get(first..)?;
    let top = digits.first()?.leading_zeros();
    u32::try_from(digits.len()).ok()?.checked_mul(8)?.checked_sub(top)
}

/// One DER element of a tag: its content, and what follows it.
fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (first, rest) = der.split_first()?;
    let (length, rest) = rest.split_first()?;
    let (length, rest) = if *length < 0x80 {
        (usize::from(*length), rest)
    } else {
        let digits = usize::from(*length & 0x7f);
        if digits > 4 {
            return None;
        }
        let number = rest.get(..digits)?.iter().fold(0, |all, byte| all << 8 | usize::from(*byte));
        (number, rest.get(digits..)?)
    };
    (*first == tag).then_some((rest.get(..length)?, rest.get(length..)?))
}
