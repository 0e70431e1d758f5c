//! Judges all evidence of a store again, after the table of gateways changed: responses, routes, and the lives on them.

use duckdb::Connection;
use duckdb::arrow::array::UInt32Array;

use super::tables::{self, Routes};
use super::{MEMORY, lives};
use crate::evidence::gateway::Gateways;
use crate::store::{Columns, Store, StoreError, in_transaction, set_setting, setting};

/// The setting that says which table of gateways the evidence was judged by.
const JUDGED: &str = "delivery gateways";

/// Says whether the evidence of a store was judged by a table.
///
/// # Errors
/// The store cannot be asked.
pub fn is_judged(store: &Store, gateways: &Gateways) -> Result<bool, StoreError> {
    // Without evidence there is nothing to judge, and a reader need not write.
    let doing = "looking for delivery evidence";
    Ok(says(store, gateways)?
        || tables::count(store.connection(), "delivery_line").map_err(StoreError::query(doing))? == 0)
}

/// Says whether the store remembers a table as the one that its evidence was judged by.
pub(super) fn says(store: &Store, gateways: &Gateways) -> Result<bool, StoreError> {
    let read = setting(store.connection(), JUDGED).map_err(StoreError::query("reading a setting"))?;
    Ok(read.as_deref() == Some(gateways.digest()))
}

/// Judges all evidence by a table. All or nothing.
///
/// # Errors
/// The store cannot be written.
pub fn judge(store: &Store, gateways: &Gateways) -> Result<(), StoreError> {
    let connection = store.connection();
    let work = || {
        all(connection, gateways)?;
        set_setting(connection, JUDGED, gateways.digest())
    };
    connection
        .execute_batch(MEMORY)
        .and_then(|()| in_transaction(store, work))
        .map_err(StoreError::query("judging the evidence by the gateways"))
}

fn all(connection: &Connection, gateways: &Gateways) -> duckdb::Result<()> {
    if tables::count(connection, "delivery_line")? == 0 {
        return Ok(());
    }
    tables::judge_again(connection, gateways)?;
    reroute(connection, gateways)?;
    connection.execute_batch(
        "DELETE FROM delivery_vote;
         INSERT INTO delivery_vote SELECT l.route, r.gateway, count(*) FROM delivery_line l
            JOIN delivery_response r ON r.response_no = l.response
            WHERE r.gateway IS NOT NULL AND l.\"file\" IS NOT NULL GROUP BY ALL",
    )?;
    Routes::load(connection)?.settle(connection)?;
    lives::again_for_all(connection)
}

/// Gives each line the route that its host has by the table now.
fn reroute(connection: &Connection, gateways: &Gateways) -> duckdb::Result<()> {
    let mut statement = connection.prepare(
        "SELECT t.text_no, t.\"text\" FROM delivery_text t
         WHERE t.text_no IN (SELECT DISTINCT relay FROM delivery_line WHERE NOT internal AND relay IS NOT NULL)",
    )?;
    let hosts = statement.query_map([], |row| Ok((row.get::<_, u32>(0)?, row.get::<_, String>(1)?)))?;
    let hosts = hosts.collect::<Result<Vec<_>, _>>()?;
    connection.execute_batch("CREATE OR REPLACE TEMP TABLE delivery_relay (relay UINTEGER, gateway VARCHAR)")?;
    let mut columns = Columns::new();
    columns
        .push("relay", UInt32Array::from_iter_values(hosts.iter().map(|(number, _)| *number)))
        .text("gateway", hosts.iter().map(|(_, host)| gateways.of_host(host)));
    columns.append(connection, "delivery_relay")?;
    // Route numbers go on without gaps: they are places in a list. A route that no line is left on says nothing any more.
    connection.execute_batch(
        "CREATE OR REPLACE TEMP TABLE delivery_wanted AS
            SELECT DISTINCT l.recipient_domain, l.relay, l.internal, l.route AS old, g.gateway FROM delivery_line l
            LEFT JOIN delivery_relay g ON g.relay = l.relay AND NOT l.internal;
         INSERT INTO delivery_route
            SELECT (SELECT count(*) FROM delivery_route) + row_number() OVER (ORDER BY recipient_domain, gateway) - 1, recipient_domain,
                gateway, coalesce(gateway, 'unknown')
            FROM (SELECT recipient_domain, gateway FROM delivery_wanted EXCEPT SELECT recipient_domain, relay_gateway FROM delivery_route);
         UPDATE delivery_line AS l SET route = r.route_no FROM delivery_wanted w
            JOIN (SELECT recipient_domain, relay_gateway, min(route_no) AS route_no FROM delivery_route GROUP BY ALL) r
            ON r.recipient_domain = w.recipient_domain AND r.relay_gateway IS NOT DISTINCT FROM w.gateway
            WHERE w.old <> r.route_no AND l.route = w.old AND l.internal = w.internal AND l.relay IS NOT DISTINCT FROM w.relay;
         UPDATE delivery_route SET relay_gateway = NULL, gateway = 'unknown'
            WHERE route_no NOT IN (SELECT DISTINCT route FROM delivery_line);
         DROP TABLE delivery_wanted; DROP TABLE delivery_relay",
    )
}
