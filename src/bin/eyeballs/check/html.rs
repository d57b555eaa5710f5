//! The report of a check as a page of HTML: one file that needs nothing else, for screens of any width, dark ones too,
//! and for paper.
//!
//! Nothing in it can run: text is escaped by the templates, and the page's own policy forbids scripts and whatever would
//! have to be loaded.

mod bars;
mod drill;
mod page;
mod tables;
mod target;
#[cfg(test)]
mod tests;

pub(crate) use page::page;
