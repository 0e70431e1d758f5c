//! Alerts as a signed POST.

use std::time::Duration;

use backon::{BlockingRetryable, ExponentialBuilder};
use hmac::{Hmac, KeyInit, Mac};
use secrecy::ExposeSecret;
use sha2::Sha256;

use super::{AlertError, Payload};
use crate::config::Webhook;

/// Tries in all.
const TRIES: usize = 4;
/// Time for one try.
const TRY_TIME: Duration = Duration::from_secs(15);

/// Returns the value of `X-Dmarcase-Signature`: HMAC-SHA256 (RFC 2104) of the body, in hex, behind `sha256=`.
pub fn signature(secret: &[u8], body: &[u8]) -> String {
    // HMAC takes a key of any length; the error is for other algorithms.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret) else { return String::new() };
    mac.update(body);
    let hex: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256={hex}")
}

/// Returns scheme and host: a token may stand in the path, the query or before the host, and does not belong into a message.
fn place(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("https", url));
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    format!("{scheme}://{host}")
}

pub(super) fn post(config: &Webhook, payload: &Payload<'_>) -> Result<(), AlertError> {
    let url = place(&config.url);
    let failed = |tries, text| AlertError::Webhook { url: url.clone(), tries, text };
    let body = serde_json::to_vec(payload).map_err(|error| failed(0, error.to_string()))?;
    let signed = match &config.secret {
        Some(secret) => Some(signature(secret.read()?.expose_secret().as_bytes(), &body)),
        None => None,
    };
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .timeout_global(Some(TRY_TIME))
        // A redirected POST becomes a GET, which tells nobody anything.
        .max_redirects(0)
        .build()
        .into();
    let attempt = || {
        let mut request = agent.post(&config.url).header("Content-Type", "application/json");
        if let Some(signed) = &signed {
            request = request.header("X-Dmarcase-Signature", signed);
        }
        let status = request.send(body.as_slice())?.status();
        if status.is_success() { Ok(()) } else { Err(ureq::Error::StatusCode(status.as_u16())) }
    };
    let policy = ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(200))
        .with_max_delay(Duration::from_secs(5))
        .with_max_times(TRIES - 1)
        .with_jitter();
    let worth = |error: &ureq::Error| match error {
        // RFC 9110: the server is busy or broken; any other 4xx says the same next time.
        ureq::Error::StatusCode(code) => *code >= 500 || matches!(code, 408 | 425 | 429),
        _ => true,
    };
    attempt.retry(policy).when(worth).call().map_err(|error| {
        let tries = if worth(&error) { TRIES } else { 1 };
        failed(tries, error.to_string())
    })
}
