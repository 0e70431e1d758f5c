//! The writer of the store: numbers go on from batch to batch and from transaction to transaction, and what one batch brought the
//! next one knows.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::Path;
use std::time::Duration;

use dmarcase::fetch::{Content, Item, Origin};
use dmarcase::pipeline::ItemReader;
use dmarcase::store::{
    Access, Batch, Outcome, Store, StoreError, Writer, in_transaction, kept_item, rejected_items, set_setting,
};
use dmarcase::unpack::Limits;

const WAIT: Duration = Duration::from_secs(10);

/// A report of one record, as a file of its own.
fn item(path: &str, id: &str, messages: u32) -> Item {
    let text = format!(
        "<?xml version=\"1.0\"?><feedback><report_metadata><org_name>Receiver</org_name><email>d@receiver.example</email>\
         <report_id>{id}</report_id><date_range><begin>1709251200</begin><end>1709337599</end></date_range></report_metadata>\
         <policy_published><domain>shop.example</domain><p>none</p></policy_published>\
         <record><row><source_ip>192.0.2.{messages}</source_ip><count>{messages}</count><policy_evaluated>\
         <disposition>none</disposition><dkim>pass</dkim><spf>fail</spf></policy_evaluated></row>\
         <identifiers><header_from>{id}.shop.example</header_from></identifiers><auth_results><spf><domain>{id}.example</domain>\
         <result>fail</result></spf></auth_results></record></feedback>"
    );
    let origin = Origin::File { path: path.to_owned(), member: None };
    Item { origin, content: Content::Bytes(text.into_bytes()), received_at: None }
}

fn batch(items: Vec<Item>) -> Batch {
    let mut reader = ItemReader::new(&Limits::default());
    Batch { items: items.into_iter().map(|item| reader.read(item)).collect(), positions: Vec::new() }
}

fn number(path: &Path, statement: &str) -> u64 {
    let store = Store::open(path, Access::Read, WAIT).unwrap();
    store.connection().query_row(statement, [], |row| row.get(0)).unwrap()
}

#[test]
fn rejected_bytes_of_any_size_are_kept_and_given_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.duckdb");
    // Bytes that gzip makes no smaller, behind what begins a report: 120 MB, more than the engine may have in memory.
    let noise = |seed: u64| {
        let mut bytes = b"<feedback><report_metadata>".to_vec();
        bytes.resize(10_000_000, 0);
        blake3::Hasher::new().update(&seed.to_le_bytes()).finalize_xof().fill(&mut bytes[27..]);
        bytes
    };
    let bytes: Vec<Vec<u8>> = (1..=12).map(noise).collect();
    for run in bytes.chunks(6) {
        let mut writer = Writer::begin(&path, WAIT, "import").unwrap();
        let items = run.iter().map(|bytes| {
            let origin = Origin::File { path: format!("{}.xml", blake3::hash(bytes)), member: None };
            Item { origin, content: Content::Bytes(bytes.clone()), received_at: None }
        });
        writer.append(&batch(items.collect())).unwrap();
        assert!(writer.commit(true).unwrap().iter().all(|told| told.outcome == Outcome::Rejected));
        drop(writer.end(None).unwrap());
    }
    let store = Store::open(&path, Access::Read, WAIT).unwrap();
    let kept = rejected_items(store.connection()).unwrap();
    assert_eq!(kept.len(), 12);
    for item in kept {
        let given = kept_item(store.connection(), &item.content_hash).unwrap().unwrap();
        assert!(bytes.contains(&given), "{}", item.origin);
    }
}

#[test]
fn numbers_and_knowledge_go_on_from_batch_to_batch() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.duckdb");
    let mut writer = Writer::begin(&path, WAIT, "import").unwrap();
    let outcomes = |told: Vec<dmarcase::store::Committed>| told.iter().map(|one| one.outcome).collect::<Vec<_>>();
    // Three batches of one transaction: what the first brought, the second knows.
    writer.append(&batch(vec![item("a", "a", 1), item("b", "b", 2)])).unwrap();
    writer.append(&batch(vec![item("a-again", "a", 1), item("b-other", "b", 3), item("c", "c", 4)])).unwrap();
    writer.append(&batch(vec![item("a", "a", 1), item("d", "d", 5)])).unwrap();
    let told = outcomes(writer.commit(false).unwrap());
    use Outcome::{Conflict, Duplicate, Stored};
    assert_eq!(told, [Stored, Stored, Duplicate, Conflict, Stored, Duplicate, Stored]);
    // And another transaction.
    writer.append(&batch(vec![item("e", "e", 6), item("c-again", "c", 4)])).unwrap();
    assert_eq!(outcomes(writer.commit(true).unwrap()), [Stored, Duplicate]);
    drop(writer.end(None).unwrap());

    assert_eq!(number(&path, "SELECT count(*) FROM report"), 5);
    // Without a gap, and none twice.
    for (table, key, rows) in [("report", "report_no", 5), ("ledger", "entry_no", 8), ("source", "source_no + 1", 5)] {
        let statement = format!("SELECT count(DISTINCT {key}) FROM {table}");
        assert_eq!(number(&path, &statement), rows, "{table}");
        assert_eq!(number(&path, &format!("SELECT max({key})::UBIGINT FROM {table}")), rows, "{table}");
    }
    assert_eq!(
        number(
            &path,
            "SELECT count(*) FROM record JOIN source ON source_no = source WHERE source_ip = '192.0.2.' || messages"
        ),
        5
    );
    assert_eq!(number(&path, "SELECT count(*) FROM record SEMI JOIN report USING (report_no)"), 5);
}

#[test]
fn what_was_not_committed_is_not_there() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.duckdb");
    let mut writer = Writer::begin(&path, WAIT, "import").unwrap();
    writer.append(&batch(vec![item("a", "a", 1)])).unwrap();
    writer.commit(false).unwrap();
    writer.append(&batch(vec![item("b", "b", 2)])).unwrap();
    drop(writer);
    assert_eq!(number(&path, "SELECT count(*) FROM report"), 1);
    // The numbers of what was given up are used again.
    let mut writer = Writer::begin(&path, WAIT, "import").unwrap();
    writer.append(&batch(vec![item("b", "b", 2), item("a-again", "a", 1)])).unwrap();
    writer.commit(true).unwrap();
    drop(writer.end(None).unwrap());
    assert_eq!(number(&path, "SELECT max(report_no)::UBIGINT FROM report"), 2);
    assert_eq!(number(&path, "SELECT count(DISTINCT entry_no) FROM ledger"), 3);
}

/// What processes left that were killed while they made the store, or while they had put something aside, goes when the next one
/// writes; what others have there stays.
#[test]
fn what_killed_processes_left_is_removed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.duckdb");
    for name in ["store.duckdb.77-1700000000.new", "store.duckdb.mine.new", "other.duckdb.77-1.new"] {
        std::fs::write(folder.path().join(name), "x").unwrap();
    }
    drop(Store::open(&path, Access::Write, WAIT).unwrap());
    let aside = folder.path().join("store.duckdb.tmp");
    std::fs::create_dir(&aside).unwrap();
    std::fs::write(aside.join("duckdb_temp_storage_DEFAULT-0.tmp"), "x").unwrap();
    drop(Store::open(&path, Access::Read, WAIT).unwrap());
    assert!(aside.exists(), "a reader is not alone");
    drop(Store::open(&path, Access::Write, WAIT).unwrap());
    let mut names: Vec<String> = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["other.duckdb.77-1.new", "store.duckdb", "store.duckdb.mine.new"]);
}

/// A place that cannot be looked into is not the same as no store.
#[test]
fn a_place_that_cannot_be_looked_into_is_told() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("file"), "x").unwrap();
    for access in [Access::Read, Access::Write] {
        let told = Store::open(&folder.path().join("file/store.duckdb"), access, WAIT).unwrap_err().to_string();
        assert!(told.starts_with("cannot open the store") && told.contains("Not a directory"), "{told}");
    }
}

/// A store that is removed, or replaced by a backup of itself, while a run is at work on it: the numbers that the run knows mean
/// other texts there, so that nothing more is written, and no empty store is made in its place.
#[test]
fn a_store_that_is_replaced_in_the_middle_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.duckdb");
    let backup = folder.path().join("backup.duckdb");
    for replaced in [false, true] {
        let mut writer = Writer::begin(&path, WAIT, "import").unwrap();
        writer.append(&batch(vec![item("a", "a", 1)])).unwrap();
        writer.commit(false).unwrap();
        std::fs::copy(&path, &backup).unwrap();
        writer.append(&batch(vec![item("b", "b", 2)])).unwrap();
        writer.commit(false).unwrap();
        std::fs::rename(&path, folder.path().join("aside.duckdb")).unwrap();
        if replaced {
            std::fs::rename(&backup, &path).unwrap();
        }
        let told = writer.append(&batch(vec![item("c", "c", 3)])).unwrap_err();
        assert!(
            matches!(told, StoreError::Replaced { .. }) && told.to_string().contains("removed or replaced"),
            "{told}"
        );
        assert!(writer.end(None).is_err());
        assert_eq!(path.exists(), replaced);
        if replaced {
            assert_eq!(number(&path, "SELECT count(*) FROM report"), 1);
            assert_eq!(number(&path, "SELECT max(items)::UBIGINT FROM run"), 1);
        }
        std::fs::remove_file(&path).ok();
    }
}

/// The same while the store is held open: the engine goes on writing into a file that nobody finds any more. The commit is no commit
/// then, so that no mail is moved or deleted for it.
#[test]
fn a_commit_into_a_file_that_was_taken_away_is_none() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.duckdb");
    for last in [false, true] {
        let mut writer = Writer::begin(&path, WAIT, "fetch").unwrap();
        writer.append(&batch(vec![item("a", "a", 1)])).unwrap();
        std::fs::rename(&path, folder.path().join("aside.duckdb")).unwrap();
        let told = writer.commit(last).unwrap_err();
        assert!(matches!(told, StoreError::Replaced { .. }), "{told}");
        assert!(writer.end(None).is_err());
        assert!(!path.exists(), "nor is another made");
    }
}

/// Many items with the same bytes: each has its row, and a second look adds none.
#[test]
fn items_with_the_same_bytes_have_a_row_each() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.duckdb");
    for _ in 0..2 {
        let mut writer = Writer::begin(&path, WAIT, "import").unwrap();
        for half in [0..1000, 1000..2000] {
            let items = half.map(|n| Item {
                origin: Origin::File { path: format!("{n}.eml"), member: None },
                content: Content::Bytes(b"Subject: the same\n\nhello\n".to_vec()),
                received_at: None,
            });
            writer.append(&batch(items.collect())).unwrap();
        }
        writer.commit(true).unwrap();
        drop(writer.end(None).unwrap());
        assert_eq!(number(&path, "SELECT count(*) FROM ledger"), 2000);
        assert_eq!(number(&path, "SELECT count(DISTINCT path) FROM ledger"), 2000);
    }
}

/// The engine answers COMMIT in a transaction in which a statement failed with success, and keeps nothing of it.
#[test]
fn a_transaction_in_which_a_statement_failed_is_not_called_committed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.duckdb");
    let store = Store::open(&path, Access::Write, WAIT).unwrap();
    let done = in_transaction(&store, || {
        set_setting(store.connection(), "kept", "no")?;
        assert!(store.connection().execute_batch("SELECT error('swallowed')").is_err());
        Ok::<(), duckdb::Error>(())
    });
    assert!(done.is_err());
    in_transaction(&store, || set_setting(store.connection(), "kept", "yes")).unwrap();
    drop(store);
    assert_eq!(number(&path, "SELECT count(*) FROM setting WHERE name = 'kept' AND \"value\" = 'yes'"), 1);
}

/// Some of the engine's functions fail on such a name, in the middle of a commit.
#[cfg(unix)]
#[test]
fn a_store_whose_name_is_not_utf8_is_refused() {
    use std::os::unix::ffi::OsStrExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(std::ffi::OsStr::from_bytes(b"q\xe9.duckdb"));
    let told = Writer::begin(&path, WAIT, "import").unwrap_err().to_string();
    assert!(told.contains("not UTF-8") && told.contains("--db"), "{told}");
    assert!(!path.exists());
}
