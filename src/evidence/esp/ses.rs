//! Amazon SES: event publishing and feedback notifications, bare, in an SNS envelope, an EventBridge event or a list of
//! records.

use serde_json::Value;

use super::{Answer, Event, Outcome, Status, To, diagnostic, first, one_of, text, time};

/// Envelopes inside envelopes that are opened.
const DEPTH: usize = 4;

/// Reads one object.
pub(crate) fn read(value: &Value, out: &mut Vec<Outcome>) {
    open(value, DEPTH, out);
}

fn open(value: &Value, depth: usize, out: &mut Vec<Outcome>) {
    let kind = first(value, &["/eventType", "/notificationType"]);
    if !kind.is_empty() && value.get("mail").is_some() {
        out.push(event(value, &kind));
        return;
    }
    if depth > 0 {
        // SNS holds its message as JSON text.
        if let Some(Value::String(message)) = value.get("Message") {
            match serde_json::from_str::<Value>(message) {
                Ok(inner) => open(&inner, depth - 1, out),
                Err(_) => out.push(Outcome::Unknown("SNS message that is no JSON".to_owned())),
            }
            return;
        }
        for inner in ["detail", "Sns", "body"] {
            match value.get(inner) {
                Some(Value::String(text)) => {
                    if let Ok(inner) = serde_json::from_str::<Value>(text) {
                        return open(&inner, depth - 1, out);
                    }
                }
                Some(inner @ Value::Object(_)) => return open(inner, depth - 1, out),
                _ => {}
            }
        }
        if let Some(Value::Array(records)) = value.get("Records") {
            return records.iter().for_each(|record| open(record, depth - 1, out));
        }
    }
    if value.get("SubscribeURL").is_some() {
        return out.push(Outcome::Ignored);
    }
    out.push(Outcome::Unknown("object that is no SES event".to_owned()));
}

fn event(value: &Value, kind: &str) -> Outcome {
    let header = || {
        let common = text(value, "/mail/commonHeaders/messageId");
        if !common.is_empty() {
            return Some(common);
        }
        let headers = value.pointer("/mail/headers")?.as_array()?;
        let found = headers.iter().find(|header| text(header, "/name").eq_ignore_ascii_case("message-id"))?;
        Some(text(found, "/value"))
    };
    let campaign = ["/mail/tags/campaign", "/mail/tags/Campaign", "/mail/tags/campaign_id", "/mail/tags/campaign-id"];
    let mut event = Event {
        id: text(value, "/mail/messageId"),
        message_id: header(),
        source: first_of(value, &["/mail/tags/ses:outgoing-ip"]),
        campaign: first_of(value, &campaign),
        sender: Some(text(value, "/mail/source")).filter(|sender| !sender.is_empty()),
        ..Event::default()
    };
    let when;
    match kind {
        "Delivery" => {
            when = "/delivery/timestamp";
            event.status = Some(Status::Delivered);
            event.recipients = list(value, "/delivery/recipients");
            event.response = text(value, "/delivery/smtpResponse");
        }
        "DeliveryDelay" => {
            when = "/deliveryDelay/timestamp";
            event.status = Some(Status::Deferred);
            let otherwise = format!("SES delay type {}", text(value, "/deliveryDelay/delayType"));
            event.recipients = answered(value, "/deliveryDelay/delayedRecipients", &otherwise);
        }
        "Bounce" => {
            when = "/bounce/timestamp";
            let subtype = text(value, "/bounce/bounceSubType");
            event.status = Some(match (text(value, "/bounce/bounceType").as_str(), subtype.as_str()) {
                (_, "Suppressed" | "OnAccountSuppressionList" | "OnTenantSuppressionList") => Status::Dropped,
                // Refused for what they are, not for want of time.
                ("Transient", "MessageTooLarge" | "ContentRejected" | "AttachmentRejected") => Status::Bounced,
                // SES gave up after its retries.
                ("Transient", _) => Status::Expired,
                _ => Status::Bounced,
            });
            event.recipients = answered(value, "/bounce/bouncedRecipients", "");
        }
        "Reject" => {
            when = "/mail/timestamp";
            event.status = Some(Status::Dropped);
            event.recipients = list(value, "/mail/destination");
            event.response = text(value, "/reject/reason");
        }
        "Complaint" => return Outcome::Complaint,
        "Send" | "Open" | "Click" | "Rendering Failure" | "Subscription" | "AmazonSnsSubscriptionSucceeded" => {
            return Outcome::Ignored;
        }
        other => return Outcome::Unknown(format!("SES event {other}")),
    }
    // The time of sending stands in for one that is not there, never for one that cannot be read.
    let when = if text(value, when).is_empty() { "/mail/timestamp" } else { when };
    match time(value, when) {
        Some(at) => Outcome::Event(Box::new(Event { at, ..event })),
        None => Outcome::Unknown(format!("SES event {kind} without a readable timestamp")),
    }
}

fn first_of(value: &Value, paths: &[&str]) -> String {
    paths.iter().map(|path| one_of(value, path)).find(|text| !text.is_empty()).unwrap_or_default()
}

fn elements<'v>(value: &'v Value, path: &str) -> &'v [Value] {
    value.pointer(path).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// A list of addresses.
fn list(value: &Value, path: &str) -> Vec<To> {
    elements(value, path).iter().flat_map(|element| super::to(text(element, ""))).collect()
}

/// A list of recipients, each with the answer to it; `otherwise` where it has none.
fn answered(value: &Value, path: &str, otherwise: &str) -> Vec<To> {
    let answered = |element: &Value| {
        let words = diagnostic(text(element, "/diagnosticCode"));
        let response = if words.is_empty() { otherwise.to_owned() } else { words };
        let answer = Some(Answer { response, enhanced: text(element, "/status") });
        To { address: text(element, "/emailAddress"), answer }
    };
    elements(value, path).iter().map(answered).filter(|to| !to.address.is_empty()).collect()
}
