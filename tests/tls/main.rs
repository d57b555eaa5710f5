//! TLS that fails, in every way and at every place: the error says what is wrong, and another address wins.

mod agreement;
mod breaks;
mod case;
mod certificates;
mod clients;
mod nonsense;
mod resumption;
mod several;
mod slow;

#[path = "../lab/mod.rs"]
mod lab;
#[path = "../support/mod.rs"]
mod support;
