//! Mailgun: webhooks (`{signature, "event-data"}`), pages of the events API (`{items: […]}`), or bare events.

use serde_json::Value;

use super::{Event, Outcome, Status, first, one_of, small, smtp_code, text, time, to};

/// Reads one object.
pub(crate) fn read(value: &Value, out: &mut Vec<Outcome>) {
    if let Some(Value::Array(items)) = value.get("items") {
        out.extend(items.iter().map(event));
    } else {
        out.push(event(value.get("event-data").unwrap_or(value)));
    }
}

fn event(value: &Value) -> Outcome {
    let kind = text(value, "/event");
    let reason = text(value, "/reason");
    let status = match kind.as_str() {
        "delivered" => Status::Delivered,
        // `old`: given up after the retries, whatever severity says.
        "failed" if reason == "old" => Status::Expired,
        "failed" if reason.starts_with("suppress-") => Status::Dropped,
        "failed" if text(value, "/severity") == "temporary" => Status::Deferred,
        "failed" => Status::Bounced,
        "rejected" => Status::Dropped,
        "complained" => return Outcome::Complaint,
        "accepted" | "opened" | "clicked" | "unsubscribed" | "stored" | "list_member_uploaded" => {
            return Outcome::Ignored;
        }
        "" => return Outcome::Unknown("object without event".to_owned()),
        other => return Outcome::Unknown(format!("event {other}")),
    };
    let Some(at) = time(value, "/timestamp") else {
        return Outcome::Unknown("event without a readable timestamp".to_owned());
    };
    let message_id = text(value, "/message/headers/message-id");
    Outcome::Event(Box::new(Event {
        id: String::new(),
        message_id: Some(message_id),
        at,
        recipients: to(text(value, "/recipient")),
        status: Some(status),
        response: first(value, &["/delivery-status/message", "/delivery-status/description"]),
        code: smtp_code(value, "/delivery-status/code"),
        enhanced: text(value, "/delivery-status/enhanced-code"),
        relay: text(value, "/delivery-status/mx-host"),
        source: text(value, "/envelope/sending-ip"),
        campaign: Some(one_of(value, "/tags"))
            .filter(|tag| !tag.is_empty())
            .unwrap_or_else(|| text(value, "/campaigns/0/name")),
        sender: Some(text(value, "/envelope/sender")).filter(|sender| !sender.is_empty()),
        retry_no: small(value, "/delivery-status/attempt-no"),
        event_id: text(value, "/id"),
    }))
}
