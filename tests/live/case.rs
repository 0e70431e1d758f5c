//! Part 6 of the case: what was checked, when, and what to run for the rest.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::name_server::NameServer;
use crate::schema::kept;

struct World {
    folder: tempfile::TempDir,
}

fn samples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("sample_reports")
}

impl World {
    fn new(server: &NameServer) -> Self {
        let world = Self { folder: tempfile::tempdir().unwrap() };
        let config = std::fs::read_to_string(samples().join("dmarcase.toml")).unwrap();
        let lists = "blocklists = ['bl.example']\ndomain_blocklists = []\n";
        std::fs::write(world.folder.path().join("c.toml"), format!("{config}\n{}{lists}", server.toml())).unwrap();
        world.run(&["import", samples().join("rua").to_str().unwrap()]);
        world.run(&["delivery", "import", samples().join("delivery").to_str().unwrap()]);
        world
    }

    fn run(&self, args: &[&str]) -> String {
        let path = |name: &str| self.folder.path().join(name);
        let mut command = Command::new(env!("CARGO_BIN_EXE_dmarcase"));
        command.arg("--db").arg(path("s.duckdb")).arg("--config").arg(path("c.toml")).args(args);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    fn case(&self, flags: &[&str]) -> String {
        self.run(&[&["case", "--domain", "northwind.example", "--ip", "192.0.2.10"], flags].concat())
    }
}

const ZONE: &str = "
northwind.example TXT v=spf1 ip4:192.0.2.0/27 -all
northwind.example MX 10 mx.northwind.example.
_dmarc.northwind.example TXT v=DMARC1; p=none; rua=mailto:rua@northwind.example
192.0.2.10 PTR mx1.northwind.example.
mx1.northwind.example A 192.0.2.10
2.0.0.127.bl.example A 127.0.0.2
";

#[test]
fn the_case_names_what_was_checked_and_how_to_check_the_rest() {
    let server = NameServer::start(ZONE);
    let world = World::new(&server);
    let before = world.case(&[]);
    let told = before
        .lines()
        .any(|line| line.contains("| run: dmarcase ") && line.contains(" check northwind.example --ip 192.0.2.10 |"));
    assert!(told, "{before}");
    world.run(&["check", "northwind.example", "--ip", "192.0.2.10"]);
    let case: Value = kept(&["case"], serde_json::from_str(&world.case(&["--format", "json"])).unwrap());
    let row = |subject: &str, name: &str| {
        let rows = case["dns"]["findings"].as_array().unwrap();
        rows.iter().find(|row| row["subject"] == subject && row["name"] == name).cloned().unwrap_or_default()
    };
    assert_eq!(row("192.0.2.10", "reverse DNS")["state"], "ok", "{case:#}");
    assert_eq!(row("192.0.2.10", "bl.example")["detail"], "not listed at that time");
    let policy = row("northwind.example", "DMARC policy");
    assert_eq!(
        (&policy["state"], &policy["severity"], &policy["gap"]),
        (&"defect".into(), &"notice".into(), &"G01".into())
    );
    assert!(row("northwind.example", "SPF record")["detail"].as_str().unwrap().contains("v=spf1 ip4:192.0.2.0/27"));
    let step =
        case["readiness"].as_array().unwrap().iter().find(|step| step["step"] == "listings checked").unwrap().clone();
    assert!(!step["because"].as_str().unwrap().contains("blocklists not checked"), "{step}");
    let today = chrono::Utc::now().format("%Y-%m-%d").to_string();
    let after = world.case(&[]);
    assert!(
        after.contains(&today) && after.contains("v=spf1 ip4:192.0.2.0/27") && !after.contains("| not checked |"),
        "{after}"
    );
    // The DKIM keys of the story are not in the zone: a defect, and it is told.
    let weak = case["weak_points"].as_array().unwrap();
    let key = weak.iter().find(|point| point["evidence"].as_str().unwrap().contains("DKIM key")).unwrap();
    assert_eq!(key["severity"], "high", "{key}");
    // The helo of the facts is asked for where no check knows it.
    let facts = world.folder.path().join("facts.toml");
    std::fs::write(&facts, "[case]\nhelo = 'mx1.northwind.example'\n").unwrap();
    let with_helo = world.case(&["--facts", facts.to_str().unwrap()]);
    assert!(with_helo.contains(" check northwind.example --ip 192.0.2.10 --helo mx1.northwind.example"));
    // In a month, the check is old, and said to be.
    let later = (chrono::Utc::now().date_naive() + chrono::Days::new(40)).to_string();
    assert!(world.case(&["--as-of", &later]).contains("checked long ago: 192.0.2.10 ("));
}
