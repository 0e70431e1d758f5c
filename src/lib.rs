//! `dmarcase`: DMARC aggregate reports, from the mailbox to the evidence file of an escalation.
//!
//! The way of one report through the modules, in one direction only:
//!
//! 1. [`fetch`] yields items: mails and bare files, from folders, mboxes or IMAP.
//! 2. [`unpack`] opens a mail, its attachments and their containers, within limits, down to documents.
//! 3. [`parse`] reads one document into a [`parse::Report`], with warnings.
//! 4. `store` keeps reports, records and the ledger in one DuckDB file, exactly once.
//! 5. `senders` says who is behind each source; `query` answers questions over the store's views.
//! 6. [`evidence`] reads delivery logs; [`case`] joins them with the reports into an evidence file.
//! 7. [`dns`] asks name servers: [`check`] judges a domain by them, [`enrich`] names sources.
//! 8. `print` shows an answer as a table, JSON, CSV or Markdown; [`words`] has the numbers in words that evidence needs too.
//!
//! `pipeline` joins the first four; `commands` has one thin file per command.

pub mod alert;
pub mod case;
pub mod check;
pub mod cli;
pub mod commands;
pub mod config;
pub mod dns;
pub mod enrich;
pub mod evidence;
pub mod fetch;
pub mod inspect;
pub mod log;
pub mod parse;
pub mod pipeline;
pub mod print;
pub mod query;
mod replace;
pub mod senders;
pub mod severity;
pub mod store;
pub mod unpack;
pub mod words;
