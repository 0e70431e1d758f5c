//! The DKIM and SPF results that the store holds, read for attribution.
//!
//! Lists are looked through here: in the engine, `unnest` took ten times as long.

use duckdb::Connection;
use duckdb::arrow::array::{Array, ListArray, RecordBatch, StringArray, StructArray, UInt32Array};
use rustc_hash::FxHashMap;

use super::attribute::{MailFrom, Signature};
use super::store::AttributeError;

const SELECT_RESULTS: &str = "
SELECT auth_no, dkim, spf FROM auth WHERE auth_no IN (SELECT auth FROM stream WHERE stream_no >= ?)";

/// The results of one row of `auth`: each signature and MAIL FROM domain, and whether it passes.
#[derive(Debug, Default)]
pub(super) struct Results {
    pub(super) passing_dkim: Vec<Signature>,
    pub(super) passing_spf: Vec<MailFrom>,
    /// Organisational domains.
    pub(super) failing_dkim: Vec<String>,
    /// Organisational domains.
    pub(super) failing_spf: Vec<String>,
}

/// Reads the results of every stream from a number on, by their own number.
pub(super) fn results(connection: &Connection, from: u64) -> Result<FxHashMap<u32, Results>, AttributeError> {
    let mut by_auth = FxHashMap::default();
    let mut statement = connection.prepare(SELECT_RESULTS)?;
    for batch in statement.query_arrow([from])? {
        read(&batch, &mut by_auth).ok_or(AttributeError::Column("auth"))?;
    }
    Ok(by_auth)
}

/// Reads one batch; `None` where a column is not what was asked for.
fn read(batch: &RecordBatch, by_auth: &mut FxHashMap<u32, Results>) -> Option<()> {
    let numbers = batch.column(0).as_any().downcast_ref::<UInt32Array>()?;
    let dkim = Lists::of(batch, 1, ["domain", "domain_org", "result", "selector"])?;
    let spf = Lists::of(batch, 2, ["domain", "domain_org", "result", "scope"])?;
    for (row, number) in numbers.values().iter().enumerate() {
        let mut results = Results::default();
        for [domain, org, result, selector] in dkim.named(row) {
            let (domain, org) = (domain?.to_owned(), org?.to_owned());
            match result {
                Some("pass") => {
                    // A selector is a DNS label: its case says nothing.
                    results.passing_dkim.push(Signature {
                        domain,
                        org,
                        selector: selector.map(str::to_ascii_lowercase),
                    });
                }
                // There was no signature to judge.
                Some("none") => {}
                _ => results.failing_dkim.push(org),
            }
        }
        for [domain, org, result, scope] in spf.named(row) {
            let (domain, org) = (domain?.to_owned(), org?.to_owned());
            match result {
                // RFC 7489 section 4.1: SPF's part in DMARC is the MAIL FROM identity, so HELO names nobody here.
                _ if scope == Some("helo") => {}
                Some("pass") => results.passing_spf.push(MailFrom { domain, org }),
                _ => results.failing_spf.push(org),
            }
        }
        by_auth.insert(*number, results);
    }
    Some(())
}

/// A column of lists of structs: some of the fields, all of them text, the first one a domain.
struct Lists<'a> {
    lists: &'a ListArray,
    fields: [&'a StringArray; 4],
}

impl<'a> Lists<'a> {
    fn of(batch: &'a RecordBatch, column: usize, names: [&str; 4]) -> Option<Self> {
        let lists = batch.column(column).as_any().downcast_ref::<ListArray>()?;
        let structs = lists.values().as_any().downcast_ref::<StructArray>()?;
        let field = |name| structs.column_by_name(name)?.as_any().downcast_ref::<StringArray>();
        let [a, b, c, d] = names.map(field);
        Some(Self { lists, fields: [a?, b?, c?, d?] })
    }

    /// Yields those of a row that name a domain.
    fn named(&self, row: usize) -> impl Iterator<Item = [Option<&'a str>; 4]> {
        let fields = self.fields;
        let text = |array: &'a StringArray, at| array.is_valid(at).then(|| array.value(at));
        let offsets = self.lists.value_offsets();
        let ends = offsets.get(row).zip(offsets.get(row + 1)).map_or((0, 0), |(start, end)| (*start, *end));
        (ends.0..ends.1)
            .filter_map(|at| usize::try_from(at).ok())
            .map(move |at| fields.map(|array| text(array, at)))
            .filter(|[domain, ..]| domain.is_some_and(|name| !name.is_empty()))
    }
}
