//! Reads `tests/requirements.txt`.

use std::collections::BTreeSet;

use crate::numbered;

/// The requirements under one heading.
#[derive(Debug)]
pub(crate) struct Section {
    pub(crate) title: String,
    pub(crate) requirements: Vec<Requirement>,
}

#[derive(Debug)]
pub(crate) struct Requirement {
    pub(crate) id: String,
    pub(crate) level: String,
    pub(crate) text: String,
    pub(crate) mark: Option<Mark>,
}

#[derive(Debug, PartialEq)]
pub(crate) enum Mark {
    /// It is proven, but for what the reason says.
    Partly(String),
    Later(String),
    NotBuilt(String),
}

impl Mark {
    fn parse(text: &str) -> Option<Self> {
        let (word, reason) = text.split_once(": ")?;
        let reason = reason.to_owned();
        match word {
            "partly" => Some(Self::Partly(reason)),
            "later" => Some(Self::Later(reason)),
            "not built" => Some(Self::NotBuilt(reason)),
            _ => None,
        }
    }
}

/// Reads `## heading`, `# comment` and `ID | level | text [| mark]`, and what is wrong with that.
pub(crate) fn parse_requirements(text: &str) -> (Vec<Section>, Vec<String>) {
    let (mut sections, mut problems) = (Vec::<Section>::new(), Vec::new());
    let mut seen = BTreeSet::new();
    for (number, line) in numbered(text) {
        let mut problem = |what: String| problems.push(format!("tests/requirements.txt:{number}: {what}"));
        if let Some(title) = line.strip_prefix("## ") {
            sections.push(Section { title: title.to_owned(), requirements: Vec::new() });
        } else if !line.is_empty() && !line.starts_with('#') {
            match parse_requirement(line) {
                Err(what) => problem(what),
                Ok(requirement) if !seen.insert(requirement.id.clone()) => {
                    problem(format!("{} stands there twice", requirement.id));
                }
                Ok(requirement) => match sections.last_mut() {
                    Some(section) => section.requirements.push(requirement),
                    None => problem(format!("{} stands before the first heading", requirement.id)),
                },
            }
        }
    }
    (sections, problems)
}

fn parse_requirement(line: &str) -> Result<Requirement, String> {
    let mut fields = line.split(" | ").map(str::trim);
    let (Some(id), Some(level), Some(text)) = (fields.next(), fields.next(), fields.next()) else {
        return Err("not `ID | level | requirement`".to_owned());
    };
    if !["M", "S", "m", "-", "P", "D"].contains(&level) {
        return Err(format!("{id}: {level:?} is no level"));
    }
    let mark = match (fields.next(), fields.next()) {
        (None, _) => None,
        (Some(mark), None) => {
            Some(Mark::parse(mark).ok_or_else(|| format!("{id}: {mark:?} is no mark, or its reason is missing"))?)
        }
        (Some(_), Some(_)) => return Err(format!("{id}: more than one mark")),
    };
    Ok(Requirement { id: id.to_owned(), level: level.to_owned(), text: text.to_owned(), mark })
}

/// One requirement, and what is wrong with its line.
fn requirement(line: &str) -> Result<Requirement, String> {
    let (mut sections, mut problems) = parse_requirements(&format!("# About\n## Title\n\n{line}\n"));
    match problems.pop() {
        None => Ok(sections.remove(0).requirements.remove(0)),
        Some(problem) => Err(problem),
    }
}

#[test]
fn a_requirement_has_an_id_a_level_a_text_and_perhaps_a_mark() {
    let read = |line| requirement(line).unwrap();
    let plain = read("ATT-1 | M | One start, a timer");
    assert_eq!((&*plain.id, &*plain.level, &*plain.text), ("ATT-1", "M", "One start, a timer"));
    assert_eq!(plain.mark, None);
    assert_eq!(read("A-1 | m | x | partly: but y: z").mark, Some(Mark::Partly("but y: z".into())));
    assert_eq!(read("A-1 | m | x | later: with y").mark, Some(Mark::Later("with y".into())));
    assert_eq!(read("A-1 | m | x | not built: y").mark, Some(Mark::NotBuilt("y".into())));
}

#[test]
fn a_requirement_that_cannot_be_read_is_a_problem() {
    for (line, problem) in [
        ("ATT-1 | M", "not `ID | level | requirement`"),
        ("ATT-1 | MUST | x", "\"MUST\" is no level"),
        ("ATT-1 | M | x | soon: y", "\"soon: y\" is no mark"),
        ("ATT-1 | M | x | later", "\"later\" is no mark"),
        ("ATT-1 | M | x | partly: y | later: y", "more than one mark"),
    ] {
        let found = requirement(line).unwrap_err();
        assert!(found.starts_with("tests/requirements.txt:4: ") && found.contains(problem), "{found}");
    }
}

#[test]
fn an_id_stands_under_a_heading_and_only_once() {
    let (sections, problems) =
        parse_requirements("A-1 | M | x\n## One\nA-2 | M | x\n## Two\nA-2 | S | y\nA-3 | S | y\n");
    assert_eq!(
        problems,
        [
            "tests/requirements.txt:1: A-1 stands before the first heading",
            "tests/requirements.txt:5: A-2 stands there twice",
        ]
    );
    let ids = |section: &Section| section.requirements.iter().map(|it| it.id.clone()).collect::<Vec<_>>();
    assert_eq!(sections.iter().map(ids).collect::<Vec<_>>(), [["A-2"], ["A-3"]]);
}
