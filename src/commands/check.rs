//! `check`: the live DNS of a domain and of the addresses that send for it.

use std::net::IpAddr;

use anyhow::{Context as _, bail};
use chrono::Utc;

use super::{Context, Exit, Usage, runtime};
use crate::check::{CheckedIp, CheckedKey, State, Subject, check, remember, subject_of};
use crate::dns::Resolver;
use crate::evidence::Gateways;
use crate::severity::Severity;
use crate::store::{Access, Store};

/// Arguments of `check`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Looks up the DMARC record and whether its reports may go where it sends them, SPF with all includes (at most 10 lookups), \
the DKIM key of every selector that the store's reports saw in the last 30 days, MX and gateway, reverse DNS of the \
heaviest sources, and blocklists. An answer that never came is `could not check`, never `ok`. The findings are kept in \
the store with their time: `case` and `gaps` name them.

Name servers and blocklists are the config's; without them the system's, and a short list:
  [dns]
  servers = [\"192.0.2.53\"]                  # your own: blocklists refuse questions through public resolvers
  blocklists = [\"zen.spamhaus.org\"]         # asked about addresses; [] asks none
  domain_blocklists = [\"dbl.spamhaus.org\"]  # asked about the domain

Examples:
  dmarcase check northwind.example
  dmarcase check northwind.example --ip 192.0.2.10 --helo mx1.northwind.example --fail-on high")]
pub struct CheckArgs {
    /// The domain, as people see it in From
    pub domain: String,
    /// A sending address; may be given again [added to the facts' and the heaviest sources in the store]
    #[arg(long = "ip", value_name = "ADDRESS")]
    pub ips: Vec<IpAddr>,
    /// A DKIM selector, SELECTOR or SELECTOR@DOMAIN; may be given again [added to those that reports saw]
    #[arg(long = "selector", value_name = "SELECTOR")]
    pub selectors: Vec<String>,
    /// Name that the hosts of --ip give in HELO, or all where none is named [default: the facts' in the config]
    #[arg(long, value_name = "NAME")]
    pub helo: Option<String>,
    /// Most sources of the store that are looked at
    #[arg(long, value_name = "NUMBER", default_value = "5")]
    pub sources: u32,
    /// Ask no blocklists
    #[arg(long)]
    pub no_blocklists: bool,
    /// Keep nothing in the store
    #[arg(long)]
    pub no_store: bool,
    /// Exit with status 3 where a defect of this severity or a graver one is found
    #[arg(long, value_enum, value_name = "SEVERITY")]
    pub fail_on: Option<Severity>,
}

/// Runs `check`.
pub(super) fn run(context: &Context, args: &CheckArgs) -> anyhow::Result<Exit> {
    let domain = crate::parse::domain_name(&args.domain).into_owned();
    if args.domain.trim_matches(['[', ']']).parse::<IpAddr>().is_ok() {
        let text = "is an address: name the domain that it sends for, and the address with --ip";
        bail!(Usage(format!("`{}` {text}: dmarcase check northwind.example --ip {}", args.domain, args.domain)));
    }
    if !crate::parse::is_domain(&domain) {
        bail!(Usage(format!("`{}` is no domain: write it as in From, such as northwind.example", args.domain)));
    }
    if let Some(tenant) = context.tenant.as_ref().filter(|tenant| !tenant.owns(&domain)) {
        bail!("{domain} is no domain of the tenant `{}`: its `domains` are {}", tenant.name, tenant.domains.join(", "));
    }
    let subject = subject(context, args, &domain)?;
    let resolver = Resolver::new(&context.config.dns)?;
    let gateways = Gateways::with(&context.config.gateway)?;
    let runtime = runtime()?;
    tracing::info!("asking {} about {domain}", resolver.servers());
    let found = runtime.block_on(check(&resolver, subject, &context.config.dns, &gateways, Utc::now()));
    context.answer(&found)?;
    if !args.no_store {
        if crate::store::is_there(&context.db)? {
            let store = Store::open(&context.db, Access::Write, context.wait)?;
            remember(&store, &found).context("keeping the findings")?;
        } else {
            tracing::warn!("there is no store at {}: the findings are not kept", context.db.display());
        }
    }
    // Silence is no clean record, least of all for who waits for the exit status.
    if found.findings.iter().all(|one| one.state == State::CouldNotCheck) {
        bail!("nothing could be checked: no name server gave an answer ({})", found.name_servers);
    }
    let failed = args.fail_on.is_some_and(|least| found.findings.iter().any(|one| one.severity >= Some(least)));
    Ok(if failed { Exit::Findings } else { Exit::Done })
}

/// What is given, then what the store adds.
fn subject(context: &Context, args: &CheckArgs, domain: &str) -> anyhow::Result<Subject> {
    let mut subject = if crate::store::is_there(&context.db)? {
        let store = context.read_attributed(context.today)?;
        subject_of(store.connection(), domain, args.sources).context("asking the store for sources and selectors")?
    } else {
        Subject { domain: domain.to_owned(), ..Subject::default() }
    };
    let rule = context.config.domain.iter().find(|rule| crate::parse::domain_name(&rule.name) == domain);
    subject.parked = rule.is_some_and(|rule| !rule.sends);
    subject.blocklists = !args.no_blocklists;
    if subject.parked {
        // Whatever sends as a parked domain is not its sender.
        subject.ips.clear();
        subject.selectors.clear();
    }
    // The facts of a case on this domain name its addresses and their HELO.
    let facts = &context.config.case;
    let facts = facts.domain.as_deref().is_some_and(|of| crate::parse::domain_name(of) == domain).then_some(facts);
    let mut given: Vec<IpAddr> = args.ips.iter().map(IpAddr::to_canonical).collect();
    given.extend(facts.iter().flat_map(|facts| &facts.ips).map(IpAddr::to_canonical));
    let mut ips: Vec<CheckedIp> = Vec::new();
    for ip in &given {
        if !ips.iter().chain(&subject.ips).any(|one| one.ip == *ip) {
            ips.push(CheckedIp { ip: *ip, messages: None, mail_from: Vec::new() });
        }
    }
    ips.append(&mut subject.ips);
    subject.ips = ips;
    if let Some(helo) = args.helo.as_ref().or_else(|| facts.and_then(|facts| facts.helo.as_ref())) {
        // A name belongs to the hosts that are named with it; where none is, to all.
        let greets = |one: &&CheckedIp| given.is_empty() || given.contains(&one.ip);
        subject.helo = subject.ips.iter().filter(greets).map(|one| (one.ip, helo.clone())).collect();
    }
    for written in &args.selectors {
        let (selector, at) = written.split_once('@').unwrap_or((written, domain));
        let at = crate::parse::domain_name(at).into_owned();
        if !subject.selectors.iter().any(|one| one.selector.eq_ignore_ascii_case(selector) && one.domain == at) {
            let selector = selector.to_owned();
            subject.selectors.push(CheckedKey { domain: at, selector, messages: None, passing: false, key: None });
        }
    }
    Ok(subject)
}
