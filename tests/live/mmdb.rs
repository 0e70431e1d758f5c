//! Writes a small MaxMind DB (format 2.0, 24-bit records) by hand, so that no file of strangers is needed.

use std::net::IpAddr;
use std::path::Path;

use serde_json::{Value, json};

enum Node {
    Empty,
    Data(usize),
    Branch(usize),
}

/// Writes networks with their data; numbers become uint32. IPv4 lies below ::/96, as everybody has it.
pub fn write(path: &Path, kind: &str, networks: &[(&str, Value)]) {
    let mut tree: Vec<[Node; 2]> = vec![[Node::Empty, Node::Empty]];
    let mut data: Vec<u8> = Vec::new();
    for (network, value) in networks {
        let offset = data.len();
        encode(value, &mut data);
        let (address, length) = network.split_once('/').unwrap();
        let length: usize = length.parse().unwrap();
        let (bits, length) = match address.parse().unwrap() {
            IpAddr::V4(v4) => (u128::from(u32::from(v4)), length + 96),
            IpAddr::V6(v6) => (u128::from(v6), length),
        };
        let mut at = 0;
        for place in 0..length {
            let side = usize::from(bits >> (127 - place) & 1 == 1);
            if place + 1 == length {
                tree[at][side] = Node::Data(offset);
            } else if let Node::Branch(next) = tree[at][side] {
                at = next;
            } else {
                tree.push([Node::Empty, Node::Empty]);
                let next = tree.len() - 1;
                tree[at][side] = Node::Branch(next);
                at = next;
            }
        }
    }
    let mut file = Vec::new();
    for node in &tree {
        for record in node {
            let number = match record {
                Node::Empty => tree.len(),
                Node::Data(offset) => tree.len() + 16 + offset,
                Node::Branch(next) => *next,
            };
            file.extend_from_slice(&u32::try_from(number).unwrap().to_be_bytes()[1..]);
        }
    }
    file.extend_from_slice(&[0; 16]);
    file.extend_from_slice(&data);
    file.extend_from_slice(b"\xab\xcd\xefMaxMind.com");
    let about = json!({
        "node_count": tree.len(), "record_size": 24, "ip_version": 6, "database_type": kind, "languages": ["en"],
        "binary_format_major_version": 2, "binary_format_minor_version": 0, "build_epoch": 1_750_000_000,
        "description": {"en": "made by a test"},
    });
    encode(&about, &mut file);
    std::fs::write(path, file).unwrap();
}

fn head(kind: u8, size: usize, out: &mut Vec<u8>) {
    assert!(size < 285);
    let short = u8::try_from(size.min(29)).unwrap();
    if kind > 7 {
        out.extend([short, kind - 7]);
    } else {
        out.push(kind << 5 | short);
    }
    if size >= 29 {
        out.push(u8::try_from(size - 29).unwrap());
    }
}

fn integer(kind: u8, number: u64, out: &mut Vec<u8>) {
    let bytes = number.to_be_bytes();
    let first = bytes.iter().position(|byte| *byte != 0).unwrap_or(8);
    head(kind, 8 - first, out);
    out.extend_from_slice(&bytes[first..]);
}

fn encode(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::String(text) => {
            head(2, text.len(), out);
            out.extend_from_slice(text.as_bytes());
        }
        Value::Number(number) => integer(6, number.as_u64().unwrap(), out),
        Value::Object(map) => {
            head(7, map.len(), out);
            for (key, value) in map {
                encode(&Value::String(key.clone()), out);
                // Numbers about the file have types of their own: uint16 5, uint64 9.
                match key.as_str() {
                    "build_epoch" => integer(9, value.as_u64().unwrap(), out),
                    "record_size" | "ip_version" => integer(5, value.as_u64().unwrap(), out),
                    key if key.starts_with("binary_format") => integer(5, value.as_u64().unwrap(), out),
                    _ => encode(value, out),
                }
            }
        }
        Value::Array(list) => {
            head(11, list.len(), out);
            list.iter().for_each(|value| encode(value, out));
        }
        other => panic!("{other}"),
    }
}
