//! Whatever leads to an address that the policy denies, nothing is dialled: each source of addresses, and the spellings
//! that get past filters which look at the text of a URL.

mod corpus;
mod sources;
mod spellings;
mod tripwire;

#[path = "../lab/mod.rs"]
mod lab;
#[path = "../support/mod.rs"]
mod support;
