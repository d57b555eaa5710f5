//! Reads what the tests say that they prove.

use std::collections::BTreeSet;

use crate::numbered;

/// What one test says that it proves.
#[derive(Debug)]
pub(crate) struct Claim {
    pub(crate) file: String,
    pub(crate) line: usize,
    pub(crate) test: String,
    pub(crate) ids: Vec<String>,
}

/// Reads the `Proves:` lines of a source file, each with the test below it, and what is wrong with them.
///
/// Between the line and the test there may be other doc lines, comments and attributes; one of these has to make the
/// function a test.
pub(crate) fn parse_claims(file: &str, text: &str) -> (Vec<Claim>, Vec<String>) {
    let (mut claims, mut problems) = (Vec::new(), Vec::new());
    let mut problem = |line: usize, what: &str| problems.push(format!("{file}:{line}: {what}"));
    let mut pending: Option<Pending> = None;
    for (number, line) in numbered(text) {
        if let Some(ids) = proves(line) {
            if !is_outer_doc(line) {
                problem(number, "a Proves line has to begin with `///`");
                continue;
            }
            let ids = ids.split(',').map(|id| id.trim().to_owned());
            pending.get_or_insert_with(|| Pending::new(number)).ids.extend(ids);
            continue;
        }
        let Some(mut it) = pending.take() else { continue };
        if it.takes(line) {
            pending = Some(it);
            continue;
        }
        match function_name(line) {
            Some(name) if it.is_test => {
                claims.push(Claim { file: file.to_owned(), line: it.line, test: name.to_owned(), ids: it.ids });
            }
            Some(name) => problem(it.line, &format!("a Proves line above {name}, which is no test")),
            None => problem(it.line, "a Proves line that is not above a test"),
        }
    }
    if let Some(it) = pending {
        problem(it.line, "a Proves line that is not above a test");
    }
    (claims, problems)
}

/// The names of the tests in a source file.
pub(crate) fn parse_tests(text: &str) -> BTreeSet<&str> {
    let mut tests = BTreeSet::new();
    let mut pending = Pending::new(0);
    for (number, line) in numbered(text) {
        if pending.takes(line) {
            continue;
        }
        tests.extend(function_name(line).filter(|_| pending.is_test));
        pending = Pending::new(number);
    }
    tests
}

/// A `Proves:` line whose function has not come yet.
struct Pending {
    line: usize,
    ids: Vec<String>,
    is_test: bool,
    /// Brackets that an attribute has opened and not yet closed.
    open: usize,
}

impl Pending {
    fn new(line: usize) -> Self {
        Self { line, ids: Vec::new(), is_test: false, open: 0 }
    }

    /// Whether `line` may stand between the `Proves:` line and the function.
    fn takes(&mut self, line: &str) -> bool {
        if self.open == 0 {
            if line.starts_with("//") {
                return true;
            }
            let Some(attribute) = line.strip_prefix("#[") else { return false };
            self.is_test |= is_test(attribute);
        }
        let count = |bracket| line.matches(bracket).count();
        self.open = (self.open + count('[')).saturating_sub(count(']'));
        true
    }
}

/// Whether it is `test]`, `tokio::test(flavor = ..)]` and the like.
fn is_test(attribute: &str) -> bool {
    let path = attribute.split(|it: char| !(it.is_ascii_alphanumeric() || "_:".contains(it))).next();
    path.is_some_and(|path| path.rsplit("::").next() == Some("test"))
}

/// What stands behind `Proves:` in a comment of any kind.
fn proves(line: &str) -> Option<&str> {
    let comment = line.strip_prefix("//")?.trim_start_matches(['/', '!']);
    comment.trim_start().strip_prefix("Proves:")
}

fn is_outer_doc(line: &str) -> bool {
    line.starts_with("///") && !line.starts_with("////")
}

fn function_name(line: &str) -> Option<&str> {
    let (before, after) = line.split_once("fn ")?;
    let is_qualifier = |word: &str| matches!(word, "async" | "const" | "unsafe") || word.starts_with("pub");
    if !before.split_whitespace().all(is_qualifier) {
        return None;
    }
    after.split(['(', '<']).next()
}

/// The claims of a file of these lines, as `line test ids`.
fn claims(lines: &[&str]) -> Vec<String> {
    let (claims, problems) = parse_claims("a.rs", &lines.join("\n"));
    assert_eq!(problems, [""; 0]);
    claims.iter().map(|it| format!("{} {} {}", it.line, it.test, it.ids.join(" "))).collect()
}

fn problems(lines: &[&str]) -> Vec<String> {
    parse_claims("a.rs", &lines.join("\n")).1
}

#[test]
fn a_proves_line_belongs_to_the_test_below() {
    assert_eq!(claims(&["/// Proves: A-1, B-2", "#[test]", "fn f() {}"]), ["1 f A-1 B-2"]);
    assert_eq!(claims(&["", "/// Proves: A-1", "#[tokio::test]", "async fn f() {}"]), ["2 f A-1"]);
    assert_eq!(claims(&["  /// Proves: A-1", "  #[test]", "  fn f(a in any::<bool>()) {}"]), ["1 f A-1"]);
    assert_eq!(claims(&["/// Proves: A-1", "#[test]", "pub(crate) unsafe fn f<T>() {}"]), ["1 f A-1"]);
    assert_eq!(claims(&["/// Provesn't: A-1", "#[test]", "fn f() {}", "let text = \"// Proves: x\";"]), [""; 0]);
}

#[test]
fn doc_lines_comments_and_attributes_may_stand_between() {
    let lines = [
        "/// Before.",
        "///",
        "/// Proves: A-1",
        "/// Proves: A-2",
        "///",
        "/// Behind.",
        "// A comment.",
        "#[cfg(any(",
        "    unix,",
        "    windows",
        "))]",
        "#[tokio::test(flavor = \"multi_thread\")]",
        "async fn f() {",
        "fn g() {}",
    ];
    assert_eq!(claims(&lines), ["3 f A-1 A-2"]);
}

#[test]
fn a_proves_line_above_anything_else_is_a_problem() {
    let not_above = ["a.rs:1: a Proves line that is not above a test"];
    assert_eq!(problems(&["/// Proves: A-1", "#[test]", "mod tests {"]), not_above);
    assert_eq!(problems(&["/// Proves: A-1", "", "#[test]", "fn f() {}"]), not_above);
    assert_eq!(problems(&["/// Proves: A-1", "#[test]"]), not_above);
    assert_eq!(problems(&["/// Proves: A-1", "let x = |fn f() {}"]), not_above);
    let no_test = ["a.rs:1: a Proves line above f, which is no test"];
    assert_eq!(problems(&["/// Proves: A-1", "fn f() {}"]), no_test);
    assert_eq!(problems(&["/// Proves: A-1", "#[cfg(test)]", "fn f() {}"]), no_test);
    assert_eq!(problems(&["/// Proves: A-1", "#[test_helper]", "fn f() {}"]), no_test);
}

#[test]
fn a_proves_line_in_another_comment_is_a_problem() {
    for line in ["// Proves: A-1", "//! Proves: A-1", "//Proves: A-1", "//// Proves: A-1"] {
        assert_eq!(problems(&[line, "#[test]", "fn f() {}"]), ["a.rs:1: a Proves line has to begin with `///`"]);
    }
}

#[test]
fn tests_are_functions_below_an_attribute_that_says_so() {
    let lines =
        ["#[test]", "/// Doc.", "fn f() {", "}", "fn g() {}", "#[cfg(test)]", "fn h() {}", "  #[tokio::test(x)]"];
    let text = [&lines[..], &["  async fn i() {}", "#[test]", "", "fn j() {}"]].concat().join("\n");
    assert_eq!(parse_tests(&text), BTreeSet::from(["f", "i"]));
}
