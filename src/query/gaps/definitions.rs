//! What each gap is: its id, name, meaning, remedy, and the SQL over the public views that shows it.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::Serialize;

use super::super::Scope;
use super::super::quote::quoted;
use super::Expected;
use crate::parse::domain_name;
use crate::severity::Severity;

/// A gap: a fact in the data that weakens a reputation case.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Definition {
    /// Id, `G01` to `G22`.
    pub gap: &'static str,
    /// Name.
    pub name: &'static str,
    /// The gravest severity that it can have.
    pub severity: Severity,
    /// What it is and why it weakens a case.
    pub meaning: &'static str,
    /// What to do about it.
    pub remedy: &'static str,
    /// The statement that shows it, for `dmarcase sql`.
    pub sql: Cow<'static, str>,
}

macro_rules! gaps {
    ($($id:literal $file:literal $name:literal $severity:ident $meaning:literal $remedy:literal)+) => {
        /// Every gap that reports can show, by id.
        pub const DEFINITIONS: &[Definition] = &[$(Definition {
            gap: $id,
            name: $name,
            severity: Severity::$severity,
            meaning: $meaning,
            remedy: $remedy,
            sql: Cow::Borrowed(include_str!(concat!("../../../schemas/query/gaps/", $file, ".sql"))),
        },)+];
    };
}

gaps! {
    "G01" "g01" "policy-none" Notice
    "p=none asks receivers for nothing. It meets a gateway's minimum, monitoring, but spoofed mail shares the domain's reputation."
    "Move to p=quarantine, then p=reject, once the approved senders pass in `dmarcase senders`."

    "G02" "g02" "subdomain-policy-weaker" Warn
    "sp is weaker than p: whoever spoofs picks a subdomain."
    "Raise sp to the level of p, or leave it out so that p holds for subdomains too."

    "G03" "g03" "nonexistent-policy-weaker" Notice
    "np is weaker than sp: made-up subdomains get milder treatment than real ones (RFC 9091, RFC 9989)."
    "Raise np to reject: nothing honest comes from a subdomain that does not exist."

    "G04" "g04" "sampled-policy" Warn
    "pct below 100: receivers by RFC 7489 apply the policy to a part of the mail, receivers by RFC 9989 ignore pct and apply it to all."
    "Remove pct, so that every receiver does the same."

    "G05" "g05" "testing-policy" Warn
    "t=y asks receivers to apply one level less than published (RFC 9989)."
    "Remove t=y when the test is over."

    "G06" "g06" "authenticated-but-unaligned" High
    "Mail fails DMARC although DKIM or SPF passes for another domain: the most common failure, and one that can be fixed."
    "Set a custom DKIM domain, and a custom bounce domain where offered, at each service that authenticates as itself."

    "G07" "g07" "spf-unaligned" High
    "SPF passes, but for a bounce domain of another organisation, so that only DKIM can carry the mail."
    "Set a custom return path below the From domain at the service; its include in the From domain's SPF record does nothing."

    "G08" "g08" "dkim-unaligned" Warn
    "DKIM passes, but for another domain than the From domain."
    "Have the service sign with the From domain."

    "G09" "g09" "spf-alone" High
    "Nothing but SPF carries the mail of a source, and SPF does not survive forwarding; RFC 9989 forbids that under p=reject."
    "Sign the mail of these sources with DKIM."

    "G10" "g10" "own-signature-fails" High
    "Signatures of the own domain do not verify: fail is a changed body or a stale key, permerror a missing or bad key, temperror DNS."
    "Compare the key in DNS with the one that signs; where lists and forwarders break the signature, nothing needs doing."

    "G11" "g11" "spf-error" High
    "The own SPF record gives permerror or temperror: more than ten lookups, two records, or DNS that does not answer."
    "Bring the SPF record down to ten lookups and one record, and check its name servers; one reporter alone may be at fault itself."

    "G12" "g12" "subdomain-without-record" Warn
    "Subdomains send under the policy that they inherit."
    "Publish a DMARC record of its own for each subdomain that is a separate stream; stop the others."

    "G13" "g13" "overrides" Notice
    "Receivers let failing mail through for a reason of their own, so that a stricter policy shows less than its full effect."
    "Nothing to fix as such: name the reasons in the case, and fix the streams behind them where they are the own."

    "G14" "g14" "softer-without-reason" Notice
    "Receivers did less than the policy asks and gave no reason, which RFC 9990 does not allow and is common all the same."
    "Do not count on the policy at these receivers; tell the reporter."

    "G15" "g15" "no-reports" High
    "No report has come for days: pass rates cannot be claimed for that time."
    "Check the DMARC record's rua, the mailbox and its quota, the poll, and the _report._dmarc record where rua lies elsewhere."

    "G16" "g16" "reporter-silent" Warn
    "A steady reporter has fallen silent, or one that the config expects does not come: a change of the pass rate may be a change of reporters."
    "Check that its mail still arrives and is read; else note the day in the case."

    "G17" "g17" "policy-flaps" Warn
    "The published policy changed three times or more: two DNS providers, or servers out of step."
    "Compare the DMARC record at every authoritative name server."

    "G18" "g18" "parked-domain-open" Warn
    "A domain that sends no mail does not say p=reject; sp=reject."
    "Publish v=DMARC1; p=reject; sp=reject, with v=spf1 -all and a null MX."

    "G19" "g19" "strict-alignment-fails" High
    "Strict alignment fails own mail that authenticates as a sibling or parent domain."
    "Use relaxed alignment, or authenticate as exactly the From domain."

    "G20" "g20" "reporter-error" Notice
    "A reporter says that something is wrong with the record or the report."
    "Read its words: mostly a bad tag or two DMARC records."

    "G21" "g21" "unapproved-senders" High
    "Senders that nobody approved use the domain."
    "Look at `dmarcase senders --unknown`; approve each with `dmarcase senders approve NAME`, or stop it."

    "G22" "g22" "approved-senders-fail" High
    "Approved senders pass less than they should: the number that the ticket states."
    "Find the failing sources with `dmarcase rates --by source` and repair their DKIM and SPF first."
}

impl Definition {
    /// Returns the definition with its statement for the scope of a question: its rows are what the gap's findings are made of.
    /// `no_approval` are the senders that need none, for G21.
    #[must_use]
    pub fn on(&self, scope: &Scope, expected: Expected<'_>, no_approval: &[String]) -> Self {
        let named = |sends: bool| {
            let rules = expected.domains.iter().filter(move |rule| rule.sends == sends);
            list(rules.map(|rule| domain_name(&rule.name).into_owned()))
        };
        // A condition that leaves nothing out is left out.
        let and = |scope: &Scope| match scope.of_reports("") {
            all if all == "true" => String::new(),
            condition => format!(" AND {condition}"),
        };
        let within = and(scope);
        let lines: Vec<&str> =
            self.sql.lines().filter(|line| line.trim() != "AND {reports}" || !within.is_empty()).collect();
        let awaited = || {
            let rules = expected.domains.iter();
            rules
                .flat_map(|rule| rule.reporters.iter().map(|name| (domain_name(&rule.name).into_owned(), name.clone())))
        };
        // Where a domain is asked for, the store knows it.
        let unseen = if scope.domains.is_some() { list(std::iter::empty()) } else { named(true) };
        let sql = lines
            .join("\n")
            .replace(" AND {reports}", &within)
            .replace(" AND {ever}", &and(&scope.ever()))
            .replace(" AND {of_any_domain}", &and(&scope.ever().of_any_domain()))
            .replace("{policies}", &scope.policies())
            .replace("{as_of}", &format!("DATE '{}'", scope.as_of))
            .replace("{parked}", &named(false))
            .replace("{expected}", &unseen)
            .replace("{awaited_domains}", &list(awaited().map(|(domain, _)| domain)))
            .replace("{awaited_reporters}", &list(awaited().map(|(_, reporter)| reporter)))
            .replace("{no_approval}", &list(no_approval.iter().cloned()))
            .replace("{approved_pass_rate}", &expected.gaps.approved_pass_rate.to_string());
        Self { sql: format!("{sql}\n").into(), ..self.clone() }
    }
}

/// The statement of a gap whose findings are its very rows.
pub(super) fn statement(gap: &str, scope: &Scope, expected: Expected<'_>) -> String {
    definition(gap).map(|one| one.on(scope, expected, &[]).sql.into_owned()).unwrap_or_default()
}

/// Text as a list of SQL.
fn list(items: impl Iterator<Item = String>) -> String {
    let items: Vec<String> = items.map(|item| quoted(&item)).collect();
    format!("[{}]::VARCHAR[]", items.join(", "))
}

/// Returns the gap of an id or name, in any case; `g6` is `G06`.
pub fn definition(word: &str) -> Option<&'static Definition> {
    let number = |id: &str| id.strip_prefix(['G', 'g'])?.parse::<u8>().ok();
    DEFINITIONS
        .iter()
        .find(|d| d.name.eq_ignore_ascii_case(word) || number(word).is_some_and(|wanted| number(d.gap) == Some(wanted)))
}
