//! The closed word lists of a report, and what each word is in text and in the store.
//!
//! Every list is read case-insensitively. A word outside its list stays unknown (`None`), and unknown is never pass.

/// Declares a word list: the variants, the words that the standards use, and the number in the store.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $number:literal, $word:literal;)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum $name { $($(#[$vdoc])* $variant = $number,)+ }

        impl $name {
            /// Every word of the list, in the order of the numbers.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// Returns the word as the standards write it.
            pub const fn word(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }

            /// Returns the number that stands for the word in the store.
            pub const fn number(self) -> u8 {
                self as u8
            }

            /// Reads exactly the words of the standards, in any case.
            pub fn from_word(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|w| w.word().eq_ignore_ascii_case(word))
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.word())
            }
        }
    };
}

words! {
    /// What the receiver did (RFC 7489 appendix C `DispositionType`; `pass` is new in RFC 9990).
    Disposition {
        /// Delivered as if there were no policy.
        None = 0, "none";
        /// Treated as suspicious.
        Quarantine = 1, "quarantine";
        /// Refused.
        Reject = 2, "reject";
        /// DMARC passed, so that no policy applied (RFC 9990).
        Pass = 3, "pass";
    }
}

words! {
    /// A published policy (`p`, `sp`, `np`), mildest first.
    #[derive(serde::Serialize, schemars::JsonSchema, clap::ValueEnum)]
    #[serde(rename_all = "lowercase")]
    PolicyWord {
        /// Monitoring only.
        None = 0, "none";
        /// Asks receivers to treat failing mail as suspicious.
        Quarantine = 1, "quarantine";
        /// Asks receivers to refuse failing mail.
        Reject = 2, "reject";
    }
}

words! {
    /// An alignment mode (`adkim`, `aspf`).
    #[derive(serde::Serialize, schemars::JsonSchema, clap::ValueEnum)]
    Alignment {
        /// Relaxed: the organisational domains must be the same.
        #[serde(rename = "r")]
        #[value(name = "r", alias = "relaxed")]
        Relaxed = 0, "r";
        /// Strict: the domains must be the same.
        #[serde(rename = "s")]
        #[value(name = "s", alias = "strict")]
        Strict = 1, "s";
    }
}

words! {
    /// A DKIM or SPF result (RFC 8601 section 2.7; `policy` of SPF is new in RFC 9990).
    AuthResult {
        /// Not signed, or no SPF record.
        None = 0, "none";
        /// Authenticated.
        Pass = 1, "pass";
        /// Signature broken, or host not permitted.
        Fail = 2, "fail";
        /// Signature good, refused by local policy.
        Policy = 3, "policy";
        /// No assertion either way.
        Neutral = 4, "neutral";
        /// Host probably not permitted (SPF only).
        Softfail = 5, "softfail";
        /// A passing fault, DNS mostly.
        Temperror = 6, "temperror";
        /// A lasting fault: key or record missing or bad.
        Permerror = 7, "permerror";
    }
}
