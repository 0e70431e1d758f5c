//! `[gaps]`: thresholds of the gaps that an operator may set.

use serde::Deserialize;

/// `[gaps]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GapsConfig {
    /// Pass rate of approved senders below which G22 fires, a fraction.
    pub approved_pass_rate: f64,
}

impl Default for GapsConfig {
    fn default() -> Self {
        Self { approved_pass_rate: 0.98 }
    }
}
