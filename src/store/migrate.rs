//! Brings a store's schema up to date: numbered migrations, each once, and the views whenever they change.

use std::path::Path;

use duckdb::Connection;

use super::StoreError;
use super::transaction::within;

/// Every migration, in order. A released one is never edited.
const MIGRATIONS: &[(&str, &str)] = &[
    ("base", include_str!("../../schemas/store/0001_base.sql")),
    ("delivery", include_str!("../../schemas/store/0002_delivery.sql")),
    ("findings", include_str!("../../schemas/store/0003_findings.sql")),
    ("stream", include_str!("../../schemas/store/0004_stream.sql")),
    ("record_row", include_str!("../../schemas/store/0005_record_row.sql")),
    ("kept_part", include_str!("../../schemas/store/0006_kept_part.sql")),
];

/// The views, re-created when this text changes.
const VIEWS: &str = concat!(
    include_str!("../../schemas/store/views.sql"),
    "\n",
    include_str!("../../schemas/store/views_delivery.sql")
);

/// Makes the views and macros of this version on a connection that cannot write them, where they hide the store's until it is
/// closed. Bound anew, they read what other temporary views hide.
///
/// # Errors
/// The engine cannot make them.
pub(crate) fn lay_views_over(connection: &Connection) -> duckdb::Result<()> {
    const MAKE: &str = "CREATE OR REPLACE ";
    for statement in VIEWS.split(";\n").filter_map(|text| text.find(MAKE).and_then(|at| text.get(at..))) {
        connection.execute_batch(&statement.replacen(MAKE, "CREATE OR REPLACE TEMP ", 1))?;
    }
    Ok(())
}

/// The table that says which migrations a store has been through.
const MIGRATION_TABLE: &str = "
    CREATE TABLE migration (number UINTEGER NOT NULL, name VARCHAR NOT NULL, applied_at TIMESTAMPTZ NOT NULL);
    COMMENT ON TABLE migration IS 'The schema changes that this store has been through.';
    COMMENT ON COLUMN migration.number IS 'Number of the change, from 1.';
    COMMENT ON COLUMN migration.name IS 'Its name.';
    COMMENT ON COLUMN migration.applied_at IS 'When it was applied.';";

/// The newest schema version that this program knows.
fn known() -> u32 {
    u32::try_from(MIGRATIONS.len()).unwrap_or(u32::MAX)
}

/// Checks that a reader understands the store.
pub(super) fn check(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    let found = match version(connection) {
        Ok(found) => found,
        Err(_) if is_empty(connection)? => return Err(StoreError::Absent { path: path.to_owned() }),
        Err(_) => return Err(foreign(path)),
    };
    match found.cmp(&known()) {
        // Another version wrote it last: this one's questions need its own views.
        std::cmp::Ordering::Equal if fingerprint(connection).as_deref() != Some(views_hash().as_str()) => {
            lay_views_over(connection).map_err(StoreError::query("making the views"))
        }
        std::cmp::Ordering::Equal => Ok(()),
        std::cmp::Ordering::Greater => Err(StoreError::Newer { path: path.to_owned(), found, known: known() }),
        std::cmp::Ordering::Less => Err(StoreError::Older { path: path.to_owned(), found, known: known() }),
    }
}

/// Applies the migrations that the store lacks, and refreshes the views. One transaction makes a store; one that holds rows gets a
/// transaction for each migration, and a later attempt goes on where this one ends.
pub(super) fn upgrade(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    let found = match version(connection) {
        Ok(found) => found,
        Err(_) if is_empty(connection)? => 0,
        Err(_) => return Err(foreign(path)),
    };
    if found > known() {
        return Err(StoreError::Newer { path: path.to_owned(), found, known: known() });
    }
    let views = views_hash();
    if found == known() && fingerprint(connection).as_deref() == Some(views.as_str()) {
        return Ok(());
    }
    let failed = |error| StoreError::query("upgrading the store")(error);
    let threads = |setting| if found > 0 { connection.execute_batch(setting).map_err(failed) } else { Ok(()) };
    // Each thread takes memory that it cannot put aside: on a machine of many cores they would not fit beside each other.
    threads("SET threads = 2")?;
    within(connection, failed, || apply(connection, found, &views), || connection.execute_batch("COMMIT"))?;
    threads("RESET threads")
}

fn apply(connection: &Connection, found: u32, views: &str) -> Result<(), StoreError> {
    if found == 0 {
        connection.execute_batch(MIGRATION_TABLE).map_err(StoreError::query("making the store"))?;
    }
    // The engine alters no table twice in a transaction that has changed its rows between.
    for (number, (name, sql)) in (1u32..).zip(MIGRATIONS).skip(found as usize) {
        connection.execute_batch(sql).map_err(StoreError::query("applying a migration"))?;
        connection
            .execute("INSERT INTO migration VALUES (?, ?, current_timestamp)", duckdb::params![number, name])
            .and_then(|_| if found > 0 { connection.execute_batch("COMMIT; BEGIN") } else { Ok(()) })
            .map_err(StoreError::query("applying a migration"))?;
    }
    connection
        .execute_batch(VIEWS)
        .and_then(|()| connection.execute("DELETE FROM setting WHERE name = 'views'", []))
        .and_then(|_| connection.execute("INSERT INTO setting VALUES ('views', ?)", [views]))
        .map_err(StoreError::query("making the views"))?;
    Ok(())
}

fn is_empty(connection: &Connection) -> Result<bool, StoreError> {
    connection
        .query_row("SELECT count(*) = 0 FROM duckdb_tables() WHERE NOT temporary", [], |row| row.get(0))
        .map_err(StoreError::query("looking at the schema"))
}

fn version(connection: &Connection) -> duckdb::Result<u32> {
    connection.query_row("SELECT coalesce(max(number), 0) FROM migration", [], |row| row.get(0))
}

fn fingerprint(connection: &Connection) -> Option<String> {
    connection.query_row("SELECT \"value\" FROM setting WHERE name = 'views'", [], |row| row.get(0)).ok()
}

/// Names the text of the views.
fn views_hash() -> String {
    blake3::hash(VIEWS.as_bytes()).to_hex().to_string()
}

fn foreign(path: &Path) -> StoreError {
    StoreError::Foreign { path: path.to_owned(), text: "it holds other tables; name another file with --db".to_owned() }
}
