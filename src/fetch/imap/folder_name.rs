//! Folder names on the wire: modified UTF-7 (RFC 3501 section 5.1.3), which is what servers speak unless asked otherwise.

use base64::Engine;
use base64::alphabet::IMAP_MUTF7;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

const MUTF7: GeneralPurpose = GeneralPurpose::new(
    &IMAP_MUTF7,
    GeneralPurposeConfig::new().with_encode_padding(false).with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Encodes a name for the wire.
pub(super) fn encode(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    let mut shifted: Vec<u8> = Vec::new();
    let flush = |out: &mut String, shifted: &mut Vec<u8>| {
        if !shifted.is_empty() {
            out.push('&');
            out.push_str(&MUTF7.encode(&*shifted));
            out.push('-');
            shifted.clear();
        }
    };
    for c in name.chars() {
        if (' '..='~').contains(&c) {
            flush(&mut out, &mut shifted);
            out.push(c);
            if c == '&' {
                out.push('-');
            }
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                shifted.extend_from_slice(&unit.to_be_bytes());
            }
        }
    }
    flush(&mut out, &mut shifted);
    out
}

/// Decodes a name from the wire. One that is not valid modified UTF-7 (some servers send UTF-8) stays as it is.
pub(super) fn decode(name: &str) -> String {
    decoded(name).unwrap_or_else(|| name.to_owned())
}

fn decoded(name: &str) -> Option<String> {
    let mut out = String::with_capacity(name.len());
    let mut rest = name;
    while let Some((plain, shifted)) = rest.split_once('&') {
        out.push_str(plain);
        let (code, after) = shifted.split_once('-')?;
        if code.is_empty() {
            out.push('&');
        } else {
            let bytes = MUTF7.decode(code).ok()?;
            let units: Vec<u16> =
                bytes.chunks(2).map(|pair| Some(u16::from_be_bytes(pair.try_into().ok()?))).collect::<Option<_>>()?;
            out.push_str(&String::from_utf16(&units).ok()?);
        }
        rest = after;
    }
    out.push_str(rest);
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_rfc_3501_and_of_servers() {
        // The first is the example of RFC 3501 section 5.1.3.
        for (wire, plain) in [
            ("~peter/mail/&U,BTFw-/&ZeVnLIqe-", "~peter/mail/台北/日本語"),
            ("Entw&APw-rfe", "Entwürfe"),
            ("Q&-A", "Q&A"),
            ("&2D3eAA-", "😀"),
            ("INBOX", "INBOX"),
        ] {
            assert_eq!(decode(wire), plain);
            assert_eq!(encode(plain), wire);
        }
    }

    #[test]
    fn what_is_no_modified_utf7_stays() {
        for odd in ["R&D", "Entwürfe", "&AP-x", "a&", "&2D0-"] {
            assert_eq!(decode(odd), odd);
        }
    }
}
