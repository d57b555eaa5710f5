//! What is required, and which tests prove it: `CONFORMANCE.md` is made here, from `tests/requirements.txt` and from the
//! `Proves:` lines of the tests, and this test fails when the three do not agree.

mod claims;
mod requirements;
mod security;
mod table;

use std::collections::BTreeSet;
use std::path::Path;
use std::{env, fs, io};

use claims::{Claim, parse_claims};
use requirements::{Mark, Requirement, Section, parse_requirements};
use table::{first_difference, render};

/// Where tests may stand. A package does not have all of them.
const DIRECTORIES: [&str; 4] = ["benches", "examples", "src", "tests"];

/// What writes the table anew.
const UPDATE: &str = "UPDATE_CONFORMANCE=1 cargo test --test conformance";

#[test]
fn conformance_md_agrees_with_requirements_and_tests() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (sections, mut problems) =
        parse_requirements(&fs::read_to_string(root.join("tests/requirements.txt")).unwrap());
    let mut claims = Vec::new();
    for file in rust_files(root).unwrap() {
        let (of_file, wrong) = parse_claims(&file, &fs::read_to_string(root.join(&file)).unwrap());
        claims.extend(of_file);
        problems.extend(wrong);
    }
    problems.extend(check(&sections, &claims));
    assert!(problems.is_empty(), "\n\n{}\n\n", problems.join("\n"));

    let (path, wanted) = (root.join("CONFORMANCE.md"), render(&sections, &claims));
    if env::var_os("UPDATE_CONFORMANCE").is_some_and(|value| value == "1") {
        return fs::write(path, wanted).unwrap();
    }
    // A file that is not there differs in its first line.
    let found = fs::read_to_string(path).unwrap_or_default();
    if let Some(difference) = first_difference(&found, &wanted) {
        panic!("\n\nCONFORMANCE.md {difference}\n\n{UPDATE} writes it anew.\n\n");
    }
}

/// Where claims and requirements do not fit together.
fn check(sections: &[Section], claims: &[Claim]) -> Vec<String> {
    let requirements = || sections.iter().flat_map(|section| &section.requirements);
    let known: BTreeSet<_> = requirements().map(|requirement| &requirement.id).collect();
    let mut problems = Vec::new();
    for claim in claims {
        let mut own = BTreeSet::new();
        for id in &claim.ids {
            let Claim { file, line, test, .. } = claim;
            if !known.contains(id) {
                problems.push(format!("{file}:{line}: {test} proves {id:?}, which is not in tests/requirements.txt"));
            }
            if !own.insert(id) {
                problems.push(format!("{file}:{line}: {test} proves {id} twice"));
            }
        }
    }
    let proven: BTreeSet<_> = claims.iter().flat_map(|claim| &claim.ids).collect();
    for Requirement { id, mark, .. } in requirements() {
        let problem = match (proven.contains(id), mark) {
            (false, None) => "has neither a proof nor a mark",
            (false, Some(Mark::Partly(_))) => "is marked `partly`, and no test proves it",
            (true, Some(Mark::Later(_))) => "is marked `later`, and a test proves it",
            (true, Some(Mark::NotBuilt(_))) => "is marked `not built`, and a test proves it",
            (true, None | Some(Mark::Partly(_))) | (false, Some(Mark::Later(_) | Mark::NotBuilt(_))) => continue,
        };
        problems.push(format!("tests/requirements.txt: {id} {problem}"));
    }
    problems
}

/// The `.rs` files of the package, from its root on and with slashes on every system, sorted.
fn rust_files(root: &Path) -> io::Result<Vec<String>> {
    let mut files = Vec::new();
    let mut left: Vec<_> = DIRECTORIES.map(String::from).into_iter().filter(|it| root.join(it).is_dir()).collect();
    while let Some(directory) = left.pop() {
        for entry in fs::read_dir(root.join(&directory))? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = format!("{directory}/{name}");
            if entry.file_type()?.is_dir() {
                left.extend((name != "target").then_some(path));
            } else if name.ends_with(".rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    Ok(files)
}

/// The lines, trimmed, with their numbers.
fn numbered(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().enumerate().map(|(index, line)| (index + 1, line.trim()))
}

/// What `check` says of one requirement A-1 with this mark, and of a test with these IDs.
fn checked(mark: &str, ids: &str) -> String {
    let (sections, wrong) = parse_requirements(&format!("## Title\nA-1 | M | x{mark}\n"));
    assert_eq!(wrong, [""; 0]);
    let text = if ids.is_empty() { String::new() } else { format!("/// Proves: {ids}\n#[test]\nfn f() {{}}") };
    check(&sections, &parse_claims("a.rs", &text).0).join("\n")
}

#[test]
fn a_requirement_has_either_a_proof_or_a_mark_that_stands_for_it() {
    assert_eq!(checked("", "A-1"), "");
    assert_eq!(checked("", ""), "tests/requirements.txt: A-1 has neither a proof nor a mark");
    for word in ["later", "not built"] {
        assert_eq!(checked(&format!(" | {word}: y"), ""), "");
        let both = format!("tests/requirements.txt: A-1 is marked `{word}`, and a test proves it");
        assert_eq!(checked(&format!(" | {word}: y"), "A-1"), both);
    }
    assert_eq!(checked(" | partly: y", "A-1"), "");
    assert_eq!(checked(" | partly: y", ""), "tests/requirements.txt: A-1 is marked `partly`, and no test proves it");
}

#[test]
fn a_test_proves_what_there_is_and_each_once() {
    let unknown = |id| format!("a.rs:1: f proves {id:?}, which is not in tests/requirements.txt");
    assert_eq!(checked("", "A-1, A-2"), unknown("A-2"));
    assert_eq!(checked("", "A-1,"), unknown(""));
    assert_eq!(checked("", "A-1, a-1"), unknown("a-1"));
    assert_eq!(checked("", "A-1, A-1"), "a.rs:1: f proves A-1 twice");
}

#[test]
fn every_source_file_but_those_of_a_build_is_read() {
    let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join("conformance");
    for file in
        ["src/b.rs", "src/a/c.rs", "src/a.rs", "tests/d.txt", "benches/e/target/f.rs", "benches/e/g.rs", "h/i.rs"]
    {
        let path = root.join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "").unwrap();
    }
    assert_eq!(rust_files(&root).unwrap(), ["benches/e/g.rs", "src/a.rs", "src/a/c.rs", "src/b.rs"]);
}
