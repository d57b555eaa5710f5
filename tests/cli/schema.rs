//! The tables of `docs/json.md`, so that page and code cannot part.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

const PAGE: &str = include_str!("../../docs/json.md");

/// A key, and what it is.
type Keys = BTreeMap<&'static str, &'static str>;

/// Asserts that `value` has exactly the keys of the table of that name, and everything in it those of its own.
#[track_caller]
pub(crate) fn assert_documented(value: &Value, table: &str) {
    let tables = tables();
    let keys = tables.get(table).unwrap_or_else(|| panic!("no table {table:?}"));
    assert_keys(value, keys, &tables);
}

/// The words of the first column in the table below `word`.
pub(crate) fn column(word: &str) -> BTreeSet<&'static str> {
    tables()[word].keys().copied().collect()
}

#[track_caller]
fn assert_keys(value: &Value, keys: &Keys, tables: &BTreeMap<&str, Keys>) {
    let object = value.as_object().unwrap_or_else(|| panic!("not an object: {value}"));
    let there: BTreeSet<_> = object.keys().map(String::as_str).collect();
    assert_eq!(there, keys.keys().copied().collect());
    for (key, value) in object {
        let items = match value {
            Value::Array(items) => items.as_slice(),
            value => std::slice::from_ref(value),
        };
        for item in items.iter().filter(|item| item.is_object()) {
            assert_keys(item, &within(key, keys[&**key], tables), tables);
        }
    }
}

/// The keys of what stands under `key`: those that its row names, or of a table that it leads to.
fn within(key: &str, text: &'static str, tables: &BTreeMap<&str, Keys>) -> Keys {
    let is_key = |word: &&str| *word != "null" && !word.starts_with("--");
    let named: Vec<_> = quoted(text).into_iter().filter(is_key).collect();
    match *named {
        _ if key == "race" => {
            let mut keys = tables["eyeballs get"].clone();
            keys.remove("url");
            keys
        }
        [] => tables.get(key).unwrap_or_else(|| panic!("nothing says what is in {key}")).clone(),
        [table] if tables.contains_key(table) => tables[table].clone(),
        _ => named.into_iter().map(|key| (key, "")).collect(),
    }
}

/// The tables, under the last word in backticks before each.
fn tables() -> BTreeMap<&'static str, Keys> {
    let mut tables = BTreeMap::<_, Keys>::new();
    let mut name = "";
    for line in PAGE.lines() {
        let Some(row) = line.strip_prefix("| `") else {
            name = quoted(line).last().filter(|_| !line.starts_with('|')).copied().unwrap_or(name);
            continue;
        };
        let (keys, text) = row.split_once(" | ").expect("two columns");
        let keys = keys.split(", ").map(|key| key.trim_matches('`'));
        tables.entry(name).or_default().extend(keys.map(|key| (key, text.trim_end_matches(" |"))));
    }
    tables
}

/// The words in backticks, but for those in parentheses.
fn quoted(text: &str) -> Vec<&str> {
    let mut depth = 0;
    let parts = text.split('`').enumerate();
    let words = parts.filter_map(|(index, part)| {
        if index % 2 == 1 {
            return (depth == 0).then_some(part);
        }
        depth += part.matches('(').count();
        depth -= part.matches(')').count().min(depth);
        None
    });
    words.collect()
}

#[test]
fn every_table_of_the_page_is_found() {
    let names = ["eyeballs get", "eyeballs check", "dns", "addresses", "probe", "fault", "drill", "via"];
    assert_eq!(tables().into_keys().collect::<BTreeSet<_>>(), names.into_iter().collect());
    let within = |key| within(key, tables()["probe"][key], &tables()).into_keys().collect::<Vec<_>>();
    assert_eq!(within("certificate"), ["issuer", "names", "not_after", "not_before", "subject"]);
}
