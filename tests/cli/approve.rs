//! `senders approve`: what it writes, what it leaves alone, what it refuses.

use std::path::PathBuf;
use std::process::Output;

use crate::story::{self, streams};
use crate::support::{World, samples};

/// A config whose comments and spacing somebody cares about.
const CONFIG: &str = "\
# Ours.
[store]   # where it is
path = 'store.duckdb'

[[sender]]
name = 'mta' # two servers
ips  = ['192.0.2.10', '192.0.2.11']
from = ['northwind.example']

# Expected.
[[domain]]
name = 'northwind.example'
# The end.
";

struct Approving {
    world: World,
}

impl Approving {
    /// The sample story under [`CONFIG`].
    fn new() -> Self {
        let this = Self { world: World::new() };
        std::fs::write(this.config(), CONFIG).unwrap();
        this.world.import(&samples().join("rua"));
        this
    }

    fn config(&self) -> PathBuf {
        self.world.path("dmarcase.toml")
    }

    fn written(&self) -> String {
        std::fs::read_to_string(self.config()).unwrap()
    }

    /// Approves, and returns the text that was added before `# Expected.`; the rest must be as it was.
    fn added(&self, args: &[&str]) -> String {
        let output = self.run(args);
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        let (before, after) = CONFIG.split_once("\n# Expected.").unwrap();
        let written = self.written();
        let rest = written.strip_prefix(before).unwrap_or_else(|| panic!("{written}"));
        rest.strip_suffix(&format!("\n# Expected.{after}")).unwrap_or_else(|| panic!("{written}")).to_owned()
    }

    fn run(&self, args: &[&str]) -> Output {
        self.world.run(&[&["senders", "approve", "--as-of", story::AS_OF], args].concat())
    }

    /// A refusal: exit status 1, nothing written; returns what is said.
    fn refused(&self, args: &[&str]) -> String {
        let before = self.written();
        let output = self.run(args);
        assert_eq!(output.status.code(), Some(1), "{args:?}");
        assert_eq!(self.written(), before, "{args:?}");
        String::from_utf8(output.stderr).unwrap()
    }

    fn row(&self, sender: &str) -> (String, u64) {
        let answer = self.world.json(&["senders", "--as-of", story::AS_OF]);
        let rows = answer["rows"].as_array().unwrap();
        let row = rows.iter().find(|row| row["sender"] == sender).unwrap_or_else(|| panic!("no {sender}"));
        (row["status"].as_str().unwrap().to_owned(), row["messages"].as_u64().unwrap())
    }
}

#[test]
fn an_unknown_sender_is_approved_by_what_names_it() {
    let approving = Approving::new();
    let added = approving.added(&[
        "crm-suite.example",
        "--name",
        "crm",
        "--owner",
        "sales@northwind.example",
        "--note",
        "the \"old\" one",
        "--until",
        "2027-06-30",
    ]);
    let expected = "
[[sender]]
name = \"crm\"
owner = \"sales@northwind.example\"
note = 'the \"old\" one'
dkim = [{ domain = \"crm-suite.example\" }]
approved_until = 2027-06-30
";
    assert_eq!(added, expected);
    assert_eq!(approving.row("crm"), ("approved".to_owned(), streams::CRM));
}

#[test]
fn it_says_whose_mail_it_takes_over() {
    let approving = Approving::new();
    let answer = approving.world.json(&["senders", "approve", "twilio sendgrid", "--as-of", story::AS_OF]);
    assert_eq!(answer["sender"], "Twilio SendGrid", "the catalogue's own spelling");
    let taken = &answer["taken_over"][0];
    assert_eq!((&taken["sender"], &taken["status"]), (&"Twilio SendGrid".into(), &"recognised".into()));
    assert_eq!((&taken["messages"], &taken["sources"]), (&streams::TRIAL.into(), &2.into()));
    assert_eq!(answer["taken_over"].as_array().unwrap().len(), 1);
    assert!(answer["rule"].as_str().unwrap().contains("service = \"Twilio SendGrid\""));
    assert_eq!(approving.row("Twilio SendGrid"), ("approved".to_owned(), streams::TRIAL));
}

/// A dry run tells the same as the approval does, and neither the config nor the store is changed by it.
#[test]
fn a_dry_run_says_whose_mail_it_would_take_over() {
    let approving = Approving::new();
    let approve = ["senders", "approve", "twilio sendgrid", "--as-of", story::AS_OF];
    let before = approving.row("Twilio SendGrid");
    let tried = approving.world.json(&[&approve[..], &["--dry-run"]].concat());
    assert_eq!(tried["taken_over"][0]["messages"], streams::TRIAL);
    assert_eq!((approving.written().as_str(), approving.row("Twilio SendGrid")), (CONFIG, before));
    let text = approving.world.text(&[&approve[..], &["--dry-run"]].concat());
    assert!(text.contains("would have") && text.trim_end().ends_with("Nothing is written."), "{text}");
    assert_eq!(approving.world.json(&approve)["taken_over"], tried["taken_over"]);
}

#[test]
fn an_address_a_network_and_a_domain() {
    let approving = Approving::new();
    let rule = |args: &[&str]| {
        let output = approving.world.json(&[&["senders", "approve", "--dry-run"], args].concat());
        output["rule"].as_str().unwrap().to_owned()
    };
    assert_eq!(rule(&["198.51.100.77"]), "[[sender]]\nname = \"198.51.100.77\"\nips = [\"198.51.100.77\"]\n");
    assert_eq!(
        rule(&["2001:db8:5::/48", "--name", "six", "--from", "*.a.example"]),
        "[[sender]]\nname = \"six\"\nips = [\"2001:db8:5::/48\"]\nfrom = [\"*.a.example\"]\n"
    );
    assert_eq!(
        rule(&["*.Mailer.Example", "--since", "2026-01-02"]),
        "[[sender]]\nname = \"*.Mailer.Example\"\ndkim = [{ domain = \"*.mailer.example\" }]\nspf = [\"*.mailer.example\"]\n\
         since = 2026-01-02\n"
    );
    assert_eq!(approving.written(), CONFIG, "a dry run writes nothing");
    let invoicing = approving.added(&["198.51.100.77", "--name", "invoicing"]);
    assert_eq!(invoicing, "\n[[sender]]\nname = \"invoicing\"\nips = [\"198.51.100.77\"]\n");
    assert_eq!(approving.row("invoicing"), ("approved".to_owned(), streams::INVOICING));
}

/// Own mail that no rule claims is named by its key: the rule holds the selector, not the whole domain.
#[test]
fn own_mail_is_approved_by_its_selector() {
    let approving = Approving::new();
    std::fs::write(approving.config(), "").unwrap();
    let answer = approving.world.json(&[
        "senders",
        "approve",
        "northwind.example (selector s2026)",
        "--as-of",
        story::AS_OF,
        "--name",
        "servers",
    ]);
    assert_eq!(
        answer["rule"],
        "[[sender]]\nname = \"servers\"\ndkim = [{ domain = \"northwind.example\", selectors = [\"s2026\"] }]\n"
    );
    assert_eq!(approving.row("servers").0, "approved");
}

#[test]
fn doubles_are_refused_and_nothing_is_written() {
    let approving = Approving::new();
    let of_mta = approving.refused(&["192.0.2.10"]);
    assert!(of_mta.contains("`mta`") && of_mta.contains("192.0.2.10") && of_mta.contains("--from"), "{of_mta}");
    let name = approving.refused(&["203.0.113.1", "--name", "MTA"]);
    assert!(name.contains("`mta`") && name.contains("--name"), "{name}");
    assert!(approving.refused(&["mta"]).contains("approved already"));
    let nothing = approving.refused(&["sendgird"]);
    assert!(nothing.contains("did you mean `Twilio SendGrid`?"), "{nothing}");
    assert!(
        approving
            .refused(&["a.example", "--since", "2026-02-01", "--until", "2026-01-01"])
            .contains("before it begins")
    );
    assert!(approving.refused(&["a.example", "--service", "Sendgrid"]).contains("Twilio SendGrid"));
    let network = "\n[[sender]]\nname = \"192.0.2.0/24\"\nips = [\"192.0.2.0/24\"]\n";
    assert_eq!(approving.added(&["192.0.2.0/24"]), network);
    let inside = approving.refused(&["192.0.2.77"]);
    assert!(inside.contains("`192.0.2.0/24`") && inside.contains("--name"), "{inside}");
    assert!(approving.run(&["192.0.2.77", "--name", "scanner"]).status.success(), "a sender of its own is no double");
}

#[test]
fn an_approval_that_ran_out_says_so() {
    let approving = Approving::new();
    let config = format!("{CONFIG}[[sender]]\nname = 'old'\nspf = ['b.example']\napproved_until = 2026-01-31\n");
    std::fs::write(approving.config(), config).unwrap();
    let said = approving.refused(&["b.example", "--name", "new"]);
    assert!(said.contains("`old`") && said.contains("2026-01-31"), "{said}");
    assert!(approving.run(&["b.example", "--name", "new", "--since", "2026-02-01"]).status.success());
    let said = approving.refused(&["192.0.2.78", "--name", "late", "--until", "2020-01-01"]);
    assert!(said.contains("2020-01-01 already"), "{said}");
    let said = approving.refused(&["2001:db8:5::1/48"]);
    assert!(said.contains("write 2001:db8:5::/48 or 2001:db8:5::1"), "{said}");
    let said = approving.refused(&["198.51.100.77-99"]);
    assert!(said.contains("`198.51.100.77-99` is no sender"), "{said}");
}

/// The sender's list may be written inline, and the file's mode is the operator's.
#[cfg(unix)]
#[test]
fn an_inline_list_and_the_files_mode_stay() {
    use std::os::unix::fs::PermissionsExt;
    let approving = Approving::new();
    std::fs::write(approving.config(), "sender = [{ name = 'a', ips = ['192.0.2.1'] }] # inline\n").unwrap();
    std::fs::set_permissions(approving.config(), std::fs::Permissions::from_mode(0o640)).unwrap();
    assert!(approving.run(&["203.0.113.9"]).status.success());
    let text = approving.written();
    assert!(text.contains("{ name = \"203.0.113.9\", ips = [\"203.0.113.9\"] }] # inline"), "{text}");
    assert_eq!(std::fs::metadata(approving.config()).unwrap().permissions().mode() & 0o777, 0o640);
    let beside = std::fs::read_dir(approving.config().parent().unwrap()).unwrap();
    let left: Vec<_> =
        beside.filter_map(|e| e.unwrap().file_name().into_string().ok()).filter(|n| n.ends_with(".new")).collect();
    assert_eq!(left, Vec::<String>::new());
}

#[test]
fn without_a_config_the_users_own_is_made() {
    let world = World::new();
    let path = world.path("config/dmarcase/dmarcase.toml");
    let dry = world.text(&["senders", "approve", "a.example", "--dry-run"]);
    assert!(dry.contains(path.to_str().unwrap()) && dry.contains("a new file"), "{dry}");
    assert!(!path.exists());
    let answer = world.json(&["senders", "approve", "a.example"]);
    assert_eq!((&answer["new_file"], &answer["config"]), (&true.into(), &path.to_str().unwrap().into()));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), answer["rule"].as_str().unwrap());
    assert_eq!(world.json(&["config", "check"])["path"], path.to_str().unwrap());
}
