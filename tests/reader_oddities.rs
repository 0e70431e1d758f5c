//! What reporters write in place of values, and what must be made of it; answers worked out by hand.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod reader_support;

use dmarcase::parse::{AuthResult, Report, SchemaVariant};
use reader_support::report;

const PLAIN: &str = "<feedback><version>1.0</version><report_metadata><org_name>Receiver</org_name>\
    <email>dmarc@receiver.example</email><report_id>1</report_id><date_range><begin>1709251200</begin>\
    <end>1709337599</end></date_range></report_metadata><policy_published><domain>shop.example</domain><p>none</p>\
    </policy_published><record><row><source_ip>192.0.2.1</source_ip><count>5</count><policy_evaluated>\
    <disposition>none</disposition><dkim>pass</dkim><spf>fail</spf></policy_evaluated></row><identifiers>\
    <header_from>shop.example</header_from></identifiers><auth_results><spf><domain>shop.example</domain>\
    <result>fail</result></spf></auth_results></record></feedback>";

fn with(from: &str, to: &str) -> Report {
    assert!(PLAIN.contains(from), "{from}");
    report(PLAIN.replace(from, to).as_bytes())
}

fn codes(report: &Report) -> Vec<&'static str> {
    report.warnings.iter().map(|w| w.code).collect()
}

#[test]
fn the_plain_report_has_no_warning() {
    let plain = report(PLAIN.as_bytes());
    assert_eq!((codes(&plain), plain.messages(), plain.pass_messages()), (vec![], 5, 5));
    assert_eq!(plain.variant, SchemaVariant::Rfc7489);
}

#[test]
fn counts_are_read_or_unknown_and_never_made_up() {
    for (written, count, odd) in [
        ("0", Some(0), false),
        (" 007 ", Some(7), false),
        ("1000000000000", Some(1_000_000_000_000), false),
        ("1000000000001", None, true),
        ("-3", None, true),
        ("1,234", None, true),
        ("5.00", Some(5), true),
        ("5.5", None, true),
        ("", None, true),
        ("99999999999999999999999", None, true),
    ] {
        let report = with("<count>5<", &format!("<count>{written}<"));
        assert_eq!((report.records[0].messages, !report.warnings.is_empty()), (count, odd), "{written}");
    }
    assert_eq!(with("<count>5</count>", "<count>5</count><count>9</count>").messages(), 5);
}

#[test]
fn addresses_are_read_in_every_form() {
    for (written, address, odd) in [
        ("2001:DB8:0:0::1", Some("2001:db8::1"), false),
        ("::ffff:192.0.2.7", Some("192.0.2.7"), true),
        ("[2001:db8::7]", Some("2001:db8::7"), true),
        ("192.0.2.7 (mail.shop.example)", Some("192.0.2.7"), true),
        ("192.0.2.7:25", Some("192.0.2.7"), true),
        ("192.0.2", None, true),
        ("mail.shop.example", None, true),
        ("", None, true),
    ] {
        let report = with("192.0.2.1", written);
        let got = report.records[0].source.map(|s| s.to_string());
        assert_eq!((got.as_deref(), !report.warnings.is_empty()), (address, odd), "{written}");
    }
}

#[test]
fn dates_are_read_in_every_form() {
    // 2024-03-01 00:00:00 UTC is 1709251200.
    for (written, begin) in [
        ("1709251200.9", Some(1_709_251_200)),
        ("2024-03-01", Some(1_709_251_200)),
        ("2024-03-01T01:00:00+01:00", Some(1_709_251_200)),
        ("Fri, 01 Mar 2024 00:00:00 +0000", Some(1_709_251_200)),
        ("1709251200000", None),
        ("yesterday", None),
    ] {
        let report = with("1709251200", written);
        assert_eq!((report.metadata.begin, report.warnings.len()), (begin, 1), "{written}");
    }
}

#[test]
fn result_words_are_mapped_only_where_their_meaning_is_known() {
    for (written, result, odd) in [
        ("SoftFail", Some(AuthResult::Softfail), true),
        ("hardfail", Some(AuthResult::Fail), true),
        ("unknown", Some(AuthResult::Temperror), true),
        ("error", Some(AuthResult::Permerror), true),
        ("bestguesspass", None, true),
        ("neutral", Some(AuthResult::Neutral), false),
    ] {
        let report = with("<result>fail<", &format!("<result>{written}<"));
        assert_eq!((report.results[0].spf[0].result, !report.warnings.is_empty()), (result, odd), "{written}");
        assert!(!odd || report.warnings[0].text.contains(written), "the written word is kept");
    }
    let unknown = with("<dkim>pass<", "<dkim>bestguess<");
    assert_eq!((unknown.results[0].dkim_aligned, unknown.pass_messages()), (None, 0));
}

#[test]
fn elements_that_are_not_closed_or_not_known_lose_nothing() {
    let open = with("</row><identifiers>", "<identifiers>");
    assert_eq!((open.messages(), open.results[0].header_from.as_deref()), (5, Some("shop.example")));
    assert!(codes(&open).contains(&"unclosed-element"));
    // An unknown element that is closed owns what is in it; one that is not does not.
    let own = with("<record>", "<old><record><row><count>70</count></row></record></old><record>");
    assert_eq!((own.messages(), own.records.len()), (5, 1));
    assert_eq!(with("<record>", "<old><record>").messages(), 5);
    // The count of an extension is not ours.
    let extension = with("<record>", "<extension><count>9</count><record/></extension><record>");
    assert_eq!((extension.messages(), extension.variant), (5, SchemaVariant::Rfc9990));
}

#[test]
fn words_of_rfc9990_tell_the_schema() {
    let pass = with("<disposition>none", "<disposition>pass");
    assert_eq!((pass.variant, codes(&pass)), (SchemaVariant::Rfc9990, vec!["word-of-rfc9990"]));
    let declared = PLAIN.replace("<disposition>none", "<disposition>pass");
    let declared = declared.replace("<feedback>", "<feedback xmlns=\"urn:ietf:params:xml:ns:dmarc-2.0\">");
    assert_eq!(codes(&report(declared.as_bytes())), Vec::<&str>::new());
}

#[test]
fn nameless_reporters_do_not_share_a_key() {
    let nameless = |email: &str| {
        let xml = PLAIN.replace("<org_name>Receiver</org_name>", "").replace("dmarc@receiver.example", email);
        report(xml.as_bytes()).report_key()
    };
    assert_ne!(nameless("dmarc@one.example"), nameless("dmarc@two.example"));
    assert_eq!(with("Receiver<", "RECEIVER<").report_key(), report(PLAIN.as_bytes()).report_key());
}
