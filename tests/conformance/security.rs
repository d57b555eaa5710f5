//! Whether the claims of `SECURITY.md` are held by tests: each sentence on what an attacker cannot do names some, as
//! `file::test`, and each that is named exists.

use std::fs;
use std::path::Path;

use crate::claims::parse_tests;
use crate::numbered;

#[test]
fn every_claim_of_security_md_is_held_by_a_test() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(root.join("SECURITY.md")).unwrap();
    let problems = check(&text, |file, test| {
        fs::read_to_string(root.join(file)).is_ok_and(|source| parse_tests(&source).contains(test))
    });
    assert!(problems.is_empty(), "\n\n{}\n\n", problems.join("\n"));
}

/// What is wrong, where `exists` knows the tests.
fn check(text: &str, exists: impl Fn(&str, &str) -> bool) -> Vec<String> {
    let (mut problems, mut is_claim) = (Vec::new(), false);
    // The line where the claim began that has named no test yet.
    let mut unheld = None;
    let end = |unheld: &mut Option<usize>, problems: &mut Vec<String>| {
        problems.extend(unheld.take().map(|number| format!("SECURITY.md:{number}: no test holds this")));
    };
    for (number, line) in numbered(text) {
        if line.is_empty() || line.starts_with('#') || line.starts_with("- ") {
            end(&mut unheld, &mut problems);
        }
        if line.starts_with('#') {
            is_claim = line.starts_with("### Cannot");
        } else if line.starts_with("- ") {
            unheld = is_claim.then_some(number);
        }
        for (file, test) in line.split('`').skip(1).step_by(2).filter_map(|code| code.split_once(".rs::")) {
            unheld = None;
            if !exists(&format!("{file}.rs"), test) {
                problems.push(format!("SECURITY.md:{number}: there is no test {test} in {file}.rs"));
            }
        }
    }
    end(&mut unheld, &mut problems);
    problems
}

#[test]
fn a_claim_names_a_test_and_what_is_named_exists() {
    let checked = |text| check(text, |file, test| (file, test) == ("a.rs", "f"));
    let unheld = |number| format!("SECURITY.md:{number}: no test holds this");
    assert_eq!(checked("## X\n- one\n### Can\n- two\n### Cannot\n- three\n  (`a.rs::f`)\n"), [""; 0]);
    assert_eq!(checked("### Cannot\n- one\n- two (`a.rs::f`)\n- three"), [unheld(2), unheld(4)]);
    assert_eq!(checked("### Cannot, where\n- one `f`\n\n(`a.rs::f`)"), [unheld(2)]);
    assert_eq!(checked("`a.rs::g`"), ["SECURITY.md:1: there is no test g in a.rs"]);
}
