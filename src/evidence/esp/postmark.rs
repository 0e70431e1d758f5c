//! Postmark webhooks. Postmark has no event for each retry: of a deferral it tells where it reports the message as `Transient`.

use serde_json::Value;

use super::{Event, Outcome, Status, diagnostic, first, text, time, to};

/// Reads one webhook.
pub(crate) fn read(value: &Value) -> Outcome {
    let kind = text(value, "/RecordType");
    let (status, when) = match kind.as_str() {
        "Delivery" => (Status::Delivered, "/DeliveredAt"),
        "Bounce" => (bounce(&text(value, "/Type")), "/BouncedAt"),
        "SpamComplaint" => return Outcome::Complaint,
        "Open" | "Click" | "SubscriptionChange" | "Inbound" | "SMTPApiError" => return Outcome::Ignored,
        "" => return Outcome::Unknown("object without RecordType".to_owned()),
        other => return Outcome::Unknown(format!("RecordType {other}")),
    };
    let Some(at) = time(value, when) else { return Outcome::Unknown(format!("{kind} without a readable time")) };
    Outcome::Event(Box::new(Event {
        id: text(value, "/MessageID"),
        at,
        recipients: to(first(value, &["/Recipient", "/Email"])),
        status: Some(status),
        response: diagnostic(first(value, &["/Details", "/Description"])),
        campaign: text(value, "/Tag"),
        sender: Some(text(value, "/From")).filter(|from| !from.is_empty()),
        event_id: text(value, "/ID"),
        ..Event::default()
    }))
}

/// Bounce types of the webhook: only two of them say that the message still waits.
fn bounce(kind: &str) -> Status {
    match kind {
        "Transient" | "DnsError" => Status::Deferred,
        "ManuallyDeactivated" | "ManualSuppression" | "Unsubscribe" | "Unconfirmed" => Status::Dropped,
        _ => Status::Bounced,
    }
}
