//! The `dmarcase` program: maps the outcome of a command to an exit status.

fn main() {}
