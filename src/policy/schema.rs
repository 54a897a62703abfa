//! JSON Schemas (draft 2020-12) of the policy and the config file, from the types in [`super::raw`].

use super::decode::Homes;
use super::{raw, raw_config};
use schemars::generate::SchemaSettings;
use serde_json::Value;
use std::collections::BTreeSet;

/// The schema of a policy file.
pub fn policy_schema() -> Value {
    schema_of::<raw::Policy>()
}

/// The schema of the config file.
pub fn config_schema() -> Value {
    schema_of::<raw_config::Config>()
}

/// A schema as a file's text.
pub fn schema_text(schema: &Value) -> String {
    format!("{schema:#}\n")
}

fn schema_of<T: schemars::JsonSchema>() -> Value {
    let settings = SchemaSettings::draft2020_12().for_deserialize();
    let mut schema = settings.into_generator().into_root_schema_for::<T>().to_value();
    tighten(&mut schema);
    schema
}

/// Takes out what the generator derives from Rust's types and no file may hold: `null` for a key that can be left
/// out, and integer formats that no editor knows.
fn tighten(part: &mut Value) {
    if let Some(map) = part.as_object_mut() {
        if let Some(Value::Array(types)) = map.get_mut("type") {
            types.retain(|kind| kind != "null");
            if let [only] = types.as_slice() {
                let only = only.clone();
                map.insert("type".to_owned(), only);
            }
        }
        if map
            .get("format")
            .and_then(Value::as_str)
            .is_some_and(|format| format.starts_with("uint"))
        {
            map.remove("format");
        }
        let null = |branch: &Value| branch.get("type").and_then(Value::as_str) == Some("null");
        if let Some(Value::Array(branches)) = map.get_mut("anyOf") {
            branches.retain(|branch| !null(branch));
            if let [Value::Object(only)] = branches.as_slice() {
                let only = only.clone();
                map.remove("anyOf");
                map.extend(only);
            }
        }
    }
    match part {
        Value::Object(map) => map.values_mut().for_each(tighten),
        Value::Array(items) => items.iter_mut().for_each(tighten),
        _ => {}
    }
}

/// Where each key of a policy belongs.
pub(super) fn homes_in_policy() -> Homes {
    homes(&policy_schema())
}

/// Where each key of the config file belongs.
pub(super) fn homes_in_config() -> Homes {
    homes(&config_schema())
}

fn homes(schema: &Value) -> Homes {
    let mut maps = maps(schema);
    // Of several maps, the one nearest the top is the one that people mean.
    maps.sort_by_key(|(path, _)| std::cmp::Reverse((path.matches(['.', '[']).count(), path.len())));
    maps.into_iter()
        .flat_map(|(path, keys)| keys.into_iter().map(move |key| (key, path.clone())))
        .collect()
}

/// Every map of a schema with its path and its keys. A key that is a name is `NAME` in the path, a list's item `[]`.
pub(super) fn maps(schema: &Value) -> Vec<(String, BTreeSet<String>)> {
    let mut found = Vec::new();
    walk(schema, schema, "", &mut found);
    found
}

/// Schemas made from types that do not contain themselves end; the depth of references is that of the types.
fn walk(root: &Value, part: &Value, path: &str, found: &mut Vec<(String, BTreeSet<String>)>) {
    if let Some(reference) = part.get("$ref").and_then(Value::as_str)
        && let Some(target) = reference
            .strip_prefix('#')
            .and_then(|pointer| root.pointer(pointer))
    {
        walk(root, target, path, found);
    }
    for key in ["oneOf", "anyOf", "allOf"] {
        for branch in part.get(key).and_then(Value::as_array).into_iter().flatten() {
            walk(root, branch, path, found);
        }
    }
    if let Some(properties) = part.get("properties").and_then(Value::as_object) {
        found.push((path.to_owned(), properties.keys().cloned().collect()));
        for (key, value) in properties {
            let path = if path.is_empty() {
                key.clone()
            } else {
                format!("{path}.{key}")
            };
            walk(root, value, &path, found);
        }
    }
    if let Some(items) = part.get("items") {
        walk(root, items, &format!("{path}[]"), found);
    }
    // Maps whose keys are names: by pattern, or any.
    let by_pattern = part.get("patternProperties").and_then(Value::as_object);
    let named = by_pattern
        .into_iter()
        .flat_map(|patterns| patterns.values())
        .chain(part.get("additionalProperties"));
    for value in named.filter(|value| value.is_object()) {
        walk(root, value, &format!("{path}.NAME"), found);
    }
}

#[cfg(test)]
mod tests;
