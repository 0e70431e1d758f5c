//! The reporters of every corpus: invented names, each written the way one of the real ones writes.

use super::report::{Container, Reporter, Schema};

const DECLARATION: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\" ?>\n";

/// The largest: zip, no scope, no envelope.
pub(crate) const BIG_SEARCH: Reporter = Reporter {
    org: "big-search.example",
    email: "noreply-dmarc@big-search.example",
    contact: Some("https://support.big-search.example/a/answer/2466580"),
    submitter: "big-search.example",
    schema: Schema::Plain,
    declaration: DECLARATION,
    indent: Some("  "),
    version: true,
    fo: false,
    scope: false,
    envelope_from: false,
    envelope_to: None,
    generator: None,
    cut: 0,
    closed: true,
    container: Container::Zip,
};

/// Mail of companies: XML Schema namespaces, envelope_to, open end.
pub(crate) const ENTERPRISE_POST: Reporter = Reporter {
    org: "Enterprise Post",
    email: "dmarcreport@enterprise-post.example",
    contact: None,
    submitter: "enterprise-post.example",
    schema: Schema::Xsi,
    declaration: "<?xml version=\"1.0\"?>\n",
    fo: true,
    scope: true,
    envelope_from: true,
    envelope_to: Some("customer.example"),
    closed: false,
    container: Container::Gz,
    ..BIG_SEARCH
};

/// Its sister for people.
pub(crate) const HOME_POST: Reporter = Reporter {
    org: "Home Post",
    email: "dmarcreport@home-post.example",
    contact: None,
    submitter: "home-post.example",
    schema: Schema::Xsi,
    declaration: "<?xml version=\"1.0\"?>\n",
    fo: true,
    scope: true,
    envelope_from: true,
    envelope_to: Some("home-post.example"),
    closed: false,
    container: Container::Gz,
    ..BIG_SEARCH
};

/// No version element.
pub(crate) const PURPLE_MAIL: Reporter = Reporter {
    org: "Purple Mail",
    email: "dmarchelp@purple-mail.example",
    contact: None,
    submitter: "purple-mail.example",
    declaration: "<?xml version=\"1.0\"?>\n",
    version: false,
    container: Container::Gz,
    ..BIG_SEARCH
};

/// A sending service that reports.
pub(crate) const CLOUD_RELAY: Reporter = Reporter {
    org: "CLOUD-RELAY",
    email: "postmaster@cloud-relay.example",
    contact: None,
    submitter: "cloud-relay.example",
    envelope_from: true,
    fo: true,
    container: Container::Gz,
    ..BIG_SEARCH
};

/// A filtering gateway.
pub(crate) const MAIL_SHIELD: Reporter = Reporter {
    org: "Mail Shield",
    email: "no-reply@eu.mail-shield.example",
    contact: Some("postmaster@mail-shield.example"),
    submitter: "mail-shield.example",
    scope: true,
    envelope_from: true,
    container: Container::Gz,
    ..BIG_SEARCH
};

/// One line, no XML declaration, days of another time zone.
pub(crate) const POCHTA: Reporter = Reporter {
    org: "Pochta",
    email: "dmarc@pochta.example",
    contact: Some("https://help.pochta.example/dmarc"),
    submitter: "pochta.example",
    declaration: "",
    indent: None,
    cut: -10_800,
    container: Container::Gz,
    ..BIG_SEARCH
};

/// Tabs, an ampersand in the contact, days of another time zone.
pub(crate) const FREUNDPOST: Reporter = Reporter {
    org: "FREUNDPOST",
    email: "noreply-dmarc@freundpost.example",
    contact: Some("https://postmaster.freundpost.example/en/case?c=r2002&x=1"),
    submitter: "freundpost.example",
    indent: Some("\t"),
    envelope_from: true,
    cut: -7_200,
    container: Container::Gz,
    ..BIG_SEARCH
};

/// RFC 7489 to the letter.
pub(crate) const QUICK_MAIL: Reporter = Reporter {
    org: "Quick Mail Pty Ltd",
    email: "reports@quick-mail.example",
    contact: None,
    submitter: "quick-mail.example",
    schema: Schema::Rfc7489,
    scope: true,
    envelope_from: true,
    fo: true,
    container: Container::Gz,
    ..BIG_SEARCH
};

/// An access provider, four spaces.
pub(crate) const CABLE_ISP: Reporter = Reporter {
    org: "cable-isp.example",
    email: "dmarc-noreply@alerts.cable-isp.example",
    contact: None,
    submitter: "cable-isp.example",
    indent: Some("    "),
    container: Container::Zip,
    ..BIG_SEARCH
};

/// RFC 9990, bare XML.
pub(crate) const NEW_STANDARD: Reporter = Reporter {
    org: "new-standard.example",
    email: "dmarc@new-standard.example",
    contact: None,
    submitter: "new-standard.example",
    schema: Schema::Rfc9990,
    scope: true,
    envelope_from: true,
    generator: Some("aggregator 2.1"),
    container: Container::Xml,
    ..BIG_SEARCH
};

/// RFC 9990 in gzip, and a name beyond ASCII.
pub(crate) const BEHOERDENPOST: Reporter = Reporter {
    org: "Behördenpost",
    email: "dmarc@behoerdenpost.example",
    contact: Some("postmaster@behoerdenpost.example"),
    submitter: "behoerdenpost.example",
    generator: Some("report-maker 0.9 <stable>"),
    container: Container::Gz,
    closed: false,
    ..NEW_STANDARD
};
