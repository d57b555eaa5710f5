//! Writes CONFORMANCE.md.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use crate::UPDATE;
use crate::claims::{Claim, parse_claims};
use crate::requirements::{Mark, Requirement, Section, parse_requirements};

/// CONFORMANCE.md. Nothing in it moves with a line number or with the order of tests in a file.
pub(crate) fn render(sections: &[Section], claims: &[Claim]) -> String {
    let mut text = format!(
        "# Conformance

What RFC 8305, its successor draft-ietf-happy-happyeyeballs-v3, the documents that they build on and the practice of
other clients require, and which tests prove it. A test that claims a requirement fails when the rule is broken in the
code.

This file is made from `tests/requirements.txt` and from the `Proves:` lines above the tests. `cargo test` fails when
it does not agree with them, and `{UPDATE}` writes it anew.

Levels: M must, S should, m may, - part of the described algorithm, P practice of other clients, D decision of this
crate.

{}
",
        totals(sections)
    );
    for section in sections {
        let title = &section.title;
        write!(text, "\n## {title}\n\n| ID | level | requirement | proof |\n|---|---|---|---|\n").unwrap();
        for requirement in &section.requirements {
            let Requirement { id, level, text: rule, .. } = requirement;
            writeln!(text, "| {id} | {level} | {rule} | {} |", proof(requirement, claims)).unwrap();
        }
    }
    text
}

fn totals(sections: &[Section]) -> String {
    let marks = || sections.iter().flat_map(|section| &section.requirements).map(|requirement| &requirement.mark);
    let count = |wanted: fn(&Option<Mark>) -> bool| marks().filter(|mark| wanted(mark)).count();
    let partly = count(|mark| matches!(mark, Some(Mark::Partly(_))));
    let proven = count(Option::is_none) + partly;
    let later = count(|mark| matches!(mark, Some(Mark::Later(_))));
    let not_built = count(|mark| matches!(mark, Some(Mark::NotBuilt(_))));
    let all = marks().count();
    format!(
        "Of {all} requirements {proven} are proven, {partly} of them in part; {later} come later, {not_built} are not \
         built."
    )
}

/// The tests that prove it, by file, and what its mark says.
fn proof(requirement: &Requirement, claims: &[Claim]) -> String {
    let mut files = BTreeMap::<_, BTreeSet<_>>::new();
    for claim in claims.iter().filter(|claim| claim.ids.contains(&requirement.id)) {
        files.entry(&claim.file).or_default().insert(format!("`{}`", claim.test));
    }
    let mut lines: Vec<_> =
        files.into_iter().map(|(file, tests)| format!("{file}: {}", Vec::from_iter(tests).join(", "))).collect();
    match &requirement.mark {
        None => {}
        Some(Mark::Partly(reason)) => lines.insert(0, format!("partly: {reason}")),
        Some(Mark::Later(reason)) => lines.push(format!("later: {reason}")),
        Some(Mark::NotBuilt(reason)) => lines.push(format!("not built: {reason}")),
    }
    lines.join("<br>")
}

/// Where `found` is not `wanted`. A checkout may have turned the ends of lines into those of its system.
pub(crate) fn first_difference(found: &str, wanted: &str) -> Option<String> {
    let (mut found, mut wanted) = (found.lines(), wanted.lines());
    for number in 1.. {
        match (found.next(), wanted.next()) {
            (None, None) => break,
            (found, wanted) if found == wanted => {}
            (found, wanted) => {
                let [found, wanted] = [found, wanted].map(|line| line.unwrap_or("(nothing)"));
                return Some(format!(
                    "is out of date from line {number} on. It has\n{found}\nand should have\n{wanted}"
                ));
            }
        }
    }
    None
}

#[test]
fn the_table_has_a_row_a_requirement_and_the_proofs_by_file_and_name() {
    let lines = [
        "## One",
        "A-1 | M | x",
        "A-2 | S | y | later: z",
        "## Two",
        "B-1 | - | x | partly: y",
        "B-2 | m | x | not built: z",
    ];
    let (sections, _) = parse_requirements(&lines.join("\n"));
    let test = |file, name, ids| parse_claims(file, &format!("/// Proves: {ids}\n#[test]\nfn {name}() {{}}")).0;
    let claims = [test("b.rs", "b", "A-1, B-1"), test("b.rs", "a", "A-1"), test("a.rs", "c", "A-1")];
    let text = render(&sections, &Vec::from_iter(claims.into_iter().flatten()));
    let (_, tables) = text.split_once("## One").unwrap();
    assert_eq!(
        tables,
        "

| ID | level | requirement | proof |
|---|---|---|---|
| A-1 | M | x | a.rs: `c`<br>b.rs: `a`, `b` |
| A-2 | S | y | later: z |

## Two

| ID | level | requirement | proof |
|---|---|---|---|
| B-1 | - | x | partly: y<br>b.rs: `b` |
| B-2 | m | x | not built: z |
"
    );
    let totals = "Of 4 requirements 2 are proven, 1 of them in part; 1 come later, 1 are not built.\n";
    assert!(text.contains(totals), "{text}");
}

#[test]
fn the_first_line_that_differs_is_told() {
    assert_eq!(first_difference("a\r\nb\r\n", "a\nb\n"), None);
    let told = |found, wanted| first_difference(found, wanted).unwrap();
    assert!(told("a\nb\n", "a\nc\n").ends_with("from line 2 on. It has\nb\nand should have\nc"));
    assert!(told("", "a\n").ends_with("from line 1 on. It has\n(nothing)\nand should have\na"));
    assert!(told("a\nb\n", "a\n").ends_with("from line 2 on. It has\nb\nand should have\n(nothing)"));
}
