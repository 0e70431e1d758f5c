//! `senders approve`: a sender becomes a `[[sender]]` rule of the config.

use std::path::PathBuf;

use anyhow::{Context as _, bail};
use chrono::NaiveDate;
use schemars::JsonSchema;
use serde::Serialize;

use super::{Context, Exit};
use crate::config::{Config, DkimRule, DomainPattern, Network, SenderRule, add_sender, save};
use crate::query::{NamedSender, TakenOver, date, named_sender, remember_senders, taken_over};
use crate::senders::{Catalogue, attribute, hold_evidence, hold_service, nearest_service, on_trial};
use crate::store::{Access, Store};
use crate::words;

/// Arguments of `senders approve`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
A name is taken from `dmarcase senders` or the catalogue: the rule then holds what names it. An address or network \
approves that network; a domain approves mail that passes DKIM or SPF as it.
  dmarcase senders approve 'Twilio SendGrid' --name newsletter --owner marketing@example.com
  dmarcase senders approve 192.0.2.0/28 --name mta --from example.com
  dmarcase senders approve '*.crm.example' --until 2027-06-30 --dry-run")]
pub struct ApproveArgs {
    /// A sender by its name, an address or network, or a DKIM or SPF domain
    #[arg(value_name = "NAME|IP|DOMAIN")]
    pub what: String,
    /// The rule's name in every answer [default: what is approved]
    #[arg(long)]
    pub name: Option<String>,
    /// Who answers for it
    #[arg(long)]
    pub owner: Option<String>,
    /// The public service behind it: a name of the catalogue
    #[arg(long)]
    pub service: Option<String>,
    /// Free text
    #[arg(long)]
    pub note: Option<String>,
    /// From domain that it may use; may be given again [default: any]
    #[arg(long, value_name = "DOMAIN")]
    pub from: Vec<String>,
    /// First day of the approval
    #[arg(long, value_name = "DATE", value_parser = date)]
    pub since: Option<NaiveDate>,
    /// Last day of the approval: approved_until
    #[arg(long, value_name = "DATE", value_parser = date)]
    pub until: Option<NaiveDate>,
    /// The day that counts as today
    #[arg(long, value_name = "DATE", value_parser = date)]
    pub as_of: Option<NaiveDate>,
    /// Show the rule and write nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// What approving a sender did.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ApproveAnswer {
    /// The rule's name.
    pub sender: String,
    /// The config's file.
    pub config: String,
    /// The file was not there before.
    pub new_file: bool,
    /// Nothing was written.
    pub dry_run: bool,
    /// The rule, as TOML.
    pub rule: String,
    /// Whose mail the sender has now (or would have), as it was attributed before; null where the store was not asked.
    pub taken_over: Option<Vec<TakenOver>>,
}

/// Runs `senders approve`.
///
/// # Errors
/// Nothing has that name, it is approved already, or the config cannot be written; nothing is half-done.
pub(super) fn run(context: &Context, args: &ApproveArgs) -> anyhow::Result<Exit> {
    let as_of = args.as_of.unwrap_or(context.today);
    let rule = rule(context, args, as_of)?;
    refuse_doubles(&context.config, &rule, args, as_of)?;
    let path = context.config.path.clone().unwrap_or_else(Config::new_path);
    let new_file = context.config.path.is_none();
    if new_file && path.exists() {
        bail!("{} is there, but not in use: name it with --config", path.display());
    }
    let text = if new_file {
        String::new()
    } else {
        std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?
    };
    let (text, lines) = add_sender(&text, &rule).map_err(|fault| {
        anyhow::anyhow!("{}: the rule cannot stand there: {fault}; nothing is written", path.display())
    })?;
    let done = if args.dry_run { "nothing is written" } else { "the rule is written" };
    let taken_over = if args.dry_run {
        trial(context, &text, &rule.name, as_of)
    } else {
        save(&path, &text)?;
        reattribute(context, &path, &rule.name, as_of)
    };
    // A store that cannot be asked is attributed by the next command.
    let taken_over = taken_over.unwrap_or_else(|error| {
        tracing::warn!("{done}, but the store cannot say whose mail this is: {}", words::told(&error));
        None
    });
    let config = std::path::absolute(&path).unwrap_or(path).display().to_string();
    context.answer(&ApproveAnswer {
        sender: rule.name,
        config,
        new_file,
        dry_run: args.dry_run,
        rule: lines,
        taken_over,
    })?;
    Ok(Exit::Done)
}

fn reattribute(
    context: &Context,
    path: &std::path::Path,
    sender: &str,
    as_of: NaiveDate,
) -> anyhow::Result<Option<Vec<TakenOver>>> {
    let Some(store) = remembered(context, as_of)? else { return Ok(None) };
    attribute(&store, &Config::read(path)?, as_of)?;
    Ok(Some(taken_over(store.connection(), sender, as_of)?))
}

/// Whose mail the sender would have, by a config that is not written.
fn trial(context: &Context, text: &str, sender: &str, as_of: NaiveDate) -> anyhow::Result<Option<Vec<TakenOver>>> {
    let Some(store) = remembered(context, as_of)? else { return Ok(None) };
    let config = Config::parse(text).map_err(anyhow::Error::msg)?;
    let found =
        on_trial(&store, &config, as_of, |connection| Ok::<_, anyhow::Error>(taken_over(connection, sender, as_of)?))?;
    Ok(Some(found))
}

/// Opens the store where it holds anything, with its senders remembered as they are.
fn remembered(context: &Context, as_of: NaiveDate) -> anyhow::Result<Option<Store>> {
    if !crate::store::is_there(&context.db)? {
        return Ok(None);
    }
    let store = Store::open(&context.db, Access::Write, context.wait)?;
    Ok(remember_senders(store.connection(), as_of)?.then_some(store))
}

fn rule(context: &Context, args: &ApproveArgs, as_of: NaiveDate) -> anyhow::Result<SenderRule> {
    let what = args.what.trim();
    let pattern = |text: &String| DomainPattern::try_from(text.clone()).map_err(anyhow::Error::msg);
    let mut rule = SenderRule {
        name: args.name.clone().unwrap_or_else(|| what.to_owned()),
        owner: args.owner.clone(),
        service: args.service.clone(),
        note: args.note.clone(),
        from: args.from.iter().map(pattern).collect::<Result<_, _>>()?,
        since: args.since,
        approved_until: args.until,
        ..SenderRule::default()
    };
    if let (Some(since), Some(until)) = (args.since, args.until)
        && until < since
    {
        bail!("the approval ends on {until}, before it begins on {since}");
    }
    if let Some(until) = args.until.filter(|until| *until < as_of) {
        bail!("the approval would have ended on {until} already: leave --until out, or name a later day");
    }
    if let Some(service) = &args.service
        && Catalogue::bundled().service(service).is_none()
    {
        bail!("the catalogue has no service `{service}`{}", nearest_service(service));
    }
    match Network::try_from(what.to_owned()) {
        Ok(network) => {
            rule.ips.push(network);
            return Ok(rule);
        }
        Err(fault) if what.parse::<ipnet::IpNet>().is_ok() => bail!(fault),
        Err(_) => {}
    }
    if let Some(found) = in_store(context, what, as_of)? {
        if found.status == "approved" {
            bail!("`{}` is approved already: a [[sender]] of the config has that name", found.name);
        }
        if args.name.is_none() {
            rule.name.clone_from(&found.name);
        }
        if found.status == "recognised" {
            hold_service(&mut rule, &found.name);
        } else {
            hold_evidence(&mut rule, &found.evidence);
        }
        return Ok(rule);
    }
    if let Some(fact) = Catalogue::bundled().service(what) {
        if args.name.is_none() {
            rule.name.clone_from(&fact.service);
        }
        hold_service(&mut rule, &fact.service);
        return Ok(rule);
    }
    let pattern = DomainPattern::try_from(what.to_owned()).ok().filter(|pattern| pattern.domain.contains('.'));
    let Some(pattern) = pattern else {
        bail!(
            "`{what}` is no sender that `dmarcase senders` shows, no service of the catalogue, no address or network and \
             no domain{}",
            nearest_service(what)
        );
    };
    rule.dkim.push(DkimRule { domain: pattern.clone(), selectors: Vec::new() });
    rule.spf.push(pattern);
    Ok(rule)
}

fn in_store(context: &Context, name: &str, as_of: NaiveDate) -> anyhow::Result<Option<NamedSender>> {
    if !crate::store::is_there(&context.db)? {
        return Ok(None);
    }
    let store = context.read_attributed(as_of)?;
    Ok(named_sender(store.connection(), name)?)
}

/// Refuses a name that is taken, and evidence that another rule holds. What two rules may not share at all is refused
/// when the config is read; here also what an operator would hardly want.
fn refuse_doubles(config: &Config, rule: &SenderRule, args: &ApproveArgs, as_of: NaiveDate) -> anyhow::Result<()> {
    let path = config.path.as_ref().map(|path: &PathBuf| path.display().to_string()).unwrap_or_default();
    if let Some(taken) = config.sender.iter().find(|other| other.name.eq_ignore_ascii_case(&rule.name)) {
        bail!("{path} has a [[sender]] `{}` already: change that rule, or give another --name", taken.name);
    }
    for other in &config.sender {
        let Some(claim) = rule.shares(other) else { continue };
        if other.holds_on(as_of) && args.from.is_empty() {
            let whose = if other.from.is_empty() {
                String::new()
            } else {
                let names: Vec<String> = other.from.iter().map(ToString::to_string).collect();
                format!(" for mail of {}; --from DOMAIN approves it for another domain", names.join(", "))
            };
            bail!("the sender `{}` of {path} claims {claim} already{whose}", other.name);
        }
        if let Some(until) = other.approved_until.filter(|until| *until < as_of)
            && args.since.is_none()
        {
            bail!(
                "the sender `{}` of {path} held {claim} until {until}: change its approved_until, or give --since a later day",
                other.name
            );
        }
    }
    if args.name.is_none() {
        for new in &rule.ips {
            let around = |other: &&SenderRule| {
                other.holds_on(as_of) && other.ips.iter().any(|network| network.0.contains(&new.0))
            };
            if let Some(other) = config.sender.iter().find(around) {
                bail!(
                    "{new} lies in a network of the sender `{}` of {path}, which is approved already; --name makes it a \
                     sender of its own",
                    other.name
                );
            }
        }
    }
    Ok(())
}
