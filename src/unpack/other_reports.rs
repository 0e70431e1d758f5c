//! The two other kinds of report that arrive in the same mailbox: failure reports and SMTP TLS reports.

use std::io::Read;

use serde::Deserialize;

use super::Fault;

/// Returns the value of one field of a `message/feedback-report`, without folding.
fn feedback_field(report: &[u8], wanted: &str) -> Option<String> {
    let mut value: Option<Vec<u8>> = None;
    for line in report.split(|&byte| byte == b'\n') {
        if let Some(value) = &mut value {
            if matches!(line.first(), Some(b' ' | b'\t')) {
                value.extend_from_slice(line);
                continue;
            }
            break;
        }
        let colon = memchr::memchr(b':', line);
        if let Some((name, rest)) = colon.and_then(|at| line.split_at_checked(at))
            && name.trim_ascii().eq_ignore_ascii_case(wanted.as_bytes())
        {
            value = Some(rest.get(1..).unwrap_or_default().to_vec());
        }
    }
    let text = String::from_utf8_lossy(&value?).trim().to_owned();
    (!text.is_empty()).then_some(text)
}

/// Returns the domain that a `message/feedback-report` is about, in lower case (RFC 6591 section 3.1: `Reported-Domain`).
pub fn feedback_domain(report: &[u8]) -> Option<String> {
    let domain = feedback_field(report, "Reported-Domain")?;
    // A comment may follow (RFC 5965 section 3.1 allows them).
    let domain = domain.split(['(', ' ', '\t']).next().unwrap_or_default().trim_end_matches('.');
    (!domain.is_empty()).then(|| domain.to_ascii_lowercase())
}

/// Returns the kind of complaint in lower case (RFC 5965 section 3.1: `Feedback-Type`): `auth-failure` for a failure
/// report of DMARC, `abuse` for a complaint of a recipient.
pub(super) fn feedback_type(report: &[u8]) -> Option<String> {
    Some(feedback_field(report, "Feedback-Type")?.to_ascii_lowercase())
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct TlsReport {
    #[serde(default)]
    organization_name: Option<serde::de::IgnoredAny>,
    #[serde(default)]
    report_id: Option<serde::de::IgnoredAny>,
    #[serde(default)]
    date_range: Option<serde::de::IgnoredAny>,
    policies: Vec<TlsPolicy>,
}

#[derive(Deserialize)]
struct TlsPolicy {
    #[serde(default)]
    policy: Option<TlsPolicyHead>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct TlsPolicyHead {
    #[serde(default)]
    policy_domain: Option<String>,
}

/// Returns the domain of an SMTP TLS report in lower case (RFC 8460 section 4.4), empty where it names none; nothing
/// where `json` is no such report, or longer than `limit` bytes.
///
/// # Errors
/// The fault that ended the reading: a limit or damage.
pub fn tls_report_domain(json: &mut dyn Read, limit: u64) -> Result<Option<String>, Fault> {
    let mut text = Vec::new();
    json.take(limit.saturating_add(1))
        .read_to_end(&mut text)
        .map_err(|error| Fault::of(&error).cloned().unwrap_or_else(|| Fault::unreadable(&error)))?;
    if text.len() as u64 > limit {
        return Ok(None);
    }
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&text);
    let Ok(report) = serde_json::from_slice::<TlsReport>(text) else { return Ok(None) };
    if report.organization_name.is_none() && report.report_id.is_none() && report.date_range.is_none() {
        return Ok(None);
    }
    let domain = report.policies.into_iter().find_map(|policy| policy.policy?.policy_domain).unwrap_or_default();
    Ok(Some(domain.trim().trim_end_matches('.').to_ascii_lowercase()))
}
