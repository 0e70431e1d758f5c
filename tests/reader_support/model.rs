//! Reports as values, for property tests: random ones, and their XML in many styles.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use dmarcase::parse::{
    Alignment, AuthResult, Disposition, DkimResult, Metadata, Policy, PolicyWord, Reason, Record, Report, Results,
    SchemaVariant, SpfResult,
};
use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;
use proptest::sample::select;

/// How a report is written. None of it changes what the report says.
#[derive(Clone, Debug)]
pub struct Style {
    pub newline: &'static str,
    pub indent: &'static str,
    pub prefix: &'static str,
    pub cdata: bool,
    pub split: bool,
    pub reverse: bool,
    pub mark: bool,
    pub count_first: bool,
}

/// The style that most reporters use.
pub const PLAIN: Style = Style {
    newline: "\n",
    indent: "  ",
    prefix: "",
    cdata: false,
    split: false,
    reverse: false,
    mark: false,
    count_first: false,
};

pub fn style() -> impl Strategy<Value = Style> {
    let text = (select(vec!["\n", "\r\n", "", "\n\n"]), select(vec!["", " ", "\t", "    "]), select(vec!["", "d:"]));
    (text, any::<[bool; 5]>()).prop_map(|((newline, indent, prefix), [cdata, split, reverse, mark, count_first])| {
        Style { newline, indent, prefix, cdata, split, reverse, mark, count_first }
    })
}

/// Text that a reporter may write: no blanks at its ends, which are layout, and no line ends.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-zA-Z0-9<>&\"';!@#%éñü漢😀]([a-zA-Z0-9 <>&\"';!@#%éñü漢😀._:-]{0,20}[a-z<>&\"';é漢😀])?",
        Just("]]>".to_owned()),
        Just("</record>".to_owned()),
        Just("&amp;".to_owned()),
        Just("<!-- a -->".to_owned()),
    ]
}

fn shared(text: impl Strategy<Value = String>) -> impl Strategy<Value = Arc<str>> {
    text.prop_map(|t| t.as_str().into())
}

fn domain() -> impl Strategy<Value = String> {
    "([a-z][a-z0-9_-]{0,6}\\.){0,2}[a-z]{1,8}\\.example"
}

fn all<T: Copy + std::fmt::Debug + 'static>(words: &'static [T]) -> impl Strategy<Value = T> {
    select(words)
}

fn address() -> impl Strategy<Value = IpAddr> {
    let not_mapped = |v6: &Ipv6Addr| v6.to_ipv4_mapped().is_none();
    prop_oneof![
        any::<u32>().prop_map(|n| IpAddr::V4(Ipv4Addr::from(n))),
        any::<u128>().prop_map(Ipv6Addr::from).prop_filter("mapped is IPv4", not_mapped).prop_map(IpAddr::V6),
    ]
}

prop_compose! {
    fn dkim()(
        domain in shared(domain()),
        selector in of(shared(text())),
        result in all(AuthResult::ALL).prop_filter("DKIM has no softfail", |r| *r != AuthResult::Softfail),
        human_result in of(shared(text())),
    ) -> DkimResult {
        DkimResult { domain: Some(domain), selector, result: Some(result), human_result }
    }
}

prop_compose! {
    fn spf()(
        domain in shared(domain()),
        scope in of(select(vec!["mfrom", "helo"])),
        result in all(AuthResult::ALL),
        human_result in of(shared(text())),
    ) -> SpfResult {
        SpfResult { domain: Some(domain), scope: scope.map(Into::into), result: Some(result), human_result }
    }
}

fn reason() -> impl Strategy<Value = Reason> {
    let kinds = ["forwarded", "sampled_out", "trusted_forwarder", "mailing_list", "local_policy", "other"];
    (select(kinds.to_vec()), of(shared(text()))).prop_map(|(kind, comment)| Reason { kind: Some(kind.into()), comment })
}

prop_compose! {
    fn results()(
        disposition in all(&[Disposition::None, Disposition::Quarantine, Disposition::Reject]),
        aligned in any::<(bool, bool)>(),
        header_from in shared(domain()),
        envelope_from in of(prop_oneof![shared(domain()), Just("".into())]),
        envelope_to in of(shared(domain())),
        dkim in vec(dkim(), 0..3),
        spf in vec(spf(), 1..3),
        reasons in vec(reason(), 0..3),
    ) -> Results {
        let mut results = Results {
            key: 0,
            disposition: Some(disposition),
            dkim_aligned: Some(aligned.0),
            spf_aligned: Some(aligned.1),
            header_from: Some(header_from),
            envelope_from,
            envelope_to,
            dkim,
            spf,
            reasons,
        };
        results.key = results.computed_key();
        results
    }
}

prop_compose! {
    fn metadata()(
        texts in (text(), "[a-z.+-]{1,8}@[a-z]{1,8}\\.example", of(text()), text()),
        begin in 0_i64..4_000_000_000,
        length in 0_i64..200_000,
        errors in vec(text(), 0..3),
    ) -> Metadata {
        Metadata {
            reporter: Some(texts.0),
            email: Some(texts.1),
            extra_contact: texts.2,
            generator: None,
            report_id: Some(texts.3),
            begin: Some(begin),
            end: Some(begin + length),
            errors,
        }
    }
}

prop_compose! {
    fn policy()(
        domain in shared(domain()),
        modes in (of(all(Alignment::ALL)), of(all(Alignment::ALL))),
        words in (all(PolicyWord::ALL), of(all(PolicyWord::ALL)), of(all(PolicyWord::ALL))),
        pct in of(0_u8..=100),
        fo in of(select(vec!["0", "1:d", "0:1:d:s"])),
        testing in of(any::<bool>()),
        discovery_method in of(select(vec!["psl", "treewalk"])),
    ) -> Policy {
        Policy {
            domain: Some(domain),
            adkim: modes.0,
            aspf: modes.1,
            p: Some(words.0),
            sp: words.1,
            np: words.2,
            pct,
            fo: fo.map(str::to_owned),
            testing,
            psd: None,
            discovery_method: discovery_method.map(str::to_owned),
        }
    }
}

prop_compose! {
    /// A report whose records share a few results, as real ones do.
    pub fn report()(
        metadata in metadata(),
        policy in policy(),
        results in vec(results(), 1..5),
        records in vec((address(), 0_u64..=50_000_000_000, any::<prop::sample::Index>()), 1..20),
    ) -> Report {
        let mut report = Report {
            metadata,
            policy,
            variant: SchemaVariant::Rfc7489,
            records: Vec::new(),
            results: Vec::new(),
            warnings: Vec::new(),
        };
        for (source, messages, index) in records {
            let wanted = index.get(&results);
            let at = report.results.iter().position(|r| r.key == wanted.key).unwrap_or_else(|| {
                report.results.push(Arc::new(wanted.clone()));
                report.results.len() - 1
            });
            report.records.push(Record { source: Some(source), messages: Some(messages), results: at as u32 });
        }
        report
    }
}

/// Writes a report.
pub fn write(report: &Report, style: &Style) -> String {
    let mut xml = Xml { out: String::new(), depth: 0, style };
    if style.mark {
        xml.out.push('\u{feff}');
    }
    xml.out.push_str("<?xml version=\"1.0\" encoding=\"UTF-8\"?>");
    let declaration = if style.prefix.is_empty() { "" } else { " xmlns:d=\"http://dmarc.org/dmarc-xml/0.1\"" };
    xml.node_with("feedback", declaration, |xml| {
        xml.leaf("version", "1.0");
        let meta = &report.metadata;
        if style.reverse {
            xml.node("policy_published", |xml| write_policy(&report.policy, xml));
        }
        xml.node("report_metadata", |xml| write_metadata(meta, xml));
        if !style.reverse {
            xml.node("policy_published", |xml| write_policy(&report.policy, xml));
        }
        for record in &report.records {
            write_record(record, &report.results[record.results as usize], xml);
        }
    });
    xml.out
}

fn write_metadata(meta: &Metadata, xml: &mut Xml<'_>) {
    let dates = |xml: &mut Xml<'_>| {
        xml.node("date_range", |xml| {
            xml.some("begin", meta.begin);
            xml.some("end", meta.end);
        });
    };
    if xml.style.reverse {
        dates(xml);
    }
    xml.some("org_name", meta.reporter.as_deref());
    xml.some("email", meta.email.as_deref());
    xml.some("extra_contact_info", meta.extra_contact.as_deref());
    xml.some("report_id", meta.report_id.as_deref());
    if !xml.style.reverse {
        dates(xml);
    }
    for error in &meta.errors {
        xml.leaf("error", error);
    }
}

fn write_policy(policy: &Policy, xml: &mut Xml<'_>) {
    xml.some("domain", policy.domain.as_deref());
    xml.some("adkim", policy.adkim);
    xml.some("aspf", policy.aspf);
    xml.some("p", policy.p);
    xml.some("sp", policy.sp);
    xml.some("np", policy.np);
    xml.some("pct", policy.pct);
    xml.some("fo", policy.fo.as_deref());
    xml.some("testing", policy.testing.map(|t| if t { "y" } else { "n" }));
    xml.some("discovery_method", policy.discovery_method.as_deref());
}

fn write_record(record: &Record, results: &Results, xml: &mut Xml<'_>) {
    let verdict = |pass: Option<bool>| pass.map(|p| if p { "pass" } else { "fail" });
    xml.node("record", |xml| {
        xml.node("row", |xml| {
            if xml.style.count_first {
                xml.some("count", record.messages);
            }
            xml.some("source_ip", record.source);
            if !xml.style.count_first {
                xml.some("count", record.messages);
            }
            xml.node("policy_evaluated", |xml| {
                xml.some("disposition", results.disposition);
                xml.some("dkim", verdict(results.dkim_aligned));
                xml.some("spf", verdict(results.spf_aligned));
                for reason in &results.reasons {
                    xml.node("reason", |xml| {
                        xml.some("type", reason.kind.as_deref());
                        xml.some("comment", reason.comment.as_deref());
                    });
                }
            });
        });
        xml.node("identifiers", |xml| {
            xml.some("envelope_to", results.envelope_to.as_deref());
            xml.some("envelope_from", results.envelope_from.as_deref());
            xml.some("header_from", results.header_from.as_deref());
        });
        xml.node("auth_results", |xml| {
            for dkim in &results.dkim {
                xml.node("dkim", |xml| {
                    xml.some("domain", dkim.domain.as_deref());
                    xml.some("selector", dkim.selector.as_deref());
                    xml.some("result", dkim.result);
                    xml.some("human_result", dkim.human_result.as_deref());
                });
            }
            for spf in &results.spf {
                xml.node("spf", |xml| {
                    xml.some("domain", spf.domain.as_deref());
                    xml.some("scope", spf.scope.as_deref());
                    xml.some("result", spf.result);
                    xml.some("human_result", spf.human_result.as_deref());
                });
            }
        });
    });
}

struct Xml<'a> {
    out: String,
    depth: usize,
    style: &'a Style,
}

impl Xml<'_> {
    fn line(&mut self) {
        self.out.push_str(self.style.newline);
        for _ in 0..self.depth {
            self.out.push_str(self.style.indent);
        }
    }

    fn node(&mut self, name: &str, inside: impl FnOnce(&mut Self)) {
        self.node_with(name, "", inside);
    }

    fn node_with(&mut self, name: &str, attributes: &str, inside: impl FnOnce(&mut Self)) {
        self.line();
        let prefix = self.style.prefix;
        write!(self.out, "<{prefix}{name}{attributes}>").unwrap();
        self.depth += 1;
        inside(self);
        self.depth -= 1;
        self.line();
        write!(self.out, "</{prefix}{name}>").unwrap();
    }

    fn some(&mut self, name: &str, value: Option<impl std::fmt::Display>) {
        if let Some(value) = value {
            self.leaf(name, &value.to_string());
        }
    }

    fn leaf(&mut self, name: &str, text: &str) {
        self.line();
        let prefix = self.style.prefix;
        let half = text.len() / 2;
        let text = if self.style.cdata {
            format!("<![CDATA[{}]]>", text.replace("]]>", "]]]]><![CDATA[>"))
        } else if self.style.split && text.is_char_boundary(half) {
            let (one, two) = text.split_at(half);
            format!("{}<!-- split -->{}", escaped(one), escaped(two))
        } else {
            escaped(text)
        };
        write!(self.out, "<{prefix}{name}>{text}</{prefix}{name}>").unwrap();
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&#62;").replace('é', "&#xe9;").replace('\'', "&apos;")
}
