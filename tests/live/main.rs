//! What asks the network: DNS against a real name server on loopback, alerts against a real web and mail server.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, unreachable_pub)]

mod alerts;
mod case;
mod check;
mod enrich;
mod lookups;
mod mmdb;
mod records;
mod spf;

#[path = "../support/name_server.rs"]
mod name_server;
#[path = "../support/schema.rs"]
mod schema;
// Shared with the tests of answers, which use more of it.
#[allow(dead_code)]
#[path = "../answers/plant.rs"]
mod plant;
