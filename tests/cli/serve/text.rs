//! The text format 0.0.4, read strictly: each family once, with HELP and TYPE before its series, each series once.

use std::collections::{BTreeMap, BTreeSet};

#[derive(Debug)]
pub(super) struct Metrics {
    /// By the series as they are written.
    series: BTreeMap<String, f64>,
}

impl Metrics {
    #[track_caller]
    pub(super) fn parse(text: &str) -> Self {
        let mut series = BTreeMap::new();
        let mut families = BTreeSet::new();
        assert!(text.ends_with('\n'), "{text:?}");
        let mut lines = text.lines().peekable();
        while let Some(line) = lines.next() {
            let (family, help) = line.strip_prefix("# HELP ").and_then(|rest| rest.split_once(' ')).expect(line);
            assert!(is_name(family) && help.ends_with('.'), "{line}");
            assert!(families.insert(family), "{family} is there twice");
            let line = lines.next().expect("TYPE comes after HELP");
            let kind = line.strip_prefix(&format!("# TYPE {family} ")).expect(line);
            let suffixes = match kind {
                "gauge" | "counter" => &[""][..],
                "histogram" => &["_bucket", "_sum", "_count"],
                _ => panic!("{line}"),
            };
            assert_eq!(kind == "counter", family.ends_with("_total"), "{line}");
            let mut count = 0;
            while let Some(line) = lines.next_if(|line| !line.starts_with('#')) {
                let (name, value) = line.rsplit_once(' ').expect(line);
                let bare = name.split('{').next().expect("a first part");
                assert!(suffixes.iter().any(|suffix| bare == format!("{family}{suffix}")), "{line} of {family}");
                assert_labels(&name[bare.len()..]);
                let value = value.parse().unwrap_or_else(|_| panic!("{line}"));
                assert!(series.insert(name.to_owned(), value).is_none(), "{name} is there twice");
                count += 1;
            }
            assert!(count > 0, "{family} has no series");
        }
        Self { series }
    }

    /// The value of a series as it is written, labels in alphabetical order.
    pub(super) fn get(&self, series: &str) -> Option<f64> {
        self.series.get(series).copied()
    }

    #[track_caller]
    pub(super) fn value(&self, series: &str) -> f64 {
        self.get(series).unwrap_or_else(|| panic!("no {series} in {self:#?}"))
    }

    /// The series of a family.
    pub(super) fn of(&self, family: &str) -> Vec<&str> {
        let names = self.series.keys().map(String::as_str);
        names.filter(|name| name.split('{').next() == Some(family)).collect()
    }
}

/// `{name="value",...}` or nothing; no test has a value that needs escapes.
#[track_caller]
fn assert_labels(labels: &str) {
    if labels.is_empty() {
        return;
    }
    let inner = labels.strip_prefix('{').and_then(|rest| rest.strip_suffix("\"}")).expect(labels);
    let mut names = Vec::new();
    for label in inner.split("\",") {
        let (name, value) = label.split_once("=\"").expect(labels);
        assert!(is_name(name) && !value.contains(['"', '\\']), "{labels}");
        names.push(name);
    }
    let distinct: BTreeSet<_> = names.iter().collect();
    assert_eq!(distinct.len(), names.len(), "{labels}");
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

#[test]
#[should_panic(expected = "twice")]
fn a_series_is_there_once() {
    Metrics::parse("# HELP a b.\n# TYPE a gauge\na{x=\"y\"} 1\na{x=\"y\"} 2\n");
}
