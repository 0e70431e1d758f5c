//! Enrichment of the store's sources: names by DNS, networks by databases, and what the names then attribute.

use serde_json::{Value, json};

use crate::mmdb;
use crate::name_server::NameServer;
use crate::plant::{AS_OF, Plant, STRICT, aligned, spoofed};

const DOMAIN: &str = "north.example";

const ZONE: &str = "
192.0.2.1 PTR mx1.north.example.
mx1.north.example A 192.0.2.1
198.51.100.9 PTR o1.ptr1234.crm.example.
o1.ptr1234.crm.example A 198.51.100.9
203.0.113.5 SERVFAIL
203.0.113.7 PTR liar.north.example.
liar.north.example A 203.0.113.99
2001:db8::7 PTR six.north.example.
six.north.example AAAA 2001:db8::7
";

fn plant(server: &NameServer) -> Plant {
    let mut plant = Plant::new();
    plant.config(&server.toml());
    let records = [
        aligned(DOMAIN, "192.0.2.1", 100),
        spoofed(DOMAIN, "198.51.100.9", 60),
        spoofed(DOMAIN, "203.0.113.5", 50),
        spoofed(DOMAIN, "203.0.113.6", 40),
        spoofed(DOMAIN, "203.0.113.7", 30),
        spoofed(DOMAIN, "2001:db8::7", 20),
    ];
    plant.report("Alpha", DOMAIN, AS_OF, STRICT, &records);
    plant.import();
    plant
}

fn source(plant: &Plant, ip: &str, columns: &str) -> Value {
    plant.json(&["sql", &format!("SELECT {columns} FROM source WHERE source_ip = '{ip}'")])[0].clone()
}

fn questions(server: &NameServer) -> Vec<String> {
    // A server that fails is asked again over TCP.
    let mut asked: Vec<String> = server.asked().into_iter().filter(|question| question.ends_with(" PTR")).collect();
    asked.sort();
    asked.dedup();
    asked
}

#[test]
fn names_are_looked_up_confirmed_and_kept() {
    let server = NameServer::start(ZONE);
    let plant = plant(&server);
    let answer = plant.json(&["enrich"]);
    let keys = ["sources", "looked_at", "confirmed", "unconfirmed", "without_name", "could_not_check", "waiting"];
    assert_eq!(keys.map(|key| answer[key].as_u64().unwrap()), [6, 6, 3, 1, 1, 1, 1], "{answer}");
    assert!(answer["why"].as_str().unwrap().contains("SERVFAIL"));
    let of = |ip: &str| source(&plant, ip, "ptr, ptr_confirmed, enriched_at IS NOT NULL AS known");
    assert_eq!(of("192.0.2.1"), json!({"ptr": "mx1.north.example", "ptr_confirmed": true, "known": true}));
    assert_eq!(of("2001:db8::7"), json!({"ptr": "six.north.example", "ptr_confirmed": true, "known": true}));
    assert_eq!(of("203.0.113.7"), json!({"ptr": "liar.north.example", "ptr_confirmed": false, "known": true}));
    assert_eq!(of("203.0.113.6"), json!({"ptr": null, "ptr_confirmed": false, "known": true}), "the servers say none");
    assert_eq!(of("203.0.113.5"), json!({"ptr": null, "ptr_confirmed": null, "known": false}), "nobody could say");
    // The next run asks only what nobody could say.
    let before = server.asked().len();
    assert_eq!(plant.json(&["enrich"])["looked_at"], 1);
    assert!(server.asked()[before..].iter().all(|question| question == "5.113.0.203.in-addr.arpa PTR"));
}

#[test]
fn a_failed_lookup_forgets_nothing() {
    let good = NameServer::start(ZONE);
    let mut plant = plant(&good);
    plant.json(&["enrich"]);
    let broken = NameServer::start("1.2.0.192.in-addr.arpa SERVFAIL\n9.100.51.198.in-addr.arpa SILENT");
    plant.config(&broken.toml());
    // Older than tomorrow: everything.
    let tomorrow = chrono::Utc::now().date_naive().succ_opt().unwrap().to_string();
    let answer = plant.json(&["enrich", "--refresh", &tomorrow]);
    assert_eq!((&answer["could_not_check"], &answer["without_name"]), (&2.into(), &4.into()), "{answer}");
    let name = source(&plant, "192.0.2.1", "ptr, ptr_confirmed");
    assert_eq!(name, json!({"ptr": "mx1.north.example", "ptr_confirmed": true}));
    assert_eq!(source(&plant, "2001:db8::7", "ptr"), json!({"ptr": null}), "what the servers deny is gone");
}

#[test]
fn heaviest_sources_come_first() {
    let server = NameServer::start(ZONE);
    let plant = plant(&server);
    let answer = plant.json(&["enrich", "--limit", "2"]);
    assert_eq!((&answer["looked_at"], &answer["waiting"]), (&2.into(), &4.into()));
    assert_eq!(questions(&server), ["1.2.0.192.in-addr.arpa PTR", "9.100.51.198.in-addr.arpa PTR"]);
    let text = plant.text(&["enrich", "--limit", "1"]);
    assert!(text.contains("1 source could not be checked") && text.contains("4 sources still wait"), "{text}");
}

#[test]
fn names_attribute_sources_where_they_are_confirmed() {
    let server = NameServer::start(ZONE);
    let mut plant = plant(&server);
    let rule =
        "[[sender]]\nname = 'crm'\nptr = ['crm.example']\n[[sender]]\nname = 'liar'\nptr = ['liar.north.example']\n";
    plant.config(&format!("{}{rule}", server.toml()));
    let senders = |plant: &Plant| -> Vec<(String, u64)> {
        let answer = plant.json(&["senders"]);
        let rows = answer["rows"].as_array().unwrap().clone();
        let approved = rows.iter().filter(|row| row["status"] == "approved");
        approved.map(|row| (row["sender"].as_str().unwrap().to_owned(), row["messages"].as_u64().unwrap())).collect()
    };
    assert_eq!(senders(&plant), []);
    assert!(plant.json(&["enrich"])["attributed"].as_u64().unwrap() >= 1);
    assert_eq!(senders(&plant), [("crm".to_owned(), 60)], "and nobody by a name that does not lead back");
}

#[test]
fn networks_and_countries_of_both_makers() {
    let server = NameServer::start(ZONE);
    let plant = plant(&server);
    let [asn, country, lite] = ["asn", "country", "lite"].map(|name| plant.folder.path().join(format!("{name}.mmdb")));
    mmdb::write(
        &asn,
        "GeoLite2-ASN",
        &[
            ("192.0.2.0/24", json!({"autonomous_system_number": 64500, "autonomous_system_organization": "North"})),
            ("2001:db8::/32", json!({"autonomous_system_number": 64501, "autonomous_system_organization": "Six"})),
        ],
    );
    let at = |code: &str| json!({"country": {"iso_code": code, "names": {"en": "Norway"}}});
    mmdb::write(&country, "GeoLite2-Country", &[("192.0.0.0/8", at("NO")), ("203.0.113.0/24", at("SE"))]);
    mmdb::write(
        &lite,
        "ipinfo lite",
        &[("198.51.100.0/25", json!({"country": "Iceland", "country_code": "IS", "asn": "AS64502", "as_name": "Crm"}))],
    );
    let path = |path: &std::path::PathBuf| path.to_str().unwrap().to_owned();
    let (asn, country, lite) = (path(&asn), path(&country), path(&lite));
    let answer = plant.json(&["enrich", "--no-dns", "--mmdb", &asn, "--mmdb", &country, "--mmdb", &lite]);
    assert_eq!((&answer["located"], &answer["name_servers"]), (&6.into(), &Value::Null), "{answer}");
    assert_eq!(server.asked(), Vec::<String>::new());
    let of = |ip: &str| source(&plant, ip, "network, as_number, as_name, country, enriched_at IS NULL AS nameless");
    assert_eq!(
        of("192.0.2.1"),
        json!({"network": "192.0.2.0/24", "as_number": 64500, "as_name": "North", "country": "NO", "nameless": true})
    );
    assert_eq!(
        of("198.51.100.9"),
        json!({"network": "198.51.100.0/25", "as_number": 64502, "as_name": "Crm", "country": "IS", "nameless": true})
    );
    assert_eq!(of("203.0.113.5")["country"], "SE");
    assert_eq!(of("2001:db8::7")["as_name"], "Six");
    // A config names the same, relative to itself; and names come beside.
    let answer = plant.json(&["enrich", "--mmdb", &asn]);
    assert_eq!((&answer["looked_at"], &answer["confirmed"]), (&6.into(), &3.into()));
    assert_eq!(of("192.0.2.1")["country"], "NO", "what a database does not know is not taken back");
}

#[test]
fn what_cannot_work_is_said() {
    let server = NameServer::start(ZONE);
    let plant = plant(&server);
    let ended = |args: &[&str], status: i32| {
        let output = plant.run(args);
        assert_eq!(output.status.code(), Some(status), "{args:?}");
        String::from_utf8(output.stderr).unwrap()
    };
    let told = |args: &[&str]| ended(args, 1);
    assert!(ended(&["enrich", "--no-dns"], 2).contains("--mmdb FILE"));
    let config = plant.config_path();
    let error = told(&["enrich", "--mmdb", config.to_str().unwrap()]);
    assert!(error.contains("dmarcase.toml") && error.contains(".mmdb"), "{error}");
}
