//! The schema is what editors and people go by, the decoder is what counts: these tests hold them together.

use super::super::{
    Channels, Config, Policy, Problem, load_folder, parse_config, parse_policy, raw, raw_config,
};
use super::*;
use serde_json::{Map, json};
use std::fs;
use std::path::{Path, PathBuf};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("policies")
}

fn example(name: &str) -> String {
    fs::read_to_string(folder().join(name)).unwrap()
}

/// As any other YAML reader sees it.
fn json_of(yaml: &str) -> Value {
    serde_saphyr::from_str(yaml).unwrap()
}

/// One of the two kinds of file: its schema, and its decoder on JSON, which is YAML.
struct Kind {
    schema: Value,
    /// Each map of the schema is there, with its required keys alone.
    sparse: Value,
    problems: fn(&Value) -> Vec<Problem>,
    /// What is read, less what depends on the text itself.
    meaning: fn(&Value) -> String,
}

fn policy_of(document: &Value) -> Result<Policy, Vec<Problem>> {
    let parsed = parse_policy("p.yaml", &document.to_string(), Channels::Unchecked);
    parsed.policy.ok_or(parsed.problems)
}

fn config_of(document: &Value) -> Result<Config, Vec<Problem>> {
    parse_config(Path::new("c.yaml"), &document.to_string())
}

fn policy_kind() -> Kind {
    Kind {
        schema: policy_schema(),
        sparse: json!({
            "service": "tis",
            "pause": { "until": "2026-12-01T00:00:00Z" },
            "slots": { "blue": { "select": { "tags": { "a": "b" } }, "target_groups": [{ "name": "web" }] } },
            "heal": {},
            "grace": {},
            "replace": {
                "image": [{ "newest": { "name": "base-*" } }],
                "launch": { "template": "web" },
                "keep": {},
                "rescue_image": {},
            },
            "limits": {},
        }),
        problems: |document| policy_of(document).err().unwrap_or_default(),
        meaning: |document| {
            let version = super::super::version_of("");
            format!(
                "{:#?}",
                Policy {
                    version,
                    ..policy_of(document).unwrap()
                }
            )
        },
    }
}

fn config_kind() -> Kind {
    Kind {
        schema: config_schema(),
        sparse: json!({
            "store": { "dynamodb": { "table": "keepgreen" } },
            "limits": { "breaker": {} },
            "pause": { "ssm": "/keepgreen/pause" },
            "notify": {
                "a": { "slack": { "webhook": "env:A" } },
                "b": { "webhook": { "url": "env:B" } },
                "c": { "sns": { "topic": "arn:aws:sns:eu-west-2:111122223333:c" } },
                "d": { "pagerduty": { "routing_key": "env:D" } },
            },
            "heartbeat": { "url": "env:E" },
        }),
        problems: |document| config_of(document).err().unwrap_or_default(),
        meaning: |document| format!("{:#?}", config_of(document).unwrap()),
    }
}

/// Documents with `key: value` set in each map at `path`, which is written as [`maps`] writes it.
fn with(document: &Value, path: &str, key: &str, value: &Value) -> Vec<Value> {
    fn places(part: &Value, path: &str, here: &str, found: &mut Vec<String>) {
        if path.is_empty() {
            if part.is_object() {
                found.push(here.to_owned());
            }
            return;
        }
        let path = path.strip_prefix('.').unwrap_or(path);
        if let Some(rest) = path.strip_prefix("[]") {
            for (index, item) in part.as_array().into_iter().flatten().enumerate() {
                places(item, rest, &format!("{here}/{index}"), found);
            }
            return;
        }
        let end = path.find(['.', '[']).unwrap_or(path.len());
        let (step, rest) = path.split_at(end);
        for (name, item) in part.as_object().into_iter().flatten() {
            if step == "NAME" || step == name {
                places(item, rest, &format!("{here}/{name}"), found);
            }
        }
    }
    let mut found = Vec::new();
    places(document, path, "", &mut found);
    let set = |pointer: &String| {
        let mut document = document.clone();
        document.pointer_mut(pointer).unwrap()[key] = value.clone();
        document
    };
    found.iter().map(set).collect()
}

/// What a problem says is expected, as a set of words.
fn expected(problem: &Problem) -> BTreeSet<String> {
    let words = problem.expected.as_deref().unwrap_or("").replace(" or ", ", ");
    words.split(", ").map(str::to_owned).collect()
}

/// Keys of each map; those of several branches at one place together.
fn keys_by_path(schema: &Value) -> std::collections::BTreeMap<String, BTreeSet<String>> {
    let mut all = std::collections::BTreeMap::<String, BTreeSet<String>>::new();
    for (path, keys) in maps(schema) {
        all.entry(path).or_default().extend(keys);
    }
    all
}

/// `part` with its references followed.
fn resolve<'s>(root: &'s Value, part: &'s Value) -> &'s Value {
    match part
        .get("$ref")
        .and_then(Value::as_str)
        .and_then(|reference| reference.strip_prefix('#'))
    {
        Some(pointer) => resolve(root, root.pointer(pointer).unwrap()),
        None => part,
    }
}

/// Every key of a schema with the path of its map.
fn properties(root: &Value) -> Vec<(String, String, Value)> {
    fn collect(root: &Value, part: &Value, path: &str, found: &mut Vec<(String, String, Value)>) {
        let part = resolve(root, part);
        for branch in ["oneOf", "anyOf"] {
            for branch in part.get(branch).and_then(Value::as_array).into_iter().flatten() {
                collect(root, branch, path, found);
            }
        }
        for (key, value) in part
            .get("properties")
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
        {
            found.push((path.to_owned(), key.clone(), value.clone()));
            let path = if path.is_empty() {
                key.clone()
            } else {
                format!("{path}.{key}")
            };
            collect(root, value, &path, found);
        }
        if let Some(items) = part.get("items") {
            collect(root, items, &format!("{path}[]"), found);
        }
        for named in part
            .get("patternProperties")
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
        {
            collect(root, named.1, &format!("{path}.NAME"), found);
        }
    }
    let mut found = Vec::new();
    collect(root, root, "", &mut found);
    found
}

#[test]
fn the_decoder_knows_exactly_the_keys_of_the_schema() {
    for kind in [policy_kind(), config_kind()] {
        assert_eq!((kind.problems)(&kind.sparse), []);
        let keys = keys_by_path(&kind.schema);
        assert!(keys.len() >= 10);
        for (path, keys) in keys {
            let mut known = BTreeSet::new();
            let documents = with(&kind.sparse, &path, "zzz", &json!(1));
            assert!(!documents.is_empty(), "the sparse document has no `{path}`");
            for document in documents {
                let problems = (kind.problems)(&document);
                let problem = problems
                    .iter()
                    .find(|problem| problem.message.starts_with("unknown key `zzz`"));
                known.extend(expected(
                    problem.unwrap_or_else(|| panic!("{path}: {problems:?}")),
                ));
            }
            assert_eq!(known, keys, "in `{path}`");
        }
    }
}

#[test]
fn the_decoder_accepts_exactly_the_words_of_the_schema() {
    let mut lists = 0;
    for kind in [policy_kind(), config_kind()] {
        for (path, key, property) in properties(&kind.schema) {
            let choices = resolve(&kind.schema, &property)
                .get("oneOf")
                .and_then(Value::as_array)
                .cloned();
            let word = |choice: &Value| choice.get("const").and_then(Value::as_str).map(str::to_owned);
            let Some(words) =
                choices.and_then(|choices| choices.iter().map(word).collect::<Option<BTreeSet<_>>>())
            else {
                continue;
            };
            lists += 1;
            for word in &words {
                let document = with(&kind.sparse, &path, &key, &json!(word)).remove(0);
                assert_eq!((kind.problems)(&document), [], "{path}.{key}: {word}");
            }
            let document = with(&kind.sparse, &path, &key, &json!("zzz")).remove(0);
            assert_eq!(expected(&(kind.problems)(&document)[0]), words, "{path}.{key}");
        }
    }
    assert_eq!(lists, 11, "slots.state, nine of heal, replace.old_instance");
}

#[test]
fn the_defaults_of_the_schema_are_those_of_the_decoder() {
    for (kind, least) in [(policy_kind(), 35), (config_kind(), 14)] {
        let mut checked = 0;
        for (path, key, property) in properties(&kind.schema) {
            let Some(default) = property.get("default") else {
                continue;
            };
            let documents = with(&kind.sparse, &path, &key, default);
            // A map that the sparse document has for its own keys' sake.
            let replaced = documents.iter().any(|document| document != &kind.sparse) && {
                let pointer = format!("/{key}");
                path.is_empty()
                    && kind
                        .sparse
                        .pointer(&pointer)
                        .is_some_and(|value| value != default)
            };
            let mut bare = kind.sparse.clone();
            if replaced && let Some(map) = bare.as_object_mut() {
                map.remove(&key);
            }
            for document in documents {
                // Where several maps share a path, one of them gets the key.
                let problems = (kind.problems)(&document);
                assert_eq!(problems, [], "{path}.{key} = {default}");
                let nested_map = default.is_object() || matches!(key.as_str(), "target_groups" | "launch");
                if !nested_map {
                    assert_eq!(
                        (kind.meaning)(&document),
                        (kind.meaning)(&bare),
                        "{path}.{key} = {default}"
                    );
                }
                checked += 1;
            }
        }
        assert!(checked >= least, "only {checked} defaults");
    }
}

#[test]
fn a_key_is_required_by_the_schema_if_the_decoder_misses_it() {
    for kind in [policy_kind(), config_kind()] {
        let mut required = BTreeSet::new();
        fn collect(part: &Value, found: &mut BTreeSet<String>) {
            for key in part
                .get("required")
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
            {
                found.insert(key.as_str().unwrap().to_owned());
            }
            match part {
                Value::Object(map) => map.values().for_each(|part| collect(part, found)),
                Value::Array(items) => items.iter().for_each(|part| collect(part, found)),
                _ => {}
            }
        }
        collect(&kind.schema, &mut required);
        // Everything in the sparse document is required, or is a map or list that holds required keys.
        fn leaves(part: &Value, path: &str, found: &mut Vec<(String, String)>) {
            for (key, value) in part.as_object().into_iter().flatten() {
                let pointer = format!("{path}/{key}");
                if value.is_string() {
                    found.push((path.to_owned(), key.clone()));
                }
                leaves(value, &pointer, found);
            }
            for (index, value) in part.as_array().into_iter().flatten().enumerate() {
                leaves(value, &format!("{path}/{index}"), found);
            }
        }
        let mut found = Vec::new();
        leaves(&kind.sparse, "", &mut found);
        for (path, key) in found {
            let mut document = kind.sparse.clone();
            document
                .pointer_mut(&path)
                .unwrap()
                .as_object_mut()
                .unwrap()
                .remove(&key);
            assert!(
                !(kind.problems)(&document).is_empty(),
                "{path}/{key} can be left out"
            );
            assert!(required.contains(&key) || path.ends_with("/tags"), "{path}/{key}");
        }
    }
}

#[test]
fn each_example_is_valid_for_the_decoder_the_schema_and_serde() {
    let schema = policy_schema();
    for name in ["minimal.yaml", "tis.yaml", "every-key.yaml"] {
        let text = example(name);
        let parsed = parse_policy(name, &text, Channels::Unchecked);
        assert_eq!(parsed.problems, [], "{name}");
        let document = json_of(&text);
        assert_eq!(validate(&schema, &schema, &document), Ok(()), "{name}");
        let read: raw::Policy = serde_json::from_value(document).unwrap();
        // Written out with its defaults, it is the same policy.
        let written = serde_json::to_value(&read).unwrap();
        assert_eq!(
            validate(&schema, &schema, &written),
            Ok(()),
            "{name}: {written:#}"
        );
        let again = Policy {
            version: parsed.policy.clone().unwrap().version,
            file: name.to_owned(),
            ..policy_of(&written).unwrap()
        };
        assert_eq!(Some(again), parsed.policy, "{name}");
    }
    let schema = config_schema();
    let sparse = config_kind().sparse;
    assert_eq!(validate(&schema, &schema, &sparse), Ok(()));
    serde_json::from_value::<raw_config::Config>(sparse).unwrap();
    assert_eq!(validate(&schema, &schema, &json!({})), Ok(()));
}

#[test]
fn the_examples_load_together_without_a_problem() {
    let channels = BTreeSet::new();
    let loaded = load_folder(&folder(), Channels::Known(&channels));
    assert_eq!(loaded.problems, []);
    let services: Vec<&str> = loaded.policies.keys().map(|service| service.as_str()).collect();
    assert_eq!(services, ["hello", "shop", "tis"]);
}

#[test]
fn the_example_with_every_key_has_every_key() {
    let text = example("every-key.yaml");
    for (path, key, _) in properties(&policy_schema()) {
        assert!(text.contains(&format!("{key}:")), "{path}.{key}");
    }
    let document = json_of(&text);
    let schema = policy_schema();
    for (key, property) in schema["properties"].as_object().unwrap() {
        if let Some(default) = property.get("default").filter(|default| !default.is_array()) {
            assert_eq!(&document[key], default, "{key} is shown with its default");
        }
    }
}

#[test]
fn the_reference_explains_every_key() {
    let readme = example("README.md");
    for (path, key, _) in properties(&policy_schema()) {
        assert!(
            readme.contains(&format!("`{key}`")),
            "policies/README.md says nothing of `{path}.{key}`"
        );
    }
}

#[test]
fn the_schema_beside_the_examples_is_the_one_that_is_printed() {
    let path = folder().join("policy.schema.json");
    let current = schema_text(&policy_schema());
    let stored = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        stored == current,
        "run `keepgreen schema > policies/policy.schema.json`"
    );
}

#[test]
fn the_schema_refuses_what_the_decoder_refuses() {
    let schema = policy_schema();
    let smallest = json!({ "service": "tis", "slots": { "a": { "select": { "tags": { "a": "b" } } } } });
    assert_eq!(validate(&schema, &schema, &smallest), Ok(()));
    for (key, value) in [
        ("owner", json!(null)),
        ("pause", json!("yes")),
        ("account", json!(111_122_223_333_u64)),
        ("slots", json!({})),
        ("slots", json!({ "a": { "select": {} } })),
        ("slots", json!({ "a": { "select": { "tags": {} } } })),
        (
            "slots",
            json!({ "a": { "select": { "tags": { "a": "b" } }, "count": 0 } }),
        ),
        ("heal", json!({ "stopped": "restart" })),
        ("limits", json!({ "attempts": 0 })),
        ("replace", json!(null)),
        ("replace", json!({ "image": [] })),
        ("maintenance", json!([])),
        ("notify", json!(["a", "a"])),
        ("zzz", json!(1)),
    ] {
        let mut document = smallest.clone();
        document[key] = value.clone();
        assert!(validate(&schema, &schema, &document).is_err(), "{key}: {value}");
        assert!(policy_of(&document).is_err(), "{key}: {value}");
    }
}

#[test]
fn the_schemas_are_of_the_2020_12_draft() {
    for schema in [policy_schema(), config_schema()] {
        assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
        assert!(!schema.to_string().contains("\"null\""), "no key may be null");
    }
}

/// As much of JSON Schema as the two schemas use, but for patterns.
fn validate(root: &Value, schema: &Value, value: &Value) -> Result<(), String> {
    let schema = resolve(root, schema);
    let Some(rules) = schema.as_object() else {
        return Ok(());
    };
    for (rule, argument) in rules {
        let holds = match rule.as_str() {
            "type" => is_type(argument.as_str().unwrap(), value),
            "const" => argument == value,
            "enum" => argument.as_array().unwrap().contains(value),
            "anyOf" => branches(root, argument, value) >= 1,
            "oneOf" => branches(root, argument, value) == 1,
            rule if rule.starts_with("min") || rule.starts_with("max") => in_bounds(rule, argument, value),
            "uniqueItems" => value
                .as_array()
                .is_none_or(|a| a.iter().enumerate().all(|(i, v)| !a[..i].contains(v))),
            "required" => value.as_object().is_none_or(|m| {
                argument
                    .as_array()
                    .unwrap()
                    .iter()
                    .all(|key| m.contains_key(key.as_str().unwrap()))
            }),
            "items" => return_first(
                value
                    .as_array()
                    .into_iter()
                    .flatten()
                    .map(|v| validate(root, argument, v)),
            )?,
            "properties" | "patternProperties" | "additionalProperties" => true,
            "title" | "description" | "default" | "examples" | "format" | "pattern" | "$schema" | "$defs" => {
                true
            }
            other => return Err(format!("the rule {other} is not known to this test")),
        };
        if !holds {
            return Err(format!("{rule} {argument} of {value}"));
        }
    }
    let empty = Map::new();
    let properties = rules
        .get("properties")
        .and_then(Value::as_object)
        .unwrap_or(&empty);
    let patterns = rules.get("patternProperties").and_then(Value::as_object);
    for (key, item) in value.as_object().into_iter().flatten() {
        let pattern = patterns.and_then(|patterns| patterns.values().next());
        match properties
            .get(key)
            .or(pattern)
            .or(rules.get("additionalProperties"))
        {
            Some(Value::Bool(false)) => return Err(format!("the key {key} is unknown")),
            Some(schema) => validate(root, schema, item)?,
            None => {}
        }
    }
    Ok(())
}

fn in_bounds(rule: &str, argument: &Value, value: &Value) -> bool {
    let measure = match &rule[3..] {
        "imum" => value.as_f64(),
        "Length" => value.as_str().map(|text| text.chars().count() as f64),
        "Items" => value.as_array().map(|items| items.len() as f64),
        "Properties" => value.as_object().map(|map| map.len() as f64),
        other => panic!("the bound {other} is not known to this test"),
    };
    let bound = argument.as_f64().unwrap();
    measure.is_none_or(|measure| {
        if rule.starts_with("min") {
            measure >= bound
        } else {
            measure <= bound
        }
    })
}

fn return_first(mut results: impl Iterator<Item = Result<(), String>>) -> Result<bool, String> {
    results.find(Result::is_err).unwrap_or(Ok(())).map(|()| true)
}

fn branches(root: &Value, argument: &Value, value: &Value) -> usize {
    argument
        .as_array()
        .unwrap()
        .iter()
        .filter(|branch| validate(root, branch, value).is_ok())
        .count()
}

fn is_type(name: &str, value: &Value) -> bool {
    match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_u64(),
        other => panic!("the type {other} is not known to this test"),
    }
}

/// The YAML of a Markdown file: what is indented by four spaces, up to the next text.
fn recipes(markdown: &str) -> Vec<String> {
    let mut blocks = vec![String::new()];
    for line in markdown.lines() {
        match line.strip_prefix("    ") {
            Some(code) => {
                let block = blocks.last_mut().unwrap();
                block.push_str(code);
                block.push('\n');
            }
            None if !line.is_empty() => blocks.push(String::new()),
            None => {}
        }
    }
    blocks.into_iter().filter(|block| block.contains(": ")).collect()
}

#[test]
fn what_the_reference_recommends_is_valid() {
    let readme = example("README.md");
    let (_, part) = readme.split_once("## Recipes").unwrap();
    let blocks = recipes(part);
    assert_eq!(blocks.len(), 7);
    let first = recipes(&readme)
        .into_iter()
        .find(|block| block.starts_with("service: tis"))
        .unwrap();
    for block in blocks.into_iter().chain([first]) {
        let service = if block.contains("service:") {
            ""
        } else {
            "service: x\n"
        };
        let slots = if block.contains("slots:") {
            ""
        } else {
            "slots: { a: { select: { tags: { a: b } } } }\n"
        };
        let text = format!("{service}{slots}{block}");
        assert_eq!(
            parse_policy("README.md", &text, Channels::Unchecked).problems,
            [],
            "{text}"
        );
    }
}
