//! Alerts as a mail.

use std::fmt::Write;
use std::time::Duration;

use lettre::message::Mailbox;
use lettre::transport::smtp::authentication::Credentials;
use lettre::{Message, SmtpTransport, Transport};
use secrecy::ExposeSecret;

use super::{AlertError, Payload};
use crate::config::{AlertMail, MailTls};
use crate::words::plain;

/// Time for each step with the server.
const STEP_TIME: Duration = Duration::from_secs(20);

pub(super) fn send(config: &AlertMail, payload: &Payload<'_>) -> Result<(), AlertError> {
    let failed = |text: String| AlertError::Mail { host: config.host.clone(), text };
    let address = |text: &str| text.parse::<Mailbox>().map_err(|error| failed(format!("`{text}`: {error}")));
    let mut message = Message::builder().from(address(&config.from)?).subject(subject(payload));
    for to in &config.to {
        message = message.to(address(to)?);
    }
    let message = message.body(text(payload)).map_err(|error| failed(error.to_string()))?;
    let server = match config.tls {
        MailTls::Implicit => SmtpTransport::relay(&config.host),
        MailTls::Starttls => SmtpTransport::starttls_relay(&config.host),
        MailTls::None => Ok(SmtpTransport::builder_dangerous(&config.host)),
    };
    let mut server = server.map_err(|error| failed(error.to_string()))?.timeout(Some(STEP_TIME));
    if let Some(port) = config.port {
        server = server.port(port);
    }
    if let (Some(user), Some(password)) = (&config.user, &config.password) {
        let password = password.read()?.expose_secret().to_owned();
        server = server.credentials(Credentials::new(user.clone(), password));
    }
    server.build().send(&message).map(|_| ()).map_err(|error| failed(error.to_string()))
}

fn subject(payload: &Payload<'_>) -> String {
    match payload.alerts {
        [one] => format!("dmarcase: {} {}", one.domain, one.kind.word()),
        more => format!("dmarcase: {} changes", more.len()),
    }
}

fn text(payload: &Payload<'_>) -> String {
    let mut text = String::new();
    for one in payload.alerts {
        // Names of senders come from reports, so from strangers.
        let _ = writeln!(text, "{} {}: {}", one.day, plain(&one.domain), plain(&one.text));
    }
    let _ = write!(text, "\nWhat came before: dmarcase trend --as-of {}\n", payload.as_of);
    text
}
