//! Responses as a case shows them: the addresses in them with their local parts hashed, also where the store keeps them whole.

use duckdb::Connection;

use crate::evidence::fold::{BETWEEN, MAILBOX};
use crate::evidence::{Recipients, kept_recipients, unfold};

/// How the addresses inside responses are shown.
pub(super) struct Shown {
    /// Shown as the store has them.
    whole: bool,
    recipients: Option<Recipients>,
}

impl Shown {
    /// With `whole`, as the store has them; else hashed as the imports of the store hash them.
    pub(super) fn of(connection: &Connection, whole: bool) -> duckdb::Result<Self> {
        Ok(Self { whole, recipients: kept_recipients(connection)? })
    }

    /// Returns a response out of its template and what varies in it.
    pub(super) fn response(&self, template: &str, vars: Option<&str>) -> String {
        let (false, Some(vars)) = (self.whole, vars) else { return unfold(template, vars) };
        let kinds = template.chars().filter(|letter| ('\u{1}'..='\u{5}').contains(letter));
        let shown: Vec<String> = vars
            .split(char::from(BETWEEN))
            .zip(kinds)
            .map(|(part, kind)| if kind == char::from(MAILBOX) { self.address(part) } else { part.to_owned() })
            .collect();
        unfold(template, Some(&shown.join("\u{1f}")))
    }

    fn address(&self, address: &str) -> String {
        let Some((local, domain)) = address.rsplit_once('@') else { return address.to_owned() };
        if local.len() == 16 && local.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
            return address.to_owned();
        }
        match &self.recipients {
            Some(recipients) => format!("{:016x}@{domain}", recipients.number(local.as_bytes(), domain.as_bytes())),
            None => format!("…@{domain}"),
        }
    }
}
