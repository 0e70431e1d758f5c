//! Networks and countries from MaxMind DB files, in MaxMind's columns and in IPinfo's.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use maxminddb::Reader;
use serde::Deserialize;

/// What databases say of an address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// The network that the entry is about.
    pub network: Option<String>,
    /// Autonomous system number.
    pub as_number: Option<u32>,
    /// Its name.
    pub as_name: Option<String>,
    /// Country code (ISO 3166-1 alpha-2).
    pub country: Option<String>,
}

/// Why a database could not be used.
#[derive(Debug, thiserror::Error)]
#[error(
    "cannot read the database {path}: {source}; a .mmdb file of MaxMind (GeoLite2-ASN, -Country, -City) or IPinfo is meant"
)]
pub struct DatabaseError {
    /// The file.
    path: PathBuf,
    /// What is wrong with it.
    source: maxminddb::MaxMindDbError,
}

/// The databases of the operator, in order: for each column the first that has a value counts.
#[derive(Debug, Default)]
pub struct Databases {
    readers: Vec<(PathBuf, Reader<Vec<u8>>)>,
}

/// Columns of both makers; unknown ones are skipped.
#[derive(Debug, Deserialize)]
struct Entry {
    /// MaxMind.
    autonomous_system_number: Option<u32>,
    autonomous_system_organization: Option<String>,
    registered_country: Option<Country>,
    /// Both: a map of MaxMind, a text of IPinfo.
    country: Option<Country>,
    /// IPinfo: `AS64500`.
    asn: Option<String>,
    as_name: Option<String>,
    name: Option<String>,
    country_code: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Country {
    Text(String),
    Map { iso_code: Option<String> },
}

impl Country {
    /// A code; IPinfo's newer files have the whole name here, and the code in a column of its own.
    fn code(self) -> Option<String> {
        let text = match self {
            Self::Text(text) => text,
            Self::Map { iso_code } => iso_code?,
        };
        (text.len() == 2).then_some(text)
    }
}

impl Databases {
    /// Opens files.
    ///
    /// # Errors
    /// Names the file that cannot be read, or is no database.
    pub fn open(paths: &[PathBuf]) -> Result<Self, DatabaseError> {
        let open = |path: &PathBuf| {
            let reader = Reader::open_readfile(path).map_err(|source| DatabaseError { path: path.clone(), source })?;
            Ok((path.clone(), reader))
        };
        Ok(Self { readers: paths.iter().map(open).collect::<Result<_, _>>()? })
    }

    /// Returns whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.readers.is_empty()
    }

    /// Looks an address up in every database.
    ///
    /// # Errors
    /// A database is damaged.
    pub fn place(&self, ip: IpAddr) -> Result<Option<Place>, DatabaseError> {
        let mut place = Place::default();
        for (path, reader) in &self.readers {
            add(&mut place, reader, ip).map_err(|source| fault(path, source))?;
        }
        Ok((place != Place::default()).then_some(place))
    }
}

fn fault(path: &Path, source: maxminddb::MaxMindDbError) -> DatabaseError {
    DatabaseError { path: path.to_owned(), source }
}

fn add(place: &mut Place, reader: &Reader<Vec<u8>>, ip: IpAddr) -> Result<(), maxminddb::MaxMindDbError> {
    // An address of the other family is unknown to a database of one.
    if reader.metadata().ip_version == 4 && ip.is_ipv6() {
        return Ok(());
    }
    let found = reader.lookup(ip)?;
    let Some(entry) = found.decode::<Entry>()? else { return Ok(()) };
    let number = entry.asn.and_then(|asn| asn.trim_start_matches(['A', 'S', 'a', 's']).parse().ok());
    let number = entry.autonomous_system_number.or(number);
    let country = entry.country_code.or_else(|| entry.country.and_then(Country::code));
    let country = country.or_else(|| entry.registered_country.and_then(Country::code));
    // The network of the autonomous system says more of who sends than that of a country.
    if place.network.is_none() || place.as_number.is_none() && number.is_some() {
        place.network = Some(found.network()?.to_string());
    }
    place.as_name = place.as_name.take().or(entry.autonomous_system_organization).or(entry.as_name);
    if number.is_some() {
        place.as_name = place.as_name.take().or(entry.name);
    }
    place.as_number = place.as_number.or(number);
    place.country = place.country.take().or(country);
    Ok(())
}
