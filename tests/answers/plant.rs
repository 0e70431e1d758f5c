//! Plants reports in a store of its own, and asks the program about them.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::Output;

use assert_cmd::Command;
use serde_json::Value;

use crate::schema::kept;

/// The day that counts as today.
pub const AS_OF: &str = "2026-06-30";

/// A store of planted reports.
pub struct Plant {
    pub folder: tempfile::TempDir,
    reports: usize,
    config: String,
}

/// One record. Start from [`aligned`].
#[derive(Clone, Debug)]
pub struct Record {
    pub ip: String,
    pub count: u64,
    pub disposition: &'static str,
    pub dkim: &'static str,
    pub spf: &'static str,
    pub header_from: String,
    /// Domain, selector, result.
    pub signatures: Vec<(String, &'static str, &'static str)>,
    /// Domain, result.
    pub mail_from: (String, &'static str),
    pub reason: Option<&'static str>,
}

/// A record of own mail that passes both ways.
pub fn aligned(domain: &str, ip: &str, count: u64) -> Record {
    Record {
        ip: ip.into(),
        count,
        disposition: "none",
        dkim: "pass",
        spf: "pass",
        header_from: domain.into(),
        signatures: vec![(domain.into(), "s1", "pass")],
        mail_from: (domain.into(), "pass"),
        reason: None,
    }
}

/// A record of mail that authenticates as somebody else.
pub fn foreign(domain: &str, ip: &str, count: u64, as_domain: &str) -> Record {
    Record {
        dkim: "fail",
        spf: "fail",
        signatures: vec![(as_domain.into(), "k1", "pass")],
        mail_from: (as_domain.into(), "pass"),
        ..aligned(domain, ip, count)
    }
}

/// A record of mail of which nothing passes.
pub fn spoofed(domain: &str, ip: &str, count: u64) -> Record {
    Record {
        dkim: "fail",
        spf: "fail",
        signatures: Vec::new(),
        mail_from: (domain.into(), "fail"),
        ..aligned(domain, ip, count)
    }
}

/// A policy that no gap is about.
pub const STRICT: &str = "<adkim>r</adkim><aspf>r</aspf><p>reject</p><sp>reject</sp><pct>100</pct>";

impl Plant {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("reports")).unwrap();
        let mut plant = Self { folder, reports: 0, config: String::new() };
        plant.config("");
        plant
    }

    /// Sets the config.
    pub fn config(&mut self, text: &str) -> &mut Self {
        self.config = text.to_owned();
        std::fs::write(self.config_path(), text).unwrap();
        self
    }

    pub fn config_path(&self) -> PathBuf {
        self.folder.path().join("dmarcase.toml")
    }

    /// Plants a report of one UTC day.
    pub fn report(&mut self, reporter: &str, domain: &str, day: &str, policy: &str, records: &[Record]) -> &mut Self {
        self.report_with(reporter, domain, day, policy, "", records)
    }

    /// Plants a report of one UTC day by RFC 9990.
    pub fn report_9990(
        &mut self,
        reporter: &str,
        domain: &str,
        day: &str,
        policy: &str,
        records: &[Record],
    ) -> &mut Self {
        let number = self.reports + 1;
        self.report(reporter, domain, day, policy, records);
        let path = self.folder.path().join(format!("reports/{number:05}.xml"));
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(path, text.replace("<feedback>", "<feedback xmlns=\"urn:ietf:params:xml:ns:dmarc-2.0\">"))
            .unwrap();
        self
    }

    /// Plants a report with more metadata.
    pub fn report_with(
        &mut self,
        reporter: &str,
        domain: &str,
        day: &str,
        policy: &str,
        metadata: &str,
        records: &[Record],
    ) -> &mut Self {
        self.reports += 1;
        let begin = day.parse::<chrono::NaiveDate>().unwrap().and_hms_opt(0, 0, 0).unwrap().and_utc().timestamp();
        let end = begin + 86_399;
        let mut xml = format!(
            "<?xml version=\"1.0\"?><feedback><version>1.0</version><report_metadata><org_name>{reporter}</org_name>\
             <email>dmarc@reporter.example</email><report_id>{}</report_id><date_range><begin>{begin}</begin>\
             <end>{end}</end></date_range>{metadata}</report_metadata><policy_published><domain>{domain}</domain>\
             {policy}</policy_published>",
            self.reports
        );
        for record in records {
            let reason = record.reason.map_or(String::new(), |kind| format!("<reason><type>{kind}</type></reason>"));
            write!(
                xml,
                "<record><row><source_ip>{}</source_ip><count>{}</count><policy_evaluated><disposition>{}</disposition>\
                 <dkim>{}</dkim><spf>{}</spf>{reason}</policy_evaluated></row><identifiers><header_from>{}</header_from>\
                 </identifiers><auth_results>",
                record.ip, record.count, record.disposition, record.dkim, record.spf, record.header_from
            )
            .unwrap();
            for (domain, selector, result) in &record.signatures {
                write!(
                    xml,
                    "<dkim><domain>{domain}</domain><selector>{selector}</selector><result>{result}</result></dkim>"
                )
                .unwrap();
            }
            let (domain, result) = &record.mail_from;
            write!(
                xml,
                "<spf><domain>{domain}</domain><scope>mfrom</scope><result>{result}</result></spf></auth_results></record>"
            )
            .unwrap();
        }
        xml.push_str("</feedback>");
        std::fs::write(self.folder.path().join(format!("reports/{:05}.xml", self.reports)), xml).unwrap();
        self
    }

    /// Runs the program on the store.
    pub fn run(&self, args: &[&str]) -> Output {
        Command::cargo_bin("dmarcase")
            .unwrap()
            .env_remove("DMARCASE_DB")
            .env_remove("DMARCASE_CONFIG")
            .arg("--db")
            .arg(self.folder.path().join("store.duckdb"))
            .arg("--config")
            .arg(self.config_path())
            .args(args)
            .output()
            .unwrap()
    }

    /// Imports what is planted.
    pub fn import(&self) -> &Self {
        let folder = self.folder.path().join("reports");
        let answer = self.json(&["import", folder.to_str().unwrap()]);
        assert_eq!(answer["rejected"], 0, "{answer}");
        assert_eq!(answer["reports_stored"], self.reports, "{answer}");
        self
    }

    /// Runs the program and reads its JSON; any exit status but success is a failure of the test.
    pub fn json(&self, args: &[&str]) -> Value {
        let output = self.run(&[&["--format", "json"], args].concat());
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        kept(args, serde_json::from_slice(&output.stdout).unwrap())
    }

    /// Runs the program and returns its text.
    pub fn text(&self, args: &[&str]) -> String {
        let output = self.run(args);
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Asserts that the statement by which each gap explains itself gives what `gaps` says: its domains and their messages.
    pub fn agrees(&self, args: &[&str]) {
        let mut statements = Vec::new();
        for number in 1..=22 {
            let gap = format!("G{number:02}");
            let one = self.json(&[&["gaps", "--explain", &gap], args].concat());
            let sql = one["sql"].as_str().unwrap().trim_end().trim_end_matches(';').to_owned();
            // Those about a policy or a reporter count no messages, and G22 counts what fails of them.
            let messages = match number {
                1..=5 | 15..=18 | 20 => "0",
                22 => "sum(failing)",
                _ => "sum(messages)",
            };
            statements.push(format!(
                "SELECT '{gap}' AS gap, policy_domain AS domain, {messages}::UBIGINT AS messages FROM (\n{sql}\n) GROUP BY ALL"
            ));
        }
        let told = self.json(&[&["gaps"], args].concat());
        let shown = self.json(&["sql", &statements.join("\nUNION ALL\n")]);
        let rows = |rows: &Value| {
            let text = |row: &Value, key: &str| row[key].as_str().unwrap().to_owned();
            let rows = rows.as_array().unwrap().iter();
            let mut rows: Vec<(String, String, u64)> =
                rows.map(|row| (text(row, "gap"), text(row, "domain"), row["messages"].as_u64().unwrap())).collect();
            rows.sort();
            rows
        };
        assert_eq!(rows(&shown), rows(&told["rows"]), "what the statements show, and what `gaps` says");
    }

    /// Asks for the gaps: id, severity, messages of each row of a domain, by id.
    pub fn gaps(&self, domain: &str) -> Vec<(String, String, u64)> {
        let answer = self.json(&["gaps", "--as-of", AS_OF]);
        let mut rows: Vec<(String, String, u64)> = answer["rows"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|row| row["domain"] == domain)
            .map(|row| {
                let text = |key: &str| row[key].as_str().unwrap().to_owned();
                (text("gap"), text("severity"), row["messages"].as_u64().unwrap())
            })
            .collect();
        rows.sort();
        rows
    }
}

/// The day so many days before [`AS_OF`].
pub fn days_before(days: u64) -> String {
    let day: chrono::NaiveDate = AS_OF.parse().unwrap();
    day.checked_sub_days(chrono::Days::new(days)).unwrap().to_string()
}
