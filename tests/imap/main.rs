//! Mailboxes over IMAP: the config, every fault of a server, what is done with mail afterwards, and a real Dovecot.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, clippy::type_complexity)]

#[path = "../support/delay_proxy.rs"]
mod delay_proxy;
#[path = "../support/dovecot.rs"]
mod dovecot;
#[path = "../support/fault_server.rs"]
mod fault_server;
#[path = "../support/imap_sink.rs"]
mod imap_sink;
#[path = "../support/schema.rs"]
mod schema;

mod after;
mod config;
mod faults;
mod fetch;
mod kill;
mod login;
mod tls;
mod watch;
mod world;
