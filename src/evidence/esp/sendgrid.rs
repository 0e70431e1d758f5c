//! SendGrid event webhook: an array of flat objects, one event each.

use serde_json::Value;

use super::{Event, Outcome, Status, first, one_of, small, text, time, to};

/// Reads one event.
pub(crate) fn read(value: &Value) -> Outcome {
    let kind = text(value, "/event");
    let response = first(value, &["/response", "/reason"]);
    let status = match kind.as_str() {
        "deferred" => Status::Deferred,
        "delivered" => Status::Delivered,
        "dropped" => Status::Dropped,
        "bounce" | "blocked" | "expired" => given_up(value, &response),
        "spamreport" => return Outcome::Complaint,
        "processed"
        | "open"
        | "click"
        | "unsubscribe"
        | "group_unsubscribe"
        | "group_resubscribe"
        | "account_status_change"
        | "compliance_suspend" => return Outcome::Ignored,
        "" => return Outcome::Unknown("object without event".to_owned()),
        other => return Outcome::Unknown(format!("event {other}")),
    };
    let Some(at) = time(value, "/timestamp") else {
        return Outcome::Unknown("event without a readable timestamp".to_owned());
    };
    // `sg_message_id` carries the filter host behind its first dot, which may differ between the events of one message.
    let id = text(value, "/sg_message_id");
    let id = id.split(".filter").next().unwrap_or_default().split(".recvd").next().unwrap_or_default().to_owned();
    Outcome::Event(Box::new(Event {
        id,
        message_id: Some(first(value, &["/smtp-id", "/smtp_id"])).filter(|id| !id.is_empty()),
        at,
        recipients: to(text(value, "/email")),
        status: Some(status),
        response,
        enhanced: text(value, "/status"),
        relay: text(value, "/mx_server"),
        source: text(value, "/ip"),
        campaign: Some(one_of(value, "/category"))
            .filter(|c| !c.is_empty())
            .unwrap_or_else(|| first(value, &["/campaign", "/marketing_campaign_name"])),
        retry_no: small(value, "/attempt"),
        event_id: text(value, "/sg_event_id"),
        ..Event::default()
    }))
}

/// A bounce is a refusal for good where a code of class 5 says so. Otherwise SendGrid gave up after its retries.
fn given_up(value: &Value, response: &str) -> Status {
    let status = text(value, "/status");
    let expired = text(value, "/event") == "expired" || response.to_ascii_lowercase().contains("expired");
    let class = response.trim().bytes().next().filter(u8::is_ascii_digit).or_else(|| status.bytes().next());
    if class == Some(b'5') && !expired { Status::Bounced } else { Status::Expired }
}
