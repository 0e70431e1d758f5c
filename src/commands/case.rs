//! `case`: the evidence file of one escalation, as Markdown, HTML or JSON; its ticket; its grade.

use std::net::IpAddr;
use std::path::PathBuf;

use anyhow::{Context as _, bail};
use chrono::Utc;

use super::{Context, Exit, Usage};
use crate::case::{Facts, Grade, Question, TEMPLATE, build, html, layout, markdown, ticket};
use crate::evidence::Gateways;
use crate::print::Format;
use crate::query::{DayArgs, Expected};
use crate::replace::replace_file;

/// Arguments of `case`.
#[derive(Debug, clap::Args)]
pub struct CaseArgs {
    /// Gateway that defers: proofpoint, mimecast, microsoft365, … [default: the facts', else the only one with reputation answers]
    #[arg(long, value_name = "GATEWAY")]
    pub gateway: Option<String>,
    /// Sending address; may be given again [default: the facts', else those that logs and responses name]
    #[arg(long = "ip", value_name = "ADDRESS")]
    pub ips: Vec<IpAddr>,
    /// The one domain of the case [default: the facts']
    #[arg(long, value_name = "DOMAIN")]
    pub domain: Option<String>,
    /// The period.
    #[command(flatten)]
    pub period: DayArgs,
    /// What only you know: account, consent, actions … [default: `case` in the config]
    #[arg(long, value_name = "FILE")]
    pub facts: Option<PathBuf>,
    /// Write a facts file with every key explained, and nothing else
    #[arg(long)]
    pub facts_template: bool,
    /// Write the short text for a support desk's form
    #[arg(long, conflicts_with_all = ["html", "check"])]
    pub ticket: bool,
    /// Write the case as one self-contained HTML page
    #[arg(long)]
    pub html: bool,
    /// Grade the case (strong, arguable, weak) and say why; exit with status 3 where it should not be sent yet
    #[arg(long)]
    pub check: bool,
    /// Write to a file, in place of an earlier case; its ending (.md, .html, .json) says the form
    #[arg(short, long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Show recipients of the samples, and addresses inside responses, as the store has them
    #[arg(long)]
    pub show_recipients: bool,
}

/// Runs `case`.
pub(super) fn run(context: &Context, args: &CaseArgs) -> anyhow::Result<Exit> {
    if args.facts_template {
        context.output.raw(TEMPLATE.as_bytes())?;
        return Ok(Exit::Done);
    }
    let mut facts = match &args.facts {
        Some(path) => Facts::read(path)?,
        None => context.config.case.clone(),
    };
    // Another domain's account, consent and look-ups are no facts of this case.
    let name = |domain: &str| crate::parse::domain_name(domain).into_owned();
    if let (Some(asked), Some(stated)) = (&args.domain, &facts.domain)
        && name(asked) != name(stated)
    {
        match &args.facts {
            Some(path) => bail!("{}: these facts are about {stated}, and the case is about {asked}", path.display()),
            None => tracing::warn!("[case] of the config is about {stated}: none of its facts count for {asked}"),
        }
        facts = Facts::default();
    }
    if !args.ips.is_empty() {
        facts.ips.clone_from(&args.ips);
    }
    facts.domain = args.domain.clone().or(facts.domain);
    if let (Some(tenant), Some(domain)) = (&context.tenant, &facts.domain)
        && !tenant.owns(&crate::parse::domain_name(domain))
    {
        bail!("{domain} is no domain of the tenant `{}`", tenant.name);
    }
    facts.gateway = args.gateway.clone().or(facts.gateway);
    let days = args.period.days(context.today)?;
    let gateways = Gateways::with(&context.config.gateway)?;
    drop(context.read_judged(&gateways)?);
    let store = context.read_attributed(days.as_of)?;
    let question = Question {
        facts: &facts,
        days,
        now: Utc::now(),
        expected: Expected { domains: &context.config.domain, gaps: &context.config.gaps },
        gateways: &gateways,
        show_recipients: args.show_recipients,
        flags: context.given_flags(),
    };
    let case = build(store.connection(), &question)?;
    let ending = args.out.as_ref().and_then(|path| path.extension()).and_then(|ending| ending.to_str());
    if args.html && ending.is_some_and(|ending| !matches!(ending, "html" | "htm")) {
        bail!(Usage("--html writes a page: name the file .html, or leave out --html".to_owned()));
    }
    let form = match ending {
        Some("html" | "htm") => "html",
        Some("json") => "json",
        Some("md" | "markdown") => "markdown",
        Some(other) => bail!(Usage(format!("`.{other}` is no form of a case: write to .md, .html or .json"))),
        None if args.html => "html",
        None if context.output.format == Format::Json => "json",
        None => "markdown",
    };
    let text = if args.ticket {
        ticket(&case)
    } else if args.check && form != "json" && args.out.is_none() && !args.html {
        let reasons: String =
            case.grade_reasons.iter().map(|reason| format!("- {}\n", crate::words::plain(reason))).collect();
        format!("{}\n{reasons}", case.grade.word())
    } else {
        match form {
            "html" => html(&layout(&case)).context("writing the case as HTML")?,
            "json" => serde_json::to_string_pretty(&case).context("writing the case as JSON")? + "\n",
            _ => markdown(&layout(&case)),
        }
    };
    match &args.out {
        Some(path) => {
            replace_file(path, text.as_bytes(), false).with_context(|| format!("writing {}", path.display()))?;
        }
        None => context.output.raw(text.as_bytes())?,
    }
    Ok(if args.check && case.grade == Grade::Weak { Exit::Findings } else { Exit::Done })
}
