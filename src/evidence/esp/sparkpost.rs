//! SparkPost: webhooks (`[{msys: {message_event: {…}}}]`), results of the events API (`{results: […]}`), or bare events.

use serde_json::Value;

use super::{Event, Outcome, Status, first, small, smtp_code, text, time, to};

/// Reads one object.
pub(crate) fn read(value: &Value, out: &mut Vec<Outcome>) {
    if let Some(Value::Object(classes)) = value.get("msys") {
        if classes.is_empty() {
            // The test body of a new webhook.
            return out.push(Outcome::Ignored);
        }
        for (class, inner) in classes {
            match class.as_str() {
                "message_event" | "gen_event" => out.push(event(inner)),
                _ => out.push(Outcome::Ignored),
            }
        }
    } else if let Some(Value::Array(results)) = value.get("results") {
        out.extend(results.iter().map(event));
    } else {
        out.push(event(value));
    }
}

fn event(value: &Value) -> Outcome {
    let kind = text(value, "/type");
    let response = first(value, &["/raw_reason", "/reason"]);
    let status = match kind.as_str() {
        "delivery" => Status::Delivered,
        "delay" => Status::Deferred,
        "bounce" if is_timeout(&response) => Status::Expired,
        "bounce" | "out_of_band" => Status::Bounced,
        "policy_rejection" | "generation_rejection" | "generation_failure" => Status::Dropped,
        "spam_complaint" => return Outcome::Complaint,
        "injection" | "sms_status" | "open" | "click" | "initial_open" | "amp_open" | "amp_click"
        | "amp_initial_open" | "list_unsubscribe" | "link_unsubscribe" | "relay_injection" => return Outcome::Ignored,
        "" => return Outcome::Unknown("object without type".to_owned()),
        other => return Outcome::Unknown(format!("type {other}")),
    };
    let Some(at) = time(value, "/timestamp") else {
        return Outcome::Unknown("event without a readable timestamp".to_owned());
    };
    Outcome::Event(Box::new(Event {
        id: text(value, "/message_id"),
        at,
        recipients: to(first(value, &["/raw_rcpt_to", "/rcpt_to"])),
        status: Some(status),
        response,
        code: smtp_code(value, "/error_code"),
        relay: first(value, &["/mx_host", "/remote_host"]),
        source: text(value, "/sending_ip"),
        campaign: text(value, "/campaign_id"),
        sender: Some(text(value, "/msg_from")).filter(|from| !from.is_empty()),
        // Retries done before this attempt.
        retry_no: if value.get("num_retries").is_some() { small(value, "/num_retries").saturating_add(1) } else { 0 },
        event_id: text(value, "/event_id"),
        ..Event::default()
    }))
}

/// `554 5.4.7 [internal] message timeout (last transfail: …)`: the queue gave up.
fn is_timeout(response: &str) -> bool {
    let lower = response.to_ascii_lowercase();
    lower.contains("message timeout")
        || lower.contains("exceeded max time")
        || lower.contains("5.4.7") && lower.contains("timeout")
        || lower.contains("message expired")
}
