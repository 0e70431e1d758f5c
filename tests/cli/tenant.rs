//! Two tenants in one store: no command that takes `--tenant` shows anything of the other, in any form.

use std::fmt::Write as _;
use std::process::Output;

use crate::support::World;

const TENANTS: [&str; 2] = ["alpha", "bravo"];

/// Each tenant has a domain, a sender, an address, a mailbox and a gateway's customer of its own, all with its name in.
fn config() -> String {
    let mut text = String::new();
    for (name, net) in TENANTS.iter().zip([10, 20]) {
        write!(
            text,
            "
[[tenant]]
name = '{name}'
domains = ['{name}.example']
senders = ['{name}-mta']
mailboxes = ['{name}-rua']
[[sender]]
name = '{name}-mta'
owner = 'it@{name}.example'
ips = ['192.0.2.{net}']
[[domain]]
name = '{name}.example'
[[domain]]
name = '{name}-parked.example'
sends = false
[[mailbox]]
name = '{name}-rua'
host = '127.0.0.1'
port = 9
tls = 'none'
user = '{name}'
password_env = 'HOME'
"
        )
        .unwrap();
    }
    // Parked domains belong to their tenants too.
    for name in TENANTS {
        text = text.replace(&format!("['{name}.example']"), &format!("['{name}.example', '{name}-parked.example']"));
    }
    text + "[case]\ndomain = 'bravo.example'\nips = ['192.0.2.20']\naccount = 'bravo-account'\n"
}

fn record(ip: &str, count: u64, verdict: &str, from: &str, signer: &str) -> String {
    format!(
        "<record><row><source_ip>{ip}</source_ip><count>{count}</count><policy_evaluated><disposition>none</disposition>\
         <dkim>{verdict}</dkim><spf>{verdict}</spf></policy_evaluated></row><identifiers><header_from>{from}</header_from>\
         </identifiers><auth_results><dkim><domain>{signer}</domain><selector>{signer}-s</selector><result>pass</result></dkim>\
         <spf><domain>{signer}</domain><result>pass</result></spf></auth_results></record>"
    )
}

/// Fourteen days of each tenant: own mail, a service that signs as itself, and a stranger.
fn reports(world: &World) {
    std::fs::create_dir(world.path("reports")).unwrap();
    for (name, net) in TENANTS.iter().zip([10, 20]) {
        for day in 0..14 {
            let begin = 1_780_272_000 + day * 86_400; // 2026-06-01
            let records = [
                record(&format!("192.0.2.{net}"), 100, "pass", &format!("{name}.example"), &format!("{name}.example")),
                record(
                    &format!("198.51.100.{net}"),
                    7,
                    "fail",
                    &format!("{name}.example"),
                    &format!("{name}-crm.example"),
                ),
                record(
                    &format!("203.0.113.{net}"),
                    3,
                    "fail",
                    &format!("www.{name}.example"),
                    &format!("{name}-x.example"),
                ),
            ];
            let xml = format!(
                "<feedback><report_metadata><org_name>{name} reporter</org_name><email>d@{name}-reports.example</email>\
                 <report_id>{name}-{day}</report_id><date_range><begin>{begin}</begin><end>{}</end></date_range>\
                 <error>{name} error</error></report_metadata><policy_published><domain>{name}.example</domain><p>none</p>\
                 </policy_published>{}</feedback>",
                begin + 86_399,
                records.concat()
            );
            std::fs::write(world.path(&format!("reports/{name}-{day:02}.xml")), xml).unwrap();
        }
        std::fs::write(world.path(&format!("reports/{name}-99.xml")), format!("<feedback>{name} cut")).unwrap();
    }
}

fn delivery(world: &World) {
    let mut csv = "attempt_time,message_id,recipient,source_ip,status,response,relay_host,envelope_from\n".to_owned();
    for (name, net) in TENANTS.iter().zip([10, 20]) {
        for at in 0..30 {
            writeln!(
                csv,
                "2026-06-10T10:{at:02}:00Z,{name}-m{at}@{name}.example,r{at}@{name}-customer.example,192.0.2.{net},deferred,\
                 421 Deferred - see https://ipcheck.proofpoint.com/?ip=192.0.2.{net},mx{net}.pphosted.com,bounce@{name}.example"
            )
            .unwrap();
        }
    }
    std::fs::write(world.path("attempts.csv"), csv).unwrap();
}

struct Tenants {
    world: World,
}

impl Tenants {
    fn new() -> Self {
        let this = Self { world: World::new() };
        std::fs::write(this.world.path("dmarcase.toml"), config()).unwrap();
        reports(&this.world);
        delivery(&this.world);
        this.world.import(&this.world.path("reports"));
        this.world.text(&["delivery", "import", "attempts.csv"]);
        // Nobody listens there: each mailbox is known to the store with its error.
        assert_eq!(this.world.run(&["fetch"]).status.code(), Some(1));
        this
    }

    fn run(&self, tenant: &str, format: &str, args: &[&str]) -> Output {
        self.world.run(&[&["--tenant", tenant, "--format", format], args].concat())
    }
}

/// The words of one tenant that may never stand in what the other is shown.
fn words(name: &str) -> Vec<String> {
    let net = if name == "alpha" { "10" } else { "20" };
    let mut words: Vec<String> =
        ["192.0.2.", "198.51.100.", "203.0.113."].iter().map(|ip| format!("{ip}{net}")).collect();
    words.push(name.to_owned());
    words
}

fn told(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

const DAYS: [&str; 2] = ["--as-of", "2026-06-20"];

#[test]
fn no_command_shows_another_tenant() {
    let tenants = Tenants::new();
    for (tenant, other) in [("alpha", "bravo"), ("bravo", "alpha")] {
        let (own, foreign) = (words(tenant), words(other));
        let domain = format!("{tenant}.example");
        let mut questions: Vec<Vec<&str>> = vec![
            vec!["senders"],
            vec!["senders", "--unknown"],
            vec!["gaps"],
            vec!["trend"],
            vec!["simulate", "--p", "reject"],
            vec!["delivery", "summary", "--by", "source"],
            vec!["status", "--rejected"],
            vec!["config", "check"],
            vec!["fetch"],
        ];
        let by = ["domain", "day", "week", "month", "reporter", "sender", "header-from", "source", "selector"];
        questions.extend(by.iter().map(|by| vec!["rates", "--by", by]));
        let report = format!("{tenant}-3");
        questions.push(vec!["report", &report]);
        questions.push(vec!["case", "--domain", &domain, "--gateway", "proofpoint"]);
        for question in &questions {
            let dated = !matches!(question[0], "status" | "report" | "config" | "fetch");
            let args: Vec<&str> = question.iter().copied().chain(DAYS.into_iter().filter(|_| dated)).collect();
            for format in ["table", "json", "csv"] {
                let output = tenants.run(tenant, format, &args);
                let text = told(&output);
                for word in &foreign {
                    assert!(
                        !text.contains(word.as_str()),
                        "{tenant} asks {args:?} as {format} and reads {word}:\n{text}"
                    );
                }
                let fails = question[0] == "fetch";
                assert_eq!(output.status.success(), !fails, "{args:?}: {text}");
                let nameless = format != "json" || ["day", "week", "month"].iter().any(|word| args.contains(word));
                assert!(
                    nameless || own.iter().any(|word| text.contains(word.as_str())),
                    "{args:?} says nothing:\n{text}"
                );
            }
        }
    }
}

#[test]
fn sums_are_the_tenants_own() {
    let tenants = Tenants::new();
    let json = |tenant: &str, args: &[&str]| {
        let output = tenants.run(tenant, "json", args);
        serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap()
    };
    for tenant in TENANTS {
        let total = &json(tenant, &["rates"])["total"];
        assert_eq!((&total["messages"], &total["sources"]), (&(14 * (100 + 7 + 3)).into(), &3.into()));
        let status = json(tenant, &["status", "--rejected"]);
        assert_eq!((&status["reports"], &status["records"]), (&14.into(), &42.into()));
        assert_eq!(status["mailboxes"][0]["account"], format!("{tenant}-rua"));
        // Whose the damaged files are, nothing says.
        assert_eq!(status["rejected"].as_array().unwrap().len(), 0);
        let summary = json(tenant, &["delivery", "summary"]);
        assert_eq!(summary["total"]["recipients"], 30, "{summary}");
    }
    assert_eq!(tenants.world.json(&["rates"])["total"]["messages"], 2 * 14 * (100 + 7 + 3));
}

#[test]
fn an_export_holds_the_tenants_records() {
    let tenants = Tenants::new();
    let file = tenants.world.path("alpha.csv");
    let path = file.to_str().unwrap();
    assert!(tenants.run("alpha", "table", &["export", path]).status.success());
    let text = std::fs::read_to_string(&file).unwrap();
    assert_eq!(text.lines().count(), 1 + 42);
    assert!(text.contains("alpha.example") && !text.contains("bravo"));
    let refused = tenants.run("alpha", "table", &["export", path, "--force", "--from", "domain"]);
    assert!(!refused.status.success() && told(&refused).contains("record_full"));
}

#[test]
fn what_is_the_others_is_not_there() {
    let tenants = Tenants::new();
    let ended = |args: &[&str], status: i32| {
        let output = tenants.run("alpha", "table", args);
        assert_eq!(output.status.code(), Some(status), "{args:?}: {}", told(&output));
        assert_eq!(output.stdout, b"", "{args:?}");
        told(&output)
    };
    let refused = |args: &[&str]| ended(args, 1);
    let domain = refused(&["rates", "--domain", "bravo.example"]);
    assert!(domain.contains("it has alpha.example") && domain.matches("bravo").count() == 1, "{domain}");
    assert!(refused(&["report", "bravo-3"]).contains("no report `bravo-3`"));
    assert!(refused(&["fetch", "bravo-rua"]).contains("there are alpha-rua"));
    assert!(refused(&["case", "--domain", "bravo.example"]).contains("no domain of the tenant"));
    assert!(ended(&["sql", "SELECT 1"], 2).contains("export --tenant"));
    for args in [&["import", "reports"][..], &["retry"], &["senders", "approve", "a.example"]] {
        assert!(ended(args, 2).contains("--tenant"), "{args:?}");
    }
    let unknown = tenants.run("charlie", "table", &["rates"]);
    assert!(told(&unknown).contains("there are alpha, bravo"));
}

/// However a tenant writes its domains, a mail about one of them in another's mailbox is not shown there.
#[test]
fn a_mail_about_another_tenant_is_not_shown_however_it_writes_its_domains() {
    let tenants = Tenants::new();
    let text = config().replace("domains = ['bravo.example']", "domains = ['*.Bravo.example']");
    std::fs::write(tenants.world.path("dmarcase.toml"), text).unwrap();
    let store = duckdb::Connection::open(tenants.world.db()).unwrap();
    store
        .execute_batch(
            "INSERT INTO ledger (entry_no, run_no, account, folder, uid_validity, uid, size, mail_subject, outcome)
             VALUES (9001, 1, 'alpha-rua', 'INBOX', 1, 9, 1, 'Report domain: BRAVO.example', 'rejected')",
        )
        .unwrap();
    drop(store);
    let output = tenants.run("alpha", "json", &["status", "--rejected"]);
    assert!(output.status.success());
    let outcomes: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(!outcomes.to_string().to_lowercase().contains("bravo"), "{outcomes:#}");
}

/// An approval of one tenant does not reach mail of another, even where both send from one address.
#[test]
fn a_shared_address_is_approved_for_its_tenant_alone() {
    let tenants = Tenants::new();
    let text = config().replace("ips = ['192.0.2.10']", "ips = ['192.0.2.10', '198.51.100.20']");
    std::fs::write(tenants.world.path("dmarcase.toml"), text).unwrap();
    let output = tenants.run("bravo", "json", &["senders", "--as-of", "2026-06-20"]);
    assert!(!told(&output).contains("alpha"), "{}", told(&output));
}

#[test]
fn tenants_own_nothing_twice() {
    let world = World::new();
    let refused = |text: &str| {
        std::fs::write(world.path("dmarcase.toml"), text).unwrap();
        let output = world.run(&["config", "check"]);
        assert_eq!(output.status.code(), Some(1));
        told(&output)
    };
    let both =
        refused("[[tenant]]\nname='a'\ndomains=['x.example']\n[[tenant]]\nname='b'\ndomains=['sub.x.example']\n");
    assert!(both.contains("`a` and `b` both own sub.x.example"), "{both}");
    let mailbox = refused("[[tenant]]\nname='a'\ndomains=['x.example']\nmailboxes=['m']\n");
    assert!(mailbox.contains("lists the mailbox `m`"), "{mailbox}");
}
