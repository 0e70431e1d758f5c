//! `[[gateway]]`: filtering services that the bundled table does not know, or knows otherwise.

use serde::Deserialize;

/// One gateway. It comes before the bundled ones: where both claim a host or a response, it wins.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GatewayRule {
    /// Its id, as `--gateway` takes it; that of a bundled one adds to that one.
    pub id: String,
    /// Its name for people; without it, the id.
    #[serde(default)]
    pub name: String,
    /// MX and relay hosts: these names and every name under them.
    #[serde(default)]
    pub hosts: Vec<String>,
    /// Responses that nobody else gives, whatever host gives them: regular expressions, in any case of letters.
    #[serde(default)]
    pub words: Vec<String>,
    /// Responses that are its reputation answer: regular expressions, in any case of letters.
    #[serde(default)]
    pub reputation: Vec<String>,
}
