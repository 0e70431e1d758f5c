//! Every limit on what strangers may make this program do, with its default and the reason for it.

use serde::{Deserialize, Serialize};

/// The limits of DESIGN §5. A rua address is public: anyone can mail it a bomb.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Bytes of one mail. Gateways refuse mails long before this.
    pub mail_bytes: u64,
    /// MIME parts that may hold documents in one mail, and members of one archive. One item gives no more than
    /// [`Limits::ALL_ARCHIVES`] times as many, however its archives lie in each other.
    pub attachments: u32,
    /// Containers inside containers: mail in mail, gzip in zip, and so on.
    pub nesting: u32,
    /// Bytes of one document after inflation.
    pub document_bytes: u64,
    /// Inflated bytes per packed byte, looked at only above [`Limits::RATIO_FROM`].
    pub ratio: u64,
    /// Records of one report.
    pub records: u32,
    /// Bytes of one text node, tag or comment.
    pub text_bytes: u32,
    /// Tags, comments and references of one document that are read one by one; those that are whole in themselves count as two.
    pub markup: u32,
}

impl Limits {
    /// Inflated size below which the ratio is not looked at: small documents compress well honestly.
    pub const RATIO_FROM: u64 = 16 << 20;

    /// How many full archives one item may amount to. Archives of archives would multiply without it.
    pub const ALL_ARCHIVES: u32 = 16;
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            mail_bytes: 64 << 20,
            attachments: 64,
            nesting: 4,
            document_bytes: 1 << 30,
            ratio: 200,
            records: 2_000_000,
            text_bytes: 64 << 10,
            markup: 60_000_000,
        }
    }
}
