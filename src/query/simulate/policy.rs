//! The policy that is asked for, and what it makes of the one that a domain publishes.

use std::fmt;

use schemars::JsonSchema;
use serde::Serialize;

use crate::parse::{Alignment, PolicyWord};
use crate::query::policy::Policy;

/// The tags that are asked for; the others stay as published.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct AskedPolicy {
    /// Policy of the domain.
    pub p: Option<PolicyWord>,
    /// Policy of its subdomains.
    pub sp: Option<PolicyWord>,
    /// DKIM alignment.
    pub adkim: Option<Alignment>,
    /// SPF alignment.
    pub aspf: Option<Alignment>,
    /// Part of the failing mail that the policy is asked for, percent.
    pub pct: Option<u8>,
}

/// One policy, with every default filled in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tags {
    pub(super) p: PolicyWord,
    pub(super) sp: PolicyWord,
    pub(super) strict_dkim: bool,
    pub(super) strict_spf: bool,
    pub(super) pct: u8,
    pub(super) testing: bool,
}

impl fmt::Display for Tags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "p={}", self.p)?;
        if self.sp != self.p {
            write!(f, "; sp={}", self.sp)?;
        }
        for (tag, strict) in [("adkim", self.strict_dkim), ("aspf", self.strict_spf)] {
            if strict {
                write!(f, "; {tag}=s")?;
            }
        }
        if self.pct < 100 {
            write!(f, "; pct={}", self.pct)?;
        }
        f.write_str(if self.testing { "; t=y" } else { "" })
    }
}

/// The policy of a domain now and then.
#[derive(Clone, Debug)]
pub(super) struct Both {
    pub(super) domain: String,
    /// Some report says what it is; else it is taken for none.
    pub(super) known: bool,
    pub(super) now: Tags,
    pub(super) then: Tags,
}

impl Both {
    /// Works out what the asked tags make of a published policy. `sp` follows `p` where it does so now; sampling and
    /// testing end, unless they are asked for.
    pub(super) fn new(published: Policy, asked: &AskedPolicy) -> Self {
        let p = published.p.unwrap_or(PolicyWord::None);
        let now = Tags {
            p,
            sp: published.sp.unwrap_or(p),
            strict_dkim: published.strict_dkim,
            strict_spf: published.strict_spf,
            pct: published.pct,
            testing: published.testing,
        };
        let p = asked.p.unwrap_or(now.p);
        let strict = |asked: Option<Alignment>, now: bool| asked.map_or(now, |mode| mode == Alignment::Strict);
        let then = Tags {
            p,
            sp: asked.sp.unwrap_or(if now.sp == now.p { p } else { now.sp }),
            strict_dkim: strict(asked.adkim, now.strict_dkim),
            strict_spf: strict(asked.aspf, now.strict_spf),
            pct: asked.pct.unwrap_or(100),
            testing: false,
        };
        Self { domain: published.domain, known: published.p.is_some(), now, then }
    }

    /// Returns what the domain publishes, in words.
    pub(super) fn published(&self) -> String {
        if self.known { self.now.to_string() } else { "a policy that no report names".to_owned() }
    }
}
