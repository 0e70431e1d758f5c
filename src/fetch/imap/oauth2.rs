//! Access tokens: from a command, or from a token endpoint (RFC 6749), kept until shortly before they expire.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::error::{Fault, said};
use crate::config::{Flow, OAuth2Config};

/// A token is not used in its last minute.
const MARGIN: Duration = Duration::from_secs(60);
/// Life of a token whose issuer does not say: short.
const UNKNOWN_LIFE: Duration = Duration::from_secs(300);
/// Longest time that a token is used without asking anew.
const LONGEST_LIFE: Duration = Duration::from_secs(24 * 3600);
/// Bytes of the endpoint's answer.
const ANSWER_BYTES: u64 = 256 << 10;

/// The tokens of this process, by mailbox.
#[derive(Default)]
pub struct Tokens {
    kept: Mutex<HashMap<String, Slot>>,
}

/// The token of one mailbox. Held while a new one is asked for: a refresh token must not be spent twice at once.
type Slot = Arc<Mutex<Option<Kept>>>;

struct Kept {
    token: SecretString,
    until: Instant,
    /// A refresh token that the endpoint gave in exchange and that could not be written where the old one lies.
    refresh: Option<SecretString>,
    /// The refresh token as it was last read from its place.
    read: Option<SecretString>,
    /// It was handed out before and has been asked for again.
    reused: bool,
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tokens(…)")
    }
}

/// The endpoint's answer (RFC 6749 sections 5.1 and 5.2).
#[derive(Deserialize)]
struct Answer {
    #[serde(default, deserialize_with = "hidden")]
    access_token: Option<SecretString>,
    expires_in: Option<u64>,
    #[serde(default, deserialize_with = "hidden")]
    refresh_token: Option<SecretString>,
    error: Option<String>,
    error_description: Option<String>,
}

fn hidden<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<SecretString>, D::Error> {
    Ok(Option::<String>::deserialize(from)?.map(SecretString::from))
}

impl Tokens {
    /// Returns a token that is good for now.
    pub(super) fn token(&self, mailbox: &str, config: &OAuth2Config, limit: Duration) -> Result<SecretString, Fault> {
        if let OAuth2Config::Command(secret) = config {
            // The command keeps its own tokens; it is asked each time.
            return Ok(secret.read()?);
        }
        let slot = self.slot(mailbox);
        let mut slot = lock(&slot);
        if let Some(kept) = slot.as_mut().filter(|kept| kept.until > Instant::now()) {
            kept.reused = true;
            return Ok(kept.token.clone());
        }
        let kept = match ask(config, slot.as_ref(), limit) {
            // The newer one is not taken any more: the operator may have put another in the place of the old one, which is spent.
            Err(Fault::TokenEndpoint { text, .. })
                if text.starts_with("invalid_grant") && slot.as_ref().is_some_and(|kept| kept.is_replaced(config)) =>
            {
                ask(config, None, limit)?
            }
            asked => asked?,
        };
        let token = kept.token.clone();
        *slot = Some(kept);
        Ok(token)
    }

    /// Drops the token of a mailbox. Returns whether it was an old one, so that a new one may do better.
    pub(super) fn forget(&self, mailbox: &str) -> bool {
        let slot = self.slot(mailbox);
        let mut slot = lock(&slot);
        let Some(kept) = slot.as_mut() else { return false };
        kept.until = Instant::now();
        kept.reused
    }

    fn slot(&self, mailbox: &str) -> Slot {
        Arc::clone(lock(&self.kept).entry(mailbox.to_owned()).or_default())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Kept {
    /// Returns whether a refresh token is kept here only, and another one lies in its place than was read from there.
    fn is_replaced(&self, config: &OAuth2Config) -> bool {
        let OAuth2Config::Endpoint { flow: Flow::RefreshToken(place), .. } = config else { return false };
        let read = self.read.as_ref().map(ExposeSecret::expose_secret);
        self.refresh.is_some() && place.read().is_ok_and(|there| read != Some(there.expose_secret()))
    }
}

/// Asks for a token. `old`: what was kept of the last one.
fn ask(config: &OAuth2Config, old: Option<&Kept>, limit: Duration) -> Result<Kept, Fault> {
    let OAuth2Config::Endpoint { token_url, client_id, client_secret, scope, flow } = config else {
        return Err(Fault::Internal { text: "no token endpoint".to_owned() });
    };
    let fault = |text: String| Fault::TokenEndpoint { url: token_url.clone(), text };
    let secret = client_secret.as_ref().map(|secret| secret.read()).transpose()?;
    let mut form: Vec<(&str, &str)> = vec![("client_id", client_id)];
    if let Some(secret) = &secret {
        form.push(("client_secret", secret.expose_secret()));
    }
    if let Some(scope) = scope {
        form.push(("scope", scope));
    }
    let (newer_refresh, mut read) = old.map_or((None, None), |old| (old.refresh.clone(), old.read.clone()));
    let refresh = match (flow, &newer_refresh) {
        (Flow::ClientCredentials, _) => None,
        (Flow::RefreshToken(_), Some(newer)) => Some(newer.clone()),
        (Flow::RefreshToken(place), None) => {
            let there = place.read()?;
            read = Some(there.clone());
            Some(there)
        }
    };
    match &refresh {
        None => form.push(("grant_type", "client_credentials")),
        Some(refresh) => {
            form.push(("grant_type", "refresh_token"));
            form.push(("refresh_token", refresh.expose_secret()));
        }
    }
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .timeout_global(Some(limit))
        .http_status_as_error(false)
        // A redirect would carry the secrets elsewhere.
        .max_redirects(0)
        .build()
        .into();
    let mut response = agent
        .post(token_url)
        .header("accept", "application/json")
        .send_form(form)
        .map_err(|error| fault(said(&error.to_string())))?;
    let status = response.status().as_u16();
    let text = response
        .body_mut()
        .with_config()
        .limit(ANSWER_BYTES)
        .read_to_string()
        .map_err(|error| fault(said(&error.to_string())))?;
    // The text itself is never shown: it may hold a token.
    let answer: Answer = serde_json::from_str(&text)
        .map_err(|_| fault(format!("status {status}, and the answer is no JSON of RFC 6749")))?;
    if let Some(error) = answer.error {
        let why = answer.error_description.unwrap_or_default();
        return Err(fault(said(&format!("{error} {why}"))));
    }
    let token = answer.access_token.ok_or_else(|| fault(format!("status {status} without access_token")))?;
    let mut kept_refresh = newer_refresh;
    if let (Flow::RefreshToken(place), Some(newer)) = (flow, answer.refresh_token) {
        match place.replace(newer.expose_secret()) {
            Ok(true) => kept_refresh = None,
            Ok(false) => {
                tracing::warn!(
                    "{token_url} gave a new refresh token; {place} cannot be changed, so it is used until dmarcase ends"
                );
                kept_refresh = Some(newer);
            }
            Err(error) => {
                tracing::warn!("{token_url} gave a new refresh token that cannot be kept: {error}");
                kept_refresh = Some(newer);
            }
        }
    }
    let life = answer.expires_in.map_or(UNKNOWN_LIFE, Duration::from_secs).min(LONGEST_LIFE).saturating_sub(MARGIN);
    Ok(Kept { token, until: Instant::now() + life, refresh: kept_refresh, read, reused: false })
}
