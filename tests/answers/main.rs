//! Senders, gaps, trend and simulate, as the program answers them, on planted reports and on the sample story.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, unreachable_pub)]

mod gaps;
mod plant;
mod rates;
mod sample;
mod simulate;
mod trend;

#[path = "../support/schema.rs"]
mod schema;
#[path = "../story/mod.rs"]
mod story;
