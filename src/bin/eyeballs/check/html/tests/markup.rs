//! A reader of markup that is stricter than browsers: whatever is not plainly right is wrong.

/// Elements without an end tag.
const VOID: [&str; 2] = ["meta", "br"];

#[derive(Debug)]
pub(super) struct Tag<'a> {
    pub(super) name: &'a str,
    pub(super) attributes: Vec<(&'a str, &'a str)>,
    is_end: bool,
}

impl<'a> Tag<'a> {
    pub(super) fn attribute(&self, name: &str) -> Option<&'a str> {
        self.attributes.iter().find(|(other, _)| *other == name).map(|(_, value)| *value)
    }
}

/// What begins each element, in order.
#[track_caller]
pub(super) fn tags(page: &str) -> Vec<Tag<'_>> {
    pieces(page).into_iter().map(|(tag, _)| tag).filter(|tag| !tag.is_end).collect()
}

/// What a reader sees, with a blank for each tag of a block.
#[track_caller]
pub(super) fn text(page: &str) -> String {
    let inline = ["strong", "time"];
    let mut text = String::new();
    for (tag, after) in pieces(page) {
        if tag.name != "style" || tag.is_end {
            text += if inline.contains(&tag.name) { "" } else { " " };
            text += &after.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&amp;", "&");
        }
    }
    text
}

/// Every element ends in the one that it began in, every attribute is quoted and there once, every id is one of a kind,
/// and every `&` is of a reference.
#[track_caller]
pub(super) fn assert_well_formed(page: &str) {
    let mut open = Vec::new();
    let mut ids = Vec::new();
    for (tag, after) in pieces(page) {
        if tag.is_end {
            assert_eq!(open.pop(), Some(tag.name), "{page}");
        } else if !VOID.contains(&tag.name) {
            open.push(tag.name);
        }
        let names: Vec<_> = tag.attributes.iter().map(|(name, _)| name).collect();
        assert!((1..names.len()).all(|at| !names[..at].contains(&names[at])), "{tag:?}");
        ids.extend(tag.attribute("id"));
        for text in tag.attributes.iter().map(|(_, value)| *value).chain([after]) {
            let known = |rest: &str| ["lt;", "gt;", "amp;", "quot;"].iter().any(|name| rest.starts_with(name));
            assert!(open.last() == Some(&"style") || text.split('&').skip(1).all(known), "{text}");
        }
    }
    assert!(open.is_empty(), "{open:?}: {page}");
    assert!((1..ids.len()).all(|at| !ids[..at].contains(&ids[at])), "{ids:?}");
}

/// Each tag, and the text up to the next.
#[track_caller]
fn pieces(page: &str) -> Vec<(Tag<'_>, &str)> {
    let page = page.strip_prefix("<!DOCTYPE html>").unwrap_or(page);
    let mut pieces = page.split('<');
    assert_eq!(pieces.next().map(str::trim), Some(""), "{page}");
    pieces.map(|piece| piece.split_once('>').map(|(tag, text)| (parsed(tag), text)).expect("a tag ends")).collect()
}

#[track_caller]
fn parsed(tag: &str) -> Tag<'_> {
    let (is_end, tag) = tag.strip_prefix('/').map_or((false, tag), |tag| (true, tag));
    let (name, mut rest) = tag.split_once(' ').unwrap_or((tag, ""));
    assert!(!name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric()), "<{tag}>");
    let mut attributes = Vec::new();
    while !rest.is_empty() {
        let end = rest.find([' ', '=']).unwrap_or(rest.len());
        let (attribute, more) = rest.split_at(end);
        let (value, more) = match more.strip_prefix("=\"") {
            Some(quoted) => quoted.split_once('"').expect("a quote ends"),
            None => ("", more),
        };
        assert!(attribute.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-'), "<{tag}>");
        assert!(more.is_empty() || more.starts_with(' '), "<{tag}>");
        attributes.push((attribute, value));
        rest = more.trim_start();
    }
    Tag { name, attributes, is_end }
}
