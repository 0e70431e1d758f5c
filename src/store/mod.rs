//! The store: one DuckDB file. One writer, readers beside each other, every batch whole or not at all.

mod batch;
mod columns;
mod create;
mod dimensions;
mod error;
mod known;
mod ledger;
mod mailbox;
mod migrate;
mod open;
mod records;
mod retry;
mod run;
mod setting;
mod sums;
mod transaction;
mod turn;
mod undo;
mod wait;
mod write;

pub use batch::{Batch, Counts, DocumentRead, Found, MailboxPosition, Outcome, ReadItem};
pub(crate) use columns::key_of;
pub use columns::{Columns, hash_key, ip_sort};
pub use error::StoreError;
pub(crate) use known::origin_of;
pub use mailbox::{MailboxMemory, PollEnd, record_polls};
pub(crate) use migrate::lay_views_over;
pub use open::{Access, Store};
pub use retry::{KeptItem, kept_item, rejected_items};
pub use run::Run;
pub use setting::{set_setting, setting};
pub use sums::{sum_records, sums_of_all_days, sums_of_records};
pub use transaction::in_transaction;
pub use turn::HOLD;
pub use wait::Wait;
pub use write::{Committed, Writer};

/// Returns whether a store's file is there.
///
/// # Errors
/// Its folder may not be looked into: that is not the same as no store.
pub fn is_there(path: &std::path::Path) -> Result<bool, StoreError> {
    path.try_exists().map_err(|error| StoreError::Unopened { path: path.to_owned(), text: error.to_string() })
}

/// Returns the folder of a file: `.` where its path names none.
fn folder_of(path: &std::path::Path) -> &std::path::Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(std::path::Path::new("."))
}
