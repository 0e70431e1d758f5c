//! Holds answers to their committed JSON Schemas.

use std::path::Path;

use serde_json::{Map, Value};

/// The words of a command, and the schema of its answer in schemas/json.
const ANSWERS: [(&[&str], &str); 19] = [
    (&["case"], "case"),
    (&["check"], "check"),
    (&["config", "check"], "config-check"),
    (&["delivery", "import"], "delivery-import"),
    (&["delivery", "summary"], "delivery-summary"),
    (&["enrich"], "enrich"),
    (&["fetch"], "fetch"),
    (&["gaps", "--explain"], "gap"),
    (&["gaps"], "gaps"),
    (&["import"], "import"),
    (&["inspect"], "inspect"),
    (&["rates"], "rates"),
    (&["report"], "report"),
    (&["retry"], "import"),
    (&["senders", "approve"], "senders-approve"),
    (&["senders"], "senders"),
    (&["simulate"], "simulate"),
    (&["status"], "status"),
    (&["trend"], "trend"),
];

/// Returns the schema of the answer to a command: that of the first word that is a command, by its longest form.
pub(crate) fn schema_of(args: &[&str]) -> Option<&'static str> {
    let at = args.iter().position(|arg| *arg == "sql" || ANSWERS.iter().any(|(words, _)| words[0] == *arg))?;
    let rest = &args[at..];
    let fits = |words: &[&str]| words[0] == rest[0] && words[1..].iter().all(|word| rest[1..].contains(word));
    ANSWERS.iter().filter(|(words, _)| fits(words)).max_by_key(|(words, _)| words.len()).map(|(_, name)| *name)
}

/// Returns the answer to a command, which must be what schemas/json says of it, and say no more, at any depth. What has no
/// schema, such as the rows of `sql`, is returned as it is.
#[track_caller]
pub(crate) fn kept(args: &[&str], answer: Value) -> Value {
    let Some(name) = schema_of(args) else { return answer };
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("schemas/json/{name}.json"));
    let schema: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let faults = faults(&schema, &schema, &answer, name);
    assert!(faults.is_empty(), "{args:?}:\n{}\n{answer}", faults.join("\n"));
    answer
}

/// Checks the parts of JSON Schema that the generator uses, and returns what does not fit, with its place.
fn faults(schema: &Value, root: &Value, value: &Value, place: &str) -> Vec<String> {
    // `true` takes anything.
    let Some(rules) = schema.as_object() else {
        return if *schema == Value::Bool(true) { Vec::new() } else { vec![format!("{place}: nothing may be here")] };
    };
    let mut found = Vec::new();
    for (rule, says) in rules {
        let fits = match rule.as_str() {
            "$schema" | "$defs" | "title" | "description" | "default" => true,
            "$ref" => {
                let name = says.as_str().unwrap().strip_prefix("#/$defs/").unwrap();
                found.extend(faults(&root["$defs"][name], root, value, place));
                true
            }
            "anyOf" | "oneOf" => {
                let ways: Vec<_> = says.as_array().unwrap().iter().map(|one| faults(one, root, value, place)).collect();
                let fits = ways.iter().any(Vec::is_empty);
                found.extend(ways.into_iter().flatten().filter(|_| !fits));
                fits
            }
            "type" => match says {
                Value::Array(names) => names.iter().any(|name| is(name, value)),
                name => is(name, value),
            },
            "enum" => says.as_array().unwrap().contains(value),
            "const" => says == value,
            "format" => value.as_str().is_none_or(|text| has_format(says, text)),
            "minimum" => value.as_f64().is_none_or(|number| number >= says.as_f64().unwrap()),
            "maximum" => value.as_f64().is_none_or(|number| number <= says.as_f64().unwrap()),
            "minItems" => value.as_array().is_none_or(|items| items.len() as u64 >= says.as_u64().unwrap()),
            "maxItems" => value.as_array().is_none_or(|items| items.len() as u64 <= says.as_u64().unwrap()),
            "uniqueItems" => {
                let items = value.as_array().map_or(&[][..], Vec::as_slice);
                items.iter().enumerate().all(|(at, item)| !items[..at].contains(item))
            }
            "required" => {
                let mut keys = says.as_array().unwrap().iter().map(|key| key.as_str().unwrap());
                value.as_object().is_none_or(|object| keys.all(|key| object.contains_key(key)))
            }
            "items" | "prefixItems" => {
                let items = value.as_array().into_iter().flatten().enumerate();
                for (at, item) in items {
                    let schema = if rule == "items" { Some(says) } else { says.get(at) };
                    found.extend(schema.into_iter().flat_map(|s| faults(s, root, item, &format!("{place}[{at}]"))));
                }
                true
            }
            // Looked at together, below.
            "properties" | "additionalProperties" => true,
            other => panic!("{place}: a rule that is not checked: {other}"),
        };
        if !fits {
            found.push(format!("{place}: {value} is against {rule}: {says}"));
        }
    }
    if let Some(object) = value.as_object() {
        found.extend(of_keys(rules, root, object, place));
    }
    found
}

/// Checks each key by its schema. One that the schema does not name is a fault, unless the schema allows others.
fn of_keys(rules: &Map<String, Value>, root: &Value, object: &Map<String, Value>, place: &str) -> Vec<String> {
    let (named, others) = (rules.get("properties"), rules.get("additionalProperties"));
    if named.is_none() && others.is_none() {
        return Vec::new();
    }
    let mut found = Vec::new();
    for (key, value) in object {
        let place = format!("{place}.{key}");
        match named.and_then(|named| named.get(key)).or(others) {
            Some(schema) => found.extend(faults(schema, root, value, &place)),
            None => found.push(format!("{place}: the schema does not know it")),
        }
    }
    found
}

fn is(name: &Value, value: &Value) -> bool {
    match name.as_str().unwrap() {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "null" => value.is_null(),
        other => panic!("type {other}"),
    }
}

/// The formats of texts. Those of numbers say nothing of a text, which is none.
fn has_format(name: &Value, text: &str) -> bool {
    match name.as_str().unwrap() {
        "date" => text.parse::<chrono::NaiveDate>().is_ok(),
        "ip" => text.parse::<std::net::IpAddr>().is_ok(),
        "date-time" => chrono::DateTime::parse_from_rfc3339(text).is_ok(),
        "double" | "int64" | "uint8" | "uint16" | "uint32" | "uint64" => true,
        other => panic!("format {other}"),
    }
}
