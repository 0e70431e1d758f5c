//! Packs a report as reporters do: gzip, zip or bare, with fixed levels and times.

use std::io::{Cursor, Write as _};

use anyhow::{Context as _, Result};
use flate2::{Compression, GzBuilder};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

use super::report::Container;

/// A packed report: file name, media type, bytes.
pub(crate) struct Packed {
    /// The file name, as an attachment or on disk.
    pub(crate) name: String,
    /// The media type that reporters give it.
    pub(crate) mime: &'static str,
    /// The bytes.
    pub(crate) bytes: Vec<u8>,
}

/// Packs one document.
pub(crate) fn pack(stem: &str, container: Container, xml: &[u8]) -> Result<Packed> {
    Ok(match container {
        Container::Gz => Packed {
            name: format!("{stem}.xml.gz"),
            mime: "application/gzip",
            bytes: gzip(&format!("{stem}.xml"), xml)?,
        },
        Container::Zip => Packed {
            name: format!("{stem}.zip"),
            mime: "application/zip",
            bytes: zip_of(&[(format!("{stem}.xml"), xml)])?,
        },
        Container::Xml => Packed { name: format!("{stem}.xml"), mime: "text/xml", bytes: xml.to_vec() },
    })
}

/// gzip at level 6, no time in the header.
pub(crate) fn gzip(name: &str, bytes: &[u8]) -> Result<Vec<u8>> {
    let out = Vec::with_capacity(bytes.len() / 8 + 64);
    let mut encoder = GzBuilder::new().filename(name).mtime(0).operating_system(255).write(out, Compression::new(6));
    encoder.write_all(bytes)?;
    encoder.finish().context("gzip")
}

/// A zip of any number of members, every one of 2026-01-01.
pub(crate) fn zip_of<B: AsRef<[u8]>>(members: &[(String, B)]) -> Result<Vec<u8>> {
    let time = DateTime::from_date_and_time(2026, 1, 1, 0, 0, 0).context("zip time")?;
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .compression_level(Some(6))
        .last_modified_time(time)
        .unix_permissions(0o644);
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in members {
        zip.start_file(name.as_str(), options)?;
        zip.write_all(bytes.as_ref())?;
    }
    Ok(zip.finish()?.into_inner())
}
