//! `simulate`: what a stricter policy would have done to the mail of the period.

use super::{Context, Exit};
use crate::parse::{Alignment, PolicyWord};
use crate::query::{AskedPolicy, PeriodArgs, Scope, simulate};

/// Arguments of `simulate`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Every message is judged again by its auth_results; what fails meets the policy, unless the receiver has a reason of its \
own to let it through. What is not asked stays as each domain publishes it; sp follows p where it does so now. With no \
policy at all, p=reject and sp=reject are tried. Newly hit is what was not treated so already, and a domain is ready where little \
of its own mail is. Whether a sender is steady or came and went is judged by all that the store holds of it up to \
--as-of, not by the period alone; with fewer than seven report days since the domain's first, nobody can tell, and the \
domain is not ready. \
Reports do not say whether a subdomain exists, so np is not applied.
  dmarcase simulate --p quarantine --domain example.com
  dmarcase simulate --p reject --adkim s --since 3mo --check")]
pub struct SimulateArgs {
    /// Policy of the domain
    #[arg(long, value_enum, value_name = "POLICY")]
    pub p: Option<PolicyWord>,
    /// Policy of its subdomains
    #[arg(long, value_enum, value_name = "POLICY")]
    pub sp: Option<PolicyWord>,
    /// DKIM alignment: r (relaxed) or s (strict)
    #[arg(long, value_enum, value_name = "MODE")]
    pub adkim: Option<Alignment>,
    /// SPF alignment: r (relaxed) or s (strict)
    #[arg(long, value_enum, value_name = "MODE")]
    pub aspf: Option<Alignment>,
    /// Percent of the failing mail that the policy is asked for; the rest gets the next milder one [default: 100]
    #[arg(long, value_parser = clap::value_parser!(u8).range(0..=100), value_name = "PERCENT")]
    pub pct: Option<u8>,
    /// Exit with status 3 where a domain is not ready
    #[arg(long)]
    pub check: bool,
    /// The period and the domains.
    #[command(flatten)]
    pub period: PeriodArgs,
}

/// Runs `simulate`.
pub(super) fn run(context: &Context, args: &SimulateArgs) -> anyhow::Result<Exit> {
    let mut asked = AskedPolicy { p: args.p, sp: args.sp, adkim: args.adkim, aspf: args.aspf, pct: args.pct };
    if asked == (AskedPolicy { pct: args.pct, ..AskedPolicy::default() }) {
        (asked.p, asked.sp) = (Some(PolicyWord::Reject), Some(PolicyWord::Reject));
    }
    let store = context.read_attributed(args.period.days.as_of.unwrap_or(context.today))?;
    let scope = Scope::resolve(store.connection(), &args.period, context.today)?;
    let tolerance = 1.0 - context.config.gaps.approved_pass_rate;
    let simulation = simulate(store.connection(), &scope, asked, tolerance)?;
    context.answer(&simulation)?;
    Ok(if args.check && !simulation.ready { Exit::Findings } else { Exit::Done })
}
