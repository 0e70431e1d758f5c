//! Holds answers to their committed JSON Schemas.

use std::path::Path;

use serde_json::Value;

/// Fails where an answer is not what schemas/json says of it, or says more.
pub(crate) fn keeps_to(name: &str, answer: &Value) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("schemas/json/{name}.json"));
    let schema: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    assert!(fits(&schema, &schema, answer), "{name}: {answer}");
    let keys = answer.as_object().unwrap().keys().filter(|key| schema["properties"].get(key.as_str()).is_none());
    assert_eq!(keys.collect::<Vec<_>>(), Vec::<&String>::new(), "{name} says what its schema does not know");
}

/// Checks the parts of JSON Schema that the generator uses: type, properties, required, items, $ref, anyOf.
fn fits(schema: &Value, root: &Value, value: &Value) -> bool {
    if let Some(name) = schema["$ref"].as_str() {
        return fits(&root["$defs"][name.rsplit('/').next().unwrap()], root, value);
    }
    for word in ["anyOf", "oneOf"] {
        if let Some(list) = schema[word].as_array() {
            return list.iter().any(|one| fits(one, root, value));
        }
    }
    let is = |name: &str| match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "null" => value.is_null(),
        other => panic!("type {other}"),
    };
    let typed = match &schema["type"] {
        Value::String(name) => is(name),
        Value::Array(names) => names.iter().any(|name| is(name.as_str().unwrap())),
        _ => true,
    };
    let named = schema["enum"].as_array().is_none_or(|words| words.contains(value))
        && schema.get("const").is_none_or(|word| word == value);
    let required = schema["required"].as_array().into_iter().flatten();
    let whole = !value.is_object() || required.map(|key| key.as_str().unwrap()).all(|key| value.get(key).is_some());
    let inside = value
        .as_object()
        .into_iter()
        .flatten()
        .all(|(key, one)| schema["properties"].get(key).is_none_or(|property| fits(property, root, one)));
    let items =
        value.as_array().into_iter().flatten().all(|one| schema.get("items").is_none_or(|s| fits(s, root, one)));
    typed && named && whole && inside && items
}
