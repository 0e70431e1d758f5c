//! The program as its users run it: whole commands on real files, against figures worked out by hand or planted.

#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../support/schema.rs"]
mod schema;
#[path = "../story/mod.rs"]
mod story;

mod approve;
mod corpus;
mod export;
mod faults;
mod kill;
mod large;
mod ledger;
mod lock;
mod samples;
mod schemas;
mod sql;
mod support;
mod tenant;
mod year;
