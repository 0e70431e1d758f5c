//! Narrows a connection to one tenant: every table that holds facts is hidden behind a view of the tenant's own rows.
//!
//! Temporary views come before the store's own tables and views of the same name. So no question needs to know of
//! tenants, and none can forget to ask: what it reads is the tenant's, down to the days and domains of error messages.
//! Dimensions (names of domains, sources, senders) are read only by numbers that the tenant's rows hold; they stay.

use duckdb::Connection;

use super::QueryError;
use super::quote::{quoted, quoted_name};
use crate::config::Tenant;
use crate::store::lay_views_over;

/// The relations that hold a tenant's rows only, once a connection is narrowed.
pub const NARROWED: &[&str] = &[
    "attempts",
    "attributed",
    "daily",
    "delivery_attempt",
    "delivery_message",
    "dkim_results",
    "mailbox",
    "policy_latest",
    "record",
    "record_full",
    "record_row",
    "report",
    "spf_results",
    "stream_source",
];

/// Hides from a connection whatever is not the tenant's. `others` are the other tenants of the config.
///
/// # Errors
/// The store cannot be asked.
pub fn narrow(connection: &Connection, tenant: &Tenant, others: &[&Tenant]) -> Result<(), QueryError> {
    let store: String = connection.query_row("SELECT current_database()", [], |row| row.get(0))?;
    let store = format!("{}.main", quoted_name(&store));
    let domains = numbers(
        connection,
        "SELECT DISTINCT policy_domain_no, policy_domain FROM report WHERE policy_domain IS NOT NULL",
        tenant,
    )?;
    let senders = numbers(
        connection,
        "SELECT DISTINCT t.text_no, t.\"text\" FROM delivery_envelope e JOIN delivery_text t ON t.text_no = e.envelope_from",
        tenant,
    )?;
    let mailboxes = list(tenant.mailboxes.iter().map(|name| quoted(name)));
    let subjects = owned("coalesce(\"domain\", subject)", tenant);
    // A mail in the tenant's own mailbox may be about another tenant all the same.
    let foreign = list(
        others
            .iter()
            .flat_map(|other| other.patterns())
            .filter(|pattern| !pattern.below)
            .map(|pattern| quoted(&pattern.domain)),
    );
    let foreign = format!(
        "list_bool_or(list_transform([{foreign}]::VARCHAR[], lambda name: contains(lower(concat_ws(' ', mail_subject, mail_from, document, reason, subject_domain)), name)))"
    );
    let about = owned("subject_domain", tenant);
    let views = [
        ("report", format!("policy_domain_no IN ({domains})")),
        ("record_row", format!("policy_domain IN ({domains})")),
        ("stream_source", format!("stream IN (SELECT stream_no FROM {store}.stream WHERE policy_domain IN ({domains}))")),
        (
            "ledger",
            format!(
                "CASE WHEN account IS NULL THEN report_key IN (SELECT report_key FROM {store}.report WHERE policy_domain_no IN ({domains})) OR {about}
                 ELSE account IN ({mailboxes}) AND (report_key IN (SELECT report_key FROM {store}.report WHERE policy_domain_no IN ({domains}))
                    OR report_key IS NULL AND NOT coalesce({foreign}, false)) END"
            ),
        ),
        ("kept", "content_hash IN (SELECT content_hash FROM ledger)".to_owned()),
        ("mailbox", format!("account IN ({mailboxes})")),
        // A run is over mailboxes and files of every tenant; its counts belong to none.
        ("run", "false".to_owned()),
        ("finding", subjects),
        ("delivery_envelope", format!("envelope_from IN ({senders})")),
        ("delivery_life", format!("envelope_from IN ({senders})")),
        ("delivery_line", "message_key IN (SELECT message_key FROM delivery_envelope)".to_owned()),
        ("delivery_file", "file_no IN (SELECT \"file\" FROM delivery_line)".to_owned()),
        // Lines that nobody understood may be anybody's.
        ("delivery_unknown", "false".to_owned()),
    ];
    for (name, rows) in views {
        connection.execute_batch(&format!(
            "CREATE OR REPLACE TEMP VIEW {name} AS SELECT * FROM {store}.{name} WHERE {rows}"
        ))?;
    }
    // The store's own views are bound to its tables; the same text, bound here, reads the narrowed ones.
    lay_views_over(connection)?;
    Ok(())
}

/// The numbers of the names that a statement gives and that the tenant owns, as a list for SQL.
fn numbers(connection: &Connection, sql: &str, tenant: &Tenant) -> Result<String, QueryError> {
    let mut statement = connection.prepare(sql)?;
    let mut rows = statement.query([])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let (number, name): (u32, String) = (row.get(0)?, row.get(1)?);
        if tenant.owns(&name) {
            found.push(number.to_string());
        }
    }
    Ok(list(found.into_iter()))
}

/// The condition that a column holds a domain of the tenant.
fn owned(column: &str, tenant: &Tenant) -> String {
    let each = tenant.patterns().map(|pattern| {
        if pattern.below {
            format!("ends_with(lower({column}), {})", quoted(&format!(".{}", pattern.domain)))
        } else {
            format!("lower({column}) = {}", quoted(&pattern.domain))
        }
    });
    let each: Vec<String> = each.collect();
    if each.is_empty() { "false".to_owned() } else { format!("coalesce({}, false)", each.join(" OR ")) }
}

/// A list for `IN (…)`, which may not be empty.
fn list(items: impl Iterator<Item = String>) -> String {
    let items: Vec<String> = items.collect();
    if items.is_empty() { "NULL".to_owned() } else { items.join(", ") }
}
